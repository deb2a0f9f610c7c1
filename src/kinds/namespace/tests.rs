//! Namespaces in, series out, against what kube-state-metrics 2.18 said of the same ones.

use rstest::rstest;
use serde_json::{Value, json};

use super::*;
use crate::kinds::{
    shown::testing::{all_labels, assert_as_recorded, shown},
    stated::OneState,
};

#[test]
fn every_series_is_that_of_kube_state_metrics() {
    let objects = include_str!("../../../tests/data/ksm/namespaces.json");
    let reference = include_str!("../../../tests/data/ksm/namespaces.txt");
    assert_as_recorded::<OneState<Namespaces>>(objects, reference, &all_labels());
}

#[rstest]
#[case("status_phase", json!({"phase": "Terminating"}), &[r#"phase="Active" 0"#, r#"phase="Terminating" 1"#])]
#[case("status_phase", Value::Null, &[r#"phase="Active" 0"#, r#"phase="Terminating" 0"#])]
#[case("status_condition", json!({}), &[])]
#[case(
    "status_condition",
    json!({"conditions": [{"type": "NamespaceContentRemaining", "status": "True"}]}),
    &[
        r#"condition="NamespaceContentRemaining",status="true" 1"#,
        r#"condition="NamespaceContentRemaining",status="false" 0"#,
        r#"condition="NamespaceContentRemaining",status="unknown" 0"#,
    ]
)]
fn the_status_is_shown(#[case] family: &str, #[case] status: Value, #[case] expected: &[&str]) {
    let namespace = json!({"metadata": {"name": "shop"}, "status": status});
    let family = format!("kube_namespace_{family}");
    let expected: Vec<_> =
        expected.iter().map(|rest| format!("namespace=\"shop\",{rest}")).collect();
    assert_eq!(shown::<OneState<Namespaces>>(&namespace, &family), expected);
}
