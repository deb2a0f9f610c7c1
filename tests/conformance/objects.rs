//! Pods and events, as their API takes them.

use std::time::SystemTime;

use serde_json::{Value, json};

/// The path of a namespace's pods.
pub fn pods(namespace: &str) -> String {
    format!("/api/v1/namespaces/{namespace}/pods")
}

/// The path of a namespace's events in core/v1.
pub fn events(namespace: &str) -> String {
    format!("/api/v1/namespaces/{namespace}/events")
}

/// The path of a namespace's events in events.k8s.io/v1.
pub fn new_events(namespace: &str) -> String {
    format!("/apis/events.k8s.io/v1/namespaces/{namespace}/events")
}

/// A pod of one container, bound to a node or not yet.
pub fn pod(name: &str, node: Option<&str>) -> Value {
    json!({
        "metadata": {"name": name, "labels": {"app": "web"}},
        "spec": {
            "nodeName": node,
            "containers": [{"name": "app", "image": "example/app:1"}],
        },
    })
}

/// A status patch that changes the phase and whether the pod is ready.
pub fn phase(phase: &str, ready: bool) -> Value {
    let status = if ready { "True" } else { "False" };
    let ready = json!({"type": "Ready", "status": status, "lastTransitionTime": seconds()});
    json!({"status": {"phase": phase, "conditions": [ready]}})
}

/// A status patch that changes the pod's container.
pub fn container(restarts: u64, state: Value, last: Value) -> Value {
    json!({"status": {"containerStatuses": [{
        "name": "app",
        "image": "example/app:1",
        "imageID": "sha256:1",
        "ready": false,
        "restartCount": restarts,
        "state": state,
        "lastState": last,
    }]}})
}

/// The state of a container that waits.
pub fn waiting(reason: &str) -> Value {
    json!({"waiting": {"reason": reason}})
}

/// The state of a container that ended.
pub fn terminated(reason: &str, id: u64) -> Value {
    json!({"terminated": {
        "reason": reason,
        "exitCode": 1,
        "startedAt": seconds(),
        "finishedAt": seconds(),
        "containerID": format!("containerd://{id}"),
    }})
}

/// An event of core/v1 about a pod of its namespace.
pub fn event(namespace: &str, name: &str, kind: &str, reason: &str, count: u32) -> Value {
    json!({
        "metadata": {"name": name},
        "involvedObject": {"kind": "Pod", "namespace": namespace, "name": "web"},
        "reason": reason,
        "message": "something happened",
        "source": {"component": "test"},
        "type": kind,
        "count": count,
        "firstTimestamp": seconds(),
        "lastTimestamp": seconds(),
    })
}

/// An event of events.k8s.io/v1 about a pod of its namespace.
pub fn new_event(namespace: &str, name: &str, kind: &str, reason: &str) -> Value {
    json!({
        "metadata": {"name": name},
        "regarding": {"kind": "Pod", "namespace": namespace, "name": "web"},
        "reason": reason,
        "note": "something happened",
        "action": "Testing",
        "reportingController": "test",
        "reportingInstance": "test-1",
        "type": kind,
        "eventTime": micros(),
    })
}

/// A patch of an event's series.
pub fn series(count: u32) -> Value {
    json!({"series": {"count": count, "lastObservedTime": micros()}})
}

/// Now, in whole seconds.
fn seconds() -> String {
    humantime::format_rfc3339_seconds(SystemTime::now()).to_string()
}

/// Now, in the form of a MicroTime.
fn micros() -> String {
    humantime::format_rfc3339_micros(SystemTime::now()).to_string()
}

/// An event of a pod in protobuf, in which its reason may be any bytes.
pub fn raw_event(namespace: &str, name: &str, reason: &[u8]) -> Vec<u8> {
    let namespace = namespace.as_bytes();
    let meta = [field(1, name.as_bytes()), field(3, namespace)].concat();
    let object = [field(1, b"Pod"), field(2, namespace), field(3, b"web-1")].concat();
    let told = [field(3, reason), field(9, b"Warning")].concat();
    let raw = [field(1, &meta), field(2, &object), told].concat();
    let kind = [field(1, b"v1"), field(2, b"Event")].concat();
    [b"k8s\0".to_vec(), field(1, &kind), field(2, &raw)].concat()
}

fn field(number: u8, bytes: &[u8]) -> Vec<u8> {
    let length = u8::try_from(bytes.len()).ok().filter(|length| *length < 0x80);
    [&[number << 3 | 2, length.expect("few bytes")], bytes].concat()
}
