use std::collections::{BTreeMap, BTreeSet};

use kubetally::{
    kinds,
    sim::{Options, auth::Right},
};
use serde_json::{Value, json};

use crate::{
    detail::recorded,
    rig::{Cluster, USER, Watching},
};

/// The metrics of kinds that show no series an object.
const NOT_SHOWN: [&str; 4] = [
    "kube_horizontalpodautoscaler_",
    "kube_persistentvolume_",
    "kube_poddisruptionbudget_",
    "kube_resourcequota",
];

/// Metrics, and the labels that rules use of them.
fn used() -> BTreeMap<&'static str, BTreeSet<&'static str>> {
    let lines = include_str!("../data/mixin/series.txt").lines();
    lines
        .map(|line| {
            let mut words = line.split(' ');
            (words.next().expect("a metric"), words.collect())
        })
        .collect()
}

/// What the recorded objects lack: a node with a role, a claim that alerts are to leave out, a job
/// that has failed.
fn more() -> [(&'static str, Value); 3] {
    let named = |labels: Value| json!({"namespace": "shop", "name": "more", "labels": labels});
    let role = named(json!({"node-role.kubernetes.io/control-plane": ""}));
    let excluded = named(json!({"excluded_from_alerts": "true"}));
    let failed = json!({"conditions": [{"type": "Failed", "status": "True"}]});
    [
        ("nodes", json!({"metadata": role})),
        ("persistentvolumeclaims", json!({"metadata": excluded})),
        ("jobs", json!({"metadata": named(json!({})), "status": failed})),
    ]
}

/// A daemon that shows every recorded object of every kind.
async fn watching() -> (Cluster, Watching) {
    let cluster = Cluster::start(Options::default()).await;
    cluster.sim.grant(USER, vec![Right::to_anything()]);
    let resources: Vec<_> = kinds::detailed().into_iter().map(|(resource, _)| resource).collect();
    for resource in &resources {
        let list: Value =
            serde_json::from_str(&recorded(&format!("{resource}.json"))).expect("a list");
        cluster.sim.load(resource, list["items"].as_array().expect("items"), 100_000);
    }
    for (resource, object) in more() {
        cluster.sim.put(resource, object);
    }
    let resources = resources.join(",");
    let daemon = cluster
        .watch(&[
            ("watch.resources", &resources),
            ("detail.resources", "all"),
            ("detail.labels", "*=[*]"),
        ])
        .await;
    daemon.until_ready().await;
    (cluster, daemon)
}

#[tokio::test]
async fn every_series_that_its_rules_use_is_shown_with_the_labels_that_they_use() {
    let (_cluster, daemon) = watching().await;
    let (_, text) = daemon.get("/metrics").await;
    let mut shown = 0;
    for (metric, labels) in used() {
        let start = format!("{metric}{{");
        let series: Vec<_> = text.lines().filter(|line| line.starts_with(&start)).collect();
        let not_shown = NOT_SHOWN.iter().any(|prefix| metric.starts_with(prefix));
        assert_eq!(series.is_empty(), not_shown, "{metric}");
        for label in labels.iter().filter(|_| !not_shown) {
            let has = |line: &str| {
                [format!("{{{label}=\""), format!(",{label}=\"")].iter().any(|l| line.contains(l))
            };
            assert!(series.iter().any(|line| has(line)), "{metric} has no label {label}");
            shown += 1;
        }
    }
    assert!(shown > 80, "{shown}");
}
