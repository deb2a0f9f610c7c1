//! Requests for lists and watches: paths and queries.

use std::{borrow::Cow, fmt::Write, sync::Arc};

use bytes::Bytes;

use crate::{
    api::{Verb, client::Trouble},
    kinds::Resource,
    shard::Shard,
    watch::machine::{FailureKind, Request},
    wire::{Shape, Wanted},
};

/// Who we say we are: `kubetally/<version> (<os>/<arch>)`.
pub const USER_AGENT: &str = concat!("kubetally/", env!("CARGO_PKG_VERSION"));

/// The media type of what is sent.
pub const JSON: &str = "application/json";

/// What a watcher watches.
#[derive(Clone, Debug)]
pub struct Target {
    /// The resource.
    pub resource: Arc<Resource>,
    /// One namespace, or all.
    pub namespace: Option<String>,
    /// A label selector.
    pub label_selector: Option<String>,
    /// A field selector.
    pub field_selector: Option<String>,
    /// A share of the objects, or all; a server that cannot choose sends all.
    pub shard: Option<Shard>,
    /// Whether whole objects are asked for, else their metadata.
    pub whole: bool,
    /// The encoding.
    pub wanted: Wanted,
}

/// A request to be sent.
#[derive(Clone, Debug)]
pub struct Ask {
    /// What it does.
    pub verb: Verb,
    /// What it is about, as our `resource` label shows it.
    pub about: Cow<'static, str>,
    /// Below the server's own path.
    pub path_and_query: String,
    /// As `Accept` has it.
    pub accept: String,
    /// The JSON that is sent along, empty where nothing is.
    pub body: Bytes,
}

impl Target {
    /// A list or watch request.
    #[must_use]
    pub fn ask(&self, request: &Request) -> Ask {
        Ask {
            verb: request.verb(),
            about: self.resource.name.clone(),
            path_and_query: self.path_and_query(request),
            accept: self.accept(request),
            body: Bytes::new(),
        }
    }

    /// Whether it is some of the objects there are, by a selector.
    #[must_use]
    pub const fn is_selective(&self) -> bool {
        self.label_selector.is_some() || self.field_selector.is_some()
    }

    /// For people: a 404 says that there is no such resource, in words that do not tell which.
    #[must_use]
    pub fn absent(&self, trouble: Trouble) -> Trouble {
        match trouble.failure.kind {
            FailureKind::NotFound => {
                let Resource { api_version, .. } = &*self.resource;
                let plural = self.resource.plural();
                let message = format!("{api_version} {plural}: not served by the API server (yet)");
                Trouble { message, ..trouble }
            }
            _ => trouble,
        }
    }

    /// The path and query of a request, below the server's own path.
    #[must_use]
    pub fn path_and_query(&self, request: &Request) -> String {
        let mut query = Query(self.path());
        match request {
            Request::Stream { timeout } => query
                .add("watch", "1")
                .add("sendInitialEvents", "true")
                .add("resourceVersionMatch", "NotOlderThan")
                .add("allowWatchBookmarks", "true")
                .add("timeoutSeconds", &timeout.as_secs().to_string()),
            Request::Watch { resource_version, timeout } => query
                .add("watch", "1")
                .add("allowWatchBookmarks", "true")
                .add("resourceVersion", &resource_version.to_string())
                .add("timeoutSeconds", &timeout.as_secs().to_string()),
            Request::Page { limit, next } => {
                query.add("limit", &limit.to_string()).maybe("continue", next.as_deref())
            }
        };
        query
            .maybe("labelSelector", self.label_selector.as_deref())
            .maybe("fieldSelector", self.field_selector.as_deref())
            .maybe("shardSelector", self.shard.map(Shard::selector).as_deref());
        query.0
    }

    /// What a request accepts.
    #[must_use]
    pub fn accept(&self, request: &Request) -> String {
        self.wanted.accept(match request {
            _ if self.whole => Shape::Whole,
            Request::Page { .. } => Shape::MetadataList,
            Request::Stream { .. } | Request::Watch { .. } => Shape::Metadata,
        })
    }

    fn path(&self) -> String {
        let (root, plural) = (self.resource.root(), self.resource.plural());
        match &self.namespace {
            Some(namespace) => format!("{root}/namespaces/{namespace}/{plural}"),
            None => format!("{root}/{plural}"),
        }
    }
}

/// A path that a query is added to.
struct Query(String);

impl Query {
    fn add(&mut self, name: &str, value: &str) -> &mut Self {
        self.0.push(if self.0.contains('?') { '&' } else { '?' });
        self.0.push_str(name);
        self.0.push('=');
        for byte in value.bytes() {
            match byte {
                b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                    self.0.push(char::from(byte));
                }
                // Writing to a String cannot fail.
                _ => write!(self.0, "%{byte:02X}").unwrap_or_default(),
            }
        }
        self
    }

    fn maybe(&mut self, name: &str, value: Option<&str>) -> &mut Self {
        match value {
            Some(value) => self.add(name, value),
            None => self,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use rstest::rstest;

    use super::*;
    use crate::{kinds, wire::Encoding};

    fn resource(text: &str) -> Arc<Resource> {
        Arc::new(kinds::parse(text).expect("a resource"))
    }

    fn target() -> Target {
        Target {
            resource: resource("pods"),
            namespace: None,
            label_selector: None,
            field_selector: None,
            shard: None,
            whole: true,
            wanted: Wanted::Auto,
        }
    }

    #[rstest]
    #[case(
        Request::Stream { timeout: Duration::from_secs(301) },
        "/api/v1/pods?watch=1&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true&timeoutSeconds=301"
    )]
    #[case(
        Request::Watch { resource_version: 42, timeout: Duration::from_secs(300) },
        "/api/v1/pods?watch=1&allowWatchBookmarks=true&resourceVersion=42&timeoutSeconds=300"
    )]
    #[case(Request::Page { limit: 500, next: None }, "/api/v1/pods?limit=500")]
    #[case(
        Request::Page { limit: 500, next: Some("a=+/&b".into()) },
        "/api/v1/pods?limit=500&continue=a%3D%2B%2F%26b"
    )]
    fn requests(#[case] request: Request, #[case] expected: &str) {
        assert_eq!(target().path_and_query(&request), expected);
    }

    #[test]
    fn namespace_and_selectors() {
        let target = Target {
            namespace: Some("shop".into()),
            label_selector: Some("app in (web,api)".into()),
            field_selector: Some("status.phase!=Succeeded".into()),
            ..target()
        };
        assert_eq!(
            target.path_and_query(&Request::Page { limit: 1, next: None }),
            "/api/v1/namespaces/shop/pods?limit=1&labelSelector=app%20in%20%28web%2Capi%29&fieldSelector=status.phase%21%3DSucceeded"
        );
    }

    #[test]
    fn a_share() {
        let target = Target { shard: Shard::new(1, 2), ..target() };
        assert_eq!(
            target.path_and_query(&Request::Page { limit: 1, next: None }),
            "/api/v1/pods?limit=1&shardSelector=shardRange%28object.metadata.uid%2C%20%270x8000000000000000%27%2C%20%270x10000000000000000%27%29"
        );
    }

    #[rstest]
    #[case::whole(true, Request::Page { limit: 1, next: None }, Wanted::Auto,
        "application/vnd.kubernetes.protobuf,application/json")]
    #[case::list(false, Request::Page { limit: 1, next: None }, Wanted::Auto,
        "application/vnd.kubernetes.protobuf;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1")]
    #[case::watch(false, Request::Watch { resource_version: 1, timeout: Duration::from_secs(1) },
        Wanted::Only(Encoding::Json),
        "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1")]
    #[case::stream(false, Request::Stream { timeout: Duration::from_secs(1) },
        Wanted::Only(Encoding::Protobuf),
        "application/vnd.kubernetes.protobuf;as=PartialObjectMetadata;g=meta.k8s.io;v=v1")]
    fn nothing_but_metadata_is_accepted_where_nothing_else_is_read(
        #[case] whole: bool,
        #[case] request: Request,
        #[case] wanted: Wanted,
        #[case] expected: &str,
    ) {
        assert_eq!(Target { whole, wanted, ..target() }.accept(&request), expected);
    }

    #[rstest]
    #[case("deployments", "/apis/apps/v1/deployments?limit=1")]
    #[case("example.com/v1/widgets", "/apis/example.com/v1/widgets?limit=1")]
    #[case("v1/podtemplates", "/api/v1/podtemplates?limit=1")]
    fn a_group_has_a_path_of_its_own(#[case] text: &str, #[case] expected: &str) {
        let target = Target { resource: resource(text), ..target() };
        assert_eq!(target.path_and_query(&Request::Page { limit: 1, next: None }), expected);
    }
}
