//! A pod, as prost writes and reads it.

use std::collections::BTreeMap;

use super::{
    messages::{Condition, Meta, messages},
    values::{Quantity, Time},
};

messages! {
    Pod {
        "1" metadata: [message, optional] Option<Meta>,
        "2" spec: [message, optional] Option<Spec>,
        "3" status: [message, optional] Option<Status>,
    }
    Spec {
        "1" volumes: [message, repeated] Vec<Volume>,
        "2" containers: [message, repeated] Vec<Container>,
        "20" init_containers: [message, repeated] Vec<Container>,
        "3" restart_policy: [string] String,
        "4" termination_grace_period_seconds: [int64, optional] Option<i64>,
        "7" node_selector: [btree_map = "string, string"] BTreeMap<String, String>,
        "8" service_account_name: [string] String,
        "10" node_name: [string] String,
        "11" host_network: [bool] bool,
        "19" scheduler_name: [string] String,
        "22" tolerations: [message, repeated] Vec<Toleration>,
        "24" priority_class_name: [string] String,
        "29" runtime_class_name: [string, optional] Option<String>,
        "32" overhead: [btree_map = "string, message"] BTreeMap<String, Quantity>,
    }
    Volume {
        "1" name: [string] String,
        #[serde(flatten)]
        "2" source: [message, optional] Option<Source>,
    }
    Claim {
        "1" claim_name: [string] String,
        "2" read_only: [bool] bool,
    }
    Source {
        "10" persistent_volume_claim: [message, optional] Option<Claim>,
    }
    Container {
        "1" name: [string] String,
        "2" image: [string] String,
        "3" command: [string, repeated] Vec<String>,
        "8" resources: [message, optional] Option<Resources>,
        "24" restart_policy: [string, optional] Option<String>,
    }
    Resources {
        "1" limits: [btree_map = "string, message"] BTreeMap<String, Quantity>,
        "2" requests: [btree_map = "string, message"] BTreeMap<String, Quantity>,
    }
    Toleration {
        "1" key: [string] String,
        "2" operator: [string] String,
        "3" value: [string] String,
        "4" effect: [string] String,
        "5" toleration_seconds: [int64, optional] Option<i64>,
    }
    Status {
        "1" phase: [string] String,
        "2" conditions: [message, repeated] Vec<Condition>,
        "3" message: [string] String,
        "4" reason: [string] String,
        "5" host_ip: [string] String as "hostIP",
        "6" pod_ip: [string] String as "podIP",
        "7" start_time: [message, optional] Option<Time>,
        "8" container_statuses: [message, repeated] Vec<ContainerStatus>,
        "9" qos_class: [string] String,
        "10" init_container_statuses: [message, repeated] Vec<ContainerStatus>,
        "12" pod_ips: [message, repeated] Vec<Ip> as "podIPs",
    }
    Ip {
        "1" ip: [string] String,
    }
    ContainerStatus {
        "1" name: [string] String,
        "2" state: [message, optional] Option<State>,
        "3" last_state: [message, optional] Option<State>,
        "4" ready: [bool] bool,
        "5" restart_count: [int32] i32,
        "6" image: [string] String,
        "7" image_id: [string] String as "imageID",
        "8" container_id: [string] String as "containerID",
        "9" started: [bool, optional] Option<bool>,
    }
    State {
        "1" waiting: [message, optional] Option<Waiting>,
        "2" running: [message, optional] Option<Running>,
        "3" terminated: [message, optional] Option<Terminated>,
    }
    Waiting {
        "1" reason: [string] String,
        "2" message: [string] String,
    }
    Running {
        "1" started_at: [message, optional] Option<Time>,
    }
    Terminated {
        "1" exit_code: [int32] i32,
        "2" signal: [int32] i32,
        "3" reason: [string] String,
        "5" started_at: [message, optional] Option<Time>,
        "6" finished_at: [message, optional] Option<Time>,
        "7" container_id: [string] String as "containerID",
    }
}
