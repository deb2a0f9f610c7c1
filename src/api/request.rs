//! Requests for lists and watches: paths and queries.

use std::fmt::Write;

use crate::{kinds::Resource, watch::machine::Request, wire::Wanted};

/// Who we say we are: `kubetally/<version> (<os>/<arch>)`.
pub const USER_AGENT: &str = concat!("kubetally/", env!("CARGO_PKG_VERSION"));

/// What a watcher watches.
#[derive(Clone, Debug)]
pub struct Target {
    /// The resource.
    pub resource: &'static Resource,
    /// One namespace, or all.
    pub namespace: Option<String>,
    /// A label selector.
    pub label_selector: Option<String>,
    /// A field selector.
    pub field_selector: Option<String>,
    /// The encoding.
    pub wanted: Wanted,
}

impl Target {
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
            .maybe("fieldSelector", self.field_selector.as_deref());
        query.0
    }

    fn path(&self) -> String {
        let Resource { name, group, version, .. } = self.resource;
        let root = if group.is_empty() { "/api".to_owned() } else { format!("/apis/{group}") };
        match &self.namespace {
            Some(namespace) => format!("{root}/{version}/namespaces/{namespace}/{name}"),
            None => format!("{root}/{version}/{name}"),
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
    use crate::kinds;

    fn target() -> Target {
        let resource = kinds::find("pods").expect("pods are known");
        Target {
            resource,
            namespace: None,
            label_selector: None,
            field_selector: None,
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
    fn a_group_has_a_path_of_its_own() {
        let resource = Box::leak(Box::new(Resource {
            name: "deployments",
            group: "apps",
            kind: "Deployment",
            ..*kinds::find("pods").expect("pods are known")
        }));
        let target = Target { resource, ..target() };
        assert!(
            target
                .path_and_query(&Request::Page { limit: 1, next: None })
                .starts_with("/apis/apps/v1/deployments?")
        );
    }
}
