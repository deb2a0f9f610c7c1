//! The other kinds of core/v1, as prost writes and reads them.

use std::collections::BTreeMap;

use super::{
    messages::{Condition, Meta, Selector, messages},
    values::{IntOrString, Quantity, Time},
};

messages! {
    Namespace {
        "1" metadata: [message, optional] Option<Meta>,
        "2" spec: [message, optional] Option<NamespaceSpec>,
        "3" status: [message, optional] Option<NamespaceStatus>,
    }
    NamespaceSpec {
        "1" finalizers: [string, repeated] Vec<String>,
    }
    NamespaceStatus {
        "1" phase: [string] String,
        "2" conditions: [message, repeated] Vec<Condition>,
    }
    Node {
        "1" metadata: [message, optional] Option<Meta>,
        "2" spec: [message, optional] Option<NodeSpec>,
        "3" status: [message, optional] Option<NodeStatus>,
    }
    NodeSpec {
        "1" pod_cidr: [string] String as "podCIDR",
        "2" external_id: [string] String as "externalID",
        "3" provider_id: [string] String as "providerID",
        "4" unschedulable: [bool] bool,
        "5" taints: [message, repeated] Vec<Taint>,
        "7" pod_cidrs: [string, repeated] Vec<String> as "podCIDRs",
    }
    Taint {
        "1" key: [string] String,
        "2" value: [string] String,
        "3" effect: [string] String,
        "4" time_added: [message, optional] Option<Time>,
    }
    NodeStatus {
        "1" capacity: [btree_map = "string, message"] BTreeMap<String, Quantity>,
        "2" allocatable: [btree_map = "string, message"] BTreeMap<String, Quantity>,
        "3" phase: [string] String,
        "4" conditions: [message, repeated] Vec<Condition>,
        "5" addresses: [message, repeated] Vec<NodeAddress>,
        "7" node_info: [message, optional] Option<NodeSystemInfo>,
        "9" volumes_in_use: [string, repeated] Vec<String>,
    }
    NodeAddress {
        "1" kind: [string] String as "type",
        "2" address: [string] String,
    }
    NodeSystemInfo {
        "1" machine_id: [string] String as "machineID",
        "2" system_uuid: [string] String as "systemUUID",
        "3" boot_id: [string] String as "bootID",
        "4" kernel_version: [string] String,
        "5" os_image: [string] String,
        "6" container_runtime_version: [string] String,
        "7" kubelet_version: [string] String,
        "8" kube_proxy_version: [string] String,
        "9" operating_system: [string] String,
        "10" architecture: [string] String,
    }
    Service {
        "1" metadata: [message, optional] Option<Meta>,
        "2" spec: [message, optional] Option<ServiceSpec>,
        "3" status: [message, optional] Option<ServiceStatus>,
    }
    ServiceSpec {
        "1" ports: [message, repeated] Vec<ServicePort>,
        "2" selector: [btree_map = "string, string"] BTreeMap<String, String>,
        "3" cluster_ip: [string] String as "clusterIP",
        "4" kind: [string] String as "type",
        "5" external_ips: [string, repeated] Vec<String> as "externalIPs",
        "7" session_affinity: [string] String,
        "8" load_balancer_ip: [string] String as "loadBalancerIP",
        "9" load_balancer_source_ranges: [string, repeated] Vec<String>,
        "10" external_name: [string] String,
        "11" external_traffic_policy: [string] String,
        "18" cluster_ips: [string, repeated] Vec<String> as "clusterIPs",
    }
    ServicePort {
        "1" name: [string] String,
        "2" protocol: [string] String,
        "3" port: [int32] i32,
        "4" target_port: [message, optional] Option<IntOrString>,
        "5" node_port: [int32] i32,
    }
    ServiceStatus {
        "1" load_balancer: [message, optional] Option<LoadBalancerStatus>,
    }
    LoadBalancerStatus {
        "1" ingress: [message, repeated] Vec<LoadBalancerIngress>,
    }
    LoadBalancerIngress {
        "1" ip: [string] String,
        "2" hostname: [string] String,
        "3" ip_mode: [string, optional] Option<String>,
    }
    PersistentVolumeClaim {
        "1" metadata: [message, optional] Option<Meta>,
        "2" spec: [message, optional] Option<PersistentVolumeClaimSpec>,
        "3" status: [message, optional] Option<PersistentVolumeClaimStatus>,
    }
    PersistentVolumeClaimSpec {
        "1" access_modes: [string, repeated] Vec<String>,
        "2" resources: [message, optional] Option<VolumeResourceRequirements>,
        "3" volume_name: [string] String,
        "4" selector: [message, optional] Option<Selector>,
        "5" storage_class_name: [string, optional] Option<String>,
        "6" volume_mode: [string, optional] Option<String>,
    }
    VolumeResourceRequirements {
        "1" limits: [btree_map = "string, message"] BTreeMap<String, Quantity>,
        "2" requests: [btree_map = "string, message"] BTreeMap<String, Quantity>,
    }
    PersistentVolumeClaimStatus {
        "1" phase: [string] String,
        "2" access_modes: [string, repeated] Vec<String>,
        "3" capacity: [btree_map = "string, message"] BTreeMap<String, Quantity>,
        "4" conditions: [message, repeated] Vec<Condition>,
    }
    Event {
        "1" metadata: [message, optional] Option<Meta>,
        "2" involved_object: [message, optional] Option<ObjectReference>,
        "3" reason: [string] String,
        "4" message: [string] String,
        "5" source: [message, optional] Option<EventSource>,
        "6" first_timestamp: [message, optional] Option<Time>,
        "7" last_timestamp: [message, optional] Option<Time>,
        "8" count: [int32] i32,
        "9" kind: [string] String as "type",
        "10" event_time: [message, optional] Option<Time>,
        "11" series: [message, optional] Option<EventSeries>,
        "12" action: [string] String,
        "14" reporting_component: [string] String,
        "15" reporting_instance: [string] String,
    }
    EventSource {
        "1" component: [string] String,
        "2" host: [string] String,
    }
    EventSeries {
        "1" count: [int32] i32,
        "2" last_observed_time: [message, optional] Option<Time>,
    }
    ObjectReference {
        "1" kind: [string] String,
        "2" namespace: [string] String,
        "3" name: [string] String,
        "4" uid: [string] String,
        "5" api_version: [string] String,
        "6" resource_version: [string] String,
        "7" field_path: [string] String,
    }
}
