//! Label and field selectors, as far as lists and watches use them (Kubernetes documentation,
//! "Labels and Selectors" and "Field Selectors").

use serde_json::Value;

/// The fields that can be selected by, and where they are in the object.
const FIELDS: &[(&str, &str, &str)] = &[
    ("", "metadata.name", "/metadata/name"),
    ("", "metadata.namespace", "/metadata/namespace"),
    ("pods", "spec.nodeName", "/spec/nodeName"),
    ("pods", "spec.restartPolicy", "/spec/restartPolicy"),
    ("pods", "spec.schedulerName", "/spec/schedulerName"),
    ("pods", "spec.serviceAccountName", "/spec/serviceAccountName"),
    ("pods", "status.phase", "/status/phase"),
    ("pods", "status.podIP", "/status/podIP"),
    ("events", "involvedObject.kind", "/involvedObject/kind"),
    ("events", "involvedObject.name", "/involvedObject/name"),
    ("events", "involvedObject.namespace", "/involvedObject/namespace"),
    ("events", "reason", "/reason"),
    ("events", "reportingComponent", "/reportingComponent"),
    ("events", "type", "/type"),
];

/// What objects must be like.
#[derive(Debug, Default)]
pub struct Selector {
    labels: Vec<Requirement>,
    fields: Vec<(&'static str, bool, String)>,
}

#[derive(Debug)]
enum Requirement {
    In(String, Vec<String>),
    NotIn(String, Vec<String>),
    Exists(String),
    Absent(String),
}

impl Selector {
    /// Reads both selectors.
    ///
    /// # Errors
    /// What the server says of one that it does not understand.
    pub fn parse(table: &str, labels: &str, fields: &str) -> Result<Self, String> {
        let labels = split(labels).map(requirement).collect::<Result<_, _>>()?;
        let fields = split(fields).map(|part| field(table, part)).collect::<Result<_, _>>()?;
        Ok(Self { labels, fields })
    }

    /// Whether everything is selected.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.labels.is_empty() && self.fields.is_empty()
    }

    /// Whether an object is selected, given its JSON.
    #[must_use]
    pub fn matches(&self, body: &str) -> bool {
        if self.is_empty() {
            return true;
        }
        let object: Value = serde_json::from_str(body).unwrap_or_default();
        let label = |key: &str| object["metadata"]["labels"][key].as_str();
        let text = |pointer| object.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
        self.labels.iter().all(|requirement| match requirement {
            Requirement::In(key, values) => {
                label(key).is_some_and(|v| values.iter().any(|w| w == v))
            }
            Requirement::NotIn(key, values) => {
                label(key).is_none_or(|v| values.iter().all(|w| w != v))
            }
            Requirement::Exists(key) => label(key).is_some(),
            Requirement::Absent(key) => label(key).is_none(),
        }) && self.fields.iter().all(|(at, equal, value)| (text(at) == value) == *equal)
    }
}

/// Splits at the commas outside of brackets.
fn split(text: &str) -> impl Iterator<Item = &str> {
    let mut depth = 0;
    let parts = text.split(move |c| {
        depth += i32::from(c == '(') - i32::from(c == ')');
        c == ',' && depth == 0
    });
    parts.map(str::trim).filter(|part| !part.is_empty())
}

fn requirement(part: &str) -> Result<Requirement, String> {
    let owned = |text: &str| text.trim().to_owned();
    let end = part.find(|c| !"!=<>".contains(c)).unwrap_or(part.len());
    let operator = &part[..end];
    if !["", "!"].contains(&operator) {
        return Err(format!("found '{operator}', expected: !, identifier, or 'end of string'"));
    }
    if let Some(key) = part.strip_prefix('!') {
        return Ok(Requirement::Absent(owned(key)));
    }
    if let Some((key, values)) = part.split_once('(') {
        let values = values.trim_end_matches(')').split(',').map(owned).collect();
        return match key.split_whitespace().collect::<Vec<_>>()[..] {
            [key, "in"] => Ok(Requirement::In(owned(key), values)),
            [key, "notin"] => Ok(Requirement::NotIn(owned(key), values)),
            _ => Err(format!("unable to parse requirement: found '{part}'")),
        };
    }
    let (key, equal, value) = comparison(part);
    match (equal, part.split_whitespace().nth(1)) {
        (Some(true), _) => Ok(Requirement::In(owned(key), vec![owned(value)])),
        (Some(false), _) => Ok(Requirement::NotIn(owned(key), vec![owned(value)])),
        (None, None) => Ok(Requirement::Exists(owned(key))),
        (None, Some(second)) => Err(format!(
            "unable to parse requirement: found '{second}', expected: in, notin, =, ==, !=, gt, lt"
        )),
    }
}

fn field(table: &str, part: &str) -> Result<(&'static str, bool, String), String> {
    let (key, equal, value) = comparison(part);
    let Some(equal) = equal else {
        return Err(format!("invalid selector: '{part}'; can't understand '{part}'"));
    };
    let known = FIELDS.iter().find(|(of, name, _)| *name == key && (of.is_empty() || *of == table));
    let (_, _, at) = known.ok_or_else(|| format!("field label not supported: {key}"))?;
    Ok((at, equal, value.to_owned()))
}

/// Splits at `=`, `==` or `!=`; `None` where there is none of them.
fn comparison(part: &str) -> (&str, Option<bool>, &str) {
    for (operator, equal) in [("!=", false), ("==", true), ("=", true)] {
        if let Some((key, value)) = part.split_once(operator) {
            return (key.trim(), Some(equal), value.trim());
        }
    }
    (part, None, "")
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    const POD: &str = r#"{"metadata":{"name":"a","namespace":"shop","labels":{"app":"web","tier":"front"}},"spec":{"nodeName":"n1"},"status":{"phase":"Running"}}"#;

    #[rstest]
    #[case("", "", true)]
    #[case("app=web", "", true)]
    #[case("app == web,tier!=back", "", true)]
    #[case("app in (api, web),tier", "", true)]
    #[case("app notin (api,web)", "", false)]
    #[case("!gone", "", true)]
    #[case("!app", "", false)]
    #[case("gone", "", false)]
    #[case("gone!=x", "", true)]
    #[case("", "spec.nodeName=n1,status.phase!=Succeeded", true)]
    #[case("", "metadata.name==b", false)]
    #[case("app=web", "status.phase=Pending", false)]
    fn selects(#[case] labels: &str, #[case] fields: &str, #[case] expected: bool) {
        let selector = Selector::parse("pods", labels, fields).expect("a selector");
        assert_eq!(selector.matches(POD), expected);
    }

    #[rstest]
    #[case("a b c", "", "unable to parse requirement: found 'b', expected: in, notin")]
    #[case("==", "", "found '==', expected: !, identifier")]
    #[case("", "spec.colour=red", "field label not supported: spec.colour")]
    #[case("", "involvedObject.kind=Pod", "field label not supported")]
    #[case("", "metadata.name", "can't understand")]
    fn says_what_it_does_not_understand(
        #[case] labels: &str,
        #[case] fields: &str,
        #[case] expected: &str,
    ) {
        let error = Selector::parse("pods", labels, fields).expect_err("an error");
        assert!(error.contains(expected), "{error}");
    }
}
