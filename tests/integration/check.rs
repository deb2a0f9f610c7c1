//! `kubetally check` as somebody at a terminal meets it: what it finds in each state of a cluster,
//! what it says to do, how it ends.

use kubetally::sim::{
    Options,
    auth::Right,
    fault::{Fault, Rule},
    pki::{Authority, Validity},
};
use rstest::rstest;
use serde_json::{Value, json};

use crate::{
    binary::{Ended, ended, kubetally},
    rig::{Cluster, USER},
};

const STEPS: [&str; 15] = [
    "configuration",
    "cluster",
    "name",
    "connect",
    "tls",
    "identity",
    "token",
    "clock",
    "ready",
    "version",
    "permission",
    "latency",
    "streaming list",
    "protobuf",
    "endpoints",
];

/// What a check found.
struct Checked {
    code: Option<i32>,
    document: Value,
}

impl Checked {
    /// What it found at a step; at several, the worst of it.
    fn at(&self, step: &str) -> &Value {
        let order = ["ok", "skipped", "warning", "failed"];
        let found = self.document["findings"].as_array().expect("findings").iter();
        let found = found.filter(|finding| finding["step"] == step);
        let badness = |finding: &&Value| order.iter().position(|known| finding["status"] == *known);
        found.max_by_key(badness).unwrap_or_else(|| panic!("no {step} in {}", self.document))
    }

    fn assert(&self, step: &str, status: &str, text: &str, remedy: &str) {
        let found = self.at(step);
        let part = |of: &Value, part: &str| of.as_str().unwrap_or_default().contains(part);
        let right = found["status"] == status
            && part(&found["text"], text)
            && part(&found["remedy"], remedy);
        assert!(right, "{found:#} is not {status} with {text:?} and {remedy:?}");
    }

    /// Whatever was not reached is told of as such.
    fn assert_nothing_after(&self, step: &str) {
        let after = STEPS.iter().skip_while(|known| **known != step).skip(1);
        for step in after {
            assert_eq!(self.at(step)["status"], "skipped", "{step} in {:#}", self.document);
        }
    }
}

async fn run(cluster: &Cluster, arguments: &[&str]) -> Ended {
    cluster.write("config", &cluster.kubeconfig(&json!({"tokenFile": "token"})).to_string());
    let mut command = kubetally(&["check"]);
    command.args(arguments).env("KUBECONFIG", cluster.account.path().join("config"));
    tokio::task::spawn_blocking(move || ended(&mut command)).await.expect("no panic")
}

async fn check(cluster: &Cluster, arguments: &[&str]) -> Checked {
    let Ended { code, stdout, .. } =
        run(cluster, &[&["--output", "json"], arguments].concat()).await;
    let document =
        serde_json::from_str(&stdout).unwrap_or_else(|error| panic!("{error}: {stdout}"));
    let checked = Checked { code, document };
    let steps = checked.document["findings"].as_array().expect("findings").iter();
    let mut steps: Vec<_> =
        steps.map(|finding| finding["step"].as_str().expect("a step")).collect();
    steps.dedup();
    assert_eq!(steps, STEPS, "each step is told of, in order");
    checked
}

async fn healthy() -> Cluster {
    let cluster = Cluster::start(Options::default()).await;
    cluster.sim.grant(USER, vec![Right::to_anything()]);
    cluster
}

#[tokio::test]
async fn all_is_well() {
    let cluster = healthy().await;
    let checked = check(&cluster, &["--resources", "pods,nodes"]).await;
    assert_eq!((checked.code, &checked.document["worst"]), (Some(0), &json!("ok")));
    checked.assert("configuration", "ok", "watch.resources = pods,nodes (--resources)", "");
    checked.assert("cluster", "ok", "https://127.0.0.1:", "");
    checked.assert("tls", "ok", "TLS 1.3, HTTP/2", "");
    checked.assert("tls", "ok", "CN=kube-apiserver, signed by CN=kubetally-sim-ca, ends 20", "");
    checked.assert("identity", "ok", USER, "");
    checked.assert("token", "ok", "expires 20", "");
    checked.assert("clock", "ok", "the same, give or take", "");
    checked.assert("permission", "ok", "nodes: may list, watch", "");
    checked.assert("streaming list", "ok", "of nodes in", "");
    let secret = cluster.token();
    assert!(!checked.document.to_string().contains(&secret[..20]), "no part of a token is told");
}

#[tokio::test]
async fn as_text_a_line_a_step() {
    let cluster = healthy().await;
    let Ended { code, stdout, stderr } = run(&cluster, &["--resources", "pods"]).await;
    assert_eq!((code, &*stderr), (Some(0), ""));
    let begin = |line: &&str| line.starts_with("+ ");
    let steps: Vec<_> = stdout.lines().filter(begin).map(|line| line[2..17].trim_end()).collect();
    // The simulated server speaks no protobuf, which is no fault.
    assert_eq!(steps, STEPS, "{stdout}");
    assert!(!stdout.contains('\x1b'), "no colours but on a terminal");
    let colourful = run(&cluster, &["--resources", "pods", "--color", "always"]).await;
    assert!(colourful.stdout.contains("\x1b[32m+\x1b[0m identity"), "{}", colourful.stdout);
}

#[tokio::test]
async fn a_right_is_missing() {
    let cluster = Cluster::start(Options::default()).await;
    let checked = check(&cluster, &["--resources", "pods,jobs"]).await;
    assert_eq!(checked.code, Some(2));
    checked.assert(
        "permission",
        "failed",
        "jobs: may not list, watch",
        "{apiGroups: [batch], resources: [jobs], verbs: [list, watch]}",
    );
    checked.assert("streaming list", "ok", "of pods", "");
    let Ended { code, stdout, stderr } = run(&cluster, &["--resources", "pods,jobs"]).await;
    assert_eq!((code, &*stderr), (Some(2), "kubetally: 1 failed\n"));
    assert!(stdout.contains("x permission      jobs: may not list, watch\n"), "{stdout}");
    assert!(stdout.contains("\n                  -> add to a ClusterRole"), "{stdout}");
}

#[tokio::test]
async fn a_right_is_missing_in_a_namespace() {
    let cluster = Cluster::start(Options::default()).await;
    cluster.sim.grant(USER, vec![]);
    let checked = check(&cluster, &["--resources", "pods", "--namespaces", "shop"]).await;
    checked.assert("permission", "failed", "pods in shop: may not", "add to a Role in shop");
    checked.assert("streaming list", "skipped", "nothing may be listed and watched", "");
}

#[tokio::test]
async fn nobody_listens() {
    let cluster = healthy().await;
    cluster.sim.fall();
    let checked = check(&cluster, &[]).await;
    assert_eq!(checked.code, Some(2));
    checked.assert(
        "connect",
        "failed",
        "cannot connect to 127.0.0.1:",
        "whether the API server runs",
    );
    checked.assert_nothing_after("connect");
}

#[test]
fn there_is_no_cluster() {
    let Ended { code, stdout, .. } = ended(&mut kubetally(&["check"]));
    assert_eq!(code, Some(2));
    assert!(stdout.contains("x cluster         none found. Looked for:"), "{stdout}");
    assert!(stdout.contains("$KUBERNETES_SERVICE_HOST"), "{stdout}");
    assert!(stdout.contains("- protobuf        there is no cluster to ask"), "{stdout}");
    assert!(stdout.contains("- endpoints       there is no cluster to ask"), "{stdout}");
}

#[tokio::test]
async fn a_shard_that_has_no_number_is_found_before_the_daemon_finds_it() {
    let cluster = healthy().await;
    let flags = ["--resources", "pods", "--shards", "3", "--shard", "auto"];
    let checked = check(&cluster, &flags).await;
    assert_eq!(checked.code, Some(2));
    checked.assert("configuration", "failed", "$POD_NAME is not set", "a number");
    checked.assert_nothing_after("configuration");
}

#[tokio::test]
async fn servers_beside_are_looked_at_whatever_the_first_one_does() {
    let cluster = healthy().await;
    let address = cluster.sim.address();
    let beside = format!("beside=https://{address}");
    let nobody = "nobody=https://127.0.0.1:1,localhost";
    let flags = ["--resources", "pods", "--probe-endpoint", &beside, "--probe-endpoint", nobody];
    let checked = check(&cluster, &flags).await;
    assert_eq!(checked.code, Some(2));
    checked.assert("endpoints", "failed", "nobody, https://127.0.0.1:1: cannot", "nothing listens");
    let findings = checked.document["findings"].as_array().expect("findings");
    let told = findings.iter().map(|finding| finding["text"].as_str().expect("a text"));
    let told: Vec<_> = told.filter(|text| text.starts_with("beside, https://127.0.0.1:")).collect();
    assert!(told.iter().any(|text| text.contains(": ok in ")), "{told:?}");

    cluster.write("token", "made-up");
    let checked = check(&cluster, &flags).await;
    checked.assert("identity", "failed", "401", "");
    checked.assert("protobuf", "skipped", "does not accept our credentials", "");
    checked.assert("endpoints", "failed", "nobody, https://127.0.0.1:1: cannot", "nothing listens");
}

#[tokio::test]
async fn a_name_does_not_resolve() {
    let cluster = healthy().await;
    let mut kubeconfig = cluster.kubeconfig(&json!({}));
    kubeconfig["clusters"][0]["cluster"]["server"] = "https://nowhere.invalid".into();
    cluster.write("elsewhere", &kubeconfig.to_string());
    let path = cluster.account.path().join("elsewhere");
    let path = path.to_str().expect("a path");
    let checked = check(&cluster, &["--kubeconfig", path]).await;
    checked.assert("name", "failed", "cannot resolve nowhere.invalid", "DNS");
    checked.assert_nothing_after("name");
}

#[rstest]
#[case::expired(&["127.0.0.1"], Validity::Past, "expired at", "renew the API server's certificate")]
#[case::too_early(&["127.0.0.1"], Validity::Future, "is valid from", "clocks")]
#[case::wrong_name(&["elsewhere.example"], Validity::Now, "elsewhere.example", "tls-server-name")]
#[tokio::test]
async fn a_certificate_is_not_acceptable(
    #[case] names: &[&str],
    #[case] validity: Validity,
    #[case] text: &str,
    #[case] remedy: &str,
) {
    let cluster = healthy().await;
    let identity = cluster.sim.authority().server(names, validity).expect("one");
    cluster.sim.serve_as(&identity).expect("usable");
    let checked = check(&cluster, &[]).await;
    checked.assert("tls", "failed", text, remedy);
    checked.assert_nothing_after("tls");
}

#[tokio::test]
async fn the_issuer_is_unknown() {
    let cluster = healthy().await;
    cluster.write("ca.crt", Authority::new().expect("another").pem());
    let checked = check(&cluster, &[]).await;
    checked.assert("tls", "failed", "CN=kubetally-sim-ca", "give the CA that signed it");
}

#[tokio::test]
async fn a_token_is_refused() {
    let cluster = healthy().await;
    cluster.write("token", "made-up");
    let checked = check(&cluster, &[]).await;
    assert_eq!(checked.code, Some(2));
    checked.assert("identity", "failed", "401: Unauthorized", "made for another cluster");
    checked.assert("token", "skipped", "it tells no times", "");
    checked.assert("clock", "ok", "the same", "");
    checked.assert_nothing_after("clock");
    assert!(!checked.document.to_string().contains("made-up"));
}

#[tokio::test]
async fn a_token_is_expired_by_the_servers_clock() {
    let cluster = healthy().await;
    cluster.sim.skew(7_200);
    let checked = check(&cluster, &[]).await;
    checked.assert("identity", "failed", "401: Unauthorized", "the token has expired");
    checked.assert("token", "failed", "expires", "the token has expired");
    checked.assert("clock", "warning", "ahead of ours", "NTP");
}

#[rstest]
#[case(5, "ahead of ours")]
#[case(-5, "behind ours")]
#[tokio::test]
async fn a_clock_is_wrong(#[case] seconds: i64, #[case] text: &str) {
    let cluster = healthy().await;
    cluster.sim.skew(seconds);
    let checked = check(&cluster, &["--resources", "pods"]).await;
    assert_eq!(checked.code, Some(1), "{:#}", checked.document);
    checked.assert("clock", "warning", text, "NTP");
}

#[tokio::test]
async fn the_server_has_too_much_to_do() {
    let cluster = healthy().await;
    let fault = Fault::too_many_requests();
    cluster.sim.inject(Rule { verb: None, resource: None, skip: 0, times: usize::MAX, fault });
    let checked = check(&cluster, &[]).await;
    checked.assert("permission", "failed", "Too many requests", "FlowSchemas");
}

#[tokio::test]
async fn a_server_that_does_not_answer_takes_no_longer_than_it_may() {
    let cluster = healthy().await;
    let fault = Fault::Silence;
    cluster.sim.inject(Rule { verb: None, resource: None, skip: 0, times: usize::MAX, fault });
    let checked = check(&cluster, &["--timeout", "1s"]).await;
    checked.assert("identity", "failed", "not done within 1 s", "--timeout");
    checked.assert_nothing_after("identity");
}
