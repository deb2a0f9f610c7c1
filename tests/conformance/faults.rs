//! The API server killed or frozen, the way to it cut, etcd compacted: the state is right afterwards, and no
//! event counts twice.

use std::time::Duration;

use serde_json::json;
use tokio::time::Instant;

use crate::{
    api::{Api, Call},
    cluster::Cluster,
    daemon::Kubetally,
    objects::{event, events, phase, pod, pods},
    proxy::Proxy,
    recount::Recount,
    suite::{Suite, kubetally, namespace, tests},
};

tests![
    cut_off_while_etcd_is_compacted,
    killed_while_etcd_is_compacted,
    frozen_over_http2,
    frozen_over_http1,
];

const WATCHED: [(&str, f64); 2] = [
    ("kubetally_watch_connected{resource=\"pods\"}", 1.0),
    ("kubetally_watch_connected{resource=\"events\"}", 1.0),
];
const RELISTS: &str = "kubetally_watch_relists_total";

/// What was there before, and what happened while watching: two occurrences.
async fn before(api: &Api, kubetally: &mut Kubetally) {
    kubetally.until_ready().await;
    api.must(Call::patch(format!("{}/old", events("shop")), json!({"count": 21}))).await;
    api.must(Call::create(events("shop"), event("shop", "new", "Warning", "BackOff", 1))).await;
    let counted = [("kubetally_event_warnings_total{namespace=\"shop\"}", 2.0)];
    kubetally.until_values("two occurrences", &counted).await;
}

/// Ten pods and two events.
async fn furnish(api: &Api) {
    namespace(api, "shop").await;
    let names = (0..10).map(|n| format!("pod-{n}"));
    api.all(names.map(|name| Call::create(pods("shop"), pod(&name, Some("node-1"))))).await;
    for name in ["old", "gone"] {
        let event = event("shop", name, "Warning", "BackOff", 20);
        api.must(Call::create(events("shop"), event)).await;
    }
}

/// What happens while nobody can watch: seven occurrences, as far as a list can tell.
async fn meanwhile(api: &Api) {
    let (pods, events) = (pods("shop"), events("shop"));
    for n in 0..3 {
        api.must(Call::delete(format!("{pods}/pod-{n}"))).await;
    }
    // One is another one under the old name.
    api.must(Call::create(&pods, pod("pod-0", Some("node-2")))).await;
    api.must(Call::create(&pods, pod("pod-10", None))).await;
    api.must(Call::patch(format!("{pods}/pod-5/status"), phase("Running", true))).await;
    // Two more of one; three more of another, whose event was made anew meanwhile; and one that
    // nobody has seen, of which both occurrences were after watching began.
    api.must(Call::patch(format!("{events}/new"), json!({"count": 3}))).await;
    api.must(Call::delete(format!("{events}/old"))).await;
    api.must(Call::create(&events, event("shop", "old", "Warning", "BackOff", 24))).await;
    api.must(Call::delete(format!("{events}/gone"))).await;
    api.must(Call::create(&events, event("shop", "fresh", "Warning", "BackOff", 2))).await;
}

async fn afterwards(api: &Api, kubetally: &mut Kubetally) {
    kubetally.until_values("watches after the fault", &WATCHED).await;
    let recount = Recount::of(api).await;
    kubetally.until("the state after the fault", |scrape| recount.equals(scrape)).await;
    let counted = [("kubetally_event_warnings_total{namespace=\"shop\"}", 9.0)];
    kubetally.until_values("what happened meanwhile", &counted).await;
    // And life goes on.
    api.must(Call::patch(format!("{}/new", events("shop")), json!({"count": 4}))).await;
    let counted = [("kubetally_event_warnings_total{namespace=\"shop\"}", 10.0)];
    kubetally.until_values("one occurrence more", &counted).await;
}

/// Whether everything of a resource was listed again, once, as its history was gone.
async fn expired(kubetally: &Kubetally, resource: &str) -> bool {
    let scrape = kubetally.scrape().await;
    let relists: f64 = scrape
        .family(RELISTS)
        .filter(|(labels, _)| labels.contains(&format!("resource=\"{resource}\"")))
        .map(|(_, n)| n)
        .sum();
    let expired = format!("{RELISTS}{{resource=\"{resource}\",cause=\"expired\"}}");
    assert!(relists <= 1.0, "{resource}: {relists} relists; its log:\n{}", kubetally.log());
    scrape.get(&expired) == Some(1.0)
}

async fn cut_off_while_etcd_is_compacted(suite: &Suite) {
    let (shared, api) = suite.fresh().await;
    furnish(&api).await;
    let proxy = Proxy::start(shared.server.port).await;
    let kubeconfig = shared.cluster.admin_kubeconfig(proxy.port);
    let mut kubetally = kubetally(&kubeconfig, &[]).await;
    before(&api, &mut kubetally).await;

    proxy.cut();
    let cut = WATCHED.map(|(series, _)| (series, 0.0));
    kubetally.until_values("the end of the watches", &cut).await;
    meanwhile(&api).await;
    shared.cluster.compact().await;
    proxy.mend();

    afterwards(&api, &mut kubetally).await;
    // The server has pods in its watch cache, and events only in etcd.
    assert!(expired(&kubetally, "events").await, "no 410 of events");
    assert!(!expired(&kubetally, "pods").await, "pods were listed again");
    kubetally.stop().await;
}

async fn killed_while_etcd_is_compacted(suite: &Suite) {
    let cluster = Cluster::start(&suite.assets).await;
    let (mut server, other) = (cluster.api_server(&[]).await, cluster.api_server(&[]).await);
    let api = other.admin();
    furnish(&api).await;
    let kubeconfig = cluster.admin_kubeconfig(server.port);
    let mut kubetally = kubetally(&kubeconfig, &[]).await;
    before(&api, &mut kubetally).await;

    server.kill();
    let cut = WATCHED.map(|(series, _)| (series, 0.0));
    kubetally.until_values("the end of the watches", &cut).await;
    meanwhile(&api).await;
    cluster.compact().await;
    server.restart().await;

    afterwards(&api, &mut kubetally).await;
    assert!(expired(&kubetally, "events").await, "no 410 of events");
    assert!(expired(&kubetally, "pods").await, "no 410 of pods");

    // Once more, but nothing happens meanwhile.
    server.kill();
    kubetally.until_values("the end of the watches", &cut).await;
    server.restart().await;
    kubetally.until_values("watches after a restart", &WATCHED).await;
    let recount = Recount::of(&api).await;
    kubetally.until("the state after a restart", |scrape| recount.equals(scrape)).await;
    let counted = [("kubetally_event_warnings_total{namespace=\"shop\"}", 10.0)];
    kubetally.scrape().await.expect(&counted).unwrap();
    kubetally.stop().await;
}

async fn frozen_over_http2(suite: &Suite) {
    frozen(suite, &[], Duration::from_secs(15)).await;
}

async fn frozen_over_http1(suite: &Suite) {
    frozen(suite, &["--disable-http2-serving"], Duration::from_secs(20)).await;
}

/// Stopped in the middle of whatever it does, it is noticed on both watches, and its connections are
/// good for nothing when it goes on; what happened meanwhile is found without a list.
async fn frozen(suite: &Suite, flags: &[&str], within: Duration) {
    let cluster = Cluster::start(&suite.assets).await;
    let (server, other) = (cluster.api_server(flags).await, cluster.api_server(&[]).await);
    let api = other.admin();
    furnish(&api).await;
    let kubeconfig = cluster.admin_kubeconfig(server.port);
    let mut kubetally = kubetally(&kubeconfig, &[]).await;
    before(&api, &mut kubetally).await;

    server.freeze();
    let frozen = Instant::now();
    let ended = ["pods", "events"].map(|resource| {
        format!("kubetally_watch_ends_total{{resource=\"{resource}\",cause=\"ping_timeout\"}}")
    });
    let ended = [(&*ended[0], 1.0), (&*ended[1], 1.0)];
    kubetally.until_values("the end of the watches", &ended).await;
    let took = frozen.elapsed();
    println!("frozen {flags:?}: noticed after {:.1} s", took.as_secs_f64());
    // As much again for a machine that has other work to do.
    assert!(took < 2 * within, "{took:?}");
    meanwhile(&api).await;
    server.thaw();

    afterwards(&api, &mut kubetally).await;
    let relists: f64 = kubetally.scrape().await.family(RELISTS).map(|(_, n)| n).sum();
    assert!(relists < 1.0, "{relists} relists; its log:\n{}", kubetally.log());
    kubetally.stop().await;
}
