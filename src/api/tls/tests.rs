//! Real handshakes, in memory, with certificates made on the spot: what is verified, what goes
//! wrong in words, and what rotates.

use std::{fs, io, path::PathBuf, sync::Arc};

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    date_time_ymd,
};
use rstest::rstest;
use rustls::{ServerConfig, pki_types::PrivatePkcs8KeyDer, server::WebPkiClientVerifier};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_rustls::{TlsAcceptor, TlsConnector};

use super::*;
use crate::api::TlsFailure;

/// A certificate authority.
struct Ca {
    pem: String,
    issuer: Issuer<'static, KeyPair>,
}

/// A certificate and its key.
struct Identity {
    chain: String,
    key: String,
}

impl Ca {
    fn new(name: &str) -> Self {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("a key");
        let pem = params.self_signed(&key).expect("a certificate").pem();
        Self { pem, issuer: Issuer::new(params, key) }
    }

    fn sign(&self, name: &str, change: impl FnOnce(&mut CertificateParams)) -> Identity {
        let mut params = CertificateParams::new(vec![name.into()]).expect("a name");
        params.distinguished_name.push(DnType::CommonName, name);
        change(&mut params);
        let key = KeyPair::generate().expect("a key");
        let certificate = params.signed_by(&key, &self.issuer).expect("a certificate");
        Identity { chain: certificate.pem(), key: key.serialize_pem() }
    }

    fn server(&self) -> Identity {
        self.sign("api.test", |_| {})
    }

    fn client(&self, name: &str) -> Identity {
        self.sign(name, |params| {
            params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        })
    }
}

/// A server's side: its identity, and the CA whose clients it demands.
fn server(identity: &Identity, clients: Option<&Ca>) -> TlsAcceptor {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .expect("versions");
    let builder = match clients {
        None => builder.with_no_client_auth(),
        Some(ca) => {
            let mut roots = RootCertStore::empty();
            for certificate in certificates(ca.pem.as_bytes()).expect("certificates") {
                roots.add(certificate).expect("a root");
            }
            let verifier =
                WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build();
            builder.with_client_cert_verifier(verifier.expect("a verifier"))
        }
    };
    let chain = certificates(identity.chain.as_bytes()).expect("certificates");
    let key = PrivatePkcs8KeyDer::from_pem_slice(identity.key.as_bytes()).expect("a key");
    let mut config = builder.with_single_cert(chain, key.into()).expect("an identity");
    config.alpn_protocols = vec![b"h2".to_vec()];
    TlsAcceptor::from(Arc::new(config))
}

/// Shakes hands; gives the name that the server saw of the client, if it demanded one.
async fn shake(tls: &Tls, server: &TlsAcceptor) -> Result<Option<String>, io::Error> {
    let (near, far) = tokio::io::duplex(64 * 1024);
    let (config, name) = tls.connector();
    let client = async {
        let mut stream = TlsConnector::from(config).connect(name, near).await?;
        assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
        // With TLS 1.3 a server refuses a client's certificate only now.
        let mut byte = [0];
        stream.read_exact(&mut byte).await?;
        Ok::<_, io::Error>(())
    };
    let accepted = async {
        let mut stream = server.accept(far).await?;
        stream.write_all(b"x").await?;
        let chain = stream.get_ref().1.peer_certificates();
        let leaf = chain.and_then(|chain| Leaf::read(chain.first()?));
        Ok::<_, io::Error>(leaf.and_then(|leaf| leaf.common_name()))
    };
    let (client, accepted) = tokio::join!(client, accepted);
    client?;
    accepted
}

fn data(pem: &str) -> Source {
    Source::Data(pem.as_bytes().to_vec())
}

fn trusting(ca: &Ca, host: &str) -> Tls {
    let options = Options { ca: Some(data(&ca.pem)), ..Options::default() };
    Tls::new(options, host).expect("it is right")
}

#[tokio::test]
async fn a_server_of_the_clusters_ca_is_believed() {
    let ca = Ca::new("cluster");
    let tls = trusting(&ca, "api.test");
    let identity = ca.sign("api.test", |params| params.not_after = date_time_ymd(2040, 1, 2));
    assert_eq!(shake(&tls, &server(&identity, None)).await.expect("a handshake"), None);
    assert_eq!(tls.server_not_after(), Some(2_209_075_200));
    assert!(tls.ca_not_after().is_some() && tls.client_not_after().is_none());
}

#[rstest]
#[case::address("127.0.0.1")]
#[case::six("::1")]
#[tokio::test]
async fn an_address_can_be_verified(#[case] address: &str) {
    let ca = Ca::new("cluster");
    let identity = ca.sign(address, |_| {});
    shake(&trusting(&ca, address), &server(&identity, None)).await.expect("a handshake");
}

#[rstest]
#[case::expired(
    "cluster", "api.test", (2010, 2020),
    TlsFailure::Expired,
    &["the server's certificate (CN=api.test) expired at Thu, 02 Jan 2020 00:00:00 GMT; it is now "]
)]
#[case::not_yet_valid(
    "cluster", "api.test", (2090, 2095),
    TlsFailure::NotYetValid,
    &["(CN=api.test) is valid from Mon, 02 Jan 2090 00:00:00 GMT only; it is now ", "clock"]
)]
#[case::unknown_issuer(
    "another", "api.test", (2010, 2095),
    TlsFailure::UnknownIssuer,
    &["(CN=api.test) is signed by CN=another", "trusted: CN=cluster"]
)]
#[case::name(
    "cluster", "other.test", (2010, 2095),
    TlsFailure::NameMismatch,
    &["(CN=api.test) is not made for other.test", "it is made for ", "api.test", "tls-server-name"]
)]
#[tokio::test]
async fn what_goes_wrong_is_told_apart(
    #[case] issuer: &str,
    #[case] host: &str,
    #[case] (from, to): (i32, i32),
    #[case] failure: TlsFailure,
    #[case] parts: &[&str],
) {
    let trusted = Ca::new("cluster");
    let other = Ca::new("another");
    let issuer = if issuer == "cluster" { &trusted } else { &other };
    let tls = trusting(&trusted, host);
    let identity = issuer.sign("api.test", |params| {
        params.not_before = date_time_ymd(from, 1, 2);
        params.not_after = date_time_ymd(to, 1, 2);
    });
    let error = shake(&tls, &server(&identity, None)).await.expect_err("no handshake");
    let problem = tls.explain(&error);
    assert_eq!(problem.failure, failure, "{}", problem.message);
    for part in parts {
        assert!(problem.message.contains(part), "no {part} in {}", problem.message);
    }
}

#[tokio::test]
async fn a_ca_of_the_same_name_is_another_ca() {
    let (trusted, other) = (Ca::new("cluster"), Ca::new("cluster"));
    let tls = trusting(&trusted, "api.test");
    let error = shake(&tls, &server(&other.server(), None)).await.expect_err("no handshake");
    let problem = tls.explain(&error);
    assert_eq!(problem.failure, TlsFailure::UnknownIssuer, "{}", problem.message);
    assert!(problem.message.contains("same name, but with another key"), "{}", problem.message);
}

#[tokio::test]
async fn what_is_no_tls_is_told() {
    let tls = trusting(&Ca::new("cluster"), "api.test");
    let (near, mut far) = tokio::io::duplex(4096);
    far.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await.expect("written");
    let (config, name) = tls.connector();
    let error = TlsConnector::from(config).connect(name, near).await.expect_err("no TLS");
    assert_eq!(tls.explain(&error).failure, TlsFailure::Protocol);
    let (near, far) = tokio::io::duplex(4096);
    drop(far);
    let (config, name) = tls.connector();
    let error = TlsConnector::from(config).connect(name, near).await.expect_err("no TLS");
    assert_eq!(tls.explain(&error).failure, TlsFailure::Io);
}

#[tokio::test]
async fn a_tls_server_name_is_verified_in_place_of_the_host() {
    let ca = Ca::new("cluster");
    let with = |name: &str| {
        let server_name = Some(name.to_owned());
        let options = Options { ca: Some(data(&ca.pem)), server_name, ..Options::default() };
        Tls::new(options, "10.0.0.1").expect("it is right")
    };
    let server = server(&ca.server(), None);
    shake(&with("api.test"), &server).await.expect("a handshake");
    shake(&with("other.test"), &server).await.expect_err("no handshake");
}

#[tokio::test]
async fn who_asks_not_to_verify_is_obeyed() {
    let options = Options { insecure: true, ..Options::default() };
    let tls = Tls::new(options, "other.test").expect("it is right");
    let identity = Ca::new("c").sign("api.test", |p| p.not_after = date_time_ymd(2020, 1, 1));
    shake(&tls, &server(&identity, None)).await.expect("a handshake");
    assert!(tls.is_insecure());
}

/// Files of a CA and a client certificate.
struct Files(TempDir);

impl Files {
    fn new(ca: &Ca, client: &Identity) -> Self {
        let files = Self(tempfile::tempdir().expect("a folder"));
        files.write("ca", &ca.pem);
        files.write("cert", &client.chain);
        files.write("key", &client.key);
        files
    }

    fn at(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, content: &str) {
        fs::write(self.at(name), content).expect("written");
    }

    fn tls(&self) -> Tls {
        let source = |name| Source::File(self.at(name));
        let ca = Some(source("ca"));
        let client = Some((source("cert"), source("key")));
        let options = Options { ca, client, ..Options::default() };
        Tls::new(options, "api.test").expect("it is right")
    }
}

fn reloaded(tls: &Tls) -> ReloadResult {
    tls.reload().expect("files").unwrap_or(ReloadResult::Error)
}

#[tokio::test]
async fn a_client_certificate_is_shown_and_rotates() {
    let ca = Ca::new("cluster");
    let files = Files::new(&ca, &ca.client("one"));
    let tls = files.tls();
    let server = server(&ca.server(), Some(&ca));
    assert_eq!(shake(&tls, &server).await.expect("a handshake").as_deref(), Some("one"));
    assert_eq!(tls.client_name().as_deref(), Some("one"));
    assert!(tls.client_not_after().is_some());
    assert_eq!((reloaded(&tls), tls.generation()), (ReloadResult::Unchanged, 0));

    let two = ca.client("two");
    files.write("cert", &two.chain);
    // The key has not followed yet: together they would be no identity.
    assert_eq!((reloaded(&tls), tls.generation()), (ReloadResult::Error, 0));
    assert_eq!(shake(&tls, &server).await.expect("a handshake").as_deref(), Some("one"));
    files.write("key", &two.key);
    assert_eq!((reloaded(&tls), tls.generation()), (ReloadResult::Rotated, 1));
    assert_eq!(shake(&tls, &server).await.expect("a handshake").as_deref(), Some("two"));
}

#[tokio::test]
async fn a_client_whom_the_server_does_not_know_is_told_so() {
    let ca = Ca::new("cluster");
    let files = Files::new(&ca, &Ca::new("another").client("me"));
    let tls = files.tls();
    let error = shake(&tls, &server(&ca.server(), Some(&ca))).await.expect_err("refused");
    let message = tls.explain(&error).message;
    assert!(message.contains("it does not accept our client certificate"), "{message}");
}

#[tokio::test]
async fn a_ca_rotates_and_the_old_one_is_believed_no_more() {
    let (old, new) = (Ca::new("old"), Ca::new("new"));
    let files = Files::new(&old, &old.client("me"));
    let tls = files.tls();
    let [old_server, new_server] = [&old, &new].map(|ca| server(&ca.server(), None));
    shake(&tls, &old_server).await.expect("a handshake");
    shake(&tls, &new_server).await.expect_err("no handshake");
    files.write("ca", &format!("{}{}", old.pem, new.pem));
    assert_eq!(reloaded(&tls), ReloadResult::Rotated);
    shake(&tls, &old_server).await.expect("a handshake");
    shake(&tls, &new_server).await.expect("a handshake");
    files.write("ca", &new.pem);
    assert_eq!(reloaded(&tls), ReloadResult::Rotated);
    shake(&tls, &old_server).await.expect_err("no handshake");
    shake(&tls, &new_server).await.expect("a handshake");
}

#[rstest]
#[case::empty("ca", Some(""))]
#[case::nonsense("ca", Some("nonsense"))]
#[case::garbled("ca", Some("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"))]
#[case::missing("ca", None)]
#[case::certificate("cert", Some(""))]
#[case::key("key", Some("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"))]
#[case::missing_key("key", None)]
#[tokio::test]
async fn a_bad_file_keeps_the_last_good_one(#[case] name: &str, #[case] content: Option<&str>) {
    let ca = Ca::new("cluster");
    let files = Files::new(&ca, &ca.client("me"));
    let tls = files.tls();
    match content {
        Some(content) => files.write(name, content),
        None => fs::remove_file(files.at(name)).expect("removed"),
    }
    let error = tls.reload().expect("files").expect_err("a bad file").to_string();
    assert!(error.contains(&files.0.path().display().to_string()), "{error}");
    let server = server(&ca.server(), Some(&ca));
    assert_eq!(shake(&tls, &server).await.expect("a handshake").as_deref(), Some("me"));
    assert_eq!(tls.generation(), 0);
}

#[tokio::test]
async fn a_bad_client_key_keeps_no_ca_from_rotating() {
    let (old, new) = (Ca::new("old"), Ca::new("new"));
    let files = Files::new(&old, &old.client("me"));
    let tls = files.tls();
    files.write("ca", &new.pem);
    files.write("key", "");
    assert_eq!((reloaded(&tls), tls.generation()), (ReloadResult::Error, 1));
    shake(&tls, &server(&new.server(), None)).await.expect("a handshake");
}

#[tokio::test]
async fn a_plugins_certificate_outlives_a_rotated_ca() {
    let ca = Ca::new("cluster");
    let files = Files::new(&ca, &ca.client("unused"));
    let options = Options { ca: Some(Source::File(files.at("ca"))), ..Options::default() };
    let tls = Tls::new(options, "api.test").expect("it is right");
    let me = ca.client("me");
    let set = || tls.set_client(me.chain.as_bytes(), me.key.as_bytes()).expect("an identity");
    assert_eq!(set(), ReloadResult::Rotated);
    assert_eq!(set(), ReloadResult::Unchanged);
    files.write("ca", &format!("{}{}", Ca::new("next").pem, ca.pem));
    assert_eq!(reloaded(&tls), ReloadResult::Rotated);
    let server = server(&ca.server(), Some(&ca));
    assert_eq!(shake(&tls, &server).await.expect("a handshake").as_deref(), Some("me"));
    tls.set_client(b"nonsense", b"nonsense").expect_err("no identity");
}

#[test]
fn what_is_given_once_is_not_read_again() {
    assert!(trusting(&Ca::new("cluster"), "api.test").reload().is_none());
}

#[test]
fn no_key_is_printed() {
    let ca = Ca::new("cluster");
    let client = ca.client("me");
    let options = Options {
        ca: Some(data(&ca.pem)),
        client: Some((data(&client.chain), data(&client.key))),
        ..Options::default()
    };
    let printed = format!("{:?}", Tls::new(options, "api.test").expect("it is right"));
    let der = PrivateKeyDer::from_pem_slice(client.key.as_bytes()).expect("a key");
    let bytes = |bytes: &[u8]| format!("{bytes:?}").trim_matches(['[', ']']).to_owned();
    for secret in [client.key.lines().nth(1).expect("base64"), &bytes(der.secret_der())] {
        assert!(!printed.contains(secret));
    }
    assert!(!printed.contains(&bytes(client.key.as_bytes())));
}

#[test]
fn what_is_no_name_is_told() {
    let error = Tls::new(Options::default(), "not a name").expect_err("no name").to_string();
    assert!(error.contains("\"not a name\" is neither"), "{error}");
}
