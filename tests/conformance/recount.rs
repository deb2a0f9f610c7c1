//! Objects and the gauges of pods, counted anew from LISTs: what Kubetally must show, computed simply.

use std::collections::BTreeMap;

use kubetally::kinds;
use serde_json::Value;

use crate::{api::Api, daemon::Scrape};

/// The families that are counted.
const FAMILIES: &[&str] = &[
    "kubetally_objects",
    "kubetally_namespace_objects",
    "kubetally_pods",
    "kubetally_pods_ready",
    "kubetally_pods_unschedulable",
    "kubetally_pods_terminating",
    "kubetally_pods_by_owner",
    "kubetally_pods_by_qos",
    "kubetally_node_pods",
    "kubetally_containers_waiting",
];

/// Series with their values, those of 0 left out.
pub struct Recount(BTreeMap<String, f64>);

impl Recount {
    /// Lists and counts all objects of what is watched by default.
    pub async fn of(api: &Api) -> Self {
        let mut recount = Self(BTreeMap::new());
        for resource in kinds::defaults() {
            let list = api.list(&format!("{}/{}", resource.root(), resource.plural())).await;
            for object in list["items"].as_array().into_iter().flatten() {
                let namespace = text(&object["metadata"]["namespace"]);
                let name = ("resource", &*resource.name);
                recount.add("objects", &[name]);
                if resource.namespaced {
                    recount.add("namespace_objects", &[("namespace", namespace), name]);
                }
                if resource.name == "pods" {
                    recount.pod(namespace, object);
                }
            }
        }
        recount
    }

    fn pod(&mut self, namespace: &str, pod: &Value) {
        let status = &pod["status"];
        let namespaced = [("namespace", namespace)];
        self.add("pods", &[("namespace", namespace), ("phase", text(&status["phase"]))]);
        self.add("pods_by_qos", &[("qos_class", text(&status["qosClass"]))]);
        let conditions = || status["conditions"].as_array().into_iter().flatten();
        let has = |kind: &str, state: &str| {
            conditions().find(|c| c["type"] == kind && c["status"] == state)
        };
        if has("Ready", "True").is_some() {
            self.add("pods_ready", &namespaced);
        }
        if has("PodScheduled", "False").is_some_and(|c| c["reason"] == "Unschedulable") {
            self.add("pods_unschedulable", &namespaced);
        }
        if pod["metadata"]["deletionTimestamp"].is_string() {
            self.add("pods_terminating", &namespaced);
        }
        let owners = pod["metadata"]["ownerReferences"].as_array().into_iter().flatten();
        let controller = owners.into_iter().find(|owner| owner["controller"] == true);
        let owner = controller.map_or("none", |owner| text(&owner["kind"]));
        self.add("pods_by_owner", &[("kind", owner)]);
        if let Some(node) = pod["spec"]["nodeName"].as_str() {
            self.add("node_pods", &[("node", node)]);
        }
        for container in status["containerStatuses"].as_array().into_iter().flatten() {
            if let Some(reason) = container["state"]["waiting"]["reason"].as_str() {
                let labels = [("namespace", namespace), ("reason", reason)];
                self.add("containers_waiting", &labels);
            }
        }
    }

    fn add(&mut self, family: &str, labels: &[(&str, &str)]) {
        let labels: Vec<_> = labels.iter().map(|(k, v)| format!("{k}=\"{v}\"")).collect();
        let series = format!("kubetally_{family}{{{}}}", labels.join(","));
        *self.0.entry(series).or_default() += 1.0;
    }

    /// Whether a scrape shows just this.
    ///
    /// # Errors
    /// What differs.
    pub fn equals(&self, scrape: &Scrape) -> Result<(), String> {
        let mut shown = BTreeMap::new();
        for family in FAMILIES {
            for (labels, value) in scrape.family(family).filter(|(_, value)| *value != 0.0) {
                shown.insert(format!("{family}{{{labels}}}"), value);
            }
        }
        let keys = shown.keys().chain(self.0.keys());
        let differ: Vec<_> = keys
            .filter(|key| shown.get(*key) != self.0.get(*key))
            .map(|key| format!("{key}: {:?}, not {:?}", shown.get(key), self.0.get(key)))
            .collect();
        if differ.is_empty() { Ok(()) } else { Err(differ.join("; ")) }
    }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}
