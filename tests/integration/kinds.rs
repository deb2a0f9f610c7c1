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
const SERVED: &str = "kubetally_watch_served{resource=\"widgets.example.com\"}";

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
async fn a_custom_resource_is_counted_as_long_as_it_is_there() {
    let cluster = cluster(&["", "apps", "example.com"]).await;
    let daemon = cluster.watch(&[("watch.resources", "pods,example.com/v1/widgets")]).await;
    daemon.until_ready().await;
    told(&daemon, "widgets.example.com").await;
    told(&daemon, "example.com/v1 widgets: not served by the API server (yet); next try in").await;
    let scrape = daemon.scrape().await;
    assert!(!scrape.0.keys().any(|series| series.starts_with("kubetally_objects{resource=\"w")));
    assert!(scrape.is("kubetally_watch_synced{resource=\"widgets.example.com\"}", 0.0));
    assert!(scrape.is(SERVED, 0.0), "{scrape:?}");
    assert!(scrape.is("kubetally_watch_served{resource=\"pods\"}", 1.0), "{scrape:?}");

    cluster.sim.put("widgets", object("shop", "a"));
    cluster.sim.define("example.com");
    daemon.until("the first widget", |scrape| scrape.is(IN_SHOP, 1.0)).await;
    cluster.sim.put("widgets", object("shop", "b"));
    daemon.until("the second widget", |scrape| scrape.is(IN_SHOP, 2.0)).await;
    assert!(daemon.scrape().await.is(SERVED, 1.0));

    cluster.sim.withdraw("example.com");
    cluster.sim.cut();
    told(&daemon, "example.com/v1 widgets: not served by the API server (yet); next try in").await;
    let scrape = daemon.scrape().await;
    assert!(!scrape.0.contains_key(IN_SHOP) && scrape.is(SERVED, 0.0), "{scrape:?}");
    assert_eq!(daemon.get("/readyz").await.0, 200, "the others are watched");

    cluster.sim.define("example.com");
    daemon.until("the widgets again", |scrape| scrape.is(IN_SHOP, 2.0)).await;
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
