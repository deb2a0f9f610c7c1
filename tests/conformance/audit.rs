//! The API server's audit webhook, by the policy and the kubeconfig that are shipped: what other
//! clients suffer is counted, under the name of each.

use std::{
    path::{Path, PathBuf},
    time::{SystemTime, UNIX_EPOCH},
};

use kubetally::sim::pki::{Authority, Validity};

use crate::{
    access::{account, token},
    api::{Api, Login},
    cluster::{ApiServer, Cluster, User, free_ports},
    daemon::Kubetally,
    deploy,
    suite::{Shared, Suite, kubetally, tests},
};

tests![what_other_clients_suffer];

/// The name by which the shipped kubeconfig verifies the receiver, and its port.
const SERVICE: &str = "kubetally-audit.kubetally.svc";
/// What is for the API server's machine.
const SHIPPED: &str = "deploy/components/audit";
const TOKEN: &str = "a-token-of-the-audit-webhook";

/// The folder of the API server's side: the shipped files, and what stands beside them.
fn files(cluster: &Cluster, port: u16) -> PathBuf {
    let shipped = |name: &str| {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(SHIPPED).join(name);
        std::fs::read_to_string(path).expect("a file that is shipped")
    };
    let dir = cluster.dir().join("audit");
    std::fs::create_dir_all(&dir).expect("a folder");
    let authority = Authority::new().expect("a CA");
    let identity = authority.server(&[SERVICE], Validity::Now).expect("a certificate");
    let service = format!("https://{SERVICE}:8443/");
    let webhook = shipped("webhook.yaml");
    assert!(webhook.contains(&service), "{webhook}");
    for (name, text) in [
        ("policy.yaml", shipped("policy.yaml")),
        ("webhook.yaml", webhook.replace(&service, &format!("https://127.0.0.1:{port}/"))),
        ("ca.crt", authority.pem().to_owned()),
        ("token", TOKEN.to_owned()),
        ("tls.crt", identity.certificate),
        ("tls.key", identity.key),
        ("tokens", "another-token-than-the-right-one".to_owned()),
    ] {
        std::fs::write(dir.join(name), text).expect("a file");
    }
    dir
}

/// An API server that sends its audit events to a port of loopback.
async fn audited(cluster: &Cluster, files: &Path) -> ApiServer {
    let file = |name: &str| files.join(name).display().to_string();
    cluster
        .api_server(&[
            &format!("--audit-policy-file={}", file("policy.yaml")),
            &format!("--audit-webhook-config-file={}", file("webhook.yaml")),
            "--audit-webhook-batch-max-wait=1s",
            "--audit-webhook-initial-backoff=2s",
        ])
        .await
}

/// Kubetally as its service account, with a receiver.
async fn receiving(shared: &Shared, api: &Api, files: &Path, port: u16) -> Kubetally {
    let own = shared.cluster.dir().join("token");
    std::fs::write(&own, token(api, "kubetally").await).expect("a file");
    let user = User::TokenFile(&own);
    let kubeconfig = shared.cluster.kubeconfig("audit.kubeconfig", shared.server.port, &user);
    let flag = |flag: &str, name: &str| format!("--audit-{flag}={}", files.join(name).display());
    let flags = [
        format!("--audit-listen=127.0.0.1:{port}"),
        flag("certificate", "tls.crt"),
        flag("key", "tls.key"),
        flag("token-file", "tokens"),
    ];
    kubetally(&kubeconfig, &flags.each_ref().map(String::as_str)).await
}

/// Asks for a path as somebody, and wants this status.
async fn ask(server: &ApiServer, login: Login<'_>, path: &str, status: u16) {
    let answer = server.api(login).get(path).await.expect("an answer");
    assert_eq!(answer.status, status, "{path}: {}", answer.text());
}

async fn what_other_clients_suffer(suite: &Suite) {
    let cluster = Cluster::start(&suite.assets).await;
    let [port] = free_ports();
    let files = files(&cluster, port);
    let server = audited(&cluster, &files).await;
    let shared = Shared { server, cluster };
    let (server, cluster) = (&shared.server, &shared.cluster);
    deploy::apply(&shared);
    let api = server.admin();
    account(&api, "web").await;
    let web = token(&api, "web").await;
    let mut kubetally = receiving(&shared, &api, &files, port).await;
    kubetally.until_ready().await;

    // Nothing is taken with the wrong token; the API server sends it again.
    let unauthorized = "kubetally_audit_batches_total{result=\"unauthorized\"}";
    kubetally
        .until("a batch that is refused", |scrape| match scrape.get(unauthorized) {
            Some(refused) if refused > 0.0 => Ok(()),
            other => Err(format!("{other:?}")),
        })
        .await;
    let scrape = kubetally.scrape().await;
    assert_eq!(scrape.sum("kubetally_audit_requests_total"), 0.0);
    std::fs::write(files.join("tokens"), TOKEN).expect("a file");

    let [alice, node, scheduler] = [
        cluster.user("alice", &["operators"]),
        cluster.user("system:node:n1", &["system:nodes"]),
        cluster.user("system:kube-scheduler", &[]),
    ];
    for _ in 0..3 {
        ask(server, Login::Token("nobody-knows-this-token"), "/api/v1/pods", 401).await;
    }
    for _ in 0..2 {
        ask(server, Login::Token(&web), "/api/v1/namespaces/shop/secrets/password", 403).await;
    }
    // One that should have been replaced by now.
    let path = "/api/v1/namespaces/kubetally/serviceaccounts/web";
    let uid = api.list(path).await["metadata"]["uid"].as_str().expect("a UID").to_owned();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs();
    let stale = cluster.stale_token("web", &uid, now - 60);
    ask(server, Login::Token(&stale), "/api/v1/namespaces/shop/secrets/password", 403).await;
    ask(server, Login::Anonymous, "/api/v1/nodes", 403).await;
    ask(server, Login::Certificate(&alice), "/apis/apps/v1/deployments", 403).await;
    ask(server, Login::Certificate(&node), "/api/v1/secrets", 403).await;
    let watch = "/api/v1/pods?watch=1&timeoutSeconds=1";
    ask(server, Login::Certificate(&scheduler), watch, 200).await;
    api.list("/api/v1/componentstatuses").await;

    let request = |user: &str, verb: &str, code: u16, decision: &str| {
        format!(
            "kubetally_audit_requests_total{{user=\"{user}\",verb=\"{verb}\",code=\"{code}\",\
             decision=\"{decision}\"}}"
        )
    };
    let expected = [
        (request("unknown", "list", 401, "none"), 3.0),
        (request("service_account", "get", 403, "forbid"), 3.0),
        (request("anonymous", "list", 403, "forbid"), 1.0),
        (request("human", "list", 403, "forbid"), 1.0),
        (request("node", "list", 403, "forbid"), 1.0),
        (request("system", "watch", 200, "allow"), 1.0),
        (
            "kubetally_audit_auth_failures_total{code=\"403\",decision=\"forbid\",\
             namespace=\"kubetally\",service_account=\"web\"}"
                .into(),
            3.0,
        ),
        (
            "kubetally_audit_stale_token_requests_total{namespace=\"kubetally\",\
             service_account=\"web\"}"
                .into(),
            1.0,
        ),
        (
            "kubetally_audit_resource_requests_total{verb=\"get\",resource=\"secrets\",\
             code=\"403\"}"
                .into(),
            3.0,
        ),
        (
            "kubetally_audit_deprecated_requests_total{user=\"human\",api_version=\"v1\",\
             resource=\"componentstatuses\",removed_release=\"\"}"
                .into(),
            1.0,
        ),
    ];
    let expected = expected.each_ref().map(|(series, value)| (series.as_str(), *value));
    kubetally.until_values("what each client suffers", &expected).await;
    let scrape = kubetally.scrape().await;
    // What Kubetally asks for itself the policy leaves out: the only service account is the other.
    let accounts: f64 = scrape
        .family("kubetally_audit_requests_total")
        .filter(|(labels, _)| labels.starts_with("user=\"service_account\""))
        .map(|(_, count)| count)
        .sum();
    assert_eq!(accounts, 3.0);
    let unusable = "kubetally_audit_events_total{result=\"unusable\"}";
    scrape.expect(&[(unusable, 0.0)]).unwrap();
    for secret in [TOKEN, &web, &stale] {
        assert!(!kubetally.log().contains(secret), "a token is logged");
    }
    kubetally.stop().await;
}
