//! The configuration as meant: parsed, checked, ready to use.

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use crate::kinds::Resource;

/// Everything the daemon was told.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The HTTP side.
    pub http: Http,
    /// Where the API server is.
    pub cluster: Cluster,
    /// What is watched, and how.
    pub watch: Watch,
    /// Bounds on free-form label values.
    pub caps: Caps,
    /// How it logs.
    pub log: Log,
}

/// The listener that Prometheus scrapes.
#[derive(Clone, Debug)]
pub struct Http {
    /// Address to listen on.
    pub listen: SocketAddr,
    /// How long a stop waits for scrapes in flight.
    pub drain: Duration,
}

/// Where the API server is and who we are.
#[derive(Clone, Debug)]
pub struct Cluster {
    /// A kubeconfig named explicitly; none looks at `$KUBECONFIG`, `~/.kube/config`, then in-cluster.
    pub kubeconfig: Option<PathBuf>,
    /// The kubeconfig's context; none takes its current one.
    pub context: Option<String>,
    /// Exit with 69 where the cluster cannot be reached at the start.
    pub require: bool,
}

/// What is watched, and how.
#[derive(Clone, Debug)]
pub struct Watch {
    /// The resources, each once.
    pub resources: Vec<Watched>,
    /// The namespaces; empty means all, by one cluster-wide watch a resource.
    pub namespaces: Vec<String>,
    /// Objects a page of a paged LIST.
    pub page_size: u32,
    /// What is asked for as `timeoutSeconds`, before jitter.
    pub timeout: Duration,
}

/// One watched resource and its selectors, passed to the API server as they are.
#[derive(Clone, Debug)]
pub struct Watched {
    /// The resource.
    pub resource: &'static Resource,
    /// A label selector.
    pub label_selector: Option<String>,
    /// A field selector.
    pub field_selector: Option<String>,
}

/// Bounds on free-form label values; what is beyond goes into `_other`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Caps {
    /// Values of `namespace`.
    pub namespaces: usize,
    /// Values of `reason`, and of an event's `kind`.
    pub reasons: usize,
    /// Values of `node`.
    pub nodes: usize,
}

/// How it logs.
#[derive(Clone, Debug)]
pub struct Log {
    /// Text or JSON.
    pub format: LogFormat,
    /// A level, or `tracing` directives such as `info,kubetally::watch=debug`.
    pub filter: String,
}

/// The form of a log line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}
