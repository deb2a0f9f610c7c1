//! Errors that the server states, and how often it is asked again.

use std::time::Duration;

use kubetally::{
    sim::{
        Options, Seen,
        body::BodyFault,
        fault::{Fault, Rule},
    },
    watch::machine::{Failure, FailureKind, Input, Request},
};
use rstest::rstest;
use serde_json::{Value, json};

use super::{
    PODS, WARNINGS, ends, line, over_http1, parameter,
    played::{WAY, listed, play},
    relists, resumed, soon, until_true, versions,
};
use crate::{
    eventually::eventually,
    rig::{Cluster, Scrape, Watching, pod},
};

const HOUR: Duration = Duration::from_secs(3_600);
const THROTTLED: &str = "Too many requests, please try again later.";
const RETRY_AFTER: &str = "kubetally_api_retry_after_seconds_count";

fn status(code: u16, reason: &str, message: &str) -> Value {
    json!({
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
        "message": message, "reason": reason, "code": code,
    })
}

/// The words of a real API server.
fn expired() -> Value {
    status(410, "Expired", "too old resource version: 1 (2)")
}

fn answer(status: u16, headers: &[(&'static str, &'static str)], body: impl ToString) -> Fault {
    let (content_type, headers) = ("application/json", headers.to_vec());
    Fault::Answer { status, content_type, headers, body: body.to_string().into() }
}

/// An ERROR event with this object.
fn error(object: &Value) -> Fault {
    Fault::Body(BodyFault::Insert(0, line("ERROR", object)))
}

/// A daemon that watches a pod, and whose next watch of pods meets this; what `/readyz` says of the
/// next try: its words, and in how many seconds it is.
async fn refused(fault: Fault, options: Options, words: &str) -> (Cluster, Watching, u64) {
    let cluster = Cluster::start(options).await;
    cluster.sim.put("pods", pod("shop", "a", "Running"));
    let daemon = cluster.watch(&[]).await;
    daemon.until_ready().await;
    cluster.sim.inject(Rule::once("watch", "pods", fault));
    cluster.sim.cut();
    let wait = eventually(words, async || {
        let (_, text) = daemon.get("/readyz?verbose").await;
        let line = text.lines().find(|line| line.contains(" pods: ") && line.contains(words));
        let wait = line.and_then(|line| line.split_once("; next try in "));
        wait.and_then(|(_, wait)| wait.strip_suffix(" s")?.parse().ok()).ok_or(text)
    })
    .await;
    (cluster, daemon, wait)
}

/// What was refused once is watched from the same resourceVersion, without a list.
async fn goes_on(cluster: &Cluster, daemon: &Watching) -> Scrape {
    cluster.sim.put("pods", pod("shop", "b", "Running"));
    let scrape = until_true(cluster, daemon, 0.0).await;
    let versions = versions(cluster, "pods");
    assert!(versions.len() > 1 && versions.iter().all(|version| *version == versions[0]));
    assert_eq!(scrape.sum("kubetally_watch_relists_total"), 0.0, "{scrape:?}");
    scrape
}

/// A resourceVersion that has expired is one relist that finds what was missed; from there it goes
/// on.
async fn lists_once(fault: Fault, resource: &'static str, options: Options) {
    let (cluster, daemon, scrape) = resumed(options, resource, |_| fault).await;
    assert!(scrape.is(&relists(resource, "expired"), 1.0), "{scrape:?}");
    assert!(scrape.is(&ends(resource, "expired"), 1.0), "{scrape:?}");
    cluster.sim.put("pods", pod("shop", "later", "Running"));
    let scrape = until_true(&cluster, &daemon, 2.0).await;
    assert_eq!(scrape.sum("kubetally_watch_relists_total"), 1.0, "{scrape:?}");
    assert!(scrape.is(WARNINGS, 2.0), "none twice, none lost: {scrape:?}");
}

#[rstest]
#[tokio::test]
async fn fault_09_error_410_relists_once(
    #[values("pods", "events")] resource: &'static str,
    #[values(Options::default(), over_http1(Options::default()))] options: Options,
) {
    lists_once(error(&expired()), resource, options).await;
}

#[rstest]
#[tokio::test]
async fn fault_10_a_watch_answered_by_410_relists_once(
    #[values("pods", "events")] resource: &'static str,
    #[values(Options::default(), over_http1(Options::default()))] options: Options,
) {
    lists_once(answer(410, &[], expired()), resource, options).await;
}

#[tokio::test]
async fn fault_11_410_after_every_relist_shows() {
    let by_pages = Options { streaming_lists: false, ..Options::default() };
    let cluster = Cluster::start(by_pages).await;
    cluster.sim.put("pods", pod("shop", "a", "Running"));
    let daemon = cluster.watch(&[]).await;
    daemon.until_ready().await;
    let fault = answer(410, &[], expired());
    cluster.sim.inject(Rule { times: usize::MAX, ..Rule::once("watch", "pods", fault) });
    cluster.sim.cut();
    let lists = |scrape: &Scrape| {
        assert!(scrape.is(PODS, 1.0), "what is known is shown on: {scrape:?}");
        scrape.value(&relists("pods", "expired")) >= 5.0
    };
    soon(&daemon, "lists, again and again", lists).await;
    eventually("its words", async || {
        let (_, text) = daemon.get("/readyz?verbose").await;
        match text.contains("pods: too old resource version: 1 (2); next try in") {
            true => Ok(()),
            false => Err(text),
        }
    })
    .await;
    cluster.sim.heal();
    cluster.sim.put("pods", pod("shop", "b", "Running"));
    until_true(&cluster, &daemon, 0.0).await;
}

#[test]
fn fault_11_410_after_every_relist_backs_off_to_its_cap() {
    let expires = |request: &Request, _: usize| {
        let failure = Failure { kind: FailureKind::Expired, retry_after: None };
        match request {
            Request::Watch { .. } => vec![(WAY, Input::Failed(failure))],
            list => [listed(list, 7), vec![(3 * WAY, Input::Failed(failure))]].concat(),
        }
    };
    for seed in 0..200 {
        let sent = play((seed, true), HOUR, expires);
        let lists: Vec<_> = sent.iter().filter(|sent| sent.request.begins_list()).collect();
        let gaps: Vec<_> = lists.windows(2).map(|two| two[1].at - two[0].at).collect();
        let (first, last) = (gaps[0], &gaps[gaps.len() / 2..]);
        assert!(first < Duration::from_secs(2), "{first:?}");
        assert!(last.iter().all(|gap| *gap >= Duration::from_secs(30)), "{last:?}");
        assert!(last.iter().all(|gap| *gap <= Duration::from_secs(61)), "{last:?}");
    }
}

#[rstest]
#[case::failure(500, "InternalError", "etcdserver: request timed out", json!({}))]
#[case::behind(504, "Timeout", "Too large resource version: 9, current: 3", json!({
    "causes": [{"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}],
    "retryAfterSeconds": 1,
}))]
#[tokio::test]
async fn fault_12_an_error_of_the_server_on_a_watch_is_listed_again(
    #[case] code: u16,
    #[case] reason: &str,
    #[case] message: &str,
    #[case] details: Value,
    #[values("pods", "events")] resource: &'static str,
) {
    let mut object = status(code, reason, message);
    object["details"] = details;
    let options = Options::default();
    let (cluster, _daemon, scrape) = resumed(options, resource, |_| error(&object)).await;
    assert!(scrape.is(&relists(resource, "server_error"), 1.0), "{scrape:?}");
    assert_eq!(scrape.sum("kubetally_watch_relists_total"), 1.0);
    assert!(scrape.is(WARNINGS, 2.0), "none twice, none lost: {scrape:?}");
    let all = cluster.sim.requests();
    let lists = |seen: &&Seen| {
        seen.path.ends_with(resource) && parameter(&seen.query, "sendInitialEvents").is_some()
    };
    let versions: Vec<_> =
        all.iter().filter(lists).map(|seen| parameter(&seen.query, "resourceVersion")).collect();
    let newest = |version: &Option<String>| version.as_ref().is_none_or(String::is_empty);
    assert!(versions.len() == 2 && versions.iter().all(newest), "{versions:?}");
}

#[rstest]
#[case::another_kind(pod("shop", "a", "Running"))]
#[case::nothing(Value::Null)]
#[case::a_number(json!(410))]
#[case::an_empty_one(json!({}))]
#[tokio::test]
async fn fault_13_an_error_without_a_status_is_listed_again(
    #[case] object: Value,
    #[values("pods", "events")] resource: &'static str,
) {
    let (_cluster, _daemon, scrape) =
        resumed(Options::default(), resource, |_| error(&object)).await;
    assert_eq!(scrape.sum("kubetally_watch_relists_total"), 1.0, "{scrape:?}");
    assert_eq!(scrape.sum(&format!("kubetally_watch_relists_total{{resource=\"{resource}\"")), 1.0);
    assert!(scrape.is(WARNINGS, 2.0), "none twice, none lost: {scrape:?}");
}

#[rstest]
#[tokio::test]
async fn fault_14_retry_after_is_kept(
    #[values(429, 503)] code: u16,
    #[values(Options::default(), over_http1(Options::default()))] options: Options,
) {
    let fault = answer(code, &[("Retry-After", "7")], THROTTLED);
    let (cluster, daemon, wait) = refused(fault, options, THROTTLED).await;
    assert!(wait == 6 || wait == 7, "{wait}");
    let scrape = goes_on(&cluster, &daemon).await;
    assert!(scrape.is(RETRY_AFTER, 1.0), "{scrape:?}");
    let throttled = scrape.sum("kubetally_api_throttled_total");
    assert_eq!(throttled, if code == 429 { 1.0 } else { 0.0 });
}

#[test]
fn fault_14_no_request_comes_before_retry_after() {
    let seven = Some(Duration::from_secs(7));
    for kind in [FailureKind::Throttled, FailureKind::Server] {
        let refused = |request: &Request, before: usize| match (request, before % 4) {
            (Request::Watch { .. }, 1..) => {
                vec![(WAY, Input::Failed(Failure { kind, retry_after: seven }))]
            }
            (Request::Watch { .. }, _) => vec![(WAY, Input::Opened)],
            (list, _) => [listed(list, 7), vec![(3 * WAY, Input::Ended(None))]].concat(),
        };
        for seed in 0..100 {
            let sent = play((seed, true), HOUR, refused);
            let watches =
                sent.windows(2).filter(|two| matches!(two[0].request, Request::Watch { .. }));
            for two in watches {
                let gap = two[1].at - two[0].at;
                assert!(gap >= Duration::from_secs(7), "seed {seed}: {gap:?}");
            }
        }
    }
}

#[rstest]
#[case::none(&[])]
#[case::a_date(&[("Retry-After", "Fri, 31 Dec 2100 23:59:59 GMT")])]
#[case::a_wrong_one(&[("Retry-After", "soon")])]
#[case::one_below_zero(&[("Retry-After", "-5")])]
#[tokio::test]
async fn fault_15_without_seconds_to_wait_the_own_backoff_counts(
    #[case] headers: &'static [(&'static str, &'static str)],
    #[values(429, 503)] code: u16,
) {
    let fault = answer(code, headers, THROTTLED);
    let (cluster, daemon, wait) = refused(fault, Options::default(), THROTTLED).await;
    assert!(wait <= 3, "{wait}");
    let scrape = goes_on(&cluster, &daemon).await;
    assert!(scrape.is(RETRY_AFTER, 0.0), "{scrape:?}");
}

#[rstest]
#[case::of_a_watch("watch", Options::default())]
#[case::of_a_page("list", Options { streaming_lists: false, ..Options::default() })]
#[tokio::test]
async fn fault_16_a_server_that_shuts_down_is_asked_on_a_new_connection(
    #[case] verb: &'static str,
    #[case] options: Options,
) {
    let cluster = Cluster::start(options).await;
    for at in 0..20 {
        cluster.sim.put("pods", pod("shop", &format!("pod-{at}"), "Running"));
    }
    let going = answer(503, &[("Retry-After", "1")], "apiserver is shutting down.");
    let skip = if verb == "list" { 1 } else { 0 };
    cluster.sim.inject(Rule { skip, ..Rule::once(verb, "pods", going) });
    let daemon = cluster.watch(&[("watch.page_size", "8")]).await;
    let scrape = until_true(&cluster, &daemon, 0.0).await;
    assert!(scrape.is(PODS, 20.0));
    let all = cluster.sim.requests();
    let asked: Vec<_> =
        all.iter().filter(|seen| seen.verb == verb && seen.path.ends_with("/pods")).collect();
    let (refused, again) = (asked[skip], asked[skip + 1]);
    assert_ne!(refused.connection, again.connection);
}

#[tokio::test]
async fn fault_17_a_status_without_a_kind_counts_by_its_code() {
    let mut object = status(504, "Timeout", "Timeout: request did not complete within 60s");
    object.as_object_mut().expect("an object").remove("kind");
    let fault = answer(504, &[], object);
    let (cluster, daemon, wait) = refused(fault, Options::default(), "did not complete").await;
    assert!(wait <= 3, "{wait}");
    let scrape = goes_on(&cluster, &daemon).await;
    let series = "kubetally_api_requests_total{verb=\"watch\",resource=\"pods\",code=\"504\"}";
    assert!(scrape.is(series, 1.0), "{scrape:?}");
}

#[rstest]
#[case::over_http2(Options::default())]
#[case::over_http1(over_http1(Options::default()))]
#[tokio::test]
async fn fault_18_the_page_of_a_proxy_is_cut_and_tried_again(#[case] options: Options) {
    let html = format!("<html>\n<h1>Bad\tGateway</h1>{}</html>", "<p>".repeat(5 << 20));
    let fault = Fault::Answer {
        status: 500,
        content_type: "text/html",
        headers: vec![],
        body: html.into(),
    };
    let (cluster, daemon, wait) = refused(fault, options, "<html> <h1>Bad Gateway</h1>").await;
    assert!(wait <= 3, "{wait}");
    let (_, text) = daemon.get("/readyz?verbose").await;
    assert!(text.len() < 2_000, "{}", text.len());
    goes_on(&cluster, &daemon).await;
}
