//! Pods in, exposition text out.

use std::collections::BTreeMap;

use proptest::prelude::*;
use rstest::rstest;
use serde_json::{Value, json};

use super::*;
use crate::{
    store::{
        Holder,
        testing::{Rig, assert_sound, at, family},
    },
    watch::Op,
};

/// A pod that was created so many seconds after watching began.
fn pod(created: i64, spec: Value, status: Value) -> Value {
    json!({
        "metadata": {
            "namespace": "shop", "name": "web", "uid": "1", "creationTimestamp": at(created),
        },
        "spec": spec, "status": status,
    })
}

fn containers(statuses: Value) -> Value {
    pod(5, json!({}), json!({"phase": "Running", "containerStatuses": statuses}))
}

fn ended(id: &str, reason: &str, finished: Option<i64>) -> Value {
    json!({"terminated": {
        "containerID": id, "reason": reason, "exitCode": 1, "finishedAt": finished.map(at),
    }})
}

fn restarts(rig: &Rig<Pods>) -> u64 {
    rig.value(r#"kubetally_container_restarts_total{namespace="shop"}"#).expect("started at 0")
}

/// Terminations by reason, of the reasons there were.
fn terminations(rig: &Rig<Pods>) -> Vec<(String, u64)> {
    let prefix = r#"kubetally_container_terminations_total{namespace="shop",reason=""#;
    let lines = rig.family("kubetally_container_terminations_total");
    let pair = |line: &String| {
        let (reason, n) = line.strip_prefix(prefix)?.split_once("\"} ")?;
        Some((reason.to_owned(), n.parse().ok()?))
    };
    lines.iter().filter_map(pair).filter(|(_, n)| *n > 0).collect()
}

#[rstest]
#[case::bare(json!({}), json!({}), "Unknown", [0, 0])]
#[case::nulls(json!({"nodeName": null}), json!({"phase": null, "conditions": null}), "Unknown", [0, 0])]
#[case::pending(json!({}), json!({"phase": "Pending", "conditions": [
    {"type": "PodScheduled", "status": "False", "reason": "Unschedulable"}]}), "Pending", [0, 1])]
#[case::gated(json!({}), json!({"phase": "Pending", "conditions": [
    {"type": "PodScheduled", "status": "False", "reason": "SchedulingGated"}]}), "Pending", [0, 0])]
#[case::ready(json!({}), json!({"phase": "Running", "conditions": [
    {"type": "PodScheduled", "status": "True"}, {"type": "Ready", "status": "True"}]}), "Running", [1, 0])]
#[case::unready(json!({}), json!({"phase": "Running", "conditions": [
    {"type": "Ready", "status": "Unknown"}]}), "Running", [0, 0])]
#[case::a_phase_of_tomorrow(json!({}), json!({"phase": "Dreaming"}), "Unknown", [0, 0])]
fn gauges_of_a_namespace(
    #[case] spec: Value,
    #[case] status: Value,
    #[case] phase: &str,
    #[case] flags: [u64; 2],
) {
    let mut rig = Rig::<Pods>::synced(&[pod(-5, spec.clone(), status.clone())]);
    let show = |rig: &Rig<Pods>| {
        Phase::VALUES.map_to(|phase| {
            rig.value(&format!(r#"kubetally_pods{{namespace="shop",phase="{phase}"}}"#))
        })
    };
    let expected: Vec<_> = Phase::VALUES.map_to(|p| Some(u64::from(*p == phase)));
    assert_eq!(show(&rig), expected);
    assert_eq!(rig.value(r#"kubetally_pods_ready{namespace="shop"}"#), Some(flags[0]));
    assert_eq!(rig.value(r#"kubetally_pods_unschedulable{namespace="shop"}"#), Some(flags[1]));
    assert_eq!(rig.value(r#"kubetally_pods_terminating{namespace="shop"}"#), Some(0));
    rig.live(Op::Deleted, &pod(-5, spec, status));
    assert_eq!(rig.family("kubetally_pods"), Vec::<String>::new(), "an empty namespace goes");
}

trait MapTo<T> {
    fn map_to<U>(&self, map: impl Fn(&T) -> U) -> Vec<U>;
}

impl<T> MapTo<T> for [T] {
    fn map_to<U>(&self, map: impl Fn(&T) -> U) -> Vec<U> {
        self.iter().map(map).collect()
    }
}

#[test]
fn owners_nodes_classes_and_deletion() {
    let mut owned = pod(-5, json!({"nodeName": "n1"}), json!({"qosClass": "Burstable"}));
    owned["metadata"]["ownerReferences"] =
        json!([{"kind": "Other"}, {"kind": "ReplicaSet", "controller": true}]);
    owned["metadata"]["deletionTimestamp"] = at(1).into();
    let mut bare = pod(-5, json!({}), json!({"qosClass": "Platinum"}));
    bare["metadata"]["name"] = "bare".into();
    let rig = Rig::<Pods>::synced(&[owned, bare]);
    for (series, expected) in [
        (r#"kubetally_pods_by_owner{kind="ReplicaSet"}"#, Some(1)),
        (r#"kubetally_pods_by_owner{kind="none"}"#, Some(1)),
        (r#"kubetally_pods_by_owner{kind="Other"}"#, None),
        (r#"kubetally_node_pods{node="n1"}"#, Some(1)),
        (r#"kubetally_pods_by_qos{qos_class="Burstable"}"#, Some(1)),
        (r#"kubetally_pods_by_qos{qos_class="Unknown"}"#, Some(1)),
        (r#"kubetally_pods_by_qos{qos_class="Guaranteed"}"#, Some(0)),
        (r#"kubetally_pods_terminating{namespace="shop"}"#, Some(1)),
    ] {
        assert_eq!(rig.value(series), expected, "{series}");
    }
    assert_eq!(rig.family("kubetally_node_pods").len(), 1);
}

#[test]
fn a_phase_that_changes_is_a_transition_and_every_one_starts_at_zero() {
    let phase = |phase: &str| pod(-5, json!({}), json!({"phase": phase}));
    let mut rig = Rig::<Pods>::synced(&[phase("Pending")]);
    assert_eq!(rig.family("kubetally_pod_phase_transitions_total").len(), 5 * 4);
    rig.live(Op::Modified, &phase("Running")).live(Op::Modified, &phase("Running"));
    rig.list(&[phase("Failed")]);
    let series =
        |from, to| format!(r#"kubetally_pod_phase_transitions_total{{from="{from}",to="{to}"}}"#);
    assert_eq!(rig.value(&series("Pending", "Running")), Some(1));
    assert_eq!(rig.value(&series("Running", "Failed")), Some(1));
    // Another pod of the same name is no change of this one.
    let mut other = phase("Pending");
    other["metadata"]["uid"] = "2".into();
    rig.live(Op::Modified, &other);
    assert_eq!(rig.value(&series("Failed", "Pending")), Some(0));
}

#[test]
fn waiting_is_a_gauge_by_reason() {
    let waiting = |a: &str, b: &str| {
        containers(json!([
            {"name": "a", "state": {"waiting": {"reason": a}}},
            {"name": "b", "state": {"waiting": {"reason": b}}},
            {"name": "c", "state": {"running": {}}},
        ]))
    };
    let mut rig = Rig::<Pods>::synced(&[waiting("CrashLoopBackOff", "CrashLoopBackOff")]);
    let series =
        |reason| format!(r#"kubetally_containers_waiting{{namespace="shop",reason="{reason}"}}"#);
    assert_eq!(rig.value(&series("CrashLoopBackOff")), Some(2));
    rig.live(Op::Modified, &waiting("CrashLoopBackOff", "ImagePullBackOff"));
    assert_eq!(rig.value(&series("CrashLoopBackOff")), Some(1));
    assert_eq!(rig.value(&series("ImagePullBackOff")), Some(1));
    rig.live(Op::Modified, &containers(json!([])));
    assert_eq!(rig.family("kubetally_containers_waiting"), Vec::<String>::new());
}

#[rstest]
#[case::growth(&[2, 3, 7], 5)]
#[case::lost_for_a_while(&[5, 0, 5, 6], 1)]
#[case::negative(&[-3, -1, 0, 1], 1)]
#[case::huge(&[0, i64::MAX], u64::from(u32::MAX))]
fn restarts_of_a_pod_that_was_there_count_by_growth(#[case] counts: &[i64], #[case] expected: u64) {
    let pods = counts.map_to(|n| containers(json!([{"name": "a", "restartCount": n}])));
    let mut rig = Rig::<Pods>::synced(&pods[..1]);
    assert_eq!(restarts(&rig), 0);
    for pod in &pods[1..] {
        rig.live(Op::Modified, pod);
    }
    assert_eq!(restarts(&rig), expected);
}

#[rstest]
#[case::ours(5, 3, 2)]
#[case::from_before(-5, 0, 0)]
fn what_a_pod_first_seen_on_a_relist_has_behind_it_counts_if_it_is_younger_than_we(
    #[case] created: i64,
    #[case] expected: u64,
    #[case] ends: u64,
) {
    let mut rig = Rig::<Pods>::synced(&[]);
    let status = json!({"initContainerStatuses": [{
        "name": "a", "restartCount": 3,
        "state": ended("2", "Error", Some(20)), "lastState": ended("1", "Error", Some(10)),
    }]});
    let young = pod(created, json!({}), status);
    rig.list(std::slice::from_ref(&young));
    assert_eq!(restarts(&rig), expected);
    let counted: u64 = terminations(&rig).iter().map(|(_, n)| n).sum();
    assert_eq!(counted, ends);
    rig.list(std::slice::from_ref(&young)).live(Op::Modified, &young);
    assert_eq!(restarts(&rig), expected, "and once only");
    assert_eq!(terminations(&rig).iter().map(|(_, n)| n).sum::<u64>(), ends);
}

#[test]
fn the_first_restart_and_the_first_oom_kill_of_a_namespace_are_increases() {
    let mut rig = Rig::<Pods>::synced(&[containers(json!([{"name": "a"}]))]);
    let killed = r#"kubetally_container_terminations_total{namespace="shop",reason="OOMKilled"}"#;
    assert_eq!((restarts(&rig), rig.value(killed)), (0, Some(0)));
    let end = ended("1", "OOMKilled", Some(10));
    let again = json!([{"name": "a", "restartCount": 1, "lastState": end}]);
    rig.live(Op::Modified, &containers(again));
    assert_eq!((restarts(&rig), rig.value(killed)), (1, Some(1)));
}

/// One look at a container: its present state and the one before.
type Look = (Option<(&'static str, &'static str, i64)>, Option<(&'static str, &'static str, i64)>);

#[rstest]
#[case::seen_in_state_then_in_last_state(
    &[(Some(("1", "OOMKilled", 10)), None), (None, Some(("1", "OOMKilled", 10)))],
    &[("OOMKilled", 1)]
)]
#[case::seen_in_last_state_only(&[(None, Some(("1", "Error", 10)))], &[("Error", 1)])]
#[case::two_at_one_look(
    &[(Some(("2", "Completed", 20)), Some(("1", "Error", 10)))],
    &[("Completed", 1), ("Error", 1)]
)]
#[case::one_after_the_other(
    &[
        (Some(("1", "Error", 10)), None),
        (Some(("2", "Error", 20)), Some(("1", "Error", 10))),
        (None, Some(("2", "Error", 20))),
        (Some(("3", "Error", 30)), Some(("2", "Error", 20))),
    ],
    &[("Error", 3)]
)]
#[case::in_one_second(
    &[(Some(("1", "Error", 10)), None), (Some(("2", "Error", 10)), Some(("1", "Error", 10)))],
    &[("Error", 2)]
)]
#[case::an_older_one_comes_up(
    &[(Some(("2", "Error", 20)), None), (None, Some(("1", "Error", 10)))],
    &[("Error", 1)]
)]
#[case::lost_from_sight_has_no_end(
    &[
        (Some(("1", "Error", 10)), None),
        (Some(("", "ContainerStatusUnknown", -1)), Some(("1", "Error", 10))),
        (None, Some(("", "ContainerStatusUnknown", -1))),
        (Some(("3", "Error", 30)), Some(("", "ContainerStatusUnknown", -1))),
    ],
    &[("ContainerStatusUnknown", 1), ("Error", 2)]
)]
fn terminations_count_once_wherever_they_show(
    #[case] looks: &[Look],
    #[case] expected: &[(&str, u64)],
) {
    let mut rig = Rig::<Pods>::synced(&[containers(json!([{"name": "a"}]))]);
    let state = |look: &Option<(&str, &str, i64)>| {
        let end =
            |(id, reason, at): &(&str, &str, i64)| ended(id, reason, (*at >= 0).then_some(*at));
        look.as_ref().map_or_else(|| json!({}), end)
    };
    for (now, last) in looks {
        let look =
            containers(json!([{"name": "a", "state": state(now), "lastState": state(last)}]));
        rig.live(Op::Modified, &look).live(Op::Modified, &look);
    }
    let expected: Vec<_> = expected.map_to(|(reason, n)| ((*reason).to_owned(), *n));
    assert_eq!(terminations(&rig), expected);
}

#[rstest]
#[case::ours(5, true, 1, 7.0)]
#[case::from_before(-5, true, 0, 0.0)]
#[case::not_ready(5, false, 0, 0.0)]
fn starts_are_timed_from_creation_to_ready_once(
    #[case] created: i64,
    #[case] ready: bool,
    #[case] count: u64,
    #[case] sum: f64,
) {
    let status = |ready: bool, since: i64| {
        let status = if ready { "True" } else { "False" };
        json!({"phase": "Running", "conditions": [
            {"type": "Ready", "status": status, "lastTransitionTime": at(since)}]})
    };
    let mut rig = Rig::<Pods>::synced(&[]);
    rig.live(Op::Added, &pod(created, json!({}), json!({"phase": "Pending"})));
    rig.live(Op::Modified, &pod(created, json!({}), status(ready, 12)));
    rig.live(Op::Modified, &pod(created, json!({}), status(false, 20)));
    assert_eq!(rig.value("kubetally_pod_start_duration_seconds_count"), Some(count));
    if ready {
        rig.live(Op::Modified, &pod(created, json!({}), status(true, 30)));
    }
    assert_eq!(rig.value("kubetally_pod_start_duration_seconds_count"), Some(count), "once");
    let prefix = "kubetally_pod_start_duration_seconds_sum ";
    let text = rig.text();
    let shown: Option<f64> = text.lines().find_map(|l| l.strip_prefix(prefix)?.parse().ok());
    assert_eq!(shown, Some(sum));
}

#[test]
fn beyond_the_caps_all_is_shown_as_other_and_nothing_is_lost() {
    let mut rig = Rig::<Pods>::with(&[], Caps { namespaces: 2, reasons: 1, nodes: 1 });
    let pods: Vec<_> = (0..5)
        .map(|n| {
            let mut pod = pod(
                5,
                json!({"nodeName": format!("n{n}")}),
                json!({
                    "phase": "Running",
                    "containerStatuses": [{"name": "a", "restartCount": 1,
                        "state": {"waiting": {"reason": format!("R{n}")}},
                        "lastState": ended("1", &format!("T{n}"), Some(10))}],
                }),
            );
            pod["metadata"]["namespace"] = format!("ns{n}").into();
            pod
        })
        .collect();
    rig.list(&[]).list(&pods);
    for (series, expected) in [
        (r#"kubetally_pods{namespace="_other",phase="Running"}"#, 3),
        (r#"kubetally_pods{namespace="ns0",phase="Running"}"#, 1),
        (r#"kubetally_node_pods{node="_other"}"#, 4),
        (r#"kubetally_containers_waiting{namespace="_other",reason="_other"}"#, 3),
        (r#"kubetally_container_restarts_total{namespace="_other"}"#, 3),
        (r#"kubetally_container_terminations_total{namespace="_other",reason="_other"}"#, 3),
        (r#"kubetally_label_overflow_total{metric="kubetally_pods"}"#, 3),
        (r#"kubetally_label_overflow_total{metric="kubetally_node_pods"}"#, 4),
        (r#"kubetally_label_overflow_total{metric="kubetally_containers_waiting"}"#, 4),
        (r#"kubetally_label_overflow_total{metric="kubetally_container_restarts_total"}"#, 3),
        (r#"kubetally_label_overflow_total{metric="kubetally_container_terminations_total"}"#, 5),
    ] {
        assert_eq!(rig.value(series), Some(expected), "{series}\n{}", rig.text());
    }
    assert_sound(&rig.text());
}

#[test]
fn hostile_values_make_no_broken_text() {
    let mut hostile = pod(
        5,
        json!({"nodeName": "n\"\\\n"}),
        json!({
            "containerStatuses": [{"name": "a", "state": {"waiting": {"reason": "x".repeat(1 << 20)}}}],
        }),
    );
    hostile["metadata"]["ownerReferences"] = json!([{"kind": "_other", "controller": true}]);
    let mut plain = pod(5, json!({}), json!({}));
    plain["metadata"]["name"] = "plain".into();
    let mut rig = Rig::<Pods>::with(&[], Caps { namespaces: 9, reasons: 1, nodes: 9 });
    rig.list(&[hostile, plain]);
    let text = rig.text();
    assert_sound(&text);
    assert!(text.contains(r#"kubetally_node_pods{node="n\"\\\n"} 1"#), "{text}");
    assert!(text.len() < 100_000, "{} bytes", text.len());
}

/// A pod as the model has it.
#[derive(Clone, Debug)]
struct Model {
    namespace: u8,
    name: u8,
    uid: u8,
    phase: usize,
    ready: bool,
    node: u8,
    waiting: Option<u8>,
    restarts: u8,
}

fn model() -> impl Strategy<Value = Model> {
    let uid = prop_oneof![9 => Just(0_u8), 1 => Just(1_u8)];
    (0..3_u8, 0..4_u8, uid, 0..5_usize, any::<bool>(), 0..4_u8, prop::option::of(0..3_u8), 0..4_u8)
        .prop_map(|(namespace, name, uid, phase, ready, node, waiting, restarts)| Model {
            namespace,
            name,
            uid,
            phase,
            ready,
            node,
            waiting,
            restarts,
        })
}

impl Model {
    fn json(&self) -> Value {
        let state = self.waiting.map(|reason| json!({"waiting": {"reason": reason.to_string()}}));
        json!({
            "metadata": {
                "namespace": self.namespace.to_string(), "name": self.name.to_string(),
                "uid": self.uid.to_string(), "creationTimestamp": at(-100),
            },
            "spec": {"nodeName": self.node.to_string()},
            "status": {
                "phase": Phase::VALUES[self.phase],
                "conditions": [{"type": "Ready", "status": if self.ready { "True" } else { "False" }}],
                "containerStatuses": [
                    {"name": "a", "restartCount": self.restarts, "state": state},
                ],
            },
        })
    }
}

/// What is counted, by counting again; rows beyond a cap go into one.
fn recount(pods: &BTreeMap<(u8, u8), Model>) -> BTreeMap<String, u64> {
    let mut counts = BTreeMap::new();
    for pod in pods.values() {
        let namespace = pod.namespace;
        let phase = Phase::VALUES[pod.phase];
        let mut add = |series: String| *counts.entry(series).or_default() += 1;
        add(format!(r#"kubetally_pods{{namespace="{namespace}",phase="{phase}"}}"#));
        add(format!(r#"kubetally_node_pods{{node="{}"}}"#, pod.node));
        if pod.ready {
            add(format!(r#"kubetally_pods_ready{{namespace="{namespace}"}}"#));
        }
        if let Some(reason) = pod.waiting {
            add(format!(
                r#"kubetally_containers_waiting{{namespace="{namespace}",reason="{reason}"}}"#
            ));
        }
    }
    counts
}

const RECOUNTED: [&str; 4] = [
    "kubetally_pods",
    "kubetally_node_pods",
    "kubetally_pods_ready",
    "kubetally_containers_waiting",
];

/// The families that are recounted, without what is 0.
fn shown(text: &str) -> BTreeMap<String, u64> {
    let lines = RECOUNTED.iter().flat_map(|name| family(text, name));
    let pair = |line: String| {
        let (series, n) = line.rsplit_once(' ')?;
        Some((series.to_owned(), n.parse().ok()?))
    };
    lines.filter_map(pair).filter(|(_, n)| *n > 0).collect()
}

/// Sums by family.
fn sums(counts: &BTreeMap<String, u64>) -> BTreeMap<String, u64> {
    let mut sums = BTreeMap::new();
    for (series, n) in counts {
        let family = series.split('{').next().unwrap_or_default();
        *sums.entry(family.to_owned()).or_default() += n;
    }
    sums
}

proptest! {
    /// After any history the gauges are what counting again gives, within the caps by name and
    /// beyond them in sum; counters never go down.
    #[test]
    fn tallies_equal_a_recount(
        capped in any::<bool>(),
        moves in prop::collection::vec((0_u8..6, model()), 0..40),
    ) {
        let cap = if capped { 1 } else { 100 };
        let mut rig = Rig::<Pods>::with(&[], Caps { namespaces: cap, reasons: cap, nodes: cap });
        rig.list(&[]);
        let mut held = BTreeMap::<(u8, u8), Model>::new();
        let mut counters = 0;
        for (action, pod) in moves {
            let key = (pod.namespace, pod.name);
            match action {
                0 => {
                    rig.live(Op::Deleted, &pod.json());
                    held.remove(&key);
                }
                1 => {
                    held.retain(|(namespace, _), _| *namespace == pod.namespace);
                    held.insert(key, pod);
                    let pods: Vec<_> = held.values().map(Model::json).collect();
                    rig.list(&pods);
                }
                _ => {
                    rig.live(Op::Modified, &pod.json());
                    held.insert(key, pod);
                }
            }
            let text = rig.text();
            let (shown, expected) = (shown(&text), recount(&held));
            match capped {
                true => prop_assert_eq!(sums(&shown), sums(&expected)),
                false => prop_assert_eq!(shown, expected),
            }
            let restarts = family(&text, "kubetally_container_restarts_total");
            let total = restarts.iter().filter_map(|l| l.rsplit_once(' ')?.1.parse::<u64>().ok()).sum();
            prop_assert!(total >= counters);
            counters = total;
            assert_sound(&text);
            prop_assert_eq!(rig.store.len(), held.len());
        }
    }
}
