//! The rules as files: that each alert tells what it is and what to do, and is tested both ways.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, de::DeserializeOwned};

use crate::{Test, file, read};

pub const TESTS: &[(&str, Test)] = &[
    ("alerts_say_what_they_are", alerts_say_what_they_are),
    ("alerts_are_tested_both_ways", alerts_are_tested_both_ways),
    ("what_is_recorded_is_named_by_convention", what_is_recorded_is_named_by_convention),
];

/// The files of rules, as a Prometheus loads them.
pub const RULES: [&str; 2] = [ALERTS, RECORDING];
const ALERTS: &str = "deploy/monitoring/alerts.yaml";
const RECORDING: &str = "deploy/monitoring/recording.yaml";
/// The folder of their cases.
const CASES: &str = "deploy/monitoring/tests";

#[derive(Deserialize)]
struct Rules<R> {
    groups: Vec<Group<R>>,
}

#[derive(Deserialize)]
struct Group<R> {
    rules: Vec<R>,
}

/// An alert.
#[derive(Deserialize)]
pub struct Alert {
    #[serde(rename = "alert")]
    pub name: String,
    pub expr: String,
    pub labels: BTreeMap<String, String>,
    pub annotations: BTreeMap<String, String>,
}

/// A series that is recorded.
#[derive(Deserialize)]
pub struct Recorded {
    #[serde(rename = "record")]
    pub name: String,
    pub expr: String,
}

/// The alerts that are shipped. Several may share a name, and differ in a label.
///
/// # Panics
/// Where they cannot be read.
pub fn alerts() -> Vec<Alert> {
    rules(ALERTS)
}

/// What is recorded for them.
///
/// # Panics
/// Where it cannot be read.
pub fn recorded() -> Vec<Recorded> {
    rules(RECORDING)
}

fn rules<R: DeserializeOwned>(path: &str) -> Vec<R> {
    let rules: Rules<R> = serde_saphyr::from_str(&read(path)).expect("rules");
    rules.groups.into_iter().flat_map(|group| group.rules).collect()
}

/// The files of cases, by their paths in the project.
///
/// # Panics
/// Where the folder cannot be read.
pub fn cases() -> Vec<String> {
    let entries = file(CASES).read_dir().expect("a folder");
    let name = |entry: std::io::Result<std::fs::DirEntry>| {
        format!("{CASES}/{}", entry.expect("an entry").file_name().display())
    };
    entries.map(name).collect()
}

fn alerts_say_what_they_are() {
    let alerts = alerts();
    assert!(!alerts.is_empty());
    for Alert { name, labels, annotations, .. } in &alerts {
        let severity = labels.get("severity").map(String::as_str);
        assert!(matches!(severity, Some("critical" | "warning" | "info")), "{name}: {severity:?}");
        for part in ["summary", "description"] {
            assert!(annotations[part].ends_with('.'), "{name} has no {part}");
        }
        let runbook = format!("docs/runbooks.md#{}", name.to_lowercase());
        assert_eq!(annotations["runbook_url"], runbook);
    }
}

fn alerts_are_tested_both_ways() {
    #[derive(Deserialize)]
    struct Suite {
        tests: Vec<Case>,
    }
    #[derive(Deserialize)]
    struct Case {
        alert_rule_test: Vec<Expectation>,
    }
    #[derive(Deserialize)]
    struct Expectation {
        alertname: String,
        #[serde(default)]
        exp_alerts: Vec<Fired>,
    }
    #[derive(Deserialize)]
    struct Fired {
        exp_labels: BTreeMap<String, String>,
    }
    let suites = cases().into_iter().map(|path| serde_saphyr::from_str(&read(&path)));
    let suites: Vec<Suite> = suites.collect::<Result<_, _>>().expect("cases");
    let cases = suites.iter().flat_map(|suite| &suite.tests);
    let expectations: Vec<_> = cases.flat_map(|case| &case.alert_rule_test).collect();
    for Alert { name, labels, .. } in alerts() {
        let this = |fired: &Fired| labels.iter().all(|l| fired.exp_labels.get(l.0) == Some(l.1));
        let of_it = expectations.iter().filter(|expectation| expectation.alertname == name);
        let outcomes: BTreeSet<_> = of_it.map(|of| of.exp_alerts.iter().any(this)).collect();
        assert_eq!(outcomes, [false, true].into(), "{name} {labels:?}: fires in its cases");
    }
}

/// As `level:metric:operations` (Prometheus, "Recording rules"), and for an alert.
fn what_is_recorded_is_named_by_convention() {
    let alerts = alerts();
    for Recorded { name, expr } in recorded() {
        let [_, metric, _] = name.split(':').collect::<Vec<_>>()[..] else {
            panic!("{name} is not level:metric:operations")
        };
        let base = metric.trim_end_matches("_errors");
        assert!(expr.contains(base), "{name} is not of {metric}");
        assert!(alerts.iter().any(|alert| alert.expr.contains(&name)), "nobody asks for {name}");
    }
}
