//! The bad days that a watcher has to survive: each test is named after its number in the table of
//! `docs/reliability.md`, injects its fault into a simulated API server over real sockets and TLS,
//! and compares what a scrape shows with what the server holds.

use std::time::Duration;

use kubetally::sim::state::Key;

use crate::{
    eventually::eventually,
    rig::{Scrape, Watching},
};

/// Connections that are refused, told to go away, or of another protocol.
mod connections;
/// Tokens, certificates and rights that change under way.
mod credentials;
/// Errors that the server states, and how often it is asked again.
mod errors;
/// Versions that expire or go back, objects that go while nobody looks.
mod history;
/// Lists: broken, cut off, page by page, streamed.
mod lists;
/// Slow readers, storms, clocks that jump.
mod pressure;
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
