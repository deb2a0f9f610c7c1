//! `kubetally check` at a real API server, healthy and not; what is wrong shows under its own cause
//! in the daemon's metrics too.

use std::{
    path::{Path, PathBuf},
    process::Command,
    time::{SystemTime, UNIX_EPOCH},
};

use serde_json::Value;

use crate::{
    access::{account, bind, furnished, subject, token, unbind},
    cluster::{Cluster, User},
    daemon::Kubetally,
    eventually::eventually,
    proxy::Proxy,
    suite::{Shared, Suite, kubetally, namespace, tests},
};

tests![
    a_healthy_cluster_is_found_healthy,
    tokens_that_are_refused,
    a_right_that_is_missing_and_granted,
    an_api_server_that_is_stopped_and_one_that_is_frozen,
    an_api_server_that_is_cut_off,
];

/// What `kubetally check` found with a kubeconfig and these flags.
pub struct Checked {
    pub code: Option<i32>,
    pub document: Value,
}

pub async fn check(kubeconfig: &Path, flags: &[&str]) -> Checked {
    let mut command = Command::new(env!("CARGO_BIN_EXE_kubetally"));
    command.args(["check", "--output", "json", "--kubeconfig"]).arg(kubeconfig).args(flags);
    command.env_clear();
    Checked::of(command).await
}

impl Checked {
    /// What a command found that prints its findings as JSON.
    pub async fn of(mut command: Command) -> Self {
        let output = tokio::task::spawn_blocking(move || command.output()).await.expect("no panic");
        let output = output.expect("it can be run");
        let text = String::from_utf8(output.stdout).expect("UTF-8");
        let document =
            serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"));
        Self { code: output.status.code(), document }
    }

    /// Whether a step has a finding of this status with this text in it.
    pub fn finds(&self, step: &str, status: &str, text: &str) -> Result<(), String> {
        let findings = self.document["findings"].as_array().expect("findings");
        let found = findings.iter().any(|finding| {
            finding["step"] == step
                && finding["status"] == status
                && finding["text"].as_str().is_some_and(|told| told.contains(text))
        });
        let told = || format!("{step} is not {status} with {text:?} in {:#}", self.document);
        found.then_some(()).ok_or_else(told)
    }
}

/// Waits until it shows this series, above 0.
async fn until_shown(kubetally: &mut Kubetally, series: &str) {
    kubetally
        .until(series, |scrape| match scrape.get(series) {
            Some(n) if n > 0.0 => Ok(()),
            other => Err(format!("{series} is {other:?}")),
        })
        .await;
}

/// The daemon shows this series, above 0, and the check finds that.
async fn shows(kubeconfig: &Path, series: &str, (step, text): (&str, &str)) {
    let mut kubetally = kubetally(kubeconfig, &[]).await;
    until_shown(&mut kubetally, series).await;
    kubetally.stop().await;
    let checked = check(kubeconfig, &[]).await;
    assert_eq!(checked.code, Some(2), "{:#}", checked.document);
    checked.finds(step, "failed", text).unwrap();
}

/// A kubeconfig with this token.
fn with_token(shared: &Shared, token: &str) -> PathBuf {
    let file = shared.cluster.dir().join("failing-token");
    std::fs::write(&file, token).expect("a file");
    let user = User::TokenFile(&file);
    shared.cluster.kubeconfig("failing.kubeconfig", shared.server.port, &user)
}

async fn a_healthy_cluster_is_found_healthy(suite: &Suite) {
    let (shared, api) = furnished(suite).await;
    let kubeconfig = with_token(shared, &token(&api, "kubetally").await);
    let checked = check(&kubeconfig, &[]).await;
    assert_eq!(checked.code, Some(0), "{:#}", checked.document);
    let ok = |step, text| checked.finds(step, "ok", text).unwrap();
    ok("tls", "TLS 1.3, HTTP/2");
    ok("identity", "system:serviceaccount:kubetally:kubetally");
    ok("token", "expires");
    ok("clock", "the same, give or take");
    ok("ready", "ok");
    ok("version", "v1.");
    ok("permission", "jobs: may list, watch");
    ok("streaming list", "of ");
    ok("protobuf", "come as protobuf");
}

async fn tokens_that_are_refused(suite: &Suite) {
    let (shared, _) = furnished(suite).await;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs();
    let expired = shared.cluster.sign_token("kubetally", now - 7200, now - 3600);
    for (token, cause) in [("nobody-knows-this-token", "unknown"), (&*expired, "expired")] {
        let kubeconfig = with_token(shared, token);
        let series = format!("kubetally_auth_unauthorized_total{{cause=\"{cause}\"}}");
        shows(&kubeconfig, &series, ("identity", "401: Unauthorized")).await;
    }
}

async fn a_right_that_is_missing_and_granted(suite: &Suite) {
    let (shared, api) = furnished(suite).await;
    account(&api, "checked").await;
    unbind(&api, "checked").await;
    let kubeconfig = with_token(shared, &token(&api, "checked").await);
    let checked = check(&kubeconfig, &["--resources", "pods,jobs"]).await;
    assert_eq!(checked.code, Some(2));
    checked.finds("permission", "failed", "pods: may not list, watch").unwrap();
    bind(&api, "checked", "kubetally", subject("checked")).await;
    // The API server's authorizer hears of it a moment later.
    eventually("the right", async || {
        let checked = check(&kubeconfig, &["--resources", "pods,jobs"]).await;
        checked.finds("permission", "ok", "pods: may list, watch")?;
        checked.finds("permission", "ok", "jobs: may list, watch")
    })
    .await;
}

async fn an_api_server_that_is_stopped_and_one_that_is_frozen(suite: &Suite) {
    let cluster = Cluster::start(&suite.assets).await;
    let mut server = cluster.api_server(&[]).await;
    namespace(&server.admin(), "shop").await;
    let kubeconfig = cluster.admin_kubeconfig(server.port);
    let mut kubetally = kubetally(&kubeconfig, &[]).await;
    kubetally.until_ready().await;

    server.freeze();
    let frozen = "kubetally_watch_ends_total{resource=\"pods\",cause=\"ping_timeout\"}";
    kubetally.until_values("the ping that is not answered", &[(frozen, 1.0)]).await;
    let checked = check(&kubeconfig, &["--timeout", "2s"]).await;
    checked.finds("tls", "failed", "not done within 2 s").unwrap();

    server.kill();
    let refused = "kubetally_api_transport_errors_total{reason=\"refused\"}";
    until_shown(&mut kubetally, refused).await;
    let checked = check(&kubeconfig, &[]).await;
    assert_eq!(checked.code, Some(2));
    checked.finds("connect", "failed", "cannot connect to 127.0.0.1:").unwrap();
    kubetally.stop().await;
}

/// Whatever is sent is lost: by who has a connection, and by who wants one.
async fn an_api_server_that_is_cut_off(suite: &Suite) {
    let (shared, api) = furnished(suite).await;
    let proxy = Proxy::start(shared.server.port).await;
    let file = shared.cluster.dir().join("cut-off.token");
    std::fs::write(&file, token(&api, "kubetally").await).expect("a file");
    let user = User::TokenFile(&file);
    let kubeconfig = shared.cluster.kubeconfig("cut-off.kubeconfig", proxy.port, &user);
    let mut kubetally = kubetally(&kubeconfig, &["--probe-interval", "1s"]).await;
    kubetally.until_ready().await;

    proxy.swallow();
    let silent = "kubetally_watch_ends_total{resource=\"pods\",cause=\"ping_timeout\"}";
    kubetally.until_values("the ping that is not answered", &[(silent, 1.0)]).await;
    let lost = "kubetally_api_transport_errors_total{reason=\"connect_timeout\"}";
    until_shown(&mut kubetally, lost).await;
    let down = [("kubetally_api_up{endpoint=\"default\"}", 0.0)];
    kubetally.until_values("that it is down", &down).await;
    let checked = check(&kubeconfig, &[]).await;
    assert_eq!(checked.code, Some(2));
    checked.finds("connect", "failed", "no answer within 10 s").unwrap();

    proxy.mend();
    let watched = [
        ("kubetally_watch_connected{resource=\"pods\"}", 1.0),
        ("kubetally_api_up{endpoint=\"default\"}", 1.0),
    ];
    kubetally.until_values("the way back", &watched).await;
    kubetally.stop().await;
}
