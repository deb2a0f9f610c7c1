//! Versions that expire or go back, objects that go while nobody looks.

use std::collections::BTreeMap;

use kubetally::sim::{
    Options,
    auth::Right,
    body::BodyFault,
    fault::{Fault, Gate, Rule, WatchFault},
};
use rstest::rstest;
use serde_json::{Value, json};

use super::{PODS, WARNINGS, in_protobuf, key, later, over_http1, relists, soon};
use crate::{
    eventually::eventually,
    rig::{Cluster, Scrape, USER, Watching, event, pod, recount},
};

const EVENTS: &str = "kubetally_objects{resource=\"events\"}";
const EXPIRED: &str = "kubetally_event_observations_total{op=\"deleted\"}";

/// A pod whose container has started again so often.
fn restarted(name: &str, phase: &str, restarts: u32) -> Value {
    let mut pod = pod("shop", name, phase);
    pod["status"]["containerStatuses"] =
        json!([{"name": "app", "restartCount": restarts, "state": {}}]);
    pod
}

async fn populated(options: Options, pods: &[&str], events: &[&str]) -> Cluster {
    let cluster = Cluster::start(options).await;
    for name in pods {
        cluster.sim.put("pods", pod("shop", name, "Running"));
    }
    for name in events {
        cluster.sim.put("events", event("shop", name, 1));
    }
    cluster
}

/// Waits until the pods are those of the server, and as many events as it has are held.
async fn until_true(cluster: &Cluster, daemon: &Watching) -> Scrape {
    let expected = recount(&cluster.sim.objects("pods"));
    let events = cluster.sim.objects("events").len() as f64;
    soon(daemon, "what the server holds", |scrape| {
        scrape.starting("kubetally_pods{") == expected && scrape.is(EVENTS, events)
    })
    .await
}

/// Everything that only grows and says what happened in the cluster.
fn happened(scrape: &Scrape) -> BTreeMap<String, f64> {
    let families = [
        "kubetally_event_occurrences_total",
        "kubetally_event_warnings_total",
        "kubetally_pod_phase_transitions_total",
        "kubetally_container_restarts_total",
        "kubetally_container_terminations_total",
        "kubetally_pod_start_duration_seconds",
    ];
    families.iter().flat_map(|family| scrape.starting(family)).collect()
}

#[rstest]
#[case::resumed(false)]
#[case::listed_again(true)]
#[tokio::test]
async fn fault_25_what_is_deleted_during_a_disconnect_goes_once(
    #[case] compacted: bool,
    #[values(Options::default(), over_http1(Options::default()))] options: Options,
) {
    let cluster = populated(options, &["a", "b", "c"], &["e", "f"]).await;
    let daemon = cluster.watch(&[]).await;
    daemon.until_ready().await;
    cluster.sim.fall();
    cluster.sim.delete("pods", &[key("shop", "b")]);
    cluster.sim.delete("events", &[key("shop", "f")]);
    if compacted {
        cluster.sim.compact();
    }
    cluster.sim.rise();
    until_true(&cluster, &daemon).await;
    // Deletions were the last that was heard: they are sent once more.
    cluster.sim.cut();
    cluster.sim.put("pods", pod("shop", "d", "Pending"));
    cluster.sim.put("events", event("shop", "g", 1));
    let scrape = until_true(&cluster, &daemon).await;
    assert!(scrape.is(EXPIRED, 1.0), "{scrape:?}");
    assert!(scrape.is(WARNINGS, 1.0), "what goes is no news");
    let lists = if compacted { 1.0 } else { 0.0 };
    assert!(scrape.is(&relists("pods", "expired"), lists));
    assert!(scrape.is(&relists("events", "expired"), lists));
}

#[rstest]
#[case::resumed(false)]
#[case::listed_again(true)]
#[tokio::test]
async fn fault_26_what_comes_back_under_its_name_is_another(#[case] compacted: bool) {
    let cluster = populated(Options::default(), &[], &["e"]).await;
    cluster.sim.put("pods", restarted("a", "Running", 5));
    let daemon = cluster.watch(&[("detail.resources", "pods")]).await;
    daemon.until_ready().await;
    let shown = async || daemon.scrape().await.starting("kube_pod_info{");
    let before = shown().await;
    cluster.sim.fall();
    cluster.sim.delete("pods", &[key("shop", "a")]);
    cluster.sim.put("pods", restarted("a", "Pending", 2));
    cluster.sim.delete("events", &[key("shop", "e")]);
    cluster.sim.put("events", event("shop", "e", 2));
    if compacted {
        cluster.sim.compact();
    }
    cluster.sim.rise();
    let scrape = soon(&daemon, "one more occurrence", |scrape| scrape.is(WARNINGS, 1.0)).await;
    assert!(scrape.is(EVENTS, 1.0));
    let scrape = until_true(&cluster, &daemon).await;
    assert_eq!(scrape.sum("kubetally_pod_phase_transitions_total"), 0.0, "neither has changed");
    assert!(scrape.is("kubetally_container_restarts_total{namespace=\"shop\"}", 2.0));
    let after = shown().await;
    assert_eq!((before.len(), after.len()), (1, 1));
    assert_ne!(before, after, "each shows its own UID");
}

#[rstest]
#[case::between_pages("list", 1)]
#[case::between_list_and_watch("watch", 1)]
#[tokio::test]
async fn fault_27_what_changes_in_the_middle_of_a_list_ends_up_right(
    #[case] verb: &'static str,
    #[case] skip: usize,
) {
    let options = Options { streaming_lists: false, ..Options::default() };
    let cluster = populated(options, &["a", "b", "c", "d", "e", "f"], &["e", "f", "g"]).await;
    let gate = Gate::default();
    for resource in ["pods", "events"] {
        let wait = Rule::once(verb, resource, Fault::Wait(gate.clone()));
        cluster.sim.inject(Rule { skip, ..wait });
    }
    let daemon = cluster.watch(&[("watch.page_size", "2")]).await;
    eventually("both at the gate", async || match gate.waiting() {
        2 => Ok(()),
        n => Err(format!("{n} wait")),
    })
    .await;
    // Of the page that was read, of those that come, and of both.
    cluster.sim.put("pods", pod("shop", "a", "Failed"));
    cluster.sim.put("pods", pod("shop", "e", "Succeeded"));
    cluster.sim.delete("pods", &[key("shop", "b"), key("shop", "f")]);
    cluster.sim.put("pods", pod("shop", "f", "Pending"));
    cluster.sim.put("pods", pod("shop", "aa", "Pending"));
    cluster.sim.put("events", event("shop", "e", 3));
    cluster.sim.put("events", event("shop", "g", 3));
    cluster.sim.delete("events", &[key("shop", "f")]);
    gate.open();
    let scrape = until_true(&cluster, &daemon).await;
    assert_eq!(scrape.sum("kubetally_watch_relists_total"), 0.0);
    daemon.until("what happened meanwhile", |scrape| scrape.is(WARNINGS, 4.0)).await;
}

#[tokio::test]
async fn fault_28_what_comes_again_changes_nothing() {
    let cluster = populated(Options::default(), &["a", "b"], &["e"]).await;
    let daemon = cluster.watch(&[]).await;
    daemon.until_ready().await;
    // Whole lives are among it: of an event, of a pod, of the pod that took its name.
    for (phase, restarts) in [("Pending", 0), ("Running", 0), ("Running", 3)] {
        cluster.sim.put("pods", restarted("brief", phase, restarts));
        cluster.sim.put("pods", restarted("again", phase, restarts));
    }
    cluster.sim.delete("pods", &[key("shop", "brief"), key("shop", "again")]);
    cluster.sim.put("pods", restarted("again", "Pending", 1));
    cluster.sim.put("pods", pod("shop", "a", "Failed"));
    for (name, count) in [("e", 4), ("brief", 1), ("brief", 3)] {
        cluster.sim.put("events", event("shop", name, count));
    }
    cluster.sim.delete("events", &[key("shop", "brief")]);
    until_true(&cluster, &daemon).await;
    let before = daemon.until("3 + 3", |scrape| scrape.is(WARNINGS, 6.0)).await;
    assert_eq!(before.sum("kubetally_pod_phase_transitions_total"), 3.0);
    assert_eq!(before.sum("kubetally_container_restarts_total"), 7.0);

    cluster.sim.fall();
    for resource in ["pods", "events"] {
        let from_the_start = Fault::Watch(WatchFault::From(0));
        cluster.sim.inject(Rule::once("watch", resource, from_the_start));
    }
    // The last that comes.
    cluster.sim.put("pods", pod("shop", "last", "Running"));
    let mut last = event("shop", "last", 1);
    last["type"] = "Normal".into();
    cluster.sim.put("events", last);
    cluster.sim.rise();
    let scrape = until_true(&cluster, &daemon).await;
    let news = |family: &str| scrape.sum(family) - before.sum(family);
    assert!(news("kubetally_watch_notifications_total") > 10.0, "it came again");
    let (mut then, mut now) = (happened(&before), happened(&scrape));
    let normal = |series: &String, _: &mut f64| !series.contains("type=\"Normal\"");
    then.retain(normal);
    now.retain(normal);
    assert_eq!(now, then);
    assert_eq!(scrape.sum("kubetally_watch_relists_total"), 0.0);
}

#[rstest]
#[case::streamed(Options::default())]
#[case::by_pages(Options { streaming_lists: false, ..Options::default() })]
#[tokio::test]
async fn fault_29_a_server_that_is_behind_shows_nothing_old(#[case] options: Options) {
    let cluster = populated(options, &["a", "b", "c"], &[]).await;
    let daemon = cluster.watch(&[("watch.resources", "pods")]).await;
    daemon.until_ready().await;
    let before = cluster.sim.revision();
    cluster.sim.put("pods", pod("shop", "b", "Failed"));
    cluster.sim.delete("pods", &[key("shop", "a")]);
    let expected = recount(&cluster.sim.objects("pods"));
    let is_true = |scrape: &Scrape| scrape.starting("kubetally_pods{") == expected;
    daemon.until("what the server holds", is_true).await;
    // A replica takes over whose caches have not heard of it yet.
    cluster.sim.lag(cluster.sim.revision() - before);
    cluster.sim.inject(Rule::once("watch", "pods", Fault::Body(gone())));
    cluster.sim.cut();
    let again = relists("pods", "expired");
    soon(&daemon, "another list", |scrape| {
        assert!(is_true(scrape), "it went back in time: {scrape:?}");
        scrape.is(&again, 1.0) && scrape.is("kubetally_watch_connected{resource=\"pods\"}", 1.0)
    })
    .await;
    let requests = cluster.sim.requests();
    let stale = |query: &str| query.split('&').any(|part| part == "resourceVersion=0");
    assert!(requests.iter().all(|seen| !stale(&seen.query)), "{requests:?}");
    // It catches up, and goes on.
    cluster.sim.put("pods", pod("shop", "d", "Pending"));
    cluster.sim.lag(0);
    let expected = recount(&cluster.sim.objects("pods"));
    daemon.until("one more", |scrape| scrape.starting("kubetally_pods{") == expected).await;
}

/// The version is too old, as a watch says it.
fn gone() -> BodyFault {
    let status = json!({"kind": "Status", "message": "too old", "reason": "Expired", "code": 410});
    BodyFault::Instead(0, format!("{}\n", json!({"type": "ERROR", "object": status})).into())
}

#[tokio::test]
async fn fault_30_versions_that_went_back_are_noticed_by_the_silence() {
    let cluster = populated(Options::default(), &["a", "b"], &["e"]).await;
    let daemon = cluster.watch(&[]).await;
    daemon.until_ready().await;
    let backup = cluster.sim.revision();
    cluster.sim.put("pods", pod("shop", "b", "Failed"));
    cluster.sim.put("pods", pod("shop", "c", "Pending"));
    cluster.sim.delete("pods", &[key("shop", "a")]);
    cluster.sim.put("events", event("shop", "e", 5));
    cluster.sim.put("events", event("shop", "f", 1));
    until_true(&cluster, &daemon).await;
    daemon.until("4 + 1", |scrape| scrape.is(WARNINGS, 5.0)).await;

    cluster.sim.restore(backup).expect("remembered");
    cluster.sim.cut();
    eventually("two new watches, accepted and silent", async || {
        let watches = ["/pods", "/events"].map(|path| cluster.requests("watch", path));
        let connected = daemon.scrape().await.sum("kubetally_watch_connected");
        if (watches, connected) == ([2, 2], 2.0) { Ok(()) } else { Err(format!("{watches:?}")) }
    })
    .await;
    cluster.sim.put("pods", pod("shop", "b", "Succeeded"));
    // Pods have bookmarks, which do not come; events have none, and are listed when a watch ends
    // that said nothing.
    later(180).await;
    let expected = recount(&cluster.sim.objects("pods"));
    let is_true = |scrape: &Scrape| scrape.starting("kubetally_pods{") == expected;
    let scrape = daemon.until("the pods of the backup", is_true).await;
    assert!(scrape.is(&relists("pods", "watchdog"), 1.0));
    assert!(scrape.is(&relists("events", "watchdog"), 0.0) && scrape.is(EVENTS, 2.0));
    later(600).await;
    let scrape = until_true(&cluster, &daemon).await;
    assert!(scrape.is(&relists("events", "watchdog"), 1.0));
    assert!(scrape.is(WARNINGS, 5.0), "what happened has happened");
    // What is counted up to again cannot be told from what was counted: a metric says so.
    cluster.sim.put("events", event("shop", "e", 4));
    cluster.sim.put("events", event("shop", "e", 7));
    let scrape = daemon.until("2 more than ever", |scrape| scrape.is(WARNINGS, 7.0)).await;
    assert!(scrape.value("kubetally_event_suppressed_total{cause=\"count_regressed\"}") >= 1.0);
}

#[rstest]
#[case::in_json(Options::default())]
#[case::in_protobuf(in_protobuf(Options::default()))]
#[tokio::test]
async fn fault_30_versions_that_went_back_are_noticed_by_a_probe(#[case] options: Options) {
    let cluster = populated(options, &["a", "b"], &["e"]).await;
    let daemon = cluster.watch(&[("probe.interval", "1s")]).await;
    daemon.until_ready().await;
    let backup = cluster.sim.revision();
    cluster.sim.put("pods", pod("shop", "c", "Pending"));
    cluster.sim.delete("pods", &[key("shop", "a")]);
    cluster.sim.put("events", event("shop", "e", 5));
    until_true(&cluster, &daemon).await;
    daemon.until("4 occurrences", |scrape| scrape.is(WARNINGS, 4.0)).await;
    let listed = || cluster.requests("list", "/pods");
    let before = listed();
    eventually("a list of the newest", async || match listed() {
        now if now > before + 1 => Ok(()),
        now => Err(format!("{now} lists")),
    })
    .await;
    cluster.sim.restore(backup).expect("remembered");
    cluster.sim.cut();
    let noticed = |scrape: &Scrape| {
        ["pods", "events"].iter().all(|resource| scrape.is(&relists(resource, "rewound"), 1.0))
    };
    daemon.until("either to be listed again", noticed).await;
    until_true(&cluster, &daemon).await;
    // Its versions pass those that we had: nothing would have told of it.
    for state in ["Pending", "Running", "Failed", "Running"] {
        cluster.sim.put("pods", pod("shop", "d", state));
        cluster.sim.put("events", event("shop", "f", 1));
    }
    cluster.sim.put("events", event("shop", "e", 6));
    let scrape = until_true(&cluster, &daemon).await;
    assert_eq!(scrape.sum("kubetally_watch_relists_total"), 2.0);
    daemon.until("1 + 1 more", |scrape| scrape.is(WARNINGS, 6.0)).await;
}

/// A server that has just begun does not know all rights at once: a probe lists something else then.
#[tokio::test]
async fn fault_30_versions_that_went_back_are_noticed_though_a_probe_is_refused_at_first() {
    let cluster = populated(Options::default(), &["a"], &["e"]).await;
    let daemon = cluster.watch(&[("probe.interval", "1s")]).await;
    daemon.until_ready().await;
    let backup = cluster.sim.revision();
    for name in ["b", "c", "d"] {
        cluster.sim.put("pods", pod("shop", name, "Pending"));
    }
    until_true(&cluster, &daemon).await;
    let more = async |what, path| {
        let before = cluster.requests("list", path);
        eventually(what, async || match cluster.requests("list", path) {
            now if now > before + 1 => Ok(()),
            now => Err(format!("{now} lists")),
        })
        .await;
    };
    more("a list of the newest pods", "/pods").await;
    cluster.sim.grant(USER, vec![Right::to_watch("", "events")]);
    cluster.sim.restore(backup).expect("remembered");
    cluster.sim.cut();
    more("lists of events", "/events").await;
    let rights = ["pods", "events"].map(|plural| Right::to_watch("", plural));
    cluster.sim.grant(USER, rights.to_vec());
    let noticed = |scrape: &Scrape| scrape.is(&relists("pods", "rewound"), 1.0);
    soon(&daemon, "pods to be listed again", noticed).await;
    until_true(&cluster, &daemon).await;
}

#[tokio::test]
async fn fault_47_a_custom_resource_counts_as_long_as_it_is_there() {
    const SHOWN: &str =
        "kubetally_namespace_objects{namespace=\"shop\",resource=\"widgets.example.com\"}";
    const SERVED: &str = "kubetally_watch_served{resource=\"widgets.example.com\"}";
    let cluster = populated(Options::default(), &["a"], &[]).await;
    cluster.sim.grant(USER, ["", "example.com"].map(|group| Right::to_watch(group, "*")).into());
    let widget = |name: &str| json!({"metadata": {"name": name, "namespace": "shop"}});
    let daemon = cluster.watch(&[("watch.resources", "pods,example.com/v1/widgets")]).await;
    let absent = async || {
        let not_there = |scrape: &Scrape| scrape.is(SERVED, 0.0);
        let scrape = daemon.until("it to be absent", not_there).await;
        assert!(scrape.starting("kubetally_objects{resource=\"widgets").is_empty(), "{scrape:?}");
        assert!(!scrape.0.contains_key(SHOWN), "{scrape:?}");
        assert!(scrape.is("kubetally_watch_served{resource=\"pods\"}", 1.0));
        daemon.until_ready().await;
        let (_, text) = daemon.get("/readyz?verbose").await;
        let said = "example.com/v1 widgets: not served by the API server (yet); next try in";
        assert!(text.contains(said), "{text}");
    };
    absent().await;
    cluster.sim.put("widgets", widget("a"));
    cluster.sim.define("example.com");
    soon(&daemon, "the first widget", |scrape| scrape.is(SHOWN, 1.0)).await;
    cluster.sim.put("widgets", widget("b"));
    daemon.until("the second", |scrape| scrape.is(SHOWN, 2.0) && scrape.is(SERVED, 1.0)).await;

    cluster.sim.withdraw("example.com");
    cluster.sim.cut();
    absent().await;
    // It is asked for again, but rarely.
    let asked = || cluster.requests("get", "/apis/example.com/v1");
    let before = asked();
    for _ in 0..60 {
        later(10).await;
        absent().await;
    }
    let tries = asked() - before;
    assert!((5..=25).contains(&tries), "{tries} tries in ten minutes");

    cluster.sim.define("example.com");
    soon(&daemon, "the widgets again", |scrape| scrape.is(SHOWN, 2.0)).await;
}

#[tokio::test]
async fn fault_50_what_leaves_the_selection_goes_and_what_enters_it_comes() {
    let cluster = populated(Options::default(), &["a", "b"], &[]).await;
    let settings =
        [("watch.resources", "pods"), ("watch.field_selectors.pods", "status.phase=Running")];
    let daemon = cluster.watch(&settings).await;
    daemon.until_ready().await;
    let holds = async |pods: f64, left: f64| {
        const LEFT: &str = "kubetally_watch_notifications_total{resource=\"pods\",op=\"deleted\"}";
        let is = |scrape: &Scrape| scrape.is(PODS, pods) && scrape.is(LEFT, left);
        let scrape = daemon.until("as many as are selected", is).await;
        let running = "kubetally_pods{namespace=\"shop\",phase=\"Running\"}";
        let expected: Vec<_> = Some((running.to_owned(), pods)).into_iter().collect();
        let shown: Vec<_> = scrape.starting("kubetally_pods{").into_iter().collect();
        assert_eq!(shown, expected);
        assert_eq!(scrape.sum("kubetally_pod_phase_transitions_total"), 0.0, "none was seen");
    };
    holds(2.0, 0.0).await;
    cluster.sim.put("pods", pod("shop", "a", "Succeeded"));
    holds(1.0, 1.0).await;
    cluster.sim.put("pods", pod("shop", "a", "Running"));
    holds(2.0, 1.0).await;
    // What has left already cannot leave again.
    cluster.sim.put("pods", pod("shop", "a", "Failed"));
    cluster.sim.delete("pods", &[key("shop", "a")]);
    cluster.sim.put("pods", pod("shop", "c", "Running"));
    holds(2.0, 2.0).await;
}

#[rstest]
#[case::reset(BodyFault::Hang)]
#[case::ended(BodyFault::End)]
#[tokio::test]
async fn fault_51_a_watch_cut_among_deletions_of_one_version_loses_none(
    #[case] fault: fn(usize) -> BodyFault,
    #[values(Options::default(), over_http1(Options::default()))] options: Options,
) {
    const ALL: usize = 1_000;
    let names: Vec<String> = (0..ALL).map(|at| format!("e-{at:04}")).collect();
    let names: Vec<_> = names.iter().map(String::as_str).collect();
    let cluster = populated(options, &[], &names).await;
    cluster.sim.put("events", event("shop", "stays", 1));
    let daemon = cluster.watch(&[("watch.resources", "events")]).await;
    daemon.until_ready().await;
    let line = cluster.sim.objects("events")[0].to_string().len();
    cluster.sim.fall();
    let keys: Vec<_> = names.iter().map(|name| key("shop", name)).collect();
    assert_eq!(cluster.sim.delete("events", &keys), ALL);
    cluster.sim.inject(Rule::once("watch", "events", Fault::Body(fault(line * ALL / 2))));
    cluster.sim.rise();
    let deleted = "kubetally_watch_notifications_total{resource=\"events\",op=\"deleted\"}";
    let half = |scrape: &Scrape| scrape.value(deleted) > ALL as f64 * 0.25;
    soon(&daemon, "about half of them", half).await;
    cluster.sim.cut();
    let scrape = soon(&daemon, "one", |scrape| scrape.is(EVENTS, 1.0)).await;
    assert!(scrape.is(EXPIRED, ALL as f64), "each once: {scrape:?}");
    assert!(scrape.value(deleted) > ALL as f64 * 1.25, "many came twice: {scrape:?}");
    assert_eq!(scrape.sum("kubetally_watch_relists_total"), 0.0);
}

#[rstest]
#[case::ended_by_the_server(false)]
#[case::cut_off_after_it_spoke(true)]
#[tokio::test]
async fn fault_52_an_idle_watch_of_events_that_outlives_history_counts_nothing_twice(
    #[case] spoke: bool,
) {
    let cluster = populated(Options::default(), &[], &["e", "f"]).await;
    let daemon = cluster.watch(&[("watch.resources", "events")]).await;
    daemon.until_ready().await;
    let mut counted = 0.0;
    if spoke {
        cluster.sim.put("events", event("shop", "e", 3));
        counted = 2.0;
        daemon.until("2 occurrences", |scrape| scrape.is(WARNINGS, counted)).await;
    }
    for round in 0..50 {
        cluster.sim.put("pods", pod("shop", &round.to_string(), "Running"));
    }
    daemon.scrape().await;
    cluster.sim.compact();
    let cause = if spoke { "expired" } else { "watchdog" };
    match spoke {
        true => cluster.sim.cut(),
        // Twice its timeout is the longest that it asks for.
        false => later(600).await,
    }
    let again = relists("events", cause);
    let scrape = soon(&daemon, "another list", |scrape| {
        scrape.is(&again, 1.0) && scrape.is("kubetally_watch_connected{resource=\"events\"}", 1.0)
    })
    .await;
    assert!(scrape.is(WARNINGS, counted) && scrape.is(EVENTS, 2.0), "{scrape:?}");
    assert!(scrape.value("kubetally_event_suppressed_total{cause=\"duplicate\"}") >= 2.0);
    cluster.sim.put("events", event("shop", "f", 2));
    daemon.until("one more", |scrape| scrape.is(WARNINGS, counted + 1.0)).await;
}
