//! The families, in the order of the exposition.

use super::{CODES, Label, Metric, Type, Values};
use crate::{
    api::{
        Certificate, Phase as RequestPhase, ReloadResult, ReloadTrigger, Reviewed, ThrottleSource,
        TlsFailure, TransportReason, UnauthorizedCause, Verb,
    },
    audit::{BatchResult, Decision, EventResult, User, Verb as AuditVerb},
    canary::Failed as CanaryFailed,
    http::Refusal,
    kinds::{
        deployment::State as DeploymentState,
        event::{EventType, Observation, Suppressed},
        job::State as JobState,
        namespace::Phase as NamespacePhase,
        node::{self, Holds},
        pod::{Phase, Qos},
        service::ServiceType,
    },
    probe::{Failed as ProbeFailed, Question, Way},
    watch::{Activity, EndCause, Op, RelistCause, SyncMode},
};

const fn label(name: &'static str, values: Values) -> Label {
    Label { name, values }
}

const NAMESPACE: Label = label("namespace", Values::Namespaces);
const RESOURCE: Label = label("resource", Values::Resources);
const ASKED: Label = label("resource", Values::Asked);
const REASON: Label = label("reason", Values::Reasons);
const NODE: Label = label("node", Values::Nodes);
const OWNER: Label = label("kind", Values::Reasons);
const KIND: Label = label("kind", Values::Reasons);
const PHASE: Label = label("phase", Values::Fixed(Phase::VALUES));
const DEPLOYMENT_STATE: Label = label("state", Values::Fixed(DeploymentState::VALUES));
const JOB_STATE: Label = label("state", Values::Fixed(JobState::VALUES));
const CONDITION: Label = label("condition", Values::ReasonsBeside(node::KNOWN));
const HOLDS: Label = label("status", Values::Fixed(Holds::VALUES));
const SERVICE_TYPE: Label = label("type", Values::Fixed(ServiceType::VALUES));
const NAMESPACE_PHASE: Label = label("phase", Values::Fixed(NamespacePhase::VALUES));
const QOS: Label = label("qos_class", Values::Fixed(Qos::VALUES));
const FROM: Label = label("from", Values::Fixed(Phase::VALUES));
const TO: Label = label("to", Values::Fixed(Phase::VALUES));
const METRIC: Label = label("metric", Values::Fixed(CAPPED));
const EVENT_TYPE: Label = label("type", Values::Fixed(EventType::VALUES));
const OBSERVATION: Label = label("op", Values::Fixed(Observation::VALUES));
const SUPPRESSED: Label = label("cause", Values::Fixed(Suppressed::VALUES));
const VERB: Label = label("verb", Values::Fixed(Verb::VALUES));
const PHASE_OF_REQUEST: Label = label("phase", Values::Fixed(RequestPhase::VALUES));
const CODE: Label = label("code", Values::Fixed(CODES));
const TRANSPORT_REASON: Label = label("reason", Values::Fixed(TransportReason::VALUES));
const THROTTLE: Label = label("source", Values::Fixed(ThrottleSource::VALUES));
const FLOW_SCHEMA: Label = label("flow_schema", Values::AtMost(FLOWS + 1));
const PRIORITY_LEVEL: Label = label("priority_level", Values::One);
const ENDPOINT: Label = label("endpoint", Values::AtMost(ENDPOINTS));
const QUESTION: Label = label("probe", Values::Fixed(Question::VALUES));
const WAY: Label = label("connection", Values::Fixed(Way::VALUES));
const PROBE_FAILED: Label = label("reason", Values::Fixed(ProbeFailed::VALUES));
const CANARY_FAILED: Label = label("cause", Values::Fixed(CanaryFailed::VALUES));
const ACTIVITY: Label = label("kind", Values::Fixed(Activity::VALUES));
const MODE: Label = label("mode", Values::Fixed(SyncMode::VALUES));
const END: Label = label("cause", Values::Fixed(EndCause::VALUES));
const RELIST: Label = label("cause", Values::Fixed(RelistCause::VALUES));
const OP: Label = label("op", Values::Fixed(Op::VALUES));
const AUTH_CODE: Label = label("code", Values::Fixed(&["401", "403"]));
const UNAUTHORIZED: Label = label("cause", Values::Fixed(UnauthorizedCause::VALUES));
const TRIGGER: Label = label("trigger", Values::Fixed(ReloadTrigger::VALUES));
const RESULT: Label = label("result", Values::Fixed(ReloadResult::VALUES));
const TLS_FAILURE: Label = label("reason", Values::Fixed(TlsFailure::VALUES));
const CERTIFICATE: Label = label("certificate", Values::Fixed(Certificate::VALUES));
const REVIEWED: Label = label("result", Values::Fixed(Reviewed::VALUES));
const USERNAME: Label = label("username", Values::One);
const USER: Label = label("user", Values::Fixed(User::VALUES));
const AUDIT_VERB: Label = label("verb", Values::Fixed(AuditVerb::VALUES));
const AUDIT_RESOURCE: Label = label("resource", Values::Reasons);
const DECISION: Label = label("decision", Values::Fixed(Decision::VALUES));
const ACCOUNT_NAMESPACE: Label = label("namespace", Values::Implied);
const ACCOUNT: Label = label("service_account", Values::ServiceAccounts);
const API_VERSION: Label = label("api_version", Values::Implied);
const API_RESOURCE: Label = label("resource", Values::Combinations);
const REMOVED: Label = label("removed_release", Values::Implied);
const BATCH: Label = label("result", Values::Fixed(BatchResult::VALUES));
const AUDIT_EVENT: Label = label("result", Values::Fixed(EventResult::VALUES));
const VERSION: Label = label("version", Values::One);
const REVISION: Label = label("revision", Values::One);
const REFUSAL: Label = label("reason", Values::Fixed(Refusal::VALUES));
const RELOAD: Label = label("result", Values::Fixed(&["success", "error"]));
const ENCODING: Label = label("encoding", Values::Fixed(&["identity", "gzip"]));

/// How many flows of priority and fairness are shown by their UIDs.
pub const FLOWS: usize = 8;
/// How many API servers can be probed, the one that is watched among them.
pub const ENDPOINTS: usize = 9;

/// The families with capped labels.
const CAPPED: &[&str] = &[
    "kubetally_namespace_objects",
    "kubetally_pods",
    "kubetally_pods_by_owner",
    "kubetally_node_pods",
    "kubetally_containers_waiting",
    "kubetally_container_restarts_total",
    "kubetally_container_terminations_total",
    "kubetally_deployments",
    "kubetally_jobs",
    "kubetally_nodes",
    "kubetally_event_occurrences_total",
    "kubetally_event_warnings_total",
    "kubetally_audit_resource_requests_total",
    "kubetally_audit_auth_failures_total",
    "kubetally_audit_stale_token_requests_total",
    "kubetally_audit_deprecated_requests_total",
];

/// Edges of requests: those of Kubernetes' service level objectives, 1 s and 30 s, are in.
const REQUESTS: Type = Type::Histogram(&[
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0,
]);
const LAGS: Type =
    Type::Histogram(&[0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0]);
const STARTS: Type =
    Type::Histogram(&[1.0, 2.0, 3.0, 5.0, 10.0, 20.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0]);
const STREAMS: Type = Type::Histogram(&[1.0, 5.0, 30.0, 60.0, 120.0, 240.0, 300.0, 600.0, 1800.0]);
const CANARY: Type =
    Type::Histogram(&[0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0]);
const APPLIES: Type =
    Type::Histogram(&[0.00001, 0.00005, 0.0001, 0.0005, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0]);

/// Declares the families and lists them: constant, name, type, labels, help.
macro_rules! families {
    ($($constant:ident, $name:literal, $kind:expr, [$($label:ident),*], $help:literal;)*) => {
        $(
            #[doc = $help]
            pub static $constant: Metric =
                Metric::new(place(NAMES, $name), $name, $kind, &[$($label),*], $help);
        )*

        const NAMES: &[&str] = &[$($name),*];

        /// Every family, in the order of the exposition.
        pub static ALL: &[&Metric] = &[$(&$constant),*];
    };
}

/// Where a name stands among them. Constants have neither iterators nor `==` for text.
const fn place(names: &[&str], name: &str) -> usize {
    let mut at = 0;
    while !same(names[at].as_bytes(), name.as_bytes()) {
        at += 1;
    }
    at
}

const fn same(a: &[u8], b: &[u8]) -> bool {
    let mut at = 0;
    while at < a.len() && at < b.len() && a[at] == b[at] {
        at += 1;
    }
    at == a.len() && at == b.len()
}

const GAUGE: Type = Type::Gauge;
const COUNTER: Type = Type::Counter;

families! {
    // Objects
    OBJECTS, "kubetally_objects", GAUGE, [RESOURCE],
        "Objects held. Absent until the first list of the resource is complete.";
    NAMESPACE_OBJECTS, "kubetally_namespace_objects", GAUGE, [NAMESPACE, RESOURCE],
        "Objects held, by namespace.";
    PODS, "kubetally_pods", GAUGE, [NAMESPACE, PHASE],
        "Pods by phase.";
    PODS_READY, "kubetally_pods_ready", GAUGE, [NAMESPACE],
        "Pods whose condition Ready is True.";
    PODS_UNSCHEDULABLE, "kubetally_pods_unschedulable", GAUGE, [NAMESPACE],
        "Pods whose condition PodScheduled is False for the reason Unschedulable.";
    PODS_TERMINATING, "kubetally_pods_terminating", GAUGE, [NAMESPACE],
        "Pods with a deletion timestamp.";
    PODS_BY_OWNER, "kubetally_pods_by_owner", GAUGE, [OWNER],
        "Pods by the kind of the owner that manages them, none without one.";
    PODS_BY_QOS, "kubetally_pods_by_qos", GAUGE, [QOS],
        "Pods by quality of service class.";
    NODE_PODS, "kubetally_node_pods", GAUGE, [NODE],
        "Pods bound to a node, ended ones included.";
    CONTAINERS_WAITING, "kubetally_containers_waiting", GAUGE, [NAMESPACE, REASON],
        "Containers and init containers that wait, by reason.";
    CONTAINER_RESTARTS_TOTAL, "kubetally_container_restarts_total", COUNTER, [NAMESPACE],
        "Restarts of containers seen while watching, by the growth of restartCount.";
    CONTAINER_TERMINATIONS_TOTAL, "kubetally_container_terminations_total", COUNTER, [NAMESPACE, REASON],
        "Terminations of containers seen while watching, by reason.";
    POD_PHASE_TRANSITIONS_TOTAL, "kubetally_pod_phase_transitions_total", COUNTER, [FROM, TO],
        "Changes of a pod's phase seen while watching.";
    POD_START_DURATION_SECONDS, "kubetally_pod_start_duration_seconds", STARTS, [],
        "Time from creation to Ready of pods created while watching.";
    DEPLOYMENTS, "kubetally_deployments", GAUGE, [NAMESPACE, DEPLOYMENT_STATE],
        "Deployments, each in one state: paused, degraded, available or progressing, whichever holds first.";
    JOBS, "kubetally_jobs", GAUGE, [NAMESPACE, JOB_STATE],
        "Jobs, each in one state.";
    NODES, "kubetally_nodes", GAUGE, [CONDITION, HOLDS],
        "Nodes by condition and whether it holds; Unschedulable is that of their spec.";
    SERVICES, "kubetally_services", GAUGE, [SERVICE_TYPE],
        "Services by type.";
    NAMESPACES, "kubetally_namespaces", GAUGE, [NAMESPACE_PHASE],
        "Namespaces by phase.";
    LABEL_OVERFLOW_TOTAL, "kubetally_label_overflow_total", COUNTER, [METRIC],
        "Observations shown as _other because a cap on label values was reached.";

    // Events
    EVENT_OCCURRENCES_TOTAL, "kubetally_event_occurrences_total", COUNTER, [EVENT_TYPE, KIND, REASON],
        "Occurrences of events seen while watching, by the growth of count and series.";
    EVENT_WARNINGS_TOTAL, "kubetally_event_warnings_total", COUNTER, [NAMESPACE],
        "Occurrences of events of type Warning, by namespace.";
    EVENT_OBSERVATIONS_TOTAL, "kubetally_event_observations_total", COUNTER, [OBSERVATION],
        "Event objects received, by how.";
    EVENT_SUPPRESSED_TOTAL, "kubetally_event_suppressed_total", COUNTER, [SUPPRESSED],
        "Event objects received that counted nothing, by why.";
    EVENT_LAG_SECONDS, "kubetally_event_lag_seconds", LAGS, [EVENT_TYPE],
        "Time from an event's last occurrence to its receipt, by the server's clock.";

    // The API client
    API_REQUEST_DURATION_SECONDS, "kubetally_api_request_duration_seconds", REQUESTS, [VERB, ASKED],
        "Time of one attempt from its dial, where it needs one, to its last byte, of a watch to its headers; without backoff and retries. Those of probes are among them.";
    API_REQUEST_PHASE_DURATION_SECONDS, "kubetally_api_request_phase_duration_seconds", REQUESTS, [PHASE_OF_REQUEST],
        "Time of one part of an attempt: first_byte is from the request to the head of its answer, body the rest of it.";
    API_REQUESTS_TOTAL, "kubetally_api_requests_total", COUNTER, [VERB, ASKED, CODE],
        "Attempts that were answered, by HTTP status.";
    API_TRANSPORT_ERRORS_TOTAL, "kubetally_api_transport_errors_total", COUNTER, [TRANSPORT_REASON],
        "Attempts that ended without an HTTP status or in the middle of an answer.";
    API_RETRIES_TOTAL, "kubetally_api_retries_total", COUNTER, [VERB, ASKED],
        "Attempts that follow a failed one.";
    API_THROTTLED_TOTAL, "kubetally_api_throttled_total", COUNTER, [THROTTLE],
        "Answers of status 429, by who throttled.";
    API_RETRY_AFTER_SECONDS, "kubetally_api_retry_after_seconds", REQUESTS, [],
        "How long the server asked to wait.";
    API_REQUESTS_IN_FLIGHT, "kubetally_api_requests_in_flight", GAUGE, [VERB],
        "Requests waiting for their answer; of watches, for its headers.";
    API_FLOW_REQUESTS_TOTAL, "kubetally_api_flow_requests_total", COUNTER, [FLOW_SCHEMA, PRIORITY_LEVEL],
        "Answers by the flow that priority and fairness put the request into: the UIDs of flow schema and priority level, _other beyond eight.";
    API_CLOCK_SKEW_SECONDS, "kubetally_api_clock_skew_seconds", GAUGE, [ENDPOINT],
        "The server's clock minus ours, by the Date headers of its answers; to be believed as far as the error allows.";
    API_CLOCK_SKEW_ERROR_SECONDS, "kubetally_api_clock_skew_error_seconds", GAUGE, [ENDPOINT],
        "How far the clock skew can be from what is shown, to either side.";
    API_WARNINGS_TOTAL, "kubetally_api_warnings_total", COUNTER, [],
        "Warning headers received.";
    API_PROBE_DURATION_SECONDS, "kubetally_api_probe_duration_seconds", REQUESTS, [ENDPOINT, QUESTION, WAY],
        "Time of a probe that was answered with 200; on a fresh connection with its dial, on the kept one without.";
    API_PROBE_FAILURES_TOTAL, "kubetally_api_probe_failures_total", COUNTER, [ENDPOINT, QUESTION, PROBE_FAILED],
        "Probes that were not answered with 200, by why.";
    API_UP, "kubetally_api_up", GAUGE, [ENDPOINT],
        "Whether the last probe was answered, with whatever status; the failures say which.";

    // Watches
    WATCH_CONNECTED, "kubetally_watch_connected", GAUGE, [RESOURCE],
        "Whether a live watch is open, for every namespace watched.";
    WATCH_SYNCED, "kubetally_watch_synced", GAUGE, [RESOURCE],
        "Whether the first list is complete, for every namespace watched.";
    WATCH_SERVED, "kubetally_watch_served", GAUGE, [RESOURCE],
        "Whether the API server has the resource and lets it be watched; 1 until it says otherwise.";
    WATCH_LAST_ACTIVITY_TIMESTAMP_SECONDS, "kubetally_watch_last_activity_timestamp_seconds", GAUGE, [RESOURCE, ACTIVITY],
        "When the watch last proved to be alive, of several the one silent for longest.";
    WATCH_START_DURATION_SECONDS, "kubetally_watch_start_duration_seconds", REQUESTS, [RESOURCE],
        "Time of one attempt to open a watch, from its dial to its headers.";
    WATCH_SYNC_DURATION_SECONDS, "kubetally_watch_sync_duration_seconds", REQUESTS, [RESOURCE, MODE],
        "Time from the start of a list to its complete state.";
    WATCH_STREAM_DURATION_SECONDS, "kubetally_watch_stream_duration_seconds", STREAMS, [RESOURCE],
        "How long watches lived.";
    WATCH_ENDS_TOTAL, "kubetally_watch_ends_total", COUNTER, [RESOURCE, END],
        "Watches that ended or could not be opened, by cause.";
    WATCH_RELISTS_TOTAL, "kubetally_watch_relists_total", COUNTER, [RESOURCE, RELIST],
        "Times everything was listed again, by cause.";
    WATCH_NOTIFICATIONS_TOTAL, "kubetally_watch_notifications_total", COUNTER, [RESOURCE, OP],
        "Notifications of watch streams decoded.";
    WATCH_FOREIGN_OBJECTS_TOTAL, "kubetally_watch_foreign_objects_total", COUNTER, [RESOURCE],
        "Objects received that are another shard's, as of an API server that cannot choose by shard; with shard.count only.";
    WATCH_DELIVERY_LAG_SECONDS, "kubetally_watch_delivery_lag_seconds", LAGS, [RESOURCE],
        "Time from an object's creation to its receipt on a live watch, by the server's clock, to the second; not of what a selector selects.";
    WATCH_CANARY_ROUNDTRIP_SECONDS, "kubetally_watch_canary_roundtrip_seconds", CANARY, [],
        "Time from the write of a Lease to its notification on a watch, by one clock; with canary.namespace only.";
    WATCH_CANARY_FAILURES_TOTAL, "kubetally_watch_canary_failures_total", COUNTER, [CANARY_FAILED],
        "Writes of the Lease that failed or were not seen before the next, and watches of it that broke or could not be opened.";
    WATCH_APPLY_DURATION_SECONDS, "kubetally_watch_apply_duration_seconds", APPLIES, [RESOURCE],
        "Time to decode and count the notifications that arrived together.";

    // Authentication, authorization, TLS
    AUTH_FAILURES_TOTAL, "kubetally_auth_failures_total", COUNTER, [AUTH_CODE, VERB, ASKED],
        "Answers of status 401 and 403.";
    AUTH_UNAUTHORIZED_TOTAL, "kubetally_auth_unauthorized_total", COUNTER, [UNAUTHORIZED],
        "Answers of status 401, explained by what is known here.";
    TOKEN_ISSUED_TIMESTAMP_SECONDS, "kubetally_token_issued_timestamp_seconds", GAUGE, [],
        "When the token in use was issued.";
    TOKEN_WARN_AFTER_TIMESTAMP_SECONDS, "kubetally_token_warn_after_timestamp_seconds", GAUGE, [],
        "When the token in use should have been replaced.";
    TOKEN_EXPIRATION_TIMESTAMP_SECONDS, "kubetally_token_expiration_timestamp_seconds", GAUGE, [],
        "When the token in use expires.";
    TOKEN_RELOADS_TOTAL, "kubetally_token_reloads_total", COUNTER, [TRIGGER, RESULT],
        "Times the token was read again.";
    PERMISSION_ALLOWED, "kubetally_permission_allowed", GAUGE, [VERB, ASKED],
        "Whether we may, wherever it is needed, as the last access review that did not fail has it; looked at every 40 to 55 s. Absent while unknown.";
    PERMISSION_CHECKS_TOTAL, "kubetally_permission_checks_total", COUNTER, [REVIEWED],
        "Access reviews by what they came to; an error is no denial.";
    IDENTITY_INFO, "kubetally_identity_info", GAUGE, [USERNAME],
        "Whom the API server takes us for, always 1. Absent while unknown.";
    TLS_HANDSHAKE_FAILURES_TOTAL, "kubetally_tls_handshake_failures_total", COUNTER, [TLS_FAILURE],
        "TLS handshakes with the API server that failed.";
    TLS_NOT_AFTER_TIMESTAMP_SECONDS, "kubetally_tls_not_after_timestamp_seconds", GAUGE, [CERTIFICATE],
        "When a certificate in use ends.";
    CA_RELOADS_TOTAL, "kubetally_ca_reloads_total", COUNTER, [RESULT],
        "Times the CA and client certificate files were read again.";

    // What the API server's audit tells of all its clients
    AUDIT_REQUESTS_TOTAL, "kubetally_audit_requests_total", COUNTER, [USER, AUDIT_VERB, CODE, DECISION],
        "Requests of all clients, as the API server's audit tells (audit.listen), by who asked and how it was answered.";
    AUDIT_RESOURCE_REQUESTS_TOTAL, "kubetally_audit_resource_requests_total", COUNTER, [AUDIT_VERB, AUDIT_RESOURCE, CODE],
        "The same requests by what was asked for; the resource of other paths is empty.";
    AUDIT_AUTH_FAILURES_TOTAL, "kubetally_audit_auth_failures_total", COUNTER, [AUTH_CODE, DECISION, ACCOUNT_NAMESPACE, ACCOUNT],
        "Answers of status 401 and 403 to service accounts; a 403 without the decision forbid is of admission.";
    AUDIT_STALE_TOKEN_REQUESTS_TOTAL, "kubetally_audit_stale_token_requests_total", COUNTER, [ACCOUNT_NAMESPACE, ACCOUNT],
        "Requests of service accounts by tokens that should have been replaced.";
    AUDIT_DEPRECATED_REQUESTS_TOTAL, "kubetally_audit_deprecated_requests_total", COUNTER, [USER, API_VERSION, API_RESOURCE, REMOVED],
        "Requests to deprecated APIs, with the release in which each is gone.";
    AUDIT_BATCHES_TOTAL, "kubetally_audit_batches_total", COUNTER, [BATCH],
        "Batches of audit events received, and why they were refused.";
    AUDIT_EVENTS_TOTAL, "kubetally_audit_events_total", COUNTER, [AUDIT_EVENT],
        "Audit events received, and whether their request was counted by them.";

    // The daemon
    BUILD_INFO, "kubetally_build_info", GAUGE, [VERSION, REVISION],
        "The build, always 1.";
    SHARD_INDEX, "kubetally_shard_index", GAUGE, [],
        "Which shard this is, from 0; with shard.count only.";
    SHARD_COUNT, "kubetally_shard_count", GAUGE, [],
        "How many shards there are; with shard.count only.";
    CONFIG_LAST_RELOAD_SUCCESSFUL, "kubetally_config_last_reload_successful", GAUGE, [],
        "Whether the configuration was last read without error.";
    CONFIG_LAST_RELOAD_SUCCESS_TIMESTAMP_SECONDS, "kubetally_config_last_reload_success_timestamp_seconds", GAUGE, [],
        "When the configuration was last read without error.";
    CONFIG_RELOADS_TOTAL, "kubetally_config_reloads_total", COUNTER, [RELOAD],
        "Times the configuration was read again.";
    HTTP_REFUSALS_TOTAL, "kubetally_http_refusals_total", COUNTER, [REFUSAL],
        "Clients of our own listener that were turned away, by why; what a token of a scraper lacks with http.authorization.";
    SCRAPE_DURATION_SECONDS, "kubetally_scrape_duration_seconds", REQUESTS, [],
        "Time to write a scrape of our own metrics.";
    SCRAPE_SIZE_BYTES, "kubetally_scrape_size_bytes", GAUGE, [ENCODING],
        "Size of the last scrape, by content encoding.";
    PROCESS_CPU_SECONDS_TOTAL, "process_cpu_seconds_total", COUNTER, [],
        "User and system CPU time of the process.";
    PROCESS_RESIDENT_MEMORY_BYTES, "process_resident_memory_bytes", GAUGE, [],
        "Resident memory of the process.";
    PROCESS_VIRTUAL_MEMORY_BYTES, "process_virtual_memory_bytes", GAUGE, [],
        "Virtual memory of the process.";
    PROCESS_OPEN_FDS, "process_open_fds", GAUGE, [],
        "Open file descriptors of the process.";
    PROCESS_MAX_FDS, "process_max_fds", GAUGE, [],
        "The limit on open file descriptors of the process.";
    PROCESS_START_TIME_SECONDS, "process_start_time_seconds", GAUGE, [],
        "When the process started.";
    PROCESS_THREADS, "process_threads", GAUGE, [],
        "Threads of the process.";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_a_capped_label_shows_its_overflow() {
        let capped = |label: &Label| {
            use Values::{
                Combinations, Namespaces, Nodes, Reasons, ReasonsBeside, ServiceAccounts,
            };
            matches!(
                label.values,
                Namespaces | Reasons | ReasonsBeside(_) | Nodes | Combinations | ServiceAccounts
            )
        };
        // Pods' other gauges by namespace share the rows, and the overflow, of kubetally_pods.
        let shared = [PODS_READY.name, PODS_UNSCHEDULABLE.name, PODS_TERMINATING.name];
        let expected: Vec<_> = ALL
            .iter()
            .filter(|metric| metric.labels.iter().any(capped) && !shared.contains(&metric.name))
            .map(|metric| metric.name)
            .collect();
        assert_eq!(CAPPED, expected);
    }
}
