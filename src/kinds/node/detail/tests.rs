//! Nodes in, series out, against what kube-state-metrics 2.18 said of the same nodes.

use rstest::rstest;
use serde_json::{Value, json};

use crate::kinds::{
    node::Nodes,
    shown::testing::{all_labels, assert_as_recorded, scrape, shown},
};

#[test]
fn every_series_is_that_of_kube_state_metrics() {
    let objects = include_str!("../../../../tests/data/ksm/nodes.json");
    let reference = include_str!("../../../../tests/data/ksm/nodes.txt");
    assert_as_recorded::<Nodes>(objects, reference, &all_labels());
}

fn node(metadata: Value, spec: Value, status: Value) -> Value {
    let mut node = json!({"metadata": metadata, "spec": spec, "status": status});
    node["metadata"]["name"] = "a".into();
    node
}

#[test]
fn a_bare_node_shows_what_every_node_shows() {
    let bare = node(json!({}), Value::Null, Value::Null);
    let text = scrape::<Nodes>(&[bare], &all_labels());
    let samples: Vec<_> = text.lines().filter(|line| !line.starts_with('#')).collect();
    let info = "kernel_version=\"\",os_image=\"\",container_runtime_version=\"\",kubelet_version=\"\",\
                kubeproxy_version=\"deprecated\",provider_id=\"\",pod_cidr=\"\",system_uuid=\"\",internal_ip=\"\"";
    let expected = [
        format!("kube_node_info{{node=\"a\",{info}}} 1"),
        "kube_node_labels{node=\"a\"} 1".into(),
        "kube_node_spec_unschedulable{node=\"a\"} 0".into(),
    ];
    assert_eq!(samples, expected);
}

#[rstest]
#[case::cpu(json!({"cpu": "7800m"}), &[r#"resource="cpu",unit="core" 7.8"#])]
#[case::memory(json!({"memory": "30Gi"}), &[r#"resource="memory",unit="byte" 32212254720"#])]
#[case::part(json!({"memory": "1500m"}), &[r#"resource="memory",unit="byte" 1.5"#])]
#[case::pods(json!({"pods": "110"}), &[r#"resource="pods",unit="integer" 110"#])]
#[case::gpu(json!({"nvidia.com/gpu": "8"}), &[r#"resource="nvidia_com_gpu",unit="integer" 8"#])]
#[case::huge(json!({"hugepages-2Mi": "2Mi"}), &[r#"resource="hugepages_2Mi",unit="byte" 2097152"#])]
#[case::volumes(
    json!({"attachable-volumes-csi-x": "25"}),
    &[r#"resource="attachable_volumes_csi_x",unit="byte" 25"#]
)]
#[case::unknown(json!({"kubernetes.io/batch": "1", "cores": "2"}), &[])]
#[case::nothing(json!({"cpu": "much"}), &[])]
fn resources_have_their_unit(#[case] amounts: Value, #[case] expected: &[&str]) {
    let node = node(json!({}), json!({}), json!({"allocatable": amounts, "capacity": amounts}));
    let expected: Vec<_> = expected.iter().map(|rest| format!("node=\"a\",{rest}")).collect();
    assert_eq!(shown::<Nodes>(&node, "kube_node_status_allocatable"), expected);
    assert_eq!(shown::<Nodes>(&node, "kube_node_status_capacity"), expected);
}

#[rstest]
#[case("role", &[r#"role="control-plane" 1"#, r#"role="" 1"#])]
#[case("deletion_timestamp", &["5"])]
#[case("spec_taint", &[
    r#"key="gpu",value="",effect="NoSchedule" 1"#,
    r#"key="gpu",value="",effect="NoExecute" 1"#,
])]
#[case("status_addresses", &[
    r#"type="InternalIP",address="10.0.0.1" 1"#,
    r#"type="InternalIP",address="fd00::1" 1"#,
    r#"type="Hostname",address="a" 1"#,
])]
#[case("status_condition", &[
    r#"condition="Ready",status="true" 0"#,
    r#"condition="Ready",status="false" 0"#,
    r#"condition="Ready",status="unknown" 1"#,
    r#"condition="Odd",status="true" 0"#,
    r#"condition="Odd",status="false" 0"#,
    r#"condition="Odd",status="unknown" 0"#,
])]
fn what_a_node_says_of_itself(#[case] family: &str, #[case] expected: &[&str]) {
    let taint = |effect| json!({"key": "gpu", "effect": effect});
    let address = |kind, address| json!({"type": kind, "address": address});
    let labels =
        json!({"node-role.kubernetes.io/control-plane": "x", "node-role.kubernetes.io/": ""});
    let internal = [address("InternalIP", "10.0.0.1"), address("InternalIP", "fd00::1")];
    let node = node(
        json!({"labels": labels, "deletionTimestamp": "1970-01-01T00:00:05Z"}),
        json!({"taints": [taint("NoSchedule"), taint("NoExecute"), taint("NoSchedule")]}),
        json!({
            "addresses": [internal[0], internal[1], address("Hostname", "a")],
            "conditions": [
                {"type": "Ready", "status": "Unknown"},
                {"type": "Odd", "status": "maybe"},
                {"type": "Ready", "status": "True"},
            ],
        }),
    );
    let found = shown::<Nodes>(&node, &format!("kube_node_{family}"));
    let rest: Vec<_> = found
        .iter()
        .map(|line| line["node=\"a\"".len()..].trim_start_matches([',', ' ']))
        .collect();
    assert_eq!(rest, expected);
    let info = shown::<Nodes>(&node, "kube_node_info").concat();
    assert!(info.ends_with("internal_ip=\"fd00::1\" 1"), "the last one counts: {info}");
}
