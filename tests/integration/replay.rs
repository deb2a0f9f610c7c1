//! Every recording of a real API server is read as it should be.

use std::{collections::BTreeMap, fs, path::PathBuf};

use http::{HeaderMap, HeaderName, HeaderValue};
use kubetally::{
    api::{ThrottleSource, status},
    config::settings::Caps,
    exposition::{Collect, Exposition, Format},
    kinds,
    store::{Holder, Shared, Shown},
    watch::{Op, machine::FailureKind},
    wire::{
        DecodeError, Encoding, Notification, Payload,
        frame::Lines,
        json,
        list::{Items, Page},
        stream,
    },
};
use rstest::rstest;
use serde_json::Value;

const CAPS: Caps = Caps { namespaces: 100, reasons: 100, nodes: 100 };
const LIMIT: usize = 1 << 20;
/// 2026-11-23T17:25:25Z: between what the recordings begin with and what happens in them.
const NOW: i64 = 1_795_454_725_000_000;

fn folder(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/data/wire").join(name)
}

fn recording(name: &str) -> Vec<u8> {
    let path = folder(name);
    fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn names(name: &str) -> Vec<String> {
    let entries = fs::read_dir(folder(name)).expect("a folder of recordings");
    let name = |entry: fs::DirEntry| entry.file_name().into_string().expect("UTF-8");
    let mut names: Vec<String> = entries.map(|entry| name(entry.expect("an entry"))).collect();
    names.sort();
    names
}

fn store(resource: &str) -> Shared {
    let resource = kinds::find(resource).expect("a known resource");
    (resource.store)(&resource.name, &[], &CAPS)
}

fn text(store: &Shared) -> String {
    let mut out = Exposition::new(Format::Text, &[]);
    Shown(store.clone()).collect(&mut out);
    String::from_utf8(out.finish().to_vec()).expect("UTF-8")
}

fn assert_shows(text: &str, samples: &[&str]) {
    for sample in samples {
        assert!(text.lines().any(|line| line == *sample), "no {sample} in\n{text}");
    }
}

/// The items of a list that arrives in chunks.
fn items(body: &[u8], chunk: usize) -> Result<(Vec<Vec<u8>>, Page), DecodeError> {
    let mut items = Items::new(LIMIT);
    let mut got = Vec::new();
    for chunk in body.chunks(chunk) {
        items.push(chunk);
        while let Some(item) = items.next_item()? {
            got.push(item.to_vec());
        }
    }
    Ok((got, items.finish()?))
}

fn list(store: &mut dyn Holder, bodies: &[&str]) {
    store.begin_list(0);
    for body in bodies {
        for bytes in items(&recording(body), 1000).expect("a list").0 {
            let payload = Payload { encoding: Encoding::Json, event: false, bytes: &bytes };
            store.list(0, payload, NOW).expect("an object");
        }
    }
    store.end_list(0, NOW);
}

#[test]
fn every_list_is_taken_apart_wherever_it_is_cut() {
    for name in names("list") {
        let body = recording(&format!("list/{name}"));
        let whole: Value = serde_json::from_slice(&body).expect("JSON");
        let expected = whole["items"].as_array().cloned().unwrap_or_default();
        for chunk in [1, 7, 1000, body.len()] {
            let (got, page) = items(&body, chunk).expect(&name);
            let got: Vec<Value> =
                got.iter().map(|item| serde_json::from_slice(item).expect("JSON")).collect();
            assert_eq!(got, expected, "{name}");
            assert_eq!(page.resource_version, 653, "{name}");
            assert_eq!(page.next.as_deref(), whole["metadata"]["continue"].as_str(), "{name}");
            assert_eq!(page.remaining, whole["metadata"]["remainingItemCount"].as_u64(), "{name}");
        }
        for at in (0..body.len() - 2).step_by(97) {
            assert!(items(&body[..at], LIMIT).is_err(), "{name} cut at {at}");
        }
    }
}

#[test]
fn pods_are_counted() {
    let pods = store("pods");
    let mut holder = pods.lock().expect("nobody panicked");
    list(&mut *holder, &["list/pods.json"]);
    drop(holder);
    let text = text(&pods);
    assert_shows(
        &text,
        &[
            r#"kubetally_objects{resource="pods"} 8"#,
            r#"kubetally_namespace_objects{namespace="shop",resource="pods"} 8"#,
        ],
    );
    let whole: Value = serde_json::from_slice(&recording("list/pods.json")).expect("JSON");
    let mut phases = BTreeMap::<&str, u64>::new();
    for pod in whole["items"].as_array().expect("items") {
        *phases.entry(pod["status"]["phase"].as_str().expect("a phase")).or_default() += 1;
    }
    for (phase, n) in phases {
        let sample = format!(r#"kubetally_pods{{namespace="shop",phase="{phase}"}} {n}"#);
        assert_shows(&text, &[&sample]);
    }
}

#[test]
fn pages_of_one_list_are_one_list() {
    let pods = store("pods");
    let mut holder = pods.lock().expect("nobody panicked");
    list(&mut *holder, &["list/pods-page-1.json", "list/pods-page-2.json"]);
    assert_eq!(holder.len(), 4);
}

#[rstest]
#[case("list/events.json")]
#[case("list/events.k8s.io.json")]
fn events_of_a_first_list_are_held_and_count_nothing(#[case] body: &str) {
    let events = store("events");
    let mut holder = events.lock().expect("nobody panicked");
    list(&mut *holder, &[body]);
    assert_eq!(holder.len(), 17);
    drop(holder);
    let text = text(&events);
    assert_shows(&text, &[r#"kubetally_event_suppressed_total{cause="baseline"} 17"#]);
    for line in text.lines().filter(|l| l.starts_with("kubetally_event_occurrences_total{")) {
        assert!(line.ends_with(" 0"), "{line}");
    }
}

/// What a watch stream was, read in chunks: notifications by type, and what it left in a store.
#[derive(Default)]
struct Watched {
    ops: BTreeMap<&'static str, u64>,
    versions: Vec<u64>,
    listing: bool,
}

impl Watched {
    fn read(
        stream: &[u8],
        chunk: usize,
        listing: bool,
        mut store: Option<&mut dyn Holder>,
    ) -> Self {
        let mut watched = Self { listing, ..Self::default() };
        let mut lines = Lines::new(LIMIT);
        for chunk in stream.chunks(chunk) {
            lines.push(chunk);
            while let Some(line) = lines.next_line().expect("a line") {
                watched.line(line, &mut store);
            }
        }
        assert_eq!(lines.rest(), b"", "a recording ends with its last line");
        watched
    }

    fn line(&mut self, line: &[u8], store: &mut Option<&mut dyn Holder>) {
        let payload = Payload { encoding: Encoding::Json, event: true, bytes: line };
        let op = match json::notification(line).expect("a notification") {
            Notification::Bookmark { resource_version, initial_events_end } => {
                self.versions.push(resource_version);
                if initial_events_end && self.listing {
                    self.listing = false;
                    store.iter_mut().for_each(|store| store.end_list(0, NOW));
                }
                Op::Bookmark
            }
            Notification::Object(op) => {
                let store = store.iter_mut().next();
                match store {
                    Some(store) if self.listing => store.list(0, payload, NOW).expect("an object"),
                    Some(store) => {
                        self.versions.push(
                            store.apply(op, 0, payload, NOW).expect("an object").resource_version,
                        );
                    }
                    None => {}
                }
                op
            }
            Notification::Error(status) => panic!("{status:?}"),
        };
        *self.ops.entry(op.as_str()).or_default() += 1;
    }
}

#[test]
fn every_watch_stream_is_read_wherever_it_is_cut() {
    for name in names("watch") {
        let stream = recording(&format!("watch/{name}"));
        let mut expected = BTreeMap::<String, u64>::new();
        for line in stream.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
            let event: Value = serde_json::from_slice(line).expect("JSON");
            let op = event["type"].as_str().expect("a type").to_lowercase();
            *expected.entry(op).or_default() += 1;
        }
        for chunk in [1, 13, 4096, stream.len()] {
            let ops = Watched::read(&stream, chunk, false, None).ops;
            let ops: BTreeMap<String, u64> =
                ops.into_iter().map(|(op, n)| (op.to_owned(), n)).collect();
            assert_eq!(ops, expected, "{name}");
        }
    }
}

/// What is there after a stream, by a reading of our own.
fn left(stream: &[u8]) -> usize {
    let mut names = std::collections::BTreeSet::new();
    for line in stream.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
        let event: Value = serde_json::from_slice(line).expect("JSON");
        let name = event["object"]["metadata"]["name"].as_str().map(str::to_owned);
        match event["type"].as_str() {
            Some("DELETED") => drop(names.remove(&name)),
            Some("BOOKMARK") => {}
            _ => drop(names.insert(name)),
        }
    }
    names.len()
}

#[rstest]
#[case::streamed("watch/pods-streaming-list.jsonl")]
#[case::from_the_cache("watch/pods-rv0.jsonl")]
fn a_stream_of_pods_leaves_what_is_there(#[case] name: &str) {
    let stream = recording(name);
    let pods = store("pods");
    let mut holder = pods.lock().expect("nobody panicked");
    holder.begin_list(0);
    let watched = Watched::read(&stream, 512, true, Some(&mut *holder));
    assert_eq!(holder.len(), left(&stream), "{name}");
    drop(holder);
    assert!(watched.versions.is_sorted(), "{:?}", watched.versions);
    assert_shows(
        &text(&pods),
        &[
            &format!(r#"kubetally_objects{{resource="pods"}} {}"#, left(&stream)),
            r#"kubetally_container_terminations_total{namespace="shop",reason="OOMKilled"} 1"#,
            r#"kubetally_container_terminations_total{namespace="shop",reason="Completed"} 2"#,
            r#"kubetally_container_terminations_total{namespace="shop",reason="Error"} 1"#,
            r#"kubetally_container_restarts_total{namespace="shop"} 5"#,
            r#"kubetally_containers_waiting{namespace="shop",reason="CrashLoopBackOff"} 1"#,
            r#"kubetally_pods_terminating{namespace="shop"} 3"#,
            r#"kubetally_pod_phase_transitions_total{from="Pending",to="Running"} 4"#,
            r#"kubetally_pod_phase_transitions_total{from="Pending",to="Succeeded"} 1"#,
            r#"kubetally_pod_phase_transitions_total{from="Running",to="Failed"} 1"#,
        ],
    );
}

#[rstest]
#[case::core("watch/events.jsonl")]
#[case::events_k8s_io("watch/events.k8s.io.jsonl")]
fn a_stream_of_events_counts_what_happened(#[case] name: &str) {
    let stream = recording(name);
    let events = store("events");
    let mut holder = events.lock().expect("nobody panicked");
    holder.begin_list(0);
    Watched::read(&stream, 512, true, Some(&mut *holder));
    assert_eq!(holder.len(), left(&stream));
    drop(holder);
    let text = text(&events);
    let occurrences = |labels| format!("kubetally_event_occurrences_total{{{labels}}}");
    for (labels, n) in [
        // web.legacy went from 1 to 2 to 5 and was deleted; web.series from 1 to 2 to 9.
        (r#"type="Warning",kind="Pod",reason="BackOff""#, 5 + 9),
        (r#"type="Warning",kind="Pod",reason="FailedScheduling""#, 2),
        (r#"type="Normal",kind="Pod",reason="Scheduled""#, 2),
        (r#"type="Normal",kind="ReplicaSet",reason="SuccessfulCreate""#, 1),
        (r#"type="Normal",kind="Job",reason="Completed""#, 1),
        (r#"type="Normal",kind="Job",reason="SuccessfulCreate""#, 1),
        (r#"type="Normal",kind="CronJob",reason="SuccessfulCreate""#, 1),
        (r#"type="Normal",kind="Deployment",reason="ScalingReplicaSet""#, 0),
        (r#"type="Warning",kind="Namespace",reason="KubeAPIReadyz""#, 0),
    ] {
        assert_shows(&text, &[&format!("{} {n}", occurrences(labels))]);
    }
    assert_shows(
        &text,
        &[
            r#"kubetally_event_warnings_total{namespace="shop"} 16"#,
            r#"kubetally_event_observations_total{op="added"} 9"#,
            r#"kubetally_event_observations_total{op="modified"} 5"#,
            r#"kubetally_event_observations_total{op="deleted"} 1"#,
            r#"kubetally_event_observations_total{op="replayed"} 12"#,
            r#"kubetally_event_suppressed_total{cause="baseline"} 12"#,
            r#"kubetally_event_suppressed_total{cause="duplicate"} 0"#,
        ],
    );
}

/// A recorded answer: status, headers, body.
fn answer(bytes: &[u8]) -> (u16, HeaderMap, &[u8]) {
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n").expect("an end of the head");
    let head = std::str::from_utf8(&bytes[..end]).expect("UTF-8");
    let mut lines = head.split("\r\n");
    let status = lines.next().and_then(|line| line.split(' ').nth(1)?.parse().ok());
    let header = |line: &str| {
        let (name, value) = line.split_once(": ")?;
        let name = HeaderName::from_bytes(name.as_bytes()).ok()?;
        Some((name, HeaderValue::from_str(value).ok()?))
    };
    (status.expect("a status"), lines.filter_map(header).collect(), &bytes[end + 4..])
}

#[test]
fn every_refusal_is_understood() {
    use FailureKind as Kind;
    let expected = BTreeMap::from([
        ("400-bad-continue.http", (400, Kind::Unsupported, None)),
        ("400-bad-resource-version.http", (400, Kind::Unsupported, None)),
        ("401-bad-token.http", (401, Kind::Unauthorized, None)),
        ("403-anonymous.http", (403, Kind::Forbidden, None)),
        ("403-list.http", (403, Kind::Forbidden, None)),
        ("403-namespaced.http", (403, Kind::Forbidden, None)),
        ("403-secrets.http", (403, Kind::Forbidden, None)),
        ("403-watch.http", (403, Kind::Forbidden, None)),
        ("404-object.http", (404, Kind::NotFound, None)),
        // An unknown resource of a known group is forbidden first.
        ("404-resource.http", (403, Kind::Forbidden, None)),
        ("406-accept.http", (406, Kind::Unsupported, None)),
        ("410-list-continue.http", (410, Kind::Expired, None)),
        ("422-bad-send-initial-events.http", (422, Kind::Unsupported, None)),
        ("429-inflight.http", (429, Kind::Throttled, Some(1))),
        ("504-future-resource-version.http", (504, Kind::TooLarge, Some(1))),
    ]);
    let recorded: Vec<String> =
        names("status").into_iter().filter(|name| !name.starts_with("200")).collect();
    assert_eq!(recorded, expected.keys().map(ToString::to_string).collect::<Vec<_>>());
    for (name, (status, kind, wait)) in expected {
        let bytes = recording(&format!("status/{name}"));
        let (http, headers, body) = answer(&bytes);
        assert_eq!(http, status, "{name}");
        let refusal = status::refusal(http, &headers, body);
        assert_eq!(refusal.failure.kind, kind, "{name}");
        assert_eq!(refusal.failure.retry_after.map(|wait| wait.as_secs()), wait, "{name}");
        assert!(!refusal.message.is_empty() && refusal.message.len() <= 400, "{name}");
        let throttle = (kind == Kind::Throttled).then_some(ThrottleSource::MaxInFlight);
        assert_eq!(refusal.throttle, throttle, "{name}");
        // What was refused is no list either.
        assert!(items(body, LIMIT).is_err(), "{name}");
    }
}

#[rstest]
#[case("status/200-watch-events-410.http")]
#[case("status/200-watch-pods-410.http")]
fn a_watch_from_too_far_back_is_an_error_event_after_a_200(#[case] name: &str) {
    let bytes = recording(name);
    let (http, _, body) = answer(&bytes);
    assert_eq!(http, 200);
    let mut lines = Lines::new(LIMIT);
    lines.push(body);
    let line = lines.next_line().expect("a line").expect("a line");
    let Ok(Notification::Error(status)) = json::notification(line) else {
        panic!("no error event in {name}");
    };
    assert_eq!(status::event(&status).failure.kind, FailureKind::Expired);
}

#[test]
fn what_is_no_list_nor_watch_is_refused() {
    for folder in ["review", "discovery"] {
        for name in names(folder) {
            let body = recording(&format!("{folder}/{name}"));
            assert!(items(&body, 100).is_err(), "{name} is no list of objects");
            assert!(json::notification(&body).is_err(), "{name} is no notification");
            assert_eq!(json::status(&body), None, "{name} is no Status");
        }
    }
}

/// Pods and events as protobuf and as JSON, recorded at the same moment.
#[rstest]
#[case("pods")]
#[case("events")]
#[case("deployments")]
fn both_encodings_say_the_same(#[case] resource: &str) {
    let shown = |encoding: Encoding, file: &str| {
        let store = store(resource);
        let mut holder = store.lock().expect("nobody panicked");
        let mut items = stream::Items::new(encoding, LIMIT);
        let mut counted = 0;
        holder.begin_list(0);
        for chunk in recording(file).chunks(1000) {
            items.push(chunk);
            while let Some(item) = items.next_item().expect("a list") {
                holder.list(0, item, NOW).expect("an object");
                counted += 1;
            }
        }
        let page = items.finish().expect("a list");
        holder.end_list(0, NOW);
        drop(holder);
        (text(&store), counted, page)
    };
    let json = shown(Encoding::Json, &format!("list/{resource}.json"));
    let protobuf = shown(Encoding::Protobuf, &format!("protobuf/{resource}.pb"));
    assert!(json.1 > 0);
    assert_eq!(protobuf, json);
}

#[test]
fn a_watch_in_protobuf_leaves_the_pods_that_it_says() {
    let pods = store("pods");
    let mut holder = pods.lock().expect("nobody panicked");
    let mut events = stream::Events::new(Encoding::Protobuf, LIMIT);
    let mut listing = true;
    holder.begin_list(0);
    for chunk in recording("protobuf/watch-pods.pb").chunks(997) {
        events.push(chunk);
        while let Some(event) = events.next_event().expect("a frame") {
            match stream::notification(event).expect("a notification") {
                Notification::Object(_) if listing => holder.list(0, event, NOW).expect("a pod"),
                Notification::Object(op) => {
                    holder.apply(op, 0, event, NOW).expect("a pod");
                }
                Notification::Bookmark { initial_events_end: true, .. } => {
                    holder.end_list(0, NOW);
                    listing = false;
                }
                Notification::Bookmark { .. } => {}
                Notification::Error(status) => panic!("{status:?}"),
            }
        }
    }
    drop(holder);
    assert_shows(
        &text(&pods),
        &[
            "kubetally_container_terminations_total{namespace=\"shop\",reason=\"OOMKilled\"} 1",
            "kubetally_pod_phase_transitions_total{from=\"Running\",to=\"Failed\"} 1",
        ],
    );
}

#[rstest]
#[case("deployments", &["kubetally_deployments{namespace=\"shop\",state=\"progressing\"} 1"])]
#[case("jobs", &["kubetally_jobs{namespace=\"shop\",state=\"complete\"} 1"])]
#[case("nodes", &[
    "kubetally_nodes{condition=\"Ready\",status=\"True\"} 2",
    "kubetally_nodes{condition=\"Unschedulable\",status=\"False\"} 2",
])]
#[case("services", &["kubetally_services{type=\"ClusterIP\"} 2"])]
#[case("namespaces", &["kubetally_namespaces{phase=\"Active\"} 5"])]
fn other_kinds_are_counted(#[case] resource: &str, #[case] samples: &[&str]) {
    let store = store(resource);
    list(&mut *store.lock().expect("nobody panicked"), &[&format!("list/{resource}.json")]);
    assert_shows(&text(&store), samples);
}
