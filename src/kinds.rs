//! The table of kinds: what can be watched, and where each kind's file is.

pub mod deployment;
pub mod event;
pub mod job;
pub mod namespace;
pub mod node;
pub mod pod;
pub mod service;
pub mod stated;

use std::sync::{Arc, Mutex};

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
    /// The families of its per-object series.
    pub families: &'static [Family],
    /// Makes its empty store, fed by a watcher for each of the namespaces, or by one for all.
    pub store: fn(&'static str, &[String], &Caps) -> Shared,
}

/// Every resource, in the order in which they are shown.
pub static TABLE: &[Resource] = &[
    Resource {
        name: "pods",
        group: "",
        version: "v1",
        kind: "Pod",
        namespaced: true,
        cached: true,
        families: pod::Pods::FAMILIES,
        store: |name, scopes, caps| {
            Arc::new(Mutex::new(Store::<pod::Pods>::new(name, scopes, caps)))
        },
    },
    Resource {
        name: "events",
        group: "",
        version: "v1",
        kind: "Event",
        namespaced: true,
        cached: false,
        families: event::Events::FAMILIES,
        store: |name, scopes, caps| {
            Arc::new(Mutex::new(Store::<event::Events>::new(name, scopes, caps)))
        },
    },
    Resource {
        name: "namespaces",
        group: "",
        version: "v1",
        kind: "Namespace",
        namespaced: false,
        cached: true,
        families: <OneState<namespace::Namespaces> as Kind>::FAMILIES,
        store: |name, scopes, caps| {
            Arc::new(Mutex::new(Store::<OneState<namespace::Namespaces>>::new(name, scopes, caps)))
        },
    },
    Resource {
        name: "nodes",
        group: "",
        version: "v1",
        kind: "Node",
        namespaced: false,
        cached: true,
        families: node::Nodes::FAMILIES,
        store: |name, scopes, caps| {
            Arc::new(Mutex::new(Store::<node::Nodes>::new(name, scopes, caps)))
        },
    },
    Resource {
        name: "services",
        group: "",
        version: "v1",
        kind: "Service",
        namespaced: true,
        cached: true,
        families: <OneState<service::Services> as Kind>::FAMILIES,
        store: |name, scopes, caps| {
            Arc::new(Mutex::new(Store::<OneState<service::Services>>::new(name, scopes, caps)))
        },
    },
    Resource {
        name: "deployments",
        group: "apps",
        version: "v1",
        kind: "Deployment",
        namespaced: true,
        cached: true,
        families: <OneState<deployment::Deployments> as Kind>::FAMILIES,
        store: |name, scopes, caps| {
            Arc::new(Mutex::new(Store::<OneState<deployment::Deployments>>::new(
                name, scopes, caps,
            )))
        },
    },
    Resource {
        name: "jobs",
        group: "batch",
        version: "v1",
        kind: "Job",
        namespaced: true,
        cached: true,
        families: <OneState<job::Jobs> as Kind>::FAMILIES,
        store: |name, scopes, caps| {
            Arc::new(Mutex::new(Store::<OneState<job::Jobs>>::new(name, scopes, caps)))
        },
    },
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
