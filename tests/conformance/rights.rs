//! What Kubetally may: granted by what `kubetally rbac` prints, revoked, granted again.

use std::{collections::BTreeSet, process::Command};

use serde_json::{Value, json};

use crate::{
    access::{account, bind, furnished, subject, token, unbind, with_token},
    api::{Api, Call},
    cluster::User,
    daemon::{Kubetally, Scrape},
    eventually::eventually,
    suite::{Shared, Suite, kubetally, namespace, tests},
};

tests![
    the_rights_that_are_printed_are_enough_and_all_are_used,
    a_right_that_is_revoked_shows_while_the_watch_goes_on,
    a_right_that_is_granted_starts_what_waits_for_it,
    a_role_of_one_namespace_hides_nothing,
];

const PODS: (&str, f64) = ("kubetally_objects{resource=\"pods\"}", 2.0);
const ROLES: &str = "/apis/rbac.authorization.k8s.io/v1";

/// What is done, to what.
type Asked = BTreeSet<(String, String)>;

/// Applies what `kubetally rbac` prints for these flags, as a user does; the rules in it.
fn grant(shared: &Shared, name: &str, flags: &[&str]) -> Asked {
    let output = Command::new(env!("CARGO_BIN_EXE_kubetally"))
        .args(["rbac", "--name", name])
        .args(flags)
        .env_clear()
        .output()
        .expect("it can be run");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let file = shared.cluster.dir().join(format!("{name}.yaml"));
    std::fs::write(&file, &output.stdout).expect("a file");
    let file = file.to_str().expect("UTF-8");
    shared.cluster.kubectl(shared.server.port, &["apply", "--validate=strict", "-f", file]);
    let objects: Vec<Value> =
        serde_saphyr::from_multiple(&String::from_utf8_lossy(&output.stdout)).expect("YAML");
    let mut granted = Asked::new();
    let strings = |list: &Value| -> Vec<String> {
        let strings = list.as_array().into_iter().flatten().filter_map(Value::as_str);
        strings.map(str::to_owned).collect()
    };
    for rule in objects.iter().filter_map(|object| object["rules"].as_array()).flatten() {
        for resource in strings(&rule["resources"]) {
            granted.extend(strings(&rule["verbs"]).into_iter().map(|v| (v, resource.clone())));
        }
    }
    granted
}

/// What was asked of the API server and answered, but for reviews and for what everybody may read
/// (`system:public-info-viewer`).
fn asked(scrape: &Scrape) -> Asked {
    const PUBLIC: [&str; 2] = ["readyz", "version"];
    let requests = scrape.family("kubetally_api_requests_total");
    let answered = requests.filter(|(labels, _)| labels.ends_with("code=\"200\""));
    let value = |labels: &str, name: &str| {
        let (_, rest) = labels.split_once(&format!("{name}=\"")).expect("a label");
        rest.split_once('"').expect("its end").0.to_owned()
    };
    let asked = answered.map(|(labels, _)| (value(labels, "verb"), value(labels, "resource")));
    asked.filter(|(_, resource)| !PUBLIC.contains(&&**resource)).collect()
}

fn may(resource: &str) -> String {
    format!("kubetally_permission_allowed{{verb=\"watch\",resource=\"{resource}\"}}")
}

async fn the_rights_that_are_printed_are_enough_and_all_are_used(suite: &Suite) {
    let (shared, api) = furnished(suite).await;
    namespace(&api, "billing").await;
    // One API server streams lists, where nothing but watches is asked for; the other does not.
    let paged = shared.cluster.api_server(&["--feature-gates=WatchList=false"]).await;
    for (name, flags) in [
        ("everywhere", &["--resources", "pods,events,nodes,deployments,secrets"][..]),
        ("somewhere", &["--namespaces", "shop,billing"]),
        ("only-there", &["--namespaces", "shop", "--resources", "pods,jobs"]),
    ] {
        let granted = grant(shared, name, flags);
        let file = shared.cluster.dir().join(name);
        std::fs::write(&file, token(&api, name).await).expect("a file");
        let mut used = Asked::new();
        for port in [shared.server.port, paged.port] {
            let user = User::TokenFile(&file);
            let kubeconfig = shared.cluster.kubeconfig("rights.kubeconfig", port, &user);
            let mut kubetally = kubetally(&kubeconfig, flags).await;
            kubetally.until_ready().await;
            let scrape = until_known(&mut kubetally, &granted).await;
            assert_eq!(scrape.sum("kubetally_auth_failures_total"), 0.0, "{name}");
            let (_, text) = kubetally.get("/readyz?verbose").await.expect("an answer");
            assert!(!text.contains("[!]"), "{name}: {text}");
            used.extend(asked(&scrape));
            kubetally.stop().await;
        }
        assert_eq!(used, granted, "{name}");
    }
}

/// Waits until each of these rights is known to be there.
async fn until_known(kubetally: &mut Kubetally, granted: &Asked) -> Scrape {
    let expected: Vec<_> = granted
        .iter()
        .map(|(verb, resource)| {
            format!("kubetally_permission_allowed{{verb=\"{verb}\",resource=\"{resource}\"}}")
        })
        .collect();
    let expected: Vec<_> = expected.iter().map(|series| (series.as_str(), 1.0)).collect();
    kubetally.until_values("every right", &expected).await;
    kubetally.scrape().await
}

async fn a_right_that_is_revoked_shows_while_the_watch_goes_on(suite: &Suite) {
    let (shared, api) = furnished(suite).await;
    account(&api, "fickle").await;
    bind(&api, "fickle", "kubetally", subject("fickle")).await;
    let (mut kubetally, _) = with_token(shared, &token(&api, "fickle").await).await;
    kubetally.until_ready().await;
    let (pods, events) = (may("pods"), may("events"));
    // Every one of them, so that nothing is asked but by the next round.
    let all = "kubetally_permission_checks_total{result=\"allowed\"}";
    kubetally.until_values("all rights", &[(all, 14.0)]).await;

    unbind(&api, "fickle").await;
    kubetally.until_values("no rights", &[(&*pods, 0.0), (&*events, 0.0)]).await;
    let scrape = kubetally.scrape().await;
    scrape.expect(&[("kubetally_watch_connected{resource=\"pods\"}", 1.0)]).unwrap();
    scrape.expect(&[PODS]).unwrap();
    // Probes list, and may have been refused; no watch was.
    let failures = scrape.family("kubetally_auth_failures_total");
    let of_watches = failures.filter(|(labels, _)| labels.contains("verb=\"watch\""));
    assert_eq!(of_watches.map(|(_, n)| n).sum::<f64>(), 0.0);
    let (_, text) = kubetally.get("/readyz?verbose").await.expect("an answer");
    let line = "[+] pods: watching; missing in a ClusterRole: \
                {apiGroups: [\"\"], resources: [pods], verbs: [list, watch]}";
    assert!(text.lines().any(|l| l == line), "{text}");

    bind(&api, "fickle", "kubetally", subject("fickle")).await;
    kubetally.until_values("the rights again", &[(&*pods, 1.0), (&*events, 1.0)]).await;
    kubetally.stop().await;
}

async fn a_right_that_is_granted_starts_what_waits_for_it(suite: &Suite) {
    let (shared, api) = furnished(suite).await;
    account(&api, "waiting").await;
    unbind(&api, "waiting").await;
    let (mut kubetally, _) = with_token(shared, &token(&api, "waiting").await).await;
    kubetally.until_values("no right", &[(&*may("pods"), 0.0)]).await;
    let refused =
        "kubetally_auth_failures_total{code=\"403\",verb=\"watch\",resource=\"pods\"}".to_owned();
    kubetally
        .until("a 403", |scrape| match scrape.get(&refused) {
            Some(n) if n > 0.0 => Ok(()),
            other => Err(format!("{other:?}")),
        })
        .await;
    bind(&api, "waiting", "kubetally", subject("waiting")).await;
    kubetally.until_values("what waited", &[PODS]).await;
    kubetally.until_ready().await;
    kubetally.until_values("the right", &[(&*may("pods"), 1.0)]).await;
    let errors = "kubetally_permission_checks_total{result=\"error\"}";
    kubetally.scrape().await.expect(&[(errors, 0.0)]).unwrap();
    kubetally.stop().await;
}

/// The rules of a namespace do not tell its own from those of all namespaces.
async fn a_role_of_one_namespace_hides_nothing(suite: &Suite) {
    let (shared, api) = furnished(suite).await;
    account(&api, "local").await;
    unbind(&api, "local").await;
    let local = format!("{ROLES}/namespaces/kubetally/rolebindings");
    let answer = api.send(&Call::delete(format!("{local}/local"))).await.expect("an answer");
    assert!([200, 404].contains(&answer.status), "{answer:?}");
    let group = "rbac.authorization.k8s.io";
    let role = json!({"apiGroup": group, "kind": "ClusterRole", "name": "kubetally"});
    let subjects = [subject("local")];
    let binding = json!({"metadata": {"name": "local"}, "roleRef": role, "subjects": subjects});
    api.must(Call::create(local, binding)).await;
    eventually("the namespace's own right", async || {
        lists(&api, "local", "pods").await.then_some(()).ok_or_else(|| "there is none".into())
    })
    .await;
    let (mut kubetally, _) = with_token(shared, &token(&api, "local").await).await;
    kubetally.until_values("no right", &[(&*may("pods"), 0.0)]).await;
    bind(&api, "local", "kubetally", subject("local")).await;
    kubetally.until_values("the right", &[(&*may("pods"), 1.0)]).await;
    kubetally.until_values("what waited", &[PODS]).await;
    kubetally.stop().await;
}

/// Whether a service account may list a resource in the namespace kubetally.
async fn lists(api: &Api, account: &str, resource: &str) -> bool {
    let user = format!("system:serviceaccount:kubetally:{account}");
    let attributes = json!({"resource": resource, "verb": "list", "namespace": "kubetally"});
    let review = json!({"spec": {"user": user, "resourceAttributes": attributes}});
    let path = "/apis/authorization.k8s.io/v1/subjectaccessreviews";
    let review = api.must(Call::create(path, review)).await;
    review["status"]["allowed"].as_bool().expect("an answer")
}
