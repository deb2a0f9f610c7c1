use rstest::rstest;
use serde_json::{Value, json};

use crate::{
    exposition::detail::Extra,
    kinds::{
        counted::OnlyCounted,
        replicaset::ReplicaSets,
        shown::testing::{assert_as_recorded, shown_beside},
    },
};

type Kind = OnlyCounted<ReplicaSets>;

#[test]
fn every_series_is_that_of_kube_state_metrics() {
    assert_as_recorded::<Kind>(
        include_str!("../../../tests/data/ksm/replicasets.json"),
        include_str!("../../../tests/data/ksm/replicasets.txt"),
        &Extra::default(),
    );
}

/// What one shows of a family: the labels beside its own, and the value.
fn rest(spec: Value, status: Value, family: &str) -> Vec<String> {
    let set =
        json!({"metadata": {"namespace": "shop", "name": "a"}, "spec": spec, "status": status});
    shown_beside::<Kind>(r#"namespace="shop",replicaset="a""#, &set, family)
}

#[rstest]
#[case("created", &[])]
#[case("status_replicas", &[" 0"])]
#[case("status_fully_labeled_replicas", &[" 0"])]
#[case("status_terminating_replicas", &[])]
#[case("status_observed_generation", &[" 0"])]
#[case("spec_replicas", &[])]
#[case("metadata_generation", &[" 0"])]
#[case("owner", &[r#"owner_kind="",owner_name="",owner_is_controller="" 1"#])]
#[case("labels", &[" 1"])]
#[case("annotations", &[])]
fn a_bare_one(#[case] family: &str, #[case] expected: &[&str]) {
    assert_eq!(rest(Value::Null, Value::Null, &format!("kube_replicaset_{family}")), expected);
}

#[test]
fn nothing_is_shown_where_it_is_said() {
    let (spec, status) = (json!({"replicas": 0}), json!({"terminatingReplicas": 0}));
    for family in ["spec_replicas", "status_terminating_replicas"] {
        let family = format!("kube_replicaset_{family}");
        assert_eq!(rest(spec.clone(), status.clone(), &family), [" 0"]);
    }
}
