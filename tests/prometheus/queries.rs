//! What the dashboards ask for: that it is what the variables choose, over the right range of time,
//! named by labels that are left, and that every family is shown somewhere.

use std::collections::BTreeSet;

use kubetally::exposition::catalogue;

use crate::{
    Test,
    dashboard::{Dashboard, Target},
    names::family,
    promql,
};

pub const TESTS: &[(&str, Test)] = &[
    ("queries_ask_for_what_the_variables_choose", queries_ask_for_what_the_variables_choose),
    ("queries_take_rates_of_counters", queries_take_rates_of_counters),
    ("legends_name_labels_that_are_left", legends_name_labels_that_are_left),
    ("every_family_is_shown", every_family_is_shown),
];

fn queries_ask_for_what_the_variables_choose() {
    let all = Dashboard::all();
    for (at, expr) in all.iter().flat_map(Dashboard::queries) {
        for selector in promql::names(expr).selectors {
            let chosen = |label: &str| {
                let value = format!("${label}");
                let by = |m: &promql::Matcher| m.label == label && m.operator == "=~";
                selector.matchers.iter().any(|m| by(m) && m.value == value)
            };
            let metric = &selector.metric;
            assert!(chosen("cluster"), "{at}: {metric} of any cluster");
            // Alerts are of Kubetally by their names.
            assert!(chosen("job"), "{at}: {metric} of any job");
            let namespaced =
                family(metric).is_some_and(|family| family.label_names().contains(&"namespace"));
            assert_eq!(namespaced, chosen("namespace"), "{at}: {metric}");
        }
    }
}

/// As Grafana's linter wants them: a rate over `$__rate_interval`, what grew also over the time
/// shown, nothing else over a range but what changed, and of a counter nothing else.
fn queries_take_rates_of_counters() {
    let all = Dashboard::all();
    for (at, expr) in all.iter().flat_map(Dashboard::queries) {
        let names = promql::names(expr);
        for range in &names.ranges {
            let known = ["$__rate_interval", "$__range"].contains(&range.as_str());
            assert!(known, "{at}: a range of {range}");
        }
        let rates = expr.matches("rate(").count() + expr.matches("increase(").count();
        let changes = expr.matches("changes(").count();
        assert_eq!(rates + changes, expr.matches('[').count(), "{at}: {expr}");
        let counters = names.selectors.iter().filter(|s| s.metric.ends_with("_total"));
        assert!(counters.count() <= rates, "{at}: a counter as it is: {expr}");
        for part in expr.split("rate(").skip(1) {
            let range = part.split_once('[').and_then(|(_, rest)| rest.split_once(']'));
            assert_eq!(range.map(|(range, _)| range), Some("$__rate_interval"), "{at}: {expr}");
        }
    }
}

fn legends_name_labels_that_are_left() {
    for dashboard in Dashboard::all() {
        for panel in dashboard.shown() {
            for Target { expr, format, legend_format, .. } in &panel.targets {
                let at = format!("{}: {}: {expr}", dashboard.name, panel.title);
                let left = promql::names(expr).grouping;
                let labels = legend_format.split("{{").skip(1).map(|part| part.split("}}").next());
                let named: BTreeSet<_> =
                    labels.flatten().map(|label| label.trim().to_owned()).collect();
                match format.as_str() {
                    // Its labels are columns.
                    "table" => assert_eq!(legend_format, "", "{at}"),
                    "heatmap" => {
                        assert_eq!((named, legend_format.as_str()), (left, "{{le}}"), "{at}")
                    }
                    _ if panel.title == "Verdict" => assert!(named.is_empty(), "{at}"),
                    _ => {
                        let left = left.into_iter().filter(|label| label != "le").collect();
                        assert_eq!(named, left, "{at}");
                    }
                }
            }
        }
    }
}

fn every_family_is_shown() {
    // What somebody may look for, and nobody needs to look at.
    const NOT_SHOWN: [&str; 5] = [
        "kubetally_config_reloads_total",
        "process_virtual_memory_bytes",
        "process_open_fds",
        "process_max_fds",
        "process_threads",
    ];
    let all = Dashboard::all();
    let shown: BTreeSet<_> = all
        .iter()
        .flat_map(Dashboard::queries)
        .flat_map(|(_, expr)| promql::names(expr).selectors)
        .filter_map(|selector| Some(family(&selector.metric)?.name))
        .collect();
    let declared = catalogue::ALL.iter().map(|family| family.name);
    let missing: Vec<_> = declared.filter(|name| !shown.contains(name)).collect();
    assert_eq!(missing, NOT_SHOWN);
}
