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
mod other;
pub mod persistentvolumeclaim;
pub mod pod;
pub mod replicaset;
pub mod service;
mod shown;
pub mod stated;
pub mod statefulset;

use std::{
    borrow::Cow,
    sync::{Arc, Mutex},
};

use counted::{Counted, Metadata, OnlyCounted};
pub use other::{is_label, parse};
use stated::OneState;

use crate::{
    config::settings::Caps,
    exposition::detail::Family,
    store::{Kind, Shared, Store},
};

/// One resource of the API that is watched and counted.
#[derive(Clone, Debug)]
pub struct Resource {
    /// What our `resource` label shows: the plural, such as `pods`; with its group, as in
    /// `widgets.example.com`, where the resource is not of the table.
    pub name: Cow<'static, str>,
    /// Group and version as objects have them, such as `v1` or `apps/v1`.
    pub api_version: Cow<'static, str>,
    /// Whether its objects live in namespaces.
    pub namespaced: bool,
    /// Whether the API server keeps a watch cache of it and so sends periodic bookmarks.
    /// Events have none (kubernetes/kubernetes#120348).
    pub cached: bool,
    /// Whether there may be as many of it as there are pods, or more.
    pub many: bool,
    /// Whether the API server is asked first if it serves it: of this one only its name is known.
    pub discovered: bool,
    /// How much of its objects is asked for.
    pub extent: Extent,
    /// The families of its per-object series.
    pub families: &'static [Family],
    /// Makes its empty store, fed by a watcher for each of the namespaces, or by one for all.
    pub store: fn(&str, &[String], &Caps) -> Shared,
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
const fn resource<K: Kind>(api_version: &'static str, plural: &'static str) -> Resource {
    Resource {
        name: Cow::Borrowed(plural),
        api_version: Cow::Borrowed(api_version),
        namespaced: true,
        cached: true,
        many: false,
        discovered: false,
        extent: Extent::Whole,
        families: K::FAMILIES,
        store: |name, scopes, caps| Arc::new(Mutex::new(Store::<K>::new(name, scopes, caps))),
    }
}

/// A resource of which objects are only counted, unless their per-object series are shown.
const fn counted<K: Counted>(api_version: &'static str, plural: &'static str) -> Resource {
    resource::<OnlyCounted<K>>(api_version, plural).of(Extent::WholeForDetail)
}

/// A resource of which nothing but the metadata is ever asked for.
const fn metadata<K: Counted>(api_version: &'static str, plural: &'static str) -> Resource {
    resource::<OnlyCounted<K>>(api_version, plural).of(Extent::Metadata)
}

// A struct update cannot stand in a constant where a field has a destructor.
impl Resource {
    const fn of(mut self, extent: Extent) -> Self {
        self.extent = extent;
        self
    }

    const fn cluster_scoped(mut self) -> Self {
        self.namespaced = false;
        self
    }

    const fn many(mut self) -> Self {
        self.many = true;
        self
    }

    const fn uncached(mut self) -> Self {
        self.cached = false;
        self
    }

    /// The plural in the API's paths.
    #[must_use]
    pub fn plural(&self) -> &str {
        self.name.split_once('.').map_or(&*self.name, |(plural, _)| plural)
    }

    /// The API group, empty for the core group.
    #[must_use]
    pub fn group(&self) -> &str {
        self.api_version.split_once('/').map_or("", |(group, _)| group)
    }

    /// The path of its group and version, below the server's own path.
    #[must_use]
    pub fn root(&self) -> String {
        let root = if self.group().is_empty() { "api" } else { "apis" };
        format!("/{root}/{}", self.api_version)
    }
}

/// Every resource, in the order in which they are shown.
pub static TABLE: &[Resource] = &[
    resource::<pod::Pods>("v1", "pods").many(),
    resource::<event::Events>("v1", "events").many().uncached(),
    resource::<OneState<namespace::Namespaces>>("v1", "namespaces").cluster_scoped(),
    resource::<node::Nodes>("v1", "nodes").cluster_scoped(),
    resource::<OneState<service::Services>>("v1", "services"),
    resource::<OneState<deployment::Deployments>>("apps/v1", "deployments"),
    resource::<OneState<job::Jobs>>("batch/v1", "jobs"),
    counted::<replicaset::ReplicaSets>("apps/v1", "replicasets").many(),
    counted::<statefulset::StatefulSets>("apps/v1", "statefulsets"),
    counted::<daemonset::DaemonSets>("apps/v1", "daemonsets"),
    counted::<cronjob::CronJobs>("batch/v1", "cronjobs"),
    counted::<persistentvolumeclaim::PersistentVolumeClaims>("v1", "persistentvolumeclaims"),
    metadata::<configmap::ConfigMaps>("v1", "configmaps").many(),
    metadata::<Metadata>("v1", "secrets").many(),
    metadata::<Metadata>("v1", "replicationcontrollers"),
    metadata::<Metadata>("v1", "persistentvolumes").cluster_scoped(),
    metadata::<Metadata>("discovery.k8s.io/v1", "endpointslices").many(),
    metadata::<Metadata>("networking.k8s.io/v1", "ingresses"),
    metadata::<Metadata>("autoscaling/v2", "horizontalpodautoscalers"),
    metadata::<Metadata>("policy/v1", "poddisruptionbudgets"),
    metadata::<Metadata>("v1", "resourcequotas"),
    metadata::<Metadata>("v1", "limitranges"),
    metadata::<Metadata>("storage.k8s.io/v1", "storageclasses").cluster_scoped(),
    metadata::<Metadata>("coordination.k8s.io/v1", "leases"),
    metadata::<Metadata>("v1", "serviceaccounts"),
];

/// Finds a resource by its plural name.
#[must_use]
pub fn find(name: &str) -> Option<&'static Resource> {
    TABLE.iter().find(|resource| resource.name == name)
}

/// What is watched where no setting says otherwise: all that is counted beyond how many there are.
pub fn defaults() -> impl Iterator<Item = &'static Resource> {
    TABLE.iter().filter(|resource| resource.extent == Extent::Whole)
}

/// The resources that can show a series an object, and its families.
#[must_use]
pub fn detailed() -> Vec<(&'static str, &'static [Family])> {
    let families = TABLE.iter().map(|resource| (&*resource.name, resource.families));
    families.filter(|(_, families)| !families.is_empty()).collect()
}

#[cfg(test)]
mod tests;
