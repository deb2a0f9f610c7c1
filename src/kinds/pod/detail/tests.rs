//! Objects in, series out, against what kube-state-metrics 2.18 said of the same objects.

use std::collections::BTreeSet;

use rstest::rstest;
use serde_json::{Value, json};

use super::*;
use crate::{
    exposition::detail::{Names, choice::Choice},
    kinds::{
        pod::Pods,
        shown::testing::{self, all_labels, assert_alike, assert_as_recorded, scrape},
    },
};

const OBJECTS: &str = include_str!("../../../../tests/data/ksm/pods.json");
const REFERENCE: &str = include_str!("../../../../tests/data/ksm/pods.txt");

#[test]
fn every_series_is_that_of_kube_state_metrics() {
    assert_as_recorded::<Pods>(OBJECTS, REFERENCE, &all_labels());
    assert_eq!(REFERENCE.lines().filter(|line| !line.starts_with('#')).count(), 711);
}

/// What one pod shows of a family: the labels beside its own, and the value.
fn shown(pod: &Value, family: &str) -> Vec<String> {
    let lines = testing::shown::<Pods>(pod, family);
    let rest = lines
        .iter()
        .filter_map(|line| line.strip_prefix("namespace=\"shop\",pod=\"web\",uid=\"1\""));
    rest.map(|rest| rest.trim_start_matches(',').to_owned()).collect()
}

fn pod(mut metadata: Value, spec: Value, status: Value) -> Value {
    for (key, value) in [("namespace", "shop"), ("name", "web"), ("uid", "1")] {
        metadata[key] = value.into();
    }
    json!({"metadata": metadata, "spec": spec, "status": status})
}

fn status(status: Value) -> Value {
    pod(json!({}), json!({}), status)
}

#[test]
fn a_bare_pod_shows_what_every_pod_shows() {
    let bare = status(Value::Null);
    let text = scrape::<Pods>(std::slice::from_ref(&bare), &Extra::default());
    let names = text.lines().filter_map(|line| line.split_once('{')).map(|(name, _)| name);
    let ours: BTreeSet<_> = names.filter(|name| name.starts_with("kube_")).collect();
    let expected = [
        "kube_pod_info",
        "kube_pod_owner",
        "kube_pod_restart_policy",
        "kube_pod_scheduler",
        "kube_pod_service_account",
        "kube_pod_status_reason",
    ];
    assert_eq!(ours.into_iter().collect::<Vec<_>>(), expected);
    assert_eq!(shown(&bare, "kube_pod_labels"), [" 1"]);
    let owner = r#"owner_kind="",owner_name="",owner_is_controller="" 1"#;
    assert_eq!(shown(&bare, "kube_pod_owner"), [owner]);
}

#[rstest]
#[case::gib(json!({"memory": "1.5Gi"}), &[r#"resource="memory",unit="byte" 1610612736"#])]
#[case::milli(json!({"cpu": "100m"}), &[r#"resource="cpu",unit="core" 0.1"#])]
#[case::less(json!({"cpu": "100u"}), &[r#"resource="cpu",unit="core" 0.001"#])]
#[case::number(json!({"cpu": 2}), &[r#"resource="cpu",unit="core" 2"#])]
#[case::large(json!({"cpu": "10P"}), &[r#"resource="cpu",unit="core" 10000000000000000"#])]
#[case::exponent(json!({"memory": "1e3"}), &[r#"resource="memory",unit="byte" 1000"#])]
#[case::part(json!({"memory": "100m"}), &[r#"resource="memory",unit="byte" 1"#])]
#[case::gpu(json!({"nvidia.com/gpu": "2"}), &[r#"resource="nvidia_com_gpu",unit="integer" 2"#])]
#[case::huge(json!({"hugepages-2Mi": "4Mi"}), &[r#"resource="hugepages_2Mi",unit="byte" 4194304"#])]
#[case::unknown(json!({"pods": "3", "kubernetes.io/x": "1"}), &[])]
#[case::none(json!({"cpu": "much"}), &[])]
fn resources_have_their_unit(#[case] limits: Value, #[case] expected: &[&str]) {
    let container = json!({"name": "app", "resources": {"limits": limits, "requests": null}});
    let spec = json!({"nodeName": "n", "containers": [container], "initContainers": [container]});
    let full: Vec<_> =
        expected.iter().map(|rest| format!(r#"container="app",node="n",{rest}"#)).collect();
    let pod = pod(json!({}), spec, json!({}));
    assert_eq!(shown(&pod, "kube_pod_container_resource_limits"), full);
    assert_eq!(shown(&pod, "kube_pod_init_container_resource_limits"), full);
    assert!(shown(&pod, "kube_pod_container_resource_requests").is_empty());
}

#[rstest]
#[case::escapes(json!({"a": "x\"y\\z\nw"}), r#"label_a="x\"y\\z\nw" 1"#)]
#[case::conflict(
    json!({"a_b": "3", "a-b": "1", "a.b": "2"}),
    r#"label_a_b_conflict1="1",label_a_b_conflict2="2",label_a_b_conflict3="3" 1"#
)]
#[case::camel(json!({"app.kubernetes.io/partOf": "x"}), r#"label_app_kubernetes_io_part_of="x" 1"#)]
fn labels_are_shown(#[case] labels: Value, #[case] expected: &str) {
    let pod = pod(json!({"labels": labels}), json!({}), json!({}));
    assert_eq!(shown(&pod, "kube_pod_labels"), [expected]);
}

#[test]
fn annotations_are_shown_where_they_are_asked_for() {
    let pod = pod(json!({"annotations": {"note": "x", "other": "y"}}), json!({}), json!({}));
    let annotations = Names::Some(vec!["note".into()]);
    let text = scrape::<Pods>(&[pod], &Extra { annotations, ..Extra::default() });
    assert!(text.contains(r#"uid="1",annotation_note="x"} 1"#), "{text}");
    assert!(!text.contains("annotation_other") && !text.contains("kube_pod_labels{"), "{text}");
}

#[rstest]
#[case(json!({"zone": "a", "kubernetes.io/arch": "arm64"}), r#",nodeselector_kubernetes_io_arch="arm64",nodeselector_zone="a""#)]
#[case(Value::Null, "")]
fn node_selectors_are_shown_where_they_are_asked_for(#[case] of: Value, #[case] expected: &str) {
    let pod = pod(json!({}), json!({"nodeSelector": of}), json!({}));
    let family = "kube_pod_nodeselectors";
    let plain = scrape::<Pods>(std::slice::from_ref(&pod), &Extra::default());
    assert!(!plain.contains(family), "{plain}");
    let families = Choice { opt_in: Some([family].into()), ..Choice::default() };
    let text = scrape::<Pods>(&[pod], &Extra { families, ..Extra::default() });
    let line = format!("{family}{{namespace=\"shop\",pod=\"web\",uid=\"1\"{expected}}} 1\n");
    assert!(text.contains(&line), "{text}");
}

#[test]
fn an_owner_that_is_repeated_is_shown_once() {
    let owner = |kind, controller| json!({"kind": kind, "name": "o", "controller": controller});
    let owners = [owner("A", None), owner("B", Some(true)), owner("A", Some(false))];
    let pod = pod(json!({"ownerReferences": owners}), json!({}), json!({}));
    let expected = [
        r#"owner_kind="A",owner_name="o",owner_is_controller="false" 1"#,
        r#"owner_kind="B",owner_name="o",owner_is_controller="true" 1"#,
    ];
    assert_eq!(shown(&pod, "kube_pod_owner"), expected);
    let info = shown(&pod, "kube_pod_info").concat();
    assert!(info.contains(r#"created_by_kind="B",created_by_name="o""#), "{info}");
}

#[rstest]
#[case::pod(json!({"reason": "Evicted"}))]
#[case::condition(json!({"conditions": [{"type": "X", "reason": "Evicted"}]}))]
#[case::container(json!({"containerStatuses": [{"state": {"terminated": {"reason": "Evicted"}}}]}))]
fn an_evicted_pod_says_so(#[case] of: Value) {
    let expected =
        REASONS.map(|reason| format!(r#"reason="{reason}" {}"#, u8::from(reason == "Evicted")));
    assert_eq!(shown(&status(of), "kube_pod_status_reason"), expected);
}

#[rstest]
#[case("scheduled", &[r#"condition="true" 0"#, r#"condition="false" 1"#, r#"condition="unknown" 0"#])]
#[case("unschedulable", &[" 1"])]
#[case("unscheduled_time", &[" 5"])]
#[case("scheduled_time", &[])]
#[case("ready_time", &[" -62135596800"])]
#[case("container_ready_time", &[])]
fn an_unscheduled_pod(#[case] family: &str, #[case] expected: &[&str]) {
    let pod = status(json!({"phase": "Pending", "conditions": [
        {"type": "PodScheduled", "status": "False", "lastTransitionTime": "1970-01-01T00:00:05Z"},
        {"type": "Ready", "status": "True", "lastTransitionTime": null},
        {"type": "Ready", "status": "False"},
        {"type": "ContainersReady", "status": "False"},
    ]}));
    assert_eq!(shown(&pod, &format!("kube_pod_status_{family}")), expected);
}

#[rstest]
#[case::nothing(json!({}), [0, 0, 0], None)]
#[case::waiting(json!({"waiting": {}}), [1, 0, 0], None)]
#[case::running(json!({"running": {"startedAt": "1970-01-01T00:00:05Z"}}), [0, 1, 0], Some(5))]
#[case::no_time(json!({"running": {}}), [0, 1, 0], Some(-62_135_596_800))]
#[case::ended(json!({"terminated": {"startedAt": "1970-01-01T00:00:07Z"}}), [0, 0, 1], Some(7))]
fn the_state_of_a_container(
    #[case] state: Value,
    #[case] expected: [u8; 3],
    #[case] started: Option<i64>,
) {
    let pod = status(json!({"containerStatuses": [{"name": "app", "state": state}]}));
    for (family, value) in ["waiting", "running", "terminated"].iter().zip(expected) {
        let family = format!("kube_pod_container_status_{family}");
        assert_eq!(shown(&pod, &family), [format!("container=\"app\" {value}")]);
    }
    let started: Vec<_> = started.iter().map(|time| format!("container=\"app\" {time}")).collect();
    assert_eq!(shown(&pod, "kube_pod_container_state_started"), started);
}

#[rstest]
#[case("container_status_last_terminated_exitcode", &[r#"container="app" 137"#])]
#[case("container_status_last_terminated_timestamp", &[r#"container="app" -62135596800"#])]
#[case("container_status_last_terminated_reason", &[r#"container="app",reason="OOMKilled" 1"#])]
#[case("completion_time", &[])]
fn an_end_that_does_not_say_when(#[case] family: &str, #[case] expected: &[&str]) {
    let end = json!({"terminated": {"exitCode": 137, "reason": "OOMKilled", "finishedAt": null}});
    let container = json!({"name": "app", "state": end, "lastState": end});
    let pod = status(json!({"containerStatuses": [container]}));
    assert_eq!(shown(&pod, &format!("kube_pod_{family}")), expected);
}

#[rstest]
#[case("10.0.0.1", Some("4"))]
#[case("010.0.0.01", Some("4"))]
#[case("::ffff:10.0.0.1", Some("4"))]
#[case("fd00::1", Some("6"))]
#[case("10.0.0", None)]
#[case("10.0.0.256", None)]
#[case("10.0.0.+1", None)]
#[case("fe80::1%eth0", None)]
#[case("", None)]
fn ip_families(#[case] ip: &str, #[case] expected: Option<&str>) {
    assert_eq!(ip_family(ip), expected);
}

#[test]
fn protobuf_and_json_show_the_same() {
    assert_alike::<Pods>(
        include_str!("../../../../tests/data/wire/list/pods.json"),
        include_bytes!("../../../../tests/data/wire/protobuf/pods.pb"),
    );
}
