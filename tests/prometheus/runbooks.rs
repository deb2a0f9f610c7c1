//! The runbooks: a section for each alert, with queries to look at and steps to take.

use std::collections::BTreeSet;

use crate::{Test, alerts::alerts, read};

pub const TESTS: &[(&str, Test)] = &[
    ("each_alert_has_a_runbook", each_alert_has_a_runbook),
    ("runbooks_say_what_to_ask_and_what_to_do", runbooks_say_what_to_ask_and_what_to_do),
];

/// What to do when an alert fires.
pub struct Section {
    /// The alert.
    pub title: String,
    /// In PromQL.
    pub queries: Vec<String>,
    text: String,
}

/// The sections, in their order.
///
/// # Panics
/// Where they cannot be read.
pub fn sections() -> Vec<Section> {
    let page = read("docs/runbooks.md");
    let section = |text: &str| {
        let (title, text) = text.split_once('\n').expect("a title and a text");
        let blocks = text.split("```promql\n").skip(1).filter_map(|rest| rest.split("```").next());
        let queries = blocks.flat_map(|block| block.split("\n\n")).map(uncommented).collect();
        Section { title: title.to_owned(), queries, text: text.to_owned() }
    };
    page.split("\n## ").skip(1).map(section).collect()
}

fn uncommented(query: &str) -> String {
    let lines = query.lines().filter(|line| !line.starts_with('#'));
    lines.collect::<Vec<_>>().join("\n")
}

fn each_alert_has_a_runbook() {
    let alerts: BTreeSet<_> = alerts().into_iter().map(|alert| alert.name).collect();
    let sections: Vec<_> = sections().into_iter().map(|section| section.title).collect();
    assert_eq!(sections.iter().cloned().collect::<BTreeSet<_>>(), alerts);
    assert_eq!(sections.len(), alerts.len(), "a section twice");
}

fn runbooks_say_what_to_ask_and_what_to_do() {
    for Section { title, queries, text } in sections() {
        let meaning = text.trim_start().split("\n\n").next().unwrap_or_default();
        let words = meaning.starts_with(char::is_uppercase) && meaning.ends_with('.');
        assert!(words && meaning.len() > 80, "{title} does not say what it means");
        assert!(queries.iter().all(|query| !query.trim().is_empty()), "{title}: an empty query");
        assert!(!queries.is_empty(), "{title} has no query");
        assert!(text.contains("\n1. "), "{title} does not say what to do");
    }
}
