//! Events: what the cluster tells, how often it really happened, and how late it came.

use crate::{
    dashboard::{Dashboard, Row, row},
    panel::{Panel, bars, graph, heatmap, stat, table},
};

pub fn dashboard() -> Dashboard {
    Dashboard {
        name: "events",
        title: "Events",
        about: "What the cluster's events tell: occurrences, however many event objects their \
                recorders made of them. The namespace chosen is that of warnings by namespace; \
                reasons are those of all namespaces.",
        rows: vec![now(), reasons(), lag(), counting()],
    }
}

fn now() -> Row {
    row("How much happens?", [
        stat("Warnings", "Occurrences of Warning events in the time shown.")
            .size(6, 4)
            .whole()
            .steps("text", &[])
            .query(
                "warnings",
                "sum(increase(kubetally_event_occurrences_total{@, type=\"Warning\"}[$__range]))",
            ),
        stat("In the namespaces chosen", "Occurrences of Warning events in them.")
            .size(6, 4)
            .whole()
            .steps("text", &[])
            .query("warnings", "sum(increase(kubetally_event_warnings_total{@ns}[$__range]))"),
        stat("All", "Occurrences of events of any type in the time shown.")
            .size(6, 4)
            .whole()
            .steps("text", &[])
            .query("events", "sum(increase(kubetally_event_occurrences_total{@}[$__range]))"),
        stat("Event objects", "Event objects held; the API server keeps one for an hour.")
            .size(6, 4)
            .steps("text", &[])
            .query("event objects", "sum(kubetally_objects{@, resource=\"events\"})"),
    ])
}

fn reasons() -> Row {
    let rate = |label: &str, about: &str, of: &str, title: &str| -> Panel {
        graph(title, about).size(12, 8).per_minute().stacked().query(
            &format!("{{{{{label}}}}}"),
            &format!("topk(10, 60 * sum by ({label}) (rate({of}[$__rate_interval])))"),
        )
    };
    let warnings = "kubetally_event_occurrences_total{@, type=\"Warning\"}";
    row(
        "Warnings",
        [
            rate("reason", "Occurrences a minute, the ten most frequent.", warnings, "By reason"),
            rate(
                "namespace",
                "Occurrences a minute in the namespaces chosen, the ten with most of them.",
                "kubetally_event_warnings_total{@ns}",
                "By namespace",
            ),
            rate("kind", "Occurrences a minute, by the kind of the object.", warnings, "By kind"),
            graph("By type", "Occurrences a minute of events of every type.")
                .size(12, 8)
                .per_minute()
                .colors(&[("Warning", "orange"), ("Normal", "blue")])
                .query(
                    "{{type}}",
                    "60 * sum by (type) \
                     (rate(kubetally_event_occurrences_total{@}[$__rate_interval]))",
                ),
            table(
                "What happened",
                "Occurrences in the time shown, the fifty most frequent reasons.",
            )
            .size(16, 10)
            .whole()
            .query(
                "",
                "topk(50, sum by (type, kind, reason) \
                 (increase(kubetally_event_occurrences_total{@}[$__range])))",
            )
            .columns(&[
                ("type", "Type"),
                ("kind", "Kind"),
                ("reason", "Reason"),
                ("Value", "Occurrences"),
            ])
            .sorted_by("Occurrences"),
            bars("Namespaces with most warnings", "Occurrences in the time shown.")
                .size(8, 10)
                .whole()
                .steps("orange", &[])
                .query(
                    "{{namespace}}",
                    "topk(15, sum by (namespace) \
                     (increase(kubetally_event_warnings_total{@ns}[$__range])))",
                ),
        ],
    )
}

fn lag() -> Row {
    row("How late they come", [
        heatmap(
            "From occurrence to receipt",
            "How many events took how long from their last occurrence, by the server's clock, to \
             their receipt. Recorders gather what repeats.",
        )
        .size(12, 8)
        .query(
            "{{le}}",
            "sum by (le) (increase(kubetally_event_lag_seconds_bucket{@}[$__rate_interval]))",
        ),
        graph("Quantiles", "Half of them came sooner than p50, all but one in a hundred than p99.")
            .size(12, 8)
            .unit("s")
            .query(
                "p50 {{type}}",
                "histogram_quantile(0.50, sum by (le, type) \
                 (rate(kubetally_event_lag_seconds_bucket{@}[$__rate_interval])))",
            )
            .query(
                "p99 {{type}}",
                "histogram_quantile(0.99, sum by (le, type) \
                 (rate(kubetally_event_lag_seconds_bucket{@}[$__rate_interval])))",
            ),
    ])
}

fn counting() -> Row {
    row(
        "How they are counted",
        [
            graph(
                "Event objects received",
                "Event objects a minute, by how: new, changed, gone, or listed again.",
            )
            .per_minute()
            .query(
                "{{op}}",
                "60 * sum by (op) (rate(kubetally_event_observations_total{@}[$__rate_interval]))",
            ),
            graph(
                "Counted nothing",
                "Event objects a minute that counted nothing: those of the first list, what was \
                 known, and what counted less than before.",
            )
            .per_minute()
            .query(
                "{{cause}}",
                "60 * sum by (cause) \
                 (rate(kubetally_event_suppressed_total{@}[$__rate_interval]))",
            ),
            graph(
                "Beyond the caps",
                "Observations a minute shown as _other, because a cap on label values was \
                 reached: docs/configuration.md says how to raise it.",
            )
            .per_minute()
            .query(
                "{{metric}}",
                "60 * sum by (metric) (rate(kubetally_label_overflow_total{@, \
                 metric=~\"kubetally_event_.+\"}[$__rate_interval]))",
            ),
        ],
    )
}
