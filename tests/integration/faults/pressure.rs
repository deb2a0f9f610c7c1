//! Slow readers, storms, clocks that jump.

use std::{collections::BTreeSet, fs, path::Path, sync::Arc, time::Duration};

use kubetally::{
    api::{client::Client, request::Target},
    kinds,
    sim::{
        Options,
        fault::{Fault, Rule},
    },
    telemetry::Telemetry,
    watch::machine::{Failure, FailureKind, Input, Request},
    wire::Wanted,
};
use rstest::rstest;
use serde_json::json;

use super::{
    PODS, WARNINGS, ends, later, over_http1,
    played::{Sent, WAY, listed, most_within, play},
    proxy::Proxy,
    soon, until_true, versions,
};
use crate::{
    daemon::Daemon,
    eventually::eventually,
    rig::{Cluster, Scrape, event, pod},
};

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3_600);

/// What is not read stays at the server: of 64 MiB that are due, no more comes than the window of
/// HTTP/2 allows, or what two kernels hold.
#[rstest]
#[case::over_http2(Options::default(), 2 << 20)]
#[case::over_http1(over_http1(Options::default()), 16 << 20)]
#[tokio::test]
async fn fault_53_a_slow_reader_is_sent_no_more_than_it_takes(
    #[case] options: Options,
    #[case] at_most: u64,
) {
    const LARGE: usize = 64;
    let cluster = Cluster::start(options).await;
    let first = cluster.sim.put("pods", pod("shop", "first", "Running"));
    let proxy = Proxy::start(&cluster).await;
    let mut kubeconfig = cluster.kubeconfig(&json!({"token": cluster.token()}));
    kubeconfig["clusters"][0]["cluster"]["server"] = format!("https://{}", proxy.address).into();
    let telemetry = Telemetry::new(&["pods"]).expect("metrics");
    let client = Client::new(cluster.endpoint_by(&kubeconfig), telemetry);
    let target = Target {
        resource: Arc::new(kinds::find("pods").expect("pods").clone()),
        namespace: None,
        label_selector: None,
        field_selector: None,
        shard: None,
        whole: true,
        wanted: Wanted::Auto,
    };
    let request = Request::Watch { resource_version: first, timeout: MINUTE };
    let mut answer = client.open(&target, &request, None).await.expect("a watch");
    for at in 0..LARGE {
        let mut large = pod("shop", &format!("large-{at}"), "Pending");
        large["metadata"]["annotations"] = json!({"note": "x".repeat(1 << 20)});
        cluster.sim.put("pods", large);
    }
    let (mut last, mut unchanged) = (0, 0);
    let passed = eventually("nothing more to come", async || {
        let passed = proxy.passed();
        unchanged = if passed == last && passed > 1 << 19 { unchanged + 1 } else { 0 };
        last = passed;
        if unchanged > 10 { Ok(passed) } else { Err(format!("{passed} bytes")) }
    })
    .await;
    assert!(passed < at_most, "{passed} bytes came, and none was read");
    // All of it is still there for who reads.
    let (mut lines, mut size) = (0, 0);
    while lines < LARGE {
        let bytes = answer.chunk().await.expect("no error").expect("not the end");
        lines += bytes.iter().filter(|byte| **byte == b'\n').count();
        size += bytes.len();
    }
    assert!(size > LARGE << 20, "{size}");
}

#[rstest]
#[case::over_http2(Options::default())]
#[case::over_http1(over_http1(Options::default()))]
#[tokio::test]
async fn fault_54_watches_that_end_together_go_on_without_a_list(#[case] options: Options) {
    let cluster = Cluster::start(options).await;
    let namespaces: Vec<String> = (0..12).map(|at| format!("ns-{at}")).collect();
    let daemon = cluster.watch(&[("watch.namespaces", &namespaces.join(","))]).await;
    daemon.until_ready().await;
    for namespace in &namespaces {
        cluster.sim.put("pods", pod(namespace, "a", "Running"));
        cluster.sim.put("events", event(namespace, "e", 1));
    }
    let all = |scrape: &Scrape| {
        scrape.is(PODS, 12.0) && scrape.sum("kubetally_event_warnings_total") >= 12.0
    };
    daemon.until("all of it", all).await;
    cluster.sim.end_watches();
    let again = |_: &Scrape| {
        ["pods", "events"].iter().all(|resource| versions(&cluster, resource).len() == 12)
    };
    let scrape = soon(&daemon, "all watches again", again).await;
    assert_eq!(scrape.sum("kubetally_watch_relists_total"), 0.0, "{scrape:?}");
    assert_eq!(cluster.requests("list", ""), 0);
    assert!(scrape.is(&ends("pods", "server_timeout"), 12.0), "{scrape:?}");
    assert!(scrape.is("kubetally_event_warnings_total{namespace=\"ns-0\"}", 1.0), "none twice");
}

/// Of 400 watches that end, or expire, at the same moment, when each asks again.
fn asked_again(input: &Input) -> Vec<Sent> {
    let asked = (0..400).map(|seed| {
        let sent = play((seed, true), Duration::from_secs(90), |request, before| match before {
            0 => {
                let object = Input::Bookmark { resource_version: 9, initial_events_end: false };
                let mut answer = listed(request, 7);
                answer.extend([(2 * WAY, object), (MINUTE, input.clone())]);
                answer
            }
            _ => listed(request, 9),
        });
        sent[1].clone()
    });
    asked.collect()
}

#[test]
fn fault_54_watches_that_end_together_do_not_come_back_together() {
    let again = asked_again(&Input::Ended(None));
    assert!(again.iter().all(|sent| !sent.request.begins_list()));
    // Spread over 200 ms.
    let most = most_within(&again, Duration::from_millis(20));
    assert!(most < 80, "{most} of 400 within 20 ms");
    let expired = Failure { kind: FailureKind::Expired, retry_after: None };
    let again = asked_again(&Input::Failed(expired));
    assert!(again.iter().all(|sent| sent.request.begins_list()));
    // Spread over 800 ms.
    let most = most_within(&again, Duration::from_millis(80));
    assert!(most < 80, "{most} of 400 lists within 80 ms");
}

/// What a server may do for ever.
#[derive(Clone, Copy, Debug)]
enum Storm {
    /// Every watch is closed at once, and so are streaming lists.
    Close,
    /// Lists succeed, and each watch is answered by 200 and closed at once.
    Empty,
    /// Each watch brings one object and is closed.
    OneEach,
    /// Each watch is closed as soon as it is none that was closed at once.
    Brief,
    /// Lists succeed, and each watch expires.
    Expire,
    /// Lists succeed, and each watch expires as soon as it is well.
    Late,
    /// Lists succeed, and each watch brings garbage.
    Garbage,
    /// Everything is refused so.
    Refuse(FailureKind),
}

impl Storm {
    fn answer(self, request: &Request) -> Vec<(Duration, Input)> {
        let fail = |kind| Input::Failed(Failure { kind, retry_after: None });
        let watch = matches!(request, Request::Watch { .. });
        let end = match self {
            Self::Refuse(kind) => return vec![(WAY, fail(kind))],
            Self::Close if !watch => return vec![(WAY, Input::Opened), (WAY, Input::Ended(None))],
            Self::Close | Self::Empty | Self::OneEach | Self::Brief => Input::Ended(None),
            Self::Expire | Self::Late => fail(FailureKind::Expired),
            Self::Garbage => Input::Undecodable,
        };
        let mut answer = if watch { vec![(WAY, Input::Opened)] } else { listed(request, 7) };
        if matches!(self, Self::OneEach) {
            let op = kubetally::watch::Op::Modified;
            answer.push((2 * WAY, Input::Object { op, resource_version: 8 }));
        }
        let lives = match self {
            Self::Brief => Duration::from_secs(1),
            Self::Late => Duration::from_secs(15),
            _ => WAY,
        };
        answer.push((2 * WAY + lives, end));
        answer
    }
}

/// The bounds of `docs/reliability.md`: requests of one watch in the first minute of a storm, and
/// in any minute from its tenth on; of a server without streaming lists, whose lists are requests
/// of their own, these.
#[rstest]
#[case::closed_at_once(Storm::Close, [7, 2], [8, 2])]
#[case::empty(Storm::Empty, [4, 2], [7, 3])]
#[case::one_object_each(Storm::OneEach, [7, 2], [9, 2])]
#[case::closed_after_a_second(Storm::Brief, [12, 10], [14, 11])]
#[case::expired(Storm::Expire, [7, 2], [15, 4])]
#[case::expired_late(Storm::Late, [4, 4], [9, 8])]
#[case::garbage(Storm::Garbage, [7, 2], [15, 4])]
#[case::unauthorized(Storm::Refuse(FailureKind::Unauthorized), [7, 2], [8, 2])]
#[case::throttled(Storm::Refuse(FailureKind::Throttled), [7, 2], [8, 2])]
#[case::forbidden(Storm::Refuse(FailureKind::Forbidden), [4, 2], [5, 2])]
#[case::failing(Storm::Refuse(FailureKind::Server), [7, 2], [8, 2])]
#[test]
fn fault_54_a_storm_stays_small(
    #[case] storm: Storm,
    #[case] streamed: [usize; 2],
    #[case] by_pages: [usize; 2],
    #[values(true, false)] cached: bool,
) {
    let without = Input::Failed(Failure { kind: FailureKind::Unsupported, retry_after: None });
    for (streams, [at_first, later]) in [(true, streamed), (false, by_pages)] {
        let (mut first, mut most) = (0, 0);
        for seed in 0..200 {
            let sent = play((seed, cached), HOUR, |request, _| match request {
                Request::Stream { .. } if !streams => vec![(WAY, without.clone())],
                request => storm.answer(request),
            });
            first = first.max(sent.iter().filter(|sent| sent.at < MINUTE).count());
            let from = sent.iter().position(|sent| sent.at > 10 * MINUTE).expect("it tries on");
            most = most.max(most_within(&sent[from..], MINUTE));
        }
        let found = format!("{storm:?}, streamed: {streams}: {first} requests, then {most}");
        assert!(first <= at_first && most <= later, "{found}");
        println!("{found}");
    }
}

/// A permanent 401, and a permanent 429, over sockets: what is asked in five minutes.
#[rstest]
#[case::unauthorized(401, "unauthorized")]
#[case::throttled(429, "throttled")]
#[tokio::test]
async fn fault_54_a_storm_over_sockets_stays_small(#[case] status: u16, #[case] cause: &str) {
    let cluster = Cluster::start(Options::default()).await;
    cluster.sim.put("pods", pod("shop", "a", "Running"));
    let daemon = cluster.watch(&[]).await;
    daemon.until_ready().await;
    let refused =
        Fault::Answer { status, content_type: "text/plain", headers: vec![], body: "no\n".into() };
    let rule = Rule { verb: None, resource: None, ..Rule::once("", "", refused) };
    cluster.sim.inject(Rule { times: usize::MAX, ..rule });
    cluster.sim.cut();
    soon(&daemon, "the storm", |scrape| scrape.value(&ends("pods", cause)) >= 1.0).await;
    let before = cluster.sim.requests().len();
    for _ in 0..300 {
        daemon.scrape().await;
        later(1).await;
    }
    let asked = cluster.sim.requests().len() - before;
    // Two watches, and the reviews of what they may.
    assert!((10..=60).contains(&asked), "{asked} requests in five minutes");
    let (status, _) = daemon.get("/livez").await;
    assert_eq!(status, 200);
    cluster.sim.heal();
    cluster.sim.put("pods", pod("shop", "b", "Running"));
    until_true(&cluster, &daemon, 0.0).await;
}

#[rstest]
#[case::back(-86_400)]
#[case::ahead(1_800)]
#[tokio::test]
async fn fault_55_a_clock_that_jumps_moves_no_timer(#[case] seconds: i32) {
    let cluster = Cluster::start(Options::default()).await;
    cluster.sim.put("pods", pod("shop", "a", "Running"));
    let daemon = cluster.watch(&[]).await;
    daemon.until_ready().await;
    cluster.sim.put("events", event("shop", "e", 1));
    cluster.sim.skew(seconds.into());
    let asked = cluster.sim.requests().len();
    for _ in 0..60 {
        daemon.scrape().await;
        later(1).await;
    }
    let scrape = daemon.scrape().await;
    assert_eq!(scrape.sum("kubetally_watch_ends_total"), 0.0, "{scrape:?}");
    assert_eq!(scrape.sum("kubetally_watch_relists_total"), 0.0, "{scrape:?}");
    let asked = &cluster.sim.requests()[asked..];
    assert!(asked.iter().all(|seen| seen.verb == "create"), "reviews alone: {asked:?}");
    cluster.sim.end_watches();
    cluster.sim.put("pods", pod("shop", "b", "Running"));
    cluster.sim.put("events", event("shop", "e", 3));
    let scrape = until_true(&cluster, &daemon, 3.0).await;
    assert!(scrape.is(WARNINGS, 3.0), "none twice: {scrape:?}");
    let skew = scrape.value("kubetally_api_clock_skew_seconds{endpoint=\"default\"}");
    // The minute that was let pass is in no date of the server.
    assert!((skew - f64::from(seconds)).abs() < 65.0, "{skew}");
}

/// Whatever waits takes a clock that nobody can set: here the other is looked at, to show a time, to
/// compare it with the server's, or in the simulated one.
#[test]
fn fault_55_no_timer_takes_a_clock_that_can_be_set() {
    const MAY: [&str; 6] =
        ["api/client.rs", "app.rs", "check/examine.rs", "demo.rs", "sim.rs", "sim/pki.rs"];
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let (mut folders, mut looking) = (vec![root.clone()], BTreeSet::new());
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else if fs::read_to_string(&path).expect("a source").contains("SystemTime::now()") {
                looking.insert(path.strip_prefix(&root).expect("below").display().to_string());
            }
        }
    }
    assert_eq!(looking, MAY.map(str::to_owned).into());
}

#[rstest]
#[case::over_http2(Options::default())]
#[case::over_http1(over_http1(Options::default()))]
#[tokio::test(flavor = "multi_thread")]
async fn fault_56_a_warning_that_comes_again_and_again_is_logged_once(#[case] options: Options) {
    let cluster = Cluster::start(options).await;
    let warning = ("Warning", "299 - \"v1 Pod is as good as gone\"");
    let warned = Fault::Headers(vec![warning; 100]);
    let rule = Rule { verb: None, resource: None, ..Rule::once("", "", warned) };
    cluster.sim.inject(Rule { times: usize::MAX, ..rule });
    cluster.endpoint_by(&cluster.kubeconfig(&json!({"token": cluster.token()})));
    let kubeconfig = cluster.account.path().join("config");
    let daemon = Daemon::watching(&kubeconfig, &["--resources", "pods"]);
    daemon.logged("synced");
    let address = daemon.address();
    eventually("hundreds of warnings", async || {
        let (_, text) = crate::fetch::get(address, "/metrics").await?;
        let count =
            text.lines().find_map(|line| line.strip_prefix("kubetally_api_warnings_total "));
        let count: f64 = count.and_then(|count| count.parse().ok()).unwrap_or_default();
        if count >= 300.0 { Ok(()) } else { Err(format!("{count}")) }
    })
    .await;
    let log = daemon.log();
    let warned: BTreeSet<_> = log.iter().filter(|line| line.contains("as good as gone")).collect();
    assert_eq!(warned.len(), 1, "{warned:?}");
}
