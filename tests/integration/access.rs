use std::sync::Arc;

use bytes::Bytes;
use http::StatusCode;
use kubetally::{
    access::{Access, keeper::Keeper},
    api::client::Client,
    config::Sources,
    rbac,
    sim::{
        Options,
        auth::Right,
        fault::{Fault, Rule},
    },
    telemetry::Telemetry,
    watch::notice::Notices,
};
use tokio::{sync::watch, task::JoinHandle};

use crate::{
    eventually::eventually,
    rig::{Cluster, Scrape, USER, pod},
};

const IDENTITY: &str = "kubetally_identity_info";

fn may(verb: &str, resource: &str) -> String {
    format!("kubetally_permission_allowed{{verb=\"{verb}\",resource=\"{resource}\"}}")
}

/// Whether each verb on a resource is known to be allowed, or not to be.
fn is(scrape: &Scrape, resource: &str, allowed: bool) -> bool {
    ["list", "watch"].iter().all(|verb| scrape.is(&may(verb, resource), allowed.into()))
}

/// Access reviews, rules reviews, identity reviews.
fn reviews(cluster: &Cluster) -> [usize; 3] {
    ["/selfsubjectaccessreviews", "/selfsubjectrulesreviews", "/selfsubjectreviews"]
        .map(|plural| cluster.requests("create", plural))
}

fn checks(result: &str) -> String {
    format!("kubetally_permission_checks_total{{result=\"{result}\"}}")
}

/// A failing API server, for some reviews.
fn fails(plural: &'static str, status: StatusCode, times: usize) -> Rule {
    let fault = Fault::Answer {
        status: status.as_u16(),
        content_type: "text/plain; charset=utf-8",
        headers: Vec::new(),
        body: Bytes::from_static(b"no luck\n"),
    };
    Rule { times, ..Rule::once("create", plural, fault) }
}

/// Gives the daemon another token of its account, which it reads soon, and reviews all then.
async fn another_token(cluster: &Cluster) {
    let [_, before, _] = reviews(cluster);
    cluster.write("token", &cluster.token());
    eventually("another round", async || {
        let reviewed = reviews(cluster);
        if reviewed[1] > before { Ok(()) } else { Err(format!("{reviewed:?}")) }
    })
    .await;
}

#[tokio::test]
async fn all_is_asked_at_the_start_and_one_review_tells_that_nothing_has_changed() {
    let cluster = Cluster::start(Options::default()).await;
    let daemon = cluster.watch(&[]).await;
    let known = |scrape: &Scrape| is(scrape, "pods", true) && is(scrape, "events", true);
    let scrape = daemon.until("all rights", known).await;
    assert!(scrape.is(&format!("{IDENTITY}{{username=\"{USER}\"}}"), 1.0));
    assert_eq!(reviews(&cluster), [4, 1, 1]);
    another_token(&cluster).await;
    another_token(&cluster).await;
    // 1.3 rounds a minute are 1.3 requests: see the tests of their pace.
    assert_eq!(reviews(&cluster), [4, 3, 3]);
    let scrape = daemon.scrape().await;
    assert!(scrape.is(&checks("allowed"), 4.0) && known(&scrape));
    let asked = scrape.starting("kubetally_api_requests_total{verb=\"create\"");
    assert!(asked.keys().all(|series| series.contains("code=\"201\"")), "{asked:?}");
}

#[tokio::test]
async fn another_token_may_be_somebody_elses() {
    let cluster = Cluster::start(Options::default()).await;
    let daemon = cluster.watch(&[("watch.resources", "pods")]).await;
    daemon.until("the identity", |scrape| scrape.sum(IDENTITY) > 0.0).await;
    let other = "system:serviceaccount:kubetally:other";
    cluster.sim.grant(other, vec![Right::to_watch("", "events")]);
    let hour = std::time::Duration::from_secs(3600);
    cluster.write("token", &cluster.sim.issue("kubetally", "other", hour));
    let scrape = daemon.until("no right", |scrape| is(scrape, "pods", false)).await;
    let identities: Vec<_> = scrape.starting(IDENTITY).into_keys().collect();
    assert_eq!(identities, [format!("{IDENTITY}{{username=\"{other}\"}}")]);
    assert!(scrape.is("kubetally_watch_connected{resource=\"pods\"}", 1.0));
}

#[tokio::test]
async fn a_right_that_is_revoked_shows_while_the_watch_goes_on() {
    let cluster = Cluster::start(Options::default()).await;
    cluster.sim.put("pods", pod("shop", "a", "Running"));
    let daemon = cluster.watch(&[]).await;
    daemon.until("all rights", |s| is(s, "pods", true) && is(s, "events", true)).await;
    daemon.until_ready().await;
    cluster.sim.grant(USER, vec![Right::to_watch("", "pods")]);
    let scrape = daemon.until("the right to be gone", |scrape| is(scrape, "events", false)).await;
    assert!(is(&scrape, "pods", true));
    assert!(scrape.is("kubetally_watch_connected{resource=\"events\"}", 1.0));
    assert_eq!(scrape.sum("kubetally_auth_failures_total"), 0.0);
    let (status, text) = daemon.get("/readyz?verbose").await;
    let line = "[+] events: watching; missing in a ClusterRole: \
                {apiGroups: [\"\"], resources: [events], verbs: [list, watch]}";
    assert!(status == 200 && text.lines().any(|l| l == line), "{text}");
    assert!(text.lines().any(|l| l == "[+] pods: watching"), "{text}");
}

/// What keeps the rights for these settings, and the watchers it tells.
fn keeper(cluster: &Cluster, flags: &[(&str, &str)], notices: Notices) -> JoinHandle<()> {
    let owned = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).to_owned());
    let sources = Sources { flags: flags.iter().map(owned).collect(), ..Sources::default() };
    let settings = sources.load().expect("settings").settings;
    let telemetry = Telemetry::new(&["pods"]).expect("the catalogue is sound");
    let keeper = Keeper {
        client: Arc::new(Client::new(cluster.endpoint(), telemetry.clone())),
        access: Arc::new(Access::new(rbac::needed(&settings))),
        telemetry,
        notices: Arc::new(notices),
        proofs: watch::channel(0).1,
        seed: 1,
    };
    tokio::spawn(keeper.keep())
}

#[tokio::test]
async fn whoever_waits_for_a_right_is_told_once_it_is_granted() {
    let cluster = Cluster::start(Options::default()).await;
    let only = |namespace: &str| Right {
        namespace: Some(namespace.into()),
        ..Right::to_watch("", "pods")
    };
    cluster.sim.grant(USER, vec![only("shop")]);
    let mut notices = Notices::default();
    let mut shop = notices.add("pods", Some("shop".into()));
    let mut billing = notices.add("pods", Some("billing".into()));
    let flags = [("watch.resources", "pods"), ("watch.namespaces", "shop,billing")];
    let keeping = keeper(&cluster, &flags, notices);
    shop.changed().await.expect("a first answer");
    // Two answers a namespace: nothing more is to come before something changes.
    eventually("every answer", async || match reviews(&cluster) {
        [4, ..] => Ok(()),
        other => Err(format!("{other:?}")),
    })
    .await;
    assert!(!billing.has_changed().expect("it is kept"));
    cluster.sim.grant(USER, vec![only("shop"), only("billing")]);
    billing.changed().await.expect("a right");
    assert!(!shop.has_changed().expect("it is kept"));
    assert_eq!(billing.borrow().granted, 1);
    // Looks are at what is missing only.
    assert_eq!(reviews(&cluster)[0], 6);
    keeping.abort();
}

#[tokio::test]
async fn a_right_in_one_namespace_is_no_right_in_all() {
    let cluster = Cluster::start(Options::default()).await;
    let here = Right { namespace: Some("kubetally".into()), ..Right::to_watch("", "pods") };
    cluster.sim.grant(USER, vec![here.clone()]);
    let daemon = cluster.watch(&[("watch.resources", "pods")]).await;
    daemon.until("no right", |scrape| is(scrape, "pods", false)).await;
    cluster.sim.grant(USER, vec![here, Right::to_watch("", "pods")]);
    daemon.until("the right", |scrape| is(scrape, "pods", true)).await;
    daemon.until_ready().await;
}

#[tokio::test]
async fn each_namespace_has_its_rights_and_shows_which_rule_is_missing() {
    let cluster = Cluster::start(Options::default()).await;
    let only = |namespace: &str| Right {
        namespace: Some(namespace.into()),
        ..Right::to_watch("", "pods")
    };
    cluster.sim.grant(USER, vec![only("shop")]);
    let settings = [("watch.resources", "pods"), ("watch.namespaces", "shop,billing")];
    let daemon = cluster.watch(&settings).await;
    daemon.until("one right of two", |scrape| is(scrape, "pods", false)).await;
    let text = eventually("the rule", async || {
        let (_, text) = daemon.get("/readyz?verbose").await;
        if text.contains("[+] pods in shop: watching\n") { Ok(text) } else { Err(text) }
    })
    .await;
    let line = text.lines().find(|line| line.starts_with("[!] pods in billing: pods is forbidden"));
    let rule = "; missing in a Role in billing: \
                {apiGroups: [\"\"], resources: [pods], verbs: [list, watch]}";
    assert!(line.is_some_and(|line| line.ends_with(rule)), "{text}");
    cluster.sim.grant(USER, vec![only("shop"), only("billing")]);
    let starts = |s: &Scrape| s.is("kubetally_watch_connected{resource=\"pods\"}", 1.0);
    let scrape = daemon.until("both", |scrape| is(scrape, "pods", true) && starts(scrape)).await;
    assert_eq!(scrape.sum("kubetally_permission_checks_total{result=\"error\""), 0.0);
}

#[tokio::test]
async fn a_review_that_fails_is_no_denial() {
    let cluster = Cluster::start(Options::default()).await;
    let unavailable = StatusCode::SERVICE_UNAVAILABLE;
    cluster.sim.inject(fails("selfsubjectaccessreviews", unavailable, 1));
    let daemon = cluster.watch(&[("watch.resources", "pods")]).await;
    let failed = |n| move |scrape: &Scrape| scrape.value(&checks("error")) >= n;
    let scrape = daemon.until("a failure", failed(1.0)).await;
    assert!(scrape.starting("kubetally_permission_allowed").is_empty());
    daemon.until("the rights all the same", |scrape| is(scrape, "pods", true)).await;
    cluster.sim.inject(fails("selfsubjectrulesreviews", unavailable, 1));
    cluster.write("token", &cluster.token());
    let scrape = daemon.until("another failure", failed(2.0)).await;
    assert!(is(&scrape, "pods", true));
    assert!(scrape.is(&checks("denied"), 0.0));
}

#[tokio::test]
async fn what_no_rules_list_is_asked_for_in_each_round() {
    let cluster = Cluster::start(Options::default()).await;
    cluster.sim.grant(USER, vec![Right::to_watch("", "pods")]);
    cluster.sim.grant_unlisted(USER, vec![Right::to_watch("", "events")]);
    let daemon = cluster.watch(&[]).await;
    daemon.until("all rights", |s| is(s, "pods", true) && is(s, "events", true)).await;
    assert_eq!(reviews(&cluster)[0], 4);
    cluster.sim.grant_unlisted(USER, vec![]);
    cluster.write("token", &cluster.token());
    let scrape = daemon.until("one to be gone", |scrape| is(scrape, "events", false)).await;
    assert!(is(&scrape, "pods", true));
    assert_eq!(reviews(&cluster)[0], 6);
}

#[tokio::test]
async fn whom_nobody_tells_the_rules_asks_for_each_right() {
    let cluster = Cluster::start(Options::default()).await;
    cluster.sim.inject(fails("selfsubjectrulesreviews", StatusCode::FORBIDDEN, usize::MAX));
    cluster.sim.inject(fails("selfsubjectreviews", StatusCode::FORBIDDEN, usize::MAX));
    let daemon = cluster.watch(&[("watch.resources", "pods")]).await;
    let scrape = daemon.until("the rights", |scrape| is(scrape, "pods", true)).await;
    assert!(scrape.is(&checks("error"), 0.0));
    assert_eq!(scrape.sum(IDENTITY), 0.0);
    another_token(&cluster).await;
    eventually("the rights again", async || match reviews(&cluster) {
        [4, ..] => Ok(()),
        other => Err(format!("{other:?}")),
    })
    .await;
}

#[tokio::test]
async fn an_older_server_says_who_we_are_in_a_beta() {
    let cluster = Cluster::start(Options::default()).await;
    cluster.sim.inject(fails("selfsubjectreviews", StatusCode::NOT_FOUND, 1));
    let daemon = cluster.watch(&[("watch.resources", "pods")]).await;
    let username = format!("{IDENTITY}{{username=\"{USER}\"}}");
    daemon.until("the identity", |scrape| scrape.is(&username, 1.0)).await;
    let beta = "/apis/authentication.k8s.io/v1beta1/selfsubjectreviews";
    assert_eq!(cluster.requests("create", beta), 1);
}
