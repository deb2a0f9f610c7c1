//! What the API server's audit tells of everybody's requests: a row of the dashboard of the API.

use crate::{
    dashboard::{Row, folded},
    panel::{graph, table},
};

pub fn row() -> Row {
    folded("Everybody's requests, where the audit webhook is on", [
        graph("By user", "Requests a second of all clients, by the kind of user.")
            .unit("reqps")
            .stacked()
            .query(
                "{{user}}",
                "sum by (user) (rate(kubetally_audit_requests_total{@}[$__rate_interval]))",
            ),
        graph("By resource", "Requests a second, by what was asked for, the ten most frequent.")
            .unit("reqps")
            .query(
                "{{resource}}",
                "topk(10, sum by (resource) \
                 (rate(kubetally_audit_resource_requests_total{@}[$__rate_interval])))",
            ),
        graph("401 and 403 of service accounts", "Answers a minute, the ten most frequent.")
            .per_minute()
            .query(
                "{{code}} {{namespace}}/{{service_account}}",
                "topk(10, 60 * sum by (code, namespace, service_account) \
                 (rate(kubetally_audit_auth_failures_total{@ns}[$__rate_interval])))",
            ),
        table(
            "Stale tokens",
            "Requests in the time shown by tokens that should have been replaced: their clients \
             do not read them again.",
        )
        .whole()
        .query(
            "",
            "sum by (namespace, service_account) \
             (increase(kubetally_audit_stale_token_requests_total{@ns}[$__range])) > 0",
        )
        .columns(&[
            ("namespace", "Namespace"),
            ("service_account", "Service account"),
            ("Value", "Requests"),
        ]),
        table("Deprecated APIs", "Requests in the time shown, with the release that has it no \
                                  more.")
            .whole()
            .query(
                "",
                "sum by (user, api_version, resource, removed_release) \
                 (increase(kubetally_audit_deprecated_requests_total{@}[$__range])) > 0",
            )
            .columns(&[
                ("api_version", "Version"),
                ("resource", "Resource"),
                ("removed_release", "Gone in"),
                ("user", "User"),
                ("Value", "Requests"),
            ]),
        graph(
            "What the webhook sent",
            "Batches and events a minute, by whether they were taken, and why not.",
        )
        .per_minute()
        .query(
            "batches {{result}}",
            "60 * sum by (result) (rate(kubetally_audit_batches_total{@}[$__rate_interval])) > 0",
        )
        .query(
            "events {{result}}",
            "60 * sum by (result) (rate(kubetally_audit_events_total{@}[$__rate_interval])) > 0",
        ),
    ])
}
