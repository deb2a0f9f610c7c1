//! Objects as a cluster writes them: pods, events, namespaces.

use std::time::SystemTime;

use humantime::{format_rfc3339_micros, format_rfc3339_seconds};
use serde_json::{Value, json};

/// A time as most fields have it.
#[must_use]
pub fn seconds(time: SystemTime) -> String {
    format_rfc3339_seconds(time).to_string()
}

/// A time as `eventTime` and a series have it.
#[must_use]
pub fn micros(time: SystemTime) -> String {
    format_rfc3339_micros(time).to_string()
}

/// A pod, as its controller, the scheduler and its kubelet have left it.
#[derive(Clone, Debug)]
pub struct Pod {
    /// Its namespace.
    pub namespace: &'static str,
    /// Its name.
    pub name: String,
    /// Its UID.
    pub uid: String,
    /// The label `app`, the container's name, its image's.
    pub app: &'static str,
    /// Kind, name and UID of the controller.
    pub owner: (&'static str, String, String),
    /// When it was created.
    pub created: SystemTime,
    /// The node it is bound to.
    pub node: Option<String>,
    /// How it is.
    pub stage: Stage,
    /// Since when.
    pub since: SystemTime,
    /// How often its container was restarted.
    pub restarts: u32,
    /// How its container ended last.
    pub last: Option<Ended>,
    /// Whether its deletion was asked for.
    pub terminating: bool,
}

/// How a pod is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Not scheduled yet.
    Pending,
    /// Fits nowhere.
    Unschedulable,
    /// Scheduled; its container waits for its image.
    Creating,
    /// Its container runs, and is not ready.
    Starting,
    /// All is well.
    Ready,
    /// Its container has ended and will be started again.
    Stopped,
    /// Its container ends again and again.
    BackOff,
    /// It has done its work.
    Succeeded,
    /// Its node was short of memory.
    Evicted,
}

/// How a container ended.
#[derive(Clone, Debug)]
pub struct Ended {
    /// Such as `OOMKilled`.
    pub reason: &'static str,
    /// Its exit code.
    pub code: i32,
    /// When it began.
    pub started: SystemTime,
    /// When it ended.
    pub finished: SystemTime,
    /// Which run of the container it was.
    pub run: u32,
}

impl Pod {
    /// The object.
    #[must_use]
    pub fn json(&self) -> Value {
        let (kind, owner, owner_uid) = &self.owner;
        let mut metadata = json!({
            "name": self.name,
            "namespace": self.namespace,
            "uid": self.uid,
            "resourceVersion": "",
            "generation": 1,
            "creationTimestamp": seconds(self.created),
            "labels": {"app": self.app},
            "ownerReferences": [{
                "apiVersion": "apps/v1",
                "kind": kind,
                "name": owner,
                "uid": owner_uid,
                "controller": true,
                "blockOwnerDeletion": true,
            }],
        });
        if self.terminating {
            metadata["deletionTimestamp"] = seconds(self.since).into();
            metadata["deletionGracePeriodSeconds"] = 30.into();
        }
        let mut spec = json!({
            "containers": [{
                "name": self.app,
                "image": self.image(),
                "resources": {"requests": {"cpu": "100m", "memory": "64Mi"}},
                "terminationMessagePath": "/dev/termination-log",
                "terminationMessagePolicy": "File",
                "imagePullPolicy": "IfNotPresent",
            }],
            "restartPolicy": if *kind == "Job" { "Never" } else { "Always" },
            "terminationGracePeriodSeconds": 30,
            "dnsPolicy": "ClusterFirst",
            "serviceAccountName": "default",
            "schedulerName": "default-scheduler",
        });
        if let Some(node) = &self.node {
            spec["nodeName"] = node.as_str().into();
        }
        json!({"metadata": metadata, "spec": spec, "status": self.status()})
    }

    /// Whether it counts as a replica: neither ended nor told to end.
    #[must_use]
    pub const fn is_there(&self) -> bool {
        !self.terminating && !matches!(self.stage, Stage::Succeeded | Stage::Evicted)
    }

    fn image(&self) -> String {
        format!("registry.example.com/{}/{}:v1", self.namespace, self.app)
    }

    fn status(&self) -> Value {
        if self.stage == Stage::Evicted {
            return json!({
                "phase": "Failed",
                "message": "The node was low on resource: memory.",
                "reason": "Evicted",
                "qosClass": "Burstable",
                "startTime": seconds(self.created),
            });
        }
        let mut status = json!({"phase": self.phase(), "conditions": self.conditions()});
        if self.node.is_some() {
            status["hostIP"] = "192.0.2.10".into();
            status["startTime"] = seconds(self.created).into();
            status["containerStatuses"] = json!([self.container()]);
        }
        status["qosClass"] = "Burstable".into();
        status
    }

    const fn phase(&self) -> &'static str {
        match self.stage {
            Stage::Pending | Stage::Unschedulable | Stage::Creating => "Pending",
            Stage::Starting | Stage::Ready | Stage::Stopped | Stage::BackOff => "Running",
            Stage::Succeeded => "Succeeded",
            Stage::Evicted => "Failed",
        }
    }

    fn conditions(&self) -> Value {
        let condition = |kind: &str, status: bool| {
            let status = if status { "True" } else { "False" };
            json!({
                "type": kind,
                "status": status,
                "lastProbeTime": null,
                "lastTransitionTime": seconds(self.since),
            })
        };
        if self.stage == Stage::Unschedulable {
            let mut unscheduled = condition("PodScheduled", false);
            unscheduled["reason"] = "Unschedulable".into();
            unscheduled["message"] = "0/3 nodes are available: 3 Insufficient cpu.".into();
            return json!([unscheduled]);
        }
        if self.node.is_none() {
            return json!([]);
        }
        let ready = self.stage == Stage::Ready && !self.terminating;
        json!([
            condition("Initialized", true),
            condition("Ready", ready),
            condition("ContainersReady", ready),
            condition("PodScheduled", true),
        ])
    }

    fn container(&self) -> Value {
        let ended = |ended: &Ended| {
            json!({"terminated": {
                "exitCode": ended.code,
                "reason": ended.reason,
                "startedAt": seconds(ended.started),
                "finishedAt": seconds(ended.finished),
                "containerID": format!("containerd://{}-{}", self.uid, ended.run),
            }})
        };
        let last = self.last.as_ref().map_or_else(|| json!({}), ended);
        let waiting = |reason: &str| json!({"waiting": {"reason": reason}});
        let (state, last_state) = match self.stage {
            Stage::Creating => (waiting("ContainerCreating"), json!({})),
            Stage::BackOff => (waiting("CrashLoopBackOff"), last),
            Stage::Stopped | Stage::Succeeded => (last, json!({})),
            _ => (json!({"running": {"startedAt": seconds(self.since)}}), last),
        };
        json!({
            "name": self.app,
            "state": state,
            "lastState": last_state,
            "ready": self.stage == Stage::Ready,
            "restartCount": self.restarts,
            "image": self.image(),
            "started": matches!(self.stage, Stage::Starting | Stage::Ready),
        })
    }
}

/// An event, as one of the two recorders writes it.
#[derive(Clone, Debug)]
pub struct Event {
    /// Its namespace.
    pub namespace: &'static str,
    /// Its name.
    pub name: String,
    /// Kind and name of what it is about.
    pub about: (&'static str, String),
    /// Whether it is a warning.
    pub warning: bool,
    /// Its reason.
    pub reason: &'static str,
    /// Its message.
    pub message: &'static str,
    /// Who says so.
    pub component: &'static str,
    /// When it happened first.
    pub first: SystemTime,
    /// When it happened last.
    pub last: SystemTime,
    /// How often it happened.
    pub count: u32,
    /// Whether the recorder of events.k8s.io writes it, with a series, or the legacy one, with a
    /// count.
    pub series: bool,
}

impl Event {
    /// The object, in core/v1.
    #[must_use]
    pub fn json(&self) -> Value {
        let legacy = |value: Value| if self.series { Value::Null } else { value };
        let source = if self.series { json!({}) } else { json!({"component": self.component}) };
        let mut event = json!({
            "metadata": {
                "name": self.name,
                "namespace": self.namespace,
                "uid": "",
                "resourceVersion": "",
                "creationTimestamp": "",
            },
            "involvedObject": {
                "kind": self.about.0,
                "namespace": self.namespace,
                "name": self.about.1,
                "apiVersion": "v1",
            },
            "reason": self.reason,
            "message": self.message,
            "source": source,
            "firstTimestamp": legacy(seconds(self.first).into()),
            "lastTimestamp": legacy(seconds(self.last).into()),
        });
        if !self.series {
            event["count"] = self.count.into();
        }
        event["type"] = if self.warning { "Warning" } else { "Normal" }.into();
        event["eventTime"] = match self.series {
            true => micros(self.first).into(),
            false => Value::Null,
        };
        if self.series && self.count > 1 {
            let last = micros(self.last);
            event["series"] = json!({"count": self.count, "lastObservedTime": last});
        }
        if self.series {
            event["action"] = "Scheduling".into();
        }
        event["reportingComponent"] = self.component.into();
        event["reportingInstance"] = self.component.into();
        event
    }
}

/// A namespace.
#[must_use]
pub fn namespace(name: &str) -> Value {
    json!({
        "metadata": {
            "name": name,
            "uid": "",
            "resourceVersion": "",
            "creationTimestamp": "",
            "labels": {"kubernetes.io/metadata.name": name},
        },
        "spec": {"finalizers": ["kubernetes"]},
        "status": {"phase": "Active"},
    })
}
