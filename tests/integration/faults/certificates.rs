//! Certificates that change under way, and servers that nobody should believe.

use std::sync::Arc;

use kubetally::sim::{
    Options, Sim,
    auth::Right,
    fault::{Fault, Rule},
    pki::{Authority, Identity, Validity},
};
use rstest::rstest;
use serde_json::json;
use tokio::{io::AsyncReadExt, net::TcpListener, sync::Mutex};

use super::{PODS, WARNINGS, ends, over_http1, proxy::Proxy, soon, until_true, with_an_event};
use crate::{
    eventually::eventually,
    rig::{Cluster, Scrape, Watching, event, pod},
};

const HERE: &[&str] = &["127.0.0.1"];

async fn watching(options: Options) -> (Cluster, Watching) {
    let cluster = Cluster::start(options).await;
    cluster.sim.put("pods", pod("shop", "a", "Running"));
    let daemon = cluster.watch(&[]).await;
    daemon.until_ready().await;
    with_an_event(&cluster, &daemon).await;
    (cluster, daemon)
}

fn serve(cluster: &Cluster, identity: &Identity) {
    cluster.sim.serve_as(identity).expect("usable");
    cluster.sim.cut();
}

/// What changed is found by resuming, over connections that are verified.
async fn goes_on(cluster: &Cluster, daemon: &Watching, count: u32) {
    cluster.sim.put("pods", pod("shop", &format!("pod-{count}"), "Pending"));
    cluster.sim.put("events", event("shop", "e", count));
    let scrape = until_true(cluster, daemon, f64::from(count)).await;
    assert!(scrape.is(WARNINGS, f64::from(count)), "none twice: {scrape:?}");
    assert_eq!(scrape.sum("kubetally_watch_relists_total"), 0.0, "{scrape:?}");
}

fn failures(reason: &str) -> String {
    format!("kubetally_tls_handshake_failures_total{{reason=\"{reason}\"}}")
}

/// The server's certificate is refused for this reason, again and again, and nothing is sent.
async fn is_refused(cluster: &Cluster, daemon: &Watching, reason: &str) {
    // What was asked before the cut may still be on its way.
    let before = cluster.sim.connections();
    let refused = |scrape: &Scrape| scrape.value(&failures(reason)) >= 4.0;
    let scrape = soon(daemon, "handshakes that fail", refused).await;
    let asked = cluster.sim.requests().into_iter().filter(|seen| seen.connection > before);
    assert_eq!(asked.count(), 0, "nothing is sent to whom we do not trust");
    assert!(scrape.is(PODS, cluster.sim.objects("pods").len() as f64), "it is shown on");
    assert!(scrape.is("kubetally_watch_connected{resource=\"pods\"}", 0.0));
    assert_eq!(daemon.get("/livez").await.0, 200);
}

#[rstest]
#[case::over_http2(Options::default())]
#[case::over_http1(over_http1(Options::default()))]
#[tokio::test]
async fn fault_44_a_ca_that_rotates_with_overlap_is_followed(#[case] options: Options) {
    let (cluster, daemon) = watching(options).await;
    let new = Authority::new().expect("an authority");
    let both = format!("{}{}", cluster.sim.authority().pem(), new.pem());
    cluster.write("ca.crt", &both);
    let rotated = |n: f64| {
        move |scrape: &Scrape| {
            scrape.is("kubetally_ca_reloads_total{result=\"rotated\"}", n)
                && scrape.is("kubetally_watch_connected{resource=\"pods\"}", 1.0)
        }
    };
    daemon.until("both believed", rotated(1.0)).await;
    serve(&cluster, &new.server(HERE, Validity::Now).expect("one"));
    goes_on(&cluster, &daemon, 2).await;
    cluster.write("ca.crt", new.pem());
    daemon.until("the new one alone", rotated(2.0)).await;
    goes_on(&cluster, &daemon, 3).await;
    assert_eq!(daemon.scrape().await.value(&failures("unknown_issuer")), 0.0);
    // The old one is believed no more.
    serve(&cluster, &cluster.sim.authority().server(HERE, Validity::Now).expect("one"));
    is_refused(&cluster, &daemon, "unknown_issuer").await;
}

#[tokio::test]
async fn fault_44_a_ca_that_rotates_without_overlap_is_refused_until_its_file_follows() {
    let (cluster, daemon) = watching(Options::default()).await;
    let new = Authority::new().expect("an authority");
    serve(&cluster, &new.server(HERE, Validity::Now).expect("one"));
    is_refused(&cluster, &daemon, "unknown_issuer").await;
    cluster.write("ca.crt", "-----BEGIN CERTIFICATE-----\nhalf of it");
    const FAILED: &str = "kubetally_ca_reloads_total{result=\"error\"}";
    soon(&daemon, "a file by halves", |scrape| scrape.value(FAILED) >= 1.0).await;
    cluster.write("ca.crt", new.pem());
    goes_on(&cluster, &daemon, 2).await;
}

#[rstest]
#[case::expired("expired", Validity::Past, HERE)]
#[case::not_yet_valid("not_yet_valid", Validity::Future, HERE)]
#[case::of_another_name("name_mismatch", Validity::Now, &["other.example"])]
#[tokio::test]
async fn fault_44_a_certificate_that_goes_bad_is_told_and_never_used(
    #[case] reason: &str,
    #[case] validity: Validity,
    #[case] names: &[&str],
) {
    let (cluster, daemon) = watching(Options::default()).await;
    serve(&cluster, &cluster.sim.authority().server(names, validity).expect("one"));
    is_refused(&cluster, &daemon, reason).await;
    serve(&cluster, &cluster.sim.authority().server(HERE, Validity::Now).expect("one"));
    goes_on(&cluster, &daemon, 2).await;
}

#[rstest]
#[case::expired("expired", Some(Validity::Past), HERE)]
#[case::not_yet_valid("not_yet_valid", Some(Validity::Future), HERE)]
#[case::other_name("name_mismatch", Some(Validity::Now), &["other.example"])]
#[case::other_issuer("unknown_issuer", None, HERE)]
#[tokio::test]
async fn fault_44_a_server_that_is_not_believed_is_asked_nothing(
    #[case] reason: &str,
    #[case] validity: Option<Validity>,
    #[case] names: &[&str],
    #[values(Options::default(), over_http1(Options::default()))] options: Options,
) {
    let cluster = Cluster::start(options.clone()).await;
    cluster.sim.put("pods", pod("shop", "a", "Running"));
    let impostor = Sim::start(options).await.expect("a server");
    let authority = if validity.is_some() { cluster.sim.authority() } else { impostor.authority() };
    let identity = authority.server(names, validity.unwrap_or(Validity::Now)).expect("one");
    impostor.serve_as(&identity).expect("usable");
    let proxy = Proxy::start(&cluster).await;
    proxy.lead_to(impostor.address());
    // Whoever asks has a token, watches, probes, reviews and canary alike.
    let settings = [("probe.interval", "1s"), ("canary.namespace", "kubetally")];
    let daemon = through(&cluster, &proxy, &settings).await;
    let refused = |scrape: &Scrape| scrape.value(&failures(reason)) >= 10.0;
    daemon.until("handshakes that fail", refused).await;
    assert_eq!(impostor.requests(), [], "nothing is sent to whom we do not trust");
    proxy.lead_to(cluster.sim.address());
    daemon.until_ready().await;
    assert_eq!(impostor.requests(), []);
}

/// A kubeconfig that leads through a proxy.
async fn through(cluster: &Cluster, proxy: &Proxy, settings: &[(&str, &str)]) -> Watching {
    let mut kubeconfig = cluster.kubeconfig(&json!({"token": cluster.token()}));
    kubeconfig["clusters"][0]["cluster"]["server"] = format!("https://{}", proxy.address).into();
    Watching::start(cluster.endpoint_by(&kubeconfig), settings).await
}

/// A server without TLS, where there should be one with: it sees how a handshake begins, and no
/// more.
#[tokio::test]
async fn fault_44_a_server_without_tls_sees_no_token() {
    let cluster = Cluster::start(Options::default()).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let seen = Arc::<Mutex<Vec<Vec<u8>>>>::default();
    let collected = Arc::clone(&seen);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut bytes = vec![0; 16 * 1024];
            let read = stream.read(&mut bytes).await.unwrap_or(0);
            bytes.truncate(read);
            collected.lock().await.push(bytes);
        }
    });
    let token = cluster.token();
    let mut kubeconfig = cluster.kubeconfig(&json!({"token": token}));
    kubeconfig["clusters"][0]["cluster"]["server"] = format!("https://{address}").into();
    let endpoint = cluster.endpoint_by(&kubeconfig);
    let daemon = Watching::start(endpoint, &[("probe.interval", "1s")]).await;
    let failed = |scrape: &Scrape| scrape.sum("kubetally_tls_handshake_failures_total") >= 5.0;
    daemon.until("handshakes that fail", failed).await;
    let seen = seen.lock().await;
    const HANDSHAKE: u8 = 22;
    assert!(seen.len() >= 5 && seen.iter().all(|bytes| bytes.first() == Some(&HANDSHAKE)));
    let part = token.split('.').nth(1).expect("claims").as_bytes();
    assert!(seen.iter().all(|bytes| !bytes.windows(part.len()).any(|window| window == part)));
}

/// Who is sent elsewhere does not go there.
#[rstest]
#[case::moved(301)]
#[case::temporary(307)]
#[tokio::test]
async fn fault_44_a_redirect_is_not_followed(#[case] status: u16) {
    let cluster = Cluster::start(Options::default()).await;
    cluster.sim.put("pods", pod("shop", "a", "Running"));
    // Its certificate would be believed.
    let elsewhere = Sim::start(Options::default()).await.expect("a server");
    let identity = cluster.sim.authority().server(HERE, Validity::Now).expect("one");
    elsewhere.serve_as(&identity).expect("usable");
    let location = format!("https://{}/api/v1/pods", elsewhere.address());
    let headers = vec![("Location", &*location.leak())];
    let body = "elsewhere\n".into();
    let redirect = Fault::Answer { status, content_type: "text/plain", headers, body };
    let rule = Rule { verb: None, resource: None, ..Rule::once("", "", redirect) };
    cluster.sim.inject(Rule { times: usize::MAX, ..rule });
    let daemon = cluster.watch(&[("probe.interval", "1s")]).await;
    const RETRIES: &str = "kubetally_api_retries_total{verb=\"watch\",resource=\"pods\"}";
    daemon.until("redirects", |scrape| scrape.value(RETRIES) >= 2.0).await;
    assert_eq!(elsewhere.requests(), []);
    assert_eq!(elsewhere.connections(), 0);
    cluster.sim.heal();
    soon(&daemon, "its own server", |scrape| scrape.is(PODS, 1.0)).await;
}

#[rstest]
#[case::over_http2(Options::default())]
#[case::over_http1(over_http1(Options::default()))]
#[tokio::test]
async fn fault_45_a_client_certificate_that_rotates_renews_all_connections(
    #[case] options: Options,
) {
    let cluster = Cluster::start(options).await;
    cluster.sim.put("pods", pod("shop", "a", "Running"));
    let write = |user: &str| {
        cluster.sim.grant(user, vec![Right::to_anything()]);
        let identity = cluster.sim.authority().client(user, &["watchers"]).expect("one");
        cluster.write("client.crt", &identity.certificate);
        cluster.write("client.key", &identity.key);
    };
    write("before");
    let user = json!({"client-certificate": "client.crt", "client-key": "client.key"});
    let daemon = Watching::start(cluster.endpoint_by(&cluster.kubeconfig(&user)), &[]).await;
    daemon.until_ready().await;
    with_an_event(&cluster, &daemon).await;
    let before = cluster.sim.connections();
    write("after");
    let renewed = |scrape: &Scrape| {
        let ended = |of| scrape.is(&ends(of, "rotated"), 1.0);
        ended("pods") && ended("events") && scrape.sum("kubetally_watch_connected") >= 2.0
    };
    eventually("new connections", async || {
        super::later(1).await;
        let scrape = daemon.scrape().await;
        if renewed(&scrape) { Ok(()) } else { Err(format!("{scrape:?}")) }
    })
    .await;
    assert!(cluster.sim.connections() >= before + 2);
    // The old one is worth nothing any more, and nobody notices.
    cluster.sim.grant("before", vec![]);
    goes_on(&cluster, &daemon, 2).await;
    assert_eq!(daemon.scrape().await.sum("kubetally_auth_failures_total"), 0.0);
}
