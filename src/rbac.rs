//! The rights that the settings in force need, and the smallest roles that grant them ("Using RBAC
//! Authorization"). `kubetally rbac`, `deploy/base/rbac.yaml` and what is asked of the API server
//! come from here.

mod manifest;

use std::{borrow::Cow, fmt};

pub use manifest::{Account, manifest};

use crate::{
    api::Verb,
    config::{listeners::Authorization, probe::Canary, settings::Settings},
};

/// What is done with a resource that is watched.
pub const VERBS: [Verb; 2] = [Verb::List, Verb::Watch];

/// One right: a verb on a resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Permission {
    /// What is done.
    pub verb: Verb,
    /// The API group, empty for the core group.
    pub group: String,
    /// The plural.
    pub resource: String,
    /// The resource as our `resource` label shows it.
    pub about: Cow<'static, str>,
    /// The only namespace it is needed in; `None` where it is needed in all, or the resource is in
    /// none.
    pub namespace: Option<String>,
    /// The only object it is needed for.
    pub name: Option<String>,
}

/// A rule of a role. It prints as one line of YAML.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// The API group, empty for the core group.
    pub group: String,
    /// The plurals, in the order in which they are needed.
    pub resources: Vec<String>,
    /// The only objects it is for; none for all of them.
    pub names: Vec<String>,
    /// What may be done.
    pub verbs: Vec<Verb>,
}

/// Every right that the settings need, those of a resource together.
#[must_use]
pub fn needed(settings: &Settings) -> Vec<Permission> {
    let watch = &settings.watch;
    let mut needed = Vec::new();
    for watched in &watch.resources {
        let resource = &watched.resource;
        for namespace in watch.scopes(resource) {
            needed.extend(VERBS.map(|verb| Permission {
                verb,
                group: resource.group().to_owned(),
                resource: resource.plural().to_owned(),
                about: resource.name.clone(),
                namespace: namespace.clone(),
                name: None,
            }));
        }
    }
    needed.extend(settings.canary.iter().flat_map(of_canary));
    if settings.http.authorization == Authorization::Cluster {
        needed.extend(REVIEWS.map(of_review));
    }
    needed
}

/// What asks who scrapes, and whether they may: the role `system:auth-delegator` has the same.
const REVIEWS: [(&str, &str); 2] =
    [("authentication.k8s.io", "tokenreviews"), ("authorization.k8s.io", "subjectaccessreviews")];

fn of_review((group, resource): (&'static str, &'static str)) -> Permission {
    Permission {
        verb: Verb::Create,
        group: group.into(),
        resource: resource.into(),
        about: resource.into(),
        namespace: None,
        name: None,
    }
}

/// Its Lease is patched and watched by its name, and made where there is none: RBAC knows no name
/// of what is created.
fn of_canary(canary: &Canary) -> impl Iterator<Item = Permission> + use<> {
    let Canary { namespace, lease, .. } = canary.clone();
    let named = [(Verb::Patch, true), (Verb::Watch, true), (Verb::Create, false)];
    named.into_iter().map(move |(verb, named)| Permission {
        verb,
        group: "coordination.k8s.io".into(),
        resource: "leases".into(),
        about: "leases".into(),
        namespace: Some(namespace.clone()),
        name: named.then(|| lease.clone()),
    })
}

/// The fewest rules that grant these rights and nothing else, in the order in which they come;
/// whatever namespace each is for.
pub fn rules<'a>(permissions: impl IntoIterator<Item = &'a Permission>) -> Vec<Rule> {
    let mut each: Vec<Rule> = Vec::new();
    for permission in permissions {
        match each.iter_mut().find(|rule| rule.is_about(permission)) {
            Some(rule) if rule.verbs.contains(&permission.verb) => {}
            Some(rule) => rule.verbs.push(permission.verb),
            None => each.push(Rule::of(permission)),
        }
    }
    let mut rules: Vec<Rule> = Vec::new();
    for rule in each {
        match rules.iter_mut().find(|known| known.differs_by_resource(&rule)) {
            Some(known) => known.resources.extend(rule.resources),
            None => rules.push(rule),
        }
    }
    rules
}

impl Rule {
    fn of(permission: &Permission) -> Self {
        Self {
            group: permission.group.clone(),
            resources: vec![permission.resource.clone()],
            names: permission.name.iter().cloned().collect(),
            verbs: vec![permission.verb],
        }
    }

    fn is_about(&self, permission: &Permission) -> bool {
        self.group == permission.group
            && self.resources.contains(&permission.resource)
            && self.names.iter().eq(&permission.name)
    }

    fn differs_by_resource(&self, other: &Self) -> bool {
        (&self.group, &self.names, &self.verbs) == (&other.group, &other.names, &other.verbs)
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts = manifest::parts(self).map(|(key, values)| format!("{key}: {values}"));
        write!(f, "{{{}}}", parts.collect::<Vec<_>>().join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{config::Sources, kinds};

    /// What is needed to watch these in these namespaces.
    fn to_watch(resources: &str, namespaces: &str) -> Vec<Permission> {
        let flags = [("watch.resources", resources), ("watch.namespaces", namespaces)];
        let flags = flags.map(|(key, value)| (key.to_owned(), value.to_owned())).to_vec();
        let sources = Sources { flags, ..Sources::default() };
        needed(&sources.load().expect("settings").settings)
    }

    fn lines(rules: &[Rule]) -> Vec<String> {
        rules.iter().map(Rule::to_string).collect()
    }

    #[test]
    fn a_group_is_one_rule() {
        let needed = to_watch("jobs,pods,example.com/v1/widgets,secrets,batch/v1/cronjobs", "");
        assert_eq!(
            lines(&rules(&needed)),
            [
                "{apiGroups: [batch], resources: [jobs, cronjobs], verbs: [list, watch]}",
                r#"{apiGroups: [""], resources: [pods, secrets], verbs: [list, watch]}"#,
                "{apiGroups: [example.com], resources: [widgets], verbs: [list, watch]}",
            ]
        );
    }

    #[test]
    fn what_differs_in_verbs_or_names_stays_apart() {
        let needed = to_watch("pods,events,leases", "");
        let lease = |verb, name: &str| Permission {
            verb,
            name: Some(name.into()),
            ..needed.last().expect("a lease").clone()
        };
        let some = [&needed[0], &needed[2], &needed[3], &needed[0]];
        let leases = [lease(Verb::Get, "kubetally"), lease(Verb::Patch, "kubetally")];
        assert_eq!(
            lines(&rules(some.into_iter().chain(&leases))),
            [
                r#"{apiGroups: [""], resources: [pods], verbs: [list]}"#,
                r#"{apiGroups: [""], resources: [events], verbs: [list, watch]}"#,
                "{apiGroups: [coordination.k8s.io], resources: [leases], \
                 resourceNames: [kubetally], verbs: [get, patch]}",
            ]
        );
    }

    #[test]
    fn namespaces_are_for_what_is_in_them() {
        let needed = to_watch("pods,nodes", "shop,billing");
        let shown: Vec<_> =
            needed.iter().map(|p| (p.verb, &*p.resource, p.namespace.as_deref())).collect();
        let expected = [
            (Verb::List, "pods", Some("billing")),
            (Verb::Watch, "pods", Some("billing")),
            (Verb::List, "pods", Some("shop")),
            (Verb::Watch, "pods", Some("shop")),
            (Verb::List, "nodes", None),
            (Verb::Watch, "nodes", None),
        ];
        assert_eq!(shown, expected);
    }

    #[test]
    fn a_canary_has_its_lease() {
        let flags = [("watch.resources", "pods"), ("canary.namespace", "nest")];
        let flags = flags.map(|(key, value)| (key.to_owned(), value.to_owned())).to_vec();
        let sources = Sources { flags, ..Sources::default() };
        let needed = needed(&sources.load().expect("settings").settings);
        let nest = needed.iter().filter(|needed| needed.namespace.as_deref() == Some("nest"));
        assert_eq!(
            lines(&rules(nest)),
            [
                "{apiGroups: [coordination.k8s.io], resources: [leases], \
                 resourceNames: [kubetally-canary], verbs: [patch, watch]}",
                "{apiGroups: [coordination.k8s.io], resources: [leases], verbs: [create]}",
            ]
        );
    }

    #[test]
    fn every_kind_has_its_right() {
        let all: Vec<_> = kinds::TABLE.iter().map(|resource| &*resource.name).collect();
        assert_eq!(to_watch(&all.join(","), "").len(), 2 * all.len());
    }
}
