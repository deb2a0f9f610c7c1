//! Reviews. Of oneself: who one is, which rules hold, whether one may; whoever says who they are may
//! ask these (the role `system:basic-user`). Of others: whose a token is, whether a user may; those
//! need a right (the role `system:auth-delegator`).

use serde_json::{Value, json};

use super::auth::{ANONYMOUS, Accounts};

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
    /// Whether it is of oneself.
    own: bool,
    status: fn(&Accounts, Asked<'_>, &Value) -> Result<Value, &'static str>,
}

/// Who asks, and when, in seconds since 1970.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// The user.
    pub user: &'a str,
    /// The time.
    pub now: i64,
}

static REVIEWS: &[Review] = &[
    Review {
        group: "authentication.k8s.io",
        plural: "selfsubjectreviews",
        kind: "SelfSubjectReview",
        own: true,
        status: |_, asked, _| Ok(json!({"userInfo": info(asked.user)})),
    },
    Review {
        group: "authentication.k8s.io",
        plural: "tokenreviews",
        kind: "TokenReview",
        own: false,
        status: token,
    },
    Review {
        group: "authorization.k8s.io",
        plural: "selfsubjectaccessreviews",
        kind: "SelfSubjectAccessReview",
        own: true,
        status: |accounts, asked, spec| access(accounts, asked.user, spec),
    },
    Review {
        group: "authorization.k8s.io",
        plural: "subjectaccessreviews",
        kind: "SubjectAccessReview",
        own: false,
        status: |accounts, _, spec| {
            access(accounts, spec["user"].as_str().unwrap_or_default(), spec)
        },
    },
    Review {
        group: "authorization.k8s.io",
        plural: "selfsubjectrulesreviews",
        kind: "SelfSubjectRulesReview",
        own: true,
        status: |accounts, asked, spec| rules(accounts, asked.user, spec),
    },
];

impl Review {
    /// Whether this user may ask it.
    #[must_use]
    pub fn may_ask(&self, accounts: &Accounts, user: &str) -> bool {
        match self.own {
            true => user != ANONYMOUS,
            false => accounts.allows(user, "create", (self.group, self.plural), None),
        }
    }

    /// The answer to a user's review.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn answer(
        &self,
        version: &str,
        accounts: &Accounts,
        asked: Asked<'_>,
        review: &Value,
    ) -> Result<Value, &'static str> {
        let Self { group, kind, status, .. } = self;
        let mut answer =
            json!({"kind": kind, "apiVersion": format!("{group}/{version}"), "metadata": {}});
        if let Some(spec) = review.get("spec") {
            answer["spec"] = spec.clone();
        }
        answer["status"] = status(accounts, asked, &review["spec"])?;
        Ok(answer)
    }
}

fn info(user: &str) -> Value {
    json!({"username": user, "uid": "", "groups": ["system:authenticated"]})
}

fn token(accounts: &Accounts, asked: Asked<'_>, spec: &Value) -> Result<Value, &'static str> {
    let token = spec["token"].as_str().filter(|token| !token.is_empty());
    let token = token.ok_or("token is required for TokenReview in authentication")?;
    Ok(match accounts.user(token, asked.now) {
        Some(user) => json!({"authenticated": true, "user": info(&user)}),
        None => json!({"user": {}, "error": "[invalid bearer token]"}),
    })
}

fn access(accounts: &Accounts, user: &str, spec: &Value) -> Result<Value, &'static str> {
    if let Some(path) = spec["nonResourceAttributes"]["path"].as_str() {
        return Ok(json!({"allowed": accounts.allows_path(user, path)}));
    }
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
    for Review { group, plural, .. } in REVIEWS.iter().filter(|review| review.own) {
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
            let answer = review.answer("v1", &accounts, Asked { user: "u", now: 0 }, &asked)?;
            let rules = answer["status"]["resourceRules"].as_array().expect("rules").iter();
            let rules = rules.filter(|rule| rule["apiGroups"][0] == "");
            Ok(rules.map(|rule| rule["resources"][0].to_string()).collect::<Vec<_>>().join(","))
        };
        assert_eq!(listed("shop"), Ok(r#""pods","events""#.into()));
        assert_eq!(listed("*"), Ok(r#""pods""#.into()));
        assert_eq!(listed(""), Err("no namespace on request"));
    }
}
