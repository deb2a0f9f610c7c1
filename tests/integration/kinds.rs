//! Kinds of which only the metadata is asked for, and resources that are not in the table.

use kubetally::sim::{
    Options,
    auth::Right,
    fault::{Fault, Rule},
};
use serde_json::{Value, json};

use crate::{
    eventually::eventually,
    rig::{Cluster, USER, Watching},
};

const WIDGETS: &str = "example.com/v1/widgets";
const IN_SHOP: &str =
    "kubetally_namespace_objects{namespace=\"shop\",resource=\"widgets.example.com\"}";

fn object(namespace: &str, name: &str) -> Value {
    json!({"metadata": {"name": name, "namespace": namespace}, "data": {"password": "hunter2"}})
}

/// A cluster whose daemon may watch everything of these groups.
async fn cluster(groups: &[&str]) -> Cluster {
    let cluster = Cluster::start(Options::default()).await;
    cluster.sim.grant(USER, groups.iter().map(|group| Right::to_watch(group, "*")).collect());
    cluster
}

/// Discovery is always answered so.
fn on_discovery(status: u16, body: &'static str) -> Rule {
    let (content_type, headers) = ("text/plain", Vec::new());
    let fault = Fault::Answer { status, content_type, headers, body: body.into() };
    Rule { verb: Some("get"), resource: None, skip: 0, times: usize::MAX, fault }
}

/// Waits until readiness says this.
async fn told(daemon: &Watching, part: &str) {
    eventually(part, async || match daemon.get("/readyz?verbose").await.1 {
        text if text.contains(part) => Ok(()),
        text => Err(text),
    })
    .await;
}

#[tokio::test]
async fn what_secrets_hold_is_never_asked_for() {
    let cluster = cluster(&[""]).await;
    for (namespace, name) in [("shop", "a"), ("shop", "b"), ("pay", "a")] {
        cluster.sim.put("secrets", object(namespace, name));
    }
    let daemon = cluster.watch(&[("watch.resources", "secrets"), ("watch.timeout", "30s")]).await;
    daemon.until_ready().await;
    cluster.sim.put("secrets", object("pay", "b"));
    let series = "kubetally_namespace_objects{namespace=\"pay\",resource=\"secrets\"}";
    daemon.until("the second secret", |scrape| scrape.is(series, 2.0)).await;
    let requests = cluster.sim.requests();
    let of_secrets = || requests.iter().filter(|seen| seen.path.ends_with("/secrets"));
    assert!(of_secrets().count() > 0);
    for seen in of_secrets() {
        assert!(
            seen.accept.split(',').all(|o| o.contains(";as=PartialObjectMetadata")),
            "{seen:?}"
        );
    }
}

#[tokio::test]
async fn what_is_in_no_namespace_is_not_watched_in_some() {
    let cluster = cluster(&["example.com"]).await;
    cluster.sim.define("example.com");
    let settings = [("watch.resources", "example.com/v1/worlds"), ("watch.namespaces", "shop,pay")];
    let daemon = cluster.watch(&settings).await;
    told(&daemon, "example.com/v1 worlds: is in no namespace").await;
    assert_eq!(cluster.requests("watch", "/worlds"), 0);
}

#[tokio::test]
async fn whoever_may_not_discover_watches_all_the_same() {
    let cluster = cluster(&["example.com"]).await;
    cluster.sim.define("example.com");
    cluster.sim.put("widgets", object("shop", "a"));
    cluster.sim.inject(on_discovery(403, "forbidden: User cannot get path"));
    let daemon = cluster.watch(&[("watch.resources", WIDGETS)]).await;
    daemon.until("the widget", |scrape| scrape.is(IN_SHOP, 1.0)).await;
}

#[tokio::test]
async fn a_server_that_cannot_say_what_it_serves_is_asked_again() {
    let cluster = cluster(&["example.com"]).await;
    cluster.sim.define("example.com");
    cluster.sim.put("widgets", object("shop", "a"));
    cluster.sim.inject(on_discovery(503, "the server is shutting down"));
    let daemon = cluster.watch(&[("watch.resources", WIDGETS)]).await;
    told(&daemon, "the server is shutting down; next try in").await;
    assert_eq!(daemon.get("/readyz").await.0, 503);
    assert_eq!(cluster.requests("watch", "/widgets"), 0);
    cluster.sim.heal();
    daemon.until("the widget", |scrape| scrape.is(IN_SHOP, 1.0)).await;
}
