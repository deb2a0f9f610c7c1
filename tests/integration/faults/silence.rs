//! Servers and networks that fall silent. Time passes on the daemon's clock, second by second.

use std::time::Duration;

use kubetally::sim::{
    Options,
    body::BodyFault,
    fault::{Fault, Gate, Rule, WatchFault},
};
use rstest::rstest;
use tokio::{
    task::{JoinSet, LocalSet},
    time::Instant,
};

use super::{PODS, WARNINGS, ends, later, over_http1, relists, soon, until_true, versions};
use crate::rig::{Cluster, Scrape, Watching, event, pod};

/// A silent server has to be noticed within so many seconds.
pub const NOTICED: u64 = 15;

/// A daemon that watches a pod and an event.
async fn watching(options: Options, settings: &[(&str, &str)]) -> (Cluster, Watching) {
    let cluster = Cluster::start(options).await;
    cluster.sim.put("pods", pod("shop", "a", "Running"));
    cluster.sim.put("events", event("shop", "e", 1));
    let daemon = cluster.watch(settings).await;
    daemon.until_ready().await;
    (cluster, daemon)
}

/// How many seconds pass until this holds.
pub async fn seconds_until(daemon: &Watching, what: &str, holds: impl Fn(&Scrape) -> bool) -> u64 {
    for seconds in 0..900 {
        // What this second brought is on its way over sockets.
        for _ in 0..3 {
            if holds(&daemon.scrape().await) {
                return seconds;
            }
        }
        later(1).await;
    }
    panic!("{what}: not within 900 s: {:#?}", daemon.scrape().await);
}

/// Whether each of both watches has ended for this cause.
fn both_ended(cause: &str) -> impl Fn(&Scrape) -> bool {
    let series = ["pods", "events"].map(|resource| ends(resource, cause));
    move |scrape| series.iter().all(|series| scrape.value(series) >= 1.0)
}

/// What changed meanwhile is found when the server is there again, without a list but for these.
async fn goes_on(cluster: &Cluster, daemon: &Watching, listed: &[String]) {
    cluster.sim.put("pods", pod("shop", "b", "Pending"));
    cluster.sim.put("events", event("shop", "e", 3));
    cluster.sim.thaw();
    let scrape = until_true(cluster, daemon, 2.0).await;
    assert!(scrape.is(WARNINGS, 2.0), "none twice: {scrape:?}");
    let relists = scrape.starting("kubetally_watch_relists_total");
    assert!(relists.keys().all(|series| listed.contains(series)), "{relists:?}");
}

#[rstest]
#[case::over_http2(Options::default())]
#[case::over_http1(over_http1(Options::default()))]
#[tokio::test]
async fn fault_31_a_black_hole_is_noticed_within_fifteen_seconds(#[case] options: Options) {
    let (cluster, daemon) = watching(options, &[]).await;
    // Time in which nothing is wrong is no silence.
    for _ in 0..40 {
        later(1).await;
        daemon.scrape().await;
    }
    assert_eq!(daemon.scrape().await.sum("kubetally_watch_ends_total"), 0.0);
    cluster.sim.freeze();
    let took = seconds_until(&daemon, "both watches given up", both_ended("ping_timeout")).await;
    assert!(took <= NOTICED, "{took} s");
    let scrape = daemon.scrape().await;
    assert!(scrape.value("kubetally_api_transport_errors_total{reason=\"ping_timeout\"}") >= 2.0);
    assert!(scrape.is("kubetally_watch_connected{resource=\"events\"}", 0.0));
    assert!(scrape.is(PODS, 1.0), "what is known is shown on");
    assert_eq!(daemon.get("/livez").await.0, 200);
    goes_on(&cluster, &daemon, &[]).await;
}

#[rstest]
#[case::over_http2(Options::default())]
#[case::over_http1(over_http1(Options::default()))]
#[tokio::test]
async fn fault_31_a_black_hole_in_a_list_is_noticed(#[case] options: Options) {
    let cluster = Cluster::start(options).await;
    cluster.sim.put("pods", pod("shop", "a", "Running"));
    cluster.sim.put("events", event("shop", "e", 1));
    let gate = Gate::default();
    let marker = Fault::Watch(WatchFault::Marker(gate.clone()));
    cluster.sim.inject(Rule::once("watch", "pods", marker));
    let daemon = cluster.watch(&[]).await;
    let synced = |scrape: &Scrape| scrape.is("kubetally_watch_synced{resource=\"events\"}", 1.0);
    daemon.until("half of it", |scrape| gate.waiting() == 1 && synced(scrape)).await;
    cluster.sim.freeze();
    let took = seconds_until(&daemon, "both given up", both_ended("ping_timeout")).await;
    assert!(took <= NOTICED, "{took} s");
    cluster.sim.put("pods", pod("shop", "b", "Pending"));
    cluster.sim.put("events", event("shop", "e", 3));
    cluster.sim.thaw();
    let scrape = until_true(&cluster, &daemon, 2.0).await;
    assert!(scrape.is(&relists("pods", "incomplete"), 1.0), "{scrape:?}");
}

#[rstest]
#[case::over_http2(Options::default())]
#[case::over_http1(over_http1(Options::default()))]
#[tokio::test]
async fn fault_31_a_black_hole_before_the_headers_is_noticed(#[case] options: Options) {
    let cluster = Cluster::start(options).await;
    cluster.sim.inject(Rule::once("watch", "pods", Fault::Silence));
    let daemon = cluster.watch(&[("watch.resources", "pods")]).await;
    daemon.until("a request", |_| cluster.requests("watch", "/pods") == 1).await;
    cluster.sim.freeze();
    let ended = |scrape: &Scrape| scrape.value(&ends("pods", "ping_timeout")) >= 1.0;
    let took = seconds_until(&daemon, "it to be given up", ended).await;
    assert!(took <= NOTICED, "{took} s");
}

/// Over HTTP/1.1 one request asks for all that are silent, and none where nobody is.
#[rstest]
#[case::over_http2(Options::default(), 0..=0)]
#[case::over_http1(over_http1(Options::default()), 6..=7)]
#[tokio::test]
async fn fault_31_one_request_asks_for_all_watches(
    #[case] options: Options,
    #[case] expected: std::ops::RangeInclusive<usize>,
) {
    let namespaces = [("watch.namespaces", "shop,a,b,c,d,e,f")];
    let (cluster, daemon) = watching(options, &namespaces).await;
    for _ in 0..60 {
        later(1).await;
        daemon.scrape().await;
    }
    let asked = cluster.requests("get", "/livez");
    assert!(expected.contains(&asked), "{asked} in a minute");
    let scrape = daemon.scrape().await;
    assert_eq!(scrape.sum("kubetally_watch_ends_total"), 0.0);
    let counted = "kubetally_api_requests_total{verb=\"get\",resource=\"livez\"";
    assert!(scrape.sum(counted) <= asked as f64, "{scrape:?}");
    // Without a server nobody waits.
    cluster.sim.fall();
    for _ in 0..30 {
        later(1).await;
        daemon.scrape().await;
    }
    assert_eq!(cluster.requests("get", "/livez"), asked);
}

#[rstest]
#[tokio::test]
async fn fault_31_a_refusal_is_a_sign_of_life(#[values(401, 403, 429, 500)] status: u16) {
    let (cluster, daemon) = watching(over_http1(Options::default()), &[]).await;
    let refusal =
        Fault::Answer { status, content_type: "text/plain", headers: vec![], body: "no\n".into() };
    let always = Rule { times: usize::MAX, ..Rule::once("get", "/livez", refusal) };
    cluster.sim.inject(always);
    for _ in 0..40 {
        later(1).await;
        daemon.scrape().await;
    }
    assert!(cluster.requests("get", "/livez") >= 3);
    assert_eq!(daemon.scrape().await.sum("kubetally_watch_ends_total"), 0.0);
}

#[rstest]
#[case::over_http2(Options::default())]
#[case::over_http1(over_http1(Options::default()))]
#[tokio::test]
async fn fault_32_a_connection_that_a_load_balancer_drops_is_noticed_within_fifteen_seconds(
    #[case] options: Options,
) {
    let (cluster, daemon) = watching(options, &[]).await;
    for _ in 0..240 {
        later(1).await;
        daemon.scrape().await;
    }
    assert_eq!(daemon.scrape().await.sum("kubetally_watch_ends_total"), 0.0, "pings keep it");
    cluster.sim.strand();
    let took = seconds_until(&daemon, "both watches given up", both_ended("ping_timeout")).await;
    assert!(took <= NOTICED, "{took} s");
    // What is known of events is too old after minutes of silence.
    goes_on(&cluster, &daemon, &[relists("events", "watchdog")]).await;
}

/// A peer that answers pings and sends nothing: a resource with bookmarks is listed again after
/// three minutes, and one without goes on at its own deadline.
#[rstest]
#[case::over_http2(Options::default())]
#[case::over_http1(over_http1(Options::default()))]
#[tokio::test]
async fn fault_33_a_stream_that_is_frozen_ends_by_its_deadline(#[case] options: Options) {
    let (cluster, daemon) = watching(options, &[("watch.timeout", "60s")]).await;
    // A watch that has brought something goes on where it was.
    cluster.sim.put("pods", pod("shop", "b", "Running"));
    cluster.sim.put("events", event("shop", "e", 2));
    until_true(&cluster, &daemon, 1.0).await;
    for resource in ["pods", "events"] {
        let frozen = Fault::Body(BodyFault::Hang(0));
        cluster.sim.inject(Rule::once("watch", resource, frozen));
    }
    cluster.sim.cut();
    let hang = |scrape: &Scrape| {
        let connected = scrape.starting("kubetally_watch_connected").len() == 2;
        connected && ["pods", "events"].iter().all(|of| versions(&cluster, of).len() == 1)
    };
    soon(&daemon, "the watches that hang", hang).await;
    cluster.sim.put("pods", pod("shop", "c", "Pending"));
    cluster.sim.put("events", event("shop", "e", 3));
    let took = seconds_until(&daemon, "both watches given up", both_ended("idle_timeout")).await;
    assert!((60..=2 * 60 + 15).contains(&took), "{took} s");
    let scrape = until_true(&cluster, &daemon, 2.0).await;
    assert!(scrape.is(WARNINGS, 2.0), "none twice: {scrape:?}");
}

#[rstest]
#[case::over_http2(Options::default())]
#[case::over_http1(over_http1(Options::default()))]
#[tokio::test]
async fn fault_34_a_watch_that_the_server_does_not_end_is_ended(#[case] options: Options) {
    let cluster = Cluster::start(options).await;
    cluster.sim.put("pods", pod("shop", "a", "Running"));
    let endless = Rule::once("watch", "pods", Fault::Watch(WatchFault::Endless));
    cluster.sim.inject(endless);
    let daemon = cluster.watch(&[("watch.timeout", "30s"), ("watch.resources", "pods")]).await;
    daemon.until_ready().await;
    let ended = |scrape: &Scrape| scrape.is(&ends("pods", "idle_timeout"), 1.0);
    let took = seconds_until(&daemon, "our own deadline", ended).await;
    assert!((30 + 14..=60 + 15).contains(&took), "{took} s");
    cluster.sim.put("pods", pod("shop", "b", "Running"));
    let scrape = until_true(&cluster, &daemon, 0.0).await;
    assert!(scrape.is(&relists("pods", "watchdog"), 0.0), "{scrape:?}");
    assert_eq!(scrape.sum("kubetally_watch_relists_total"), 0.0, "{scrape:?}");
    assert_eq!(versions(&cluster, "pods").len(), 1);
}

/// How long, in real time, after a server has frozen that was silent for so long, both watches are
/// given up: that of pods, which brought one just before, and that of events, which never spoke.
async fn measured(options: Options, silent: Duration) -> [Duration; 2] {
    let (cluster, daemon) = watching(options, &[]).await;
    cluster.sim.put("pods", pod("shop", "b", "Running"));
    daemon.until("the pod", |scrape| scrape.is(PODS, 2.0)).await;
    tokio::time::sleep(silent).await;
    let frozen = Instant::now();
    cluster.sim.freeze();
    let noticed = async |resource: &str| {
        let ended = ends(resource, "ping_timeout");
        daemon.until("the end of its watch", |scrape| scrape.is(&ended, 1.0)).await;
        frozen.elapsed()
    };
    let (pods, events) = tokio::join!(noticed("pods"), noticed("events"));
    [pods, events]
}

/// Measures, for `make detect`, how soon a server is noticed that freezes at any time between two
/// signs of life.
#[tokio::test]
#[ignore = "half a minute of real time: make detect"]
async fn how_soon_silence_is_noticed() {
    println!("protocol, resource, s to notice: least, most");
    for (protocol, options, within) in
        [("HTTP/2", Options::default(), 15), ("HTTP/1.1", over_http1(Options::default()), 20)]
    {
        let (local, mut measuring) = (LocalSet::new(), JoinSet::new());
        for half_seconds in 0..20 {
            let silent = Duration::from_millis(500) * half_seconds;
            measuring.spawn_local_on(measured(options.clone(), silent), &local);
        }
        let measured = local.run_until(measuring.join_all()).await;
        for (at, resource) in ["pods", "events"].into_iter().enumerate() {
            let took = measured.iter().map(|took| took[at]);
            let (least, most) = (took.clone().min(), took.max());
            let (least, most) = least.zip(most).expect("a measurement");
            let seconds = [least, most].map(|took| format!("{:.2}", took.as_secs_f64()));
            println!("{protocol}, {resource}, {}", seconds.join(", "));
            assert!(most <= Duration::from_secs(within), "{most:?}");
        }
    }
}
