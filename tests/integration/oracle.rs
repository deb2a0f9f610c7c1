//! The reader of protobuf against prost: the same pod, written by prost and as JSON, reads the
//! same. Messages are declared by hand, from Kubernetes' `generated.proto`, with fields that are
//! not read among them.

use std::{
    collections::BTreeMap,
    time::{Duration, UNIX_EPOCH},
};

use fastrand::Rng;
use kubetally::{
    kinds::pod,
    wire::{Decode, Encoding, Payload},
};
use proptest::prelude::*;
use prost::Message;
use serde::{Serialize, Serializer};

/// What an answer in protobuf begins with.
const MAGIC: &[u8] = b"k8s\0";

macro_rules! messages {
    ($($name:ident { $($tag:literal $field:ident: [$($kind:tt)+] $type:ty $(as $how:literal)?,)+ })+) => {$(
        #[derive(Clone, PartialEq, Message, Serialize)]
        #[serde(rename_all = "camelCase")]
        struct $name {$(
            #[prost($($kind)+, tag = $tag)]
            $(#[serde(rename = $how)])?
            $field: $type,
        )+}
    )+};
}

messages! {
    Pod {
        "1" metadata: [message, optional] Option<Meta>,
        "2" spec: [message, optional] Option<Spec>,
        "3" status: [message, optional] Option<Status>,
    }
    Meta {
        "1" name: [string] String,
        "2" generate_name: [string] String,
        "3" namespace: [string] String,
        "5" uid: [string] String,
        "6" resource_version: [string] String,
        "7" generation: [int64] i64,
        "8" creation_timestamp: [message, optional] Option<Time>,
        "9" deletion_timestamp: [message, optional] Option<Time>,
        "11" labels: [btree_map = "string, string"] BTreeMap<String, String>,
        "12" annotations: [btree_map = "string, string"] BTreeMap<String, String>,
        "13" owner_references: [message, repeated] Vec<Owner>,
    }
    Owner {
        "1" kind: [string] String,
        "3" name: [string] String,
        "4" uid: [string] String,
        "6" controller: [bool, optional] Option<bool>,
    }
    Spec {
        "1" volumes: [message, repeated] Vec<Volume>,
        "2" containers: [message, repeated] Vec<Container>,
        "20" init_containers: [message, repeated] Vec<Container>,
        "3" restart_policy: [string] String,
        "4" termination_grace_period_seconds: [int64, optional] Option<i64>,
        "8" service_account_name: [string] String,
        "10" node_name: [string] String,
        "11" host_network: [bool] bool,
        "19" scheduler_name: [string] String,
        "22" tolerations: [message, repeated] Vec<Toleration>,
        "24" priority_class_name: [string] String,
        "29" runtime_class_name: [string, optional] Option<String>,
        "32" overhead: [btree_map = "string, message"] BTreeMap<String, Quantity>,
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
    Condition {
        "1" kind: [string] String as "type",
        "2" status: [string] String,
        "4" last_transition_time: [message, optional] Option<Time>,
        "5" reason: [string] String,
        "6" message: [string] String,
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
    List {
        "2" items: [message, repeated] Vec<Pod>,
    }
    Unknown {
        "2" raw: [bytes = "vec"] Vec<u8>,
    }
}

/// In JSON the source's fields stand in the volume.
#[derive(Clone, PartialEq, Message, Serialize)]
struct Volume {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(message, optional, tag = "2")]
    #[serde(flatten)]
    source: Option<Source>,
}

#[derive(Clone, PartialEq, Message)]
struct Quantity {
    #[prost(string, tag = "1")]
    text: String,
}

impl Serialize for Quantity {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.text.serialize(serializer)
    }
}

#[derive(Clone, PartialEq, Message)]
struct Time {
    #[prost(int64, tag = "1")]
    seconds: i64,
    #[prost(int32, tag = "2")]
    nanos: i32,
}

impl Serialize for Time {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let time = UNIX_EPOCH + Duration::from_secs(self.seconds.unsigned_abs());
        humantime::format_rfc3339_seconds(time).to_string().serialize(serializer)
    }
}

/// Anything of each type that it is asked for.
struct Random(Rng);

impl Random {
    fn text(&mut self) -> String {
        const TEXTS: [&str; 9] = [
            "",
            "True",
            "False",
            "Ready",
            "app",
            "10.0.0.1",
            "quoted \"\\\n",
            "größe 日本",
            "Error",
        ];
        match self.0.u8(..8) {
            0 => (0..self.0.usize(..300)).map(|_| self.0.char(..)).collect(),
            _ => TEXTS[self.0.usize(..TEXTS.len())].into(),
        }
    }

    fn maybe<T>(&mut self, some: impl FnOnce(&mut Self) -> T) -> Option<T> {
        self.0.bool().then(|| some(self))
    }

    fn some<T>(&mut self, one: impl Fn(&mut Self) -> T) -> Vec<T> {
        (0..self.0.usize(..4)).map(|_| one(self)).collect()
    }

    fn time(&mut self) -> Option<Time> {
        self.maybe(|random| Time { seconds: random.0.i64(1..4_000_000_000), nanos: 0 })
    }

    fn map<T>(&mut self, one: impl Fn(&mut Self) -> T) -> BTreeMap<String, T> {
        self.some(|random| (random.text(), one(random))).into_iter().collect()
    }

    fn amounts(&mut self) -> BTreeMap<String, Quantity> {
        const AMOUNTS: [&str; 8] = ["100m", "1", "128Mi", "1.5", "2e3", "9E", "-1", "none"];
        self.map(|random| Quantity { text: AMOUNTS[random.0.usize(..AMOUNTS.len())].into() })
    }

    fn pod(&mut self) -> Pod {
        Pod {
            metadata: Some(self.meta()),
            spec: self.maybe(Self::spec),
            status: self.maybe(Self::status),
        }
    }

    fn meta(&mut self) -> Meta {
        Meta {
            name: self.text(),
            generate_name: self.text(),
            namespace: self.text(),
            uid: self.text(),
            resource_version: self.0.u64(..).to_string(),
            generation: self.0.i64(..),
            creation_timestamp: self.time(),
            deletion_timestamp: self.time(),
            labels: self.map(Self::text),
            annotations: self.map(Self::text),
            owner_references: self.some(|random| Owner {
                kind: random.text(),
                name: random.text(),
                uid: random.text(),
                controller: random.maybe(|random| random.0.bool()),
            }),
        }
    }

    fn spec(&mut self) -> Spec {
        Spec {
            volumes: self.some(|random| Volume {
                name: random.text(),
                source: random.maybe(|random| Source {
                    persistent_volume_claim: random.maybe(|random| Claim {
                        claim_name: random.text(),
                        read_only: random.0.bool(),
                    }),
                }),
            }),
            containers: self.some(Self::container),
            init_containers: self.some(Self::container),
            restart_policy: self.text(),
            termination_grace_period_seconds: self.maybe(|random| random.0.i64(..)),
            service_account_name: self.text(),
            node_name: self.text(),
            host_network: self.0.bool(),
            scheduler_name: self.text(),
            tolerations: self.some(|random| Toleration {
                key: random.text(),
                operator: random.text(),
                value: random.text(),
                effect: random.text(),
                toleration_seconds: random.maybe(|random| random.0.i64(..)),
            }),
            priority_class_name: self.text(),
            runtime_class_name: self.maybe(Self::text),
            overhead: self.amounts(),
        }
    }

    fn container(&mut self) -> Container {
        Container {
            name: self.text(),
            image: self.text(),
            command: self.some(Self::text),
            resources: self
                .maybe(|random| Resources { limits: random.amounts(), requests: random.amounts() }),
            restart_policy: self.maybe(Self::text),
        }
    }

    fn status(&mut self) -> Status {
        Status {
            phase: self.text(),
            conditions: self.some(|random| Condition {
                kind: random.text(),
                status: random.text(),
                last_transition_time: random.time(),
                reason: random.text(),
                message: random.text(),
            }),
            message: self.text(),
            reason: self.text(),
            host_ip: self.text(),
            pod_ip: self.text(),
            start_time: self.time(),
            container_statuses: self.some(Self::container_status),
            qos_class: self.text(),
            init_container_statuses: self.some(Self::container_status),
            pod_ips: self.some(|random| Ip { ip: random.text() }),
        }
    }

    fn container_status(&mut self) -> ContainerStatus {
        ContainerStatus {
            name: self.text(),
            state: self.maybe(Self::state),
            last_state: self.maybe(Self::state),
            ready: self.0.bool(),
            restart_count: self.0.i32(..),
            image: self.text(),
            image_id: self.text(),
            container_id: self.text(),
            started: self.maybe(|random| random.0.bool()),
        }
    }

    fn state(&mut self) -> State {
        State {
            waiting: self.maybe(|random| Waiting { reason: random.text(), message: random.text() }),
            running: self.maybe(|random| Running { started_at: random.time() }),
            terminated: self.maybe(|random| Terminated {
                exit_code: random.0.i32(..),
                signal: random.0.i32(..),
                reason: random.text(),
                started_at: random.time(),
                finished_at: random.time(),
                container_id: random.text(),
            }),
        }
    }
}

/// How a pod reads, in every field that is read.
fn read(encoding: Encoding, bytes: &[u8]) -> String {
    let pod = pod::Pod::decode(Payload { encoding, event: false, bytes }).expect("a pod");
    format!("{pod:#?}")
}

proptest! {
    #[test]
    fn a_pod_that_prost_wrote_reads_as_its_json(seed in any::<u64>()) {
        let pod = Random(Rng::with_seed(seed)).pod();
        let json = serde_json::to_vec(&pod).expect("JSON");
        prop_assert_eq!(
            read(Encoding::Protobuf, &pod.encode_to_vec()),
            read(Encoding::Json, &json)
        );
    }
}

#[test]
fn recorded_pods_read_by_prost_are_those_that_we_read() {
    let recorded = include_bytes!("../data/wire/protobuf/pods.pb");
    let answer =
        Unknown::decode(recorded.strip_prefix(MAGIC).expect("the magic")).expect("an answer");
    let list = List::decode(&*answer.raw).expect("a list");
    let json: serde_json::Value =
        serde_json::from_str(include_str!("../data/wire/list/pods.json")).expect("JSON");
    let items = json["items"].as_array().expect("items");
    assert_eq!(list.items.len(), items.len());
    for (pod, item) in list.items.iter().zip(items) {
        let expected = read(Encoding::Json, item.to_string().as_bytes());
        assert_eq!(read(Encoding::Protobuf, &pod.encode_to_vec()), expected);
        let json = serde_json::to_vec(pod).expect("JSON");
        assert_eq!(read(Encoding::Json, &json), expected);
    }
}
