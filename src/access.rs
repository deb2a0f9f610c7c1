//! Who we are to the API server and what we may there: asked for at the start, then kept true at
//! little cost.
//!
//! At the start an access review answers for each right in use. From then on a rules review says
//! every 40 to 55 s which rules hold, and an access review is asked only where they do not explain
//! what the last one said:
//!
//! - The rules of a namespace are those of its RoleBindings and of all ClusterRoleBindings, not
//!   told apart. A right that is needed in one namespace comes from either, so they explain it.
//! - A right that is needed in all namespaces, or to a resource that is in none, comes from a
//!   ClusterRoleBinding alone. A Role's rule of the namespace asked for would hide that such a
//!   right has come or gone. So its rules are those of a namespace that cannot exist: no
//!   RoleBinding is there.
//! - `incomplete`, or an error of evaluation, says that more may be allowed than is listed: an
//!   authorizer cannot list its rules, as a webhook cannot, or a binding's role is missing. What is
//!   listed holds all the same; what is not is asked for in every round.
//!
//! While a right is missing, one of the scopes in which one is has its rules looked at every 4 to
//! 6 s: what waits for a right starts soon after it was granted. Where nothing is missing that is
//! 1.3 requests a minute for each scope, where something is 12 more, whatever is missing. A review
//! that fails changes nothing that is known: it is no denial.

pub mod keeper;
pub mod matrix;
pub mod pace;
pub mod rules;

use std::{
    collections::BTreeMap,
    fmt,
    sync::{Mutex, MutexGuard, PoisonError},
};

use matrix::Matrix;

use crate::{
    exposition::{
        Collect, Exposition,
        catalogue::{IDENTITY_INFO, PERMISSION_ALLOWED},
    },
    rbac::{self, Permission, Rule},
};

/// What is known of it: the keeper writes, scrapes and probes read.
#[derive(Debug)]
pub struct Access {
    matrix: Mutex<Matrix>,
    username: Mutex<Option<String>>,
}

/// What is missing, by resource and namespace.
pub type AllMissing = BTreeMap<(String, Option<String>), Missing>;

/// Rights that are missing in one place, in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Missing {
    /// Where they can be added, such as `a ClusterRole`.
    pub role: String,
    /// The rules to add, each as one line of YAML.
    pub rules: Vec<String>,
}

impl Access {
    /// Of these rights nothing is known yet.
    #[must_use]
    pub fn new(needed: Vec<Permission>) -> Self {
        Self { matrix: Mutex::new(Matrix::new(needed)), username: Mutex::default() }
    }

    /// What is missing, with the rule to add.
    #[must_use]
    pub fn missing(&self) -> AllMissing {
        let matrix = self.matrix();
        let mut missing: BTreeMap<_, Vec<&Permission>> = BTreeMap::new();
        for permission in matrix.missing() {
            let of = (permission.about.to_string(), permission.namespace.clone());
            missing.entry(of).or_default().push(permission);
        }
        let told = missing.into_iter().map(|(of, permissions)| {
            let rules = rbac::rules(permissions).iter().map(Rule::to_string).collect();
            let role = match &of.1 {
                Some(namespace) => format!("a Role in {namespace}"),
                None => "a ClusterRole".into(),
            };
            (of, Missing { role, rules })
        });
        told.collect()
    }

    fn matrix(&self) -> MutexGuard<'_, Matrix> {
        lock(&self.matrix)
    }

    /// Notes whom the API server takes us for; whether it is somebody else than before.
    fn identify(&self, username: Option<String>) -> bool {
        let mut known = lock(&self.username);
        let changed = *known != username;
        *known = username;
        changed
    }
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "missing in {}: {}", self.role, self.rules.join(", "))
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Collect for Access {
    fn collect(&self, out: &mut Exposition) {
        if let Some(username) = &*lock(&self.username) {
            out.sample(&IDENTITY_INFO, &[username], 1_u64);
        }
        for (verb, resource, allowed) in self.matrix().allowed() {
            out.sample(&PERMISSION_ALLOWED, &[verb.as_str(), resource], allowed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{access::rules::Rules, exposition::Format};

    fn scrape(access: &Access) -> Vec<String> {
        let mut out = Exposition::new(Format::Text, &[]);
        access.collect(&mut out);
        let text = String::from_utf8(out.finish().to_vec()).expect("UTF-8");
        text.lines().filter(|line| !line.starts_with('#')).map(str::to_owned).collect()
    }

    fn answer(access: &Access, allowed: impl Fn(&Permission) -> bool) {
        let mut matrix = access.matrix();
        for scope in matrix.scopes() {
            for question in matrix.doubtful(scope.as_deref(), &Rules::default(), true) {
                let allowed = allowed(&question.permission);
                matrix.learn(&question, allowed);
            }
        }
    }

    #[test]
    fn what_is_unknown_is_absent_and_what_is_missing_has_its_rule() {
        let access = Access::new(matrix::testing::needed("pods,nodes", "shop,billing"));
        assert!(scrape(&access).is_empty());
        assert!(access.missing().is_empty());
        answer(&access, |p| p.resource == "nodes" || p.namespace.as_deref() == Some("billing"));
        access.identify(Some("system:serviceaccount:kubetally:kubetally".into()));
        assert_eq!(
            scrape(&access),
            [
                "kubetally_permission_allowed{verb=\"list\",resource=\"nodes\"} 1",
                "kubetally_permission_allowed{verb=\"watch\",resource=\"nodes\"} 1",
                "kubetally_permission_allowed{verb=\"list\",resource=\"pods\"} 0",
                "kubetally_permission_allowed{verb=\"watch\",resource=\"pods\"} 0",
                "kubetally_identity_info{username=\"system:serviceaccount:kubetally:kubetally\"} 1",
            ]
        );
        let missing = access.missing();
        assert_eq!(missing.len(), 1);
        assert_eq!(
            missing[&("pods".to_owned(), Some("shop".to_owned()))].to_string(),
            "missing in a Role in shop: \
             {apiGroups: [\"\"], resources: [pods], verbs: [list, watch]}"
        );
    }
}
