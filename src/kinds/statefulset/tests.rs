use rstest::rstest;
use serde_json::{Value, json};

use crate::{
    exposition::detail::Extra,
    kinds::{
        counted::OnlyCounted,
        shown::testing::{assert_as_recorded, shown_beside},
        statefulset::StatefulSets,
    },
};

type Kind = OnlyCounted<StatefulSets>;

#[test]
fn every_series_is_that_of_kube_state_metrics() {
    assert_as_recorded::<Kind>(
        include_str!("../../../tests/data/ksm/statefulsets.json"),
        include_str!("../../../tests/data/ksm/statefulsets.txt"),
        &Extra::default(),
    );
}

/// What one shows of a family: the labels beside its own, and the value.
fn rest(spec: Value, status: Value, family: &str) -> Vec<String> {
    let set =
        json!({"metadata": {"namespace": "shop", "name": "a"}, "spec": spec, "status": status});
    shown_beside::<Kind>(r#"namespace="shop",statefulset="a""#, &set, family)
}

#[rstest]
#[case("created", &[])]
#[case("deletion_timestamp", &[])]
#[case("status_replicas", &[" 0"])]
#[case("status_replicas_available", &[" 0"])]
#[case("replicas", &[])]
#[case("ordinals_start", &[])]
#[case("persistentvolumeclaim_retention_policy", &[])]
#[case("status_current_revision", &[r#"revision="" 1"#])]
#[case("status_update_revision", &[r#"revision="" 1"#])]
#[case("labels", &[" 1"])]
fn a_bare_one(#[case] family: &str, #[case] expected: &[&str]) {
    assert_eq!(rest(Value::Null, Value::Null, &format!("kube_statefulset_{family}")), expected);
}

#[rstest]
#[case::zero(json!({"ordinals": {}}), "ordinals_start", &[" 0"])]
#[case::five(json!({"ordinals": {"start": 5}}), "ordinals_start", &[" 5"])]
#[case::none(json!({"replicas": 0}), "replicas", &[" 0"])]
#[case::half(
    json!({"persistentVolumeClaimRetentionPolicy": {"whenScaled": "Delete"}}),
    "persistentvolumeclaim_retention_policy",
    &[r#"when_deleted="",when_scaled="Delete" 1"#],
)]
#[case::empty(
    json!({"persistentVolumeClaimRetentionPolicy": {}}),
    "persistentvolumeclaim_retention_policy",
    &[],
)]
fn what_is_wanted(#[case] spec: Value, #[case] family: &str, #[case] expected: &[&str]) {
    assert_eq!(rest(spec, json!({}), &format!("kube_statefulset_{family}")), expected);
}

#[test]
fn revisions_are_kept_apart() {
    let status = json!({"currentRevision": "a", "updateRevision": "b"});
    let revision = |family: &str| rest(json!({}), status.clone(), family);
    assert_eq!(revision("kube_statefulset_status_current_revision"), [r#"revision="a" 1"#]);
    assert_eq!(revision("kube_statefulset_status_update_revision"), [r#"revision="b" 1"#]);
}
