//! Lists: broken, cut off, page by page, streamed.

use std::io::Write;

use flate2::{Compression, write::GzEncoder};
use kubetally::sim::{
    Options,
    body::BodyFault,
    fault::{Fault, Gate, Rule, WatchFault},
    options::Next,
};
use rstest::rstest;
use serde_json::{Value, json};

use super::{PODS, in_protobuf, key, later, over_http1, relists, soon};
use crate::{
    eventually::eventually,
    rig::{Cluster, Scrape, Watching, event, pod, recount},
};

/// Pods and events that there are before anything befalls a list; pages hold eight of them.
const MANY: usize = 20;
const NOTIFICATIONS: &str = "kubetally_watch_notifications_total";
const STATUS: &str = r#"{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure","message":"etcdserver: request timed out","code":500}"#;

fn by_pages() -> Options {
    Options { streaming_lists: false, ..Options::default() }
}

async fn populated(options: Options) -> Cluster {
    let cluster = Cluster::start(options).await;
    for at in 0..MANY {
        cluster.sim.put("pods", pod("shop", &format!("pod-{at:02}"), "Running"));
        cluster.sim.put("events", event("shop", &format!("e-{at:02}"), 1));
    }
    cluster
}

async fn watch(cluster: &Cluster) -> Watching {
    cluster.watch(&[("watch.page_size", "8")]).await
}

/// What befalls a daemon that has synced: while it is away one pod goes, another comes, each event
/// happens twice more, and all that is forgotten, so that it has to list, which meets these faults.
async fn listed_again(cluster: &Cluster, faults: Vec<Rule>) -> (Watching, Scrape) {
    let daemon = watch(cluster).await;
    daemon.until_ready().await;
    cluster.sim.fall();
    cluster.sim.delete("pods", &[key("shop", "pod-00")]);
    cluster.sim.put("pods", pod("shop", "comes", "Pending"));
    for at in 0..MANY {
        cluster.sim.put("events", event("shop", &format!("e-{at:02}"), 3));
    }
    cluster.sim.compact();
    faults.into_iter().for_each(|fault| cluster.sim.inject(fault));
    cluster.sim.rise();
    let scrape = until_true(cluster, &daemon).await;
    (daemon, scrape)
}

/// Waits until a scrape shows what the server holds; until then it must not show less.
async fn until_true(cluster: &Cluster, daemon: &Watching) -> Scrape {
    let expected = recount(&cluster.sim.objects("pods"));
    let occurrences = 2.0 * MANY as f64;
    soon(daemon, "what the server holds", |scrape| {
        assert!(scrape.value(PODS) >= MANY as f64, "half a list is shown: {scrape:?}");
        scrape.starting("kubetally_pods{") == expected
            && scrape.is("kubetally_event_warnings_total{namespace=\"shop\"}", occurrences)
    })
    .await
}

/// Waits until a first list is shown, all of it or nothing.
async fn until_all(daemon: &Watching) -> Scrape {
    soon(daemon, "all pods", |scrape| {
        let all = scrape.is(PODS, MANY as f64);
        assert!(all || !scrape.0.contains_key(PODS), "half a list is shown: {scrape:?}");
        all
    })
    .await
}

/// The continue tokens of the pages of pods that were asked for; `None` is a first page.
fn pages(cluster: &Cluster) -> Vec<Option<String>> {
    let listed = |seen: &&_| is_list_of_pods(seen);
    let next = |query: &str| {
        let mut parameters = form_urlencoded::parse(query.as_bytes());
        parameters.find(|(name, _)| name == "continue").map(|(_, token)| token.into_owned())
    };
    cluster.sim.requests().iter().filter(listed).map(|seen| next(&seen.query)).collect()
}

/// How many streaming lists of pods were asked for.
fn streamed(cluster: &Cluster) -> usize {
    let requests = cluster.sim.requests();
    let pods = requests.iter().filter(|seen| seen.path.ends_with("/pods"));
    pods.filter(|seen| seen.query.contains("sendInitialEvents")).count()
}

fn is_list_of_pods(seen: &kubetally::sim::Seen) -> bool {
    seen.verb == "list" && seen.path.ends_with("/pods")
}

/// An answer in the place of a list of pods.
fn page(metadata: Value, items: &[Value]) -> Fault {
    let list = json!({"kind": "PodList", "apiVersion": "v1", "metadata": metadata, "items": items});
    let content_type = "application/json";
    Fault::Answer { status: 200, content_type, headers: vec![], body: list.to_string().into() }
}

#[rstest]
#[case::streamed(Options::default(), "watch", 1)]
#[case::streamed_over_http1(over_http1(Options::default()), "watch", 1)]
#[case::in_the_first_page(by_pages(), "list", 0)]
#[case::in_the_last_page(by_pages(), "list", 2)]
#[case::in_a_page_over_http1(over_http1(by_pages()), "list", 1)]
#[case::streamed_in_protobuf(in_protobuf(Options::default()), "watch", 1)]
#[case::in_a_page_in_protobuf(in_protobuf(by_pages()), "list", 1)]
#[tokio::test]
async fn fault_19_a_list_that_is_reset_sweeps_nothing(
    #[case] options: Options,
    #[case] verb: &'static str,
    #[case] skip: usize,
    #[values("pods", "events")] resource: &'static str,
) {
    let cluster = populated(options).await;
    let reset = Rule::once(verb, resource, Fault::Body(BodyFault::Break(700)));
    let (_daemon, scrape) = listed_again(&cluster, vec![Rule { skip, ..reset }]).await;
    if verb == "watch" {
        let added = scrape.sum(&format!("{NOTIFICATIONS}{{resource=\"{resource}\",op=\"added\""));
        assert!(added > 2.0 * MANY as f64, "nothing of it arrived: {scrape:?}");
    }
    assert!(scrape.is(&relists(resource, "expired"), 1.0));
    assert!(scrape.is(&relists(resource, "incomplete"), 1.0));
    assert_eq!(scrape.sum("kubetally_watch_relists_total"), 3.0, "one of the others");
}

#[rstest]
#[case::streamed(Options::default(), "watch")]
#[case::by_pages(by_pages(), "list")]
#[case::in_protobuf(in_protobuf(by_pages()), "list")]
#[tokio::test]
async fn fault_19_a_first_list_that_is_reset_is_not_shown(
    #[case] options: Options,
    #[case] verb: &'static str,
) {
    let cluster = populated(options).await;
    let reset = Rule::once(verb, "pods", Fault::Body(BodyFault::Break(1_000)));
    cluster.sim.inject(Rule { times: 2, ..reset });
    let daemon = watch(&cluster).await;
    let scrape = until_all(&daemon).await;
    assert!(scrape.is(&relists("pods", "incomplete"), 2.0));
}

#[rstest]
#[case::to_a_whole_list(usize::MAX)]
#[case::in_the_middle_of_an_item(900)]
#[tokio::test]
async fn fault_20_a_status_behind_a_list_is_no_list(
    #[case] at: usize,
    #[values("pods", "events")] resource: &'static str,
    #[values(by_pages(), over_http1(by_pages()), in_protobuf(by_pages()))] options: Options,
) {
    let cluster = populated(options).await;
    let status = Fault::Body(BodyFault::Instead(at, STATUS.into()));
    let (_daemon, scrape) =
        listed_again(&cluster, vec![Rule::once("list", resource, status)]).await;
    let causes = ["decode", "incomplete"].map(|cause| scrape.value(&relists(resource, cause)));
    assert_eq!(causes.iter().sum::<f64>(), 1.0, "{scrape:?}");
}

#[rstest]
#[case::whole(1)]
#[case::cut_off(2)]
#[tokio::test]
async fn fault_21_a_compressed_list_is_never_asked_for_and_not_taken(#[case] part: usize) {
    let cluster = populated(by_pages()).await;
    let list = json!({
        "kind": "PodList",
        "apiVersion": "v1",
        "metadata": {"resourceVersion": "1"},
        "items": cluster.sim.objects("pods"),
    });
    let mut compressed = GzEncoder::new(Vec::new(), Compression::fast());
    compressed.write_all(list.to_string().as_bytes()).expect("written");
    let mut body = compressed.finish().expect("compressed");
    body.truncate(body.len() / part);
    let fault = Fault::Answer {
        status: 200,
        content_type: "application/json",
        headers: vec![("Content-Encoding", "gzip")],
        body: body.into(),
    };
    let (_daemon, scrape) = listed_again(&cluster, vec![Rule::once("list", "pods", fault)]).await;
    assert!(scrape.is("kubetally_api_transport_errors_total{reason=\"decode\"}", 1.0));
    assert!(cluster.sim.requests().iter().all(|seen| !seen.compressed));
}

#[rstest]
#[case::first_list(false)]
#[case::later_list(true)]
#[tokio::test]
async fn fault_22_a_page_that_expired_starts_a_fresh_list(#[case] again: bool) {
    let cluster = populated(by_pages()).await;
    let daemon = watch(&cluster).await;
    let third = Gate::default();
    let wait = Rule::once("list", "pods", Fault::Wait(third.clone()));
    if again {
        daemon.until_ready().await;
        cluster.sim.fall();
        cluster.sim.put("pods", pod("shop", "earlier", "Running"));
        cluster.sim.compact();
    }
    cluster.sim.inject(Rule { skip: 2, ..wait });
    cluster.sim.rise();
    waits(&third).await;
    cluster.sim.delete("pods", &[key("shop", "pod-00")]);
    cluster.sim.put("pods", pod("shop", "comes", "Pending"));
    cluster.sim.compact();
    let before = pages(&cluster).len();
    third.open();
    let expected = recount(&cluster.sim.objects("pods"));
    let is_true = |scrape: &Scrape| scrape.starting("kubetally_pods{") == expected;
    let scrape = soon(&daemon, "what the server holds", is_true).await;
    assert!(scrape.is(&relists("pods", "expired"), if again { 2.0 } else { 1.0 }));
    let pages = pages(&cluster);
    assert_eq!(pages[before..], [None], "all at once, so that it cannot expire again");
    // The token that came with the 410 goes on at no version.
    let tokens = pages.iter().flatten().map(|token| Next::parse(token).expect("a token"));
    assert!(tokens.map(|token| token.rv).all(|version| version > 0));
}

#[rstest]
#[case::first("pods")]
#[case::of_events("events")]
#[tokio::test]
async fn fault_23_an_empty_page_is_not_the_last(#[case] resource: &'static str) {
    let cluster = populated(by_pages()).await;
    let revision = i64::try_from(cluster.sim.revision()).expect("a small number");
    let next = Next::after(revision, "/".into()).token();
    let empty = page(json!({"resourceVersion": revision.to_string(), "continue": next}), &[]);
    cluster.sim.inject(Rule::once("list", resource, empty));
    let daemon = watch(&cluster).await;
    daemon.until_ready().await;
    let scrape = daemon.scrape().await;
    for resource in ["pods", "events"] {
        let series = format!("kubetally_objects{{resource=\"{resource}\"}}");
        assert!(scrape.is(&series, MANY as f64), "{scrape:?}");
    }
    assert_eq!(scrape.sum("kubetally_watch_relists_total"), 0.0);
    assert_eq!(cluster.requests("list", resource), 4, "the empty one and three full ones");
}

#[tokio::test]
async fn fault_24_a_continue_token_that_comes_again_ends_the_list() {
    let cluster = populated(by_pages()).await;
    let some = &cluster.sim.objects("pods")[3..6];
    let round = page(json!({"resourceVersion": "1", "continue": "round"}), some);
    let round = Rule { times: 2, ..Rule::once("list", "pods", round) };
    let (daemon, scrape) = listed_again(&cluster, vec![round.clone()]).await;
    assert!(scrape.is(&relists("pods", "incomplete"), 1.0));
    // While it lasts it says so, and shows what it knows.
    cluster.sim.fall();
    cluster.sim.put("pods", pod("shop", "later", "Running"));
    cluster.sim.compact();
    cluster.sim.inject(Rule { times: usize::MAX, ..round });
    cluster.sim.rise();
    let scrape = soon(&daemon, "it to go round", |scrape| {
        scrape.value(&relists("pods", "incomplete")) >= 2.0
    })
    .await;
    assert!(scrape.is(PODS, MANY as f64));
    let (status, text) = daemon.get("/readyz?verbose").await;
    assert_eq!(status, 200);
    let said = "pods: the list goes round: a continue token came again; next try in";
    assert!(text.contains(said), "{text}");
}

#[tokio::test]
async fn fault_48_a_server_without_streaming_lists_is_asked_once() {
    let cluster = populated(by_pages()).await;
    let (_daemon, scrape) = listed_again(&cluster, vec![]).await;
    assert_eq!(scrape.sum("kubetally_watch_relists_total"), 2.0, "one of pods, one of events");
    let synced = "kubetally_watch_sync_duration_seconds_count{resource=\"pods\",mode=\"list\"}";
    assert!(scrape.is(synced, 2.0), "{scrape:?}");
    assert_eq!(streamed(&cluster), 1);
}

#[tokio::test]
async fn fault_48_a_streaming_list_without_its_marker_gives_way_to_pages() {
    let cluster = populated(Options::default()).await;
    let never = Gate::default();
    let hidden = Rule::once("watch", "pods", Fault::Watch(WatchFault::Marker(never.clone())));
    cluster.sim.inject(hidden);
    let daemon = watch(&cluster).await;
    waits(&never).await;
    assert!(!daemon.scrape().await.0.contains_key(PODS), "it may be half a list");
    later(30).await;
    eventually("the end of patience", async || match never.waiting() {
        0 => Ok(()),
        _ => Err(daemon.get("/readyz?verbose").await.1),
    })
    .await;
    daemon.until_ready().await;
    let scrape = daemon.scrape().await;
    assert!(scrape.is(PODS, MANY as f64) && scrape.is(&relists("pods", "incomplete"), 1.0));
    assert_eq!(pages(&cluster).iter().filter(|page| page.is_none()).count(), 1);
}

#[rstest]
#[case::over_http2(Options::default())]
#[case::over_http1(over_http1(Options::default()))]
#[tokio::test]
async fn fault_48_streaming_lists_that_end_before_the_marker_give_way_to_pages(
    #[case] options: Options,
) {
    let cluster = populated(options).await;
    let early = Rule::once("watch", "pods", Fault::Body(BodyFault::End(3_000)));
    cluster.sim.inject(Rule { times: usize::MAX, ..early });
    let daemon = watch(&cluster).await;
    let scrape = until_all(&daemon).await;
    assert!(scrape.is(&relists("pods", "incomplete"), 3.0));
    let first_pages = pages(&cluster).iter().filter(|page| page.is_none()).count();
    assert_eq!((streamed(&cluster), first_pages), (3, 1));
}

#[rstest]
#[case::first_list(false)]
#[case::later_list(true)]
#[tokio::test]
async fn fault_49_what_changes_before_the_marker_is_taken(#[case] again: bool) {
    let cluster = populated(Options::default()).await;
    let marker = Gate::default();
    let late = Rule::once("watch", "pods", Fault::Watch(WatchFault::Marker(marker.clone())));
    cluster.sim.inject(Rule { skip: if again { 2 } else { 0 }, ..late });
    let daemon = watch(&cluster).await;
    if again {
        daemon.until_ready().await;
        cluster.sim.put("pods", pod("shop", "a", "Running"));
        cluster.sim.compact();
        cluster.sim.cut();
    }
    waits(&marker).await;
    cluster.sim.delete("pods", &[key("shop", "pod-03"), key("shop", "pod-19")]);
    cluster.sim.put("pods", pod("shop", "pod-04", "Failed"));
    cluster.sim.put("pods", pod("shop", "new", "Pending"));
    cluster.sim.put("pods", pod("shop", "brief", "Pending"));
    cluster.sim.delete("pods", &[key("shop", "brief")]);
    marker.open();
    let expected = recount(&cluster.sim.objects("pods"));
    let is_true = |scrape: &Scrape| scrape.starting("kubetally_pods{") == expected;
    let scrape = soon(&daemon, "what the server holds", is_true).await;
    assert!(scrape.is(&relists("pods", "expired"), if again { 1.0 } else { 0.0 }));
    // And on it goes from there.
    cluster.sim.put("pods", pod("shop", "pod-03", "Running"));
    let expected = recount(&cluster.sim.objects("pods"));
    daemon.until("one more", |scrape| scrape.starting("kubetally_pods{") == expected).await;
    assert_eq!(pages(&cluster), []);
}

/// Waits until somebody waits at a gate.
async fn waits(gate: &Gate) {
    eventually("somebody at the gate", async || match gate.waiting() {
        0 => Err("nobody there".into()),
        _ => Ok(()),
    })
    .await;
}
