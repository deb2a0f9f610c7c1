//! The alerts as a file: that each one tells what it is and what to do, and is tested both ways.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::{Test, read};

pub const RULES: &str = "deploy/monitoring/alerts.yaml";
pub const RULES_TEST: &str = "deploy/monitoring/alerts_test.yaml";

pub const TESTS: &[(&str, Test)] = &[
    ("alerts_say_what_to_do", alerts_say_what_to_do),
    ("alerts_are_tested_both_ways", alerts_are_tested_both_ways),
];

#[derive(Deserialize)]
struct Rules {
    groups: Vec<Group>,
}

#[derive(Deserialize)]
struct Group {
    rules: Vec<Alert>,
}

/// An alert.
#[derive(Deserialize)]
pub struct Alert {
    #[serde(rename = "alert")]
    pub name: String,
    pub expr: String,
    #[serde(rename = "for")]
    _lasting: String,
    labels: BTreeMap<String, String>,
    annotations: BTreeMap<String, String>,
}

/// The alerts that are shipped.
///
/// # Panics
/// Where they cannot be read.
pub fn alerts() -> Vec<Alert> {
    let rules: Rules = serde_saphyr::from_str(&read(RULES)).expect("rules");
    rules.groups.into_iter().flat_map(|group| group.rules).collect()
}

fn alerts_say_what_to_do() {
    let runbooks = read("docs/runbooks.md");
    let alerts = alerts();
    assert!(!alerts.is_empty());
    for alert in &alerts {
        let name = &alert.name;
        let severity = alert.labels.get("severity").map(String::as_str);
        assert!(matches!(severity, Some("critical" | "warning")), "{name}: {severity:?}");
        for part in ["summary", "description"] {
            assert!(alert.annotations[part].ends_with('.'), "{name} has no {part}");
        }
        let runbook = format!("docs/runbooks.md#{}", name.to_lowercase());
        assert_eq!(alert.annotations["runbook_url"], runbook);
        assert!(runbooks.contains(&format!("\n## {name}\n")), "no runbook for {name}");
    }
    assert_eq!(runbooks.matches("\n## ").count(), alerts.len(), "a runbook without its alert");
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
        exp_alerts: Vec<serde_json::Value>,
    }
    let suite: Suite = serde_saphyr::from_str(&read(RULES_TEST)).expect("tests of rules");
    let expectations: Vec<_> = suite.tests.iter().flat_map(|case| &case.alert_rule_test).collect();
    for alert in alerts() {
        for fires in [true, false] {
            let tested =
                |e: &&Expectation| e.alertname == alert.name && e.exp_alerts.is_empty() != fires;
            assert!(expectations.iter().any(tested), "{}: no case, fires = {fires}", alert.name);
        }
    }
}
