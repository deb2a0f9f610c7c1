//! API and authentication: how the API server answers, and whether it knows and lets us.

use serde_json::json;

use crate::{
    audit,
    dashboard::{Dashboard, Row, folded, row},
    panel::{bars, graph, heatmap, stat, table},
};

pub fn dashboard() -> Dashboard {
    Dashboard {
        name: "api",
        title: "API and authentication",
        about: "How the API server answers Kubetally, as whom it takes it and what it lets it do. \
                With the audit webhook also the requests of everybody else.",
        rows: vec![
            answers(),
            latency(),
            failures(),
            credentials(),
            identity(),
            permissions(),
            clock(),
            fairness(),
            audit::row(),
        ],
    }
}

fn answers() -> Row {
    const UP: [(u32, &str, &str); 2] = [(0, "silent", "red"), (1, "answers", "green")];
    row(
        "Does it answer?",
        [
            stat("API servers", "Whether the last probe was answered, with whatever status.")
                .size(6, 4)
                .unit("none")
                .say_or(&UP, ("unknown", "red"))
                .query("{{endpoint}}", "min by (endpoint) (kubetally_api_up{@})"),
            stat(
                "Within a second",
                "Share of the requests of one object in the time shown that took a second or \
                 less: the objective of Kubernetes is 99 % over a day.",
            )
            .size(4, 4)
            .unit("percentunit")
            .steps("red", &[(0.99, "orange"), (0.999, "green")])
            .query(
                "within a second",
                "sum(increase(kubetally_api_request_duration_seconds_bucket{@, \
                 verb!~\"watch|list\", le=~\"1|1.0\"}[$__range])) / \
                 sum(increase(kubetally_api_request_duration_seconds_count{@, \
                 verb!~\"watch|list\"}[$__range]))",
            ),
            stat("Not answered", "Share of the attempts in the time shown without an HTTP status.")
                .size(4, 4)
                .unit("percentunit")
                .steps("green", &[(0.001, "orange"), (0.01, "red")])
                .query(
                    "not answered",
                    "sum(increase(kubetally_api_transport_errors_total{@}[$__range])) / \
                     (sum(increase(kubetally_api_requests_total{@}[$__range])) + \
                     sum(increase(kubetally_api_transport_errors_total{@}[$__range])))",
                ),
            stat("Probes failed", "Probes in the time shown that were not answered with 200.")
                .size(4, 4)
                .whole()
                .steps("green", &[(1.0, "orange")])
                .query("failed", "sum(increase(kubetally_api_probe_failures_total{@}[$__range]))"),
            stat("Throttled", "Answers of status 429 in the time shown.")
                .whole()
                .steps("green", &[(1.0, "orange")])
                .query("throttled", "sum(increase(kubetally_api_throttled_total{@}[$__range]))"),
            stat("In flight", "Requests that wait for their answer; of watches, for its headers.")
                .query("in flight", "sum(kubetally_api_requests_in_flight{@})"),
        ],
    )
}

fn latency() -> Row {
    let quantile = |q: &str, by: &str, of: &str| {
        format!(
            "histogram_quantile({q}, sum by (le{by}) \
             (rate(kubetally_api_{of}[$__rate_interval])))"
        )
    };
    let requests = "request_duration_seconds_bucket{@, verb!=\"watch\"}";
    let probes = "probe_duration_seconds_bucket{@, connection=\"kept\"}";
    row(
        "How fast",
        [
            heatmap(
                "Requests by duration",
                "How many requests took how long to their last byte, watches apart.",
            )
            .size(12, 8)
            .query(
                "{{le}}",
                "sum by (le) (increase(kubetally_api_request_duration_seconds_bucket{@, \
                 verb!=\"watch\"}[$__rate_interval]))",
            ),
            graph(
                "Quantiles",
                "Half of the requests are faster than p50, one in ten is slower than p90, one in \
                 a hundred than p99; watches apart. The line at 1 s is the objective of \
                 Kubernetes for requests of one object; a list may take up to 30 s.",
            )
            .size(12, 8)
            .unit("s")
            .promised(1.0)
            .query("p50", &quantile("0.50", "", requests))
            .query("p90", &quantile("0.90", "", requests))
            .query("p99", &quantile("0.99", "", requests)),
            graph(
                "By verb, p99",
                "The same by verb. Watches are opened on the dashboard of watches.",
            )
            .unit("s")
            .promised(1.0)
            .query("{{verb}}", &quantile("0.99", ", verb", requests)),
            graph(
                "Probes by API server, p99",
                "Time of a probe on a connection that is kept, by API server and by what is \
                 asked: one of several that is slow stands out.",
            )
            .unit("s")
            .promised(1.0)
            .query("{{endpoint}} {{probe}}", &quantile("0.99", ", endpoint, probe", probes)),
            graph(
                "Parts of a request, p99",
                "Name, dial, handshake, the wait for the head of the answer, and the rest of it.",
            )
            .unit("s")
            .query(
                "{{phase}}",
                &quantile("0.99", ", phase", "request_phase_duration_seconds_bucket{@}"),
            ),
        ],
    )
}

fn failures() -> Row {
    row("What fails", [
        graph("Requests", "Answers a minute, by status.")
            .per_minute()
            .stacked()
            .query(
                "{{code}}",
                "60 * sum by (code) (rate(kubetally_api_requests_total{@}[$__rate_interval]))",
            ),
        graph(
            "Requests without an answer",
            "Attempts a minute that ended without a status, or in the middle of an answer.",
        )
        .per_minute()
        .query(
            "{{reason}}",
            "60 * sum by (reason) \
             (rate(kubetally_api_transport_errors_total{@}[$__rate_interval]))",
        ),
        graph("Probes that failed", "Probes a minute without an answer of 200, by API server.")
            .per_minute()
            .query(
                "{{endpoint}}",
                "60 * sum by (endpoint) \
                 (rate(kubetally_api_probe_failures_total{@}[$__rate_interval]))",
            ),
        table("Why probes failed", "Probes in the time shown without an answer of 200.")
            .whole()
            .query(
                "",
                "sum by (endpoint, probe, reason) \
                 (increase(kubetally_api_probe_failures_total{@}[$__range])) > 0",
            )
            .columns(&[
                ("endpoint", "API server"),
                ("probe", "Probe"),
                ("reason", "Reason"),
                ("Value", "Failed"),
            ]),
        graph("Attempts after a failed one", "Retries a minute, by verb.").per_minute().query(
            "{{verb}}",
            "60 * sum by (verb) (rate(kubetally_api_retries_total{@}[$__rate_interval]))",
        ),
        graph("Throttled by", "Answers a minute of status 429, by who throttled.")
            .per_minute()
            .query(
                "{{source}}",
                "60 * sum by (source) (rate(kubetally_api_throttled_total{@}[$__rate_interval]))",
            ),
    ])
}

fn credentials() -> Row {
    // Grafana reckons dates in milliseconds.
    let token = |what: &str| {
        format!("max by (instance) (1000 * kubetally_token_{what}_timestamp_seconds{{@}})")
    };
    let date = || ("unit", json!("dateTimeFromNow"));
    row(
        "Token and certificates",
        [
            bars(
                "Life of the token that is left",
                "Share of the token's life. The kubelet replaces it when a fifth is left, and \
                 Kubetally reads it again every 5 s: below a tenth it is not being replaced.",
            )
            .size(8, 7)
            .unit("percentunit")
            .max(1.0)
            .steps("red", &[(0.1, "orange"), (0.2, "green")])
            .query(
                "{{instance}}",
                "max by (instance) ((kubetally_token_expiration_timestamp_seconds{@} - time()) / \
                 (kubetally_token_expiration_timestamp_seconds{@} - \
                 kubetally_token_issued_timestamp_seconds{@}))",
            ),
            table(
                "Tokens",
                "When the token in use was issued, when it should have been replaced, and when \
                 it ends. A token without such times, as in a legacy Secret, is not listed.",
            )
            .size(8, 7)
            .unit("none")
            .query("", &token("issued"))
            .query("", &token("warn_after"))
            .query("", &token("expiration"))
            .columns(&[
                ("instance", "Instance"),
                ("Value #A", "Issued"),
                ("Value #B", "To be replaced"),
                ("Value #C", "Ends"),
            ])
            .of("Issued", &[date()])
            .of("To be replaced", &[date()])
            .of("Ends", &[date()]),
            table(
                "Certificates",
                "When the certificates in use end. Orange: within 30 days. Red: within 7.",
            )
            .size(8, 7)
            .unit("s")
            .query(
                "",
                "min by (certificate) (kubetally_tls_not_after_timestamp_seconds{@} - time())",
            )
            .query("", "min by (certificate) (1000 * kubetally_tls_not_after_timestamp_seconds{@})")
            .columns(&[("certificate", "Certificate"), ("Value #A", "Left"), ("Value #B", "Ends")])
            .steps("red", &[(7.0 * 86_400.0, "orange"), (30.0 * 86_400.0, "green")])
            .of("Left", &[("custom.cellOptions", json!({"type": "color-text"}))])
            .of("Ends", &[date()]),
        ],
    )
}

fn identity() -> Row {
    row(
        "Are we let in?",
        [
            table(
                "Refused",
                "Answers of status 401 and 403 in the time shown, by what was asked for.",
            )
            .whole()
            .query(
                "",
                "sum by (code, verb, resource) \
                 (increase(kubetally_auth_failures_total{@}[$__range])) > 0",
            )
            .columns(&[
                ("code", "Status"),
                ("verb", "Verb"),
                ("resource", "Resource"),
                ("Value", "Answers"),
            ]),
            graph(
                "Why 401",
                "Answers a minute of status 401, by what is known here of their cause.",
            )
            .per_minute()
            .query(
                "{{cause}}",
                "60 * sum by (cause) \
                 (rate(kubetally_auth_unauthorized_total{@}[$__rate_interval]))",
            ),
            graph(
                "Handshakes that failed",
                "TLS handshakes with the API server a minute, by reason.",
            )
            .per_minute()
            .query(
                "{{reason}}",
                "60 * sum by (reason) \
                 (rate(kubetally_tls_handshake_failures_total{@}[$__rate_interval]))",
            ),
            graph(
                "Token read again",
                "Times a minute the token was read again, by result: every 5 s and after a 401.",
            )
            .per_minute()
            .query(
                "{{result}}",
                "60 * sum by (result) (rate(kubetally_token_reloads_total{@}[$__rate_interval]))",
            ),
            graph(
                "CA read again",
                "Times a minute the files of CA and client were read, by result.",
            )
            .per_minute()
            .query(
                "{{result}}",
                "60 * sum by (result) (rate(kubetally_ca_reloads_total{@}[$__rate_interval]))",
            ),
            graph("Access reviews", "Reviews of our own rights a minute, by what they came to.")
                .per_minute()
                .query(
                    "{{result}}",
                    "60 * sum by (result) \
                     (rate(kubetally_permission_checks_total{@}[$__rate_interval]))",
                ),
        ],
    )
}

fn permissions() -> Row {
    row(
        "What may we?",
        [
            table(
                "Rights",
                "Whether Kubetally may do what it needs to, by its own access reviews, looked at \
                 every 40 to 55 s; empty where it is not needed or not known. /readyz?verbose \
                 names the rule to add.",
            )
            .size(16, 9)
            .unit("none")
            .say(&[(0, "missing", "red"), (1, "allowed", "green")])
            .query("", "min by (resource, verb) (kubetally_permission_allowed{@})")
            .matrix("resource", "verb")
            .colored(),
            table("Who are we?", "Whom the API server takes Kubetally for.")
                .size(8, 9)
                .unit("none")
                .query("", "max by (instance, username) (kubetally_identity_info{@})")
                .columns(&[("instance", "Instance"), ("username", "User"), ("Value", "")])
                .width("Instance", 150),
        ],
    )
}

fn clock() -> Row {
    let blue = || ("color", json!({"mode": "fixed", "fixedColor": "blue"}));
    let no_line = || ("custom.lineWidth", json!(0));
    let no_points = || ("custom.showPoints", json!("never"));
    row("Clock", [graph(
        "Clock skew",
        "The server's clock minus ours, by API server, and between which bounds it is. Beyond a \
         second lags are to be doubted, beyond five minutes tokens.",
    )
    .size(24, 7)
    .unit("s")
    .signed()
    .query("{{endpoint}}", "max by (endpoint) (kubetally_api_clock_skew_seconds{@})")
    .query(
        "at most",
        "max(kubetally_api_clock_skew_seconds{@} + kubetally_api_clock_skew_error_seconds{@})",
    )
    .query(
        "at least",
        "min(kubetally_api_clock_skew_seconds{@} - kubetally_api_clock_skew_error_seconds{@})",
    )
    // The band between the two.
    .of("at most", &[no_line(), no_points(), blue(), ("custom.fillBelowTo", json!("at least"))])
    .of("at least", &[no_line(), no_points(), blue(), ("custom.fillOpacity", json!(0))])])
}

fn fairness() -> Row {
    folded(
        "Flows, waits and warnings",
        [
            table(
                "Flows",
                "Requests of Kubetally in the time shown, by the UIDs of flow schema and \
                 priority level, which kubectl get flowschemas,prioritylevelconfigurations -o \
                 yaml tells.",
            )
            .whole()
            .query(
                "",
                "sum by (flow_schema, priority_level) \
                 (increase(kubetally_api_flow_requests_total{@}[$__range]))",
            )
            .columns(&[
                ("flow_schema", "Flow schema"),
                ("priority_level", "Priority level"),
                ("Value", "Requests"),
            ]),
            graph("Asked to wait", "How long the API server asked to wait, p99.").unit("s").query(
                "p99",
                "histogram_quantile(0.99, sum by (le) \
                 (rate(kubetally_api_retry_after_seconds_bucket{@}[$__rate_interval])))",
            ),
            graph(
                "Warnings of the API server",
                "Warning headers a minute: of deprecated APIs, say.",
            )
            .per_minute()
            .query("warnings", "60 * sum(rate(kubetally_api_warnings_total{@}[$__rate_interval]))"),
        ],
    )
}
