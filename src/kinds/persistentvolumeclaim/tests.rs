//! Claims in, series out, against what kube-state-metrics 2.18 said of the same ones.

use rstest::rstest;
use serde_json::{Value, json};

use super::*;
use crate::kinds::{
    counted::OnlyCounted,
    shown::testing::{assert_as_recorded, shown_beside},
};

#[test]
fn every_series_is_that_of_kube_state_metrics() {
    let objects = include_str!("../../../tests/data/ksm/persistentvolumeclaims.json");
    let reference = include_str!("../../../tests/data/ksm/persistentvolumeclaims.txt");
    assert_as_recorded::<OnlyCounted<PersistentVolumeClaims>>(
        objects,
        reference,
        &Extra::default(),
    );
}

fn claim() -> Value {
    json!({
        "metadata": {"namespace": "shop", "name": "data"},
        "spec": {
            "accessModes": ["ReadWriteOnce", "ReadOnlyMany", "ReadWriteOnce"],
            "resources": {"requests": {"other": "1", "storage": "1500m"}},
            "storageClassName": "fast",
            "volumeName": "pv-1",
            "volumeMode": "Block",
        },
        "status": {"phase": "Bound", "conditions": [{"type": "Resizing", "status": "False"}]},
    })
}

/// What a claim shows of a family, beside its own labels.
fn rest(claim: &Value, family: &str) -> Vec<String> {
    let family = format!("kube_persistentvolumeclaim_{family}");
    let own = r#"namespace="shop",persistentvolumeclaim="data""#;
    let rest = shown_beside::<OnlyCounted<PersistentVolumeClaims>>(own, claim, &family);
    rest.iter().map(|rest| rest.trim_start().to_owned()).collect()
}

#[rstest]
#[case("info", &[r#"storageclass="fast",volumename="pv-1",volumemode="Block" 1"#])]
#[case("status_phase", &[r#"phase="Lost" 0"#, r#"phase="Bound" 1"#, r#"phase="Pending" 0"#])]
#[case("resource_requests_storage_bytes", &["2"])]
#[case("access_mode", &[r#"access_mode="ReadWriteOnce" 1"#, r#"access_mode="ReadOnlyMany" 1"#])]
#[case("status_condition", &[
    r#"condition="Resizing",status="true" 0"#,
    r#"condition="Resizing",status="false" 1"#,
    r#"condition="Resizing",status="unknown" 0"#,
])]
#[case("created", &[])]
#[case("labels", &["1"])]
fn what_is_set_is_shown(#[case] family: &str, #[case] expected: &[&str]) {
    assert_eq!(rest(&claim(), family), expected);
}

#[rstest]
#[case("info", &[r#"storageclass="",volumename="",volumemode="" 1"#])]
#[case("status_phase", &[])]
#[case("resource_requests_storage_bytes", &[])]
#[case("access_mode", &[])]
#[case("deletion_timestamp", &[])]
fn what_is_not_set_is_not(#[case] family: &str, #[case] expected: &[&str]) {
    let mut claim = claim();
    claim["spec"] = Value::Null;
    claim["status"] = json!({});
    assert_eq!(rest(&claim, family), expected);
}

#[rstest]
#[case("slow", "slow")]
#[case("", "")]
fn the_annotation_names_the_class(#[case] annotation: &str, #[case] expected: &str) {
    let mut claim = claim();
    claim["metadata"]["annotations"] = json!({ CLASS: annotation });
    assert!(rest(&claim, "info")[0].starts_with(&format!("storageclass=\"{expected}\",")));
}
