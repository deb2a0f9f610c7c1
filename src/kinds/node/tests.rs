use serde_json::{Value, json};

use super::*;
use crate::{store::testing::Rig, watch::Op};

fn node(name: &str, unschedulable: bool, conditions: &[(&str, &str)]) -> Value {
    let conditions: Vec<_> =
        conditions.iter().map(|(kind, status)| json!({"type": kind, "status": status})).collect();
    json!({
        "metadata": {"name": name, "uid": name},
        "spec": {"unschedulable": unschedulable},
        "status": {"conditions": conditions},
    })
}

fn nodes(rig: &Rig<Nodes>, condition: &str, status: &str) -> Option<u64> {
    rig.value(&format!("kubetally_nodes{{condition=\"{condition}\",status=\"{status}\"}}"))
}

#[test]
fn nodes_are_counted_by_condition() {
    let mut rig = Rig::<Nodes>::synced(&[
        node("a", false, &[("Ready", "True"), ("DiskPressure", "False")]),
        node("b", true, &[("Ready", "Unknown"), ("Ready", "True")]),
    ]);
    let ready = |rig: &Rig<Nodes>| ["True", "False", "Unknown"].map(|s| nodes(rig, "Ready", s));
    assert_eq!(ready(&rig), [Some(1), Some(0), Some(1)], "of one type the first counts");
    assert_eq!(nodes(&rig, "Unschedulable", "True"), Some(1));
    assert_eq!(nodes(&rig, "Unschedulable", "False"), Some(1));
    assert_eq!(nodes(&rig, "DiskPressure", "False"), Some(1));
    rig.live(Op::Modified, &node("a", false, &[("Ready", "perhaps")]));
    assert_eq!(ready(&rig), [Some(0), Some(0), Some(2)]);
    assert_eq!(nodes(&rig, "DiskPressure", "False"), None);
    rig.live(Op::Deleted, &node("b", true, &[]));
    assert_eq!(ready(&rig), [Some(0), Some(0), Some(1)]);
    assert_eq!(nodes(&rig, "Unschedulable", "True"), Some(0));
}

#[test]
fn conditions_beyond_the_cap_are_one() {
    let caps = Caps { namespaces: 1, reasons: 1, nodes: 1 };
    let mut rig = Rig::<Nodes>::with(&[], caps);
    rig.list(&[node("a", false, &[("Ready", "True"), ("Haunted", "True")])]);
    assert_eq!(nodes(&rig, "Unschedulable", "False"), Some(1));
    assert_eq!(nodes(&rig, "_other", "True"), Some(2));
    assert_eq!(rig.value("kubetally_label_overflow_total{metric=\"kubetally_nodes\"}"), Some(2));
}
