//! The options of a list or watch, read and checked as the server checks them.

use std::str::FromStr;

use base64::{
    Engine,
    alphabet::URL_SAFE,
    engine::general_purpose::{GeneralPurpose, NO_PAD},
};
use serde::{Deserialize, Serialize};

use super::answer::Failure;

/// As lenient as Go's.
const BASE64: GeneralPurpose =
    GeneralPurpose::new(&URL_SAFE, NO_PAD.with_decode_allow_trailing_bits(true));

/// What a query asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// A watch instead of a list.
    pub watch: bool,
    /// At most so many items; 0 for all.
    pub limit: usize,
    /// The token of the page before.
    pub next: String,
    /// As written: empty, `0` or a number.
    pub resource_version: String,
    /// `Exact`, `NotOlderThan` or empty.
    pub resource_version_match: String,
    /// Whether the initial state comes first on a watch.
    pub send_initial_events: Option<bool>,
    /// Whether bookmarks may come.
    pub allow_bookmarks: bool,
    /// In seconds.
    pub timeout: Option<u64>,
    /// As written.
    pub label_selector: String,
    /// As written.
    pub field_selector: String,
    /// What of the query could not be read, as the server words it.
    pub malformed: Option<String>,
}

/// One thing that is wrong with the options.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The option.
    pub field: &'static str,
    /// One word for programs.
    pub reason: &'static str,
    /// For people.
    pub message: String,
}

const CONTINUED: &str = "resourceVersionMatch is forbidden when continue is provided";

impl Options {
    /// Reads a query.
    #[must_use]
    pub fn parse(query: &str) -> Self {
        let mut options = Self::default();
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            let truth = !(value == "0" || value.eq_ignore_ascii_case("false"));
            match &*name {
                "watch" => options.watch = truth,
                "limit" => options.limit = options.number(&value).unwrap_or(0),
                "continue" => options.next = value.into_owned(),
                "resourceVersion" => options.resource_version = value.into_owned(),
                "resourceVersionMatch" => options.resource_version_match = value.into_owned(),
                "sendInitialEvents" => options.send_initial_events = Some(truth),
                "allowWatchBookmarks" => options.allow_bookmarks = truth,
                "timeoutSeconds" => options.timeout = options.number(&value),
                "labelSelector" => options.label_selector = value.into_owned(),
                "fieldSelector" => options.field_selector = value.into_owned(),
                _ => {}
            }
        }
        options
    }

    fn number<T: FromStr>(&mut self, text: &str) -> Option<T> {
        let number = text.parse().ok();
        if number.is_none() {
            let message = format!("strconv.ParseInt: parsing \"{text}\": invalid syntax");
            self.malformed.get_or_insert(message);
        }
        number
    }

    /// Refuses what cannot be read, and then what does not go together, as the server's own
    /// validation does (apimachinery, `ValidateListOptions`).
    ///
    /// # Errors
    /// 400 or 422, as the server words it.
    pub fn validate(&self, streaming_lists: bool) -> Result<(), Failure> {
        if let Some(message) = &self.malformed {
            return Err(Failure::new(400, "BadRequest", message));
        }
        let problems = match self.watch {
            true => self.watch_problems(streaming_lists),
            false => self.list_problems(),
        };
        if problems.is_empty() { Ok(()) } else { Err(Failure::invalid_options(&problems)) }
    }

    fn list_problems(&self) -> Vec<Problem> {
        let forbidden = |why| Problem::forbidden("resourceVersionMatch", why);
        let matched = self.resource_version_match.as_str();
        let mut problems = Vec::new();
        if !matched.is_empty() {
            if self.resource_version.is_empty() {
                problems.push(forbidden(
                    "resourceVersionMatch is forbidden unless resourceVersion is provided",
                ));
            }
            if !self.next.is_empty() {
                problems.push(forbidden(CONTINUED));
            }
            if !["Exact", "NotOlderThan"].contains(&matched) {
                problems.push(Problem::unsupported_match(matched, &["Exact", "NotOlderThan", ""]));
            }
            if matched == "Exact" && self.resource_version == "0" {
                problems.push(forbidden(
                    "resourceVersionMatch \"exact\" is forbidden for resourceVersion \"0\"",
                ));
            }
        }
        if self.send_initial_events.is_some() {
            let why = "sendInitialEvents is forbidden for list";
            problems.push(Problem::forbidden("sendInitialEvents", why));
        }
        problems
    }

    fn watch_problems(&self, streaming_lists: bool) -> Vec<Problem> {
        let forbidden = Problem::forbidden;
        let matched = self.resource_version_match.as_str();
        let field = "resourceVersionMatch";
        let mut problems = Vec::new();
        if self.send_initial_events.is_some() {
            if matched != "NotOlderThan" {
                problems.push(forbidden(
                    field,
                    "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan",
                ));
            }
            if !streaming_lists {
                problems.push(forbidden(
                    "sendInitialEvents",
                    "sendInitialEvents is forbidden for watch unless the WatchList feature gate is \
                     enabled",
                ));
            }
        }
        if !matched.is_empty() {
            if self.send_initial_events.is_none() {
                problems.push(forbidden(
                    field,
                    "resourceVersionMatch is forbidden for watch unless sendInitialEvents is \
                     provided",
                ));
            }
            if matched != "NotOlderThan" {
                problems.push(Problem::unsupported_match(matched, &["NotOlderThan"]));
            }
            if !self.next.is_empty() {
                problems.push(forbidden(field, CONTINUED));
            }
        }
        problems
    }

    /// The resourceVersion as a number, 0 where there is none.
    ///
    /// # Errors
    /// What the server says where it is no number.
    pub fn version(&self) -> Result<u64, String> {
        let text = self.resource_version.as_str();
        if text.is_empty() {
            return Ok(0);
        }
        text.parse().map_err(|_| {
            format!(
                "resourceVersion: Invalid value: \"{text}\": strconv.ParseUint: parsing \
                 \"{text}\": invalid syntax"
            )
        })
    }
}

impl Problem {
    fn forbidden(field: &'static str, why: &str) -> Self {
        Self { field, reason: "FieldValueForbidden", message: format!("Forbidden: {why}") }
    }

    fn unsupported_match(found: &str, supported: &[&str]) -> Self {
        let supported: Vec<_> = supported.iter().map(|value| format!("{value:?}")).collect();
        let supported = supported.join(", ");
        let message = format!("Unsupported value: {found:?}: supported values: {supported}");
        Self { field: "resourceVersionMatch", reason: "FieldValueNotSupported", message }
    }
}

/// Where a list goes on: the content of a continue token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Next {
    v: String,
    /// The resourceVersion of the whole list.
    pub rv: i64,
    /// The key to start after, with a NUL behind it.
    pub start: String,
}

impl Next {
    /// Goes on after this object of the list at `rv`.
    #[must_use]
    pub fn after(rv: i64, start: String) -> Self {
        Self { v: "meta.k8s.io/v1".into(), rv, start: format!("{start}\0") }
    }

    /// As a token.
    #[must_use]
    pub fn token(&self) -> String {
        let json = serde_json::to_string(self).unwrap_or_default();
        BASE64.encode(json)
    }

    /// Reads a token.
    ///
    /// # Errors
    /// 400 where it is none.
    pub fn parse(token: &str) -> Result<Self, Failure> {
        let wrong = |why: String| {
            let message = format!("invalid continue token: continue key is not valid: {why}");
            Failure::new(400, "BadRequest", message)
        };
        let json = BASE64
            .decode(token)
            .map_err(|_| wrong("illegal base64 data at input byte 0".into()))?;
        serde_json::from_slice(&json).map_err(|_| {
            let first = json.first().copied().unwrap_or_default();
            let shown = match first {
                b' '..=b'~' => char::from(first).to_string(),
                _ => format!("\\x{first:02x}"),
            };
            wrong(format!("invalid character '{shown}' looking for beginning of value"))
        })
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("limit=5", true, None)]
    #[case("watch=1&resourceVersion=7&allowWatchBookmarks=true", true, None)]
    #[case("watch=1&sendInitialEvents=true&resourceVersionMatch=NotOlderThan", true, None)]
    #[case("watch=1&sendInitialEvents=true", true, Some("requires setting resourceVersionMatch"))]
    #[case(
        "watch=1&sendInitialEvents=true&resourceVersionMatch=NotOlderThan",
        false,
        Some("WatchList feature gate")
    )]
    #[case("resourceVersionMatch=Exact", true, Some("unless resourceVersion is provided"))]
    #[case("resourceVersionMatch=Exact&resourceVersion=0", true, Some("is forbidden for"))]
    #[case("resourceVersionMatch=Exact&continue=a", true, Some("when continue is provided"))]
    fn goes_together(#[case] query: &str, #[case] streams: bool, #[case] expected: Option<&str>) {
        let refused = Options::parse(query).validate(streams).err();
        assert_eq!(refused.is_some(), expected.is_some(), "{refused:?}");
        if let Some((failure, expected)) = refused.zip(expected) {
            assert!(failure.message.contains(expected), "{failure:?}");
        }
    }

    #[test]
    fn a_token_goes_round() {
        let token =
            "eyJ2IjoibWV0YS5rOHMuaW8vdjEiLCJydiI6NjUzLCJzdGFydCI6Ii9zaG9wL3NpZGVjYXJzXHUwMDAwIn0";
        let next = Next::parse(token).expect("a token");
        assert_eq!(next, Next::after(653, "/shop/sidecars".into()));
        assert_eq!(next.token(), token);
    }
}
