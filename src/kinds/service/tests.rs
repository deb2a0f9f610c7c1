//! Services in, series out, against what kube-state-metrics 2.18 said of the same ones.

use rstest::rstest;
use serde_json::json;

use super::*;
use crate::kinds::{
    shown::testing::{assert_as_recorded, shown},
    stated::OneState,
};

#[test]
fn every_series_is_that_of_kube_state_metrics() {
    let objects = include_str!("../../../tests/data/ksm/services.json");
    let reference = include_str!("../../../tests/data/ksm/services.txt");
    assert_as_recorded::<OneState<Services>>(objects, reference, &Extra::default());
}

#[rstest]
#[case("info", &[r#"cluster_ip="None",external_name="shop.example",load_balancer_ip="192.0.2.1",external_traffic_policy="Local" 1"#])]
#[case("spec_type", &[r#"type="ExternalName" 1"#])]
#[case("spec_external_ip", &[r#"external_ip="192.0.2.9" 1"#, r#"external_ip="2001:db8::9" 1"#])]
#[case("status_load_balancer_ingress", &[
    r#"ip="192.0.2.1",hostname="" 1"#,
    r#"ip="",hostname="lb.example" 1"#,
])]
#[case("deletion_timestamp", &["5"])]
#[case("created", &[])]
fn what_is_set_is_shown(#[case] family: &str, #[case] expected: &[&str]) {
    let service = json!({
        "metadata": {
            "namespace": "shop", "name": "web", "uid": "1", "deletionTimestamp": "1970-01-01T00:00:05Z",
        },
        "spec": {
            "clusterIP": "None", "externalName": "shop.example", "loadBalancerIP": "192.0.2.1",
            "externalTrafficPolicy": "Local", "type": "ExternalName",
            "externalIPs": ["192.0.2.9", "2001:db8::9", "192.0.2.9"],
        },
        "status": {"loadBalancer": {"ingress": [{"ip": "192.0.2.1"}, {"hostname": "lb.example"}]}},
    });
    let found = shown::<OneState<Services>>(&service, &format!("kube_service_{family}"));
    let own = r#"namespace="shop",service="web",uid="1""#;
    let rest: Vec<_> = found
        .iter()
        .filter_map(|line| line.strip_prefix(own))
        .map(|rest| rest.trim_start_matches([',', ' ']))
        .collect();
    assert_eq!(rest, expected);
}
