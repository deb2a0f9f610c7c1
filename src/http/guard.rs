//! Who may read what we tell: whoever shows a token that the cluster allows to get `/metrics`. The
//! API server says whose the token is (a TokenReview) and whether they may (a SubjectAccessReview),
//! as it does for its own `/metrics` ("Kubernetes API Server: Authentication, Authorization").

mod memory;

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use aws_lc_rs::hmac;
use http::{
    HeaderMap, Response, StatusCode,
    header::{AUTHORIZATION, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE},
};
use memory::{Digest, Memory, Recalled, Verdict};
use tokio::time::{Instant, timeout};

use super::{Body, Refusal, gate::bearer, text};
use crate::{
    api::client::{Client, Trouble},
    watch::{
        machine::FailureKind,
        trouble::{self, Tell},
    },
};

/// The path whose right is asked for, whatever is read.
const PATH: &str = "/metrics";
/// How long an answer of the API server is waited for: less than a scrape is.
const PATIENCE: Duration = Duration::from_secs(5);

/// Lets in whom the API server lets in.
#[derive(Debug)]
pub struct Guard {
    client: Arc<Client>,
    /// Tokens are kept as what this key makes of them.
    key: hmac::Key,
    memory: Mutex<Memory>,
    /// One review at a time: who shows the same token waits for the same answer.
    asking: tokio::sync::Mutex<()>,
    trouble: Mutex<trouble::Trouble>,
    began: Instant,
}

impl Guard {
    /// Asks by this client.
    ///
    /// # Errors
    /// Where the system has no random numbers.
    pub fn new(client: Arc<Client>) -> Result<Self, aws_lc_rs::error::Unspecified> {
        let random = aws_lc_rs::rand::SystemRandom::new();
        Ok(Self {
            client,
            key: hmac::Key::generate(hmac::HMAC_SHA256, &random)?,
            memory: Mutex::default(),
            asking: tokio::sync::Mutex::default(),
            trouble: Mutex::default(),
            began: Instant::now(),
        })
    }

    /// Whether who sends these headers may read.
    ///
    /// # Errors
    /// Why not.
    pub async fn admit(&self, headers: &HeaderMap) -> Result<(), Refusal> {
        let token = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
        let token = token.and_then(|value| bearer(value.as_bytes()));
        let token = token.and_then(|token| std::str::from_utf8(token).ok());
        let token = token.filter(|token| !token.is_empty()).ok_or(Refusal::Unauthorized)?;
        let digest = self.digest(token);
        if let Recalled::Known(verdict) = self.memory().recall(&digest, self.now()) {
            return verdict.admits();
        }
        let _alone = self.asking.lock().await;
        match self.memory().recall(&digest, self.now()) {
            Recalled::Known(verdict) => return verdict.admits(),
            Recalled::Away => return Err(Refusal::Unanswered),
            Recalled::Unknown => {}
        }
        if !self.memory().may_ask(&digest, self.now()) {
            return Err(Refusal::Busy);
        }
        self.ask(token, digest).await
    }

    async fn ask(&self, token: &str, digest: Digest) -> Result<(), Refusal> {
        let why = match timeout(PATIENCE, self.review(token)).await {
            Ok(Ok(verdict)) => {
                self.memory().learn(digest, verdict, self.now());
                lock(&self.trouble).recovered(self.now());
                return verdict.admits();
            }
            Ok(Err(trouble)) => trouble.message,
            Err(_) => format!("no answer within {} s", PATIENCE.as_secs()),
        };
        let earlier = self.memory().unanswered(&digest, self.now());
        match lock(&self.trouble).failed(&why, self.now()) {
            Some(Tell::New) => tracing::warn!(why, earlier, "who may scrape cannot be asked"),
            Some(Tell::Lasting { failures, .. }) => {
                tracing::warn!(why, failures, "who may scrape cannot be asked");
            }
            None => tracing::debug!(why, "who may scrape cannot be asked"),
        }
        if earlier { Ok(()) } else { Err(Refusal::Unanswered) }
    }

    async fn review(&self, token: &str) -> Result<Verdict, Trouble> {
        let mut reviews = self.client.reviews();
        let user = match reviews.user_of(token).await {
            Ok(Some(user)) => user,
            Ok(None) => return Ok(Verdict::Unknown),
            // Whatever makes the API server refuse it is no token.
            Err(Trouble { failure, .. }) if failure.kind == FailureKind::Unsupported => {
                return Ok(Verdict::Unknown);
            }
            Err(trouble) => return Err(trouble),
        };
        Ok(match reviews.may_get(&user, PATH).await? {
            true => Verdict::Allowed,
            false => Verdict::Forbidden,
        })
    }

    fn digest(&self, token: &str) -> Digest {
        let mut digest = Digest::default();
        digest.copy_from_slice(hmac::sign(&self.key, token.as_bytes()).as_ref());
        digest
    }

    fn memory(&self) -> MutexGuard<'_, Memory> {
        lock(&self.memory)
    }

    fn now(&self) -> Duration {
        self.began.elapsed()
    }
}

impl Refusal {
    /// What is answered; nothing of what is known here is in it.
    pub(super) fn response(self) -> Response<Body> {
        let (status, header, why) = match self {
            Self::Unauthorized => (
                StatusCode::UNAUTHORIZED,
                Some((WWW_AUTHENTICATE, "Bearer")),
                "a token of this cluster is wanted\n",
            ),
            Self::Unanswered => (
                StatusCode::SERVICE_UNAVAILABLE,
                Some((RETRY_AFTER, "5")),
                "the API server does not say who may read this; Kubetally's log says why\n",
            ),
            Self::Busy => (
                StatusCode::TOO_MANY_REQUESTS,
                Some((RETRY_AFTER, "1")),
                "too many unknown tokens; try again\n",
            ),
            // Who is crowded out or fails in the handshake is not answered at all.
            Self::Forbidden | Self::Handshake | Self::Crowded => {
                (StatusCode::FORBIDDEN, None, "this needs the right to get the path /metrics\n")
            }
        };
        let mut response = text(status, why);
        if let Some((name, value)) = header {
            response.headers_mut().insert(name, HeaderValue::from_static(value));
        }
        response
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
