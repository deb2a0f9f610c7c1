//! Overview: whether everything is all right, and where to look if not.

use crate::{
    dashboard::{Dashboard, Row, row},
    panel::{bars, graph, stat, table},
    workloads::{PHASES, TROUBLE},
};

pub fn dashboard() -> Dashboard {
    Dashboard {
        name: "overview",
        title: "Overview",
        about: "Whether everything is all right with the cluster's objects, with the API server \
                and with Kubetally, and where to look if not.",
        rows: vec![verdict(), objects(), trouble(), itself()],
    }
}

fn verdict() -> Row {
    const NONE: (f64, &str) = (1.0, "orange");
    row("Is everything all right?", [
        stat(
            "Verdict",
            "In trouble: Kubetally or the API server does not answer, credentials are refused or \
             over. Look below: something is not watched, a right is missing, an alert is firing, \
             or the configuration could not be read again.",
        )
        .size(5, 4)
        .unit("none")
        .say_or(
            &[(0, "All right", "green"), (1, "Look below", "orange"), (2, "In trouble", "red")],
            ("Nothing is known", "red"),
        )
        // Each part has labels of its own, so that none hides another.
        .query(
            "verdict",
            &[
                "max(2 * (1 - up{@})",
                "2 * (1 - kubetally_api_up{@})",
                "2 * sum by (cause) (increase(kubetally_auth_unauthorized_total{@, \
                 cause!=\"rotated\"}[$__rate_interval]) > bool 0)",
                "2 * max by (certificate) \
                 (kubetally_tls_not_after_timestamp_seconds{@} < bool time())",
                "1 - kubetally_watch_connected{@}",
                "1 - kubetally_permission_allowed{@}",
                "1 - min by (job) (kubetally_config_last_reload_successful{@})",
                "ALERTS{@, alertstate=\"firing\"})",
            ]
            .join(" or "),
        ),
        stat(
            "Kubetally",
            "Whether every Kubetally could be scraped the last time. Down: see KubetallyDown in \
             docs/runbooks.md.",
        )
        .unit("none")
        .say_or(&[(0, "Down", "red"), (1, "Up", "green")], ("None", "red"))
        .query("Kubetally", "min(up{@})"),
        stat(
            "API server",
            "Whether the last probe of every API server was answered, with whatever status.",
        )
        .unit("none")
        .say_or(&[(0, "Silent", "red"), (1, "Answers", "green")], ("Unknown", "red"))
        .query("API server", "min(kubetally_api_up{@})")
        .to("api", "API and authentication"),
        stat(
            "Not watched",
            "Resources without an open watch: their counts are as they were, or absent. A watch \
             is opened anew every few minutes; one that stays away is looked for here.",
        )
        .unit("none")
        .steps("green", &[NONE])
        .query(
            "not watched",
            "count(kubetally_watch_connected{@}) - sum(kubetally_watch_connected{@})",
        )
        .to("watches", "Watches"),
        stat(
            "Rights missing",
            "Rights that Kubetally needs and does not have, by its own access reviews. The matrix \
             of them is on the dashboard of the API; /readyz?verbose names the rule to add.",
        )
        .unit("none")
        .steps("green", &[NONE])
        .query(
            "rights missing",
            "count(kubetally_permission_allowed{@}) - sum(kubetally_permission_allowed{@})",
        )
        .to("api", "API and authentication"),
        stat(
            "401 in this time",
            "Answers of status 401 in the time shown, but for those of a token that had just been \
             replaced.",
        )
        .whole()
        .steps("green", &[(1.0, "red")])
        .query(
            "401",
            "sum(increase(kubetally_auth_unauthorized_total{@, cause!=\"rotated\"}[$__range]))",
        )
        .to("api", "API and authentication"),
        stat(
            "Alerts",
            "Alerts of the jobs chosen that are firing; their names are listed below. None are \
             where Prometheus does not have deploy/monitoring/alerts.yaml.",
        )
            .size(4, 4)
            .unit("none")
            .steps("green", &[NONE])
            .query("alerts", "count(ALERTS{@, alertstate=\"firing\"}) or vector(0)"),
    ])
}

fn objects() -> Row {
    row(
        "What there is",
        [
            graph("Objects", "Objects held, by resource, on a logarithmic scale.")
                .logarithmic()
                .query("{{resource}}", "sum by (resource) (kubetally_objects{@})")
                .to("workloads", "Workloads"),
            graph("Pods by phase", "Pods of the namespaces chosen, by phase.")
                .stacked()
                .colors(&PHASES)
                .query("{{phase}}", "sum by (phase) (kubetally_pods{@ns})")
                .to("workloads", "Workloads"),
            bars(
                "Pods by namespace",
                "The ten namespaces with the most pods. _other stands for those beyond the cap.",
            )
            .query("{{namespace}}", "topk(10, sum by (namespace) (kubetally_pods{@ns}))")
            .to("workloads", "Workloads"),
        ],
    )
}

fn trouble() -> Row {
    row(
        "What is amiss",
        [
            graph(
                "Pods in trouble",
                "Pods that run and are not ready, that fit on no node, and that have failed.",
            )
            .query(
                "not ready",
                "sum(kubetally_pods{@ns, phase=\"Running\"}) - sum(kubetally_pods_ready{@ns})",
            )
            .query("unschedulable", "sum(kubetally_pods_unschedulable{@ns})")
            .query("failed", "sum(kubetally_pods{@ns, phase=\"Failed\"})")
            .colors(&TROUBLE)
            .to("workloads", "Workloads"),
            graph(
                "Restarts",
                "Restarts of containers a minute, and those killed for want of memory.",
            )
            .per_minute()
            .query(
                "restarts",
                "60 * sum(rate(kubetally_container_restarts_total{@ns}[$__rate_interval]))",
            )
            .query(
                "OOM kills",
                "60 * sum(rate(kubetally_container_terminations_total{@ns, \
                 reason=\"OOMKilled\"}[$__rate_interval]))",
            )
            .colors(&[("restarts", "orange"), ("OOM kills", "red")])
            .to("workloads", "Workloads"),
            graph(
                "Warnings",
                "Occurrences of Warning events a minute, by reason, the ten most frequent.",
            )
            .per_minute()
            .query(
                "{{reason}}",
                "topk(10, 60 * sum by (reason) (rate(kubetally_event_occurrences_total{@, \
                 type=\"Warning\"}[$__rate_interval])))",
            )
            .to("events", "Events"),
            graph(
                "API latency",
                "Time of a request of Kubetally to its last byte, watches apart: half of them \
                 are faster than p50, all but one in a hundred than p99. The line at 1 s is the \
                 objective of Kubernetes for requests of one object.",
            )
            .unit("s")
            .promised(1.0)
            .query(
                "p50",
                "histogram_quantile(0.50, sum by (le) \
                 (rate(kubetally_api_request_duration_seconds_bucket{@, \
                 verb!=\"watch\"}[$__rate_interval])))",
            )
            .query(
                "p99",
                "histogram_quantile(0.99, sum by (le) \
                 (rate(kubetally_api_request_duration_seconds_bucket{@, \
                 verb!=\"watch\"}[$__rate_interval])))",
            )
            .to("api", "API and authentication"),
            graph("401 and 403", "Answers a minute of status 401 and 403, by status.")
                .per_minute()
                .colors(&[("401", "red"), ("403", "orange")])
                .query(
                    "{{code}}",
                    "60 * sum by (code) \
                     (rate(kubetally_auth_failures_total{@}[$__rate_interval]))",
                )
                .to("api", "API and authentication"),
            table(
                "Alerts firing",
                "Alerts of the jobs chosen that are firing or about to; docs/runbooks.md says \
                 what to do.",
            )
            .unit("none")
            .query("", "max by (alertname, alertstate, severity, namespace, resource) (ALERTS{@})")
            .columns(&[
                ("alertname", "Alert"),
                ("namespace", "Namespace"),
                ("resource", "Resource"),
                ("severity", "Severity"),
                ("alertstate", "State"),
                ("Value", ""),
            ])
            .width("Alert", 190),
        ],
    )
}

fn itself() -> Row {
    row(
        "Kubetally itself",
        [
            graph("Memory", "Resident memory of each Kubetally.")
                .size(4, 7)
                .unit("bytes")
                .query("{{instance}}", "sum by (instance) (process_resident_memory_bytes{@})"),
            graph("CPU", "Share of one processor that each Kubetally uses.")
                .size(4, 7)
                .unit("percentunit")
                .query(
                    "{{instance}}",
                    "sum by (instance) (rate(process_cpu_seconds_total{@}[$__rate_interval]))",
                ),
            graph("Scrapes", "Time to write the daemon's own part of a scrape, p99, and its size.")
                .size(5, 7)
                .unit("s")
                .query(
                    "time",
                    "histogram_quantile(0.99, sum by (le) \
                     (rate(kubetally_scrape_duration_seconds_bucket{@}[$__rate_interval])))",
                )
                .query("size, {{encoding}}", "max by (encoding) (kubetally_scrape_size_bytes{@})")
                .on_the_right("size, identity", "bytes")
                .on_the_right("size, gzip", "bytes"),
            graph(
                "Turned away",
                "Clients a minute of Kubetally's own listener that were not answered, by why.",
            )
            .size(4, 7)
            .per_minute()
            .query(
                "{{reason}}",
                "60 * sum by (reason) (rate(kubetally_http_refusals_total{@}[$__rate_interval]))",
            ),
            table(
                "Builds",
                "Version of each Kubetally, and whether its configuration was last read without \
                 error.",
            )
            .size(7, 7)
            .unit("none")
            .query("", "max by (instance, version, revision) (kubetally_build_info{@})")
            .query("", "min by (instance) (kubetally_config_last_reload_successful{@})")
            .columns(&[
                ("instance", "Instance"),
                ("version", "Version"),
                ("revision", "Revision"),
                ("Value #A", ""),
                ("Value #B", "Configuration"),
            ])
            .width("Instance", 150)
            .said("Configuration", &[(0, "refused", "red"), (1, "read", "green")]),
        ],
    )
}
