//! A node on the wire, as far as it is read.

use crate::wire::{
    message::{message, object},
    meta::Meta,
    text::Text,
    values::Quantities,
};

message! {
    /// A node, as far as it is read.
    pub struct Node<'a> {
        1 "metadata" pub(super) metadata: Meta<'a>,
        2 "spec" pub(super) spec: Spec<'a>,
        3 "status" pub(super) status: Status<'a>,
    }
}

object!(Node);

message! {
    pub(super) struct Spec<'a> {
        1 "podCIDR" pub(super) pod_cidr: Text<'a>,
        3 "providerID" pub(super) provider_id: Text<'a>,
        4 "unschedulable" pub(super) unschedulable: bool,
        5 "taints" pub(super) taints: Vec<Taint<'a>>,
    }
}

message! {
    pub(super) struct Taint<'a> {
        1 "key" pub(super) key: Text<'a>,
        2 "value" pub(super) value: Text<'a>,
        3 "effect" pub(super) effect: Text<'a>,
    }
}

message! {
    pub(super) struct Status<'a> {
        1 "capacity" pub(super) capacity: Quantities<'a>,
        2 "allocatable" pub(super) allocatable: Quantities<'a>,
        4 "conditions" pub(super) conditions: Vec<Condition<'a>>,
        5 "addresses" pub(super) addresses: Vec<Address<'a>>,
        7 "nodeInfo" pub(super) info: Info<'a>,
    }
}

message! {
    pub(super) struct Condition<'a> {
        1 "type" pub(super) kind: Text<'a>,
        2 "status" pub(super) status: Text<'a>,
    }
}

message! {
    pub(super) struct Address<'a> {
        1 "type" pub(super) kind: Text<'a>,
        2 "address" pub(super) address: Text<'a>,
    }
}

message! {
    pub(super) struct Info<'a> {
        2 "systemUUID" pub(super) system_uuid: Text<'a>,
        4 "kernelVersion" pub(super) kernel_version: Text<'a>,
        5 "osImage" pub(super) os_image: Text<'a>,
        6 "containerRuntimeVersion" pub(super) container_runtime_version: Text<'a>,
        7 "kubeletVersion" pub(super) kubelet_version: Text<'a>,
    }
}
