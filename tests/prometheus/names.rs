//! Everything that the dashboards, the rules and the runbooks name is declared in the catalogue:
//! metrics, their labels, and the values of labels that have a fixed set of them.

use std::collections::BTreeSet;

use kubetally::{
    exposition::catalogue::{self, Label, Metric, Type, Values},
    kinds,
};

use crate::{
    Test,
    alerts::{alerts, recorded},
    dashboard::Dashboard,
    promql::{Matcher, Names, Selector, names},
    runbooks::sections,
};

pub const TESTS: &[(&str, Test)] = &[
    ("dashboards_name_what_is_declared", dashboards_name_what_is_declared),
    ("rules_name_what_is_declared", rules_name_what_is_declared),
    ("runbooks_name_what_is_declared", runbooks_name_what_is_declared),
    ("undeclared_names_are_noticed", undeclared_names_are_noticed),
];

/// The labels that Prometheus gives a target.
const TARGET: [&str; 4] = ["cluster", "job", "instance", "pod"];
/// What Prometheus makes itself, with its labels; of alerts, those that several of them have.
const OWN: [(&str, &[&str]); 2] =
    [("up", &[]), ("ALERTS", &["alertname", "alertstate", "severity", "namespace", "resource"])];

fn dashboards_name_what_is_declared() {
    for dashboard in Dashboard::all() {
        for (at, expression) in dashboard.queries() {
            check(expression).unwrap_or_else(|wrong| panic!("{at}: {wrong}"));
        }
        for variable in dashboard.queried() {
            let (selector, label) = label_values(&variable.definition);
            // A label that is asked for is one that the series could be grouped by.
            let expression = format!("sum by ({label}) ({selector})");
            check(&expression).unwrap_or_else(|wrong| panic!("{}: {wrong}", dashboard.name));
        }
    }
}

fn rules_name_what_is_declared() {
    for alert in alerts() {
        check(&alert.expr).unwrap_or_else(|wrong| panic!("{}: {wrong}", alert.name));
    }
    for rule in recorded() {
        check(&rule.expr).unwrap_or_else(|wrong| panic!("{}: {wrong}", rule.name));
    }
}

fn runbooks_name_what_is_declared() {
    for section in sections() {
        for query in &section.queries {
            check(query).unwrap_or_else(|wrong| panic!("{}: {wrong}", section.title));
        }
    }
}

/// The two parts of `label_values(selector, label)`.
///
/// # Panics
/// Where it is not of this form.
pub fn label_values(query: &str) -> (&str, &str) {
    let inner = query.strip_prefix("label_values(").and_then(|rest| rest.strip_suffix(')'));
    let parts = inner.and_then(|inner| inner.rsplit_once(','));
    let (selector, label) = parts.unwrap_or_else(|| panic!("no label_values: {query}"));
    (selector.trim(), label.trim())
}

fn check(expression: &str) -> Result<(), String> {
    let names = names(expression);
    let mut known: BTreeSet<&str> = TARGET.into();
    for selector in &names.selectors {
        let labels = declared(selector).ok_or(format!("no metric {}", selector.metric))?;
        for matcher in &selector.matchers {
            match_is_possible(matcher, &labels)
                .map_err(|wrong| format!("{}: {wrong}", selector.metric))?;
        }
        known.extend(labels.iter().map(|label| label.name));
    }
    match names.grouping.iter().find(|label| !known.contains(label.as_str())) {
        Some(label) => Err(format!("no label {label} to group by in {expression}")),
        None => Ok(()),
    }
}

/// The labels of what a selector selects.
fn declared(selector: &Selector) -> Option<Vec<Label>> {
    let any = |name: &&'static str| Label { name, values: Values::One };
    if let Some((_, labels)) = OWN.iter().find(|(name, _)| *name == selector.metric) {
        return Some(labels.iter().map(any).collect());
    }
    if let Some(rule) = recorded().into_iter().find(|rule| rule.name == selector.metric) {
        // Those that it groups by are left.
        let Names { selectors, grouping, .. } = names(&rule.expr);
        let labels = selectors.iter().filter_map(declared).flatten();
        return Some(labels.filter(|label| grouping.contains(label.name)).collect());
    }
    let mut labels = family(&selector.metric)?.labels.to_vec();
    if selector.metric.ends_with("_bucket") {
        labels.push(any(&"le"));
    }
    Some(labels)
}

/// The declared family that the series of this name are of.
pub fn family(series: &str) -> Option<&'static Metric> {
    let family = catalogue::ALL.iter().find(|metric| {
        let suffix = series.strip_prefix(metric.name);
        match metric.kind {
            Type::Histogram(_) => matches!(suffix, Some("_bucket" | "_sum" | "_count")),
            Type::Gauge | Type::Counter => suffix == Some(""),
        }
    });
    family.copied()
}

fn match_is_possible(matcher: &Matcher, labels: &[Label]) -> Result<(), String> {
    let Matcher { label: name, operator, value } = matcher;
    if TARGET.contains(&name.as_str()) {
        return Ok(());
    }
    let label = labels.iter().find(|label| label.name == name).ok_or(format!("no label {name}"))?;
    // A regular expression is looked into where it lists values and does nothing else.
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-|".contains(c);
    let literal = operator == "=" || operator == "!=" || value.chars().all(plain);
    let never = value.split('|').find(|value| match label.values {
        Values::Fixed(values) => !values.contains(value),
        Values::Resources => kinds::find(value).is_none(),
        _ => false,
    });
    match never {
        Some(never) if literal => Err(format!("{name} is never {never}")),
        _ => Ok(()),
    }
}

fn undeclared_names_are_noticed() {
    for (expression, wrong) in [
        ("kubetally_pod", "no metric kubetally_pod"),
        ("rate(kubetally_event_lag_seconds[5m])", "no metric kubetally_event_lag_seconds"),
        ("kubetally_pods_bucket", "no metric kubetally_pods_bucket"),
        (r#"kubetally_pods{node="a"}"#, "kubetally_pods: no label node"),
        (r#"kubetally_pods{phase="running"}"#, "kubetally_pods: phase is never running"),
        (r#"kubetally_pods{phase=~"Running|Fail"}"#, "kubetally_pods: phase is never Fail"),
        (r#"kubetally_objects{resource!="event"}"#, "kubetally_objects: resource is never event"),
        ("namespace:kubetally_pods:sum", "no metric namespace:kubetally_pods:sum"),
        (
            "sum by (node) (kubetally_pods)",
            "no label node to group by in sum by (node) (kubetally_pods)",
        ),
    ] {
        assert_eq!(check(expression), Err(wrong.to_owned()), "{expression}");
    }
}
