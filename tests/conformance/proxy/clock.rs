//! The API server, as it were on a machine whose clock is another.

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use http::{
    HeaderValue, Request, Response, Uri,
    header::{DATE, HOST},
};
use hyper::{body::Incoming, client::conn::http2, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::ServerConfig;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use crate::api::Api;

/// Passes requests and answers on from a port of its own, by HTTP/1.1, each answer's `Date` being
/// that of another clock.
pub struct Clock {
    /// Where it listens.
    pub port: u16,
}

impl Clock {
    /// Starts one that is a server of this TLS, and whose clock is so many seconds ahead of the API
    /// server's.
    pub async fn start(tls: ServerConfig, to: Api, ahead: i64) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port of loopback is free");
        let port = listener.local_addr().expect("an address").port();
        let acceptor = TlsAcceptor::from(Arc::new(tls));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (acceptor, to) = (acceptor.clone(), to.clone());
                // Whoever is at the ends sees what happened to the connection.
                tokio::spawn(async move { pass(stream, &acceptor, &to, ahead).await });
            }
        });
        Self { port }
    }
}

async fn pass(from: TcpStream, acceptor: &TlsAcceptor, to: &Api, ahead: i64) -> Result<(), String> {
    let client = acceptor.accept(from).await.map_err(|error| error.to_string())?;
    let server = TokioIo::new(to.connect().await?);
    let (sender, connection) =
        http2::handshake(TokioExecutor::new(), server).await.map_err(|error| error.to_string())?;
    tokio::spawn(connection);
    let answer = service_fn(|request: Request<Incoming>| {
        let mut sender = sender.clone();
        async move {
            let mut answer = sender.send_request(by_http2(request)).await?;
            shift(&mut answer, ahead);
            Ok::<_, hyper::Error>(answer)
        }
    });
    let served = http1::Builder::new().serve_connection(TokioIo::new(client), answer).await;
    served.map_err(|error| error.to_string())
}

/// In HTTP/2 a request names its server in its address.
fn by_http2(mut request: Request<Incoming>) -> Request<Incoming> {
    request.headers_mut().remove(HOST);
    let path = request.uri().path_and_query().cloned().expect("a path");
    let uri = Uri::builder().scheme("https").authority("localhost").path_and_query(path);
    *request.uri_mut() = uri.build().expect("an address");
    *request.version_mut() = http::Version::HTTP_2;
    request
}

fn shift(answer: &mut Response<Incoming>, ahead: i64) {
    let date = answer.headers().get(DATE).expect("a date").to_str().expect("text");
    let date = httpdate::parse_http_date(date).expect("a date");
    let by = Duration::from_secs(ahead.unsigned_abs());
    let date: SystemTime = if ahead < 0 { date - by } else { date + by };
    let date = HeaderValue::try_from(httpdate::fmt_http_date(date)).expect("text");
    answer.headers_mut().insert(DATE, date);
}
