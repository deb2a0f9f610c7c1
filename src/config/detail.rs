//! Which resources show a series an object, and which of their labels and annotations.

use std::collections::BTreeMap;

use crate::{
    exposition::detail::{Extra, Names},
    kinds::{self, Resource},
};

/// Stands for every resource.
const ALL: &str = "*";

/// The per-object series that are shown.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Detail {
    /// The plurals of the resources.
    pub resources: Vec<&'static str>,
    /// What of labels is shown.
    pub labels: Allowed,
    /// What of annotations is shown.
    pub annotations: Allowed,
}

/// Names of labels or annotations by resource.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Allowed(BTreeMap<String, Names>);

impl Detail {
    /// What a resource shows beside its families; `None` where it shows no series an object.
    #[must_use]
    pub fn of(&self, resource: &str) -> Option<Extra> {
        self.resources.contains(&resource).then(|| Extra {
            labels: self.labels.of(resource),
            annotations: self.annotations.of(resource),
        })
    }
}

impl Allowed {
    /// Reads `pods=[app,team],namespaces=[*]`, or `*=[*]` for every resource, as
    /// kube-state-metrics has it; `None` where it is no such thing.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut allowed = BTreeMap::new();
        let mut rest = text.trim();
        while !rest.is_empty() {
            let (resource, after) = rest.split_once("=[")?;
            let (names, after) = after.split_once(']')?;
            let resource = resource.trim();
            if resource != ALL && !detailed().any(|known| known.name == resource) {
                return None;
            }
            allowed.insert(resource.to_owned(), parse_names(names));
            rest = after.trim_start();
            rest = match rest.strip_prefix(',') {
                Some(after) if !after.trim().is_empty() => after.trim_start(),
                None if rest.is_empty() => rest,
                _ => return None,
            };
        }
        Some(Self(allowed))
    }

    fn of(&self, resource: &str) -> Names {
        self.0.get(resource).or_else(|| self.0.get(ALL)).cloned().unwrap_or_default()
    }
}

fn parse_names(names: &str) -> Names {
    let names: Vec<String> = names
        .split(',')
        .map(|name| name.trim().to_owned())
        .filter(|name| !name.is_empty())
        .collect();
    match names.as_slice() {
        [] => Names::None,
        names if names.iter().any(|name| name == ALL) => Names::All,
        _ => Names::Some(names),
    }
}

/// Reads a list of resources that have a series an object, or `all`.
#[must_use]
pub fn resources(text: &str) -> Option<Vec<&'static str>> {
    if text == "all" {
        return Some(detailed().map(|resource| &*resource.name).collect());
    }
    let names = text.split(',').map(str::trim).filter(|name| !name.is_empty());
    names
        .map(|name| detailed().find(|known| known.name == name).map(|known| &*known.name))
        .collect()
}

fn detailed() -> impl Iterator<Item = &'static Resource> {
    kinds::TABLE.iter().filter(|resource| !resource.families.is_empty())
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("", "pods", Names::None)]
    #[case("pods=[app, team]", "pods", Names::Some(vec!["app".into(), "team".into()]))]
    #[case("pods=[*]", "pods", Names::All)]
    #[case("*=[*]", "pods", Names::All)]
    #[case("*=[app],pods=[]", "pods", Names::None)]
    #[case(" pods=[app] , *=[x.io/y] ", "others", Names::Some(vec!["x.io/y".into()]))]
    fn allows(#[case] text: &str, #[case] resource: &str, #[case] expected: Names) {
        assert_eq!(Allowed::parse(text).expect("a list").of(resource), expected);
    }

    #[rstest]
    #[case("pods")]
    #[case("pods=app")]
    #[case("pods=[app")]
    #[case("pods=[app],")]
    #[case("pods=[app]namespaces=[x]")]
    #[case("podz=[app]")]
    fn refuses(#[case] text: &str) {
        assert_eq!(Allowed::parse(text), None);
    }
}
