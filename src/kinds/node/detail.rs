//! What one node shows: the families of kube-state-metrics, 2.18.

use super::object::{Node, Spec, Status};
use crate::{
    exposition::detail::{Extra, Samples, families, labels::sanitize, resources::node_units},
    kinds::shown,
    wire::values::Quantities,
};

families! {
    /// The families of a node.
    pub enum Series {
        Annotations = "kube_node_annotations", gauge, Experimental,
            "The node's annotations that are asked for, 1.";
        Created = "kube_node_created", gauge, Stable,
            "When the node was registered, in seconds since 1970.";
        DeletionTimestamp = "kube_node_deletion_timestamp", gauge, Experimental,
            "When the node's deletion was asked for, in seconds since 1970.";
        Info = "kube_node_info", gauge, Stable,
            "Versions and addresses of the node, 1.";
        Labels = "kube_node_labels", gauge, Stable,
            "The node's labels that are asked for, 1.";
        Role = "kube_node_role", gauge, Experimental,
            "A role of the node, by its labels, 1.";
        Taint = "kube_node_spec_taint", gauge, Stable,
            "A taint of the node, 1.";
        Unschedulable = "kube_node_spec_unschedulable", gauge, Stable,
            "Whether the node takes no new pods.";
        Allocatable = "kube_node_status_allocatable", gauge, Stable,
            "How much of a resource pods can have of the node, in the unit that is a label.";
        Capacity = "kube_node_status_capacity", gauge, Stable,
            "How much of a resource the node has, in the unit that is a label.";
        Condition = "kube_node_status_condition", gauge, Stable,
            "Whether this is the status of the node's condition.";
        Addresses = "kube_node_status_addresses", gauge, Experimental,
            "An address of the node, 1.";
    }
}

/// Labels of this prefix name a node's roles (Kubernetes, "Well-Known Labels").
const ROLE: &str = "node-role.kubernetes.io/";

/// Says what a node shows.
pub(super) fn detail(node: &Node<'_>, extra: &Extra, out: &mut Samples) {
    let Node { metadata, spec, status } = node;
    out.begin(&[("node", &metadata.name)]);
    shown::names(metadata, extra, Series::Labels, Series::Annotations, out);
    out.maybe(Series::Created, metadata.creation_timestamp.sample());
    out.maybe(Series::DeletionTimestamp, metadata.deletion_timestamp.sample());
    info(spec, status, out);
    for role in metadata.labels.iter().filter_map(|(name, _)| name.strip_prefix(ROLE)) {
        out.add(Series::Role, &[("role", role)], 1.0);
    }
    for taint in &spec.taints {
        let labels = [("key", &*taint.key), ("value", &taint.value), ("effect", &taint.effect)];
        out.add(Series::Taint, &labels, 1.0);
    }
    out.add(Series::Unschedulable, &[], spec.unschedulable.into());
    amounts(Series::Allocatable, &status.allocatable, out);
    amounts(Series::Capacity, &status.capacity, out);
    for condition in &status.conditions {
        let labels = [("condition", &*condition.kind)];
        shown::condition(Series::Condition, &labels, "status", &condition.status, out);
    }
    for address in &status.addresses {
        let labels = [("type", &*address.kind), ("address", &address.address)];
        out.add(Series::Addresses, &labels, 1.0);
    }
}

fn info(spec: &Spec<'_>, status: &Status<'_>, out: &mut Samples) {
    let internal = status.addresses.iter().rfind(|address| &*address.kind == "InternalIP");
    let info = &status.info;
    let labels = [
        ("kernel_version", &*info.kernel_version),
        ("os_image", &info.os_image),
        ("container_runtime_version", &info.container_runtime_version),
        ("kubelet_version", &info.kubelet_version),
        ("kubeproxy_version", "deprecated"),
        ("provider_id", &spec.provider_id),
        ("pod_cidr", &spec.pod_cidr),
        ("system_uuid", &info.system_uuid),
        ("internal_ip", internal.map_or("", |address| &address.address)),
    ];
    out.add(Series::Info, &labels, 1.0);
}

fn amounts(family: Series, amounts: &Quantities<'_>, out: &mut Samples) {
    for (resource, amount) in &amounts.0 {
        let name = sanitize(resource);
        for unit in node_units(resource) {
            if let Some(value) = amount.decimal() {
                out.add(family, &[("resource", &name), ("unit", unit)], value);
            }
        }
    }
}

#[cfg(test)]
mod tests;
