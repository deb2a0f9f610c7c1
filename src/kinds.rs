//! The table of kinds: what can be watched, and where each kind's file is.

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
    },
    Resource {
        name: "events",
        group: "",
        version: "v1",
        kind: "Event",
        namespaced: true,
        cached: false,
    },
];

/// Finds a resource by its plural name.
#[must_use]
pub fn find(name: &str) -> Option<&'static Resource> {
    TABLE.iter().find(|resource| resource.name == name)
}
