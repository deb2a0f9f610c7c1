//! How the dashboards come to Grafana: by files, or by ConfigMaps for a sidecar.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use crate::{Test, dashboard::Dashboard, read};

pub const TESTS: &[(&str, Test)] = &[
    ("config_maps_hold_every_dashboard", config_maps_hold_every_dashboard),
    ("files_are_provided_to_grafana", files_are_provided_to_grafana),
];

/// What `kubectl apply` can remember of an object, in one of its annotations.
const ANNOTATION_BYTES: usize = 256 * 1024;

fn config_maps_hold_every_dashboard() {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Kustomization {
        generator_options: Options,
        config_map_generator: Vec<ConfigMap>,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Options {
        disable_name_suffix_hash: bool,
        labels: BTreeMap<String, String>,
    }
    #[derive(Deserialize)]
    struct ConfigMap {
        name: String,
        files: Vec<String>,
    }
    let text = read("dashboards/kustomization.yaml");
    let kustomization: Kustomization = serde_saphyr::from_str(&text).expect("a kustomization");
    let options = kustomization.generator_options;
    // A name with a hash would leave the old dashboards beside the new ones.
    assert!(options.disable_name_suffix_hash);
    assert_eq!(options.labels["grafana_dashboard"], "1");
    let maps = kustomization.config_map_generator;
    let all = Dashboard::all();
    assert_eq!(maps.len(), all.len());
    for (ConfigMap { name, files }, dashboard) in maps.iter().zip(&all) {
        assert_eq!(*name, format!("kubetally-dashboard-{}", dashboard.name));
        assert_eq!(*files, [format!("{}.json", dashboard.name)]);
        let json = read(&format!("dashboards/{}.json", dashboard.name));
        let map = serde_json::json!({"data": {"dashboard.json": json}}).to_string();
        assert!(map.len() < ANNOTATION_BYTES - 1024, "{name} takes {} bytes", map.len());
    }
}

fn files_are_provided_to_grafana() {
    let text = read("dashboards/provisioning.yaml");
    let provisioning: Value = serde_saphyr::from_str(&text).expect("YAML");
    assert_eq!(provisioning["apiVersion"], 1);
    let provider = &provisioning["providers"][0];
    assert_eq!(provider["type"], "file");
    assert!(provider["options"]["path"].as_str().is_some_and(|path| path.starts_with('/')));
}
