//! A 401 against a small server with real TLS: what is read again, what is tried again, and what is
//! counted.

use std::{
    convert::Infallible,
    fs,
    net::SocketAddr,
    path::PathBuf,
    sync::{Arc, Mutex},
};

use hyper::service::service_fn;
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto,
};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use rstest::rstest;
use rustls::{
    RootCertStore, ServerConfig,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    server::WebPkiClientVerifier,
};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use super::*;
use crate::{
    api::{endpoint::Lookup, tls::Leaf},
    exposition::Format,
    kinds,
};

/// A CA, a server of it that lets in whoever shows `good`, and the files of a client.
struct Cluster {
    dir: TempDir,
    issuer: Issuer<'static, KeyPair>,
    address: SocketAddr,
    /// What came: token and name in the certificate of each request.
    seen: Arc<Mutex<Vec<String>>>,
}

fn list() -> &'static str {
    r#"{"kind":"PodList","apiVersion":"v1","metadata":{"resourceVersion":"1"},"items":[]}"#
}

fn denial() -> &'static str {
    r#"{"kind":"Status","status":"Failure","message":"Unauthorized","reason":"Unauthorized","code":401}"#
}

impl Cluster {
    async fn start(alpn: &[&str]) -> Self {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, "cluster");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("a key");
        let ca = params.self_signed(&key).expect("a certificate");
        let dir = tempfile::tempdir().expect("a folder");
        fs::write(dir.path().join("ca"), ca.pem()).expect("written");
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a listener");
        let address = listener.local_addr().expect("an address");
        let seen = Arc::default();
        let cluster = Self { dir, issuer: Issuer::new(params, key), address, seen };
        let acceptor = cluster.acceptor(ca.der().clone(), alpn);
        tokio::spawn(serve(listener, acceptor, Arc::clone(&cluster.seen)));
        cluster
    }

    fn acceptor(&self, ca: CertificateDer<'static>, alpn: &[&str]) -> TlsAcceptor {
        let (chain, key) = self.sign("127.0.0.1");
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut roots = RootCertStore::empty();
        roots.add(ca).expect("a root");
        let verifier =
            WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider));
        let verifier = verifier.allow_unauthenticated().build().expect("a verifier");
        let chain = vec![CertificateDer::from_pem_slice(chain.as_bytes()).expect("a certificate")];
        let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).expect("a key");
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_client_cert_verifier(verifier)
            .with_single_cert(chain, key)
            .expect("an identity");
        config.alpn_protocols = alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
        TlsAcceptor::from(Arc::new(config))
    }

    /// A certificate and its key.
    fn sign(&self, name: &str) -> (String, String) {
        let mut params = CertificateParams::new(vec![name.into()]).expect("a name");
        params.distinguished_name.push(DnType::CommonName, name);
        let key = KeyPair::generate().expect("a key");
        let certificate = params.signed_by(&key, &self.issuer).expect("a certificate");
        (certificate.pem(), key.serialize_pem())
    }

    fn at(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn write(&self, name: &str, content: &str) {
        fs::write(self.at(name), content).expect("written");
    }

    fn identify(&self, name: &str) {
        let (chain, key) = self.sign(name);
        self.write("cert", &chain);
        self.write("key", &key);
    }

    /// A client whose kubeconfig has these fields of its user.
    fn client(&self, user: &str) -> Client {
        let config = format!(
            "current-context: c\n\
             clusters: [{{name: c, cluster: {{server: 'https://{}', certificate-authority: ca}}}}]\n\
             users: [{{name: u, user: {{{user}}}}}]\n\
             contexts: [{{name: c, context: {{cluster: c, user: u}}}}]\n",
            self.address
        );
        self.write("config", &config);
        let lookup = Lookup {
            kubeconfig: Some(self.at("config")),
            context: None,
            env: &|_| None,
            service_account: self.at("none"),
        };
        let endpoint = Endpoint::find(&lookup).expect("a cluster");
        Client::new(endpoint, Telemetry::new(&["pods"]).expect("the catalogue is sound"))
    }

    fn seen(&self) -> Vec<String> {
        self.seen.lock().expect("no panic").clone()
    }
}

async fn serve(listener: TcpListener, acceptor: TlsAcceptor, seen: Arc<Mutex<Vec<String>>>) {
    while let Ok((stream, _)) = listener.accept().await {
        let Ok(stream) = acceptor.accept(stream).await else { continue };
        let chain = stream.get_ref().1.peer_certificates();
        let leaf = chain.and_then(|chain| Leaf::read(chain.first()?));
        let name = leaf.map(|leaf| leaf.subject).unwrap_or_default();
        let seen = Arc::clone(&seen);
        let service = service_fn(move |request: Request<Incoming>| {
            let token = request.headers().get(AUTHORIZATION).map(|value| value.to_str());
            let proof = format!("{}{name}", token.and_then(Result::ok).unwrap_or_default());
            let good = proof.contains("good");
            seen.lock().expect("no panic").push(proof);
            let mut answer =
                Response::new(Full::<Bytes>::from(if good { list() } else { denial() }));
            *answer.status_mut() = if good { 200 } else { 401 }.try_into().expect("a status");
            async { Ok::<_, Infallible>(answer) }
        });
        tokio::spawn(async move {
            let builder = auto::Builder::new(TokioExecutor::new());
            // The client closes it as it likes.
            let _closed = builder.serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

async fn open(client: &Client) -> Result<Vec<u8>, Trouble> {
    let resource = Arc::new(kinds::parse("pods").expect("pods are known"));
    let target = Target {
        resource,
        namespace: None,
        label_selector: None,
        field_selector: None,
        shard: None,
        whole: true,
        wanted: crate::wire::Wanted::Auto,
    };
    let request = machine::Request::Page { limit: 500, next: None };
    let mut answer = client.open(&target, &request, None).await?;
    let mut body = Vec::new();
    while let Some(chunk) = answer.chunk().await.expect("a whole body") {
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// The samples other than 0 of these families.
fn counted(client: &Client, names: &[&str]) -> Vec<String> {
    let names: Vec<String> = names.iter().map(|name| format!("kubetally_{name}_total")).collect();
    let mut out = Exposition::new(Format::Text, &names);
    client.telemetry.collect(&mut out);
    let text = String::from_utf8(out.finish().to_vec()).expect("UTF-8");
    let samples = text.lines().filter(|line| !line.starts_with('#') && !line.ends_with(" 0"));
    samples.map(|line| line.trim_start_matches("kubetally_").to_owned()).collect()
}

const FAMILIES: [&str; 4] = ["api_retries", "auth_failures", "auth_unauthorized", "token_reloads"];

#[rstest]
#[case::http2(&["h2", "http/1.1"])]
#[case::http1(&["http/1.1"])]
#[case::without_alpn(&[])]
#[tokio::test]
async fn a_rotated_token_is_used_at_once_by_all(#[case] alpn: &[&str]) {
    let cluster = Cluster::start(alpn).await;
    cluster.write("token", "old");
    let client = cluster.client("tokenFile: token");
    cluster.write("token", "good");
    let (one, two) = tokio::join!(open(&client), open(&client));
    assert_eq!(one.expect("an answer"), list().as_bytes());
    assert_eq!(two.expect("an answer"), list().as_bytes());
    let mut seen = cluster.seen();
    seen.sort();
    assert_eq!(seen, ["Bearer good", "Bearer good", "Bearer old", "Bearer old"]);
    assert_eq!(
        counted(&client, &FAMILIES),
        [
            "api_retries_total{verb=\"list\",resource=\"pods\"} 2",
            "auth_failures_total{code=\"401\",verb=\"list\",resource=\"pods\"} 2",
            "auth_unauthorized_total{cause=\"rotated\"} 2",
            "token_reloads_total{trigger=\"unauthorized\",result=\"rotated\"} 2",
        ]
    );
}

#[tokio::test]
async fn the_same_token_is_not_sent_twice() {
    let cluster = Cluster::start(&["h2"]).await;
    cluster.write("token", "bad");
    let client = cluster.client("tokenFile: token");
    let trouble = open(&client).await.expect_err("a 401");
    assert_eq!(trouble.failure.kind, FailureKind::Unauthorized);
    assert_eq!(cluster.seen(), ["Bearer bad"]);
    assert_eq!(
        counted(&client, &FAMILIES),
        [
            "auth_failures_total{code=\"401\",verb=\"list\",resource=\"pods\"} 1",
            "auth_unauthorized_total{cause=\"unknown\"} 1",
            "token_reloads_total{trigger=\"unauthorized\",result=\"unchanged\"} 1",
        ]
    );
}

#[tokio::test]
async fn a_token_that_is_gone_is_told_with_the_401() {
    let cluster = Cluster::start(&["h2"]).await;
    cluster.write("token", "bad");
    let client = cluster.client("tokenFile: token");
    fs::remove_file(cluster.at("token")).expect("removed");
    let trouble = open(&client).await.expect_err("a 401");
    let message = trouble.message;
    assert!(message.starts_with("Unauthorized; and cannot read the token from "), "{message}");
    assert_eq!(
        counted(&client, &["token_reloads", "auth_unauthorized"]),
        [
            "auth_unauthorized_total{cause=\"stale_file\"} 1",
            "token_reloads_total{trigger=\"unauthorized\",result=\"error\"} 1",
        ]
    );
}

#[tokio::test]
async fn a_rotated_client_certificate_is_used_at_once() {
    let cluster = Cluster::start(&["h2"]).await;
    cluster.identify("old");
    let client = cluster.client("client-certificate: cert, client-key: key");
    cluster.identify("good");
    assert_eq!(open(&client).await.expect("an answer"), list().as_bytes());
    assert_eq!(cluster.seen(), ["CN=old", "CN=good"]);
    assert_eq!(
        counted(&client, &["api_retries", "auth_unauthorized", "ca_reloads"]),
        [
            "api_retries_total{verb=\"list\",resource=\"pods\"} 1",
            "auth_unauthorized_total{cause=\"rotated\"} 1",
            "ca_reloads_total{result=\"rotated\"} 1",
        ]
    );
}

#[tokio::test]
async fn a_plugin_that_fails_runs_once_and_is_no_401() {
    let cluster = Cluster::start(&["h2"]).await;
    let plugin = "apiVersion: client.authentication.k8s.io/v1, command: sh";
    let client =
        cluster.client(&format!("exec: {{{plugin}, args: [-c, 'echo no luck >&2; exit 1']}}"));
    let message = open(&client).await.expect_err("no credential").message;
    assert!(message.contains("failed with exit status: 1: no luck"), "{message}");
    assert!(cluster.seen().is_empty());
    let counted = counted(&client, &FAMILIES);
    assert_eq!(counted, ["token_reloads_total{trigger=\"timer\",result=\"error\"} 1"]);
}

#[tokio::test]
async fn a_second_401_is_explained_too() {
    let cluster = Cluster::start(&["h2"]).await;
    cluster.write("token", "old");
    let client = cluster.client("tokenFile: token");
    let before = client.proof();
    cluster.write("token", "bad");
    let trouble = open(&client).await.expect_err("a 401");
    assert_eq!(trouble.failure.kind, FailureKind::Unauthorized);
    assert_ne!(client.proof(), before);
    assert_eq!(
        counted(&client, &["auth_failures", "auth_unauthorized"]),
        [
            "auth_failures_total{code=\"401\",verb=\"list\",resource=\"pods\"} 2",
            "auth_unauthorized_total{cause=\"rotated\"} 1",
            "auth_unauthorized_total{cause=\"unknown\"} 1",
        ]
    );
}
