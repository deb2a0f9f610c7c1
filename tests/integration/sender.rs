//! A client of our listeners: TLS, and HTTP written by hand.

use std::{net::SocketAddr, path::PathBuf, sync::Arc};

use kubetally::sim::pki::{Authority, Identity, Validity};
use rustls::{
    ClientConfig, RootCertStore,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject},
};
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};
use tokio_rustls::{TlsConnector, client::TlsStream};

use crate::{
    eventually::DEADLINE,
    get::{Answer, answer},
};

/// The token that is in the file of tokens.
pub const TOKEN: &str = "the-token-of-this-test";

/// What a listener needs in files, and who may sign what.
pub struct Files {
    dir: TempDir,
    /// Signs the listener's certificate.
    pub server: Authority,
    /// Signs its clients'.
    pub clients: Authority,
}

/// A client that trusts the listener.
pub struct Client {
    tls: TlsConnector,
    address: SocketAddr,
}

impl Files {
    /// With new authorities, and everything written.
    pub fn new() -> Self {
        let authority = || Authority::new().expect("a CA");
        let dir = tempfile::tempdir().expect("a folder");
        let files = Self { dir, server: authority(), clients: authority() };
        files.certify(&files.server);
        files.write("token", TOKEN);
        files.write("ca.crt", files.clients.pem());
        files
    }

    /// Writes a certificate of the listener and its key.
    pub fn certify(&self, authority: &Authority) {
        let identity = authority.server(&["localhost"], Validity::Now).expect("a certificate");
        self.write("tls.key", &identity.key);
        self.write("tls.crt", &identity.certificate);
    }

    /// Writes a file.
    pub fn write(&self, name: &str, text: &str) {
        std::fs::write(self.at(name), text).expect("written");
    }

    /// Where a file is.
    pub fn at(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// A client of this certificate, if any.
    pub fn client(&self, address: SocketAddr, identity: Option<&Identity>) -> Client {
        Client { tls: connector(&self.server, identity), address }
    }
}

fn connector(server: &Authority, identity: Option<&Identity>) -> TlsConnector {
    let mut roots = RootCertStore::empty();
    let ca = CertificateDer::from_pem_slice(server.pem().as_bytes()).expect("PEM");
    roots.add(ca).expect("a CA");
    let builder = ClientConfig::builder_with_provider(aws_lc_rs::default_provider().into())
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_root_certificates(roots);
    let config = match identity {
        None => builder.with_no_client_auth(),
        Some(Identity { certificate, key }) => {
            let chain = vec![CertificateDer::from_pem_slice(certificate.as_bytes()).expect("PEM")];
            let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).expect("PEM");
            builder.with_client_auth_cert(chain, key).expect("an identity")
        }
    };
    TlsConnector::from(Arc::new(config))
}

impl Client {
    /// A connection whose handshake is over.
    pub async fn dial(&self) -> std::io::Result<TlsStream<TcpStream>> {
        let stream = TcpStream::connect(self.address).await?;
        self.tls.connect(ServerName::try_from("localhost").expect("a name"), stream).await
    }

    /// Sends a request and reads its answer; the connection is closed then.
    pub async fn send(&self, head: &str, body: &[u8]) -> Result<Answer, String> {
        let exchange = async {
            let mut stream = self.dial().await?;
            let length = body.len();
            let head = format!(
                "{head}\r\nHost: localhost\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n"
            );
            stream.write_all(head.as_bytes()).await?;
            stream.write_all(body).await?;
            read(&mut stream).await
        };
        let bytes = timeout(DEADLINE, exchange).await.expect("an answer in time");
        answer(&bytes.map_err(|error| error.to_string())?).ok_or("no whole answer".into())
    }

    /// Gets a path, with this token if there is one.
    pub async fn get(&self, path: &str, token: Option<&str>) -> Result<Answer, String> {
        let token = token.map(|token| format!("\r\nAuthorization: Bearer {token}"));
        self.send(&format!("GET {path} HTTP/1.1{}", token.unwrap_or_default()), b"").await
    }

    /// Posts a batch as the API server does.
    pub async fn post(&self, token: &str, batch: &str) -> Result<Answer, String> {
        let head = format!("POST /audit?timeout=30s HTTP/1.1\r\nAuthorization: Bearer {token}");
        self.send(&head, batch.as_bytes()).await
    }
}

/// Reads to the end, be it told by TLS or not.
pub async fn read(stream: &mut TlsStream<TcpStream>) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    match stream.read_to_end(&mut bytes).await {
        Err(error) if bytes.is_empty() => Err(error),
        _ => Ok(bytes),
    }
}
