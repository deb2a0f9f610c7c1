//! The rights that watching needs, as RBAC has them ("Using RBAC Authorization").

use std::fmt::Write;

use crate::kinds::Resource;

/// What is done with a resource.
pub const VERBS: [&str; 2] = ["list", "watch"];

/// The resources of one API group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// The API group, empty for the core group.
    pub group: String,
    /// The plurals, in the order in which they are watched.
    pub resources: Vec<String>,
}

/// The rules that allow to watch these resources and nothing else: one for each group, in the
/// order in which they come.
pub fn rules<'a>(watched: impl IntoIterator<Item = &'a Resource>) -> Vec<Rule> {
    let mut rules: Vec<Rule> = Vec::new();
    for resource in watched {
        let (group, plural) = (resource.group(), resource.plural().to_owned());
        match rules.iter_mut().find(|rule| rule.group == group) {
            Some(rule) => rule.resources.push(plural),
            None => rules.push(Rule { group: group.to_owned(), resources: vec![plural] }),
        }
    }
    rules
}

/// A ClusterRole `kubetally` of these rules, and its binding to the service account `kubetally` in
/// the namespace `kubetally`, as YAML.
#[must_use]
pub fn manifest(rules: &[Rule]) -> String {
    let mut out = String::from(ROLE);
    for Rule { group, resources } in rules {
        let group = if group.is_empty() { "\"\"" } else { group };
        // Writing to a String cannot fail.
        write!(
            out,
            "  - apiGroups: [{group}]\n    resources: [{}]\n    verbs: [{}]\n",
            resources.join(", "),
            VERBS.join(", ")
        )
        .unwrap_or_default();
    }
    out.push_str(BINDING);
    out
}

const ROLE: &str = "\
# What is watched, and nothing else.
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata:
  name: kubetally
  labels:
    app.kubernetes.io/name: kubetally
rules:
";

const BINDING: &str = "\
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata:
  name: kubetally
  labels:
    app.kubernetes.io/name: kubetally
roleRef:
  apiGroup: rbac.authorization.k8s.io
  kind: ClusterRole
  name: kubetally
subjects:
  - kind: ServiceAccount
    name: kubetally
    namespace: kubetally
";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kinds;

    #[test]
    fn a_group_is_one_rule() {
        let watched = ["jobs", "pods", "example.com/v1/widgets", "secrets", "batch/v1/cronjobs"];
        let watched = watched.map(|name| kinds::parse(name).expect("a resource"));
        let rules = rules(&watched);
        let shown: Vec<_> =
            rules.iter().map(|rule| (&*rule.group, rule.resources.join(","))).collect();
        assert_eq!(
            shown,
            [
                ("batch", "jobs,cronjobs".to_owned()),
                ("", "pods,secrets".to_owned()),
                ("example.com", "widgets".to_owned()),
            ]
        );
        let manifest = manifest(&rules);
        let part =
            "  - apiGroups: [\"\"]\n    resources: [pods, secrets]\n    verbs: [list, watch]\n";
        assert!(manifest.contains(part), "{manifest}");
    }
}
