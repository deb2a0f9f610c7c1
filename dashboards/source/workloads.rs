//! Workloads: pods, containers, deployments, jobs and nodes, by their tallies alone, whose number
//! is bounded whatever the cluster's size.

use crate::{
    dashboard::{Dashboard, Row, row},
    panel::{bars, graph, heatmap, stat, table},
};

/// The colors of a pod's phases.
pub const PHASES: [(&str, &str); 5] = [
    ("Running", "green"),
    ("Pending", "yellow"),
    ("Succeeded", "blue"),
    ("Failed", "red"),
    ("Unknown", "purple"),
];

/// Those of the pods in trouble.
pub const TROUBLE: [(&str, &str); 4] = [
    ("not ready", "yellow"),
    ("unschedulable", "orange"),
    ("failed", "red"),
    ("terminating", "blue"),
];

pub fn dashboard() -> Dashboard {
    Dashboard {
        name: "workloads",
        title: "Workloads",
        about: "Pods, containers, deployments, jobs and nodes: how many there are, and how many \
                are amiss. _other stands for namespaces beyond the cap.",
        rows: vec![now(), pods(), containers(), controllers(), surroundings()],
    }
}

/// A reason that was never met has no series: then there is none of it, as long as there are pods.
fn or_none(count: &str) -> String {
    format!("{count} or 0 * sum(kubetally_pods{{@ns}})")
}

fn now() -> Row {
    const SOME: [(f64, &str); 1] = [(1.0, "orange")];
    row(
        "Is anything amiss?",
        [
            stat("Pods", "Pods of the namespaces chosen.")
                .unit("none")
                .steps("text", &[])
                .query("pods", "sum(kubetally_pods{@ns})"),
            stat("Ready", "Share of the running pods that are ready.")
                .unit("percentunit")
                .steps("red", &[(0.9, "orange"), (0.99, "green")])
                .query(
                    "ready",
                    "sum(kubetally_pods_ready{@ns}) / sum(kubetally_pods{@ns, phase=\"Running\"})",
                ),
            stat("Unschedulable", "Pods that fit on no node.")
                .unit("none")
                .steps("green", &SOME)
                .query("unschedulable", "sum(kubetally_pods_unschedulable{@ns})"),
            stat("Waiting", "Containers and init containers that wait.")
                .unit("none")
                .steps("green", &SOME)
                .query("waiting", &or_none("sum(kubetally_containers_waiting{@ns})")),
            stat("OOM kills", "Containers killed for want of memory in the time shown.")
                .unit("short")
                .steps("green", &SOME)
                .query(
                    "OOM kills",
                    &or_none(
                        "sum(increase(kubetally_container_terminations_total{@ns, \
                         reason=\"OOMKilled\"}[$__range]))",
                    ),
                ),
            stat("Degraded", "Deployments that do not get on, or lack replicas.")
                .unit("none")
                .steps("green", &SOME)
                .query("degraded", "sum(kubetally_deployments{@ns, state=\"degraded\"})"),
            stat("Failed jobs", "Jobs that have failed and still exist.")
                .unit("none")
                .steps("green", &SOME)
                .query("failed", "sum(kubetally_jobs{@ns, state=\"failed\"})"),
            stat("Nodes not ready", "Nodes whose condition Ready is False or Unknown.")
                .unit("none")
                .steps("green", &[(1.0, "red")])
                .query(
                    "not ready",
                    "sum(kubetally_nodes{@, condition=\"Ready\", status!=\"True\"})",
                ),
        ],
    )
}

fn pods() -> Row {
    row("Pods", [
        graph("By phase", "Pods of the namespaces chosen, by phase.")
            .stacked()
            .colors(&PHASES)
            .query("{{phase}}", "sum by (phase) (kubetally_pods{@ns})"),
        graph(
            "In trouble",
            "Pods that run and are not ready, that fit on no node, that have failed, and that are \
             being deleted.",
        )
        .query(
            "not ready",
            "sum(kubetally_pods{@ns, phase=\"Running\"}) - sum(kubetally_pods_ready{@ns})",
        )
        .query("unschedulable", "sum(kubetally_pods_unschedulable{@ns})")
        .query("failed", "sum(kubetally_pods{@ns, phase=\"Failed\"})")
        .query("terminating", "sum(kubetally_pods_terminating{@ns})")
        .colors(&TROUBLE),
        bars("By namespace", "The fifteen namespaces with the most pods.")
            .query("{{namespace}}", "topk(15, sum by (namespace) (kubetally_pods{@ns}))"),
        graph("Changes of phase", "Changes of a pod's phase a minute, in all namespaces.")
            .per_minute()
            .query(
                "{{from}} to {{to}}",
                "60 * sum by (from, to) \
                 (rate(kubetally_pod_phase_transitions_total{@}[$__rate_interval])) > 0",
            ),
        heatmap(
            "From creation to Ready",
            "How many pods took how long to become ready, of those created while watching.",
        )
        .query(
            "{{le}}",
            "sum by (le) \
             (increase(kubetally_pod_start_duration_seconds_bucket{@}[$__rate_interval]))",
        ),
        graph("From creation to Ready, quantiles", "Half of the pods were ready sooner than p50.")
            .unit("s")
            .query(
                "p50",
                "histogram_quantile(0.50, sum by (le) \
                 (rate(kubetally_pod_start_duration_seconds_bucket{@}[$__rate_interval])))",
            )
            .query(
                "p99",
                "histogram_quantile(0.99, sum by (le) \
                 (rate(kubetally_pod_start_duration_seconds_bucket{@}[$__rate_interval])))",
            ),
    ])
}

fn containers() -> Row {
    row(
        "Containers",
        [
            graph("Why they wait", "Containers and init containers that wait, by reason.")
                .query("{{reason}}", "sum by (reason) (kubetally_containers_waiting{@ns})"),
            graph("Restarts", "Restarts a minute, the ten namespaces with most of them.")
                .per_minute()
                .query(
                    "{{namespace}}",
                    "topk(10, 60 * sum by (namespace) \
                     (rate(kubetally_container_restarts_total{@ns}[$__rate_interval])))",
                ),
            graph("Ended", "Terminations of containers a minute, by reason.")
                .per_minute()
                .colors(&[("OOMKilled", "red"), ("Error", "orange"), ("Completed", "blue")])
                .query(
                    "{{reason}}",
                    "60 * sum by (reason) \
                     (rate(kubetally_container_terminations_total{@ns}[$__rate_interval]))",
                ),
            table(
                "What ended where",
                "Terminations in the time shown by namespace and reason, the fifty most frequent.",
            )
            .size(24, 8)
            .query(
                "",
                "topk(50, sum by (namespace, reason) \
                 (increase(kubetally_container_terminations_total{@ns}[$__range])))",
            )
            .columns(&[("namespace", "Namespace"), ("reason", "Reason"), ("Value", "Terminations")])
            .sorted_by("Terminations"),
        ],
    )
}

fn controllers() -> Row {
    const STATES: [(&str, &str); 8] = [
        ("available", "green"),
        ("progressing", "blue"),
        ("degraded", "red"),
        ("paused", "yellow"),
        ("active", "blue"),
        ("complete", "green"),
        ("failed", "red"),
        ("suspended", "yellow"),
    ];
    row(
        "Deployments and jobs",
        [
            graph("Deployments", "Deployments of the namespaces chosen, each in one state.")
                .stacked()
                .colors(&STATES[..4])
                .query("{{state}}", "sum by (state) (kubetally_deployments{@ns})"),
            table("Deployments that are degraded", "By namespace; empty where there is none.")
                .unit("none")
                .query(
                    "",
                    "sum by (namespace) (kubetally_deployments{@ns, state=\"degraded\"}) > 0",
                )
                .columns(&[("namespace", "Namespace"), ("Value", "Degraded")])
                .sorted_by("Degraded"),
            graph("Jobs", "Jobs of the namespaces chosen, each in one state.")
                .stacked()
                .colors(&STATES[4..])
                .query("{{state}}", "sum by (state) (kubetally_jobs{@ns})"),
        ],
    )
}

fn surroundings() -> Row {
    row("Where and what else", [
        table(
            "Nodes",
            "Nodes by condition: for how many it holds, does not, or is not known. Unschedulable \
             is of their spec.",
        )
        .unit("none")
        .query("", "sum by (condition, status) (kubetally_nodes{@})")
        .matrix("condition", "status"),
        bars("Pods by node", "The fifteen nodes with the most pods, ended ones included.")
            .query("{{node}}", "topk(15, sum by (node) (kubetally_node_pods{@}))"),
        bars("Pods by owner", "Pods by the kind of what manages them.")
            .query("{{kind}}", "topk(15, sum by (kind) (kubetally_pods_by_owner{@}))"),
        table("Objects by namespace", "Objects held, of each resource in each namespace.")
            .size(24, 9)
            .unit("none")
            .query("", "sum by (namespace, resource) (kubetally_namespace_objects{@ns})")
            .matrix("namespace", "resource"),
        stat("Pods by quality of service", "Guaranteed pods are the last to be evicted.")
            .size(8, 4)
            .unit("none")
            .steps("text", &[])
            .query("{{qos_class}}", "sum by (qos_class) (kubetally_pods_by_qos{@})"),
        stat("Services", "Services by type.")
            .size(8, 4)
            .unit("none")
            .steps("text", &[])
            .query("{{type}}", "sum by (type) (kubetally_services{@})"),
        stat("Namespaces", "Namespaces by phase: one that is terminating for long is stuck.")
            .size(8, 4)
            .unit("none")
            .steps("text", &[])
            .query("{{phase}}", "sum by (phase) (kubetally_namespaces{@})"),
    ])
}
