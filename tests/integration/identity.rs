//! Who we are to the server, and what happens when it does not believe it or does not let us.

use kubetally::sim::{Options, auth::Right};
use rstest::rstest;
use serde_json::json;

use crate::{
    daemon::Daemon,
    rig::{Cluster, Watching, pod},
};

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
