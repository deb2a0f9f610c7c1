use rstest::rstest;
use serde_json::{Value, json};

use crate::{
    exposition::detail::Extra,
    kinds::{
        counted::OnlyCounted,
        daemonset::DaemonSets,
        shown::testing::{assert_as_recorded, shown_beside},
    },
};

type Kind = OnlyCounted<DaemonSets>;

#[test]
fn every_series_is_that_of_kube_state_metrics() {
    assert_as_recorded::<Kind>(
        include_str!("../../../tests/data/ksm/daemonsets.json"),
        include_str!("../../../tests/data/ksm/daemonsets.txt"),
        &Extra::default(),
    );
}

/// What one shows of a family: the labels beside its own, and the value.
fn rest(spec: Value, status: Value, family: &str) -> Vec<String> {
    let set =
        json!({"metadata": {"namespace": "shop", "name": "a"}, "spec": spec, "status": status});
    shown_beside::<Kind>(r#"namespace="shop",daemonset="a""#, &set, family)
}

#[rstest]
#[case("created", &[])]
#[case("deletion_timestamp", &[])]
#[case("status_current_number_scheduled", &[" 0"])]
#[case("status_desired_number_scheduled", &[" 0"])]
#[case("status_number_available", &[" 0"])]
#[case("status_number_unavailable", &[" 0"])]
#[case("metadata_generation", &[" 0"])]
#[case("labels", &[" 1"])]
fn a_bare_one(#[case] family: &str, #[case] expected: &[&str]) {
    assert_eq!(rest(Value::Null, Value::Null, &format!("kube_daemonset_{family}")), expected);
}

#[test]
fn each_number_is_its_own() {
    let status = json!({
        "currentNumberScheduled": 1, "numberMisscheduled": 2, "desiredNumberScheduled": 3,
        "numberReady": 4, "observedGeneration": 5, "updatedNumberScheduled": 6,
        "numberAvailable": 7, "numberUnavailable": 8,
    });
    for (family, value) in [
        ("current_number_scheduled", 1),
        ("number_misscheduled", 2),
        ("desired_number_scheduled", 3),
        ("number_ready", 4),
        ("observed_generation", 5),
        ("updated_number_scheduled", 6),
        ("number_available", 7),
        ("number_unavailable", 8),
    ] {
        let family = format!("kube_daemonset_status_{family}");
        assert_eq!(rest(json!({}), status.clone(), &family), [format!(" {value}")]);
    }
}
