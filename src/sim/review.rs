//! Reviews of oneself: who one is, which rules hold, whether one may. Whoever says who they are may
//! ask (the role `system:basic-user`).

use serde_json::{Value, json};

use super::auth::Accounts;

/// The group and kind of a review, found by its group and plural.
#[must_use]
pub fn find(group: &str, plural: &str) -> Option<&'static Review> {
    REVIEWS.iter().find(|review| review.group == group && review.plural == plural)
}

/// A review.
#[derive(Debug)]
pub struct Review {
    group: &'static str,
    plural: &'static str,
    kind: &'static str,
    status: fn(&Accounts, &str, &Value) -> Result<Value, &'static str>,
}

static REVIEWS: &[Review] = &[
    Review {
        group: "authentication.k8s.io",
        plural: "selfsubjectreviews",
        kind: "SelfSubjectReview",
        status: |_, user, _| {
            Ok(json!({"userInfo": {"username": user, "groups": ["system:authenticated"]}}))
        },
    },
    Review {
        group: "authorization.k8s.io",
        plural: "selfsubjectaccessreviews",
        kind: "SelfSubjectAccessReview",
        status: access,
    },
    Review {
        group: "authorization.k8s.io",
        plural: "selfsubjectrulesreviews",
        kind: "SelfSubjectRulesReview",
        status: rules,
    },
];

impl Review {
    /// The answer to a user's review.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn answer(
        &self,
        version: &str,
        accounts: &Accounts,
        user: &str,
        review: &Value,
    ) -> Result<Value, &'static str> {
        let Self { group, kind, status, .. } = self;
        let mut answer =
            json!({"kind": kind, "apiVersion": format!("{group}/{version}"), "metadata": {}});
        if let Some(spec) = review.get("spec") {
            answer["spec"] = spec.clone();
        }
        answer["status"] = status(accounts, user, &review["spec"])?;
        Ok(answer)
    }
}

fn access(accounts: &Accounts, user: &str, spec: &Value) -> Result<Value, &'static str> {
    let attributes = &spec["resourceAttributes"];
    let part = |name: &str| attributes[name].as_str().unwrap_or_default();
    let namespace = Some(part("namespace")).filter(|namespace| !namespace.is_empty());
    let of = (part("group"), part("resource"));
    Ok(json!({"allowed": accounts.allows(user, part("verb"), of, namespace)}))
}

fn rules(accounts: &Accounts, user: &str, spec: &Value) -> Result<Value, &'static str> {
    let namespace = spec["namespace"].as_str().filter(|namespace| !namespace.is_empty());
    let namespace = namespace.ok_or("no namespace on request")?;
    let mut rules: Vec<Value> = accounts
        .rights_in(user, namespace)
        .map(|right| {
            json!({
                "verbs": [right.verb],
                "apiGroups": [right.group],
                "resources": [right.resource],
            })
        })
        .collect();
    for Review { group, plural, .. } in REVIEWS {
        rules.push(json!({"verbs": ["create"], "apiGroups": [group], "resources": [plural]}));
    }
    Ok(json!({
        "resourceRules": rules,
        "nonResourceRules": [],
        "incomplete": accounts.lists_not_all(user),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::auth::Right;

    #[test]
    fn a_namespaces_rules_are_its_own_and_those_of_all() {
        let mut accounts = Accounts::new(1);
        let only = Right { namespace: Some("shop".into()), ..Right::to_watch("", "events") };
        accounts.grant("u", vec![Right::to_watch("", "pods"), only]);
        let listed = |namespace| {
            let review = find("authorization.k8s.io", "selfsubjectrulesreviews").expect("served");
            let asked = json!({"spec": {"namespace": namespace}});
            let answer = review.answer("v1", &accounts, "u", &asked)?;
            let rules = answer["status"]["resourceRules"].as_array().expect("rules").iter();
            let rules = rules.filter(|rule| rule["apiGroups"][0] == "");
            Ok(rules.map(|rule| rule["resources"][0].to_string()).collect::<Vec<_>>().join(","))
        };
        assert_eq!(listed("shop"), Ok(r#""pods","events""#.into()));
        assert_eq!(listed("*"), Ok(r#""pods""#.into()));
        assert_eq!(listed(""), Err("no namespace on request"));
    }
}
