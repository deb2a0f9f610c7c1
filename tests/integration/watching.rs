//! What is in the cluster is in a scrape, exactly, however it is listed and whatever happens.

use std::time::SystemTime;

use kubetally::sim::{
    Options,
    auth::Right,
    body::BodyFault,
    fault::{Fault, Rule},
    state::Key,
    workload::{Workload, Write},
};
use rstest::rstest;

use crate::{
    eventually::eventually,
    rig::{Cluster, USER, Watching, event, pod, recount},
};

fn apply(cluster: &Cluster, writes: Vec<Write>) {
    for write in writes {
        match write {
            Write::Put(table, object) => {
                cluster.sim.put(table, object);
            }
            Write::Delete(table, keys) => {
                cluster.sim.delete(table, &keys);
            }
        }
    }
}

fn key(namespace: &str, name: &str) -> Key {
    Key { namespace: namespace.into(), name: name.into() }
}

#[rstest]
#[case::streamed(Options::default())]
#[case::by_pages(Options { streaming_lists: false, ..Options::default() })]
#[case::over_http1(Options { alpn: vec!["http/1.1"], ..Options::default() })]
#[tokio::test]
async fn a_busy_cluster_is_counted_exactly(#[case] options: Options) {
    let cluster = Cluster::start(options).await;
    let mut workload = Workload::new(7, SystemTime::now());
    apply(&cluster, workload.populate(500));
    let daemon = cluster.watch(&[("watch.page_size", "100")]).await;
    daemon.until_ready().await;
    for _ in 0..1_000 {
        apply(&cluster, workload.step(SystemTime::now()));
    }
    let pods = cluster.sim.objects("pods");
    let (expected, events) = (recount(&pods), cluster.sim.objects("events").len());
    let scrape = daemon
        .until("the recount", |scrape| {
            scrape.starting("kubetally_pods{") == expected
                && scrape.value("kubetally_objects{resource=\"events\"}") as usize == events
        })
        .await;
    assert!(scrape.is("kubetally_objects{resource=\"pods\"}", pods.len() as f64));
    assert_eq!(scrape.sum("kubetally_watch_relists_total"), 0.0);
    daemon.stop().await;
}

#[tokio::test]
async fn what_an_event_says_happened_is_counted_once() {
    let cluster = Cluster::start(Options::default()).await;
    cluster.sim.put("events", event("shop", "old", 40));
    let daemon = cluster.watch(&[]).await;
    daemon.until_ready().await;
    const OCCURRENCES: &str =
        "kubetally_event_occurrences_total{type=\"Warning\",kind=\"Pod\",reason=\"BackOff\"}";
    for (name, count) in [("old", 42), ("new", 3), ("new", 3), ("new", 7)] {
        cluster.sim.put("events", event("shop", name, count));
    }
    let scrape = daemon.until("2 + 7 occurrences", |scrape| scrape.is(OCCURRENCES, 9.0)).await;
    assert!(scrape.is("kubetally_event_suppressed_total{cause=\"baseline\"}", 1.0));
    assert!(scrape.is("kubetally_event_suppressed_total{cause=\"duplicate\"}", 1.0));
    // It expires, and its recorder goes on under the same name.
    cluster.sim.delete("events", &[key("shop", "new")]);
    cluster.sim.put("events", event("shop", "new", 8));
    let scrape = daemon.until("one more", |scrape| scrape.is(OCCURRENCES, 10.0)).await;
    assert!(scrape.is("kubetally_event_warnings_total{namespace=\"shop\"}", 10.0));
}

#[tokio::test]
async fn only_the_namespaces_asked_for_are_watched() {
    let cluster = Cluster::start(Options::default()).await;
    for namespace in ["a", "b", "c"] {
        cluster.sim.put("pods", pod(namespace, "one", "Running"));
    }
    let daemon = cluster.watch(&[("watch.namespaces", "a,c")]).await;
    daemon.until_ready().await;
    let scrape = daemon.scrape().await;
    assert!(scrape.is("kubetally_objects{resource=\"pods\"}", 2.0), "{scrape:?}");
    assert!(scrape.starting("kubetally_pods{namespace=\"b\"").is_empty());
    assert_eq!(cluster.requests("watch", "/namespaces/a/pods"), 1);
    assert_eq!(cluster.requests("watch", "/v1/pods"), 0);
}

#[tokio::test]
async fn it_serves_before_the_server_answers_and_is_ready_when_all_is_listed() {
    let cluster = Cluster::start(Options::default()).await;
    cluster.sim.put("pods", pod("shop", "a", "Running"));
    cluster.sim.inject(Rule { times: usize::MAX, ..Rule::once("watch", "pods", Fault::Silence) });
    let daemon = cluster.watch(&[]).await;
    let scrape = daemon
        .until("events are listed", |scrape| {
            scrape.is("kubetally_watch_synced{resource=\"events\"}", 1.0)
        })
        .await;
    assert!(scrape.is("kubetally_objects{resource=\"events\"}", 0.0), "{scrape:?}");
    assert!(scrape.starting("kubetally_pods").is_empty(), "nothing is shown of half a list");
    assert!(!scrape.0.contains_key("kubetally_objects{resource=\"pods\"}"));
    assert_eq!(daemon.get("/livez").await, (200, "ok\n".into()));
    let (status, text) = daemon.get("/readyz?verbose").await;
    assert_eq!(status, 503);
    assert!(text.contains("[-] pods") && text.contains("[+] events"), "{text}");
    // The server is replaced by one that answers.
    cluster.sim.heal();
    cluster.sim.cut();
    daemon.until_ready().await;
    assert!(daemon.scrape().await.is("kubetally_objects{resource=\"pods\"}", 1.0));
}

#[tokio::test]
async fn a_list_under_way_says_how_far_it_is() {
    let cluster = Cluster::start(Options::default()).await;
    for name in 0..1_200 {
        cluster.sim.put("pods", pod("shop", &name.to_string(), "Running"));
    }
    let hang = |bytes| Rule::once("watch", "pods", Fault::Body(BodyFault::Hang(bytes)));
    let said = async |daemon: &Watching, listed: &str, expected: &str| {
        eventually("the progress of the list", async || {
            let (_, text) = daemon.get("/readyz?verbose").await;
            let line = text.lines().find(|line| line.contains(" pods: listing: ")).unwrap_or("");
            match line.contains(listed) && line.ends_with(expected) {
                true => Ok(()),
                false => Err(text),
            }
        })
        .await;
    };
    cluster.sim.inject(hang(100_000));
    let daemon = cluster.watch(&[]).await;
    said(&daemon, "listing: ", " so far").await;
    // The server is replaced by one that answers, then by one whose watch makes no sense.
    cluster.sim.cut();
    daemon.until_ready().await;
    let garbage = BodyFault::Insert(0, "garbage\n".into());
    cluster.sim.inject(Rule::once("watch", "pods", Fault::Body(garbage)));
    cluster.sim.inject(hang(400_000));
    cluster.sim.cut();
    said(&daemon, "listing: 1,", " of about 1,200").await;
    // It is given up after thirty seconds, and that is said.
    eventually("the end of patience", async || {
        let (_, text) = daemon.get("/readyz?verbose").await;
        if text.contains("pods: the server has sent nothing for too long; next try in") {
            Ok(())
        } else {
            Err(text)
        }
    })
    .await;
}

#[tokio::test]
async fn lists_take_turns() {
    let cluster = Cluster::start(Options::default()).await;
    let namespaces: Vec<String> = (0..12).map(|at| format!("ns-{at}")).collect();
    let hang = Rule::once("watch", "pods", Fault::Body(BodyFault::Hang(0)));
    cluster.sim.inject(Rule { times: 12, ..hang });
    let daemon = cluster.watch(&[("watch.namespaces", &namespaces.join(","))]).await;
    eventually("four lists under way and the others waiting", async || {
        let (_, text) = daemon.get("/readyz?verbose").await;
        let count = |what: &str| text.matches(what).count();
        let counts = (count(": listing"), count("waiting for its turn to be listed"));
        if counts == (4, 20) { Ok(()) } else { Err(text) }
    })
    .await;
    let asked = cluster.sim.requests().iter().filter(|seen| seen.verb == "watch").count();
    assert_eq!(asked, 4);
    cluster.sim.heal();
    cluster.sim.cut();
    daemon.until_ready().await;
}

#[tokio::test]
async fn what_there_is_little_of_is_listed_first() {
    let cluster = Cluster::start(Options::default()).await;
    cluster.sim.grant(USER, ["pods", "nodes"].map(|name| Right::to_watch("", name)).into());
    let hang = Rule::once("watch", "pods", Fault::Body(BodyFault::Hang(0)));
    cluster.sim.inject(Rule { times: usize::MAX, ..hang });
    let namespaces: Vec<String> = (0..12).map(|at| format!("ns-{at}")).collect();
    let settings =
        [("watch.namespaces", &*namespaces.join(",")), ("watch.resources", "pods,nodes")];
    let daemon = cluster.watch(&settings).await;
    eventually("nodes, while lists of pods hang", async || {
        let (_, text) = daemon.get("/readyz?verbose").await;
        let pods = cluster.requests("watch", "/pods");
        assert!(pods <= 4, "{pods} lists of pods, and none of nodes: {text}");
        if text.contains("[+] nodes") { Ok(()) } else { Err(text) }
    })
    .await;
}

#[tokio::test]
async fn nothing_answers_and_yet_it_serves() {
    let cluster = Cluster::start(Options::default()).await;
    cluster.sim.fall();
    let daemon = cluster.watch(&[]).await;
    const REFUSED: &str = "kubetally_api_transport_errors_total{reason=\"refused\"}";
    daemon.until("refused", |scrape| scrape.value(REFUSED) >= 2.0).await;
    assert_eq!(daemon.get("/livez").await.0, 200);
    assert_eq!(daemon.get("/readyz").await.0, 503);
    cluster.sim.rise();
    daemon.until_ready().await;
}

#[tokio::test]
async fn broken_connections_resume_where_they_were() {
    let cluster = Cluster::start(Options::default()).await;
    let daemon = cluster.watch(&[]).await;
    daemon.until_ready().await;
    for round in 0..5 {
        let expected = f64::from(round + 1);
        cluster.sim.put("pods", pod("shop", &format!("pod-{round}"), "Running"));
        cluster.sim.put("events", event("shop", "e", u32::try_from(round).unwrap_or(0) + 1));
        daemon
            .until("the change", |scrape| {
                scrape.is("kubetally_objects{resource=\"pods\"}", expected)
                    && scrape.is("kubetally_event_warnings_total{namespace=\"shop\"}", expected)
            })
            .await;
        cluster.sim.cut();
    }
    let scrape = daemon.scrape().await;
    assert_eq!(scrape.sum("kubetally_watch_relists_total"), 0.0, "{scrape:?}");
    assert_eq!(cluster.requests("list", "/pods"), 0);
}

#[tokio::test]
async fn an_expired_version_is_one_relist_that_finds_what_was_missed() {
    let cluster = Cluster::start(Options::default()).await;
    for name in ["stays", "goes"] {
        cluster.sim.put("pods", pod("shop", name, "Running"));
    }
    cluster.sim.put("events", event("shop", "e", 1));
    let daemon = cluster.watch(&[]).await;
    daemon.until_ready().await;
    cluster.sim.fall();
    cluster.sim.delete("pods", &[key("shop", "goes")]);
    cluster.sim.put("pods", pod("shop", "comes", "Pending"));
    cluster.sim.put("events", event("shop", "e", 5));
    cluster.sim.compact();
    cluster.sim.rise();
    let expected = recount(&cluster.sim.objects("pods"));
    let scrape = daemon
        .until("the state after", |scrape| scrape.starting("kubetally_pods{") == expected)
        .await;
    assert!(scrape.is("kubetally_watch_relists_total{resource=\"pods\",cause=\"expired\"}", 1.0));
    daemon
        .until("the occurrences after", |scrape| {
            scrape.is("kubetally_event_warnings_total{namespace=\"shop\"}", 4.0)
        })
        .await;
}
