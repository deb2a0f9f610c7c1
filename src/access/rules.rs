//! The rules that hold for us in a namespace, as a SelfSubjectRulesReview lists them.

use serde::{Deserialize, Deserializer};

use crate::rbac::Permission;

/// `SubjectRulesReviewStatus`, as far as it is read.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Rules {
    #[serde(deserialize_with = "or_default")]
    resource_rules: Vec<Listed>,
    incomplete: bool,
    evaluation_error: String,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Listed {
    #[serde(deserialize_with = "or_default")]
    verbs: Vec<String>,
    #[serde(deserialize_with = "or_default")]
    api_groups: Vec<String>,
    #[serde(deserialize_with = "or_default")]
    resources: Vec<String>,
    #[serde(deserialize_with = "or_default")]
    resource_names: Vec<String>,
}

/// An empty list of Go's is `null`.
fn or_default<'de, D: Deserializer<'de>, T: Default + Deserialize<'de>>(
    deserializer: D,
) -> Result<T, D::Error> {
    Option::deserialize(deserializer).map(Option::unwrap_or_default)
}

impl Rules {
    /// Where the API server lists none.
    #[must_use]
    pub fn unknown() -> Self {
        Self { incomplete: true, ..Self::default() }
    }

    /// Whether they grant a right; `None` where one may be granted that is not listed.
    #[must_use]
    pub fn explain(&self, permission: &Permission) -> Option<bool> {
        let granted = self.resource_rules.iter().any(|rule| rule.grants(permission));
        let all = !self.incomplete && self.evaluation_error.is_empty();
        (granted || all).then_some(granted)
    }
}

impl Listed {
    fn grants(&self, permission: &Permission) -> bool {
        let any = |patterns: &[String], value: &str| {
            patterns.iter().any(|pattern| pattern == "*" || pattern == value)
        };
        let named = match &permission.name {
            Some(name) => self.resource_names.is_empty() || self.resource_names.contains(name),
            None => self.resource_names.is_empty(),
        };
        any(&self.verbs, permission.verb.as_str())
            && any(&self.api_groups, &permission.group)
            && any(&self.resources, &permission.resource)
            && named
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::json;

    use super::*;
    use crate::api::Verb;

    fn watch(group: &str, resource: &str, name: Option<&str>) -> Permission {
        Permission {
            verb: Verb::Watch,
            group: group.into(),
            resource: resource.into(),
            about: resource.to_owned().into(),
            namespace: None,
            name: name.map(str::to_owned),
        }
    }

    #[rstest]
    #[case::exactly(json!({"verbs": ["watch"], "apiGroups": [""], "resources": ["pods"]}), true)]
    #[case::anything(json!({"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}), true)]
    #[case::other_verb(json!({"verbs": ["list"], "apiGroups": [""], "resources": ["pods"]}), false)]
    #[case::other_group(json!({"verbs": ["*"], "apiGroups": ["apps"], "resources": ["*"]}), false)]
    #[case::subresource(json!({"verbs": ["*"], "apiGroups": [""], "resources": ["pods/log"]}), false)]
    #[case::of_all(json!({"verbs": ["*"], "apiGroups": [""], "resources": ["*/status"]}), false)]
    #[case::one_object(json!({"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"],
        "resourceNames": ["a"]}), false)]
    #[case::nothing(json!({"verbs": null, "apiGroups": null, "resources": null}), false)]
    fn a_rule_grants_as_rbac_reads_it(#[case] rule: serde_json::Value, #[case] expected: bool) {
        let status = |incomplete, error| json!({"resourceRules": [rule], "incomplete": incomplete, "evaluationError": error});
        let explained = |status| {
            let rules: Rules = serde_json::from_value(status).expect("rules");
            rules.explain(&watch("", "pods", None))
        };
        assert_eq!(explained(status(false, "")), Some(expected));
        // What is listed holds though there may be more.
        assert_eq!(explained(status(true, "")), expected.then_some(true));
        assert_eq!(explained(status(false, "no such role")), expected.then_some(true));
    }

    #[test]
    fn one_object_is_enough_where_one_is_needed() {
        let rule = json!({"verbs": ["watch"], "apiGroups": ["*"], "resources": ["leases"],
            "resourceNames": ["a"]});
        let rules: Rules = serde_json::from_value(json!({"resourceRules": [rule]})).expect("rules");
        assert_eq!(rules.explain(&watch("x", "leases", Some("a"))), Some(true));
        assert_eq!(rules.explain(&watch("x", "leases", Some("b"))), Some(false));
    }

    #[test]
    fn a_recorded_review_is_read() {
        #[derive(Deserialize)]
        struct Review {
            status: Rules,
        }
        let recorded = include_str!("../../tests/data/wire/review/rules.json");
        let Review { status } = serde_json::from_str(recorded).expect("a review");
        assert_eq!(status.explain(&watch("", "pods", None)), Some(true));
        assert_eq!(status.explain(&watch("", "secrets", None)), Some(false));
        assert_eq!(Rules::unknown().explain(&watch("", "secrets", None)), None);
        let empty: Rules = serde_json::from_str(r#"{"resourceRules":null}"#).expect("rules");
        assert_eq!(empty.explain(&watch("", "pods", None)), Some(false));
    }
}
