use std::collections::BTreeMap;

use proptest::prelude::*;
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
fn conditions_that_are_made_up_do_not_crowd_out_those_of_kubernetes() {
    let caps = Caps { namespaces: 1, reasons: 1, nodes: 1 };
    let mut rig = Rig::<Nodes>::with(&[], caps);
    let made_up = [("Haunted", "True"), ("Cursed", "True"), ("Bored", "True")];
    rig.list(&[node("a", false, &made_up)]);
    assert_eq!(nodes(&rig, "Haunted", "True"), Some(1));
    assert_eq!(nodes(&rig, "_other", "True"), Some(2));
    assert_eq!(rig.value("kubetally_label_overflow_total{metric=\"kubetally_nodes\"}"), Some(2));
    let known = KNOWN.iter().filter(|name| **name != UNSCHEDULABLE);
    let known: Vec<_> = known.map(|name| (*name, "True")).collect();
    rig.live(Op::Added, &node("b", true, &known));
    for name in KNOWN {
        assert_eq!(nodes(&rig, name, "True"), Some(1), "{name}");
    }
    // What they leave is no place for others.
    rig.live(Op::Deleted, &node("b", true, &known));
    rig.live(Op::Added, &node("c", false, &[("Vain", "True")]));
    assert_eq!(nodes(&rig, "Vain", "True"), None);
    assert_eq!(nodes(&rig, "_other", "True"), Some(3));
}

prop_compose! {
    fn conditions()(kinds in prop::collection::vec((0_usize..4, 0_usize..3), 0..5), cordoned in any::<bool>())
        -> (bool, Vec<(&'static str, &'static str)>) {
        let names = ["Ready", "DiskPressure", "Haunted", "Cursed"];
        let pairs = kinds.into_iter().map(|(name, holds)| (names[name], Holds::VALUES[holds]));
        (cordoned, pairs.collect())
    }
}

proptest! {
    /// Whatever comes, changes and goes, live or in lists: the tally equals a recount.
    #[test]
    fn the_tally_equals_a_recount(
        first in prop::collection::btree_map(0_u8..5, conditions(), 0..5),
        live in prop::collection::vec((0_u8..5, prop::option::of(conditions())), 0..40),
        again in prop::option::of(prop::collection::btree_map(0_u8..5, conditions(), 0..5)),
    ) {
        let object = |name: u8, (cordoned, conditions): &(bool, Vec<_>)| {
            node(&format!("node-{name}"), *cordoned, conditions)
        };
        let objects = |held: &BTreeMap<u8, _>| -> Vec<Value> {
            held.iter().map(|(name, conditions)| object(*name, conditions)).collect()
        };
        let mut held = first;
        let mut rig = Rig::<Nodes>::synced(&objects(&held));
        for (name, conditions) in live {
            match (conditions, held.remove(&name)) {
                (Some(conditions), known) => {
                    let op = if known.is_some() { Op::Modified } else { Op::Added };
                    rig.live(op, &object(name, &conditions));
                    held.insert(name, conditions);
                }
                (None, Some(known)) => {
                    rig.live(Op::Deleted, &object(name, &known));
                }
                (None, None) => {}
            }
        }
        if let Some(again) = again {
            rig.list(&objects(&again));
            held = again;
        }
        let mut expected = BTreeMap::new();
        let mut count = |condition: &str, holds: &str| {
            let series =
                format!("kubetally_nodes{{condition=\"{condition}\",status=\"{holds}\"}}");
            *expected.entry(series).or_insert(0_u64) += 1;
        };
        for (cordoned, conditions) in held.values() {
            count(UNSCHEDULABLE, if *cordoned { "True" } else { "False" });
            for (at, (condition, holds)) in conditions.iter().enumerate() {
                if conditions[..at].iter().all(|(known, _)| known != condition) {
                    count(condition, holds);
                }
            }
        }
        let shown: BTreeMap<String, u64> = rig
            .family("kubetally_nodes")
            .iter()
            .filter_map(|line| line.rsplit_once(' '))
            .map(|(series, n)| (series.to_owned(), n.parse().expect("a number")))
            .filter(|(_, n)| *n != 0)
            .collect();
        prop_assert_eq!(shown, expected);
    }
}
