//! Probes, the server's clock, flows and the canary at a real API server.

use serde_json::json;

use crate::{
    access::{bind, token},
    api::{Call, Login},
    cluster::{Cluster, User},
    daemon::{Kubetally, Scrape},
    deploy::{apply, apply_folder},
    failures::check,
    proxy::Clock,
    suite::{Shared, Suite, kubetally, tests},
};

tests![
    every_probe_is_answered_and_the_clocks_agree,
    a_clock_that_is_ahead_or_behind,
    one_server_of_two_that_is_stopped,
    what_priority_and_fairness_refuses,
    a_canary_comes_back_with_the_shipped_role,
];

const ROUNDS: [&str; 2] = ["--probe-interval", "1s"];
const PROBES: [&str; 3] = ["readyz", "version", "list"];

fn failed(scrape: &Scrape, endpoint: &str, reason: &str) -> f64 {
    let of = |probe: &&str| {
        let labels = format!("endpoint=\"{endpoint}\",probe=\"{probe}\",reason=\"{reason}\"");
        scrape.get(&format!("kubetally_api_probe_failures_total{{{labels}}}")).unwrap_or(0.0)
    };
    PROBES.iter().map(of).sum()
}

fn up(endpoint: &str) -> String {
    format!("kubetally_api_up{{endpoint=\"{endpoint}\"}}")
}

fn at_least(scrape: &Scrape, series: &str, least: f64) -> Result<(), String> {
    match scrape.get(series) {
        Some(value) if value >= least => Ok(()),
        other => Err(format!("{series} is {other:?}")),
    }
}

/// A Kubetally that is the shipped service account.
async fn shipped(shared: &Shared, flags: &[&str]) -> Kubetally {
    let file = shared.cluster.dir().join("probes.token");
    std::fs::write(&file, token(&shared.server.admin(), "kubetally").await).expect("a file");
    let user = User::TokenFile(&file);
    let kubeconfig = shared.cluster.kubeconfig("probes.kubeconfig", shared.server.port, &user);
    kubetally(&kubeconfig, flags).await
}

async fn every_probe_is_answered_and_the_clocks_agree(suite: &Suite) {
    let (shared, _) = suite.fresh().await;
    apply(shared);
    let mut kubetally = shipped(shared, &ROUNDS).await;
    kubetally
        .until("every probe both ways", |scrape| {
            for probe in PROBES {
                for way in ["kept", "fresh"] {
                    let labels =
                        format!("endpoint=\"default\",probe=\"{probe}\",connection=\"{way}\"");
                    let series = format!("kubetally_api_probe_duration_seconds_count{{{labels}}}");
                    at_least(scrape, &series, 2.0)?;
                }
            }
            scrape.expect(&[(&up("default"), 1.0)])
        })
        .await;
    // One clock, seen twice.
    until_skewed(&mut kubetally, 0.0).await;
    let scrape = kubetally.scrape().await;
    assert_eq!(scrape.sum("kubetally_api_probe_failures_total"), 0.0);
    assert_eq!(scrape.sum("kubetally_auth_failures_total"), 0.0);
    // Whatever is read beside the watches is four requests a round, of which one may be under way.
    let kept = "endpoint=\"default\",probe=\"version\",connection=\"kept\"";
    let rounds = scrape.get(&format!("kubetally_api_probe_duration_seconds_count{{{kept}}}"));
    let read = scrape.family("kubetally_api_requests_total").filter(|(labels, _)| {
        ["verb=\"get\"", "verb=\"list\""].iter().any(|verb| labels.starts_with(verb))
    });
    let read: f64 = read.map(|(_, n)| n).sum();
    let most = 4.0 * (rounds.expect("rounds") + 1.0);
    assert!(read <= most, "{read} requests in at most {most}");
    let flows: Vec<_> = scrape.family("kubetally_api_flow_requests_total").collect();
    assert!(!flows.is_empty() && flows.len() <= 8, "{flows:?}");
    kubetally.stop().await;
}

/// Waits for a narrow estimate of how far the API server's clock is ahead; none may be wrong.
async fn until_skewed(kubetally: &mut Kubetally, ahead: f64) {
    let [skew, error] = ["", "_error"]
        .map(|kind| format!("kubetally_api_clock_skew{kind}_seconds{{endpoint=\"default\"}}"));
    let narrow = |scrape: &Scrape| {
        let (skew, error) = (scrape.get(&skew), scrape.get(&error));
        let (skew, error) = skew.zip(error).ok_or("no skew")?;
        assert!((skew - ahead).abs() <= error + 0.001, "{skew} ± {error}, not {ahead}");
        if error <= 0.2 { Ok(()) } else { Err(format!("{skew} ± {error}")) }
    };
    kubetally.until("a narrow estimate of the skew", narrow).await;
}

async fn a_clock_that_is_ahead_or_behind(suite: &Suite) {
    let (shared, api) = suite.fresh().await;
    apply(shared);
    let file = shared.cluster.dir().join("clock.token");
    std::fs::write(&file, token(&api, "kubetally").await).expect("a file");
    for (ahead, told) in [(5, "s ahead of ours"), (-5, "s behind ours")] {
        let tls = shared.cluster.server_tls(&["http/1.1"]);
        let server = shared.server.api(Login::Anonymous);
        let clock = Clock::start(tls, server, ahead).await;
        let user = User::TokenFile(&file);
        let kubeconfig = shared.cluster.kubeconfig("clock.kubeconfig", clock.port, &user);
        let mut kubetally = kubetally(&kubeconfig, &ROUNDS).await;
        until_skewed(&mut kubetally, ahead as f64).await;
        kubetally.stop().await;
        let checked = check(&kubeconfig, &["--resources", "pods"]).await;
        checked.finds("clock", "warning", told).unwrap();
    }
}

async fn one_server_of_two_that_is_stopped(suite: &Suite) {
    let cluster = Cluster::start(&suite.assets).await;
    let (first, mut second) = (cluster.api_server(&[]).await, cluster.api_server(&[]).await);
    let endpoints = [("cp-1", first.port), ("cp-2", second.port)]
        .map(|(name, port)| format!("{name}=https://127.0.0.1:{port},localhost"));
    let flags = ["--probe-endpoint", &endpoints[0], "--probe-endpoint", &endpoints[1]];
    let kubeconfig = cluster.admin_kubeconfig(first.port);
    let mut kubetally = kubetally(&kubeconfig, &[&ROUNDS[..], &flags].concat()).await;
    kubetally.until_ready().await;
    let all = ["default", "cp-1", "cp-2"].map(up);
    let [default, one, two] = all.each_ref().map(String::as_str);
    kubetally.until_values("all up", &[(default, 1.0), (one, 1.0), (two, 1.0)]).await;

    second.kill();
    kubetally.until_values("one of them down", &[(default, 1.0), (one, 1.0), (two, 0.0)]).await;
    let refused = |scrape: &Scrape| match failed(scrape, "cp-2", "refused") {
        n if n > 0.0 => Ok(()),
        n => Err(format!("refused {n} times")),
    };
    kubetally.until("the reason", refused).await;
    let scrape = kubetally.scrape().await;
    scrape.expect(&[("kubetally_watch_connected{resource=\"pods\"}", 1.0)]).unwrap();
    let (status, text) = kubetally.get("/readyz?verbose").await.expect("an answer");
    assert_eq!(status, 200, "{text}");
    assert!(text.contains("[!] probe of cp-2"), "{text}");
    let checked = check(&kubeconfig, &flags).await;
    checked.finds("endpoints", "ok", "cp-1, https://127.0.0.1:").unwrap();
    checked.finds("endpoints", "failed", "cp-2, https://127.0.0.1:").unwrap();

    second.restart().await;
    kubetally.until_values("all up again", &[(default, 1.0), (one, 1.0), (two, 1.0)]).await;
    kubetally.stop().await;
}

async fn what_priority_and_fairness_refuses(suite: &Suite) {
    let cluster = Cluster::start(&suite.assets).await;
    let server = cluster.api_server(&[]).await;
    let shared = Shared { server, cluster };
    let api = shared.server.admin();
    apply(&shared);
    let mut kubetally = shipped(&shared, &ROUNDS).await;
    kubetally.until_ready().await;
    let root = "/apis/flowcontrol.apiserver.k8s.io/v1";
    let limited = json!({
        "nominalConcurrencyShares": 0,
        "lendablePercent": 0,
        "borrowingLimitPercent": 0,
        "limitResponse": {"type": "Reject"},
    });
    let level =
        json!({"metadata": {"name": "nothing"}, "spec": {"type": "Limited", "limited": limited}});
    api.must(Call::create(format!("{root}/prioritylevelconfigurations"), level)).await;
    let account = json!({"name": "kubetally", "namespace": "kubetally"});
    let hog = json!({"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "hog"});
    bind(&api, "hog", "cluster-admin", hog).await;
    let everything = json!({
        "verbs": ["*"], "apiGroups": ["*"], "resources": ["*"],
        "clusterScope": true, "namespaces": ["*"],
    });
    let rule = json!({
        "subjects": [
            {"kind": "ServiceAccount", "serviceAccount": account},
            {"kind": "User", "user": {"name": "hog"}},
        ],
        "resourceRules": [everything],
        "nonResourceRules": [{"verbs": ["*"], "nonResourceURLs": ["*"]}],
    });
    let schema = json!({"metadata": {"name": "nothing"}, "spec": {
        "priorityLevelConfiguration": {"name": "nothing"},
        "matchingPrecedence": 2,
        "rules": [rule],
    }});
    api.must(Call::create(format!("{root}/flowschemas"), schema)).await;
    // One request of a level is let in whatever its limit: this one.
    let hog = shared.cluster.user("hog", &[]);
    let hog = shared.server.api(Login::Certificate(&hog));
    let held = hog.hold("/api/v1/namespaces/kubetally/configmaps").await.expect("a request");
    kubetally
        .until("429s by their origin", |scrape| {
            let source = "kubetally_api_throttled_total{source=\"priority_and_fairness\"}";
            at_least(scrape, source, 1.0)?;
            at_least(scrape, "kubetally_api_retry_after_seconds_count", 1.0)?;
            match failed(scrape, "default", "throttled") {
                n if n > 0.0 => scrape.expect(&[(&up("default"), 1.0)]),
                n => Err(format!("throttled {n} times")),
            }
        })
        .await;
    let kubeconfig = shared.cluster.dir().join("probes.kubeconfig");
    check(&kubeconfig, &[]).await.finds("identity", "failed", "Too many requests").unwrap();
    drop(held);
    kubetally.stop().await;
}

async fn a_canary_comes_back_with_the_shipped_role(suite: &Suite) {
    let (shared, api) = suite.fresh().await;
    apply_folder(shared, "overlays/canary");
    let flags = ["--canary-namespace", "kubetally-canary", "--canary-interval", "1s"];
    let mut daemons = [shipped(shared, &flags).await, shipped(shared, &flags).await];
    for kubetally in &mut daemons {
        let seen = "kubetally_watch_canary_roundtrip_seconds_count";
        kubetally.until("three round trips", |scrape| at_least(scrape, seen, 3.0)).await;
    }
    for kubetally in daemons {
        let scrape = kubetally.scrape().await;
        // Both may have made the Lease, and one of them not.
        assert!(scrape.sum("kubetally_watch_canary_failures_total") <= 1.0, "{}", kubetally.log());
        assert_eq!(scrape.sum("kubetally_auth_failures_total"), 0.0);
        kubetally.stop().await;
    }
    let path = "/apis/coordination.k8s.io/v1/namespaces/kubetally-canary/leases";
    let leases = api.list(path).await;
    assert_eq!(leases["items"].as_array().map(Vec::len), Some(1), "{leases}");
}
