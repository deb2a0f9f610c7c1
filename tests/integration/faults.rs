//! The bad days that a watcher has to survive: each test is named after its number in the table of
//! `docs/reliability.md`, injects its fault into a simulated API server over real sockets and TLS,
//! and compares what a scrape shows with what the server holds.

use std::time::Duration;

use bytes::Bytes;
use kubetally::sim::{
    Options,
    fault::{Fault, Rule},
    state::Key,
};
use serde_json::{Value, json};

use crate::{
    eventually::eventually,
    oracle,
    rig::{Cluster, Scrape, Watching, event, pod, recount},
};

/// Certificates that change under way, and servers that nobody should believe.
mod certificates;
/// Connections that are refused, told to go away, or of another protocol.
mod connections;
/// Tokens and rights that change under way.
mod credentials;
/// Errors that the server states, and how often it is asked again.
mod errors;
/// A kind of each sort, and whatever is asked beside the watches.
mod everyone;
/// Versions that expire or go back, objects that go while nobody looks.
mod history;
/// Lists: broken, cut off, page by page, streamed.
mod lists;
/// A machine on a clock of its own.
mod played;
/// Exec plugins that go bad under way.
mod plugins;
/// Slow readers, storms, clocks that jump.
mod pressure;
/// What stands between.
mod proxy;
/// Servers and networks that fall silent.
mod silence;
/// Bytes of a watch: pieces, garbage, ends.
mod streams;

/// How many pods are held.
const PODS: &str = "kubetally_objects{resource=\"pods\"}";

/// The series of what was listed again for this cause.
fn relists(resource: &str, cause: &str) -> String {
    format!("kubetally_watch_relists_total{{resource=\"{resource}\",cause=\"{cause}\"}}")
}

/// The series of watches that ended for this cause.
fn ends(resource: &str, cause: &str) -> String {
    format!("kubetally_watch_ends_total{{resource=\"{resource}\",cause=\"{cause}\"}}")
}

fn in_protobuf(options: Options) -> Options {
    Options { protobuf: Some(oracle::protobuf), ..options }
}

fn over_http1(options: Options) -> Options {
    Options { alpn: vec!["http/1.1"], ..options }
}

/// The resourceVersions that watches of a resource were asked for at; none of those that list first.
fn versions(cluster: &Cluster, resource: &str) -> Vec<String> {
    let all = cluster.sim.requests();
    let watches = all.iter().filter(|seen| seen.verb == "watch" && seen.path.ends_with(resource));
    let asked = watches.filter_map(|seen| parameter(&seen.query, "resourceVersion"));
    asked.filter(|version| !version.is_empty()).collect()
}

/// What a query has of this name.
fn parameter(query: &str, name: &str) -> Option<String> {
    let mut parameters = form_urlencoded::parse(query.as_bytes());
    parameters.find(|(found, _)| found == name).map(|(_, value)| value.into_owned())
}

fn key(namespace: &str, name: &str) -> Key {
    Key { namespace: namespace.into(), name: name.into() }
}

/// Scrapes until this holds; where the daemon does nothing but wait before it tries again, the clock
/// is moved on.
async fn soon(daemon: &Watching, what: &str, holds: impl Fn(&Scrape) -> bool) -> Scrape {
    let waits = |scrape: &Scrape| {
        let watches = scrape.0.iter().filter(|(name, _)| name.starts_with("kubetally_watch_conn"));
        let connected = watches.map(|(_, connected)| *connected);
        scrape.sum("kubetally_api_requests_in_flight") == 0.0
            && connected.fold(1.0, f64::min) == 0.0
    };
    eventually(what, async || {
        let scrape = daemon.scrape().await;
        if holds(&scrape) {
            return Ok(scrape);
        }
        if waits(&scrape) {
            later(10).await;
        }
        Err(format!("{scrape:#?}"))
    })
    .await
}

/// Moves the clock of the daemon and the server on by so many seconds, in which nothing happens.
async fn later(seconds: u64) {
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(seconds)).await;
    tokio::time::resume();
}

/// What the events of the tests come to.
const WARNINGS: &str = "kubetally_event_warnings_total{namespace=\"shop\"}";

/// A daemon that watches pods and an event and is cut off; while it is away a pod comes, one goes,
/// and the event happens twice more. What it opens next of a resource meets this fault. Ends when
/// the scrape shows what the server holds.
async fn resumed(
    options: Options,
    resource: &'static str,
    fault: impl FnOnce(&Cluster) -> Fault,
) -> (Cluster, Watching, Scrape) {
    let cluster = Cluster::start(options).await;
    for name in ["stays", "goes"] {
        cluster.sim.put("pods", pod("shop", name, "Running"));
    }
    cluster.sim.put("events", event("shop", "e", 1));
    let daemon = cluster.watch(&[]).await;
    daemon.until_ready().await;
    cluster.sim.fall();
    cluster.sim.inject(Rule::once("watch", resource, fault(&cluster)));
    cluster.sim.delete("pods", &[key("shop", "goes")]);
    cluster.sim.put("pods", pod("shop", "comes", "Pending"));
    cluster.sim.put("events", event("shop", "e", 3));
    cluster.sim.rise();
    let scrape = until_true(&cluster, &daemon, 2.0).await;
    (cluster, daemon, scrape)
}

/// Waits until a scrape shows what the server holds, and so many warnings.
async fn until_true(cluster: &Cluster, daemon: &Watching, warnings: f64) -> Scrape {
    let expected = recount(&cluster.sim.objects("pods"));
    soon(daemon, "what the server holds", |scrape| {
        scrape.starting("kubetally_pods{") == expected && scrape.value(WARNINGS) >= warnings
    })
    .await
}

/// A line of a watch.
fn line(kind: &str, object: &Value) -> Bytes {
    format!("{}\n", json!({"type": kind, "object": object})).into()
}

/// Has an event come on its watch, so that the watch has something to go on from.
async fn with_an_event(cluster: &Cluster, daemon: &Watching) {
    cluster.sim.put("events", event("shop", "e", 1));
    daemon.until("an event", |scrape| scrape.is(WARNINGS, 1.0)).await;
}
