//! Every kind of the table, and resources that are not in it, against what kubectl sees.

use hyper::StatusCode;
use kubetally::kinds::TABLE;
use serde_json::{Value, json};

use crate::{
    api::{Api, Call},
    daemon::Kubetally,
    eventually::eventually,
    suite::{Shared, Suite, kubetally, namespace, tests},
};

tests![
    every_kind_is_counted_by_protobuf,
    every_kind_is_counted_by_json,
    a_custom_resource_comes_and_goes,
    what_is_served_otherwise_is_told,
];

const DEFINITIONS: &str = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
const WIDGETS: &str = "/apis/kubetally.example.com/v1/namespaces";

/// One object of each kind that is not there anyway, as a manifest.
fn one_of_each() -> Value {
    let containers = json!([{"name": "a", "image": "a:v1"}]);
    let template =
        json!({"metadata": {"labels": {"app": "a"}}, "spec": {"containers": containers}});
    let once = json!({"spec": {"restartPolicy": "Never", "containers": containers}});
    let selector = json!({"matchLabels": {"app": "a"}});
    let target = json!({"apiVersion": "apps/v1", "kind": "StatefulSet", "name": "one"});
    let storage = json!({"storage": "1Gi"});
    let all = [
        ("v1", "ConfigMap", json!({"data": {"a": "b"}})),
        ("v1", "Secret", json!({"stringData": {"password": "hunter2"}})),
        ("v1", "Service", json!({"spec": {"ports": [{"port": 80}]}})),
        ("v1", "Pod", json!({"spec": {"containers": containers}})),
        (
            "v1",
            "PersistentVolumeClaim",
            json!({"spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": storage}}}),
        ),
        (
            "v1",
            "PersistentVolume",
            json!({"spec": {
                "accessModes": ["ReadWriteOnce"],
                "capacity": storage,
                "hostPath": {"path": "/nowhere"},
            }}),
        ),
        (
            "v1",
            "ReplicationController",
            json!({"spec": {"selector": {"app": "a"}, "template": template}}),
        ),
        ("v1", "ResourceQuota", json!({"spec": {"hard": {"pods": "9"}}})),
        ("v1", "LimitRange", json!({"spec": {"limits": []}})),
        ("apps/v1", "Deployment", json!({"spec": {"selector": selector, "template": template}})),
        ("apps/v1", "ReplicaSet", json!({"spec": {"selector": selector, "template": template}})),
        ("apps/v1", "DaemonSet", json!({"spec": {"selector": selector, "template": template}})),
        (
            "apps/v1",
            "StatefulSet",
            json!({"spec": {"serviceName": "a", "selector": selector, "template": template}}),
        ),
        ("batch/v1", "Job", json!({"spec": {"suspend": true, "template": once}})),
        (
            "batch/v1",
            "CronJob",
            json!({"spec": {"schedule": "0 0 * * *", "jobTemplate": {"spec": {"template": once}}}}),
        ),
        (
            "autoscaling/v2",
            "HorizontalPodAutoscaler",
            json!({"spec": {"maxReplicas": 3, "scaleTargetRef": target}}),
        ),
        (
            "discovery.k8s.io/v1",
            "EndpointSlice",
            json!({"addressType": "IPv4", "endpoints": [], "ports": []}),
        ),
        (
            "networking.k8s.io/v1",
            "Ingress",
            json!({"spec": {"defaultBackend": {"service": {"name": "one", "port": {"number": 80}}}}}),
        ),
        ("policy/v1", "PodDisruptionBudget", json!({"spec": {"selector": selector}})),
        ("storage.k8s.io/v1", "StorageClass", json!({"provisioner": "example.com/none"})),
        ("coordination.k8s.io/v1", "Lease", json!({"spec": {}})),
    ];
    let items: Vec<Value> = all
        .into_iter()
        .map(|(api_version, kind, mut object)| {
            object["apiVersion"] = api_version.into();
            object["kind"] = kind.into();
            object["metadata"] = json!({"name": "one", "labels": {"app": "a"}});
            object
        })
        .collect();
    json!({"apiVersion": "v1", "kind": "List", "items": items})
}

async fn every_kind_is_counted_by_protobuf(suite: &Suite) {
    every_kind_is_counted(suite, "protobuf").await;
}

async fn every_kind_is_counted_by_json(suite: &Suite) {
    every_kind_is_counted(suite, "json").await;
}

/// All kinds at once, those that are only counted as metadata, in this encoding and no other.
async fn every_kind_is_counted(suite: &Suite, wire: &str) {
    let (shared, api) = suite.fresh().await;
    namespace(&api, "kinds").await;
    let manifest = shared.cluster.dir().join("one-of-each.json");
    std::fs::write(&manifest, one_of_each().to_string()).expect("a file");
    let file = manifest.to_str().expect("UTF-8");
    shared.cluster.kubectl(shared.server.port, &["apply", "-n", "kinds", "-f", file]);

    let all: Vec<&str> = TABLE.iter().map(|kind| &*kind.name).collect();
    let (mut kubetally, expected) = (watching(shared, wire, &all).await, counts(shared, &all));
    kubetally.until_ready().await;
    assert_eq!(marks(&kubetally).await, vec!["[+]"; all.len()]);
    until_counted(&mut kubetally, &expected).await;
    let here = kubetally.scrape().await;
    let here: Vec<_> = here.family("kubetally_namespace_objects").collect();
    let only_here = counted(&all).filter(|name| {
        let labels = format!("namespace=\"kinds\",resource=\"{name}\"");
        here.iter().any(|(series, n)| *series == labels && *n == 1.0)
    });
    let namespaced: Vec<&str> =
        TABLE.iter().filter(|kind| kind.namespaced).map(|kind| &*kind.name).collect();
    assert_eq!(only_here.count(), counted(&namespaced).count(), "{here:?}");

    // Volumes stay until their controllers, which are not there, let them go.
    shared
        .cluster
        .kubectl(shared.server.port, &["delete", "--wait=false", "-n", "kinds", "-f", file]);
    until_counted(&mut kubetally, &counts(shared, &all)).await;
    kubetally.stop().await;
}

/// All but events: the API server makes some when it likes.
fn counted<'n>(names: &'n [&'n str]) -> impl Iterator<Item = &'n str> {
    names.iter().copied().filter(|name| *name != "events")
}

async fn watching(shared: &Shared, wire: &str, resources: &[&str]) -> Kubetally {
    let kubeconfig = shared.cluster.admin_kubeconfig(shared.server.port);
    kubetally(&kubeconfig, &["--wire", wire, "--resources", &resources.join(",")]).await
}

/// How many objects kubectl gets of each.
fn counts(shared: &Shared, resources: &[&str]) -> Vec<(String, f64)> {
    let count = |name: &str| {
        let kind = TABLE.iter().find(|kind| kind.name == name).expect("of the table");
        let of = match kind.group() {
            "" => name.to_owned(),
            group => format!("{name}.{group}"),
        };
        let args = ["get", &of, "--all-namespaces", "--ignore-not-found", "-o", "name"];
        let n = shared.cluster.kubectl(shared.server.port, &args).lines().count();
        let n = f64::from(u32::try_from(n).expect("a few"));
        (format!("kubetally_objects{{resource=\"{name}\"}}"), n)
    };
    counted(resources).map(count).collect()
}

async fn until_counted(kubetally: &mut Kubetally, expected: &[(String, f64)]) {
    let expected: Vec<_> = expected.iter().map(|(series, n)| (series.as_str(), *n)).collect();
    kubetally.until_values("kubectl's counts", &expected).await;
}

/// How each resource is, as readiness marks it.
async fn marks(kubetally: &Kubetally) -> Vec<String> {
    let (_, text) = kubetally.get("/readyz?verbose").await.expect("an answer");
    let marked = text.lines().filter(|line| line.starts_with('['));
    let resources = marked.filter(|line| !line[3..].starts_with(" probe of "));
    resources.map(|line| line[..3].to_owned()).collect()
}

/// Waits until readiness says this of a resource, and that all the same everything is ready.
async fn until_told(kubetally: &Kubetally, part: &str) {
    eventually(part, async || match kubetally.get("/readyz?verbose").await? {
        (StatusCode::OK, text) if text.contains(part) => Ok(()),
        (_, text) => Err(format!("{text}; its log:\n{}", kubetally.log())),
    })
    .await;
}

fn definition() -> Value {
    let schema = json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true});
    json!({
        "metadata": {"name": "widgets.kubetally.example.com"},
        "spec": {
            "group": "kubetally.example.com",
            "scope": "Namespaced",
            "names": {"plural": "widgets", "singular": "widget", "kind": "Widget", "listKind": "WidgetList"},
            "versions": [{
                "name": "v1",
                "served": true,
                "storage": true,
                "schema": {"openAPIV3Schema": schema},
            }],
        },
    })
}

/// Makes a widget, as soon as the API server takes any.
async fn widget(api: &Api, namespace: &str, name: &str) {
    let object = json!({
        "apiVersion": "kubetally.example.com/v1",
        "kind": "Widget",
        "metadata": {"name": name},
        "spec": {"size": 3},
    });
    let call = Call::create(format!("{WIDGETS}/{namespace}/widgets"), object);
    eventually("a widget", async || match api.send(&call).await? {
        answer if answer.status == 201 => Ok(()),
        answer => Err(answer.text()),
    })
    .await;
}

async fn a_custom_resource_comes_and_goes(suite: &Suite) {
    let (shared, api) = suite.fresh().await;
    for name in ["shop", "kinds"] {
        namespace(&api, name).await;
    }
    let absent = "kubetally.example.com/v1 widgets: not served by the API server (yet)";
    let resources = ["pods", "kubetally.example.com/v1/widgets"];
    let mut kubetally = watching(shared, "auto", &resources).await;
    until_told(&kubetally, absent).await;

    for _ in 0..2 {
        api.must(Call::create(DEFINITIONS, definition())).await;
        for (namespace, name) in [("shop", "a"), ("shop", "b"), ("kinds", "a")] {
            widget(&api, namespace, name).await;
        }
        let series = "kubetally_namespace_objects";
        let of = |namespace: &str| {
            format!(
                "{series}{{namespace=\"{namespace}\",resource=\"widgets.kubetally.example.com\"}}"
            )
        };
        until_counted(&mut kubetally, &[(of("shop"), 2.0), (of("kinds"), 1.0)]).await;
        api.must(Call::delete(format!("{WIDGETS}/shop/widgets/a"))).await;
        until_counted(&mut kubetally, &[(of("shop"), 1.0)]).await;

        api.must(Call::delete(format!("{DEFINITIONS}/widgets.kubetally.example.com"))).await;
        until_told(&kubetally, absent).await;
        let scrape = kubetally.scrape().await;
        let objects = "kubetally_objects{resource=\"widgets.kubetally.example.com\"}";
        assert_eq!(scrape.get(objects), None, "what is not served is not counted");
    }
    kubetally.stop().await;
}

async fn what_is_served_otherwise_is_told(suite: &Suite) {
    let (shared, _) = suite.fresh().await;
    let resources = [
        "v1/podtemplates",
        "apps/v1/controllerrevisions",
        "events.k8s.io/v1/events",
        "v1/componentstatuses",
        "v1/deployments",
        "rbac.authorization.k8s.io/v1/clusterroles",
    ];
    let mut kubetally = watching(shared, "auto", &resources).await;
    until_told(
        &kubetally,
        "[!] componentstatuses: v1 componentstatuses: cannot be watched, only get, list",
    )
    .await;
    until_told(&kubetally, "[!] deployments: v1 deployments: not served by the API server (yet)")
        .await;
    until_told(&kubetally, "[+] events.events.k8s.io: watching").await;
    let args = ["get", "clusterroles", "-o", "name"];
    let roles = shared.cluster.kubectl(shared.server.port, &args).lines().count();
    let roles = f64::from(u32::try_from(roles).expect("a few"));
    let objects = |name: &str| format!("kubetally_objects{{resource=\"{name}\"}}");
    let expected = [
        (objects("podtemplates"), 0.0),
        (objects("controllerrevisions.apps"), 0.0),
        (objects("clusterroles.rbac.authorization.k8s.io"), roles),
    ];
    until_counted(&mut kubetally, &expected).await;
    kubetally.stop().await;
}
