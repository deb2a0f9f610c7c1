//! The reader of protobuf against prost: the same object, written by prost and as JSON, reads the
//! same, for each kind of which more than the metadata is read.

mod core;
mod messages;
mod pod;
mod random;
mod values;
mod workloads;

use std::{fs, path::PathBuf};

use fastrand::Rng;
use kubetally::{
    kinds::{self, Extent, TABLE},
    wire::{Decode, Encoding, Payload, meta::Partial},
};
use proptest::prelude::*;
use prost::Message;
use random::{Any, Random};
use rstest::rstest;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

/// What an answer in protobuf begins with.
const MAGIC: &[u8] = b"k8s\0";

/// A kind: how prost has its objects, and how ours reads them.
struct Kind {
    /// The name of its recordings.
    name: &'static str,
    any: fn(&mut Random) -> Written,
    /// From JSON, in what prost knows of it.
    of_json: fn(&Value) -> Written,
    /// From protobuf, in what prost knows of it.
    of_protobuf: fn(&[u8]) -> Written,
    /// How an object reads, in every field that is read.
    read: fn(Encoding, &[u8]) -> String,
}

/// An object as prost has it.
struct Written {
    protobuf: Vec<u8>,
    json: Vec<u8>,
}

impl Written {
    fn new<M: Message + Serialize>(message: &M) -> Self {
        let json = serde_json::to_vec(message).expect("JSON");
        Self { protobuf: message.encode_to_vec(), json }
    }

    fn any<M: Message + Serialize + Any>(random: &mut Random) -> Self {
        Self::new(&M::any(random))
    }

    fn of_json<M: Message + Serialize + DeserializeOwned>(json: &Value) -> Self {
        Self::new(&M::deserialize(json).expect("what Kubernetes writes"))
    }

    fn of_protobuf<M: Message + Serialize + Default>(bytes: &[u8]) -> Self {
        Self::new(&M::decode(bytes).expect("what Kubernetes writes"))
    }
}

macro_rules! kinds {
    ($($name:literal $message:ty => $object:ty,)+) => {
        const KINDS: &[Kind] = &[$(Kind {
            name: $name,
            any: Written::any::<$message>,
            of_json: Written::of_json::<$message>,
            of_protobuf: Written::of_protobuf::<$message>,
            read: |encoding, bytes| {
                let object = <$object>::decode(Payload { encoding, event: false, bytes });
                format!("{:?}", object.expect("an object"))
            },
        },)+];
    };
}

kinds! {
    "pods" pod::Pod => kinds::pod::Pod<'_>,
    "events" core::Event => kinds::event::Event<'_>,
    "namespaces" core::Namespace => kinds::namespace::Namespace<'_>,
    "nodes" core::Node => kinds::node::Node<'_>,
    "services" core::Service => kinds::service::Service<'_>,
    "persistentvolumeclaims" core::PersistentVolumeClaim =>
        kinds::persistentvolumeclaim::PersistentVolumeClaim<'_>,
    "deployments" workloads::Deployment => kinds::deployment::Deployment<'_>,
    "replicasets" workloads::ReplicaSet => kinds::replicaset::ReplicaSet<'_>,
    "statefulsets" workloads::StatefulSet => kinds::statefulset::StatefulSet<'_>,
    "daemonsets" workloads::DaemonSet => kinds::daemonset::DaemonSet<'_>,
    "jobs" workloads::Job => kinds::job::Job<'_>,
    "cronjobs" workloads::CronJob => kinds::cronjob::CronJob<'_>,
    "configmaps" messages::PartialObjectMetadata => Partial<'_>,
}

impl Kind {
    fn of(name: &str) -> &'static Self {
        KINDS.iter().find(|kind| kind.name == name).expect("a kind that prost has")
    }

    /// Reads what prost wrote, and asserts that both encodings say the same.
    fn read(&self, written: &Written) -> String {
        let json = (self.read)(Encoding::Json, &written.json);
        assert_eq!((self.read)(Encoding::Protobuf, &written.protobuf), json, "{}", self.name);
        json
    }
}

/// An object as the API server writes it.
pub fn protobuf(kind: &str, object: &Value) -> Option<Vec<u8>> {
    let name = match kind {
        "PartialObjectMetadata" => "configmaps".to_owned(),
        kind => format!("{}s", kind.to_lowercase()),
    };
    let kind = KINDS.iter().find(|kind| kind.name == name)?;
    Some((kind.of_json)(object).protobuf)
}

#[test]
fn prost_has_every_kind_of_which_more_than_the_metadata_is_read() {
    for kind in TABLE.iter().filter(|kind| kind.extent != Extent::Metadata) {
        assert_eq!(Kind::of(&kind.name).name, kind.name);
    }
}

proptest! {
    #[test]
    fn an_object_that_prost_wrote_reads_as_its_json(seed in any::<u64>()) {
        for kind in KINDS {
            kind.read(&(kind.any)(&mut Random(Rng::with_seed(seed))));
        }
    }
}

fn recorded(file: &str) -> Option<Vec<u8>> {
    let path: PathBuf = [env!("CARGO_MANIFEST_DIR"), "tests", "data", file].iter().collect();
    fs::read(path).ok()
}

fn recorded_items(file: &str) -> Option<Vec<Value>> {
    let list: Value = serde_json::from_slice(&recorded(file)?).expect("JSON");
    Some(list["items"].as_array().expect("items").clone())
}

#[test]
fn recorded_objects_read_the_same_once_prost_wrote_them() {
    for kind in KINDS {
        let files = [format!("wire/list/{}.json", kind.name), format!("ksm/{}.json", kind.name)];
        let items: Vec<_> =
            files.iter().filter_map(|file| recorded_items(file)).flatten().collect();
        assert!(!items.is_empty(), "{}", kind.name);
        for item in items {
            let expected = (kind.read)(Encoding::Json, item.to_string().as_bytes());
            assert_eq!(kind.read(&(kind.of_json)(&item)), expected, "{}", kind.name);
        }
    }
}

#[rstest]
fn recorded_protobuf_reads_as_its_json_and_as_prost_reads_it(
    #[values("pods", "events", "deployments")] name: &str,
) {
    let kind = Kind::of(name);
    let answer = recorded(&format!("wire/protobuf/{name}.pb")).expect("a recording");
    let answer = messages::Unknown::decode(answer.strip_prefix(MAGIC).expect("the magic"));
    let list = messages::List::decode(&*answer.expect("an answer").raw).expect("a list");
    let items = recorded_items(&format!("wire/list/{name}.json")).expect("a recording");
    assert_eq!(list.items.len(), items.len());
    for (bytes, item) in list.items.iter().zip(items) {
        let expected = (kind.read)(Encoding::Json, item.to_string().as_bytes());
        assert_eq!((kind.read)(Encoding::Protobuf, bytes), expected);
        assert_eq!(kind.read(&(kind.of_protobuf)(bytes)), expected);
    }
}
