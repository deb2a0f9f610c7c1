//! What `deploy/base` asks for is what Kubetally needs, and a real API server takes it.

use std::{collections::BTreeSet, path::PathBuf, sync::Arc};

use kubetally::{
    api::Verb,
    config::Sources,
    kinds::{Resource, TABLE},
    rbac::VERBS,
};
use libtest_mimic::{Failed, Trial};
use serde_json::{Value, json};

use crate::{
    api::{Api, Call},
    suite::{Shared, Suite, tests},
};

tests![the_base_is_taken, the_role_allows_what_is_watched_and_nothing_else];

const SERVICE_ACCOUNT: &str = "system:serviceaccount:kubetally:kubetally";

/// The tests that need no API server.
pub fn manifests() -> Vec<Trial> {
    vec![
        Trial::test("the_role_is_for_what_is_watched", role_is_for_what_is_watched),
        Trial::test("the_image_is_of_this_version", image_is_of_this_version),
        Trial::test("the_overlay_lets_the_canary_fly", overlay_lets_the_canary_fly),
    ]
}

/// A folder of manifests.
fn folder(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("deploy").join(name)
}

/// A manifest's objects.
fn objects(file: &str) -> Vec<Value> {
    objects_in("base", file)
}

fn objects_in(name: &str, file: &str) -> Vec<Value> {
    let text = std::fs::read_to_string(folder(name).join(file)).expect("a manifest");
    serde_saphyr::from_multiple(&text).expect("YAML")
}

/// What is watched where no setting says otherwise.
fn watched() -> Vec<Arc<Resource>> {
    let settings = Sources::default().load().expect("the defaults are right").settings;
    settings.watch.resources.iter().map(|watched| Arc::clone(&watched.resource)).collect()
}

fn strings(list: &Value) -> impl Iterator<Item = &str> {
    list.as_array().into_iter().flatten().filter_map(Value::as_str)
}

fn role_is_for_what_is_watched() -> Result<(), Failed> {
    let objects = objects("rbac.yaml");
    let role = objects.iter().find(|object| object["kind"] == "ClusterRole").expect("a role");
    let mut granted = BTreeSet::new();
    for rule in role["rules"].as_array().expect("rules") {
        assert_eq!(strings(&rule["verbs"]).collect::<Vec<_>>(), VERBS.map(Verb::as_str));
        for group in strings(&rule["apiGroups"]) {
            granted.extend(strings(&rule["resources"]).map(|resource| (group, resource)));
        }
    }
    let watched = watched();
    let watched = watched.iter().map(|kind| (kind.group(), kind.plural()));
    assert_eq!(granted, watched.collect());
    Ok(())
}

fn image_is_of_this_version() -> Result<(), Failed> {
    let objects = objects("deployment.yaml");
    let image = &objects[0]["spec"]["template"]["spec"]["containers"][0]["image"];
    assert_eq!(*image, format!("kubetally:{}", env!("CARGO_PKG_VERSION")));
    Ok(())
}

/// What the patch sets is the canary of the Lease that the role is for.
fn overlay_lets_the_canary_fly() -> Result<(), Failed> {
    let patch = objects_in("overlays/canary", "deployment.yaml");
    let env = &patch[0]["spec"]["template"]["spec"]["containers"][0]["env"];
    let variable = |entry: &Value| {
        let text = |field: &str| entry[field].as_str().expect("text").to_owned();
        (text("name"), text("value"))
    };
    let environment = env.as_array().expect("variables").iter().map(variable).collect();
    let settings = Sources { environment, ..Sources::default() }.load().expect("right").settings;
    let canary = settings.canary.expect("a canary");
    let role = &objects_in("overlays/canary", "rbac.yaml")[0];
    assert_eq!(role["metadata"]["namespace"], canary.namespace);
    assert_eq!(role["rules"][0]["resourceNames"], json!([canary.lease]));
    assert_eq!(
        objects_in("overlays/canary", "namespace.yaml")[0]["metadata"]["name"],
        canary.namespace
    );
    Ok(())
}

/// Applies the base, as a user does.
pub fn apply(shared: &Shared) -> String {
    apply_folder(shared, "base")
}

/// Applies a folder of manifests.
pub fn apply_folder(shared: &Shared, name: &str) -> String {
    let folder = folder(name);
    let folder = folder.to_str().expect("UTF-8");
    shared.cluster.kubectl(shared.server.port, &["apply", "--validate=strict", "-k", folder])
}

async fn the_base_is_taken(suite: &Suite) {
    let (shared, api) = suite.fresh().await;
    apply(shared);
    let again = apply(shared);
    let changed: Vec<_> = again.lines().filter(|line| !line.ends_with(" unchanged")).collect();
    assert!(changed.is_empty(), "applied again it changes {changed:?}");

    let namespace = api.list("/api/v1/namespaces/kubetally").await;
    assert_eq!(namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"], "restricted");
    let deployment = api.list("/apis/apps/v1/namespaces/kubetally/deployments/kubetally").await;
    let template = &deployment["spec"]["template"];
    let service = api.list("/api/v1/namespaces/kubetally/services/kubetally").await;
    assert_eq!(service["spec"]["selector"], template["metadata"]["labels"]);
    let target = &service["spec"]["ports"][0]["targetPort"];
    assert_eq!(*target, template["spec"]["containers"][0]["ports"][0]["name"]);

    // The API server lets such a pod in, and would refuse one that asks for more.
    let mut pod = json!({"metadata": {"name": "kubetally"}, "spec": template["spec"]});
    let path = "/api/v1/namespaces/kubetally/pods";
    let made = api.must(Call::create(path, pod.clone())).await;
    let volumes = made["spec"]["volumes"].as_array().expect("volumes");
    assert_eq!(volumes.len(), 1, "only our own token is mounted: {volumes:?}");
    pod["metadata"]["name"] = json!("greedy");
    pod["spec"]["containers"][0]["securityContext"]["allowPrivilegeEscalation"] = json!(true);
    let refused = api.send(&Call::create(path, pod)).await.expect("an answer");
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
