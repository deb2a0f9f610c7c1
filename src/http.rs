//! The daemon's own HTTP side: listeners with their limits; /metrics, /livez, /readyz and the page.

pub mod gate;
pub mod guard;
pub mod health;
pub mod page;
pub mod scrape;

use std::{convert::Infallible, error::Error, future::Future, io, sync::Arc, time::Duration};

use bytes::Bytes;
use gate::Gate;
use guard::Guard;
use health::Health;
use http::{
    HeaderMap, Method, Request, Response, StatusCode,
    header::{ALLOW, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderValue, X_CONTENT_TYPE_OPTIONS},
};
use http_body_util::{BodyExt, Full, combinators::UnsyncBoxBody};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::graceful::{GracefulConnection, GracefulShutdown},
};
use page::Pages;
use scrape::Scrapes;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    sync::watch,
    time::timeout,
};

mod paced;
mod places;

use paced::Paced;
use places::{Answering, Given, Place, Places};

use crate::{label::label, telemetry::Telemetry};

label! {
    /// Why somebody was not answered.
    pub enum Refusal {
        /// The TLS handshake failed.
        Handshake = "handshake",
        /// No token, or one that the API server does not know.
        Unauthorized = "unauthorized",
        /// Who shows the token may not get `/metrics`.
        Forbidden = "forbidden",
        /// The API server did not say.
        Unanswered = "unanswered",
        /// Another connection got the place.
        Crowded = "crowded",
        /// Too many unknown tokens to ask for each.
        Busy = "busy",
    }
}

/// What bounds our clients.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Connections at a time; one more takes the place of another.
    pub connections: usize,
    /// How long a request's headers may take, and a kept connection may be idle.
    pub header_timeout: Duration,
    /// How long a reader may take nothing of an answer.
    pub write_timeout: Duration,
    /// How long a stop waits for answers under way.
    pub drain: Duration,
}

/// A body that is whole, or one that is written while it is read.
pub type Body = UnsyncBoxBody<Bytes, Infallible>;

/// The largest request head.
const HEAD: usize = 16 * 1024;

/// What a listener is for.
pub trait Serve: Send + Sync + 'static {
    /// What its connections shake hands with; without one they are in plain text.
    fn gate(&self) -> Option<&Arc<Gate>>;

    /// A client was turned away before it was heard.
    fn turned_away(&self, why: Refusal, error: &io::Error);

    /// Answers a request.
    fn answer(&self, request: Request<Incoming>) -> impl Future<Output = Response<Body>> + Send;
}

/// What the routes show.
pub struct Router {
    /// The scrapes.
    pub scrapes: Scrapes,
    /// Liveness and readiness.
    pub health: Arc<dyn Health>,
    /// The page, where it is wanted.
    pub page: Option<Arc<Pages>>,
    /// TLS, where it is wanted.
    pub gate: Option<Arc<Gate>>,
    /// Who may read, where not everybody may.
    pub guard: Option<Guard>,
    /// Where refusals are counted.
    pub telemetry: Telemetry,
}

/// Serves until `shutdown`, then lets what is under way end within the drain time. A change of the
/// limits counts from the next connection on; that of the number of connections for nobody.
pub async fn serve<S: Serve>(
    listener: TcpListener,
    served: Arc<S>,
    limits: watch::Receiver<Limits>,
    shutdown: impl Future<Output = ()>,
) {
    let graceful = GracefulShutdown::new();
    let places = Places::new(limits.borrow().connections);
    let mut shutdown = std::pin::pin!(shutdown);
    loop {
        let (stream, peer) = tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    pause(&error).await;
                    continue;
                }
            },
            () = &mut shutdown => break,
        };
        let given = places.take(peer.ip());
        if given.as_ref().is_none_or(|given| given.of_another) {
            served.turned_away(Refusal::Crowded, &io::Error::other("all places are taken"));
        }
        let Some(Given { place, displaced, .. }) = given else { continue };
        let limits = *limits.borrow();
        let (served, watcher) = (Arc::clone(&served), graceful.watcher());
        tokio::spawn(async move {
            let conversation = async {
                let stream = open(stream, served.as_ref()).await?;
                let conversation = converse_at(Some(place), stream, Arc::clone(&served), limits);
                Ok::<_, Box<dyn Error + Send + Sync>>(watcher.watch(conversation).await?)
            };
            tokio::select! {
                ended = conversation => if let Err(error) = ended {
                    tracing::debug!(%error, "a client's connection ended");
                },
                _ = displaced => {}
            }
        });
    }
    drop(listener);
    let drain = limits.borrow().drain;
    if timeout(drain, graceful.shutdown()).await.is_err() {
        tracing::warn!("some answers were cut off: they took longer than the drain time");
    }
}

/// What a connection is read from and written to.
trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

/// Makes a connection ready for requests.
async fn open(stream: TcpStream, served: &impl Serve) -> io::Result<Box<dyn Stream>> {
    let Some(gate) = served.gate() else { return Ok(Box::new(stream)) };
    let shaken = gate.shake(stream).await;
    Ok(Box::new(shaken.inspect_err(|error| served.turned_away(Refusal::Handshake, error))?))
}

/// One connection, request by request, until it ends; it may be asked to end sooner.
pub fn converse<S: Serve>(
    stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
    served: Arc<S>,
    limits: Limits,
) -> impl GracefulConnection<Error = hyper::Error> {
    converse_at(None, stream, served, limits)
}

fn converse_at<S: Serve>(
    place: Option<Place>,
    stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
    served: Arc<S>,
    limits: Limits,
) -> impl GracefulConnection<Error = hyper::Error> {
    let place = place.map(Arc::new);
    let service = service_fn(move |request| {
        let (served, place) = (Arc::clone(&served), place.clone());
        async move {
            if let Some(place) = &place {
                place.answers();
            }
            let response = served.answer(request).await;
            Ok::<_, Infallible>(response.map(|body| Answering::new(body, place)))
        }
    });
    http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.header_timeout)
        .max_buf_size(HEAD)
        .serve_connection(TokioIo::new(Paced::new(stream, limits.write_timeout)), service)
}

/// Out of descriptors, perhaps: trying again at once would only spin.
async fn pause(error: &io::Error) {
    tracing::warn!(%error, "a connection could not be accepted");
    tokio::time::sleep(Duration::from_millis(100)).await;
}

impl Serve for Router {
    fn gate(&self) -> Option<&Arc<Gate>> {
        self.gate.as_ref()
    }

    fn turned_away(&self, why: Refusal, error: &io::Error) {
        tracing::debug!(%error, "a client was turned away");
        self.telemetry.turned_away(why);
    }

    async fn answer(&self, request: Request<Incoming>) -> Response<Body> {
        self.route(&request).await
    }
}

impl Router {
    async fn route(&self, request: &Request<Incoming>) -> Response<Body> {
        let path = request.uri().path();
        let page = self.page.as_ref().filter(|_| Pages::has(path));
        if page.is_none() && !["/metrics", "/livez", "/readyz"].contains(&path) {
            return text(StatusCode::NOT_FOUND, "not found; try /metrics, /livez, /readyz\n");
        }
        if ![Method::GET, Method::HEAD].contains(request.method()) {
            let mut response = text(StatusCode::METHOD_NOT_ALLOWED, "only GET and HEAD\n");
            response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
            return response;
        }
        let query = request.uri().query().unwrap_or_default();
        if path == "/livez" {
            return health::livez(self.health.as_ref());
        }
        let admitted = self.admit(request.headers()).await;
        match (path, page, admitted) {
            ("/readyz", _, admitted) => {
                health::readyz(self.health.as_ref(), query, admitted.is_ok())
            }
            (_, _, Err(refusal)) => {
                self.telemetry.turned_away(refusal);
                refusal.response()
            }
            (_, Some(page), _) => page.answer(path, request.headers()),
            (_, None, _) => self.scrapes.answer(request.headers(), query),
        }
    }

    async fn admit(&self, headers: &HeaderMap) -> Result<(), Refusal> {
        match &self.guard {
            Some(guard) => guard.admit(headers).await,
            None => Ok(()),
        }
    }
}

/// A short answer in plain text.
pub fn text(status: StatusCode, body: impl Into<Bytes>) -> Response<Body> {
    respond(status, "text/plain; charset=utf-8", body)
}

fn respond(
    status: StatusCode,
    content_type: &'static str,
    body: impl Into<Bytes>,
) -> Response<Body> {
    respond_with(status, content_type, Full::new(body.into()).boxed_unsync())
}

fn respond_with(status: StatusCode, content_type: &'static str, body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(
        CONTENT_SECURITY_POLICY,
        HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'"),
    );
    response
}
