//! Requests on connections, counted and timed; a 401 reads the token again and tries once more.

use std::{
    borrow::Cow,
    collections::HashSet,
    hash::{BuildHasher, RandomState},
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicI64, Ordering},
    },
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use bytes::{Bytes, BytesMut};
use http::{
    HeaderMap, HeaderValue, Request, Response,
    header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, DATE, HOST, USER_AGENT, WARNING},
};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use tokio::time::{Instant, timeout};

use super::{
    Phase, ReloadResult, ReloadTrigger, TransportReason, Verb,
    connection::{Connection, TransportError},
    endpoint::Endpoint,
    request::{self, Ask, Target},
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
    telemetry: Telemetry,
    skew: Skew,
    warned: Mutex<HashSet<u64>>,
    hasher: RandomState,
}

/// The server's clock against ours.
#[derive(Debug, Default)]
struct Skew {
    /// Server minus ours, in microseconds; `i64::MAX` where it is not known.
    micros: AtomicI64,
}

/// What proves who we are: a token, a client certificate, or nothing.
#[derive(Debug, PartialEq, Eq)]
struct Proof {
    authorization: Option<HeaderValue>,
    /// That of the certificates.
    generation: u64,
}

/// Why there is no answer to read.
#[derive(Debug)]
pub struct Trouble {
    /// What to do about it.
    pub failure: Failure,
    /// For people.
    pub message: String,
}

/// The body of an answer of status 200 or 201, with the connection it comes on.
#[derive(Debug)]
pub struct Answer {
    encoding: Encoding,
    body: Incoming,
    connection: Connection,
    telemetry: Telemetry,
    verb: Verb,
    about: Cow<'static, str>,
    started: Instant,
    head: Instant,
    _flight: Option<crate::telemetry::InFlight>,
}

impl Client {
    /// A client; nothing is dialled yet.
    #[must_use]
    pub fn new(endpoint: Endpoint, telemetry: Telemetry) -> Self {
        Self {
            endpoint,
            telemetry,
            skew: Skew { micros: AtomicI64::new(i64::MAX) },
            warned: Mutex::default(),
            hasher: RandomState::new(),
        }
    }

    /// Now by the server's clock, in microseconds since 1970.
    #[must_use]
    pub fn now(&self) -> i64 {
        self.skew.correct(wall_micros())
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

    /// Sends a request, and once more where it was refused with 401 and there is other proof now.
    ///
    /// # Errors
    /// Where there is no answer of status 200 or 201: what it means and says.
    pub(super) async fn ask(
        &self,
        ask: &Ask,
        connection: Option<Connection>,
    ) -> Result<Answer, Trouble> {
        let proof = self.prove().await?;
        let first = self.attempt(&proof, ask, connection).await;
        let mut trouble = match first {
            Err(trouble) if trouble.failure.kind == FailureKind::Unauthorized => trouble,
            other => return other,
        };
        match self.renew(&proof, &mut trouble).await {
            Some(proof) => {
                self.telemetry.retry(ask.verb, &ask.about);
                self.attempt(&proof, ask, None).await
            }
            None => Err(trouble),
        }
    }

    /// What proves who we are. A plugin runs first, as it may give the certificate for the dial.
    async fn prove(&self) -> Result<Proof, Trouble> {
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
    async fn renew(&self, sent: &Proof, trouble: &mut Trouble) -> Option<Proof> {
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
        let cause = credentials.explain(self.now() / 1_000_000, replaced, token);
        self.telemetry.unauthorized(cause);
        replaced.then_some(proof)
    }

    async fn attempt(
        &self,
        proof: &Proof,
        ask: &Ask,
        connection: Option<Connection>,
    ) -> Result<Answer, Trouble> {
        let (verb, resource) = (ask.verb, &*ask.about);
        let flight = self.telemetry.request_started(verb);
        let started = Instant::now();
        let sent = self.send(proof, ask, connection).await;
        let (response, connection) = sent.inspect_err(|trouble| {
            if let FailureKind::Transport(reason) = trouble.failure.kind {
                self.telemetry.transport_error(reason);
            }
        })?;
        let head = Instant::now();
        self.telemetry.phase(Phase::FirstByte, head.duration_since(started));
        self.note_headers(response.headers(), started.elapsed());
        let status = response.status().as_u16();
        self.telemetry.request_answered(verb, resource, status);
        if !matches!(status, 200 | 201) {
            let trouble = self.refused(status, response).await;
            self.telemetry.request_took(verb, resource, started.elapsed());
            return Err(trouble);
        }
        let watch = verb == Verb::Watch;
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
            _flight: (!watch).then_some(flight),
        })
    }

    async fn send(
        &self,
        proof: &Proof,
        ask: &Ask,
        connection: Option<Connection>,
    ) -> Result<(Response<Incoming>, Connection), Trouble> {
        let path_and_query = &ask.path_and_query;
        let mut connection = match connection {
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
            request = request.header(CONTENT_TYPE, request::JSON);
        }
        let request = request.body(Full::new(ask.body.clone())).map_err(|error| Trouble {
            failure: Failure { kind: FailureKind::Unsupported, retry_after: None },
            message: format!("no such request can be sent: {error}"),
        })?;
        let response = connection.send(request).await?;
        Ok((response, connection))
    }

    async fn refused(&self, status: u16, response: Response<Incoming>) -> Trouble {
        let (head, body) = response.into_parts();
        // A body that does not come does not matter: the status says enough.
        let body = timeout(REFUSAL_TIME, beginning(body)).await.unwrap_or_default();
        let Refusal { failure, message, throttle } = refusal(status, &head.headers, &body);
        if let Some(source) = throttle {
            self.telemetry.throttled(source);
        }
        if let Some(wait) = failure.retry_after {
            self.telemetry.retry_after(wait);
        }
        Trouble { failure, message }
    }

    fn note_headers(&self, headers: &HeaderMap, took: Duration) {
        let date = headers.get(DATE).and_then(|date| date.to_str().ok());
        if let Some(date) = date.and_then(|date| httpdate::parse_http_date(date).ok()) {
            self.skew.note(date, took);
        }
        for warning in headers.get_all(WARNING) {
            self.telemetry.api_warning();
            let mut warned = self.warned.lock().unwrap_or_else(PoisonError::into_inner);
            if warned.len() < WARNINGS && warned.insert(self.hasher.hash_one(warning.as_bytes())) {
                let text = String::from_utf8_lossy(warning.as_bytes());
                let text: String = text.chars().take(400).collect();
                tracing::warn!(warning = %text, "the API server warns");
            }
        }
    }
}

impl Skew {
    /// Compares a Date header, which has whole seconds, with the middle of its request.
    fn note(&self, date: SystemTime, took: Duration) {
        let server = micros(date).saturating_add(500_000);
        let middle = wall_micros() - i64::try_from(took.as_micros() / 2).unwrap_or(0);
        self.micros.store(server - middle, Ordering::Relaxed);
    }

    /// Half a second is what a Date header cannot tell; less than one is no skew.
    fn correct(&self, ours: i64) -> i64 {
        match self.micros.load(Ordering::Relaxed) {
            i64::MAX => ours,
            skew if skew.abs() <= 1_000_000 => ours,
            skew => ours + skew,
        }
    }
}

impl From<TransportError> for Trouble {
    fn from(error: TransportError) -> Self {
        let kind = FailureKind::Transport(error.reason);
        Self { failure: Failure { kind, retry_after: None }, message: error.message }
    }
}

impl Answer {
    /// How the body is encoded.
    #[must_use]
    pub const fn encoding(&self) -> Encoding {
        self.encoding
    }

    /// What arrived; `None` at the end.
    ///
    /// # Errors
    /// Where the connection broke in the middle.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, TransportError> {
        loop {
            match self.body.frame().await {
                None => {
                    self.ended();
                    return Ok(None);
                }
                Some(Ok(frame)) => {
                    if let Ok(data) = frame.into_data() {
                        return Ok(Some(data));
                    }
                }
                Some(Err(error)) => {
                    let error = self.connection.why(&error).await;
                    self.ended();
                    self.telemetry.transport_error(error.reason);
                    return Err(error);
                }
            }
        }
    }

    /// The connection, for the next request.
    #[must_use]
    pub fn into_connection(self) -> Connection {
        self.connection
    }

    fn ended(&self) {
        if self.verb != Verb::Watch {
            self.telemetry.phase(Phase::Body, self.head.elapsed());
            self.telemetry.request_took(self.verb, &self.about, self.started.elapsed());
        }
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
        let skew = self.skew.micros.load(Ordering::Relaxed);
        if skew != i64::MAX {
            // To half a second, as a Date header tells no more.
            let halves = (skew + skew.signum() * 250_000) / 500_000;
            out.sample(&catalogue::API_CLOCK_SKEW_SECONDS, &[], seconds(halves) / 2.0);
        }
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
