//! What stands around the pods: nodes, services, deployments, jobs.

use std::time::SystemTime;

use serde_json::{Value, json};

use super::objects::seconds;

/// How the pods of a deployment stand.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Replicas {
    /// How many there should be.
    pub wanted: u32,
    /// How many there are, but those that have ended or are told to.
    pub present: u32,
    /// How many of them are ready.
    pub ready: u32,
}

/// A node on which all is well.
#[must_use]
pub fn node(name: &str, since: SystemTime) -> Value {
    let condition = |(kind, status, reason): (&str, &str, &str)| {
        json!({
            "type": kind,
            "status": status,
            "reason": reason,
            "lastHeartbeatTime": seconds(since),
            "lastTransitionTime": seconds(since),
        })
    };
    let conditions = [
        ("MemoryPressure", "False", "KubeletHasSufficientMemory"),
        ("DiskPressure", "False", "KubeletHasNoDiskPressure"),
        ("PIDPressure", "False", "KubeletHasSufficientPID"),
        ("Ready", "True", "KubeletReady"),
    ];
    let resources = json!({"cpu": "8", "memory": "32Gi", "pods": "110"});
    json!({
        "metadata": {"name": name, "creationTimestamp": seconds(since)},
        "spec": {},
        "status": {
            "capacity": resources,
            "allocatable": resources,
            "conditions": conditions.map(condition),
            "addresses": [{"type": "Hostname", "address": name}],
        },
    })
}

/// The service before an application.
#[must_use]
pub fn service(namespace: &str, app: &str, kind: &str, since: SystemTime) -> Value {
    json!({
        "metadata": {"name": app, "namespace": namespace, "creationTimestamp": seconds(since)},
        "spec": {"type": kind, "selector": {"app": app}, "ports": [{"port": 80, "protocol": "TCP"}]},
        "status": {"loadBalancer": {}},
    })
}

/// The deployment of an application; `stuck` where it will not come up.
#[must_use]
pub fn deployment(
    namespace: &str,
    app: &str,
    replicas: Replicas,
    stuck: bool,
    since: SystemTime,
) -> Value {
    let Replicas { wanted, present, ready } = replicas;
    let condition = |kind: &str, holds: bool, reason: &str| {
        let status = if holds { "True" } else { "False" };
        json!({"type": kind, "status": status, "reason": reason, "lastTransitionTime": seconds(since)})
    };
    let available = match ready >= wanted {
        true => condition("Available", true, "MinimumReplicasAvailable"),
        false => condition("Available", false, "MinimumReplicasUnavailable"),
    };
    let progressing = match stuck {
        true => condition("Progressing", false, "ProgressDeadlineExceeded"),
        false => condition("Progressing", true, "NewReplicaSetAvailable"),
    };
    json!({
        "metadata": {
            "name": app,
            "namespace": namespace,
            "generation": 1,
            "creationTimestamp": seconds(since),
            "labels": {"app": app},
        },
        "spec": {"replicas": wanted, "selector": {"matchLabels": {"app": app}}},
        "status": {
            "observedGeneration": 1,
            "replicas": present,
            "updatedReplicas": present,
            "readyReplicas": ready,
            "availableReplicas": ready,
            "unavailableReplicas": wanted.saturating_sub(ready),
            "conditions": [available, progressing],
        },
    })
}

/// A job: under way, or at the end that a condition names.
#[must_use]
pub fn job(
    namespace: &str,
    name: &str,
    active: u32,
    end: Option<&str>,
    since: SystemTime,
) -> Value {
    let condition =
        |kind: &str| json!({"type": kind, "status": "True", "lastTransitionTime": seconds(since)});
    let conditions: Vec<Value> = end.into_iter().map(condition).collect();
    json!({
        "metadata": {"name": name, "namespace": namespace, "creationTimestamp": seconds(since)},
        "spec": {"parallelism": active.max(1), "backoffLimit": 6},
        "status": {"active": active, "startTime": seconds(since), "conditions": conditions},
    })
}
