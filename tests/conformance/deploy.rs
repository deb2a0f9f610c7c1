//! A real API server takes what is shipped under `deploy/`, and the pods that come of it; what is
//! granted is what Kubetally needs.

use std::{collections::BTreeMap, sync::Arc};

use kubetally::{
    api::Verb,
    config::Sources,
    kinds::{Resource, TABLE},
    rbac::{self, Account, VERBS},
};
use libtest_mimic::Completion;
use serde_json::{Value, json};

use crate::{
    api::{Api, Call},
    render::{folder, kustomize, settings, workload},
    suite::{Shared, Suite, tests},
};

tests![
    every_folder_is_taken,
    the_operators_folder_is_taken,
    the_operator_scrapes_what_is_secure,
    the_dashboards_are_taken,
    a_folder_as_the_docs_have_it,
    a_pod_that_asks_for_more_is_refused,
    the_role_allows_what_is_watched_and_nothing_else,
];

const SERVICE_ACCOUNT: &str = "system:serviceaccount:kubetally:kubetally";
const PODS: &str = "/api/v1/namespaces/kubetally/pods";

/// What is watched where no setting says otherwise.
fn watched() -> Vec<Arc<Resource>> {
    let settings = Sources::default().load().expect("the defaults are right").settings;
    settings.watch.resources.iter().map(|watched| Arc::clone(&watched.resource)).collect()
}

/// Applies the base, as a user does.
pub fn apply(shared: &Shared) -> String {
    apply_folder(shared, "base")
}

/// Applies a folder of manifests; a warning of the API server's is a failure.
pub fn apply_folder(shared: &Shared, name: &str) -> String {
    let folder = folder(name);
    kubectl(shared, &["apply", "--validate=strict", "-k", folder.to_str().expect("UTF-8")])
}

/// What there is of a folder, with resourceVersions.
fn get_folder(shared: &Shared, name: &str) -> String {
    kubectl(shared, &["get", "-o", "yaml", "-k", folder(name).to_str().expect("UTF-8")])
}

fn kubectl(shared: &Shared, args: &[&str]) -> String {
    let strictly = [&["--warnings-as-errors"], args].concat();
    shared.cluster.kubectl(shared.server.port, &strictly)
}

/// Applies objects as Helm and `kubectl apply --server-side` do, for real or not.
pub fn apply_objects(shared: &Shared, objects: &[&Value], flags: &[&str]) -> String {
    let file = shared.cluster.dir().join("objects.json");
    let list = json!({"apiVersion": "v1", "kind": "List", "items": objects});
    std::fs::write(&file, list.to_string()).expect("a file");
    let file = file.to_str().expect("UTF-8");
    let server_side = ["apply", "--server-side", "--force-conflicts", "-f", file];
    kubectl(shared, &[&server_side, flags].concat())
}

/// Teaches the API server the resources of the Prometheus Operator, where they are at hand.
///
/// # Errors
/// The reason for which they are not.
pub fn operator_resources(suite: &Suite, shared: &Shared) -> Result<(), Completion> {
    let file = suite.assets.program("prometheus-operator.yaml");
    if !file.is_file() {
        return Err(Completion::ignored_with(format!(
            "{} is not there; tests/prometheus-operator/build makes it",
            file.display()
        )));
    }
    let file = file.to_str().expect("UTF-8");
    kubectl(shared, &["apply", "--server-side", "-f", file]);
    kubectl(shared, &["wait", "--for=condition=Established", "-f", file]);
    Ok(())
}

async fn every_folder_is_taken(suite: &Suite) {
    for name in
        ["base", "overlays/namespaced", "overlays/detail", "overlays/canary", "overlays/sharded"]
    {
        is_taken(suite, name, 2).await;
    }
    // With a Secret each.
    is_taken(suite, "overlays/audit", 3).await;
    is_taken(suite, "overlays/secure", 3).await;
}

async fn the_operators_folder_is_taken(suite: &Suite) -> Result<(), Completion> {
    let (shared, _) = suite.fresh().await;
    operator_resources(suite, shared)?;
    is_taken(suite, "overlays/operator", 2).await;
    Ok(())
}

/// The operator's and the secure component together: Prometheus is told to scrape by HTTPS, and to
/// show its token.
async fn the_operator_scrapes_what_is_secure(suite: &Suite) {
    let dir = tempfile::tempdir().expect("a folder");
    std::os::unix::fs::symlink(folder(""), dir.path().join("deploy")).expect("a link");
    let own = dir.path().join("own");
    std::fs::create_dir(&own).expect("a folder");
    let text = "resources: [../deploy/base]\n\
                components: [../deploy/components/operator, ../deploy/components/secure]\n";
    std::fs::write(own.join("kustomization.yaml"), text).expect("a file");
    let objects = kustomize(&suite.assets, &own);
    let monitor = objects.iter().find(|object| object["kind"] == "ServiceMonitor");
    let endpoint = &monitor.expect("a ServiceMonitor")["spec"]["endpoints"][0];
    assert_eq!(endpoint["scheme"], "https");
    assert_eq!(endpoint["tlsConfig"]["serverName"], "kubetally.kubetally.svc");
    let token = "/var/run/secrets/kubernetes.io/serviceaccount/token";
    assert_eq!(endpoint["bearerTokenFile"], token);
}

/// As the sidecar of Grafana finds them: as they are committed, by the label that it looks for.
async fn the_dashboards_are_taken(suite: &Suite) {
    const NAMESPACES: &str = "/api/v1/namespaces";
    const CONFIG_MAPS: &str =
        "/api/v1/namespaces/monitoring/configmaps?labelSelector=grafana_dashboard%3D1";
    let (shared, api) = suite.fresh().await;
    api.must(Call::create(NAMESPACES, json!({"metadata": {"name": "monitoring"}}))).await;
    let dashboards = folder("../dashboards");
    let folder = dashboards.to_str().expect("UTF-8");
    // Applied again, each has to fit into an annotation.
    for _ in 0..2 {
        kubectl(shared, &["-n", "monitoring", "apply", "--validate=strict", "-k", folder]);
    }
    let taken = api.list(CONFIG_MAPS).await;
    let taken = taken["items"].as_array().expect("items");
    let files = taken.iter().flat_map(|map| map["data"].as_object().expect("files"));
    let files: BTreeMap<&str, &str> =
        files.map(|(name, text)| (name.as_str(), text.as_str().expect("text"))).collect();
    assert_eq!(files.len(), 5, "{:?}", files.keys());
    for (name, text) in files {
        let written = std::fs::read_to_string(dashboards.join(name)).expect("a dashboard");
        assert_eq!(text, written, "{name}");
    }
}

/// The API server takes a folder, tried and for real, and a pod of it, with this many volumes; and
/// Kubetally takes the settings.
async fn is_taken(suite: &Suite, name: &str, volumes: usize) {
    let (shared, api) = suite.fresh().await;
    let objects = kustomize(&suite.assets, &folder(name));
    let dir = tempfile::tempdir().expect("a folder");
    settings(&objects, dir.path());
    fits(&objects);
    // What is in a namespace needs it, even to be tried.
    let namespaces = objects.iter().filter(|object| object["kind"] == "Namespace");
    apply_objects(shared, &namespaces.collect::<Vec<_>>(), &[]);
    apply_objects(shared, &objects.iter().collect::<Vec<_>>(), &["--dry-run=server"]);
    apply_folder(shared, name);
    let applied = get_folder(shared, name);
    apply_folder(shared, name);
    assert_eq!(get_folder(shared, name), applied, "{name}: applied again it changes something");
    let made = api.must(Call::create(PODS, pod(&objects))).await;
    let mounted = made["spec"]["volumes"].as_array().expect("volumes");
    assert_eq!(mounted.len(), volumes, "{name}: no token but our own is mounted: {mounted:?}");
    // Other tests find the base as it is.
    apply(shared);
}

/// What `docs/install.md` shows, with settings and the rights for them.
async fn a_folder_as_the_docs_have_it(suite: &Suite) {
    let page = include_str!("../../docs/install.md");
    let (_, block) = page.split_once("```yaml\n").expect("a block");
    let (block, _) = block.split_once("```").expect("its end");
    let dir = tempfile::tempdir().expect("a folder");
    let own = dir.path().join("own");
    std::fs::create_dir(&own).expect("a folder");
    std::os::unix::fs::symlink(env!("CARGO_MANIFEST_DIR"), dir.path().join("kubetally"))
        .expect("a link");
    let write = |name: &str, text: &str| std::fs::write(own.join(name), text).expect("a file");
    write("kustomization.yaml", block);
    write("kubetally.toml", "canary.namespace = \"shop\"\n[detail]\nresources = [\"pods\"]\n");
    let file = Some(own.join("kubetally.toml"));
    let loaded = Sources { file, ..Sources::default() }.load().expect("settings");
    let needed = rbac::needed(&loaded.settings);
    let account = Account { name: "kubetally".into(), namespace: "kubetally".into() };
    write("rbac.yaml", &rbac::manifest(&needed, &account));

    let objects = kustomize(&suite.assets, &own);
    fits(&objects);
    let settings = settings(&objects, dir.path()).settings;
    assert!(settings.audit.is_some() && settings.canary.is_some());
    assert_eq!(needed, rbac::needed(&settings));
    assert!(objects.iter().any(|object| object["kind"] == "ServiceMonitor"));
    let image = &pod(&objects)["spec"]["containers"][0]["image"];
    let version = env!("CARGO_PKG_VERSION");
    assert_eq!(*image, format!("registry.example.com/kubetally:{version}"));
}

/// The pod that a Deployment would make.
pub fn pod(objects: &[Value]) -> Value {
    let template = &workload(objects)["spec"]["template"];
    json!({"metadata": {"name": "kubetally"}, "spec": template["spec"]})
}

/// Services, policies and what is mounted are of what is there.
pub fn fits(objects: &[Value]) {
    let template = &workload(objects)["spec"]["template"];
    let container = &template["spec"]["containers"][0];
    let labels = template["metadata"]["labels"].as_object().expect("labels");
    let ports = container["ports"].as_array().expect("ports");
    let named = |name: &Value| ports.iter().any(|port| port["name"] == *name);
    for object in objects {
        let spec = &object["spec"];
        let selector = match object["kind"].as_str().expect("a kind") {
            "Service" => &spec["selector"],
            "NetworkPolicy" => &spec["podSelector"]["matchLabels"],
            "PodDisruptionBudget" => &spec["selector"]["matchLabels"],
            _ => continue,
        };
        let selector = selector.as_object().expect("a selector");
        let selects = selector.iter().all(|(name, value)| labels.get(name) == Some(value));
        assert!(selects && !selector.is_empty(), "it selects no pod of ours: {object}");
        let opened = spec["ingress"][0]["ports"].as_array().into_iter().flatten();
        let served = spec["ports"].as_array().into_iter().flatten();
        let ports = opened.map(|port| &port["port"]).chain(served.map(|port| &port["targetPort"]));
        ports.for_each(|port| assert!(named(port), "there is no such port: {object}"));
    }
}

/// The API server lets the shipped pod in, and would refuse one that asks for more.
async fn a_pod_that_asks_for_more_is_refused(suite: &Suite) {
    let (shared, api) = suite.fresh().await;
    apply(shared);
    let mut greedy = pod(&kustomize(&suite.assets, &folder("base")));
    let security = &mut greedy["spec"]["containers"][0]["securityContext"];
    security["allowPrivilegeEscalation"] = json!(true);
    let refused = api.send(&Call::create(PODS, greedy)).await.expect("an answer");
    assert_eq!(refused.status, 403, "{}", refused.text());
    assert!(refused.text().contains("PodSecurity"), "{}", refused.text());
}

async fn the_role_allows_what_is_watched_and_nothing_else(suite: &Suite) {
    let (shared, api) = suite.fresh().await;
    apply(shared);
    let watched: Vec<_> = watched().iter().map(|kind| kind.name.clone()).collect();
    for kind in TABLE {
        for verb in VERBS.map(Verb::as_str) {
            let may = allowed(&api, kind.group(), &kind.name, verb).await;
            assert_eq!(may, watched.contains(&kind.name), "{verb} {}", kind.name);
        }
        for verb in ["get", "delete"] {
            let may = allowed(&api, kind.group(), &kind.name, verb).await;
            assert!(!may, "{verb} {}", kind.name);
        }
    }
}

/// Whether the shipped service account may do this everywhere.
async fn allowed(api: &Api, group: &str, resource: &str, verb: &str) -> bool {
    let attributes = json!({"group": group, "resource": resource, "verb": verb});
    let review = json!({"spec": {"user": SERVICE_ACCOUNT, "resourceAttributes": attributes}});
    let path = "/apis/authorization.k8s.io/v1/subjectaccessreviews";
    let review = api.must(Call::create(path, review)).await;
    review["status"]["allowed"].as_bool().expect("an answer")
}
