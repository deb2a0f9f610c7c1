//! Outages of a real API server and of its etcd, while objects change: the state is right
//! afterwards, requests were few, and Kubetally was alive all the time.

use std::{
    env,
    path::{Path, PathBuf},
};

use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::{
    api::{Api, Call, Login},
    cluster::{ApiServer, Cluster, User},
    daemon::{Kubetally, Scrape},
    eventually::eventually,
    objects::{event, events, phase, pod, pods},
    recount::Recount,
    suite::{Suite, kubetally, namespace, tests},
};

tests![
    killed_again_and_again_while_objects_change,
    etcd_restored_from_a_backup,
    servers_of_other_flags,
];

/// How many rounds an outage has; more make it last for minutes.
const ROUNDS: &str = "KUBETALLY_OUTAGE_ROUNDS";
/// Requests about pods that a round may cost: the tries of one backoff, a list and a watch.
const A_ROUND: f64 = 8.0;
/// Whom no exemption of the system's masters lets past priority and fairness.
const WATCHER: &str = "watcher";

fn rounds() -> usize {
    env::var(ROUNDS).map_or(2, |rounds| rounds.parse().expect("a number of rounds"))
}

/// What a round of changes leaves behind: pods that are made, changed and deleted, and an event.
async fn change(api: &Api, round: usize) {
    let path = |n: usize| format!("{}/pod-{round}-{n}", pods("shop"));
    let made = (0..20).map(|n| pod(&format!("pod-{round}-{n}"), Some("node-1")));
    api.all(made.map(|pod| Call::create(pods("shop"), pod))).await;
    let running = |n| Call::patch(format!("{}/status", path(n)), phase("Running", true));
    api.all((0..10).map(running)).await;
    api.all((5..15).map(|n| Call::delete(path(n)))).await;
    let told = event("shop", &format!("event-{round}"), "Warning", "BackOff", 1);
    api.must(Call::create(events("shop"), told)).await;
}

/// Somebody who may do everything, and waits for it like everybody.
async fn watcher(cluster: &Cluster, api: &Api, port: u16) -> PathBuf {
    let binding = json!({
        "metadata": {"name": WATCHER},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"},
        "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": WATCHER}],
    });
    let path = "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings";
    let answer = api.send(&Call::create(path, binding)).await.expect("an answer");
    assert!([201, 409].contains(&answer.status), "{answer:?}");
    let user = cluster.user(WATCHER, &["watchers"]);
    cluster.kubeconfig(&format!("{WATCHER}-{port}.kubeconfig"), port, &User::Certificate(&user))
}

async fn alive(kubetally: &Kubetally) {
    let (status, text) = kubetally.get("/livez").await.expect("an answer");
    assert_eq!(status, 200, "{text}; its log:\n{}", kubetally.log());
}

/// Waits until what it shows is what a list shows; it is alive all the while.
async fn exact(api: &Api, kubetally: &mut Kubetally) {
    eventually("the exact state", async || {
        alive(kubetally).await;
        kubetally.until("a scrape", |_| Ok(())).await;
        let shown = kubetally.scrape().await;
        let equal = Recount::of(api).await.equals(&shown);
        equal.map_err(|differs| format!("{differs}; its log:\n{}", kubetally.log()))
    })
    .await;
}

/// How many requests about pods it made.
fn asked(scrape: &Scrape) -> f64 {
    let family = scrape.family("kubetally_api_requests_total");
    let pods = family.filter(|(labels, _)| labels.contains("resource=\"pods\""));
    pods.map(|(_, n)| n).sum()
}

/// How often a probe has listed.
fn listed(scrape: &Scrape) -> f64 {
    let probes = scrape.family("kubetally_api_probe_duration_seconds_count");
    probes.filter(|(labels, _)| labels.contains("probe=\"list\"")).map(|(_, n)| n).sum()
}

/// An API server is killed while another one, which is not watched, takes changes, and etcd forgets
/// how it came to them.
async fn killed_again_and_again_while_objects_change(suite: &Suite) {
    let cluster = Cluster::start(&suite.assets).await;
    let (mut server, other) = (cluster.api_server(&[]).await, cluster.api_server(&[]).await);
    let api = other.admin();
    namespace(&api, "shop").await;
    let kubeconfig = watcher(&cluster, &api, server.port).await;
    let mut kubetally = kubetally(&kubeconfig, &["--probe-interval", "0s"]).await;
    kubetally.until_ready().await;
    let before = asked(&kubetally.scrape().await);
    for round in 0..rounds() {
        server.kill();
        change(&api, round).await;
        cluster.compact().await;
        alive(&kubetally).await;
        server.restart().await;
        exact(&api, &mut kubetally).await;
    }
    let made = asked(&kubetally.scrape().await) - before;
    assert!(made <= A_ROUND * rounds() as f64, "{made} requests; its log:\n{}", kubetally.log());
    kubetally.stop().await;
}

async fn etcd_restored_from_a_backup(suite: &Suite) {
    let mut cluster = Cluster::start(&suite.assets).await;
    let mut server = cluster.api_server(&[]).await;
    namespace(&server.admin(), "shop").await;
    change(&server.admin(), 0).await;
    let kubeconfig = watcher(&cluster, &server.admin(), server.port).await;
    server.kill();
    cluster.back_up().await;
    server.restart().await;
    let mut kubetally = kubetally(&kubeconfig, &["--probe-interval", "1s"]).await;
    // Well beyond what a server writes as it starts.
    for round in 1..6 {
        change(&server.admin(), round).await;
    }
    exact(&server.admin(), &mut kubetally).await;
    // What a probe lists is compared with what the one before it has listed.
    let before = listed(&kubetally.scrape().await);
    let again = |scrape: &Scrape| {
        if listed(scrape) > before { Ok(()) } else { Err("no list by a probe".into()) }
    };
    kubetally.until("a probe that has seen all this", again).await;
    server.kill();
    cluster.restore().await;
    server.restart().await;
    exact(&server.admin(), &mut kubetally).await;
    let relists = "kubetally_watch_relists_total{resource=\"pods\",cause=\"rewound\"}";
    kubetally.until_values("that versions went back", &[(relists, 1.0)]).await;
    kubetally.stop().await;
}

/// Servers without streaming lists, without HTTP/2, that send clients away, that take few requests and
/// refuse the others or let them wait: side by side on one etcd, which forgets all the time.
async fn servers_of_other_flags(suite: &Suite) {
    let cluster = Cluster::start(&suite.assets).await;
    let changed = cluster.api_server(&[]).await;
    let api = changed.admin();
    namespace(&api, "shop").await;
    api.must(Call::create(FLOW_SCHEMAS, flow())).await;
    let mut watched: Vec<(Sign, ApiServer, Kubetally)> = Vec::new();
    for (flags, sign) in Sign::OF_FLAGS {
        let server = cluster.api_server(flags).await;
        let kubeconfig = watcher(&cluster, &api, server.port).await;
        let identity = cluster.user(WATCHER, &["crowd"]);
        let crowded = [Sign::Throttled, Sign::Queued].contains(&sign);
        let crowd = crowded.then(|| crowd(&server.api(Login::Certificate(&identity))));
        let mut kubetally = frames_logged(&kubeconfig).await;
        sign.shows(&server, &mut kubetally).await;
        drop(crowd);
        watched.push((sign, server, kubetally));
    }
    for round in 0..rounds() {
        change(&api, round).await;
        cluster.compact().await;
        for (_, _, kubetally) in &mut watched {
            exact(&api, kubetally).await;
        }
    }
    for (sign, _server, kubetally) in watched {
        let scrape = kubetally.scrape().await;
        let made = asked(&scrape) - listed(&scrape);
        assert!(made <= A_ROUND, "{sign:?}: {made} requests; its log:\n{}", kubetally.log());
        kubetally.stop().await;
    }
}

/// How the flags of a server show at Kubetally.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Sign {
    /// Everything is listed by pages.
    Pages,
    /// No frame of HTTP/2 ever comes.
    NoFrame,
    /// A GOAWAY came.
    Goaway,
    /// A 429 came.
    Throttled,
    /// Requests waited for their turn.
    Queued,
}

impl Sign {
    const OF_FLAGS: [(&[&str], Self); 5] = [
        (&["--feature-gates=WatchList=false"], Self::Pages),
        (&["--disable-http2-serving"], Self::NoFrame),
        (&["--goaway-chance=0.02"], Self::Goaway),
        // Priority and fairness would let them wait.
        (
            &[
                "--enable-priority-and-fairness=false",
                "--max-requests-inflight=1",
                "--max-mutating-requests-inflight=1",
            ],
            Self::Throttled,
        ),
        (&["--max-requests-inflight=1", "--max-mutating-requests-inflight=1"], Self::Queued),
    ];

    /// Waits until it shows.
    async fn shows(self, server: &ApiServer, kubetally: &mut Kubetally) {
        eventually(&format!("{self:?}"), async || {
            alive(kubetally).await;
            let (scrape, log) = (kubetally.scrape().await, kubetally.log());
            let shown = match self {
                Self::Pages => synced(&scrape, "list") >= 1.0 && synced(&scrape, "stream") == 0.0,
                Self::NoFrame => synced(&scrape, "stream") >= 1.0 && !log.contains(FRAME),
                Self::Goaway => log.contains(FRAME) && log.contains("GoAway"),
                Self::Throttled => scrape.sum("kubetally_api_throttled_total") >= 1.0,
                Self::Queued => waited(&server.admin()).await? && synced(&scrape, "stream") >= 1.0,
            };
            if shown { Ok(()) } else { Err(format!("no sign of it; its log:\n{log}")) }
        })
        .await;
    }
}

const FLOW_SCHEMAS: &str = "/apis/flowcontrol.apiserver.k8s.io/v1/flowschemas";

/// By which a server counts Kubetally's requests apart from those of the crowd, whom it lets wait
/// with it.
fn flow() -> Value {
    let anything = json!({
        "verbs": ["*"], "apiGroups": ["*"], "resources": ["*"], "namespaces": ["*"],
        "clusterScope": true,
    });
    let rule = json!({
        "subjects": [{"kind": "Group", "group": {"name": "watchers"}}],
        "resourceRules": [anything],
    });
    json!({
        "metadata": {"name": "watchers"},
        "spec": {
            "priorityLevelConfiguration": {"name": "global-default"},
            "matchingPrecedence": 500,
            "distinguisherMethod": {"type": "ByUser"},
            "rules": [rule],
        },
    })
}

/// Whether a server has let requests of Kubetally wait before it took them.
async fn waited(admin: &Api) -> Result<bool, String> {
    const OURS: &str = r#"execute="true",flow_schema="watchers""#;
    let scrape = Scrape::parse(&admin.get("/metrics").await?.text());
    let sum = |end: &str, also: &str| -> f64 {
        let family = format!("apiserver_flowcontrol_request_wait_duration_seconds_{end}");
        let ours = scrape.family(&family).filter(|(labels, _)| labels.contains(OURS));
        ours.filter(|(labels, _)| labels.contains(also)).map(|(_, n)| n).sum()
    };
    Ok(sum("count", "") > sum("bucket", r#"le="0.005""#))
}

/// A Kubetally that asks often, for chance to have its chance, and logs each frame of HTTP/2.
async fn frames_logged(kubeconfig: &Path) -> Kubetally {
    let kubeconfig = kubeconfig.to_str().expect("UTF-8");
    let own = ["--kubeconfig", kubeconfig, "--listen", "127.0.0.1:0"];
    let flags = ["--log-level", "debug,h2::codec=debug", "--probe-interval", "1s"];
    Kubetally::start(&[own, flags].concat(), []).await
}

/// Who logs each frame.
const FRAME: &str = "h2::codec::framed_read";

/// How often pods were listed in this way.
fn synced(scrape: &Scrape, mode: &str) -> f64 {
    let family = "kubetally_watch_sync_duration_seconds_count";
    scrape.get(&format!("{family}{{resource=\"pods\",mode=\"{mode}\"}}")).unwrap_or(0.0)
}

/// Many who list pods all the time, as long as this is held.
fn crowd(api: &Api) -> JoinSet<()> {
    let one = |api: Api| async move {
        loop {
            drop(api.get("/api/v1/pods").await);
        }
    };
    (0..8).map(|_| one(api.clone())).collect()
}
