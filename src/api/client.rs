//! Requests on connections, counted and timed; a 401 reads the token again and tries once more.

use std::{
    collections::HashSet,
    hash::{BuildHasher, RandomState},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use bytes::{Bytes, BytesMut};
use http::{
    HeaderMap, HeaderValue, Request, Response,
    header::{
        ACCEPT, AUTHORIZATION, CONTENT_ENCODING, CONTENT_TYPE, DATE, HOST, USER_AGENT, WARNING,
    },
};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use tokio::time::{Instant, timeout};

use super::{
    Phase, ReloadResult, ReloadTrigger, TransportReason, Verb,
    answer::Answer,
    connection::{Connection, TransportError},
    endpoint::Endpoint,
    flow::{Flow, Flows},
    pulse::Pulse,
    request::{self, Ask, Target},
    skew::{Estimate, Skew},
    status::{Refusal, refusal},
    tls::Tls,
};
use crate::{
    exposition::{Collect, Exposition, catalogue},
    telemetry::Telemetry,
    watch::machine::{self, Failure, FailureKind},
    wire::Encoding,
};

/// How much of a refusal's body is read.
const REFUSAL: usize = 64 * 1024;
/// How long a refusal's body may take.
const REFUSAL_TIME: Duration = Duration::from_secs(5);
/// How many different warnings of the server are logged.
const WARNINGS: usize = 100;

/// A client of one API server.
#[derive(Debug)]
pub struct Client {
    /// Where it is and who we are.
    pub endpoint: Endpoint,
    pub(super) telemetry: Telemetry,
    /// The server's, for what is read over HTTP/1.1.
    pub(super) pulse: Arc<Pulse>,
    /// What skew is told by: a clock that nobody sets.
    epoch: Instant,
    skew: Mutex<Skew>,
    flows: Mutex<Flows>,
    warned: Mutex<HashSet<u64>>,
    hasher: RandomState,
}

/// What proves who we are: a token, a client certificate, or nothing.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Proof {
    authorization: Option<HeaderValue>,
    /// That of the certificates.
    generation: u64,
}

/// A request that was answered.
struct Sent {
    response: Response<Incoming>,
    connection: Connection,
    /// When it was sent, after the dial.
    at: Instant,
}

/// Why there is no answer to read.
#[derive(Debug)]
pub struct Trouble {
    /// What to do about it.
    pub failure: Failure,
    /// For people.
    pub message: String,
}

impl Client {
    /// A client; nothing is dialled yet.
    #[must_use]
    pub fn new(endpoint: Endpoint, telemetry: Telemetry) -> Self {
        Self {
            endpoint,
            telemetry,
            pulse: Arc::default(),
            epoch: Instant::now(),
            skew: Mutex::default(),
            flows: Mutex::default(),
            warned: Mutex::default(),
            hasher: RandomState::new(),
        }
    }

    /// Now by the server's clock, in microseconds since 1970.
    #[must_use]
    pub fn now(&self) -> i64 {
        lock(&self.skew).correct(self.epoch.elapsed(), wall_micros())
    }

    /// A new connection.
    ///
    /// # Errors
    /// Where it cannot be made.
    pub async fn dial(&self) -> Result<Connection, TransportError> {
        let dialled = Connection::dial(&self.endpoint, &self.telemetry).await;
        dialled.inspect_err(|error| self.telemetry.transport_error(error.reason))
    }

    /// Sends a list or watch request, on `connection` where it still works, else on a new one. Of
    /// a resource that is known by its name only the API server is asked first if it serves it.
    ///
    /// # Errors
    /// Where there is no answer of status 200: what it means and says.
    pub async fn open(
        &self,
        target: &Target,
        request: &machine::Request,
        connection: Option<Connection>,
    ) -> Result<Answer, Trouble> {
        if target.resource.discovered && request.begins_list() {
            self.discover(target).await?;
        }
        self.ask(&target.ask(request), connection).await.map_err(|trouble| target.absent(trouble))
    }

    /// Sends a request, and once more where the server went away before it took it, or where it was
    /// refused with 401 and there is other proof now.
    ///
    /// # Errors
    /// Where there is no answer of status 200 or 201: what it means and says.
    pub(crate) async fn ask(
        &self,
        ask: &Ask,
        connection: Option<Connection>,
    ) -> Result<Answer, Trouble> {
        let proof = self.prove().await?;
        let mut first = self.attempt(&proof, ask, connection).await;
        if first.as_ref().is_err_and(Trouble::is_unanswered) {
            self.telemetry.retry(ask.verb, &ask.about);
            first = self.attempt(&proof, ask, None).await;
        }
        let mut trouble = match first {
            Err(trouble) if trouble.is_unauthorized() => trouble,
            other => return other,
        };
        match self.renew(&proof, &mut trouble).await {
            Some(proof) => {
                self.telemetry.retry(ask.verb, &ask.about);
                let second = self.attempt(&proof, ask, None).await;
                if second.as_ref().is_err_and(Trouble::is_unauthorized) {
                    self.explain(false, Some(ReloadResult::Rotated));
                }
                second
            }
            None => Err(trouble),
        }
    }

    /// What proves who we are. A plugin runs first, as it may give the certificate for the dial.
    pub(super) async fn prove(&self) -> Result<Proof, Trouble> {
        let Endpoint { credentials, tls, .. } = &self.endpoint;
        let before = credentials.current();
        let authorization = credentials.authorization(tls.as_ref(), self.now() / 1_000_000).await;
        let authorization = authorization.map_err(|error| {
            self.telemetry.token_reload(ReloadTrigger::Timer, ReloadResult::Error);
            let failure = Failure { kind: FailureKind::Unauthorized, retry_after: None };
            Trouble { failure, message: error.to_string() }
        })?;
        if before.is_some() && before != authorization {
            self.telemetry.token_reload(ReloadTrigger::Timer, ReloadResult::Rotated);
        }
        Ok(Proof { authorization, generation: tls.as_ref().map_or(0, Tls::generation) })
    }

    /// After a 401: reads token and certificates again; other proof than was sent, if there is any.
    pub(super) async fn renew(&self, sent: &Proof, trouble: &mut Trouble) -> Option<Proof> {
        let Endpoint { credentials, tls, .. } = &self.endpoint;
        let renewed = credentials.renew(sent.authorization.as_ref(), tls.as_ref()).await;
        let mut result = |renewed: Result<ReloadResult, String>| {
            renewed.unwrap_or_else(|error| {
                trouble.message = format!("{}; and {error}", trouble.message);
                ReloadResult::Error
            })
        };
        let token = renewed.map(|renewed| result(renewed.map_err(|error| error.to_string())));
        if let Some(token) = token {
            self.telemetry.token_reload(ReloadTrigger::Unauthorized, token);
        }
        if let Some(reloaded) = tls.as_ref().and_then(Tls::reload) {
            self.telemetry.ca_reload(result(reloaded.map_err(|error| error.to_string())));
        }
        let generation = tls.as_ref().map_or(0, Tls::generation);
        let proof = Proof { authorization: credentials.current(), generation };
        let replaced = proof != *sent;
        self.explain(replaced, token);
        replaced.then_some(proof)
    }

    /// Counts a 401 under what it comes from, as far as it shows here.
    fn explain(&self, replaced: bool, reloaded: Option<ReloadResult>) {
        let Endpoint { credentials, tls, .. } = &self.endpoint;
        let certificate = tls.as_ref().and_then(Tls::client_times);
        let now = self.now() / 1_000_000;
        self.telemetry.unauthorized(credentials.explain(now, certificate, replaced, reloaded));
    }

    /// Changes when there is other proof of who we are.
    #[must_use]
    pub fn proof(&self) -> u64 {
        let Endpoint { credentials, tls, .. } = &self.endpoint;
        credentials.generation().wrapping_add(tls.as_ref().map_or(0, Tls::generation))
    }

    pub(super) async fn attempt(
        &self,
        proof: &Proof,
        ask: &Ask,
        connection: Option<Connection>,
    ) -> Result<Answer, Trouble> {
        let (verb, resource) = (ask.verb, &*ask.about);
        let flight = self.telemetry.request_started(verb);
        let started = Instant::now();
        let sent = self.send(proof, ask, connection).await;
        let Sent { response, connection, at } = sent.inspect_err(|trouble| {
            if let FailureKind::Transport(reason) = trouble.failure.kind {
                self.telemetry.transport_error(reason);
            }
        })?;
        let head = Instant::now();
        self.telemetry.phase(Phase::FirstByte, head.duration_since(at));
        self.note_headers(response.headers(), at, head);
        let status = response.status().as_u16();
        self.telemetry.request_answered(verb, resource, status);
        if !matches!(status, 200 | 201) {
            let trouble = self.refused(status, response).await;
            self.telemetry.phase(Phase::Body, head.elapsed());
            self.telemetry.request_took(verb, resource, started.elapsed());
            return Err(trouble);
        }
        if let Some(coding) = response.headers().get(CONTENT_ENCODING) {
            self.telemetry.transport_error(TransportReason::Decode);
            let message = format!("the answer is compressed ({coding:?}), which nobody asked for");
            return Err(TransportError::new(TransportReason::Decode, message).into());
        }
        let watch = verb == Verb::Watch;
        let pulse = (!connection.is_http2()).then(|| Arc::clone(&self.pulse));
        if watch {
            self.telemetry.request_took(verb, resource, head.duration_since(started));
        }
        let content_type = response.headers().get(CONTENT_TYPE);
        let content_type = content_type.and_then(|value| value.to_str().ok());
        Ok(Answer {
            encoding: Encoding::of(content_type.unwrap_or_default()),
            body: response.into_body(),
            connection,
            telemetry: self.telemetry.clone(),
            verb,
            about: ask.about.clone(),
            started,
            head,
            heard: head,
            pulse,
            _flight: (!watch).then_some(flight),
        })
    }

    async fn send(
        &self,
        proof: &Proof,
        ask: &Ask,
        connection: Option<Connection>,
    ) -> Result<Sent, Trouble> {
        let path_and_query = &ask.path_and_query;
        let mut connection = match connection.filter(Connection::is_open) {
            Some(connection) => connection,
            None => Connection::dial(&self.endpoint, &self.telemetry).await?,
        };
        let url = &self.endpoint.url;
        let uri = match connection.is_http2() {
            true => format!("{url}{path_and_query}"),
            false => format!("{}{path_and_query}", url.path),
        };
        let mut request = Request::builder()
            .method(ask.verb.method())
            .uri(uri)
            .header(ACCEPT, &ask.accept)
            .header(USER_AGENT, user_agent());
        if !connection.is_http2() {
            request = request.header(HOST, url.authority());
        }
        if let Some(authorization) = &proof.authorization {
            request = request.header(AUTHORIZATION, authorization);
        }
        if !ask.body.is_empty() {
            request = request.header(CONTENT_TYPE, ask.verb.content_type());
        }
        let request = request.body(Full::new(ask.body.clone())).map_err(|error| Trouble {
            failure: Failure { kind: FailureKind::Unsupported, retry_after: None },
            message: format!("no such request can be sent: {error}"),
        })?;
        let at = Instant::now();
        let http2 = connection.is_http2();
        let sending = connection.send(request);
        let response = match http2 {
            true => sending.await,
            false => self.pulse.guard(at, sending).await.flatten(),
        }?;
        Ok(Sent { response, connection, at })
    }

    async fn refused(&self, status: u16, response: Response<Incoming>) -> Trouble {
        let (head, body) = response.into_parts();
        // A body that does not come does not matter: the status says enough.
        let body = timeout(REFUSAL_TIME, beginning(body)).await.unwrap_or_default();
        let Refusal { failure, message, throttle } = refusal(status, &head.headers, &body);
        self.telemetry.refused(throttle, failure.retry_after);
        Trouble { failure, message }
    }

    /// The server's clock against ours, once an answer has told it.
    #[must_use]
    pub fn skew(&self) -> Option<Estimate> {
        lock(&self.skew).estimate(self.epoch.elapsed(), wall_micros())
    }

    /// Shows the server's clock against ours.
    pub(crate) fn show_skew(&self, out: &mut Exposition) {
        let Some(Estimate { skew, error }) = self.skew() else { return };
        let labels = [&*self.endpoint.name];
        let of_micros = |micros: i64| micros as f64 / 1e6;
        out.sample(&catalogue::API_CLOCK_SKEW_SECONDS, &labels, of_micros(skew));
        out.sample(&catalogue::API_CLOCK_SKEW_ERROR_SECONDS, &labels, of_micros(error));
    }

    fn note_headers(&self, headers: &HeaderMap, sent: Instant, received: Instant) {
        let date = headers.get(DATE).and_then(|date| date.to_str().ok());
        if let Some(date) = date.and_then(|date| httpdate::parse_http_date(date).ok()) {
            let [sent, received] = [sent, received].map(|at| at.duration_since(self.epoch));
            lock(&self.skew).note(micros(date) / 1_000_000, sent, received);
        }
        if let Some(flow) = Flow::of(headers) {
            lock(&self.flows).count(flow);
        }
        for warning in headers.get_all(WARNING) {
            self.telemetry.api_warning();
            let mut warned = lock(&self.warned);
            if warned.len() < WARNINGS && warned.insert(self.hasher.hash_one(warning.as_bytes())) {
                let text = String::from_utf8_lossy(warning.as_bytes());
                let text: String = text.chars().take(400).collect();
                tracing::warn!(warning = %text, "the API server warns");
            }
        }
    }
}

impl Trouble {
    pub(super) fn is_unauthorized(&self) -> bool {
        self.failure.kind == FailureKind::Unauthorized
    }

    /// Whether the server went away before it took the request: by GOAWAY (RFC 9113, 6.8), or over
    /// HTTP/1.1 by ending a connection that was kept.
    fn is_unanswered(&self) -> bool {
        self.failure.kind == FailureKind::Transport(TransportReason::Goaway)
    }
}

impl From<TransportError> for Trouble {
    fn from(error: TransportError) -> Self {
        let kind = FailureKind::Transport(error.reason);
        Self { failure: Failure { kind, retry_after: None }, message: error.message }
    }
}

/// Shows what the client knows of its credentials and of the server's clock.
impl Collect for Client {
    fn collect(&self, out: &mut Exposition) {
        let times = self.endpoint.credentials.times();
        for (metric, time) in [
            (&catalogue::TOKEN_ISSUED_TIMESTAMP_SECONDS, times.issued),
            (&catalogue::TOKEN_WARN_AFTER_TIMESTAMP_SECONDS, times.warn_after),
            (&catalogue::TOKEN_EXPIRATION_TIMESTAMP_SECONDS, times.expires),
        ] {
            if let Some(time) = time {
                out.sample(metric, &[], seconds(time));
            }
        }
        let tls = self.endpoint.tls.as_ref();
        for (certificate, time) in [
            (super::Certificate::Server, tls.and_then(|tls| tls.server_not_after())),
            (super::Certificate::Ca, tls.and_then(|tls| tls.ca_not_after())),
            (super::Certificate::Client, tls.and_then(|tls| tls.client_not_after())),
        ] {
            if let Some(time) = time {
                let labels = [certificate.as_str()];
                out.sample(&catalogue::TLS_NOT_AFTER_TIMESTAMP_SECONDS, &labels, seconds(time));
            }
        }
        lock(&self.flows).collect(out);
        self.show_skew(out);
    }
}

/// Whole seconds fit a float up to the year 285,000,000.
const fn seconds(time: i64) -> f64 {
    time as f64
}

/// The first bytes of a body.
async fn beginning(mut body: Incoming) -> Bytes {
    let mut bytes = BytesMut::new();
    while bytes.len() < REFUSAL {
        match body.frame().await {
            Some(Ok(frame)) => bytes.extend_from_slice(frame.data_ref().unwrap_or(&Bytes::new())),
            Some(Err(_)) | None => break,
        }
    }
    bytes.freeze()
}

/// `kubetally/<version> (<os>/<arch>)`, with Go's names for both, as the server's logs have them.
fn user_agent() -> String {
    let arch = match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    };
    format!("{} ({}/{arch})", request::USER_AGENT, std::env::consts::OS)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn wall_micros() -> i64 {
    micros(SystemTime::now())
}

fn micros(time: SystemTime) -> i64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_micros()).unwrap_or(i64::MAX)
}

/// No bytes within the time that the machine gives.
#[must_use]
pub fn silent() -> TransportError {
    TransportError::new(TransportReason::ReadTimeout, "nothing arrived in time")
}

#[cfg(all(test, feature = "demo"))]
mod tests;
