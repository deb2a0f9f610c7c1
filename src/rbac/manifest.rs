//! Rights as manifests: a service account, and what is bound to it.

use std::fmt::Write;

use super::{Permission, Rule, rules};

/// Whom the rights are for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// The name of the service account, and of the roles and their bindings.
    pub name: String,
    /// The namespace of the service account.
    pub namespace: String,
}

/// A service account with these rights and no other, as YAML for `kubectl apply -f -`: a
/// ClusterRole for what is needed in all namespaces or is in none, and a Role in each namespace
/// that rights are needed in alone.
#[must_use]
pub fn manifest(permissions: &[Permission], account: &Account) -> String {
    let Account { name, namespace } = account;
    let mut out = format!(
        "# What `kubetally rbac` prints for its settings: what is watched may be listed and \
         watched,\n# and nothing else. The namespace {namespace} has to be there.\n"
    );
    out.push_str(&head("v1", "ServiceAccount", name, Some(namespace)));
    out.push_str("# A Deployment mounts a token of its own, which is good for an hour.\n");
    out.push_str("automountServiceAccountToken: false\n");
    let mut scopes: Vec<Option<&str>> = Vec::new();
    for permission in permissions {
        if !scopes.contains(&permission.namespace.as_deref()) {
            scopes.push(permission.namespace.as_deref());
        }
    }
    scopes.sort_unstable();
    for scope in &scopes {
        let here = permissions.iter().filter(|needed| needed.namespace.as_deref() == *scope);
        let rules = rules(here);
        out.push_str("---\n");
        if scope.is_none() && scopes.len() > 1 {
            out.push_str("# For all namespaces, and for what is in none.\n");
        }
        out.push_str(&role(&rules, account, *scope));
        out.push_str("---\n");
        out.push_str(&binding(account, *scope));
    }
    out
}

fn role(rules: &[Rule], account: &Account, scope: Option<&str>) -> String {
    let kind = role_kind(scope);
    let mut out = head("rbac.authorization.k8s.io/v1", kind, &account.name, scope);
    out.push_str("rules:\n");
    for rule in rules {
        for (at, (key, values)) in parts(rule).enumerate() {
            let mark = if at == 0 { "-" } else { " " };
            // Writing to a String cannot fail.
            writeln!(out, "  {mark} {key}: {values}").unwrap_or_default();
        }
    }
    out
}

fn binding(account: &Account, scope: Option<&str>) -> String {
    let kind = role_kind(scope);
    let (name, namespace) = (scalar(&account.name), scalar(&account.namespace));
    let head =
        head("rbac.authorization.k8s.io/v1", &format!("{kind}Binding"), &account.name, scope);
    format!(
        "{head}\
         roleRef:\n  apiGroup: rbac.authorization.k8s.io\n  kind: {kind}\n  name: {name}\n\
         subjects:\n  - kind: ServiceAccount\n    name: {name}\n    namespace: {namespace}\n"
    )
}

const fn role_kind(scope: Option<&str>) -> &'static str {
    match scope {
        Some(_) => "Role",
        None => "ClusterRole",
    }
}

fn head(api_version: &str, kind: &str, name: &str, namespace: Option<&str>) -> String {
    let namespace = namespace.map(|namespace| format!("  namespace: {}\n", scalar(namespace)));
    format!(
        "apiVersion: {api_version}\nkind: {kind}\nmetadata:\n  name: {}\n{}  labels:\n    \
         app.kubernetes.io/name: kubetally\n",
        scalar(name),
        namespace.unwrap_or_default(),
    )
}

/// The keys of a rule and their lists.
pub(super) fn parts(rule: &Rule) -> impl Iterator<Item = (&'static str, String)> {
    let group = if rule.group.is_empty() { "\"\"".to_owned() } else { scalar(&rule.group) };
    let list = |names: &[String]| {
        let names: Vec<_> = names.iter().map(|name| scalar(name)).collect();
        format!("[{}]", names.join(", "))
    };
    let verbs: Vec<_> = rule.verbs.iter().map(|verb| verb.as_str()).collect();
    let names = (!rule.names.is_empty()).then(|| ("resourceNames", list(&rule.names)));
    [("apiGroups", format!("[{group}]")), ("resources", list(&rule.resources))]
        .into_iter()
        .chain(names)
        .chain([("verbs", format!("[{}]", verbs.join(", ")))])
}

/// A name as YAML has it: in quotes where it would be read as a number, a truth or nothing.
fn scalar(name: &str) -> String {
    const OTHERS: [&str; 9] = ["true", "false", "null", "yes", "no", "on", "off", "y", "n"];
    let plain = name.starts_with(|first: char| first.is_ascii_lowercase())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte))
        && !OTHERS.contains(&name);
    if plain { name.to_owned() } else { serde_json::Value::from(name).to_string() }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;
    use crate::api::Verb;

    fn account() -> Account {
        Account { name: "tally".into(), namespace: "watchers".into() }
    }

    fn permission(resource: &'static str, namespace: Option<&str>) -> Permission {
        Permission {
            verb: Verb::List,
            group: String::new(),
            resource: resource.into(),
            about: resource.into(),
            namespace: namespace.map(str::to_owned),
            name: None,
        }
    }

    fn objects(manifest: &str) -> Vec<Value> {
        serde_saphyr::from_multiple(manifest).expect("YAML")
    }

    #[test]
    fn each_namespace_has_its_role_and_the_rest_a_cluster_role() {
        let permissions = [
            permission("pods", Some("shop")),
            permission("pods", Some("billing")),
            permission("nodes", None),
        ];
        let manifest = manifest(&permissions, &account());
        let shown: Vec<_> = objects(&manifest)
            .iter()
            .map(|object| {
                let metadata = &object["metadata"];
                assert_eq!(metadata["name"], "tally");
                let namespace = metadata["namespace"].as_str().unwrap_or_default().to_owned();
                let resources = object["rules"][0]["resources"].to_string();
                (object["kind"].as_str().expect("a kind").to_owned(), namespace, resources)
            })
            .collect();
        let shown: Vec<_> = shown.iter().map(|(a, b, c)| (&**a, &**b, &**c)).collect();
        let expected = [
            ("ServiceAccount", "watchers", "null"),
            ("ClusterRole", "", r#"["nodes"]"#),
            ("ClusterRoleBinding", "", "null"),
            ("Role", "billing", r#"["pods"]"#),
            ("RoleBinding", "billing", "null"),
            ("Role", "shop", r#"["pods"]"#),
            ("RoleBinding", "shop", "null"),
        ];
        assert_eq!(shown, expected);
        assert!(manifest.contains("---\n# For all namespaces"), "{manifest}");
    }

    #[test]
    fn a_binding_is_of_the_role_to_the_account() {
        let objects = objects(&manifest(&[permission("pods", Some("shop"))], &account()));
        let binding = objects.last().expect("a binding");
        assert_eq!(binding["roleRef"]["kind"], "Role");
        assert_eq!(binding["roleRef"]["name"], "tally");
        assert_eq!(binding["subjects"][0]["kind"], "ServiceAccount");
        assert_eq!(binding["subjects"][0]["namespace"], "watchers");
    }

    proptest! {
        #[test]
        fn every_name_is_read_as_text(name in "[a-z0-9]([a-z0-9.-]{0,10}[a-z0-9])?|no|null|1e3|0x1") {
            let account = Account { name: name.clone(), namespace: name.clone() };
            let permissions = [Permission { name: Some(name.clone()), ..permission("pods", None) }];
            for object in objects(&manifest(&permissions, &account)) {
                prop_assert_eq!(&object["metadata"]["name"], &name);
                if let Some(rule) = object["rules"].get(0) {
                    prop_assert_eq!(&rule["resourceNames"][0], &name);
                }
            }
        }
    }
}
