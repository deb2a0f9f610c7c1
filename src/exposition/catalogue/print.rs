//! The catalogue for people and programs: `kubetally metrics`, `docs/metrics.md`.

use std::fmt::Write;

use serde_json::json;

use super::{ALL, Metric, Stability};
use crate::config::settings::Caps;

/// In which form the catalogue is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Form {
    /// Columns for a terminal.
    Text,
    /// For programs.
    Json,
    /// A table, as in `docs/metrics.md`.
    Markdown,
}

/// The catalogue, with the bounds that these caps and so many watched resources give.
#[must_use]
pub fn print(form: Form, caps: &Caps, resources: usize) -> String {
    match form {
        Form::Text => text(caps, resources),
        Form::Json => json(caps, resources),
        Form::Markdown => markdown(caps, resources),
    }
}

fn total(caps: &Caps, resources: usize) -> usize {
    ALL.iter().map(|metric| metric.bound(caps, resources)).sum()
}

const fn stability(metric: &Metric) -> &'static str {
    match metric.stability {
        Stability::Stable => "stable",
        Stability::Experimental => "experimental",
    }
}

fn text(caps: &Caps, resources: usize) -> String {
    let mut out = String::new();
    for metric in ALL {
        let labels = match metric.labels {
            [] => String::new(),
            _ => format!("{{{}}}", metric.label_names().join(",")),
        };
        // Writing to a String cannot fail.
        writeln!(
            out,
            "{}{labels}\n    {}, {}, at most {} series\n    {}\n",
            metric.name,
            metric.kind.as_str(),
            stability(metric),
            metric.bound(caps, resources),
            metric.help,
        )
        .unwrap_or_default();
    }
    let Caps { namespaces, reasons, nodes } = caps;
    writeln!(
        out,
        "{} families, at most {} series with {resources} resources and caps of {namespaces} \
         namespaces, {reasons} reasons and {nodes} nodes.",
        ALL.len(),
        total(caps, resources),
    )
    .unwrap_or_default();
    out
}

fn json(caps: &Caps, resources: usize) -> String {
    let metrics: Vec<_> = ALL
        .iter()
        .map(|metric| {
            json!({
                "name": metric.name,
                "type": metric.kind.as_str(),
                "labels": metric.label_names(),
                "buckets": metric.kind.buckets(),
                "max_series": metric.bound(caps, resources),
                "stability": stability(metric),
                "help": metric.help,
            })
        })
        .collect();
    format!("{:#}\n", json!({"metrics": metrics, "max_series": total(caps, resources)}))
}

fn markdown(caps: &Caps, resources: usize) -> String {
    let Caps { namespaces, reasons, nodes } = caps;
    let mut out = format!(
        "# Metrics\n\n\
         This page is what `kubetally metrics --format markdown` prints. A count is absent, not 0, \
         until the first list of its resource is complete. Beyond a cap label values become \
         `_other`, and `kubetally_label_overflow_total` counts how often. The bounds are those of \
         the default caps: {namespaces} namespaces, {reasons} reasons, {nodes} nodes, and \
         {resources} resources: {} series in all, whatever the cluster's size.\n\n\
         | name | type | labels | series at most | stability | what |\n\
         | --- | --- | --- | ---: | --- | --- |\n",
        total(caps, resources)
    );
    for metric in ALL {
        writeln!(
            out,
            "| `{}` | {} | {} | {} | {} | {} |",
            metric.name,
            metric.kind.as_str(),
            metric.label_names().join(", "),
            metric.bound(caps, resources),
            stability(metric),
            metric.help,
        )
        .unwrap_or_default();
    }
    out
}
