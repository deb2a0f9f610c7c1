//! Events in, exposition text out.

use proptest::prelude::*;
use rstest::rstest;
use serde_json::{Value, json};

use super::*;
use crate::store::{
    Holder,
    testing::{BEGAN, Rig, assert_sound, at},
};

/// An event of core/v1 that happened first at the noon when watching began.
fn legacy(name: &str, count: u32) -> Value {
    json!({
        "metadata": {"namespace": "shop", "name": name, "uid": name, "creationTimestamp": at(0)},
        "involvedObject": {"kind": "Pod"},
        "type": "Warning", "reason": "BackOff", "count": count,
        "firstTimestamp": at(0), "lastTimestamp": at(0),
    })
}

fn first(mut event: Value, seconds: i64) -> Value {
    event["firstTimestamp"] = at(seconds).into();
    event
}

const SERIES: &str =
    r#"kubetally_event_occurrences_total{type="Warning",kind="Pod",reason="BackOff"}"#;

fn counted(rig: &Rig<Events>) -> Option<u64> {
    rig.value(SERIES)
}

fn suppressed(rig: &Rig<Events>, cause: Suppressed) -> u64 {
    let series = format!("kubetally_event_suppressed_total{{cause=\"{cause}\"}}");
    rig.value(&series).expect("it starts at 0")
}

fn observed(rig: &Rig<Events>) -> Vec<u64> {
    let value = |op| rig.value(&format!("kubetally_event_observations_total{{op=\"{op}\"}}"));
    Observation::ALL.iter().map(|op| value(op).expect("it starts at 0")).collect()
}

#[test]
fn the_first_list_counts_nothing_but_starts_its_series() {
    let rig = Rig::<Events>::synced(&[legacy("a", 7)]);
    assert_eq!(counted(&rig), Some(0));
    assert_eq!(rig.value(r#"kubetally_event_warnings_total{namespace="shop"}"#), Some(0));
    assert_eq!(suppressed(&rig, Suppressed::Baseline), 1);
    assert_eq!(observed(&rig), [0, 0, 0, 1]);
}

#[test]
fn any_event_starts_the_warnings_of_its_namespace() {
    let mut normal = legacy("a", 1);
    normal["type"] = "Normal".into();
    let mut rig = Rig::<Events>::synced(&[]);
    rig.live(Op::Added, &normal);
    assert_eq!(rig.value(r#"kubetally_event_warnings_total{namespace="shop"}"#), Some(0));
}

#[test]
fn growth_counts() {
    let mut rig = Rig::<Events>::synced(&[legacy("a", 7)]);
    rig.live(Op::Modified, &legacy("a", 8)).live(Op::Modified, &legacy("a", 12));
    assert_eq!(counted(&rig), Some(5));
    assert_eq!(rig.value(r#"kubetally_event_warnings_total{namespace="shop"}"#), Some(5));
    rig.live(Op::Modified, &legacy("a", 12));
    assert_eq!((counted(&rig), suppressed(&rig, Suppressed::Duplicate)), (Some(5), 1));
    assert_eq!(observed(&rig), [0, 3, 0, 1]);
}

#[rstest]
#[case::all_of_it_is_ours(0, 6)]
#[case::began_before_us(-1, 1)]
fn a_new_one_on_a_watch(#[case] seconds: i64, #[case] expected: u64) {
    let mut rig = Rig::<Events>::synced(&[]);
    rig.live(Op::Added, &first(legacy("a", 6), seconds));
    assert_eq!(counted(&rig), Some(expected));
    rig.live(Op::Modified, &first(legacy("a", 8), seconds));
    assert_eq!(counted(&rig), Some(expected + 2), "what was seen is seen");
}

#[test]
fn a_relist_is_compared_with_what_was_seen() {
    let mut rig = Rig::<Events>::synced(&[legacy("a", 7), legacy("gone", 1)]);
    rig.after(60).list(&[legacy("a", 9), legacy("b", 4), first(legacy("c", 50), -60)]);
    assert_eq!(counted(&rig), Some(2 + 4 + 1));
    rig.list(&[legacy("a", 9), legacy("b", 4), first(legacy("c", 50), -60)]);
    assert_eq!(counted(&rig), Some(7));
    assert_eq!(observed(&rig), [0, 0, 1, 8]);
}

#[test]
fn a_deletion_is_an_expiry_and_no_news() {
    let mut rig = Rig::<Events>::synced(&[]);
    rig.live(Op::Added, &legacy("a", 3)).live(Op::Deleted, &legacy("a", 3));
    assert_eq!(counted(&rig), Some(3));
    assert_eq!((observed(&rig), rig.store.len()), (vec![1, 0, 1, 0], 0));
}

#[rstest]
#[case::goes_on(3, 60, 5, 2)]
#[case::just_in_time(3, MEMORY - 1, 4, 1)]
#[case::same_count(3, 60, 3, 0)]
#[case::too_late_but_ours(3, MEMORY, 5, 5)]
fn a_recorder_goes_on_counting_under_the_name_of_what_expired(
    #[case] before: u32,
    #[case] later: i64,
    #[case] after: u32,
    #[case] expected: u64,
) {
    let mut rig = Rig::<Events>::synced(&[legacy("a", before)]);
    rig.live(Op::Deleted, &legacy("a", before)).after(later);
    let mut again = legacy("a", after);
    again["metadata"]["uid"] = "another".into();
    rig.live(Op::Added, &again);
    assert_eq!(counted(&rig), Some(expected));
}

#[test]
fn what_a_relist_misses_leaves_its_count_behind_too() {
    let mut rig = Rig::<Events>::synced(&[legacy("a", 3)]);
    rig.list(&[]).after(60).live(Op::Added, &legacy("a", 4));
    assert_eq!(counted(&rig), Some(1));
}

#[test]
fn a_recreation_whose_deletion_was_missed_goes_on_from_the_old_count() {
    let mut rig = Rig::<Events>::synced(&[legacy("a", 3)]);
    let mut again = legacy("a", 5);
    again["metadata"]["uid"] = "another".into();
    rig.list(std::slice::from_ref(&again));
    assert_eq!(counted(&rig), Some(2));
    rig.live(Op::Modified, &again);
    assert_eq!((counted(&rig), rig.store.len()), (Some(2), 1));
}

#[test]
fn a_count_that_went_back_is_not_counted_again_as_it_grows() {
    let mut rig = Rig::<Events>::synced(&[legacy("a", 2)]);
    rig.live(Op::Modified, &legacy("a", 9));
    // etcd restored from a backup: resourceVersions and counts are old ones.
    rig.version = 10;
    rig.list(&[legacy("a", 4)]);
    assert_eq!(suppressed(&rig, Suppressed::CountRegressed), 1);
    rig.live(Op::Modified, &legacy("a", 8)).live(Op::Modified, &legacy("a", 10));
    assert_eq!(counted(&rig), Some(8));
}

#[rstest]
#[case::none(json!({}), 1)]
#[case::nulls(json!({"count": null, "series": null}), 1)]
#[case::count(json!({"count": 4}), 4)]
#[case::series(json!({"series": {"count": 9, "lastObservedTime": null}}), 9)]
#[case::series_first(json!({"count": 4, "series": {"count": 9}}), 9)]
#[case::empty_series(json!({"count": 4, "series": {}}), 4)]
#[case::deprecated(json!({"deprecatedCount": 4}), 4)]
#[case::zero(json!({"count": 0}), 1)]
#[case::negative(json!({"count": -5, "series": {"count": -9}}), 1)]
#[case::huge(json!({"count": i64::MAX}), u64::from(u32::MAX))]
fn occurrences(#[case] fields: Value, #[case] expected: u64) {
    let mut event = legacy("a", 0);
    event["count"] = Value::Null;
    event.as_object_mut().expect("an object").remove("count");
    for (key, value) in fields.as_object().expect("fields") {
        event[key] = value.clone();
    }
    let mut rig = Rig::<Events>::synced(&[]);
    rig.live(Op::Added, &event);
    assert_eq!(counted(&rig), Some(expected));
}

#[rstest]
#[case::legacy(
    json!({"involvedObject": {"kind": "Node"}, "type": "Normal", "reason": "Starting"}),
    r#"{type="Normal",kind="Node",reason="Starting"} 1"#
)]
#[case::new_api(
    json!({"regarding": {"kind": "Pod"}, "type": "Warning", "reason": "FailedScheduling"}),
    r#"{type="Warning",kind="Pod",reason="FailedScheduling"} 1"#
)]
#[case::bare(json!({}), r#"{type="other",kind="",reason=""} 1"#)]
#[case::other_type(
    json!({"type": "Fatal", "reason": "say \"no\"\nback\\slash ü", "regarding": {"kind": null}}),
    r#"{type="other",kind="",reason="say \"no\"\nback\\slash ü"} 1"#
)]
#[case::a_mebibyte(
    json!({"type": "Normal", "reason": "x".repeat(1 << 20)}),
    r#"{type="Normal",kind="",reason="_other"} 1"#
)]
fn labels(#[case] mut event: Value, #[case] expected: &str) {
    event["metadata"] = json!({"name": "a", "namespace": "shop"});
    let mut rig = Rig::<Events>::synced(&[]);
    rig.live(Op::Added, &event);
    let expected = format!("kubetally_event_occurrences_total{expected}");
    assert_eq!(rig.family("kubetally_event_occurrences_total"), [expected]);
}

#[rstest]
#[case::series(json!({"series": {"count": 2, "lastObservedTime": "2026-11-23T12:00:58.500000Z"}}), 1.5)]
#[case::last(json!({"lastTimestamp": at(50)}), 10.0)]
#[case::event_time(json!({"lastTimestamp": null, "eventTime": "2026-11-23T12:00:59.750000Z"}), 0.25)]
#[case::creation(json!({"lastTimestamp": null}), 60.0)]
#[case::the_future(json!({"lastTimestamp": at(90)}), 0.0)]
fn lag_is_from_the_last_occurrence(#[case] fields: Value, #[case] expected: f64) {
    let mut event = legacy("a", 1);
    for (key, value) in fields.as_object().expect("fields") {
        event[key] = value.clone();
    }
    let mut rig = Rig::<Events>::synced(&[]);
    rig.after(60).live(Op::Added, &event);
    let sum = rig.text().lines().find_map(|line| {
        line.strip_prefix(r#"kubetally_event_lag_seconds_sum{type="Warning"} "#)?.parse().ok()
    });
    assert_eq!(sum, Some(expected));
    assert_eq!(rig.value(r#"kubetally_event_lag_seconds_count{type="Warning"}"#), Some(1));
}

#[test]
fn what_is_replayed_has_no_lag() {
    let mut rig = Rig::<Events>::synced(&[]);
    rig.list(&[legacy("a", 3)]);
    assert_eq!(rig.value(r#"kubetally_event_lag_seconds_count{type="Warning"}"#), Some(0));
    assert_eq!(counted(&rig), Some(3));
}

fn gone(n: usize) -> Key {
    Key { namespace: "shop".into(), name: n.to_string().into() }
}

#[test]
fn tombstones_are_bounded_and_the_newest_are_kept() {
    let mut stones = Tombstones::default();
    let put = 3 * GENERATION + 10;
    for n in 0..put {
        stones.put(&gone(n), 1, BEGAN);
        assert!(stones.young.capacity() <= GENERATION && stones.old.capacity() <= GENERATION);
    }
    let kept = |n: &usize| stones.take(&gone(*n), BEGAN).is_some();
    assert_eq!((0..put).rev().take_while(kept).count(), GENERATION + 10);
    assert!((0..put).all(|n| stones.take(&gone(n), BEGAN).is_none()), "taken, or forgotten");
}

#[test]
fn tombstones_go_in_their_time_and_give_back_their_room() {
    let mut stones = Tombstones::default();
    for n in 0..GENERATION {
        stones.put(&gone(n), 1, BEGAN);
    }
    stones.put(&gone(GENERATION), 1, BEGAN + 1);
    assert_eq!(stones.take(&gone(0), BEGAN + MEMORY - 1), Some(1));
    assert_eq!(stones.take(&gone(1), BEGAN + MEMORY), None);
    for generation in 1..=2 {
        stones.put(&gone(0), 1, BEGAN + 1 + generation * MEMORY);
    }
    assert_eq!((stones.young.len(), stones.old.len()), (1, 1));
    assert!(stones.young.capacity() < 10 && stones.old.capacity() < 10);
}

/// What a recorder does with one of a few names.
#[derive(Clone, Copy, Debug)]
enum Step {
    Happens { name: usize, times: u32 },
    Expires { name: usize },
    Relist,
    Restore,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        6 => (0_usize..3, 1_u32..4).prop_map(|(name, times)| Step::Happens { name, times }),
        2 => (0_usize..3).prop_map(|name| Step::Expires { name }),
        1 => Just(Step::Relist),
        1 => Just(Step::Restore),
    ];
    prop::collection::vec(step, 0..60)
}

proptest! {
    /// Recorders count on under one name whatever expires, is listed again or is set back to a
    /// backup: every occurrence counts once.
    #[test]
    fn every_occurrence_counts_once(steps in steps()) {
        let mut rig = Rig::<Events>::synced(&[]);
        let (mut true_count, mut held) = ([0_u32; 3], [0_u32; 3]);
        let mut backup = held;
        for step in steps {
            rig.after(1);
            match step {
                Step::Happens { name, times } => {
                    true_count[name] += times;
                    held[name] = true_count[name];
                    rig.live(Op::Modified, &legacy(&name.to_string(), held[name]));
                }
                Step::Expires { name } => {
                    rig.live(Op::Deleted, &legacy(&name.to_string(), held[name]));
                    held[name] = 0;
                }
                Step::Relist | Step::Restore => {
                    if let Step::Restore = step {
                        held = std::mem::replace(&mut backup, held);
                    }
                    let events: Vec<_> = (0..3)
                        .filter(|name| held[*name] > 0)
                        .map(|name| legacy(&name.to_string(), held[name]))
                        .collect();
                    rig.list(&events);
                }
            }
            let expected = true_count.iter().sum::<u32>();
            prop_assert_eq!(counted(&rig).unwrap_or(0), u64::from(expected));
            prop_assert_eq!(rig.store.len(), held.iter().filter(|count| **count > 0).count());
            assert_sound(&rig.text());
        }
    }
}
