//! Bytes of a watch: pieces, garbage, ends.

use std::time::{Duration, SystemTime};

use kubetally::{
    sim::{
        Options,
        body::BodyFault,
        fault::{Fault, Rule},
        workload::{Workload, Write},
    },
    watch::machine::{Input, Request},
};
use rstest::rstest;
use serde_json::json;

use super::{
    PODS, WARNINGS, ends, in_protobuf, line, over_http1,
    played::{Sent, WAY, listed, most_within, play},
    relists, resumed, soon, until_true, versions,
};
use crate::rig::{Cluster, Scrape, event, pod, recount};

#[rstest]
#[case::streamed(Options::default())]
#[case::by_pages(Options { streaming_lists: false, ..Options::default() })]
#[case::over_http1(over_http1(Options::default()))]
#[case::in_protobuf(in_protobuf(Options::default()))]
#[tokio::test]
async fn fault_01_bytes_in_any_pieces_are_the_same_objects(
    #[case] options: Options,
    #[values(1, 7)] size: usize,
) {
    let cluster = Cluster::start(options).await;
    let mut workload = Workload::new(3, SystemTime::now());
    for write in workload.populate(30) {
        if let Write::Put(table, object) = write {
            cluster.sim.put(table, object);
        }
    }
    // Two, three and four bytes a character.
    let reason = "Überfüllt→😀";
    let mut odd = event("shop", "odd", 1);
    odd["reason"] = reason.into();
    cluster.sim.put("events", odd.clone());
    let pieces = Fault::Body(BodyFault::Pieces(size));
    for verb in ["list", "watch"] {
        let rule = Rule::once(verb, "", pieces.clone());
        cluster.sim.inject(Rule { resource: None, times: usize::MAX, ..rule });
    }
    let daemon = cluster.watch(&[]).await;
    daemon.until_ready().await;
    cluster.sim.put("pods", pod("shop", "one-more", "Running"));
    odd["count"] = 4.into();
    cluster.sim.put("events", odd);
    let expected = recount(&cluster.sim.objects("pods"));
    let series = format!(
        "kubetally_event_occurrences_total{{type=\"Warning\",kind=\"Pod\",reason=\"{reason}\"}}"
    );
    let scrape = daemon
        .until("the same objects", |scrape| {
            scrape.starting("kubetally_pods{") == expected && scrape.is(&series, 3.0)
        })
        .await;
    assert_eq!(scrape.sum("kubetally_watch_relists_total"), 0.0);
    assert_eq!(scrape.sum("kubetally_api_transport_errors_total"), 0.0);
}

#[rstest]
#[case::over_http2(Options::default())]
#[case::over_http1(over_http1(Options::default()))]
#[case::in_protobuf(in_protobuf(Options::default()))]
#[tokio::test]
async fn fault_02_many_events_at_once_and_a_large_one_are_taken(#[case] options: Options) {
    let cluster = Cluster::start(options).await;
    let daemon = cluster.watch(&[]).await;
    daemon.until_ready().await;
    let mut large = pod("shop", "large", "Pending");
    large["metadata"]["annotations"] = json!({"note": "x".repeat(3 << 19)});
    for at in 0..500 {
        cluster.sim.put("pods", pod("shop", &format!("pod-{at}"), "Running"));
    }
    cluster.sim.put("pods", large);
    for count in 1..=500 {
        cluster.sim.put("events", event("shop", "e", count));
    }
    let scrape = until_true(&cluster, &daemon, 500.0).await;
    assert!(scrape.is(PODS, 501.0) && scrape.is(WARNINGS, 500.0), "{scrape:?}");
    assert_eq!(scrape.sum("kubetally_watch_relists_total"), 0.0);
}

#[rstest]
#[case::over_http2(Options::default())]
#[case::over_http1(over_http1(Options::default()))]
#[tokio::test]
async fn fault_02_an_event_beyond_the_cap_is_not_held(#[case] options: Options) {
    let endless = |_: &Cluster| Fault::Body(BodyFault::Insert(0, "x".repeat(11 << 20).into()));
    let (_cluster, _daemon, scrape) = resumed(options, "pods", endless).await;
    assert!(scrape.is(&relists("pods", "decode"), 1.0), "{scrape:?}");
    assert!(scrape.is(&ends("pods", "decode"), 1.0));
    assert!(scrape.is(WARNINGS, 2.0));
}

#[rstest]
#[case::ended(BodyFault::End(40))]
#[case::broken(BodyFault::Break(40))]
#[tokio::test]
async fn fault_03_a_last_line_that_is_cut_off_comes_again(
    #[case] fault: BodyFault,
    #[values("pods", "events")] resource: &'static str,
    #[values(Options::default(), over_http1(Options::default()), in_protobuf(Options::default()))]
    options: Options,
) {
    let (cluster, _daemon, scrape) = resumed(options, resource, |_| Fault::Body(fault)).await;
    assert_eq!(scrape.sum("kubetally_watch_relists_total"), 0.0);
    let versions = versions(&cluster, resource);
    assert_eq!(versions.len(), 2, "the one that was cut off, and another");
    assert_eq!(versions[0], versions[1]);
    let broken = ["eof", "reset"].map(|reason| {
        scrape.value(&format!("kubetally_api_transport_errors_total{{reason=\"{reason}\"}}"))
    });
    assert!(broken.iter().sum::<f64>() >= 3.0, "both watches before, and this one: {scrape:?}");
    assert!(scrape.is(&ends(resource, "io"), 2.0), "{scrape:?}");
    assert!(scrape.is(WARNINGS, 2.0), "none twice: {scrape:?}");
}

#[rstest]
#[case::no_json("garbage\n")]
#[case::of_another_shape("{\"type\":\"ADDED\",\"object\":{\"metadata\":[]}}\n")]
#[case::of_no_version(
    "{\"type\":\"ADDED\",\"object\":{\"metadata\":{\"resourceVersion\":\"x\"}}}\n"
)]
#[case::nul("\0\0\0\0\n")]
#[case::unclosed("{\"type\":\"ADDED\",\"object\":{\"metadata\":{\n")]
#[tokio::test]
async fn fault_04_a_garbage_line_is_listed_again(
    #[case] garbage: &'static str,
    #[values("pods", "events")] resource: &'static str,
) {
    let fault = |_: &Cluster| Fault::Body(BodyFault::Insert(0, garbage.into()));
    let (cluster, _daemon, scrape) = resumed(Options::default(), resource, fault).await;
    assert!(scrape.is(&relists(resource, "decode"), 1.0), "{scrape:?}");
    assert_eq!(scrape.sum("kubetally_watch_relists_total"), 1.0, "the other one goes on");
    assert!(scrape.is(&ends(resource, "decode"), 1.0));
    assert!(scrape.is("kubetally_api_transport_errors_total{reason=\"decode\"}", 1.0));
    assert!(scrape.is(WARNINGS, 2.0), "none twice: {scrape:?}");
    assert_eq!(versions(&cluster, resource).len(), 1, "then everything is listed");
}

#[rstest]
#[case::beyond_the_cap(b"\x7f\xff\xff\xff")]
#[case::json(b"{\"type\":\"ADDED\"}\n")]
#[case::no_message(b"\0\0\0\x04\xff\xff\xff\xff")]
#[case::of_no_type(b"\0\0\0\0")]
#[case::of_no_object(b"\0\0\0\x07\x0a\x05ADDED")]
#[tokio::test]
async fn fault_04_a_garbage_frame_is_listed_again(
    #[case] garbage: &'static [u8],
    #[values("pods", "events")] resource: &'static str,
) {
    let fault = |_: &Cluster| Fault::Body(BodyFault::Insert(0, garbage.into()));
    let options = in_protobuf(Options::default());
    let (_cluster, _daemon, scrape) = resumed(options, resource, fault).await;
    assert!(scrape.is(&relists(resource, "decode"), 1.0), "{scrape:?}");
    assert_eq!(scrape.sum("kubetally_watch_relists_total"), 1.0, "the other one goes on");
    assert!(scrape.is(WARNINGS, 2.0), "none twice: {scrape:?}");
}

#[rstest]
#[case::pods("pods")]
#[case::events("events")]
#[tokio::test]
async fn fault_05_an_event_of_an_unknown_type_is_listed_again(#[case] resource: &'static str) {
    let patched = |cluster: &Cluster| {
        Fault::Body(BodyFault::Insert(0, line("PATCHED", &cluster.sim.objects(resource)[0])))
    };
    let (_cluster, _daemon, scrape) = resumed(Options::default(), resource, patched).await;
    assert!(scrape.is(&relists(resource, "decode"), 1.0), "{scrape:?}");
    assert!(scrape.is(WARNINGS, 2.0), "none twice: {scrape:?}");
}

#[rstest]
#[case::pods("pods")]
#[case::events("events")]
#[tokio::test]
async fn fault_05_fields_that_nobody_knows_are_ignored(#[case] resource: &'static str) {
    let extra = |cluster: &Cluster| {
        let mut object = cluster.sim.objects(resource)[0].clone();
        object["unheardOf"] = json!([{"deep": [1, 2.5e300, null]}]);
        object["metadata"]["unheardOf"] = json!({"a": {"b": "c"}});
        let event =
            json!({"unheardOf": [], "type": "MODIFIED", "more": {"x": 1}, "object": object});
        Fault::Body(BodyFault::Insert(0, format!("{event}\n").into()))
    };
    let (_cluster, _daemon, scrape) = resumed(Options::default(), resource, extra).await;
    assert_eq!(scrape.sum("kubetally_watch_relists_total"), 0.0);
    let modified =
        format!("kubetally_watch_notifications_total{{resource=\"{resource}\",op=\"modified\"}}");
    assert!(scrape.value(&modified) >= 1.0, "it was taken: {scrape:?}");
    assert!(scrape.is(WARNINGS, 2.0), "none twice: {scrape:?}");
}

#[tokio::test]
async fn fault_06_a_bookmark_with_nulls_where_something_is_required_counts() {
    let cluster = Cluster::start(Options::default()).await;
    cluster.sim.put("pods", pod("shop", "a", "Running"));
    let daemon = cluster.watch(&[]).await;
    daemon.until_ready().await;
    let version = cluster.sim.put("events", event("shop", "e", 1)).to_string();
    let metadata = json!({"resourceVersion": version, "creationTimestamp": null});
    let object = json!({
        "kind": "Pod", "apiVersion": "v1", "metadata": metadata,
        "spec": {"containers": null}, "status": {},
    });
    let bookmark = BodyFault::Insert(0, line("BOOKMARK", &object));
    cluster.sim.inject(Rule::once("watch", "pods", Fault::Body(bookmark)));
    cluster.sim.cut();
    const BOOKMARKS: &str =
        "kubetally_watch_notifications_total{resource=\"pods\",op=\"bookmark\"}";
    let before = daemon.scrape().await.value(BOOKMARKS);
    soon(&daemon, "a bookmark", |scrape| scrape.value(BOOKMARKS) > before).await;
    cluster.sim.end_watches();
    let from = |_: &Scrape| versions(&cluster, "pods").last() == Some(&version);
    soon(&daemon, "a watch from the bookmark", from).await;
    cluster.sim.put("pods", pod("shop", "b", "Running"));
    let scrape = soon(&daemon, "both", |scrape| scrape.is(PODS, 2.0)).await;
    assert_eq!(scrape.sum("kubetally_watch_relists_total{resource=\"pods\""), 0.0);
}

#[rstest]
#[case::over_http2(Options::default())]
#[case::over_http1(over_http1(Options::default()))]
#[tokio::test]
async fn fault_07_a_watch_that_ends_goes_on_where_it_was(#[case] options: Options) {
    let cluster = Cluster::start(options).await;
    let daemon = cluster.watch(&[]).await;
    daemon.until_ready().await;
    for round in 1..=3 {
        let version = cluster.sim.put("pods", pod("shop", &format!("pod-{round}"), "Running"));
        cluster.sim.put("events", event("shop", "e", round));
        until_true(&cluster, &daemon, f64::from(round)).await;
        cluster.sim.end_watches();
        let ended = |scrape: &Scrape| {
            scrape.is(&ends("pods", "server_timeout"), f64::from(round))
                && scrape.is("kubetally_watch_connected{resource=\"pods\"}", 1.0)
        };
        soon(&daemon, "the next watch", ended).await;
        assert_eq!(versions(&cluster, "pods").last(), Some(&version.to_string()));
    }
    let scrape = daemon.scrape().await;
    assert_eq!(scrape.sum("kubetally_watch_relists_total"), 0.0);
    assert!(scrape.is(WARNINGS, 3.0), "none twice: {scrape:?}");
}

#[rstest]
#[case::over_http2(Options::default())]
#[case::over_http1(over_http1(Options::default()))]
#[tokio::test]
async fn fault_08_watches_that_end_at_once_are_listed_again_by_the_second(
    #[case] options: Options,
) {
    let cluster = Cluster::start(Options { streaming_lists: false, ..options }).await;
    cluster.sim.put("pods", pod("shop", "a", "Running"));
    let at_once = Rule::once("watch", "pods", Fault::Body(BodyFault::End(0)));
    cluster.sim.inject(Rule { skip: 1, times: usize::MAX, ..at_once });
    let daemon = cluster.watch(&[]).await;
    let listed_again = |scrape: &Scrape| scrape.is(&relists("pods", "empty_close"), 1.0);
    let scrape = soon(&daemon, "another list", listed_again).await;
    assert!(scrape.is(&ends("pods", "empty_close"), 2.0), "{scrape:?}");
    assert!(scrape.is(PODS, 1.0), "what is known is shown on");
    cluster.sim.heal();
    cluster.sim.put("pods", pod("shop", "b", "Running"));
    soon(&daemon, "both", |scrape| scrape.is(PODS, 2.0)).await;
}

#[test]
fn fault_08_watches_that_end_at_once_are_at_most_five_requests_in_thirty_seconds() {
    let at_once = |request: &Request, _: usize| match request {
        Request::Watch { .. } => vec![(WAY, Input::Opened), (2 * WAY, Input::Ended(None))],
        list => [listed(list, 7), vec![(3 * WAY, Input::Ended(None))]].concat(),
    };
    for seed in 0..200 {
        for cached in [true, false] {
            let sent = play((seed, cached), Duration::from_secs(3_600), at_once);
            // The list at the start is not of the storm.
            let most = most_within(&sent[1..], Duration::from_secs(30));
            assert!(most <= 5, "seed {seed}: {most} requests");
            let lists = sent.iter().filter(|Sent { request, .. }| request.begins_list()).count();
            assert!(lists > 1, "it lists again");
        }
    }
}
