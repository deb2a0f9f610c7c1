//! The tests' own client of the Kubernetes API: it shares no code with Kubetally's.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, request::Builder};
use http_body_util::{BodyExt, Full};
use hyper::{
    body::Incoming,
    client::conn::{http1, http2},
};
use hyper_util::rt::{TokioExecutor, TokioIo};
use kubetally::sim::pki::Identity;
use rustls::{
    ClientConfig, RootCertStore,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject},
};
use serde_json::Value;
use tokio::{
    io::{AsyncRead, AsyncWrite, AsyncWriteExt},
    net::TcpStream,
    task::JoinSet,
    time::timeout,
};
use tokio_rustls::{TlsConnector, client::TlsStream};

/// How long one request may take.
const REQUEST: Duration = Duration::from_secs(60);
/// Requests at a time, where there are many.
const AT_A_TIME: usize = 16;

type Sender = http2::SendRequest<Full<Bytes>>;

/// The API for one user, over one HTTP/2 connection.
#[derive(Clone)]
pub struct Api {
    port: u16,
    tls: Arc<ClientConfig>,
    token: Option<String>,
    sender: Arc<Mutex<Option<Sender>>>,
}

/// Who somebody is.
#[derive(Clone, Copy)]
pub enum Login<'a> {
    /// By a client certificate.
    Certificate(&'a Identity),
    /// By a bearer token.
    Token(&'a str),
    /// Nobody.
    Anonymous,
}

/// A whole answer.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Bytes,
}

/// A request of [`Api::all`].
#[derive(Clone, Debug)]
pub struct Call {
    pub method: Method,
    pub path: String,
    pub body: Option<Value>,
}

impl Call {
    /// Creates an object.
    pub fn create(path: impl Into<String>, object: Value) -> Self {
        Self { method: Method::POST, path: path.into(), body: Some(object) }
    }

    /// Merges into an object.
    pub fn patch(path: impl Into<String>, patch: Value) -> Self {
        Self { method: Method::PATCH, path: path.into(), body: Some(patch) }
    }

    /// Deletes an object at once.
    pub fn delete(path: impl Into<String>) -> Self {
        let path = format!("{}?gracePeriodSeconds=0", path.into());
        Self { method: Method::DELETE, path, body: None }
    }
}

impl Api {
    /// The API on a port of loopback; `ca` in PEM.
    pub fn new(port: u16, ca: &str, login: Login<'_>) -> Self {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(ca.as_bytes()).expect("PEM")).expect("a CA");
        let config = ClientConfig::builder_with_provider(aws_lc_rs::default_provider().into())
            .with_safe_default_protocol_versions()
            .expect("TLS versions")
            .with_root_certificates(roots);
        let mut tls = match login {
            Login::Token(_) | Login::Anonymous => config.with_no_client_auth(),
            Login::Certificate(identity) => {
                let certificate = CertificateDer::from_pem_slice(identity.certificate.as_bytes());
                let key = PrivateKeyDer::from_pem_slice(identity.key.as_bytes());
                config
                    .with_client_auth_cert(vec![certificate.expect("PEM")], key.expect("PEM"))
                    .expect("a client certificate")
            }
        };
        tls.alpn_protocols = vec![b"h2".to_vec()];
        let token = match login {
            Login::Token(token) => Some(token.to_owned()),
            Login::Certificate(_) | Login::Anonymous => None,
        };
        Self { port, tls: tls.into(), token, sender: Arc::default() }
    }

    async fn sender(&self) -> Result<Sender, String> {
        let held = self.sender.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(sender) = held.filter(|sender| !sender.is_closed()) {
            return Ok(sender);
        }
        let io = TokioIo::new(self.connect().await?);
        let (sender, connection) =
            http2::handshake(TokioExecutor::new(), io).await.map_err(text)?;
        tokio::spawn(connection);
        *self.sender.lock().unwrap_or_else(PoisonError::into_inner) = Some(sender.clone());
        Ok(sender)
    }

    /// A connection of its own.
    pub async fn connect(&self) -> Result<TlsStream<TcpStream>, String> {
        self.dial(Arc::clone(&self.tls)).await
    }

    async fn dial(&self, tls: Arc<ClientConfig>) -> Result<TlsStream<TcpStream>, String> {
        let stream = TcpStream::connect(("127.0.0.1", self.port)).await.map_err(text)?;
        let name = ServerName::try_from("localhost").map_err(text)?;
        TlsConnector::from(tls).connect(name, stream).await.map_err(text)
    }

    /// Asks whether the server is ready, whatever HTTP it speaks.
    pub async fn ready(&self) -> Result<(), String> {
        let mut tls = ClientConfig::clone(&self.tls);
        tls.alpn_protocols.clear();
        let stream = self.dial(tls.into()).await?;
        let answer = once(stream, Request::get("/readyz"), Bytes::new()).await?;
        if answer.status == 200 { Ok(()) } else { Err(answer.text()) }
    }

    /// Begins to create something and does not end: for as long as this is held, but a minute at
    /// most, the server is at it.
    pub async fn hold(&self, path: &str) -> Result<TlsStream<TcpStream>, String> {
        let mut tls = ClientConfig::clone(&self.tls);
        tls.alpn_protocols.clear();
        let mut stream = self.dial(tls.into()).await?;
        let head = format!(
            "POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n\
             Content-Length: 2\r\n\r\n"
        );
        stream.write_all(head.as_bytes()).await.map_err(text)?;
        Ok(stream)
    }

    /// Sends a request; its answer, of which only the head is here.
    pub async fn open(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Response<Incoming>, String> {
        let content_type = match method {
            Method::PATCH => "application/merge-patch+json",
            _ => "application/json",
        };
        let body = body.map_or_else(Bytes::new, |body| body.to_string().into());
        self.request(method, path, content_type, body).await
    }

    /// Creates what is written in protobuf.
    pub async fn create_protobuf(&self, path: &str, object: Vec<u8>) -> Result<Answer, String> {
        let media = "application/vnd.kubernetes.protobuf";
        whole(self.request(Method::POST, path, media, object.into()).await?).await
    }

    async fn request(
        &self,
        method: Method,
        path: &str,
        content_type: &str,
        body: Bytes,
    ) -> Result<Response<Incoming>, String> {
        let mut sender = self.sender().await?;
        let mut request = Request::builder()
            .method(method)
            .uri(format!("https://localhost:{}{path}", self.port))
            .header("accept", "application/json")
            .header("content-type", content_type);
        if let Some(token) = &self.token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        let request = request.body(Full::new(body)).map_err(text)?;
        sender.send_request(request).await.map_err(text)
    }

    /// Sends a request and reads its whole answer.
    pub async fn send(&self, call: &Call) -> Result<Answer, String> {
        let once = async || {
            whole(self.open(call.method.clone(), &call.path, call.body.as_ref()).await?).await
        };
        let whole = async {
            match once().await {
                // After a 401 both servers say GOAWAY; whom it meets asks again, as clients do
                // (RFC 9113, 6.8).
                Err(error) if call.method == Method::GET && error.ends_with(GOAWAY) => once().await,
                answer => answer,
            }
        };
        timeout(REQUEST, whole).await.map_err(|_| format!("no answer within {REQUEST:?}"))?
    }

    /// Gets a path.
    pub async fn get(&self, path: &str) -> Result<Answer, String> {
        self.send(&Call { method: Method::GET, path: path.into(), body: None }).await
    }

    /// Does what must succeed; the object that is answered.
    pub async fn must(&self, call: Call) -> Value {
        match self.send(&call).await {
            Ok(answer) if answer.status < 300 => answer.json(),
            other => panic!("{call:?}: {other:?}"),
        }
    }

    /// Gets what must be there.
    pub async fn list(&self, path: &str) -> Value {
        self.must(Call { method: Method::GET, path: path.into(), body: None }).await
    }

    /// Does many things that must succeed, several at a time, in no order.
    pub async fn all(&self, calls: impl IntoIterator<Item = Call>) {
        let mut under_way = JoinSet::new();
        for call in calls {
            while under_way.len() >= AT_A_TIME {
                under_way.join_next().await.expect("some are under way").expect("a success");
            }
            let api = self.clone();
            under_way.spawn(async move { api.must(call).await });
        }
        under_way.join_all().await;
    }
}

impl Answer {
    /// The body as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// Posts JSON over plain HTTP to a port of loopback.
pub async fn plain(port: u16, path: &str, body: &Value) -> Result<Value, String> {
    let stream = TcpStream::connect(("127.0.0.1", port)).await.map_err(text)?;
    let request = Request::post(path).header("content-type", "application/json");
    let answer = once(stream, request, body.to_string().into()).await?;
    match answer.status {
        200 => Ok(answer.json()),
        status => Err(format!("{status}: {}", answer.text())),
    }
}

/// Sends one request over HTTP/1.1.
async fn once<S>(stream: S, request: Builder, body: Bytes) -> Result<Answer, String>
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(text)?;
    tokio::spawn(connection);
    let request = request.header("host", "localhost").body(Full::new(body)).map_err(text)?;
    whole(sender.send_request(request).await.map_err(text)?).await
}

async fn whole(response: Response<Incoming>) -> Result<Answer, String> {
    let (head, body) = response.into_parts();
    let body = body.collect().await.map_err(text)?.to_bytes();
    Ok(Answer { status: head.status.as_u16(), headers: head.headers, body })
}

/// How an error ends that is a GOAWAY without a fault.
const GOAWAY: &str = "connection error received: not a result of an error";

/// An error with what led to it.
fn text(error: impl std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}
