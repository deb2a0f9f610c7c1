//! The simulated server against recordings of a real one: the same headers, the same bytes.

use std::{fs, sync::Arc, time::Duration};

use kubetally::sim::{
    Options, Sim,
    auth::Right,
    fault::{Fault, Rule},
    state::Key,
};
use rstest::rstest;
use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, ServerName, pem::PemObject},
};
use serde_json::Value;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};
use tokio_rustls::TlsConnector;

const WATCHER: &str = "system:serviceaccount:shop:watcher";

fn recorded(file: &str) -> String {
    let path = format!("{}/tests/data/wire/{file}", env!("CARGO_MANIFEST_DIR"));
    fs::read_to_string(path).expect("a recording")
}

/// The items of a recorded list and its resourceVersion.
fn items(file: &str) -> (Vec<Value>, u64) {
    let list: Value = serde_json::from_str(&recorded(file)).expect("a list");
    let version = list["metadata"]["resourceVersion"].as_str().expect("a version");
    (list["items"].as_array().expect("items").clone(), version.parse().expect("a number"))
}

async fn server(options: Options) -> Sim {
    let sim = Sim::start(options).await.expect("a server");
    let plurals = ["pods", "events", "configmaps", "nodes", "namespaces"];
    let mut rights: Vec<_> = plurals.map(|plural| Right::to_watch("", plural)).to_vec();
    rights.push(Right::to_watch("events.k8s.io", "events"));
    rights.push(Right::to_watch("apps", "deployments"));
    rights.push(Right::to_watch("batch", "jobs"));
    sim.grant(WATCHER, rights);
    sim
}

fn token(sim: &Sim, account: &str) -> String {
    sim.issue("shop", account, Duration::from_secs(3600))
}

/// Everything the server sends until `enough` of it is there, or until its end.
async fn ask(sim: &Sim, headers: &str, path: &str, enough: impl Fn(&str) -> bool) -> String {
    let mut roots = RootCertStore::empty();
    let ca = CertificateDer::from_pem_slice(sim.authority().pem().as_bytes()).expect("a CA");
    roots.add(ca).expect("a root");
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from("localhost").expect("a name");
    let stream = TcpStream::connect(sim.address()).await.expect("a connection");
    let connector = TlsConnector::from(Arc::new(config));
    let mut stream = connector.connect(name, stream).await.expect("a handshake");
    let request = format!("GET {path} HTTP/1.1\r\nHost: sim\r\n{headers}\r\n");
    stream.write_all(request.as_bytes()).await.expect("sent");
    let mut bytes = Vec::new();
    let read = async {
        let mut chunk = [0; 65_536];
        loop {
            let text = String::from_utf8_lossy(&bytes).into_owned();
            if enough(&text) {
                return text;
            }
            match stream.read(&mut chunk).await {
                Ok(0) | Err(_) => return text,
                Ok(n) => bytes.extend_from_slice(&chunk[..n]),
            }
        }
    };
    timeout(Duration::from_secs(30), read).await.expect("an answer in time")
}

fn bearer(token: &str) -> String {
    format!("Authorization: Bearer {token}\r\n")
}

/// Head and body, without the marks of chunks.
fn parts(answer: &str) -> (String, String) {
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
    if !head.to_lowercase().contains("transfer-encoding: chunked") {
        return (head.to_owned(), body.to_owned());
    }
    let mut rest = body;
    let mut whole = String::new();
    while let Some((size, after)) = rest.split_once("\r\n") {
        let size = usize::from_str_radix(size, 16).expect("a size");
        let Some(chunk) = after.get(..size).filter(|_| size > 0) else { break };
        whole.push_str(chunk);
        rest = after[size..].trim_start_matches("\r\n");
    }
    (head.to_owned(), whole)
}

/// Whether an answer of known length, or in chunks to the last one, is whole.
fn is_whole(text: &str) -> bool {
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
    let length = head
        .lines()
        .find_map(|line| line.to_lowercase().strip_prefix("content-length: ").map(str::to_owned));
    match length {
        Some(length) => body.len() >= length.parse::<usize>().expect("a length"),
        None => body.ends_with("0\r\n\r\n"),
    }
}

/// What differs from one answer to the next, made equal.
fn masked(head: &str) -> Vec<String> {
    let mask = |line: &str| {
        let name = line.split_once(": ").map_or(line, |(name, _)| name);
        match name.to_lowercase().as_str() {
            "audit-id" | "date" => format!("{name}: *"),
            "transfer-encoding" => "Transfer-Encoding: chunked".into(),
            _ => line.to_owned(),
        }
    };
    head.lines().map(|line| mask(line.trim_end())).collect()
}

fn assert_same(answer: &str, file: &str) {
    let (head, body) = parts(answer);
    let recorded = recorded(file).replace("\r\n", "\n");
    let (recorded_head, recorded_body) = recorded.split_once("\n\n").expect("a head");
    assert_eq!(masked(&head), masked(recorded_head), "{file}");
    assert_eq!(body.trim_end(), recorded_body.trim_end(), "{file}");
}

#[rstest]
#[case("400-bad-continue", "watcher", "/api/v1/pods?limit=2&continue=garbage")]
#[case("400-bad-resource-version", "watcher", "/api/v1/pods?resourceVersion=abc")]
#[case("403-list", "nobody", "/api/v1/pods")]
#[case("403-namespaced", "nobody", "/api/v1/namespaces/shop/pods")]
#[case("403-watch", "nobody", "/api/v1/pods?watch=1")]
#[case("403-secrets", "watcher", "/api/v1/secrets")]
#[case("404-object", "watcher", "/api/v1/namespaces/shop/pods/nope")]
#[case("404-resource", "watcher", "/apis/batch/v1/nothings")]
#[case("422-bad-send-initial-events", "watcher", "/api/v1/pods?watch=1&sendInitialEvents=true")]
#[case("504-future-resource-version", "watcher", "/api/v1/pods?resourceVersion=999999999")]
#[tokio::test]
async fn refusals(#[case] file: &str, #[case] account: &str, #[case] path: &str) {
    let sim = server(Options::default()).await;
    sim.load("pods", &items("list/pods.json").0, 653);
    let answer = ask(&sim, &bearer(&token(&sim, account)), path, is_whole).await;
    assert_same(&answer, &format!("status/{file}.http"));
}

#[tokio::test]
async fn a_bad_token_and_none() {
    let sim = server(Options::default()).await;
    let answer = ask(&sim, &bearer("made-up"), "/api/v1/pods", is_whole).await;
    assert_same(&answer, "status/401-bad-token.http");
    let answer = ask(&sim, "", "/api/v1/pods", is_whole).await;
    assert_same(&answer, "status/403-anonymous.http");
}

#[tokio::test]
async fn a_media_type_that_there_is_not() {
    let sim = server(Options::default()).await;
    let headers = format!("{}Accept: text/html\r\n", bearer(&token(&sim, "watcher")));
    let answer = ask(&sim, &headers, "/api/v1/pods", is_whole).await;
    assert_same(&answer, "status/406-accept.http");
}

#[tokio::test]
async fn a_page_that_has_expired() {
    let options = Options { priority_and_fairness: false, ..Options::default() };
    let sim = server(options).await;
    let (pods, revision) = items("list/pods.json");
    sim.load("pods", &pods, revision);
    let token = bearer(&token(&sim, "watcher"));
    let page = ask(&sim, &token, "/api/v1/pods?limit=1", is_whole).await;
    let page: Value = serde_json::from_str(&parts(&page).1).expect("a list");
    let next = page["metadata"]["continue"].as_str().expect("a token").to_owned();
    sim.delete("pods", &[Key { namespace: "shop".into(), name: "none".into() }]);
    sim.compact();
    let path = format!("/api/v1/pods?limit=1&continue={next}");
    let answer = ask(&sim, &token, &path, is_whole).await;
    assert_same(&answer, "status/410-list-continue.http");
}

#[rstest]
#[case("200-watch-events-410", "events", true)]
#[case("200-watch-pods-410", "pods", false)]
#[tokio::test]
async fn a_watch_that_has_expired(#[case] file: &str, #[case] plural: &str, #[case] flow: bool) {
    let options = Options { priority_and_fairness: flow, ..Options::default() };
    let sim = server(options).await;
    sim.load("pods", &[], 712);
    sim.compact();
    let token = bearer(&token(&sim, "watcher"));
    let path = format!("/api/v1/{plural}?watch=1&resourceVersion=5");
    let answer = ask(&sim, &token, &path, is_whole).await;
    assert_same(&answer, &format!("status/{file}.http"));
}

#[rstest]
#[case::list("/api/v1/pods", "application/vnd.kubernetes.protobuf")]
#[case::watch("/api/v1/pods?watch=1", "application/vnd.kubernetes.protobuf;stream=watch")]
#[case::of_what_has_none("/apis/example.com/v1/widgets", "application/json")]
#[tokio::test]
async fn protobuf_is_spoken_where_there_is_some(#[case] path: &str, #[case] expected: &str) {
    let options = Options { protobuf: Some(crate::oracle::protobuf), ..Options::default() };
    let sim = server(options).await;
    sim.define("example.com");
    sim.grant(WATCHER, vec![Right::to_anything()]);
    let accept = "Accept: application/vnd.kubernetes.protobuf,application/json\r\n";
    let headers = format!("{}{accept}", bearer(&token(&sim, "watcher")));
    let answer = ask(&sim, &headers, path, |answer| answer.contains("\r\n\r\n")).await;
    let content_type = answer.lines().find_map(|line| line.strip_prefix("Content-Type: "));
    assert_eq!(content_type, Some(expected), "{answer}");
}

#[tokio::test]
async fn too_many_requests() {
    let sim = server(Options::default()).await;
    sim.inject(Rule::once("list", "pods", Fault::too_many_requests()));
    let answer = ask(&sim, &bearer(&token(&sim, "watcher")), "/api/v1/pods", is_whole).await;
    assert_same(&answer, "status/429-inflight.http");
}

#[rstest]
#[case("pods", "pods", "/api/v1/pods")]
#[case("events", "events", "/api/v1/events")]
#[case("events", "events.k8s.io", "/apis/events.k8s.io/v1/events")]
#[case("namespaces", "namespaces", "/api/v1/namespaces")]
#[case("nodes", "nodes", "/api/v1/nodes")]
#[case("configmaps", "configmaps", "/api/v1/configmaps")]
#[case("deployments", "deployments", "/apis/apps/v1/deployments")]
#[case("jobs", "jobs", "/apis/batch/v1/jobs")]
#[tokio::test]
async fn lists(#[case] table: &'static str, #[case] file: &str, #[case] path: &str) {
    let sim = server(Options::default()).await;
    let (objects, revision) = items(&format!("list/{table}.json"));
    sim.load(table, &objects, revision);
    let answer = ask(&sim, &bearer(&token(&sim, "watcher")), path, is_whole).await;
    assert_eq!(parts(&answer).1, recorded(&format!("list/{file}.json")));
}

#[tokio::test]
async fn pages() {
    let sim = server(Options::default()).await;
    let (objects, revision) = items("list/pods.json");
    sim.load("pods", &objects, revision);
    let token = bearer(&token(&sim, "watcher"));
    let first = parts(&ask(&sim, &token, "/api/v1/pods?limit=2", is_whole).await).1;
    assert_eq!(first, recorded("list/pods-page-1.json"));
    let page: Value = serde_json::from_str(&first).expect("a list");
    let next = page["metadata"]["continue"].as_str().expect("a token");
    let path = format!("/api/v1/pods?limit=2&continue={next}");
    let second = parts(&ask(&sim, &token, &path, is_whole).await).1;
    assert_eq!(second, recorded("list/pods-page-2.json"));
}

#[rstest]
#[case("pods", "pods-streaming-list", "/api/v1/pods")]
#[case("events", "events", "/api/v1/events")]
#[case("deployments", "deployments", "/apis/apps/v1/deployments")]
#[case("jobs", "jobs", "/apis/batch/v1/jobs")]
#[tokio::test]
async fn streaming_lists(#[case] table: &'static str, #[case] file: &str, #[case] path: &str) {
    const MARKER: &str = "initial-events-end";
    let recording = recorded(&format!("watch/{file}.jsonl"));
    let end = recording.lines().position(|line| line.contains(MARKER)).expect("a marker");
    let lines: Vec<&str> = recording.lines().take(end + 1).collect();
    let sim = server(Options::default()).await;
    let (objects, revision) = initial(&lines);
    sim.load(table, &objects, revision);
    let query = "watch=1&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true&timeoutSeconds=300";
    let has_marker = |text: &str| text.contains(MARKER) && text.ends_with("\r\n");
    let answer =
        ask(&sim, &bearer(&token(&sim, "watcher")), &format!("{path}?{query}"), has_marker).await;
    let got = parts(&answer).1;
    assert_eq!(got.lines().collect::<Vec<_>>(), lines);
}

/// The objects before the marker, as items of a list, and the marker's resourceVersion.
fn initial(lines: &[&str]) -> (Vec<Value>, u64) {
    let mut objects = Vec::new();
    for line in lines {
        let mut event: Value = serde_json::from_str(line).expect("an event");
        let object = event["object"].as_object_mut().expect("an object");
        object.shift_remove("kind");
        object.shift_remove("apiVersion");
        objects.push(event["object"].take());
    }
    let marker = objects.pop().expect("the marker");
    let version = marker["metadata"]["resourceVersion"].as_str().expect("a version");
    (objects, version.parse().expect("a number"))
}
