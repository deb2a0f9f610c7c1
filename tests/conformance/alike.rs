//! The simulated API server and the real one answer the same requests the same way: status,
//! headers, body.

use std::{fmt::Write, time::Duration};

use http::HeaderMap;
use http_body_util::BodyExt;
use kubetally::{
    kinds,
    sim::{Options, Sim, auth::Right, kinds::SERVED, state::Key},
};
use serde_json::Value;
use tokio::time::timeout;

use crate::{
    access::token,
    api::{Answer, Api, Call, Login},
    cluster::Cluster,
    deploy::apply,
    objects::{event, events, phase, pod, pods},
    suite::{Suite, namespace, tests},
};

tests![
    lists_are_alike,
    refusals_are_alike,
    options_are_checked_alike,
    watches_are_alike,
    bookmarks_are_alike,
    what_is_too_old_is_refused_alike,
];

const USER: &str = "system:serviceaccount:kubetally:kubetally";
const STREAM: &str = "watch=1&sendInitialEvents=true&resourceVersionMatch=NotOlderThan\
                      &allowWatchBookmarks=true&timeoutSeconds=60";
/// How long a watch may take to say what is asked for.
const WATCH: Duration = Duration::from_secs(60);

/// The two servers with the same objects, for the same users.
struct Pair {
    real: Side,
    sim: Side,
    server: Sim,
    differences: String,
}

/// One server, as its users see it.
struct Side {
    /// May list and watch what is watched by default.
    watcher: Api,
    /// May do everything.
    admin: Api,
    anonymous: Api,
    /// Says a token that is none.
    unknown: Api,
}

/// Whose request it is.
#[derive(Clone, Copy, Debug)]
enum Who {
    Watcher,
    Admin,
    Anonymous,
    Unknown,
}

impl Side {
    fn of(&self, who: Who) -> &Api {
        match who {
            Who::Watcher => &self.watcher,
            Who::Admin => &self.admin,
            Who::Anonymous => &self.anonymous,
            Who::Unknown => &self.unknown,
        }
    }
}

impl Pair {
    /// Both servers with five pods and three events.
    async fn start(suite: &Suite, options: Options) -> (&Cluster, Self) {
        let (shared, api) = suite.fresh().await;
        apply(shared);
        namespace(&api, "shop").await;
        for n in 0..5 {
            let pod = pod(&format!("pod-{n}"), Some("node-1"));
            api.must(Call::create(pods("shop"), pod)).await;
        }
        for n in 0..3 {
            let event = event("shop", &format!("event-{n}"), "Warning", "BackOff", 2);
            api.must(Call::create(events("shop"), event)).await;
        }
        let server = Sim::start(options).await.expect("a simulated server");
        for table in ["pods", "events"] {
            let list = api.list(&format!("/api/v1/{table}")).await;
            let version = list["metadata"]["resourceVersion"].as_str().expect("a version");
            let items = list["items"].as_array().expect("items");
            server.load(table, items, version.parse().expect("a number"));
        }
        // As in the ClusterRole of the manifests: nothing is got one by one.
        let rights = kinds::defaults().flat_map(|of| {
            let right = Right::to_watch(of.group(), of.plural());
            ["list", "watch"].map(|verb| Right { verb: verb.into(), ..right.clone() })
        });
        server.grant(USER, rights.collect());
        server.grant("admin", vec![Right::to_anything()]);
        let admin = server.authority().client("admin", &[]).expect("a certificate");
        let (port, ca) = (server.address().port(), server.authority().pem());
        let issued = server.issue("kubetally", "kubetally", Duration::from_secs(3600));
        let sim = |login| Api::new(port, ca, login);
        let sim = Side {
            watcher: sim(Login::Token(&issued)),
            admin: sim(Login::Certificate(&admin)),
            anonymous: sim(Login::Anonymous),
            unknown: sim(Login::Token("nobody-knows-this-token")),
        };
        let real = Side {
            watcher: shared.server.api(Login::Token(&token(&api, "kubetally").await)),
            admin: api,
            anonymous: shared.server.api(Login::Anonymous),
            unknown: shared.server.api(Login::Token("nobody-knows-this-token")),
        };
        (&shared.cluster, Self { real, sim, server, differences: String::new() })
    }

    /// Sends the same request to both and notes what differs; gives both answers.
    async fn get(&mut self, who: Who, path: &str) -> [Answer; 2] {
        self.get_each(who, [path, path]).await
    }

    /// Sends a request that differs in what each server has said before.
    async fn get_each(&mut self, who: Who, paths: [&str; 2]) -> [Answer; 2] {
        let [real, sim] = paths;
        let what = format!("{who:?} {}", paths[0]);
        let no_answer = |error| panic!("{what}: {error}");
        let real = self.real.of(who).get(real).await.unwrap_or_else(no_answer);
        let sim = self.sim.of(who).get(sim).await.unwrap_or_else(no_answer);
        self.compare(&what, "status", &real.status, &sim.status);
        self.compare(&what, "headers", &headers(&real.headers), &headers(&sim.headers));
        self.compare(&what, "body", &masked(&real.body), &masked(&sim.body));
        [real, sim]
    }

    /// Watches both until so many events have come, or the end.
    async fn watch(&mut self, who: Who, paths: [&str; 2], lines: usize) {
        let real = watched(self.real.of(who), paths[0], lines);
        let sim = watched(self.sim.of(who), paths[1], lines);
        let (real, sim) = tokio::join!(real, sim);
        let what = format!("{who:?} {}", paths[0]);
        self.compare(&what, "headers", &real.0, &sim.0);
        self.compare(&what, "stream", &real.1, &sim.1);
    }

    fn compare(&mut self, what: &str, of: &str, real: &impl ToString, sim: &impl ToString) {
        let (real, sim) = (real.to_string(), sim.to_string());
        if real != sim {
            let at = real.bytes().zip(sim.bytes()).take_while(|(a, b)| a == b).count();
            let [real, sim] = [&real, &sim].map(|text| excerpt(text, at));
            writeln!(self.differences, "{what}: {of} at {at}\n  real: {real}\n   sim: {sim}")
                .expect("a String takes everything");
        }
    }

    fn assert_alike(&self) {
        assert!(self.differences.is_empty(), "they differ:\n{}", self.differences);
    }
}

/// A text around a position.
fn excerpt(text: &str, at: usize) -> String {
    let (from, to) = (at.saturating_sub(100), at + 300);
    String::from_utf8_lossy(&text.as_bytes()[from..to.min(text.len())]).into_owned()
}

/// The headers, sorted; of those that differ each time, that they are there.
fn headers(headers: &HeaderMap) -> String {
    let ignored = ["content-length", "vary"];
    let told = headers.iter().filter(|(name, _)| !ignored.contains(&name.as_str()));
    let mut lines: Vec<_> = told
        .map(|(name, value)| {
            let differs = ["audit-id", "date"].contains(&name.as_str())
                || name.as_str().starts_with("x-kubernetes-pf-");
            format!("{name}: {}", if differs { "*" } else { value.to_str().expect("text") })
        })
        .collect();
    lines.sort();
    lines.join("; ")
}

/// A body without what differs each time: resourceVersions and tokens.
fn masked(body: &[u8]) -> String {
    let Ok(mut value) = serde_json::from_slice::<Value>(body) else {
        return String::from_utf8_lossy(body).into_owned();
    };
    mask(&mut value);
    value.to_string()
}

fn mask(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                match (name.as_str(), &mut *value) {
                    ("resourceVersion" | "continue", Value::String(text)) => *text = "*".into(),
                    ("message", Value::String(text)) => *text = without_numbers(text),
                    _ => mask(value),
                }
            }
        }
        Value::Array(values) => values.iter_mut().for_each(mask),
        _ => {}
    }
}

fn without_numbers(text: &str) -> String {
    let parts: Vec<_> =
        text.split(|c: char| c.is_ascii_digit()).filter(|p| !p.is_empty()).collect();
    parts.join("*")
}

/// The head of a watch and its first lines, masked.
async fn watched(api: &Api, path: &str, lines: usize) -> (String, String) {
    let watch = async {
        let opened = api.open(http::Method::GET, path, None).await.expect("an answer");
        let (head, mut body) = opened.into_parts();
        let mut bytes = Vec::new();
        while bytes.iter().filter(|byte| **byte == b'\n').count() < lines {
            match body.frame().await {
                Some(frame) => {
                    bytes.extend(frame.expect("a frame").into_data().unwrap_or_default())
                }
                None => break,
            }
        }
        let lines: Vec<_> = bytes.split_inclusive(|byte| *byte == b'\n').map(masked).collect();
        (headers(&head.headers), lines.join("\n"))
    };
    timeout(WATCH, watch).await.unwrap_or_else(|_| panic!("{path}: not {lines} lines in time"))
}

/// A field of an answer's metadata, as text.
fn meta(answer: &Answer, field: &str) -> String {
    answer.json()["metadata"][field].as_str().expect("a text").to_owned()
}

async fn lists_are_alike(suite: &Suite) {
    let (_, mut pair) = Pair::start(suite, Options::default()).await;
    for path in [
        "/api/v1/pods",
        "/api/v1/events",
        "/api/v1/namespaces/shop/pods",
        "/api/v1/namespaces/nowhere/pods",
        "/api/v1/pods?resourceVersion=0",
        "/api/v1/pods?labelSelector=app%3Dweb&limit=2",
        "/api/v1/pods?fieldSelector=spec.nodeName%3Dnode-1",
        "/api/v1/events?fieldSelector=type%3DWarning",
        "/api/v1/namespaces/shop/pods/pod-0",
    ] {
        pair.get(Who::Watcher, path).await;
    }
    for path in [
        "/api/v1/namespaces/shop/pods/pod-0",
        "/api/v1/namespaces/shop/pods/none",
        "/api/v1/namespaces/shop/events/event-0",
        "/apis/events.k8s.io/v1/events",
    ] {
        pair.get(Who::Admin, path).await;
    }
    for resource in ["pods", "events"] {
        let path = format!("/api/v1/{resource}?limit=2");
        let mut answers = pair.get(Who::Watcher, &path).await;
        while answers.iter().all(|answer| answer.json()["metadata"]["continue"].is_string()) {
            let next = answers
                .each_ref()
                .map(|page| format!("{path}&continue={}", meta(page, "continue")));
            answers = pair.get_each(Who::Watcher, next.each_ref().map(String::as_str)).await;
        }
    }
    pair.assert_alike();
}

async fn refusals_are_alike(suite: &Suite) {
    let (_, mut pair) = Pair::start(suite, Options::default()).await;
    for path in ["/api/v1/pods", "/api/v1/pods?watch=1&resourceVersion=1"] {
        for who in [Who::Anonymous, Who::Unknown] {
            pair.get(who, path).await;
        }
    }
    for path in [
        "/api/v1/secrets",
        "/api/v1/nothings",
        "/apis/apps/v1/replicasets",
        "/apis/none.example/v1/things",
        "/livez",
        "/readyz",
        "/nothing",
    ] {
        for who in [Who::Watcher, Who::Anonymous, Who::Unknown] {
            pair.get(who, path).await;
        }
    }
    for path in [
        "/api/v1/namespaces/shop/secrets",
        "/api/v1/secrets?watch=1",
        "/api/v1/namespaces/shop/secrets/one",
        "/api/v1/namespaces/shop/pods/none",
    ] {
        pair.get(Who::Watcher, path).await;
    }
    for path in [
        "/api/v1/nothings",
        "/api/v1/namespaces/shop/nothings",
        "/apis/apps/v1/nothings",
        "/apis/none.example/v1/things",
        "/nothing",
    ] {
        pair.get(Who::Admin, path).await;
    }
    let version = "/version";
    let (real, sim) = (pair.real.anonymous.get(version), pair.sim.anonymous.get(version));
    let [real, sim] = [real.await, sim.await].map(|answer| answer.expect("an answer"));
    pair.compare(version, "headers", &headers(&real.headers), &headers(&sim.headers));
    let fields = |answer: &Answer| {
        let fields = answer.json();
        fields.as_object().expect("fields").keys().cloned().collect::<Vec<_>>().join(", ")
    };
    pair.compare(version, "fields", &fields(&real), &fields(&sim));
    pair.assert_alike();
}

async fn options_are_checked_alike(suite: &Suite) {
    let (_, mut pair) = Pair::start(suite, Options::default()).await;
    for query in [
        "labelSelector=a%20b%20c",
        "labelSelector=%3D%3D",
        "fieldSelector=spec.colour%3Dred",
        "fieldSelector=metadata.name",
        "resourceVersion=soon",
        "resourceVersion=-1",
        "watch=1&resourceVersion=soon",
        "continue=eHh4",
        "timeoutSeconds=long",
        "limit=2&continue=eyJ2IjoibWV0YS5rOHMuaW8vdjEiLCJydiI6MSwic3RhcnQiOiJhIn0&resourceVersion=5",
        "limit=many",
        "resourceVersionMatch=Exact",
        "resourceVersionMatch=Exact&resourceVersion=0",
        "resourceVersionMatch=NotOlderThan",
        "resourceVersionMatch=Sometimes&resourceVersion=1",
        "resourceVersionMatch=NotOlderThan&resourceVersion=1&continue=a",
        "sendInitialEvents=true",
        "watch=1&sendInitialEvents=true",
        "watch=1&sendInitialEvents=true&resourceVersionMatch=Exact&resourceVersion=1",
        "watch=1&resourceVersionMatch=NotOlderThan&resourceVersion=1",
        "watch=1&resourceVersionMatch=Exact&resourceVersion=1&continue=a",
        "resourceVersion=999999999999",
        "resourceVersion=999999999999&resourceVersionMatch=NotOlderThan",
        "resourceVersion=999999999999&resourceVersionMatch=Exact&limit=5",
    ] {
        for resource in ["pods", "events"] {
            pair.get(Who::Watcher, &format!("/api/v1/{resource}?{query}")).await;
        }
    }
    pair.assert_alike();
}

/// The bookmark that ends a streaming list of nothing.
async fn bookmarks_are_alike(suite: &Suite) {
    let (_, mut pair) = Pair::start(suite, Options::default()).await;
    for served in SERVED.iter().filter(|served| served.namespaced) {
        let root = if served.group.is_empty() { "api" } else { "apis" };
        let (version, plural) = (served.api_version(), served.plural);
        let path = format!("/{root}/{version}/namespaces/nowhere/{plural}?{STREAM}");
        pair.watch(Who::Admin, [&path, &path], 1).await;
    }
    pair.assert_alike();
}

async fn watches_are_alike(suite: &Suite) {
    let (_, mut pair) = Pair::start(suite, Options::default()).await;
    for (resource, lines) in [("pods", 6), ("events", 4)] {
        let path = format!("/api/v1/{resource}?{STREAM}");
        pair.watch(Who::Watcher, [&path, &path], lines).await;
        let path = format!("/api/v1/{resource}?watch=1&allowWatchBookmarks=true&timeoutSeconds=60");
        pair.watch(Who::Watcher, [&path, &path], lines).await;
        for watch in ["1", "true", "yes"] {
            let path = format!("/api/v1/{resource}?watch={watch}&timeoutSeconds=1");
            pair.watch(Who::Watcher, [&path, &path], lines).await;
        }
    }
    let path = format!("/apis/events.k8s.io/v1/events?{STREAM}");
    pair.watch(Who::Admin, [&path, &path], 4).await;

    let from = pair.get(Who::Watcher, "/api/v1/pods?limit=1").await;
    let from = from.each_ref().map(|list| meta(list, "resourceVersion"));
    change(&pair).await;
    for selector in ["", "&fieldSelector=status.phase%3DRunning"] {
        let paths = from.each_ref().map(|from| {
            format!("/api/v1/pods?watch=1&timeoutSeconds=60&resourceVersion={from}{selector}")
        });
        let lines = if selector.is_empty() { 4 } else { 3 };
        pair.watch(Who::Watcher, paths.each_ref().map(String::as_str), lines).await;
    }
    pair.assert_alike();
}

/// A pod is made, runs, is to end and is gone, on both servers.
async fn change(pair: &Pair) {
    let (api, path) = (&pair.real.admin, pods("shop"));
    let made = api.must(Call::create(&path, pod("new", None))).await;
    pair.server.put("pods", made);
    let path = format!("{path}/new");
    let runs = api.must(Call::patch(format!("{path}/status"), phase("Running", true))).await;
    pair.server.put("pods", runs);
    let ends = api.must(Call::delete(path)).await;
    pair.server.put("pods", ends);
    pair.server.delete("pods", &[Key { namespace: "shop".into(), name: "new".into() }]);
}

async fn what_is_too_old_is_refused_alike(suite: &Suite) {
    let options = Options { streaming_lists: false, ..Options::default() };
    let (cluster, mut pair) = Pair::start(suite, options).await;
    // A server that was started later, so that its watch cache begins later than the objects, and
    // that knows no streaming lists.
    let later = cluster.api_server(&["--feature-gates=WatchList=false"]).await;
    let token = token(&pair.real.admin, "kubetally").await;
    pair.real.watcher = later.api(Login::Token(&token));
    pair.get(Who::Watcher, &format!("/api/v1/pods?{STREAM}")).await;
    for resource in ["pods", "events"] {
        let path = format!("/api/v1/{resource}?watch=1&allowWatchBookmarks=true&timeoutSeconds=1");
        pair.watch(Who::Watcher, [&path, &path], usize::MAX).await;
    }

    let pages = pair.get(Who::Watcher, "/api/v1/events?limit=1").await;
    let next = pages
        .each_ref()
        .map(|page| format!("/api/v1/events?limit=1&continue={}", meta(page, "continue")));
    change(&pair).await;
    cluster.compact().await;
    pair.server.compact();
    pair.get_each(Who::Watcher, next.each_ref().map(String::as_str)).await;
    for resource in ["pods", "events"] {
        let exact = "resourceVersion=2&resourceVersionMatch=Exact";
        pair.get(Who::Watcher, &format!("/api/v1/{resource}?{exact}")).await;
        let path = format!("/api/v1/{resource}?watch=1&resourceVersion=2&timeoutSeconds=60");
        pair.watch(Who::Watcher, [&path, &path], 1).await;
    }
    pair.assert_alike();
}
