//! The table of kinds: what can be watched, and where each kind's file is.

pub mod configmap;
pub mod counted;
pub mod cronjob;
pub mod daemonset;
pub mod deployment;
pub mod event;
pub mod job;
pub mod namespace;
pub mod node;
pub mod persistentvolumeclaim;
pub mod pod;
pub mod replicaset;
pub mod service;
mod shown;
pub mod stated;
pub mod statefulset;

use std::sync::{Arc, Mutex};

use counted::{Counted, Metadata, OnlyCounted};
use stated::OneState;

use crate::{
    config::settings::Caps,
    exposition::detail::Family,
    store::{Kind, Shared, Store},
};

/// One resource of the API that Kubetally knows how to count.
#[derive(Debug)]
pub struct Resource {
    /// The plural that the API's paths and our `resource` label use, such as `pods`.
    pub name: &'static str,
    /// The API group, empty for the core group.
    pub group: &'static str,
    /// The version watched, such as `v1`.
    pub version: &'static str,
    /// The kind, such as `Pod`.
    pub kind: &'static str,
    /// Whether its objects live in namespaces.
    pub namespaced: bool,
    /// Whether the API server keeps a watch cache of it and so sends periodic bookmarks.
    /// Events have none (kubernetes/kubernetes#120348).
    pub cached: bool,
    /// How much of its objects is asked for.
    pub extent: Extent,
    /// The families of its per-object series.
    pub families: &'static [Family],
    /// Makes its empty store, fed by a watcher for each of the namespaces, or by one for all.
    pub store: fn(&'static str, &[String], &Caps) -> Shared,
}

/// How much of an object is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// All of it: what is counted needs it.
    Whole,
    /// Its metadata, and all of it only where its per-object series are shown.
    WholeForDetail,
    /// Its metadata: what else it holds must never travel, or nobody needs it.
    Metadata,
}

impl Extent {
    /// Whether the whole object is asked for, where its per-object series are shown or not.
    #[must_use]
    pub const fn is_whole(self, detailed: bool) -> bool {
        match self {
            Self::Whole => true,
            Self::WholeForDetail => detailed,
            Self::Metadata => false,
        }
    }
}

/// A resource of which the whole objects are needed.
const fn resource<K: Kind>(
    group: &'static str,
    name: &'static str,
    kind: &'static str,
) -> Resource {
    Resource {
        name,
        group,
        version: "v1",
        kind,
        namespaced: true,
        cached: true,
        extent: Extent::Whole,
        families: K::FAMILIES,
        store: |name, scopes, caps| Arc::new(Mutex::new(Store::<K>::new(name, scopes, caps))),
    }
}

/// A resource of which objects are only counted, unless their per-object series are shown.
const fn counted<K: Counted>(
    group: &'static str,
    name: &'static str,
    kind: &'static str,
) -> Resource {
    Resource { extent: Extent::WholeForDetail, ..resource::<OnlyCounted<K>>(group, name, kind) }
}

/// A resource of which nothing but the metadata is ever asked for.
const fn metadata<K: Counted>(
    group: &'static str,
    name: &'static str,
    kind: &'static str,
) -> Resource {
    Resource { extent: Extent::Metadata, ..resource::<OnlyCounted<K>>(group, name, kind) }
}

/// Every resource, in the order in which they are shown.
pub static TABLE: &[Resource] = &[
    resource::<pod::Pods>("", "pods", "Pod"),
    Resource { cached: false, ..resource::<event::Events>("", "events", "Event") },
    Resource {
        namespaced: false,
        ..resource::<OneState<namespace::Namespaces>>("", "namespaces", "Namespace")
    },
    Resource { namespaced: false, ..resource::<node::Nodes>("", "nodes", "Node") },
    resource::<OneState<service::Services>>("", "services", "Service"),
    resource::<OneState<deployment::Deployments>>("apps", "deployments", "Deployment"),
    resource::<OneState<job::Jobs>>("batch", "jobs", "Job"),
    counted::<replicaset::ReplicaSets>("apps", "replicasets", "ReplicaSet"),
    counted::<statefulset::StatefulSets>("apps", "statefulsets", "StatefulSet"),
    counted::<daemonset::DaemonSets>("apps", "daemonsets", "DaemonSet"),
    counted::<cronjob::CronJobs>("batch", "cronjobs", "CronJob"),
    counted::<persistentvolumeclaim::PersistentVolumeClaims>(
        "",
        "persistentvolumeclaims",
        "PersistentVolumeClaim",
    ),
    metadata::<configmap::ConfigMaps>("", "configmaps", "ConfigMap"),
    metadata::<Metadata>("", "secrets", "Secret"),
    metadata::<Metadata>("", "replicationcontrollers", "ReplicationController"),
    Resource {
        namespaced: false,
        ..metadata::<Metadata>("", "persistentvolumes", "PersistentVolume")
    },
    metadata::<Metadata>("discovery.k8s.io", "endpointslices", "EndpointSlice"),
    metadata::<Metadata>("networking.k8s.io", "ingresses", "Ingress"),
    Resource {
        version: "v2",
        ..metadata::<Metadata>("autoscaling", "horizontalpodautoscalers", "HorizontalPodAutoscaler")
    },
    metadata::<Metadata>("policy", "poddisruptionbudgets", "PodDisruptionBudget"),
    metadata::<Metadata>("", "resourcequotas", "ResourceQuota"),
    metadata::<Metadata>("", "limitranges", "LimitRange"),
    Resource {
        namespaced: false,
        ..metadata::<Metadata>("storage.k8s.io", "storageclasses", "StorageClass")
    },
    metadata::<Metadata>("coordination.k8s.io", "leases", "Lease"),
    metadata::<Metadata>("", "serviceaccounts", "ServiceAccount"),
];

/// Finds a resource by its plural name.
#[must_use]
pub fn find(name: &str) -> Option<&'static Resource> {
    TABLE.iter().find(|resource| resource.name == name)
}

/// The resources that can show a series an object, and its families.
#[must_use]
pub fn detailed() -> Vec<(&'static str, &'static [Family])> {
    let families = TABLE.iter().map(|resource| (resource.name, resource.families));
    families.filter(|(_, families)| !families.is_empty()).collect()
}

#[cfg(test)]
mod tests;
