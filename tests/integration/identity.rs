//! Who we are to the server, and what happens when it does not believe it or does not let us.

use kubetally::sim::{
    Options,
    auth::Right,
    objects,
    pki::{Authority, Validity},
};
use rstest::rstest;
use serde_json::json;

use crate::{
    daemon::Daemon,
    rig::{Cluster, Scrape, USER, Watching, pod},
};

const FORBIDDEN: &str =
    "kubetally_auth_failures_total{code=\"403\",verb=\"watch\",resource=\"namespaces\"}";

#[tokio::test]
async fn a_forbidden_kind_degrades_alone_and_recovers_when_it_is_granted() {
    let cluster = Cluster::start(Options::default()).await;
    cluster.sim.put("pods", pod("shop", "a", "Running"));
    cluster.sim.put("namespaces", objects::namespace("shop"));
    let daemon = cluster.watch(&[("watch.resources", "pods,events,namespaces")]).await;
    daemon.until_ready().await;
    let scrape = daemon.until("forbidden", |scrape| scrape.value(FORBIDDEN) >= 1.0).await;
    assert!(scrape.is("kubetally_objects{resource=\"pods\"}", 1.0));
    assert!(scrape.is("kubetally_watch_synced{resource=\"namespaces\"}", 0.0));
    assert!(scrape.starting("kubetally_namespaces").is_empty());
    let (_, text) = daemon.get("/readyz?verbose").await;
    assert!(text.contains("[!] namespaces: namespaces is forbidden"), "{text}");
    let rights = ["pods", "events", "namespaces"].map(|plural| Right::to_watch("", plural));
    cluster.sim.grant(USER, rights.to_vec());
    daemon
        .until("granted", |scrape| scrape.is("kubetally_namespaces{phase=\"Active\"}", 1.0))
        .await;
}

#[tokio::test]
async fn a_token_that_was_replaced_is_read_again_on_a_401() {
    let cluster = Cluster::start(Options::default()).await;
    let daemon = cluster.watch(&[]).await;
    daemon.until_ready().await;
    cluster.sim.revoke_tokens();
    cluster.write("token", &cluster.token());
    cluster.sim.cut();
    cluster.sim.put("pods", pod("shop", "a", "Running"));
    let scrape = daemon
        .until("the pod", |scrape| scrape.is("kubetally_objects{resource=\"pods\"}", 1.0))
        .await;
    // One failed request a watch at most, and no list.
    assert!(scrape.sum("kubetally_auth_failures_total{code=\"401\"") <= 2.0, "{scrape:?}");
    assert_eq!(scrape.sum("kubetally_watch_relists_total"), 0.0);
    assert!(scrape.sum("kubetally_token_reloads_total{trigger=\"unauthorized\"") >= 1.0);
}

#[tokio::test]
async fn a_token_that_stays_refused_is_no_hot_loop_and_shows() {
    let cluster = Cluster::start(Options::default()).await;
    cluster.write("token", "made-up");
    let daemon = cluster.watch(&[("watch.resources", "pods")]).await;
    const REFUSED: &str =
        "kubetally_auth_failures_total{code=\"401\",verb=\"watch\",resource=\"pods\"}";
    const UNKNOWN: &str = "kubetally_auth_unauthorized_total{cause=\"unknown\"}";
    // Reviews are refused as well.
    let refused = |scrape: &Scrape| scrape.sum("kubetally_auth_failures_total{code=\"401\"");
    let tries = |s: &Scrape| s.value(REFUSED) >= 2.0 && s.is(UNKNOWN, refused(s));
    daemon.until("two tries, each 401 explained", tries).await;
    assert_eq!(cluster.requests("watch", "/pods"), 2, "one request a try");
    assert_eq!(daemon.get("/readyz").await.0, 503);
    assert_eq!(daemon.get("/livez").await.0, 200);
    cluster.write("token", &cluster.token());
    daemon.until_ready().await;
}

#[tokio::test]
async fn a_bad_token_file_keeps_the_last_good_token() {
    let cluster = Cluster::start(Options::default()).await;
    let daemon = cluster.watch(&[]).await;
    daemon.until_ready().await;
    cluster.write("token", "");
    const FAILED: &str = "kubetally_token_reloads_total{trigger=\"timer\",result=\"error\"}";
    daemon.until("a failed reload", |scrape| scrape.value(FAILED) >= 1.0).await;
    cluster.sim.cut();
    cluster.sim.put("pods", pod("shop", "a", "Running"));
    let scrape = daemon
        .until("the pod", |scrape| scrape.is("kubetally_objects{resource=\"pods\"}", 1.0))
        .await;
    assert_eq!(scrape.sum("kubetally_auth_failures_total"), 0.0);
}

#[rstest]
#[case::in_files(false)]
#[case::as_data(true)]
#[tokio::test]
async fn a_client_certificate_of_a_kubeconfig_is_who_we_are(#[case] data: bool) {
    use base64::{Engine, engine::general_purpose::STANDARD};
    let cluster = Cluster::start(Options::default()).await;
    cluster.sim.grant("minikube-user", vec![Right::to_anything()]);
    cluster.sim.put("pods", pod("shop", "a", "Running"));
    let identity =
        cluster.sim.authority().client("minikube-user", &["system:masters"]).expect("one");
    cluster.write("client.crt", &identity.certificate);
    cluster.write("client.key", &identity.key);
    let user = match data {
        false => json!({"client-certificate": "client.crt", "client-key": "client.key"}),
        true => json!({
            "client-certificate-data": STANDARD.encode(&identity.certificate),
            "client-key-data": STANDARD.encode(&identity.key),
        }),
    };
    let endpoint = cluster.endpoint_by(&cluster.kubeconfig(&user));
    assert_eq!(endpoint.identity(), "minikube-user");
    let daemon = Watching::start(endpoint, &[]).await;
    daemon.until_ready().await;
    let scrape = daemon.scrape().await;
    assert!(scrape.is("kubetally_objects{resource=\"pods\"}", 1.0));
    assert!(
        scrape.value("kubetally_tls_not_after_timestamp_seconds{certificate=\"client\"}") > 0.0
    );
}

#[tokio::test]
async fn a_legacy_token_in_a_kubeconfig_works() {
    let cluster = Cluster::start(Options::default()).await;
    let user = json!({"token": cluster.token()});
    let endpoint = cluster.endpoint_by(&cluster.kubeconfig(&user));
    Watching::start(endpoint, &[]).await.until_ready().await;
}

#[rstest]
#[case::expired("expired", Some(Validity::Past), &["127.0.0.1"])]
#[case::not_yet_valid("not_yet_valid", Some(Validity::Future), &["127.0.0.1"])]
#[case::other_name("name_mismatch", Some(Validity::Now), &["other.example"])]
#[case::other_issuer("unknown_issuer", None, &["127.0.0.1"])]
#[tokio::test]
async fn a_certificate_that_cannot_be_trusted_is_told_and_never_used(
    #[case] reason: &str,
    #[case] validity: Option<Validity>,
    #[case] names: &[&str],
) {
    let cluster = Cluster::start(Options::default()).await;
    let other = Authority::new().expect("an authority");
    let authority = if validity.is_some() { cluster.sim.authority() } else { &other };
    let identity = authority.server(names, validity.unwrap_or(Validity::Now)).expect("one");
    cluster.sim.serve_as(&identity).expect("usable");
    let daemon = cluster.watch(&[("watch.resources", "pods")]).await;
    let series = format!("kubetally_tls_handshake_failures_total{{reason=\"{reason}\"}}");
    daemon.until("a failed handshake", |scrape| scrape.value(&series) >= 1.0).await;
    assert!(cluster.sim.requests().is_empty(), "nothing is sent to whom we do not trust");
    let good = cluster.sim.authority().server(&["127.0.0.1"], Validity::Now).expect("one");
    cluster.sim.serve_as(&good).expect("usable");
    daemon.until_ready().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_token_is_logged_at_any_level() {
    let cluster = Cluster::start(Options::default()).await;
    let tokens = [cluster.token(), cluster.token()];
    cluster.write("token", &tokens[0]);
    let user = json!({"tokenFile": "token"});
    cluster.endpoint_by(&cluster.kubeconfig(&user));
    let levels = "trace,h2=trace,hyper=trace,hyper_util=trace,rustls=trace";
    let kubeconfig = cluster.account.path().join("config");
    let daemon = Daemon::watching(&kubeconfig, &["--log-level", levels]);
    daemon.logged("synced");
    cluster.sim.revoke_tokens();
    cluster.write("token", &tokens[1]);
    cluster.sim.cut();
    daemon.logged("Unauthorized");
    let log = daemon.log().join("\n");
    assert!(log.contains("Headers {"), "the requests were logged");
    let mut secrets = tokens.iter().flat_map(|token| token.split('.').skip(1));
    assert!(secrets.all(|part| !log.contains(part)), "a token was logged");
}
