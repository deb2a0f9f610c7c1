//! One connection to the API server: name, TCP, TLS, HTTP, each with its deadline and its time.
//!
//! There is no pool: a watch has a connection of its own, a list another, so that each one's start
//! and end are seen, and an undrained list cannot starve a watch.

use std::{future::Future, io, net::SocketAddr, pin::pin, time::Duration};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use hyper::{
    body::Incoming,
    client::conn::{http1, http2},
};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use socket2::{SockRef, TcpKeepalive};
use tokio::{
    io::{AsyncRead, AsyncWrite, BufReader},
    net::TcpStream,
    task::JoinHandle,
    time::{Instant, timeout},
};
use tokio_rustls::{TlsConnector, client::TlsStream};

use super::{
    Phase, TransportReason,
    endpoint::Endpoint,
    tls::{Problem, Tls},
};
use crate::telemetry::Telemetry;

const DNS: Duration = Duration::from_secs(5);
const CONNECT: Duration = Duration::from_secs(10);
const TLS: Duration = Duration::from_secs(10);
/// A connection silent for so long is asked whether it is alive…
pub(super) const PING: Duration = Duration::from_secs(9);
/// …and must answer within this: a server that falls silent is noticed within 15 s.
pub(super) const PONG: Duration = Duration::from_secs(5);
/// What may be under way to us unread, for a stream and for its connection.
const WINDOW: u32 = 1024 * 1024;
/// How much is taken from the kernel at once: rustls alone takes 4 KB, of which a changed pod needs
/// two or three.
const READ: usize = 32 * 1024;
/// The largest head of an answer…
const HEAD: u32 = 64 * 1024;
/// …and its most headers, which HTTP/1.1 bounds too: a server may warn in each of very many.
const HEADERS: usize = 1_000;

/// An attempt that ended without an HTTP status, or in the middle of its answer.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
#[error("{message}")]
pub struct TransportError {
    /// As a label.
    pub reason: TransportReason,
    /// For people.
    pub message: String,
}

impl TransportError {
    /// With a message.
    pub fn new(reason: TransportReason, message: impl Into<String>) -> Self {
        Self { reason, message: message.into() }
    }
}

/// A TLS session.
pub(crate) type Secured = TlsStream<BufReader<TcpStream>>;

/// An open connection. Dropping it closes it.
#[derive(Debug)]
pub struct Connection {
    sender: Sender,
    driver: Driver,
    /// Whether a request was answered on it.
    answered: bool,
}

#[derive(Debug)]
enum Sender {
    Http1(http1::SendRequest<Full<Bytes>>),
    Http2(http2::SendRequest<Full<Bytes>>),
}

/// The task that moves a connection's bytes; what it ended with says why.
#[derive(Debug)]
struct Driver(JoinHandle<Option<TransportError>>);

impl Drop for Driver {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Connection {
    /// Dials.
    ///
    /// # Errors
    /// Where name, TCP, TLS or HTTP fail or take too long.
    pub async fn dial(endpoint: &Endpoint, telemetry: &Telemetry) -> Result<Self, TransportError> {
        let addresses = timed(telemetry, Phase::Dns, resolve(endpoint)).await?;
        Self::reach(endpoint, &addresses, telemetry).await
    }

    /// Dials one of these addresses.
    pub(super) async fn reach(
        endpoint: &Endpoint,
        addresses: &[SocketAddr],
        telemetry: &Telemetry,
    ) -> Result<Self, TransportError> {
        let stream = timed(telemetry, Phase::Connect, connect(addresses)).await?;
        let Some(tls) = &endpoint.tls else { return Self::http1(stream).await };
        let stream = timed(telemetry, Phase::Tls, shake(stream, tls, telemetry)).await?;
        Self::secure(stream).await
    }

    /// Over a TLS session, as it was agreed.
    pub(crate) async fn secure(stream: Secured) -> Result<Self, TransportError> {
        match stream.get_ref().1.alpn_protocol() {
            Some(b"h2") => Self::http2(stream).await,
            _ => Self::http1(stream).await,
        }
    }

    pub(crate) async fn http1<S>(stream: S) -> Result<Self, TransportError>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let (sender, connection) = http1::Builder::new()
            .max_buf_size(HEAD as usize)
            .max_headers(HEADERS)
            .handshake(TokioIo::new(stream))
            .await
            .map_err(|error| classify(&error))?;
        Ok(Self { sender: Sender::Http1(sender), driver: drive(connection), answered: false })
    }

    async fn http2<S>(stream: S) -> Result<Self, TransportError>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let (sender, connection) = http2::Builder::new(TokioExecutor::new())
            .timer(TokioTimer::new())
            .keep_alive_interval(PING)
            .keep_alive_timeout(PONG)
            .keep_alive_while_idle(true)
            .initial_stream_window_size(WINDOW)
            .initial_connection_window_size(WINDOW)
            .max_header_list_size(HEAD)
            .handshake(TokioIo::new(stream))
            .await
            .map_err(|error| classify(&error))?;
        Ok(Self { sender: Sender::Http2(sender), driver: drive(connection), answered: false })
    }

    /// Whether it speaks HTTP/2, where requests name scheme and authority.
    #[must_use]
    pub const fn is_http2(&self) -> bool {
        matches!(self.sender, Sender::Http2(_))
    }

    /// Whether it is not known to have ended.
    #[must_use]
    pub fn is_open(&self) -> bool {
        match &self.sender {
            Sender::Http1(sender) => !sender.is_closed(),
            Sender::Http2(sender) => !sender.is_closed(),
        }
    }

    /// Sends a request and gives its answer's head.
    ///
    /// # Errors
    /// Where the connection fails first.
    pub async fn send(
        &mut self,
        request: Request<Full<Bytes>>,
    ) -> Result<Response<Incoming>, TransportError> {
        let sent = match &mut self.sender {
            Sender::Http1(sender) => match sender.ready().await {
                Ok(()) => sender.send_request(request).await,
                Err(error) => Err(error),
            },
            Sender::Http2(sender) => match sender.ready().await {
                Ok(()) => sender.send_request(request).await,
                Err(error) => Err(error),
            },
        };
        match sent {
            Ok(response) => {
                self.answered = true;
                Ok(response)
            }
            Err(error) => {
                let error = self.why(&error).await;
                Err(self.unanswered(error))
            }
        }
    }

    /// HTTP/1.1 has no word for going away: a server that ends a connection between two requests may
    /// meet the second one on its way (RFC 9112, 9.5). One that died over it looks the same; nothing
    /// is asked here that may not be asked twice.
    fn unanswered(&self, error: TransportError) -> TransportError {
        let ended = matches!(error.reason, TransportReason::Eof | TransportReason::Reset);
        match self.answered && ended && !self.is_http2() {
            true => TransportError { reason: TransportReason::Goaway, ..error },
            false => error,
        }
    }

    /// Why a stream of this connection broke: the connection itself may know better.
    pub async fn why(&mut self, error: &hyper::Error) -> TransportError {
        let ended = timeout(Duration::from_millis(100), &mut self.driver.0).await;
        match ended {
            Ok(Ok(Some(error))) => error,
            _ => classify(error),
        }
    }
}

/// The one place where a task is spawned for a connection: hyper wants its bytes moved while
/// nobody reads a body.
fn drive(connection: impl Future<Output = Result<(), hyper::Error>> + Send + 'static) -> Driver {
    Driver(tokio::spawn(async move {
        // The connection is dropped, and its streams told, only after it is known why it ended.
        let mut connection = pin!(connection);
        let error = connection.as_mut().await.err();
        // That it could not say farewell to a server that had gone is why nothing failed.
        error.filter(|error| !error.is_shutdown()).map(|error| classify(&error))
    }))
}

async fn timed<T>(
    telemetry: &Telemetry,
    phase: Phase,
    work: impl Future<Output = Result<T, TransportError>>,
) -> Result<T, TransportError> {
    let started = Instant::now();
    let done = work.await?;
    telemetry.phase(phase, started.elapsed());
    Ok(done)
}

pub(crate) async fn resolve(endpoint: &Endpoint) -> Result<Vec<SocketAddr>, TransportError> {
    let (host, port) = (endpoint.url.host.as_str(), endpoint.url.port);
    let dns = |why: String| {
        TransportError::new(TransportReason::Dns, format!("cannot resolve {host}: {why}"))
    };
    match timeout(DNS, tokio::net::lookup_host((host, port))).await {
        Ok(Ok(addresses)) => {
            let addresses: Vec<_> = addresses.collect();
            if addresses.is_empty() { Err(dns("it has no address".into())) } else { Ok(addresses) }
        }
        Ok(Err(error)) => Err(dns(error.to_string())),
        Err(_) => Err(dns(format!("no answer within {} s", DNS.as_secs()))),
    }
}

pub(crate) async fn connect(addresses: &[SocketAddr]) -> Result<TcpStream, TransportError> {
    let mut last = None;
    for address in addresses {
        match timeout(CONNECT, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => {
                keep_alive(&stream);
                return Ok(stream);
            }
            Ok(Err(error)) => {
                let reason = match error.kind() {
                    io::ErrorKind::TimedOut => TransportReason::ConnectTimeout,
                    _ => TransportReason::Refused,
                };
                let message = format!("cannot connect to {address}: {error}");
                last = Some(TransportError::new(reason, message));
            }
            Err(_) => {
                let message = format!(
                    "cannot connect to {address}: no answer within {} s",
                    CONNECT.as_secs()
                );
                last = Some(TransportError::new(TransportReason::ConnectTimeout, message));
            }
        }
    }
    Err(last.unwrap_or_else(|| TransportError::new(TransportReason::Dns, "no address to dial")))
}

/// HTTP/1.1 has no ping: the kernel asks the other one, and a [`super::pulse`] the server behind it.
/// Not every kernel can.
fn keep_alive(stream: &TcpStream) {
    let socket = SockRef::from(stream);
    let keepalive = TcpKeepalive::new().with_time(PING).with_interval(PONG);
    let set = socket
        .set_tcp_keepalive(&keepalive)
        .and_then(|()| socket.set_tcp_nodelay(true))
        .and_then(|()| user_timeout(&socket));
    if let Err(error) = set {
        tracing::debug!(%error, "the kernel takes no keep-alive for this connection");
    }
}

#[cfg(target_os = "linux")]
fn user_timeout(socket: &SockRef<'_>) -> io::Result<()> {
    socket.set_tcp_user_timeout(Some(PING + PONG))
}

#[cfg(not(target_os = "linux"))]
fn user_timeout(_: &SockRef<'_>) -> io::Result<()> {
    Ok(())
}

async fn shake(
    stream: TcpStream,
    tls: &Tls,
    telemetry: &Telemetry,
) -> Result<Secured, TransportError> {
    handshake(stream, tls).await.map_err(|problem| {
        telemetry.tls_handshake_failure(problem.failure);
        TransportError::new(TransportReason::Tls, format!("TLS: {}", problem.message))
    })
}

pub(crate) async fn handshake(stream: TcpStream, tls: &Tls) -> Result<Secured, Problem> {
    let (config, name) = tls.connector();
    let stream = BufReader::with_capacity(READ, stream);
    let handshake = TlsConnector::from(config).connect(name, stream);
    let error = match timeout(TLS, handshake).await {
        Ok(Ok(stream)) => return Ok(stream),
        Ok(Err(error)) => error,
        Err(_) => io::Error::new(
            io::ErrorKind::TimedOut,
            format!("no TLS handshake within {} s", TLS.as_secs()),
        ),
    };
    Err(tls.explain(&error))
}

fn classify(error: &hyper::Error) -> TransportError {
    let reason = source::<h2::Error>(error)
        .and_then(h2_reason)
        .or_else(|| source::<io::Error>(error).map(io_reason))
        .unwrap_or_else(|| match error {
            _ if error.is_timeout() => TransportReason::PingTimeout,
            // The connection closed before the request was written.
            _ if error.is_canceled() || error.is_closed() => TransportReason::Goaway,
            _ if error.is_incomplete_message() => TransportReason::Eof,
            _ if error.is_parse() => TransportReason::Decode,
            _ => TransportReason::Reset,
        });
    TransportError::new(reason, chain(error))
}

fn h2_reason(error: &h2::Error) -> Option<TransportReason> {
    match error {
        _ if error.is_go_away() => Some(TransportReason::Goaway),
        _ if error.is_io() => error.get_io().map(io_reason),
        _ if error.is_reset() => Some(TransportReason::Reset),
        _ => None,
    }
}

fn io_reason(error: &io::Error) -> TransportReason {
    match error.kind() {
        io::ErrorKind::TimedOut => TransportReason::PingTimeout,
        io::ErrorKind::UnexpectedEof => TransportReason::Eof,
        // With TLS 1.3 a server refuses a client certificate only after the handshake.
        _ if error.get_ref().is_some_and(|inner| inner.is::<rustls::Error>()) => {
            TransportReason::Tls
        }
        _ => TransportReason::Reset,
    }
}

/// The first cause of a type.
fn source<E: std::error::Error + 'static>(error: &hyper::Error) -> Option<&E> {
    let mut next: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref::<E>() {
            return Some(found);
        }
        next = error.source();
    }
    None
}

/// An error with its causes.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        next = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

    use super::*;

    /// Ends the connection at the second request, or at the first.
    #[rstest]
    #[case::kept(1, TransportReason::Goaway)]
    #[case::fresh(0, TransportReason::Eof)]
    #[tokio::test]
    async fn a_kept_connection_that_ends_took_no_request(
        #[case] answers: usize,
        #[case] expected: TransportReason,
    ) {
        let (ours, mut theirs) = duplex(4096);
        tokio::spawn(async move {
            for answered in 0..=answers {
                let read = theirs.read(&mut [0; 4096]).await.expect("a request");
                assert!(read > 0, "a request");
                if answered < answers {
                    let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
                    theirs.write_all(answer).await.expect("an answer");
                }
            }
        });
        let mut connection = Connection::http1(ours).await.expect("a connection");
        for _ in 0..answers {
            connection.send(Request::default()).await.expect("an answer");
        }
        let error = connection.send(Request::default()).await.expect_err("it has ended");
        assert_eq!(error.reason, expected, "{}", error.message);
    }
}
