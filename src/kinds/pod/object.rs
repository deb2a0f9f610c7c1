//! A pod on the wire, as far as it is read.

use serde::Deserialize;

use crate::wire::{
    DecodeError,
    message::{message, object},
    meta::Meta,
    protobuf::{Field, Fields, Message, Value},
    text::{Text, lax},
    values::{Map, Quantities, Time},
};

message! {
    /// A pod, as far as it is read.
    pub struct Pod<'a> {
        1 "metadata" pub(super) metadata: Meta<'a>,
        2 "spec" pub(super) spec: Spec<'a>,
        3 "status" pub(super) status: Status<'a>,
    }
}

object!(Pod);

message! {
    pub(super) struct Spec<'a> {
        1 "volumes" pub(super) volumes: Vec<Volume<'a>>,
        2 "containers" pub(super) containers: Vec<Container<'a>>,
        20 "initContainers" pub(super) init_containers: Vec<Container<'a>>,
        3 "restartPolicy" pub(super) restart_policy: Text<'a>,
        7 "nodeSelector" pub(super) node_selector: Map<'a>,
        8 "serviceAccountName" pub(super) service_account_name: Text<'a>,
        10 "nodeName" pub(super) node_name: Text<'a>,
        11 "hostNetwork" pub(super) host_network: bool,
        19 "schedulerName" pub(super) scheduler_name: Text<'a>,
        22 "tolerations" pub(super) tolerations: Vec<Toleration<'a>>,
        24 "priorityClassName" pub(super) priority_class_name: Text<'a>,
        29 "runtimeClassName" pub(super) runtime_class_name: Option<Text<'a>>,
        32 "overhead" pub(super) overhead: Quantities<'a>,
    }
}

/// A volume. Protobuf has its source in a message of its own.
#[derive(Debug, Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
pub(super) struct Volume<'a> {
    #[serde(deserialize_with = "lax")]
    pub(super) name: Text<'a>,
    #[serde(rename = "persistentVolumeClaim", deserialize_with = "lax")]
    pub(super) claim: Option<Claim<'a>>,
}

impl<'a> Message<'a> for Volume<'a> {
    fn merge(&mut self, field: u32, value: Value<'a>) -> Result<(), DecodeError> {
        match field {
            1 => self.name.take(value)?,
            2 => {
                for field in Fields::new(value.bytes()?) {
                    if let (10, claim) = field? {
                        Field::take(&mut self.claim, claim)?;
                    }
                }
            }
            _ => {}
        }
        Ok(())
    }
}

message! {
    pub(super) struct Claim<'a> {
        1 "claimName" pub(super) name: Text<'a>,
        2 "readOnly" pub(super) read_only: bool,
    }
}

message! {
    pub(super) struct Container<'a> {
        1 "name" pub(super) name: Text<'a>,
        2 "image" pub(super) image: Text<'a>,
        8 "resources" pub(super) resources: Resources<'a>,
        24 "restartPolicy" pub(super) restart_policy: Text<'a>,
    }
}

message! {
    pub(super) struct Resources<'a> {
        1 "limits" pub(super) limits: Quantities<'a>,
        2 "requests" pub(super) requests: Quantities<'a>,
    }
}

message! {
    pub(super) struct Toleration<'a> {
        1 "key" pub(super) key: Text<'a>,
        2 "operator" pub(super) operator: Text<'a>,
        3 "value" pub(super) value: Text<'a>,
        4 "effect" pub(super) effect: Text<'a>,
        5 "tolerationSeconds" pub(super) seconds: Option<i64>,
    }
}

message! {
    pub(super) struct Status<'a> {
        1 "phase" pub(super) phase: Text<'a>,
        2 "conditions" pub(super) conditions: Vec<Condition<'a>>,
        4 "reason" pub(super) reason: Text<'a>,
        5 "hostIP" pub(super) host_ip: Text<'a>,
        6 "podIP" pub(super) pod_ip: Text<'a>,
        7 "startTime" pub(super) start_time: Time,
        8 "containerStatuses" pub(super) container_statuses: Vec<ContainerStatus<'a>>,
        9 "qosClass" pub(super) qos_class: Text<'a>,
        10 "initContainerStatuses" pub(super) init_container_statuses: Vec<ContainerStatus<'a>>,
        12 "podIPs" pub(super) pod_ips: Vec<PodIp<'a>>,
    }
}

message! {
    pub(super) struct PodIp<'a> {
        1 "ip" pub(super) ip: Text<'a>,
    }
}

message! {
    pub(super) struct Condition<'a> {
        1 "type" pub(super) kind: Text<'a>,
        2 "status" pub(super) status: Text<'a>,
        4 "lastTransitionTime" pub(super) last_transition_time: Time,
        5 "reason" pub(super) reason: Text<'a>,
    }
}

message! {
    pub(super) struct ContainerStatus<'a> {
        1 "name" pub(super) name: Text<'a>,
        2 "state" pub(super) state: State<'a>,
        3 "lastState" pub(super) last_state: State<'a>,
        4 "ready" pub(super) ready: bool,
        5 "restartCount" pub(super) restart_count: i64,
        6 "image" pub(super) image: Text<'a>,
        7 "imageID" pub(super) image_id: Text<'a>,
        8 "containerID" pub(super) container_id: Text<'a>,
    }
}

message! {
    pub(super) struct State<'a> {
        1 "waiting" pub(super) waiting: Option<Waiting<'a>>,
        2 "running" pub(super) running: Option<Running>,
        3 "terminated" pub(super) terminated: Option<Terminated<'a>>,
    }
}

message! {
    pub(super) struct Waiting<'a> {
        1 "reason" pub(super) reason: Text<'a>,
    }
}

message! {
    pub(super) struct Running {
        1 "startedAt" pub(super) started_at: Time,
    }
}

message! {
    pub(super) struct Terminated<'a> {
        1 "exitCode" pub(super) exit_code: i64,
        3 "reason" pub(super) reason: Text<'a>,
        5 "startedAt" pub(super) started_at: Time,
        6 "finishedAt" pub(super) finished_at: Time,
        7 "containerID" pub(super) container_id: Text<'a>,
    }
}

impl<'a> Status<'a> {
    pub(super) fn condition(&self, kind: &str) -> Option<&Condition<'a>> {
        self.conditions.iter().find(|condition| &*condition.kind == kind)
    }
}
