//! Connections that are refused, told to go away, or of another protocol.

use kubetally::sim::{
    Options, Seen,
    auth::Right,
    fault::{Fault, Gate, Rule},
};
use rstest::rstest;
use serde_json::json;

use super::{PODS, WARNINGS, ends, later, over_http1, proxy::Proxy, soon, until_true, versions};
use crate::rig::{Cluster, Scrape, USER, Watching, event, pod};

/// A kubeconfig that leads through a proxy.
async fn through(cluster: &Cluster, proxy: &Proxy) -> Watching {
    let mut kubeconfig = cluster.kubeconfig(&json!({"token": cluster.token()}));
    kubeconfig["clusters"][0]["cluster"]["server"] = format!("https://{}", proxy.address).into();
    Watching::start(cluster.endpoint_by(&kubeconfig), &[]).await
}

#[rstest]
#[case::over_http2(Options::default())]
#[tokio::test]
async fn fault_35_a_server_that_goes_away_ends_no_watch(#[case] options: Options) {
    let cluster = Cluster::start(options).await;
    let daemon = cluster.watch(&[]).await;
    daemon.until_ready().await;
    cluster.sim.go_away();
    cluster.sim.put("pods", pod("shop", "a", "Running"));
    cluster.sim.put("events", event("shop", "e", 2));
    let scrape = until_true(&cluster, &daemon, 2.0).await;
    assert!(scrape.is("kubetally_watch_connected{resource=\"pods\"}", 1.0));
    assert_eq!(scrape.sum("kubetally_watch_ends_total"), 0.0, "{scrape:?}");
    assert_eq!(cluster.requests("watch", "/pods"), 1);
    // What comes next is dialled.
    cluster.sim.end_watches();
    soon(&daemon, "the next watch", |_| !versions(&cluster, "pods").is_empty()).await;
    let all = cluster.sim.requests();
    let of_pods = all.iter().filter(|seen| seen.verb == "watch" && seen.path.ends_with("/pods"));
    let connections: Vec<_> = of_pods.map(|seen| seen.connection).collect();
    assert!(connections[0] != connections[1], "{connections:?}");
}

/// The connection of a page is kept for the next, and closes in between.
#[rstest]
#[case::over_http2(Options::default())]
#[case::over_http1(over_http1(Options::default()))]
#[tokio::test]
async fn fault_35_a_server_that_goes_away_between_pages_breaks_no_list(#[case] options: Options) {
    let cluster = Cluster::start(Options { streaming_lists: false, ..options }).await;
    for at in 0..20 {
        cluster.sim.put("pods", pod("shop", &format!("pod-{at}"), "Running"));
    }
    let gate = Gate::default();
    cluster.sim.inject(Rule::once("list", "pods", Fault::Wait(gate.clone())));
    let settings = [("watch.page_size", "8"), ("watch.resources", "pods")];
    let daemon = cluster.watch(&settings).await;
    daemon.until("the first page is asked for", |_| gate.waiting() == 1).await;
    cluster.sim.go_away();
    gate.open();
    daemon.until_ready().await;
    let scrape = daemon.scrape().await;
    assert!(scrape.is(PODS, 20.0), "{scrape:?}");
    assert_eq!(scrape.sum("kubetally_watch_relists_total"), 0.0, "{scrape:?}");
    let errors = scrape.sum("kubetally_api_transport_errors_total");
    let gone = scrape.value("kubetally_api_transport_errors_total{reason=\"goaway\"}");
    assert!(errors <= gone, "it goes on at once: {scrape:?}");
    let all = cluster.sim.requests();
    let pages: Vec<_> =
        all.iter().filter(|seen| seen.verb == "list").map(|seen| seen.connection).collect();
    assert_eq!(pages.len(), 3, "{pages:?}");
    assert!(pages[0] != pages[1] && pages[1] == pages[2], "{pages:?}");
}

#[tokio::test]
async fn fault_36_a_request_that_was_not_taken_is_sent_again_at_once() {
    let cluster = Cluster::start(Options::default()).await;
    cluster.sim.put("pods", pod("shop", "a", "Running"));
    cluster.sim.put("events", event("shop", "e", 1));
    let proxy = Proxy::start(&cluster).await;
    let daemon = through(&cluster, &proxy).await;
    daemon.until_ready().await;
    proxy.leave(2);
    cluster.sim.end_watches();
    soon(&daemon, "both to be told to go away", |_| proxy.left() == 2).await;
    cluster.sim.put("pods", pod("shop", "b", "Running"));
    cluster.sim.put("events", event("shop", "e", 4));
    let scrape = until_true(&cluster, &daemon, 3.0).await;
    let retries = scrape.sum("kubetally_api_retries_total{verb=\"watch\"");
    assert!(retries >= 2.0, "{scrape:?}");
    assert!(scrape.value("kubetally_api_transport_errors_total{reason=\"goaway\"}") >= 1.0);
    assert_eq!(scrape.sum("kubetally_watch_relists_total"), 0.0, "{scrape:?}");
    assert!(scrape.is(&ends("pods", "goaway"), 0.0), "it is no failure of a watch: {scrape:?}");
    assert!(scrape.is(WARNINGS, 3.0), "none twice: {scrape:?}");
}

#[rstest]
#[case::only_http1(vec!["http/1.1"])]
#[case::nothing_agreed(vec![])]
#[tokio::test]
async fn fault_37_a_server_without_http2_is_watched(#[case] alpn: Vec<&'static str>) {
    let cluster = Cluster::start(Options { alpn, ..Options::default() }).await;
    cluster.sim.put("pods", pod("shop", "a", "Running"));
    cluster.sim.put("events", event("shop", "e", 1));
    let daemon = cluster.watch(&[]).await;
    daemon.until_ready().await;
    cluster.sim.put("pods", pod("shop", "b", "Pending"));
    cluster.sim.put("events", event("shop", "e", 3));
    let scrape = until_true(&cluster, &daemon, 2.0).await;
    assert_eq!(scrape.sum("kubetally_api_transport_errors_total"), 0.0, "{scrape:?}");
}

#[tokio::test]
async fn fault_38_a_server_that_takes_one_stream_a_connection_is_watched() {
    let options = Options { streams: 1, streaming_lists: false, ..Options::default() };
    let cluster = Cluster::start(options).await;
    cluster.sim.grant(USER, ["pods", "events", "nodes"].map(|of| Right::to_watch("", of)).into());
    for at in 0..20 {
        cluster.sim.put("pods", pod("shop", &format!("pod-{at}"), "Running"));
    }
    let settings = [
        ("watch.page_size", "5"),
        ("watch.resources", "pods,events,nodes"),
        ("watch.namespaces", "shop,other"),
        ("probe.interval", "1s"),
    ];
    let daemon = cluster.watch(&settings).await;
    daemon.until_ready().await;
    let probed = "kubetally_api_probe_duration_seconds_count{endpoint=\"default\",probe=\"list\"";
    daemon.until("a round of probes", |scrape| scrape.sum(probed) >= 2.0).await;
    let scrape = daemon.scrape().await;
    assert!(scrape.is(PODS, 20.0), "{scrape:?}");
    assert_eq!(scrape.sum("kubetally_api_transport_errors_total"), 0.0, "{scrape:?}");
    let all = cluster.sim.requests();
    let is_watch = |seen: &&Seen| seen.verb == "watch" && seen.query.contains("resourceVersion=");
    let watches: Vec<_> = all.iter().filter(is_watch).collect();
    assert_eq!(watches.len(), 5, "two of pods, two of events, one of nodes");
    let connections: std::collections::BTreeSet<_> =
        watches.iter().map(|seen| seen.connection).collect();
    assert_eq!(connections.len(), watches.len(), "a connection for each");
}

/// For five minutes nobody listens. The tries are few, and what was known is shown all along.
#[rstest]
#[case::a_version_that_holds(false)]
#[case::a_version_that_has_expired(true)]
#[tokio::test]
async fn fault_39_a_server_that_is_down_for_minutes_is_resumed(#[case] expired: bool) {
    const REFUSED: &str = "kubetally_api_transport_errors_total{reason=\"refused\"}";
    let cluster = Cluster::start(Options::default()).await;
    cluster.sim.put("pods", pod("shop", "a", "Running"));
    cluster.sim.put("events", event("shop", "e", 1));
    let daemon = cluster.watch(&[]).await;
    daemon.until_ready().await;
    cluster.sim.fall();
    soon(&daemon, "nobody there", |scrape| scrape.value(REFUSED) >= 2.0).await;
    let before = daemon.scrape().await.value(REFUSED);
    for _ in 0..300 {
        let scrape = daemon.scrape().await;
        assert!(scrape.is(PODS, 1.0), "what is known is shown on");
        later(1).await;
    }
    let tries = daemon.scrape().await.value(REFUSED) - before;
    // Of each watch: five while the wait doubles, then one in 30 to 60 seconds. Others ask too.
    assert!((8.0..=40.0).contains(&tries), "{tries} in five minutes");
    assert_eq!(daemon.get("/livez").await.0, 200);
    cluster.sim.put("pods", pod("shop", "b", "Pending"));
    cluster.sim.put("events", event("shop", "e", 3));
    if expired {
        cluster.sim.compact();
    }
    cluster.sim.rise();
    let scrape: Scrape = until_true(&cluster, &daemon, 2.0).await;
    let relists = scrape.sum("kubetally_watch_relists_total");
    assert_eq!(relists, if expired { 2.0 } else { 0.0 }, "{scrape:?}");
    assert!(scrape.is(WARNINGS, 2.0), "none twice: {scrape:?}");
}
