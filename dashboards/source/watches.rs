//! Watches: whether everything is watched, how fresh it is, and how watches begin and end.

use serde_json::json;

use crate::{
    dashboard::{Dashboard, Row, folded, row},
    panel::{graph, heatmap, stat, table, timeline},
};

pub fn dashboard() -> Dashboard {
    Dashboard {
        name: "watches",
        title: "Watches",
        about: "Whether everything is watched and how fresh it is; how lists and watches begin, \
                end and begin anew.",
        rows: vec![fresh(), open(), lags(), lists(), stream(), shards(), canary()],
    }
}

/// The API server sends a bookmark a minute, and after three minutes Kubetally lists again. Events
/// get no bookmarks.
const SILENCE: [(f64, &str); 2] = [(120.0, "orange"), (180.0, "red")];
const OPEN: [(u32, &str, &str); 2] = [(0, "no", "red"), (1, "yes", "green")];

fn fresh() -> Row {
    row("Is everything watched?", [
        stat("Watched", "Resources with an open watch.")
            .size(4, 4)
            .unit("none")
            .query("watched", "sum(kubetally_watch_connected{@})"),
        stat("Not watched", "Resources without one: their counts are as they were, or absent.")
            .size(4, 4)
            .unit("none")
            .steps("green", &[(1.0, "orange")])
            .query(
                "not watched",
                "count(kubetally_watch_connected{@}) - sum(kubetally_watch_connected{@})",
            ),
        stat(
            "Not listed yet",
            "Resources whose first list is not complete: their counts are absent. One that the \
             account may not read stays so.",
        )
        .size(4, 4)
        .unit("none")
        .steps("green", &[(1.0, "orange")])
        .query("not listed", "count(kubetally_watch_synced{@}) - sum(kubetally_watch_synced{@})"),
        stat(
            "Silent for",
            "Time since the API server last said anything on the watch that has been silent for \
             longest, events apart: it sends a bookmark a minute, and after 3 minutes Kubetally \
             lists again.",
        )
        .size(4, 4)
        .unit("s")
        .steps("green", &SILENCE)
        .query(
            "silent for",
            "max(time() - kubetally_watch_last_activity_timestamp_seconds{@, kind=\"transport\", \
             resource!=\"events\"})",
        ),
        stat(
            "Listed again",
            "Lists made anew in the time shown, but for those after silence, which are normal for \
             events of a quiet cluster.",
        )
        .size(4, 4)
        .whole()
        .steps("green", &[(1.0, "orange")])
        .query(
            "relists",
            "sum(increase(kubetally_watch_relists_total{@, cause!=\"watchdog\"}[$__range]))",
        ),
        stat(
            "Ended badly",
            "Watches in the time shown that ended or could not be opened for another cause than \
             their time, a new token or the end of Kubetally.",
        )
        .size(4, 4)
        .whole()
        .steps("green", &[(1.0, "orange")])
        .query(
            "ended",
            "sum(increase(kubetally_watch_ends_total{@, \
             cause!~\"server_timeout|rotated|shutdown\"}[$__range]))",
        ),
    ])
}

fn open() -> Row {
    row("By resource", [
        table(
            "Resources",
            "Each resource: whether the API server has it, whether its watch is open and its first \
             list complete, how long the API server has been silent on it, and how many objects \
             are held.",
        )
        .size(12, 9)
        .whole()
        .query("", "min by (resource) (kubetally_watch_connected{@})")
        .query("", "min by (resource) (kubetally_watch_synced{@})")
        .query(
            "",
            "max by (resource) (time() - \
             kubetally_watch_last_activity_timestamp_seconds{@, kind=\"transport\"})",
        )
        .query("", "sum by (resource) (kubetally_objects{@})")
        .query("", "sum by (resource) (increase(kubetally_watch_relists_total{@}[$__range]))")
        .query("", "min by (resource) (kubetally_watch_served{@})")
        .columns(&[
            ("resource", "Resource"),
            ("Value #F", "Served"),
            ("Value #A", "Open"),
            ("Value #B", "Listed"),
            ("Value #C", "Silent for"),
            ("Value #D", "Objects"),
            ("Value #E", "Listed again"),
        ])
        .said("Served", &OPEN)
        .said("Open", &OPEN)
        .said("Listed", &OPEN)
        .of("Silent for", &[("unit", json!("s"))]),
        timeline("Open watches", "When the watch of each resource was open, and when not.")
            .size(12, 9)
            .unit("none")
            .steps("red", &[(1.0, "green")])
            .say(&[(0, "not open", "red"), (1, "open", "green")])
            .query("{{resource}}", "min by (resource) (kubetally_watch_connected{@})"),
    ])
}

fn lags() -> Row {
    row("How fresh", [
        graph(
            "Silence",
            "Time since the API server last said anything on a watch: an object, a bookmark, or a \
             sign of life of the connection. That of events grows in a quiet cluster.",
        )
        .unit("s")
        .query(
            "{{resource}}",
            "max by (resource) (time() - \
             kubetally_watch_last_activity_timestamp_seconds{@, kind=\"transport\"})",
        ),
        heatmap(
            "From creation to receipt",
            "How many new objects took how long from their creation, by the server's clock, to \
             their receipt; creation is known to the second.",
        )
        .query(
            "{{le}}",
            "sum by (le) \
             (increase(kubetally_watch_delivery_lag_seconds_bucket{@}[$__rate_interval]))",
        ),
        graph("From creation to receipt, p99", "All but one in a hundred were faster.")
            .unit("s")
            .query(
                "{{resource}}",
                "histogram_quantile(0.99, sum by (le, resource) \
                 (rate(kubetally_watch_delivery_lag_seconds_bucket{@}[$__rate_interval])))",
            ),
    ])
}

fn lists() -> Row {
    row("Lists, and how watches begin and end", [
        graph(
            "Listed again, by cause",
            "Times a minute everything was listed anew, by cause. watchdog is normal for events \
             in a quiet cluster; expired is after a watch was away for too long, rewound after etcd \
             was restored from a backup.",
        )
        .per_minute()
        .query(
            "{{cause}}",
            "60 * sum by (cause) (rate(kubetally_watch_relists_total{@}[$__rate_interval]))",
        ),
        graph(
            "Ended, by cause",
            "Watches a minute that ended or could not be opened, by cause. server_timeout is how \
             a watch should end.",
        )
        .per_minute()
        .query(
            "{{cause}}",
            "60 * sum by (cause) (rate(kubetally_watch_ends_total{@}[$__rate_interval]))",
        ),
        heatmap("How long watches lived", "Five to ten minutes each, by default.").query(
            "{{le}}",
            "sum by (le) \
             (increase(kubetally_watch_stream_duration_seconds_bucket{@}[$__rate_interval]))",
        ),
        table(
            "Lists",
            "Lists since Kubetally started, streamed or by pages, and how long they took on \
             average.",
        )
        .size(12, 8)
        .unit("s")
        .query(
            "",
            "sum by (resource, mode) (kubetally_watch_sync_duration_seconds_count{@}) > 0",
        )
        .query(
            "",
            "sum by (resource, mode) (kubetally_watch_sync_duration_seconds_sum{@}) / \
             (sum by (resource, mode) (kubetally_watch_sync_duration_seconds_count{@}) > 0)",
        )
        .columns(&[
            ("resource", "Resource"),
            ("mode", "Mode"),
            ("Value #A", "Lists"),
            ("Value #B", "Took"),
        ])
        .of("Lists", &[("unit", json!("short")), ("decimals", json!(0))]),
        graph(
            "Time to open a watch, p99",
            "From the dial to the head of the answer. Watches are opened every few minutes, so \
             that these are points rather than lines.",
        )
        .size(12, 8)
        .unit("s")
        .query(
            "{{resource}}",
            "histogram_quantile(0.99, sum by (le, resource) \
             (rate(kubetally_watch_start_duration_seconds_bucket{@}[$__rate_interval])))",
        ),
    ])
}

fn stream() -> Row {
    row(
        "What comes",
        [
            graph("By resource", "Notifications a second, by resource.")
                .unit("cps")
                .stacked()
                .query(
                    "{{resource}}",
                    "sum by (resource) \
                     (rate(kubetally_watch_notifications_total{@}[$__rate_interval]))",
                ),
            graph("By what happened", "Notifications a second, by what they tell.")
                .unit("cps")
                .stacked()
                .query(
                    "{{op}}",
                    "sum by (op) (rate(kubetally_watch_notifications_total{@}[$__rate_interval]))",
                ),
            graph(
                "Time to count them, p99",
                "Time to decode and count the notifications that arrived together.",
            )
            .unit("s")
            .query(
                "{{resource}}",
                "histogram_quantile(0.99, sum by (le, resource) \
                 (rate(kubetally_watch_apply_duration_seconds_bucket{@}[$__rate_interval])))",
            ),
        ],
    )
}

fn shards() -> Row {
    folded(
        "Shards, where there are several",
        [
            stat(
                "Shards missing",
                "How many of those that share the objects do not answer, or still share them with \
                 fewer or more.",
            )
            .size(4, 8)
            .unit("none")
            .steps("green", &[(1.0, "red")])
            .query(
                "missing",
                "2 * max(kubetally_shard_count{@}) - min(kubetally_shard_count{@}) \
                     - count(kubetally_shard_index{@})",
            ),
            graph(
                "Another shard's objects",
                "Objects a second that came though they are another shard's: of an API server that \
             can choose by shard only events do.",
            )
            .size(20, 8)
            .unit("cps")
            .query(
                "{{resource}}",
                "sum by (resource) \
             (rate(kubetally_watch_foreign_objects_total{@}[$__rate_interval]))",
            ),
        ],
    )
}

fn canary() -> Row {
    folded("The canary, where it is on", [
        graph(
            "There and back",
            "Time from the write of a Lease to its notification on a watch: how late watches are, \
             by one clock.",
        )
        .size(12, 8)
        .unit("s")
        .promised(1.0)
        .query(
            "p50",
            "histogram_quantile(0.50, sum by (le) \
             (rate(kubetally_watch_canary_roundtrip_seconds_bucket{@}[$__rate_interval])))",
        )
        .query(
            "p99",
            "histogram_quantile(0.99, sum by (le) \
             (rate(kubetally_watch_canary_roundtrip_seconds_bucket{@}[$__rate_interval])))",
        ),
        graph(
            "Not back",
            "Writes a minute that failed or were not seen before the next, and watches of the \
             Lease that broke.",
        )
        .size(12, 8)
        .per_minute()
        .query(
            "{{cause}}",
            "60 * sum by (cause) \
             (rate(kubetally_watch_canary_failures_total{@}[$__rate_interval]))",
        ),
    ])
}
