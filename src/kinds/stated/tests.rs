use std::collections::BTreeMap;

use proptest::prelude::*;
use rstest::rstest;
use serde_json::{Value, json};

use super::*;
use crate::{
    kinds::{deployment::Deployments, job::Jobs, namespace::Namespaces, service::Services},
    store::testing::Rig,
    watch::Op,
};

/// The state that an object is shown in, as the label has it.
fn state<K: Stated>(mut object: Value) -> String {
    object["metadata"] = json!({"namespace": "shop", "name": "a", "uid": "u", "generation": 4});
    let rig = Rig::<OneState<K>>::synced(&[object]);
    let label = K::METRIC.labels.last().expect("a state").name;
    let text = rig.text();
    let lines: Vec<_> = text.lines().filter(|l| l.starts_with(K::METRIC.name)).collect();
    assert_eq!(lines.len(), K::STATES.len(), "{text}");
    let mut held = lines.iter().filter(|line| !line.ends_with(" 0"));
    let line = held.next().expect("one state");
    assert!(held.next().is_none() && line.ends_with(" 1"), "{text}");
    let (_, value) = line.split_once(&format!("{label}=\"")).expect("a label");
    value.split('"').next().expect("a value").to_owned()
}

fn rollout(spec: &Value, status: &Value) -> Value {
    json!({"spec": spec, "status": status})
}

#[rstest]
#[case::all_there(
    json!({"replicas": 3}),
    json!({"observedGeneration": 4, "replicas": 3, "updatedReplicas": 3, "availableReplicas": 3}),
    "available"
)]
#[case::one_by_default(
    json!({}),
    json!({"observedGeneration": 4, "replicas": 1, "updatedReplicas": 1, "availableReplicas": 1}),
    "available"
)]
#[case::none_wanted(json!({"replicas": 0}), json!({"observedGeneration": 4}), "available")]
#[case::not_seen_yet(
    json!({"replicas": 1}),
    json!({"observedGeneration": 3, "replicas": 1, "updatedReplicas": 1, "availableReplicas": 1}),
    "progressing"
)]
#[case::old_ones_left(
    json!({"replicas": 1}),
    json!({"observedGeneration": 4, "replicas": 2, "updatedReplicas": 1, "availableReplicas": 1}),
    "progressing"
)]
#[case::new(json!({"replicas": 1}), json!({}), "progressing")]
#[case::too_late(
    json!({"replicas": 1}),
    json!({"conditions": [{"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded"}]}),
    "degraded"
)]
#[case::no_replicas(
    json!({"replicas": 1}),
    json!({"conditions": [{"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate"}]}),
    "degraded"
)]
#[case::paused(
    json!({"replicas": 0, "paused": true}),
    json!({"observedGeneration": 4, "conditions": null}),
    "paused"
)]
fn deployments(#[case] spec: Value, #[case] status: Value, #[case] expected: &str) {
    assert_eq!(state::<Deployments>(rollout(&spec, &status)), expected);
}

#[rstest]
#[case(json!({}), json!({"active": 1}), "active")]
#[case(json!({"suspend": true}), json!({"conditions": [{"type": "Suspended", "status": "True"}]}), "suspended")]
#[case(json!({}), json!({"conditions": [{"type": "Complete", "status": "True"}]}), "complete")]
#[case(json!({"suspend": true}), json!({"conditions": [{"type": "Failed", "status": "True"}]}), "failed")]
#[case(json!({}), json!({"conditions": [{"type": "Failed", "status": "False"}]}), "active")]
#[case(json!({}), json!({"conditions": [{"type": "FailureTarget", "status": "True"}]}), "active")]
fn jobs(#[case] spec: Value, #[case] status: Value, #[case] expected: &str) {
    assert_eq!(state::<Jobs>(rollout(&spec, &status)), expected);
}

#[rstest]
#[case(json!({"type": "LoadBalancer"}), "LoadBalancer")]
#[case(json!({}), "ClusterIP")]
#[case(json!({"type": "Teleport"}), "ClusterIP")]
fn services(#[case] spec: Value, #[case] expected: &str) {
    assert_eq!(state::<Services>(json!({"spec": spec})), expected);
}

#[rstest]
#[case(json!({"phase": "Terminating"}), "Terminating")]
#[case(json!({}), "Active")]
fn namespaces(#[case] status: Value, #[case] expected: &str) {
    assert_eq!(state::<Namespaces>(json!({"status": status})), expected);
}

fn job(namespace: u8, name: u8, state: u8) -> Value {
    let conditions = match state {
        1 => json!([{"type": "Complete", "status": "True"}]),
        2 => json!([{"type": "Failed", "status": "True"}]),
        _ => json!([]),
    };
    json!({
        "metadata": {"namespace": format!("ns-{namespace}"), "name": format!("job-{name}"), "uid": format!("{namespace}-{name}")},
        "spec": {"suspend": state == 3},
        "status": {"conditions": conditions},
    })
}

proptest! {
    /// Whatever comes, changes and goes, live or in lists: the tallies equal a recount.
    #[test]
    fn tallies_equal_a_recount(
        first in prop::collection::btree_map((0_u8..3, 0_u8..6), 0_u8..4, 0..12),
        live in prop::collection::vec(((0_u8..3, 0_u8..6), prop::option::of(0_u8..4)), 0..40),
        again in prop::option::of(prop::collection::btree_map((0_u8..3, 0_u8..6), 0_u8..4, 0..12)),
    ) {
        let objects = |held: &BTreeMap<(u8, u8), u8>| -> Vec<Value> {
            held.iter().map(|((namespace, name), state)| job(*namespace, *name, *state)).collect()
        };
        let mut held = first;
        let mut rig = Rig::<OneState<Jobs>>::synced(&objects(&held));
        for ((namespace, name), state) in live {
            let known = held.get(&(namespace, name)).copied();
            match (state, known) {
                (Some(state), known) => {
                    let op = if known.is_some() { Op::Modified } else { Op::Added };
                    rig.live(op, &job(namespace, name, state));
                    held.insert((namespace, name), state);
                }
                (None, Some(state)) => {
                    rig.live(Op::Deleted, &job(namespace, name, state));
                    held.remove(&(namespace, name));
                }
                (None, None) => {}
            }
        }
        if let Some(again) = again {
            rig.list(&objects(&again));
            held = again;
        }
        let mut expected = BTreeMap::new();
        for ((namespace, _), state) in &held {
            let state = Jobs::STATES[usize::from(*state)];
            let series = format!("kubetally_jobs{{namespace=\"ns-{namespace}\",state=\"{state}\"}}");
            *expected.entry(series).or_insert(0) += 1;
        }
        let text = rig.text();
        let shown: BTreeMap<String, i32> = text
            .lines()
            .filter(|line| line.starts_with("kubetally_jobs{"))
            .filter_map(|line| line.rsplit_once(' '))
            .map(|(series, n)| (series.to_owned(), n.parse().expect("a number")))
            .filter(|(_, n)| *n != 0)
            .collect();
        prop_assert_eq!(shown, expected);
    }
}
