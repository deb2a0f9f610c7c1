use rstest::rstest;
use serde_json::{Value, json};

use crate::{
    exposition::detail::{Extra, Names},
    kinds::{
        deployment::Deployments,
        shown::testing::{all_labels, assert_alike, assert_as_recorded, shown},
        stated::OneState,
    },
};

type Kind = OneState<Deployments>;

#[test]
fn every_series_is_that_of_kube_state_metrics() {
    assert_as_recorded::<Kind>(
        include_str!("../../../../tests/data/ksm/deployments.json"),
        include_str!("../../../../tests/data/ksm/deployments.txt"),
        &Extra { annotations: Names::Some(vec!["note".into()]), ..all_labels() },
    );
}

#[test]
fn protobuf_and_json_show_the_same() {
    assert_alike::<Kind>(
        include_str!("../../../../tests/data/wire/list/deployments.json"),
        include_bytes!("../../../../tests/data/wire/protobuf/deployments.pb"),
    );
}

fn deployment(spec: Value, status: Value) -> Value {
    json!({"metadata": {"namespace": "shop", "name": "web"}, "spec": spec, "status": status})
}

/// The value of a family that has one series, without labels beside the deployment's own.
fn value(deployment: &Value, family: &str) -> Option<String> {
    let lines = shown::<Kind>(deployment, family);
    assert!(lines.len() < 2, "{lines:?}");
    let own = r#"namespace="shop",deployment="web" "#;
    lines.first().map(|line| line.strip_prefix(own).expect("its own labels").to_owned())
}

#[rstest]
#[case("kube_deployment_spec_replicas", Some("1"))]
#[case("kube_deployment_spec_paused", Some("0"))]
#[case("kube_deployment_status_replicas", Some("0"))]
#[case("kube_deployment_status_terminating_replicas", None)]
#[case("kube_deployment_spec_strategy_rollingupdate_max_surge", None)]
#[case("kube_deployment_spec_strategy_rollingupdate_max_unavailable", None)]
#[case("kube_deployment_created", None)]
#[case("kube_deployment_deletion_timestamp", None)]
#[case("kube_deployment_metadata_generation", Some("0"))]
#[case("kube_deployment_labels", Some("1"))]
#[case("kube_deployment_annotations", None)]
fn a_bare_deployment(#[case] family: &str, #[case] expected: Option<&str>) {
    let bare = deployment(Value::Null, Value::Null);
    assert_eq!(value(&bare, family).as_deref(), expected);
}

#[rstest]
#[case::numbers(4, json!({"maxUnavailable": 1, "maxSurge": 0}), Some("1"), Some("0"))]
#[case::rounded_apart(4, json!({"maxUnavailable": "30%", "maxSurge": "30%"}), Some("1"), Some("2"))]
#[case::even(4, json!({"maxUnavailable": "25%", "maxSurge": "25%"}), Some("1"), Some("1"))]
#[case::little(1, json!({"maxUnavailable": "1%", "maxSurge": "1%"}), Some("0"), Some("1"))]
#[case::of_none(0, json!({"maxUnavailable": "50%", "maxSurge": "50%"}), Some("0"), Some("0"))]
#[case::all(3, json!({"maxUnavailable": "100%", "maxSurge": "200%"}), Some("3"), Some("6"))]
#[case::negative(1, json!({"maxUnavailable": "-5%", "maxSurge": "-5%"}), Some("-1"), Some("0"))]
#[case::no_number(3, json!({"maxUnavailable": "x%", "maxSurge": "many"}), None, None)]
#[case::half(3, json!({"maxUnavailable": "1.5%", "maxSurge": null}), None, None)]
fn limits_of_a_rolling_update(
    #[case] replicas: u32,
    #[case] update: Value,
    #[case] unavailable: Option<&str>,
    #[case] surge: Option<&str>,
) {
    let spec = json!({"replicas": replicas, "strategy": {"rollingUpdate": update}});
    let deployment = deployment(spec, json!({}));
    let limit = |name| {
        value(&deployment, &format!("kube_deployment_spec_strategy_rollingupdate_max_{name}"))
    };
    assert_eq!(limit("unavailable").as_deref(), unavailable);
    assert_eq!(limit("surge").as_deref(), surge);
}

#[rstest]
#[case::known("MinimumReplicasAvailable", "MinimumReplicasAvailable")]
#[case::none("", "")]
#[case::other("FailedCreate", "unknown")]
fn reasons_of_conditions(#[case] reason: &str, #[case] expected: &str) {
    let condition = json!({"type": "Available", "status": "False", "reason": reason});
    let deployment = deployment(json!({}), json!({"conditions": [condition]}));
    let line = |status, value| {
        let own = r#"namespace="shop",deployment="web""#;
        format!(r#"{own},reason="{expected}",condition="Available",status="{status}" {value}"#)
    };
    let lines = [line("true", 0), line("false", 1), line("unknown", 0)];
    assert_eq!(shown::<Kind>(&deployment, "kube_deployment_status_condition"), lines);
}

#[test]
fn an_owner_is_shown_without_its_role() {
    let mut deployment = deployment(json!({}), json!({}));
    let owner = json!({"kind": "App", "name": "shop", "controller": true});
    deployment["metadata"]["ownerReferences"] = json!([owner, owner]);
    assert_eq!(
        shown::<Kind>(&deployment, "kube_deployment_owner"),
        [r#"namespace="shop",deployment="web",owner_kind="App",owner_name="shop" 1"#]
    );
}
