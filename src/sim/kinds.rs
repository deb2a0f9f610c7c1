//! What the simulated server serves, and how its objects look where they are empty.

use serde_json::{Value, json};

use super::events;

/// The kind of what is nothing but an object's metadata.
pub const METADATA: &str = "PartialObjectMetadata";

/// One resource of the simulated API.
#[derive(Clone, Copy, Debug)]
pub struct Served {
    /// The API group, empty for the core group.
    pub group: &'static str,
    /// The version.
    pub version: &'static str,
    /// The plural, as in paths.
    pub plural: &'static str,
    /// The kind.
    pub kind: &'static str,
    /// Whether its objects live in namespaces.
    pub namespaced: bool,
    /// Whether it has a watch cache, which sends bookmarks now and then.
    pub cached: bool,
    /// What stands in a bookmark behind its metadata: the required fields of the kind, empty.
    pub empty: &'static str,
    /// The annotations of a bookmark, which an empty object is given, too.
    pub annotations: &'static str,
    /// The table that holds its objects; two groups may show one table.
    pub table: &'static str,
    /// Turns a body as it is held into a body of this group.
    pub view: fn(&str) -> String,
    /// Whether the items of a list say what they are.
    pub typed_items: bool,
    /// Whether it is there only while it is defined.
    pub custom: bool,
}

impl Served {
    const fn new(group: &'static str, plural: &'static str, kind: &'static str) -> Self {
        Self {
            group,
            version: "v1",
            plural,
            kind,
            namespaced: true,
            cached: true,
            empty: "",
            annotations: "",
            table: plural,
            view: str::to_owned,
            typed_items: false,
            custom: false,
        }
    }

    /// The same objects as `PartialObjectMetadata`.
    #[must_use]
    pub fn as_metadata(self) -> Self {
        Self {
            group: "meta.k8s.io",
            kind: METADATA,
            empty: "",
            view: metadata,
            typed_items: true,
            ..self
        }
    }

    /// `v1` or `group/version`.
    #[must_use]
    pub fn api_version(&self) -> String {
        match self.group {
            "" => self.version.to_owned(),
            group => format!("{group}/{}", self.version),
        }
    }
}

/// Every resource.
pub static SERVED: &[Served] = &[
    Served {
        empty: r#","spec":{"containers":null},"status":{}"#,
        ..Served::new("", "pods", "Pod")
    },
    Served {
        cached: false,
        empty: r#","involvedObject":{},"source":{},"firstTimestamp":null,"lastTimestamp":null,"eventTime":null,"reportingComponent":"","reportingInstance":"""#,
        ..Served::new("", "events", "Event")
    },
    Served {
        cached: false,
        empty: r#","eventTime":null,"regarding":{},"deprecatedSource":{},"deprecatedFirstTimestamp":null,"deprecatedLastTimestamp":null"#,
        view: events::as_events_v1,
        ..Served::new("events.k8s.io", "events", "Event")
    },
    Served {
        namespaced: false,
        empty: r#","spec":{},"status":{}"#,
        ..Served::new("", "namespaces", "Namespace")
    },
    Served {
        namespaced: false,
        empty: r#","spec":{},"status":{"daemonEndpoints":{"kubeletEndpoint":{"Port":0}},"nodeInfo":{"machineID":"","systemUUID":"","bootID":"","kernelVersion":"","osImage":"","containerRuntimeVersion":"","kubeletVersion":"","kubeProxyVersion":"","operatingSystem":"","architecture":""}}"#,
        ..Served::new("", "nodes", "Node")
    },
    Served {
        empty: r#","spec":{},"status":{"loadBalancer":{}}"#,
        ..Served::new("", "services", "Service")
    },
    Served {
        empty: r#","spec":{"resources":{}},"status":{}"#,
        ..Served::new("", "persistentvolumeclaims", "PersistentVolumeClaim")
    },
    Served { empty: r#","spec":{}"#, ..Served::new("coordination.k8s.io", "leases", "Lease") },
    Served::new("", "configmaps", "ConfigMap"),
    Served::new("", "secrets", "Secret"),
    Served {
        empty: r#","spec":{"replicas":0,"selector":null,"template":{"metadata":{},"spec":{"containers":null}},"strategy":{}},"status":{}"#,
        ..Served::new("apps", "deployments", "Deployment")
    },
    Served {
        empty: r#","spec":{"template":{"metadata":{},"spec":{"containers":null}}},"status":{}"#,
        ..Served::new("batch", "jobs", "Job")
    },
    Served {
        empty: r#","spec":{"replicas":0,"selector":null,"template":{"metadata":{},"spec":{"containers":null}}},"status":{"replicas":0}"#,
        ..Served::new("apps", "replicasets", "ReplicaSet")
    },
    Served {
        empty: r#","spec":{"replicas":0,"selector":null,"template":{"metadata":{},"spec":{"containers":null}},"serviceName":"","updateStrategy":{}},"status":{"replicas":0,"availableReplicas":0}"#,
        ..Served::new("apps", "statefulsets", "StatefulSet")
    },
    Served {
        empty: r#","spec":{"selector":null,"template":{"metadata":{},"spec":{"containers":null}},"updateStrategy":{}},"status":{"currentNumberScheduled":0,"numberMisscheduled":0,"desiredNumberScheduled":0,"numberReady":0}"#,
        annotations: r#""deprecated.daemonset.template.generation":"0""#,
        ..Served::new("apps", "daemonsets", "DaemonSet")
    },
    Served {
        empty: r#","spec":{"schedule":"","jobTemplate":{"metadata":{},"spec":{"template":{"metadata":{},"spec":{"containers":null}}}}},"status":{}"#,
        ..Served::new("batch", "cronjobs", "CronJob")
    },
    Served { custom: true, ..Served::new("example.com", "widgets", "Widget") },
    Served { custom: true, namespaced: false, ..Served::new("example.com", "worlds", "World") },
];

/// What is served at present.
#[derive(Debug)]
pub struct Offer(pub Vec<&'static Served>);

impl Offer {
    /// Finds a resource.
    #[must_use]
    pub fn find(&self, group: &str, version: &str, plural: &str) -> Option<&'static Served> {
        self.of(group, version).find(|served| served.plural == plural)
    }

    /// Whether a group is served in a version.
    #[must_use]
    pub fn has_group(&self, group: &str, version: &str) -> bool {
        self.of(group, version).next().is_some()
    }

    /// The `APIResourceList` of a group and version; `None` where it is not served.
    #[must_use]
    pub fn discovery(&self, group: &str, version: &str) -> Option<Value> {
        let api_version = self.of(group, version).next()?.api_version();
        let resource = |Served { plural, kind, namespaced, .. }: &Served| {
            let verbs = ["get", "list", "watch"];
            json!({"name": plural, "namespaced": namespaced, "kind": kind, "verbs": verbs})
        };
        let resources: Vec<Value> = self.of(group, version).map(resource).collect();
        Some(json!({
            "kind": "APIResourceList",
            "groupVersion": api_version,
            "resources": resources,
        }))
    }

    fn of(&self, group: &str, version: &str) -> impl Iterator<Item = &'static Served> {
        let is = move |served: &&Served| served.group == group && served.version == version;
        self.0.iter().copied().filter(is)
    }
}

/// What of an object is its metadata.
fn metadata(body: &str) -> String {
    let object: Value = serde_json::from_str(body).unwrap_or_default();
    json!({"metadata": object["metadata"]}).to_string()
}
