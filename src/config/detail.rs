//! Which resources show a series an object, and which of their labels and annotations.

use std::collections::{BTreeMap, BTreeSet};

use fancy_regex::{BytesMode, Regex, RegexBuilder};

use crate::{
    exposition::detail::{
        Extra, Names,
        choice::{Choice, Listed},
    },
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
    /// Which families are shown.
    pub families: Choice,
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
            families: self.families.clone(),
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

/// Reads a list of regular expressions, separated by commas; gives the families that one of them
/// matches. As in kube-state-metrics a match anywhere in the name is enough: `^…$` asks for all of
/// it. `None` where one is no regular expression.
#[must_use]
pub fn families(text: &str) -> Option<Listed> {
    let patterns = text.split(',').map(str::trim).filter(|pattern| !pattern.is_empty());
    let patterns: Vec<Regex> = patterns.map(regex).collect::<Result<_, _>>().ok()?;
    if patterns.is_empty() {
        return Some(None);
    }
    let mut matched = BTreeSet::new();
    for family in detailed().flat_map(|resource| resource.families) {
        for pattern in &patterns {
            // One that takes too many steps is an error.
            if pattern.is_match(family.name.as_bytes()).ok()? {
                matched.insert(family.name);
            }
        }
    }
    Some(Some(matched))
}

/// Names of families are ASCII, and the tables of Unicode are large.
fn regex(pattern: &str) -> Result<Regex, Box<fancy_regex::Error>> {
    let mut builder = RegexBuilder::new(pattern);
    builder.bytes_mode(BytesMode::Ascii).build().map_err(Box::new)
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
    #[case::a_part("kube_pod_status_ready", &["kube_pod_status_ready", "kube_pod_status_ready_time"])]
    #[case::whole("^kube_pod_status_ready$", &["kube_pod_status_ready"])]
    #[case::several(" kube_pod_ips , ^kube_pod_info$ ", &["kube_pod_info", "kube_pod_ips"])]
    #[case::around(
        "^kube_pod_status_(?!.*(ready|reason|time|phase|class))",
        &["kube_pod_status_scheduled", "kube_pod_status_unschedulable"]
    )]
    #[case::other_kinds("kube_poddisruptionbudget_.+", &[])]
    fn families_are_matched(#[case] text: &str, #[case] expected: &[&str]) {
        let found = families(text).expect("regular expressions").expect("a list");
        let found: Vec<_> =
            found.into_iter().filter(|name| name.starts_with("kube_pod_")).collect();
        assert_eq!(found, expected);
    }

    /// Against what the regular expressions of kube-state-metrics match of the same names.
    #[test]
    fn patterns_match_as_those_of_kube_state_metrics() {
        let table = include_str!("../../tests/data/ksm/patterns.tsv");
        assert!(table.lines().count() > 20);
        for line in table.lines() {
            let (pattern, expected) = line.split_once('\t').unwrap_or((line, ""));
            let expected = (expected != "none")
                .then(|| Some(expected.split('\t').filter(|name| !name.is_empty()).collect()));
            assert_eq!(families(pattern), expected, "{pattern}");
        }
    }

    #[rstest]
    #[case("", Some(None))]
    #[case(" , ", Some(None))]
    #[case("kube_pod_(", None)]
    #[case::of_unicode(r"\p{L}_overhead", None)]
    #[case("kube_pod_info,*", None)]
    #[case::endless("^(?:(?=[a-z_])[a-z_]+)+!", None)]
    fn what_is_no_list_of_patterns(#[case] text: &str, #[case] expected: Option<Listed>) {
        assert_eq!(families(text), expected);
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
