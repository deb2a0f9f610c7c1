//! Who Kubetally is to the API server: tokens, certificates, rights.

use std::{
    path::{Path, PathBuf},
    process::Command,
    time::{SystemTime, UNIX_EPOCH},
};

use libtest_mimic::Completion;
use serde_json::{Value, json};

use crate::{
    api::{Api, Call},
    cluster::User,
    daemon::Kubetally,
    deploy::apply,
    failures::Checked,
    objects::{event, events, pod, pods},
    proxy::Proxy,
    suite::{Shared, Suite, kubetally, namespace, tests},
};

tests![
    the_shipped_service_account_by_its_bound_token,
    the_service_account_as_in_a_pod,
    a_client_certificate_of_a_kubeconfig,
    a_bad_token_and_then_a_good_one,
    a_token_past_its_end_and_one_before_its_begin,
    a_rotated_token,
    rights_that_come_later,
    rights_that_are_taken_and_given_back,
    one_kind_that_is_forbidden,
];

const OBJECTS: [(&str, f64); 2] = [
    ("kubetally_objects{resource=\"pods\"}", 2.0),
    ("kubetally_objects{resource=\"events\"}", 1.0),
];

const UNSHARE: [&str; 2] = ["--mount", "--map-root-user"];

/// The API server with the base applied, two pods and an event.
pub async fn furnished(suite: &Suite) -> (&Shared, Api) {
    let (shared, api) = suite.fresh().await;
    apply(shared);
    namespace(&api, "shop").await;
    for name in ["a", "b"] {
        api.must(Call::create(pods("shop"), pod(name, None))).await;
    }
    api.must(Call::create(events("shop"), event("shop", "a", "Normal", "Pulled", 1))).await;
    (shared, api)
}

/// A token of a service account of the namespace kubetally, good for an hour.
pub async fn token(api: &Api, account: &str) -> String {
    let path = format!("/api/v1/namespaces/kubetally/serviceaccounts/{account}/token");
    let request = api.must(Call::create(path, json!({"spec": {"expirationSeconds": 3600}}))).await;
    request["status"]["token"].as_str().expect("a token").to_owned()
}

/// Makes a service account without rights.
pub async fn account(api: &Api, name: &str) {
    let path = "/api/v1/namespaces/kubetally/serviceaccounts";
    let call = Call::create(path, json!({"metadata": {"name": name}}));
    let answer = api.send(&call).await.expect("an answer");
    assert!([201, 409].contains(&answer.status), "{answer:?}");
}

/// Binds a role of the cluster to somebody; what was bound under this name is bound no more.
pub async fn bind(api: &Api, name: &str, role: &str, subject: Value) {
    let path = "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings";
    unbind(api, name).await;
    let role =
        json!({"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role});
    let binding = json!({"metadata": {"name": name}, "roleRef": role, "subjects": [subject]});
    api.must(Call::create(path, binding)).await;
}

/// What was bound under this name is bound no more.
pub async fn unbind(api: &Api, name: &str) {
    let path = format!("/apis/rbac.authorization.k8s.io/v1/clusterrolebindings/{name}");
    let answer = api.send(&Call::delete(path)).await.expect("an answer");
    assert!([200, 404].contains(&answer.status), "{answer:?}");
}

/// A service account of the namespace kubetally, as the subject of a binding.
pub fn subject(account: &str) -> Value {
    json!({"kind": "ServiceAccount", "name": account, "namespace": "kubetally"})
}

/// Starts a Kubetally with this token in a file; the file comes back too.
pub async fn with_token(shared: &Shared, token: &str) -> (Kubetally, PathBuf) {
    with_token_at(shared, token, shared.server.port).await
}

/// The same, by another way to the API server.
async fn with_token_at(shared: &Shared, token: &str, port: u16) -> (Kubetally, PathBuf) {
    let file = shared.cluster.dir().join("token");
    std::fs::write(&file, token).expect("a file");
    let user = User::TokenFile(&file);
    let kubeconfig = shared.cluster.kubeconfig("token.kubeconfig", port, &user);
    (kubetally(&kubeconfig, &[]).await, file)
}

/// What stands in the startup line.
fn identity(kubetally: &Kubetally) -> String {
    let log = kubetally.log();
    let lines = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let mut identities = lines.filter_map(|line| Some(line["identity"].as_str()?.to_owned()));
    identities.next().expect("the startup line names the identity")
}

async fn the_shipped_service_account_by_its_bound_token(suite: &Suite) {
    let (shared, api) = furnished(suite).await;
    let token = token(&api, "kubetally").await;
    let (mut kubetally, _) = with_token(shared, &token).await;
    kubetally.until_ready().await;
    assert_eq!(identity(&kubetally), "system:serviceaccount:kubetally:kubetally");
    let scrape = kubetally.scrape().await;
    scrape.expect(&OBJECTS).unwrap();
    assert_eq!(scrape.sum("kubetally_auth_failures_total"), 0.0);
    let known = "kubetally_identity_info{username=\"system:serviceaccount:kubetally:kubetally\"}";
    kubetally.until_values("whom the API server takes it for", &[(known, 1.0)]).await;
    let (_, text) = kubetally.get("/readyz?verbose").await.expect("an answer");
    assert!(!text.contains("[!]"), "the shipped role is enough for the default: {text}");
    let time = |name| scrape.get(name).unwrap_or_else(|| panic!("no {name}"));
    let issued = time("kubetally_token_issued_timestamp_seconds");
    assert_eq!(time("kubetally_token_expiration_timestamp_seconds"), issued + 3600.0);
    assert!(!kubetally.log().contains(&token), "the token is logged");
    kubetally.stop().await;
}

async fn the_service_account_as_in_a_pod(suite: &Suite) -> Completion {
    let allowed = Command::new("unshare").args(UNSHARE).arg("true").output();
    if !allowed.is_ok_and(|output| output.status.success()) {
        return Completion::ignored_with("a mount namespace cannot be made here (unshare)");
    }
    let (shared, api) = furnished(suite).await;
    let mounted = shared.cluster.dir().join("mounted");
    std::fs::create_dir_all(&mounted).expect("a folder");
    std::fs::copy(shared.cluster.dir().join("ca.crt"), mounted.join("ca.crt")).expect("a file");
    std::fs::write(mounted.join("token"), token(&api, "kubetally").await).expect("a file");
    std::fs::write(mounted.join("namespace"), "kubetally").expect("a file");
    let flags = ["run", "--listen", "127.0.0.1:0"];
    let mut command = in_a_pod(&mounted, shared.server.port, &flags);
    let mut kubetally = Kubetally::spawn(&mut command).await;
    kubetally.until_ready().await;
    assert_eq!(identity(&kubetally), "system:serviceaccount:kubetally:kubetally");
    kubetally.scrape().await.expect(&OBJECTS).unwrap();
    kubetally.stop().await;

    let command = in_a_pod(&mounted, shared.server.port, &["check", "--output", "json"]);
    let checked = Checked::of(command).await;
    assert_eq!(checked.code, Some(0), "{:#}", checked.document);
    checked.finds("cluster", "ok", "from the service account").unwrap();
    checked.finds("identity", "ok", "system:serviceaccount:kubetally:kubetally").unwrap();
    Completion::Completed
}

/// Kubetally as the kubelet starts it: the service account where a pod has it, in a mount
/// namespace of its own, and two variables.
fn in_a_pod(mounted: &Path, port: u16, args: &[&str]) -> Command {
    const MOUNT: &str = "set -e
        mount -t tmpfs tmpfs /run
        mkdir -p /var/run/secrets/kubernetes.io/serviceaccount
        mount --bind \"$1\" /var/run/secrets/kubernetes.io/serviceaccount
        shift
        exec env -i \"$@\"";
    let mut command = Command::new("unshare");
    command.args(UNSHARE).args(["sh", "-c", MOUNT, "sh"]).arg(mounted);
    command.args(["KUBERNETES_SERVICE_HOST=127.0.0.1", &format!("KUBERNETES_SERVICE_PORT={port}")]);
    command.arg(env!("CARGO_BIN_EXE_kubetally")).args(args);
    command
}

async fn a_client_certificate_of_a_kubeconfig(suite: &Suite) {
    let (shared, api) = furnished(suite).await;
    let user = json!({"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "alice"});
    bind(&api, "alice", "kubetally", user).await;
    let alice = shared.cluster.user("alice", &["operators"]);
    let user = User::Certificate(&alice);
    let kubeconfig = shared.cluster.kubeconfig("alice.kubeconfig", shared.server.port, &user);
    let mut kubetally = kubetally(&kubeconfig, &[]).await;
    kubetally.until_ready().await;
    assert_eq!(identity(&kubetally), "alice");
    let scrape = kubetally.scrape().await;
    scrape.expect(&OBJECTS).unwrap();
    assert_eq!(scrape.sum("kubetally_auth_failures_total"), 0.0);
    let ends = "kubetally_tls_not_after_timestamp_seconds{certificate=\"client\"}";
    assert!(scrape.get(ends).is_some(), "no {ends}");
    kubetally.stop().await;
}

async fn a_bad_token_and_then_a_good_one(suite: &Suite) {
    let (shared, api) = furnished(suite).await;
    let (mut kubetally, file) = with_token(shared, "nobody-knows-this-token").await;
    kubetally
        .until("a 401 for each kind", |scrape| {
            for resource in ["pods", "events"] {
                let refused: f64 = scrape
                    .family("kubetally_auth_failures_total")
                    .filter(|(labels, _)| labels.starts_with("code=\"401\""))
                    .filter(|(labels, _)| labels.contains(&format!("\"{resource}\"")))
                    .map(|(_, n)| n)
                    .sum();
                if refused == 0.0 {
                    return Err(format!("no 401 for {resource}"));
                }
            }
            Ok(())
        })
        .await;
    assert_eq!(kubetally.get("/livez").await.expect("an answer").0, 200);
    assert_eq!(kubetally.get("/readyz").await.expect("an answer").0, 503);
    let scrape = kubetally.scrape().await;
    assert_eq!(scrape.family("kubetally_objects").count(), 0, "counts of what was never seen");
    assert!(scrape.sum("kubetally_auth_unauthorized_total") > 0.0);

    std::fs::write(&file, token(&api, "kubetally").await).expect("a file");
    kubetally.until_ready().await;
    kubetally.scrape().await.expect(&OBJECTS).unwrap();
    kubetally.stop().await;
}

/// Signed by the API server's own key, as it would not do it itself.
async fn a_token_past_its_end_and_one_before_its_begin(suite: &Suite) {
    let (shared, _) = furnished(suite).await;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs();
    for (cause, from, to) in
        [("expired", now - 7200, now - 3600), ("not_yet_valid", now + 3600, now + 7200)]
    {
        let token = shared.cluster.sign_token("kubetally", from, to);
        let (mut kubetally, _) = with_token(shared, &token).await;
        let series = format!("kubetally_auth_unauthorized_total{{cause=\"{cause}\"}}");
        kubetally
            .until("a 401, explained", |scrape| match scrape.get(&series) {
                Some(n) if n > 0.0 => Ok(()),
                other => Err(format!("{other:?}")),
            })
            .await;
        let scrape = kubetally.scrape().await;
        let explained: f64 = scrape.sum("kubetally_auth_unauthorized_total");
        assert_eq!(scrape.get(&series), Some(explained), "nothing but {cause}");
        let end = scrape.get("kubetally_token_expiration_timestamp_seconds");
        assert_eq!(end.map(|end| end as u64), Some(to));
        kubetally.stop().await;
    }
}

async fn a_rotated_token(suite: &Suite) {
    let (shared, api) = furnished(suite).await;
    let first = token(&api, "kubetally").await;
    let (mut kubetally, file) = with_token(shared, &first).await;
    kubetally.until_ready().await;
    let identifier = |token: &str| token.split('.').nth(1).map(str::to_owned);
    let second = token(&api, "kubetally").await;
    assert_ne!(identifier(&first), identifier(&second), "two tokens");
    std::fs::write(&file, second).expect("a file");
    let rotated = "kubetally_token_reloads_total{trigger=\"timer\",result=\"rotated\"}";
    kubetally.until_values("the rotation", &[(rotated, 1.0)]).await;
    api.must(Call::create(pods("shop"), pod("c", None))).await;
    let pods = [("kubetally_objects{resource=\"pods\"}", 3.0)];
    kubetally.until_values("a pod after the rotation", &pods).await;
    let ends = kubetally.scrape().await.sum("kubetally_watch_ends_total");
    assert_eq!(ends, 0.0, "the watches go on");
    kubetally.stop().await;
}

/// Waits for a watch of each kind to be refused by a 403.
async fn until_forbidden(kubetally: &mut Kubetally) {
    kubetally
        .until("a 403 for each kind", |scrape| {
            let refused = |resource: &str| {
                let series = format!("code=\"403\",verb=\"watch\",resource=\"{resource}\"");
                scrape.get(&format!("kubetally_auth_failures_total{{{series}}}")).unwrap_or(0.0)
            };
            match (refused("pods"), refused("events")) {
                (pods, events) if pods > 0.0 && events > 0.0 => Ok(()),
                other => Err(format!("{other:?}")),
            }
        })
        .await;
}

async fn rights_that_come_later(suite: &Suite) {
    let (shared, api) = furnished(suite).await;
    account(&api, "late").await;
    unbind(&api, "late").await;
    let token = token(&api, "late").await;
    let (mut kubetally, _) = with_token(shared, &token).await;
    until_forbidden(&mut kubetally).await;
    let (status, text) = kubetally.get("/readyz?verbose").await.expect("an answer");
    assert_eq!(status, 200, "{text}");
    assert!(text.contains("[!] pods: ") && text.contains("forbidden"), "{text}");
    assert_eq!(kubetally.scrape().await.family("kubetally_objects").count(), 0);

    bind(&api, "late", "kubetally", subject("late")).await;
    kubetally.until_values("the state, now that there are rights", &OBJECTS).await;
    kubetally.stop().await;
}

/// Rights are looked at when a watch opens: what was seen stays, and is made good afterwards.
async fn rights_that_are_taken_and_given_back(suite: &Suite) {
    let (shared, api) = furnished(suite).await;
    account(&api, "moody").await;
    bind(&api, "moody", "kubetally", subject("moody")).await;
    let proxy = Proxy::start(shared.server.port).await;
    let token = token(&api, "moody").await;
    let (mut kubetally, _) = with_token_at(shared, &token, proxy.port).await;
    kubetally.until_ready().await;

    unbind(&api, "moody").await;
    proxy.cut();
    let cut = ["pods", "events"]
        .map(|resource| format!("kubetally_watch_connected{{resource=\"{resource}\"}}"));
    let cut = cut.each_ref().map(|series| (series.as_str(), 0.0));
    kubetally.until_values("the end of the watches", &cut).await;
    proxy.mend();
    until_forbidden(&mut kubetally).await;
    api.must(Call::delete(format!("{}/a", pods("shop")))).await;
    kubetally.scrape().await.expect(&OBJECTS).unwrap();

    bind(&api, "moody", "kubetally", subject("moody")).await;
    let objects = [("kubetally_objects{resource=\"pods\"}", 1.0), OBJECTS[1]];
    kubetally.until_values("the state, now that there are rights again", &objects).await;
    kubetally.stop().await;
}

async fn one_kind_that_is_forbidden(suite: &Suite) {
    let (shared, api) = furnished(suite).await;
    account(&api, "half").await;
    let roles = "/apis/rbac.authorization.k8s.io/v1/clusterroles";
    let answer = api.send(&Call::delete(format!("{roles}/half"))).await.expect("an answer");
    assert!([200, 404].contains(&answer.status), "{answer:?}");
    let verbs = ["get", "list", "watch"];
    let rule = json!({"apiGroups": [""], "resources": ["pods"], "verbs": verbs});
    let role = json!({"metadata": {"name": "half"}, "rules": [rule]});
    api.must(Call::create(roles, role)).await;
    bind(&api, "half", "half", subject("half")).await;
    let (mut kubetally, _) = with_token(shared, &token(&api, "half").await).await;
    kubetally.until_values("the kind that is allowed", &OBJECTS[..1]).await;
    let forbidden =
        "kubetally_auth_failures_total{code=\"403\",verb=\"watch\",resource=\"events\"}";
    kubetally
        .until("the kind that is not", |scrape| match scrape.get(forbidden) {
            Some(n) if n > 0.0 => Ok(()),
            other => Err(format!("{other:?}")),
        })
        .await;
    kubetally.until_ready().await;
    assert_eq!(kubetally.scrape().await.get(OBJECTS[1].0), None);
    kubetally.stop().await;
}
