//! A whole scrape after a fixed history by a fixed clock, in both formats.

use std::{sync::Arc, time::Duration};

use kubetally::{
    api::{
        Phase, ReloadResult, ReloadTrigger, ThrottleSource, TlsFailure, TransportReason,
        UnauthorizedCause, Verb,
    },
    config::settings::Caps,
    exposition::{Collect, Exposition, Format, catalogue},
    kinds,
    store::{Shared, Shown},
    telemetry::Telemetry,
    watch::{Activity, EndCause, Op, RelistCause, SyncMode, board::Board},
    wire::{Encoding, Payload},
};
use serde_json::{Value, json};

const CAPS: Caps = Caps { namespaces: 2, reasons: 6, nodes: 2 };
/// 2026-11-23T12:00:00Z, in microseconds since 1970.
const NOON: i64 = 1_795_435_200_000_000;

fn at(seconds: i64) -> i64 {
    NOON + seconds * 1_000_000
}

fn store(resource: &str) -> Shared {
    let resource = kinds::find(resource).expect("a known resource");
    (resource.store)(&resource.name, &[], &CAPS)
}

fn list(store: &Shared, objects: &[Value], seconds: i64) {
    let mut store = store.lock().expect("nobody panicked");
    store.begin_list(0);
    for object in objects {
        let bytes = object.to_string();
        let payload = Payload { encoding: Encoding::Json, event: false, bytes: bytes.as_bytes() };
        store.list(0, payload, at(seconds)).expect("an object");
    }
    store.end_list(0, at(seconds));
}

fn live(store: &Shared, op: Op, object: &Value, seconds: i64) {
    let bytes = json!({"type": op.as_str().to_uppercase(), "object": object}).to_string();
    let payload = Payload { encoding: Encoding::Json, event: true, bytes: bytes.as_bytes() };
    store.lock().expect("nobody panicked").apply(op, 0, payload, at(seconds)).expect("an object");
}

fn pod(namespace: &str, name: &str, version: u64, status: Value) -> Value {
    let created = if version < 10 { "2026-11-23T11:00:00Z" } else { "2026-11-23T12:00:10Z" };
    json!({
        "metadata": {
            "namespace": namespace, "name": name, "uid": name,
            "resourceVersion": version.to_string(), "creationTimestamp": created,
            "ownerReferences": [{"kind": "ReplicaSet", "controller": true}],
        },
        "spec": {"nodeName": format!("node-{name}")},
        "status": status,
    })
}

fn event(name: &str, version: u64, count: u32, reason: &str) -> Value {
    json!({
        "metadata": {"namespace": "shop", "name": name, "resourceVersion": version.to_string()},
        "involvedObject": {"kind": "Pod"}, "type": "Warning", "reason": reason, "count": count,
        "firstTimestamp": "2026-11-23T12:00:05Z", "lastTimestamp": "2026-11-23T12:00:20Z",
    })
}

fn ready(since: &str) -> Value {
    json!({"phase": "Running", "qosClass": "Burstable", "conditions": [
        {"type": "Ready", "status": "True", "lastTransitionTime": since}]})
}

fn crashing(restarts: u32) -> Value {
    json!({"phase": "Running", "qosClass": "BestEffort", "containerStatuses": [{
        "name": "web", "restartCount": restarts,
        "state": {"waiting": {"reason": "CrashLoopBackOff"}},
        "lastState": {"terminated": {
            "exitCode": 137, "reason": "OOMKilled", "containerID": restarts.to_string(),
            "startedAt": "2026-11-23T12:00:20Z", "finishedAt": "2026-11-23T12:00:21Z",
        }},
    }]})
}

fn pods() -> Shared {
    let pods = store("pods");
    let unschedulable = json!({"phase": "Pending", "conditions": [
        {"type": "PodScheduled", "status": "False", "reason": "Unschedulable"}]});
    list(
        &pods,
        &[
            pod("shop", "a", 1, ready("2026-11-23T11:00:03Z")),
            pod("shop", "b", 2, crashing(4)),
            pod("billing", "c", 3, unschedulable),
            pod("third", "d", 4, json!({"phase": "Succeeded"})),
        ],
        0,
    );
    live(&pods, Op::Added, &pod("shop", "e", 10, json!({"phase": "Pending"})), 10);
    live(&pods, Op::Modified, &pod("shop", "e", 11, ready("2026-11-23T12:00:17Z")), 18);
    live(&pods, Op::Modified, &pod("shop", "b", 12, crashing(6)), 22);
    live(&pods, Op::Deleted, &pod("third", "d", 13, json!({"phase": "Succeeded"})), 23);
    pods
}

fn events() -> Shared {
    let events = store("events");
    list(&events, &[event("known", 5, 7, "BackOff")], 0);
    live(&events, Op::Modified, &event("known", 20, 9, "BackOff"), 21);
    live(&events, Op::Added, &event("new", 21, 3, "Unhealthy"), 22);
    live(&events, Op::Added, &event("quotes", 22, 1, "say \"no\" \\ and\nbreak"), 23);
    live(&events, Op::Added, &event("unicode", 23, 1, "Überlauf ☃"), 24);
    live(&events, Op::Added, &event("long", 24, 1, &"x".repeat(1 << 20)), 25);
    live(&events, Op::Deleted, &event("new", 25, 3, "Unhealthy"), 26);
    live(&events, Op::Added, &event("new", 26, 4, "Unhealthy"), 27);
    events
}

fn board() -> Board {
    let mut board = Board::default();
    let pods = board.add("pods", None);
    pods.set(true, true, None);
    pods.active(Activity::Object, at(23));
    pods.active(Activity::Bookmark, at(30) + 250_000);
    pods.active(Activity::Transport, at(30) + 250_000);
    board.add("events", None).set(false, true, None);
    board
}

fn telemetry() -> Telemetry {
    let telemetry = Telemetry::new(&["pods", "events"]).expect("the catalogue is sound");
    let millis = Duration::from_millis;
    telemetry.request_answered(Verb::Watch, "pods", 200);
    telemetry.request_took(Verb::Watch, "pods", millis(3));
    telemetry.request_answered(Verb::List, "events", 401);
    telemetry.request_answered(Verb::List, "events", 418);
    telemetry.transport_error(TransportReason::Reset);
    telemetry.phase(Phase::Tls, millis(12));
    telemetry.retry(Verb::List, "events");
    let throttle = Some(ThrottleSource::PriorityAndFairness);
    telemetry.refused(throttle, Some(Duration::from_secs(1)));
    telemetry.api_warning();
    telemetry.watch_start("pods", millis(3));
    telemetry.watch_sync("pods", SyncMode::Stream, millis(40));
    telemetry.watch_stream("pods", Duration::from_secs(301));
    telemetry.watch_end("pods", EndCause::ServerTimeout);
    telemetry.relist("events", RelistCause::Expired);
    let intake = telemetry.intake("pods");
    intake.notifications(Op::Modified, 2);
    intake.delivery_lag(0.5);
    intake.apply(Duration::from_micros(20));
    telemetry.unauthorized(UnauthorizedCause::Expired);
    telemetry.token_reload(ReloadTrigger::Unauthorized, ReloadResult::Rotated);
    telemetry.ca_reload(ReloadResult::Unchanged);
    telemetry.tls_handshake_failure(TlsFailure::UnknownIssuer);
    telemetry.scrape("gzip", millis(2), 4096);
    telemetry
}

fn scrape(format: Format) -> String {
    let collectors: [Arc<dyn Collect>; 4] = [
        Arc::new(Shown(pods())),
        Arc::new(Shown(events())),
        Arc::new(board()),
        Arc::new(telemetry()),
    ];
    // The process's own differ from run to run.
    let ours = catalogue::ALL.iter().filter(|metric| !metric.name.starts_with("process_"));
    let names: Vec<String> = ours.map(|metric| metric.name.to_owned()).collect();
    let mut out = Exposition::new(format, &names);
    for collector in collectors {
        collector.collect(&mut out);
    }
    String::from_utf8(out.finish().to_vec()).expect("UTF-8")
}

fn assert_golden(name: &str, text: &str) {
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path("../golden");
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| insta::assert_snapshot!(name, text));
}

#[test]
fn a_scrape_as_text() {
    assert_golden("scrape.text", &scrape(Format::Text));
}

#[test]
fn a_scrape_as_openmetrics() {
    assert_golden("scrape.openmetrics", &scrape(Format::OpenMetrics));
}

#[test]
fn both_formats_say_the_same() {
    let values = |text: &str| -> Vec<String> {
        let samples = text.lines().filter(|line| !line.starts_with('#'));
        samples.map(|line| line.replace(".0\"} ", "\"} ")).collect()
    };
    assert_eq!(values(&scrape(Format::Text)), values(&scrape(Format::OpenMetrics)));
}
