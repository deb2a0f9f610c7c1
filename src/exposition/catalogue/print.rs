//! The catalogue for people and programs: `kubetally metrics`, `docs/metrics.md`.

use std::fmt::Write;

use serde_json::json;

use super::{ALL, Stability};
use crate::{config::settings::Caps, exposition::detail::Family};

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

/// The per-object families of a resource: its plural and the families.
pub type Detailed = (&'static str, &'static [Family]);

/// The catalogue, with the bounds that these caps and so many watched resources give, and the
/// per-object families.
#[must_use]
pub fn print(form: Form, caps: &Caps, resources: usize, detailed: &[Detailed]) -> String {
    match form {
        Form::Text => text(caps, resources, detailed),
        Form::Json => json(caps, resources, detailed),
        Form::Markdown => markdown(caps, resources, detailed),
    }
}

fn total(caps: &Caps, resources: usize) -> usize {
    ALL.iter().map(|metric| metric.bound(caps, resources)).sum()
}

const fn stability(stability: Stability) -> &'static str {
    match stability {
        Stability::Stable => "stable",
        Stability::Experimental => "experimental",
    }
}

/// Of a per-object family: how long it can be relied on, and whether it has to be asked for.
fn standing(family: &Family) -> String {
    let opt_in = if family.opt_in { ", opt-in" } else { "" };
    format!("{}{opt_in}", stability(family.stability))
}

fn text(caps: &Caps, resources: usize, detailed: &[Detailed]) -> String {
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
            stability(metric.stability),
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
    for (resource, families) in detailed {
        writeln!(out, "\nA series an object, with --detail {resource}:\n").unwrap_or_default();
        for family in *families {
            let (name, kind) = (family.name, family.kind());
            let standing = standing(family);
            writeln!(out, "{name}\n    {kind}, {standing}\n    {}\n", family.help)
                .unwrap_or_default();
        }
    }
    out
}

fn json(caps: &Caps, resources: usize, detailed: &[Detailed]) -> String {
    let metrics: Vec<_> = ALL
        .iter()
        .map(|metric| {
            json!({
                "name": metric.name,
                "type": metric.kind.as_str(),
                "labels": metric.label_names(),
                "buckets": metric.kind.buckets(),
                "max_series": metric.bound(caps, resources),
                "stability": stability(metric.stability),
                "help": metric.help,
            })
        })
        .collect();
    let families = detailed.iter().flat_map(|(resource, families)| {
        families.iter().map(move |family| {
            json!({
                "name": family.name,
                "type": family.kind(),
                "resource": resource,
                "stability": stability(family.stability),
                "opt_in": family.opt_in,
                "help": family.help,
            })
        })
    });
    let details: Vec<_> = families.collect();
    let total = total(caps, resources);
    format!("{:#}\n", json!({"metrics": metrics, "max_series": total, "details": details}))
}

fn markdown(caps: &Caps, resources: usize, detailed: &[Detailed]) -> String {
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
            stability(metric.stability),
            metric.help,
        )
        .unwrap_or_default();
    }
    if !detailed.is_empty() {
        out.push_str(
            "\n## A series an object\n\n\
             With `--detail`, for as many objects as there are; names, labels and values are those \
             of kube-state-metrics. Families marked opt-in are shown where `--detail-opt-in` names \
             them.\n\n\
             | name | type | resource | stability | what |\n\
             | --- | --- | --- | --- | --- |\n",
        );
    }
    for (resource, families) in detailed {
        for family in *families {
            writeln!(
                out,
                "| `{}` | {} | {resource} | {} | {} |",
                family.name,
                family.kind(),
                standing(family),
                family.help,
            )
            .unwrap_or_default();
        }
    }
    out
}
