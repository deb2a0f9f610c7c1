use std::net::TcpListener;

use bytes::Bytes;
use kubetally::sim::{
    Options, Sim,
    answer::FLOW,
    auth::Right,
    body::BodyFault,
    fault::{Fault, Rule},
    pki::Validity,
};
use rstest::rstest;
use serde_json::json;

use crate::rig::{Cluster, Scrape, USER, Watching, pod};

const ROUNDS: (&str, &str) = ("probe.interval", "1s");

fn failures(scrape: &Scrape, endpoint: &str, probe: &str, reason: &str) -> f64 {
    let labels = format!("endpoint=\"{endpoint}\",probe=\"{probe}\",reason=\"{reason}\"");
    scrape.value(&format!("kubetally_api_probe_failures_total{{{labels}}}"))
}

fn answered(scrape: &Scrape, endpoint: &str, probe: &str, connection: &str) -> f64 {
    let labels = format!("endpoint=\"{endpoint}\",probe=\"{probe}\",connection=\"{connection}\"");
    scrape.value(&format!("kubetally_api_probe_duration_seconds_count{{{labels}}}"))
}

fn is_up(scrape: &Scrape, endpoint: &str, up: f64) -> bool {
    scrape.is(&format!("kubetally_api_up{{endpoint=\"{endpoint}\"}}"), up)
}

/// Every request of a path is befallen.
fn always(verb: &'static str, resource: &'static str, fault: Fault) -> Rule {
    Rule { times: usize::MAX, ..Rule::once(verb, resource, fault) }
}

fn broken(status: u16) -> Fault {
    let body = Bytes::from_static(b"[-]etcd failed: reason withheld\nreadyz check failed\n");
    Fault::Answer { status, content_type: "text/plain; charset=utf-8", headers: vec![], body }
}

#[rstest]
#[case::http2(&["h2", "http/1.1"])]
#[case::http1(&["http/1.1"])]
#[tokio::test]
async fn everything_is_asked_on_both_connections(#[case] alpn: &[&'static str]) {
    let cluster = Cluster::start(Options { alpn: alpn.to_vec(), ..Options::default() }).await;
    let daemon = cluster.watch(&[ROUNDS]).await;
    let scrape = daemon
        .until("every probe both ways", |scrape| {
            let probes = ["readyz", "version", "list"];
            let both = |probe: &str| {
                ["kept", "fresh"].iter().all(|way| answered(scrape, "default", probe, way) >= 1.0)
            };
            probes.iter().all(|probe| both(probe)) && is_up(scrape, "default", 1.0)
        })
        .await;
    assert_eq!(scrape.sum("kubetally_api_probe_failures_total"), 0.0);
    let phase = |phase: &str| {
        let labels = format!("{{phase=\"{phase}\"}}");
        scrape.value(&format!("kubetally_api_request_phase_duration_seconds_count{labels}"))
    };
    // The two watches dial, and so does each round, besides the kept connection.
    let rounds = answered(&scrape, "default", "version", "kept");
    for dialled in ["dns", "connect", "tls"] {
        assert!(phase(dialled) >= 2.0 + rounds, "{dialled}: {scrape:#?}");
    }
    // Of what is probed nothing but one object is listed.
    let seen = cluster.sim.requests();
    let lists: Vec<_> = seen.iter().filter(|seen| seen.verb == "list").collect();
    assert!(!lists.is_empty() && lists.iter().all(|seen| seen.query == "limit=1"), "{lists:?}");
    let (status, text) = daemon.get("/readyz?verbose").await;
    assert_eq!(status, 200);
    assert!(text.contains("[+] probe of default (https://127.0.0.1:"), "{text}");
}

#[tokio::test]
async fn one_stopped_server_of_several_is_seen() {
    let cluster = Cluster::start(Options::default()).await;
    let stopped = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("one");
    let there = format!("https://{}", cluster.sim.address());
    let by_name = format!("{there},localhost");
    let other_name = format!("{there},other.example");
    let stopped = format!("https://{stopped}");
    let endpoints = [
        ROUNDS,
        ("probe.endpoints.cp-1", &*there),
        ("probe.endpoints.cp-2", &stopped),
        ("probe.endpoints.by-name", &by_name),
        ("probe.endpoints.other-name", &other_name),
    ];
    let daemon = cluster.watch(&endpoints).await;
    let scrape = daemon
        .until("each for itself", |scrape| {
            let up = ["default", "cp-1", "by-name"];
            up.iter().all(|name| is_up(scrape, name, 1.0))
                && ["cp-2", "other-name"].iter().all(|name| is_up(scrape, name, 0.0))
                && failures(scrape, "cp-2", "readyz", "refused") >= 2.0
                && failures(scrape, "other-name", "readyz", "tls") >= 2.0
        })
        .await;
    for name in ["default", "cp-1", "by-name"] {
        let labels = format!("kubetally_api_probe_failures_total{{endpoint=\"{name}\"");
        assert_eq!(scrape.sum(&labels), 0.0, "{name}");
    }
    let mismatches = "kubetally_tls_handshake_failures_total{reason=\"name_mismatch\"}";
    assert!(scrape.value(mismatches) >= 2.0);
    let (status, text) = daemon.get("/readyz?verbose").await;
    assert_eq!(status, 200, "whoever tells of it must be asked: {text}");
    assert!(text.contains("[!] probe of cp-2 (") && text.contains("cannot connect"), "{text}");
}

#[tokio::test]
async fn a_server_that_is_not_ready_says_so() {
    let cluster = Cluster::start(Options::default()).await;
    cluster.sim.inject(always("get", "/readyz", broken(500)));
    let daemon = cluster.watch(&[ROUNDS]).await;
    let scrape = daemon
        .until("failures of /readyz", |scrape| {
            failures(scrape, "default", "readyz", "server_error") >= 2.0
        })
        .await;
    assert!(is_up(&scrape, "default", 1.0), "it answers");
    assert!(answered(&scrape, "default", "version", "kept") >= 1.0);
}

#[tokio::test]
async fn an_answer_that_does_not_come_holds_nothing_up() {
    let cluster = Cluster::start(Options::default()).await;
    cluster.sim.inject(always("get", "/version", Fault::Silence));
    let daemon = cluster.watch(&[ROUNDS, ("probe.timeout", "1s")]).await;
    let scrape = daemon
        .until("timeouts", |scrape| {
            failures(scrape, "default", "version", "timeout") >= 2.0
                && answered(scrape, "default", "list", "fresh") >= 1.0
        })
        .await;
    assert!(answered(&scrape, "default", "readyz", "kept") >= 2.0);
    let timeouts = "kubetally_api_transport_errors_total{reason=\"read_timeout\"}";
    assert!(scrape.value(timeouts) >= 2.0);
    cluster.sim.heal();
    daemon.until("an answer", |scrape| answered(scrape, "default", "version", "kept") >= 1.0).await;
}

#[tokio::test]
async fn a_token_that_is_refused_shows_by_probe() {
    let cluster = Cluster::start(Options::default()).await;
    let daemon = cluster.watch(&[ROUNDS]).await;
    daemon.until_ready().await;
    cluster.sim.revoke_tokens();
    let scrape = daemon
        .until("401s", |scrape| failures(scrape, "default", "readyz", "unauthorized") >= 1.0)
        .await;
    let series = "kubetally_auth_failures_total{code=\"401\",verb=\"get\",resource=\"readyz\"}";
    assert!(scrape.value(series) >= 1.0);
    assert!(is_up(&scrape, "default", 1.0));
}

#[tokio::test]
async fn a_certificate_that_expires_is_seen_while_watches_go_on() {
    let cluster = Cluster::start(Options::default()).await;
    let daemon = cluster.watch(&[ROUNDS]).await;
    daemon.until("a round", |scrape| is_up(scrape, "default", 1.0)).await;
    let expired = cluster.sim.authority().server(&["127.0.0.1"], Validity::Past).expect("one");
    cluster.sim.serve_as(&expired).expect("usable");
    let tls = |scrape: &Scrape| -> f64 {
        ["readyz", "version", "list"]
            .iter()
            .map(|probe| failures(scrape, "default", probe, "tls"))
            .sum()
    };
    let scrape = daemon.until("failed handshakes", |scrape| tls(scrape) >= 1.0).await;
    assert!(scrape.is("kubetally_watch_connected{resource=\"pods\"}", 1.0));
    assert!(scrape.value("kubetally_tls_handshake_failures_total{reason=\"expired\"}") >= 1.0);
}

#[tokio::test]
async fn what_may_not_be_listed_is_not_probed() {
    let cluster = Cluster::start(Options::default()).await;
    cluster.sim.grant(USER, vec![]);
    let daemon = cluster.watch(&[ROUNDS]).await;
    let scrape = daemon
        .until("rounds", |scrape| answered(scrape, "default", "version", "kept") >= 2.0)
        .await;
    assert_eq!(answered(&scrape, "default", "list", "kept"), 0.0);
    assert_eq!(scrape.sum("kubetally_api_probe_failures_total"), 0.0);
    assert_eq!(cluster.requests("list", ""), 0);
}

// --- the server's clock, and what else its headers say ---------------------------------------

#[rstest]
#[case(5)]
#[case(-5)]
#[case(0)]
#[tokio::test]
async fn a_clock_that_differs_shows_with_its_error(#[case] ahead: i64) {
    let cluster = Cluster::start(Options::default()).await;
    cluster.sim.skew(ahead);
    cluster.write("token", &cluster.sim.issue("kubetally", "kubetally", LIFETIME));
    let there = format!("https://{}", cluster.sim.address());
    let daemon = cluster.watch(&[ROUNDS, ("probe.endpoints.cp-1", &there)]).await;
    daemon.until_ready().await;
    let of =
        |name: &str, endpoint: &str| format!("kubetally_api_{name}{{endpoint=\"{endpoint}\"}}");
    for endpoint in ["default", "cp-1"] {
        let scrape = daemon
            .until("a narrow estimate", |scrape| {
                let error = scrape.0.get(&of("clock_skew_error_seconds", endpoint));
                error.is_some_and(|error| *error <= 0.51)
            })
            .await;
        let skew = scrape.value(&of("clock_skew_seconds", endpoint));
        let error = scrape.value(&of("clock_skew_error_seconds", endpoint));
        let expected = f64::from(i32::try_from(ahead).expect("small"));
        assert!((skew - expected).abs() <= error + 0.001, "{endpoint}: {skew} ± {error}");
    }
    // The lag of what is made now is small, whatever the server's clock.
    cluster.sim.put("pods", pod("shop", "a", "Running"));
    let count = "kubetally_watch_delivery_lag_seconds_count{resource=\"pods\"}";
    let scrape = daemon.until("the pod", |scrape| scrape.is(count, 1.0)).await;
    let lag = scrape.value("kubetally_watch_delivery_lag_seconds_sum{resource=\"pods\"}");
    assert!(lag < 3.0, "{lag}");
}

/// Longer than any skew of these tests.
const LIFETIME: std::time::Duration = std::time::Duration::from_secs(3600);

#[tokio::test]
async fn what_a_selector_begins_to_select_has_no_delivery_lag() {
    let cluster = Cluster::start(Options::default()).await;
    let daemon = cluster.watch(&[("watch.label_selectors.pods", "app=b")]).await;
    daemon.until_ready().await;
    let mut pod = pod("shop", "a", "Running");
    pod["metadata"]["creationTimestamp"] = json!("2020-01-01T00:00:00Z");
    cluster.sim.put("pods", pod.clone());
    pod["metadata"]["labels"]["app"] = json!("b");
    cluster.sim.put("pods", pod);
    let scrape = daemon
        .until("the pod", |scrape| scrape.is("kubetally_objects{resource=\"pods\"}", 1.0))
        .await;
    assert_eq!(scrape.sum("kubetally_watch_delivery_lag_seconds_count{resource=\"pods\"}"), 0.0);
}

#[rstest]
#[case(true)]
#[case(false)]
#[tokio::test]
async fn flows_are_counted_where_there_are_some(#[case] priority_and_fairness: bool) {
    let options = Options { priority_and_fairness, ..Options::default() };
    let cluster = Cluster::start(options).await;
    let daemon = cluster.watch(&[]).await;
    daemon.until_ready().await;
    let [schema, level] = FLOW;
    let labels = format!("flow_schema=\"{schema}\",priority_level=\"{level}\"");
    let scrape = daemon.scrape().await;
    let flow = scrape.value(&format!("kubetally_api_flow_requests_total{{{labels}}}"));
    let requests = scrape.sum("kubetally_api_requests_total");
    assert!(requests >= 2.0, "the two watches, and reviews");
    assert_eq!(flow, if priority_and_fairness { requests } else { 0.0 });
}

// --- the canary ------------------------------------------------------------------------------

const CANARY: [(&str, &str); 2] = [("canary.namespace", "canaries"), ("canary.interval", "1s")];
const SEEN: &str = "kubetally_watch_canary_roundtrip_seconds_count";

/// May do with its Lease what the overlay allows.
fn let_fly(sim: &Sim) {
    let right = |verb: &str| Right {
        verb: verb.into(),
        group: "coordination.k8s.io".into(),
        resource: "leases".into(),
        namespace: Some("canaries".into()),
    };
    let mut rights = vec![Right::to_watch("", "pods"), Right::to_watch("", "events")];
    rights.extend(["watch", "create", "patch"].map(right));
    sim.grant(USER, rights);
}

fn canary_failures(scrape: &Scrape, cause: &str) -> f64 {
    scrape.value(&format!("kubetally_watch_canary_failures_total{{cause=\"{cause}\"}}"))
}

#[tokio::test]
async fn a_canary_is_made_and_comes_back() {
    let cluster = Cluster::start(Options::default()).await;
    let_fly(&cluster.sim);
    let daemon = cluster.watch(&CANARY).await;
    let scrape = daemon.until("two round trips", |scrape| scrape.value(SEEN) >= 2.0).await;
    assert_eq!(scrape.sum("kubetally_watch_canary_failures_total"), 0.0, "{scrape:#?}");
    assert_eq!(cluster.requests("create", "/namespaces/canaries/leases"), 1);
    assert_eq!(cluster.sim.objects("leases").len(), 1);
    let queries: Vec<_> =
        cluster.sim.requests().into_iter().filter(|seen| seen.path.ends_with("/leases")).collect();
    let watch = queries.iter().find(|seen| seen.verb == "watch").expect("a watch");
    assert!(watch.query.contains("fieldSelector=metadata.name%3Dkubetally-canary"), "{watch:?}");
}

#[tokio::test]
async fn two_daemons_share_a_lease() {
    let cluster = Cluster::start(Options::default()).await;
    let_fly(&cluster.sim);
    let lease = json!({"metadata": {"name": "kubetally-canary", "namespace": "canaries"}});
    cluster.sim.put("leases", lease);
    let daemons = [cluster.watch(&CANARY).await, cluster.watch(&CANARY).await];
    for daemon in daemons {
        let scrape = daemon.until("three round trips", |scrape| scrape.value(SEEN) >= 3.0).await;
        assert_eq!(scrape.sum("kubetally_watch_canary_failures_total"), 0.0, "{scrape:#?}");
        let (seen, sum) =
            (scrape.value(SEEN), scrape.value("kubetally_watch_canary_roundtrip_seconds_sum"));
        assert!(sum < seen, "no round trip is as long as the interval: {sum} of {seen}");
    }
}

#[tokio::test]
async fn a_canary_that_may_not_fly_shows() {
    let cluster = Cluster::start(Options::default()).await;
    let daemon = cluster.watch(&CANARY).await;
    let scrape = daemon.until("failures", |scrape| canary_failures(scrape, "watch") >= 2.0).await;
    let refused = "kubetally_auth_failures_total{code=\"403\",verb=\"watch\",resource=\"leases\"}";
    assert!(scrape.value(refused) >= 2.0);
    assert_eq!(scrape.value(SEEN), 0.0);
    assert_eq!(cluster.requests("patch", "/kubetally-canary"), 0, "nobody would see it");
    daemon.until_ready().await;
    let_fly(&cluster.sim);
    daemon.until("a round trip", |scrape| scrape.value(SEEN) >= 1.0).await;
}

#[rstest]
#[case::not_written("patch", broken(500), "write")]
#[case::not_seen("watch", Fault::Body(BodyFault::Hang(0)), "lost")]
#[case::watch_broken("watch", Fault::Body(BodyFault::Break(10)), "watch")]
#[tokio::test]
async fn a_canary_that_does_not_come_back_is_told(
    #[case] verb: &'static str,
    #[case] fault: Fault,
    #[case] cause: &str,
) {
    let cluster = Cluster::start(Options::default()).await;
    let_fly(&cluster.sim);
    cluster.sim.inject(always(verb, "leases", fault));
    let daemon = cluster.watch(&CANARY).await;
    daemon.until("failures", |scrape| canary_failures(scrape, cause) >= 2.0).await;
    cluster.sim.heal();
    cluster.sim.cut();
    let before = daemon.scrape().await.value(SEEN);
    daemon.until("a round trip", |scrape| scrape.value(SEEN) > before).await;
    daemon.stop().await;
}

#[tokio::test]
async fn without_a_canary_nothing_is_written() {
    let cluster = Cluster::start(Options::default()).await;
    let daemon = Watching::start(cluster.endpoint(), &[]).await;
    daemon.until_ready().await;
    // Reviews of rights are created, and leave nothing behind.
    let seen = cluster.sim.requests();
    let others = seen.iter().filter(|seen| seen.verb != "watch");
    let written: Vec<_> = others.filter(|seen| !seen.path.ends_with("reviews")).collect();
    assert!(written.is_empty() && !seen.is_empty(), "{written:?}");
}
