//! Whether the API server serves a resource, by its discovery ("API concepts", "Resource URIs").

use serde::Deserialize;

use super::{
    client::{Client, Trouble},
    request::{Ask, Target},
};
use crate::watch::machine::{Failure, FailureKind};

/// What has to be done with a resource to count it.
const VERBS: [&str; 2] = ["list", "watch"];

/// `APIResourceList`, as far as it is read.
#[derive(Debug, Deserialize)]
struct Resources {
    #[serde(default)]
    resources: Vec<Served>,
}

#[derive(Debug, Deserialize)]
struct Served {
    name: String,
    #[serde(default)]
    namespaced: bool,
    #[serde(default)]
    verbs: Vec<String>,
}

impl Client {
    /// Whether the resource is served so that it can be watched as it is meant to be. Who may not
    /// ask finds out by watching.
    ///
    /// # Errors
    /// Where it is not, or the API server did not say.
    pub(super) async fn discover(&self, target: &Target) -> Result<(), Trouble> {
        let ask = Ask::get(target.resource.name.clone(), target.resource.root());
        let resources: Resources = match self.document(&ask, None).await {
            Ok((resources, _)) => resources,
            Err(trouble) if trouble.failure.kind == FailureKind::Forbidden => return Ok(()),
            Err(trouble) => return Err(target.absent(trouble)),
        };
        resources.admit(target).map_err(|message| Trouble {
            failure: Failure { kind: FailureKind::NotFound, retry_after: None },
            message,
        })
    }
}

impl Resources {
    /// Why the resource cannot be watched, if it cannot.
    fn admit(&self, target: &Target) -> Result<(), String> {
        let of = format!("{} {}", target.resource.api_version, target.resource.plural());
        let served = self.resources.iter().find(|served| served.name == target.resource.plural());
        let Some(Served { namespaced, verbs, .. }) = served else {
            return Err(format!("{of}: not served by the API server (yet)"));
        };
        if !VERBS.iter().all(|verb| verbs.iter().any(|known| known == verb)) {
            return Err(format!("{of}: cannot be watched, only {}", verbs.join(", ")));
        }
        if target.namespace.is_some() && !namespaced {
            return Err(format!(
                "{of}: is in no namespace, and watched only where watch.namespaces names none"
            ));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use rstest::rstest;

    use super::*;
    use crate::{kinds, wire::Wanted};

    const LIST: &str = r#"{"kind":"APIResourceList","groupVersion":"example.com/v1","resources":[
        {"name":"widgets","namespaced":true,"kind":"Widget","verbs":["get","list","watch"]},
        {"name":"widgets/status","namespaced":true,"kind":"Widget","verbs":["get"]},
        {"name":"looks","namespaced":true,"kind":"Look","verbs":["get","list"]},
        {"name":"worlds","kind":"World","verbs":["list","watch"]},
        {"name":"voids","namespaced":true,"kind":"Void"}]}"#;

    #[rstest]
    #[case("widgets", None, None)]
    #[case("widgets", Some("shop"), None)]
    #[case("worlds", None, None)]
    #[case("worlds", Some("shop"), Some("example.com/v1 worlds: is in no namespace"))]
    #[case("gadgets", None, Some("example.com/v1 gadgets: not served by the API server (yet)"))]
    #[case("looks", None, Some("example.com/v1 looks: cannot be watched, only get, list"))]
    #[case("voids", None, Some("example.com/v1 voids: cannot be watched"))]
    fn admits(
        #[case] plural: &str,
        #[case] namespace: Option<&str>,
        #[case] expected: Option<&str>,
    ) {
        let resource = kinds::parse(&format!("example.com/v1/{plural}")).expect("a resource");
        let target = Target {
            resource: Arc::new(resource),
            namespace: namespace.map(str::to_owned),
            label_selector: None,
            field_selector: None,
            shard: None,
            whole: false,
            wanted: Wanted::Auto,
        };
        let list: Resources = serde_json::from_str(LIST).expect("a list");
        match (list.admit(&target), expected) {
            (Ok(()), None) => {}
            (Err(message), Some(expected)) => assert!(message.starts_with(expected), "{message}"),
            other => panic!("{other:?}"),
        }
    }
}
