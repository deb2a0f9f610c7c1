//! The listener's side: one POST a batch, read while it arrives, answered at once.

use std::{
    io,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use http::{
    Method, Request, Response, StatusCode,
    header::{ALLOW, CONTENT_ENCODING, HeaderValue, WWW_AUTHENTICATE},
    request::Parts,
};
use http_body_util::BodyExt;
use hyper::body::{Body as _, Incoming};
use tokio::time::{Instant, timeout};

use super::{BatchResult, batch::Batch, tally::Tally};
use crate::{
    api::{Certificate, tls::TlsError},
    config::{listeners::Files, settings::Caps},
    exposition::{Collect, Exposition},
    http::{Body, Refusal as Unheard, Serve, gate::Gate, text},
    watch::trouble::{Tell, Trouble},
    wire::DecodeError,
};

/// Where batches are taken.
const PATH: &str = "/audit";
/// The largest body: the API server splits batches of more than 10 MiB where it truncates
/// (`--audit-webhook-truncate-max-batch-size`).
const LARGEST: u64 = 16 << 20;
/// How long a batch may take: the API server waits no longer for its answer.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long the rest of what was refused is read, so that the answer finds somebody to read it.
const REST: Duration = Duration::from_secs(5);

/// Takes what the API server's webhook sends.
#[derive(Debug)]
pub struct Receiver {
    gate: Arc<Gate>,
    tally: Mutex<Tally>,
    began: Instant,
    /// What was refused, by result, so that the log tells it once a minute.
    troubles: Mutex<[Trouble; BatchResult::ALL.len()]>,
}

/// Why a batch was refused.
#[derive(Debug)]
struct Refusal {
    result: BatchResult,
    status: StatusCode,
    message: String,
}

impl Receiver {
    /// A receiver with these files.
    ///
    /// # Errors
    /// Where a file of its certificate or of what its clients prove themselves by is unusable.
    pub fn new(files: &Files, caps: &Caps) -> Result<Self, TlsError> {
        Ok(Self {
            gate: Arc::new(Gate::new(Certificate::Audit, files)?),
            tally: Mutex::new(Tally::new(caps)),
            began: Instant::now(),
            troubles: Mutex::default(),
        })
    }

    /// Reads a batch and counts its events, each as soon as it is there.
    async fn receive(&self, head: &Parts, body: &mut Incoming) -> Result<(), Refusal> {
        self.check(head)?;
        if body.size_hint().lower() > LARGEST {
            return Err(too_large());
        }
        let (mut batch, mut size) = (Batch::default(), 0);
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|error| {
                Refusal::new(BatchResult::CutOff, StatusCode::BAD_REQUEST, error.to_string())
            })?;
            let Ok(bytes) = frame.into_data() else { continue };
            size += bytes.len() as u64;
            if size > LARGEST {
                return Err(too_large());
            }
            batch.push(&bytes);
            while let Some(event) = batch.next_event().map_err(undecodable)? {
                self.tally().take(&event);
            }
        }
        batch.finish().map_err(undecodable)
    }

    /// What shows before the body.
    fn check(&self, head: &Parts) -> Result<(), Refusal> {
        let refuse =
            |result, status, message: &str| Err(Refusal::new(result, status, message.to_owned()));
        if !self.gate.admits(&head.headers) {
            let message = "no token, or none of audit.token_file";
            return refuse(BatchResult::Unauthorized, StatusCode::UNAUTHORIZED, message);
        }
        if head.uri.path() != PATH {
            let message = format!("not found; audit events are taken at {PATH}");
            return refuse(BatchResult::Misdirected, StatusCode::NOT_FOUND, &message);
        }
        if head.method != Method::POST {
            let status = StatusCode::METHOD_NOT_ALLOWED;
            return refuse(BatchResult::Misdirected, status, "only POST");
        }
        let plain = |coding: &HeaderValue| coding.as_bytes().eq_ignore_ascii_case(b"identity");
        if !head.headers.get_all(CONTENT_ENCODING).iter().all(plain) {
            let status = StatusCode::UNSUPPORTED_MEDIA_TYPE;
            return refuse(BatchResult::Encoded, status, "no compressed body is taken");
        }
        Ok(())
    }

    fn refused(&self, result: BatchResult, why: &str) {
        self.tally().batch(result);
        let mut troubles = self.troubles.lock().unwrap_or_else(PoisonError::into_inner);
        match troubles[result as usize].failed(result.as_str(), self.began.elapsed()) {
            Some(Tell::New) => tracing::warn!(cause = %result, why, "an audit batch was refused"),
            Some(Tell::Lasting { failures, .. }) => {
                tracing::warn!(cause = %result, why, failures, "audit batches were refused");
            }
            None => tracing::debug!(cause = %result, why, "an audit batch was refused"),
        }
    }

    fn tally(&self) -> MutexGuard<'_, Tally> {
        self.tally.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Serve for Receiver {
    fn gate(&self) -> Option<&Arc<Gate>> {
        Some(&self.gate)
    }

    fn turned_away(&self, why: Unheard, error: &io::Error) {
        let result = match why {
            Unheard::Crowded => BatchResult::Crowded,
            _ => BatchResult::Handshake,
        };
        self.refused(result, &error.to_string());
    }

    async fn answer(&self, request: Request<Incoming>) -> Response<Body> {
        let (head, mut body) = request.into_parts();
        let received = timeout(PATIENCE, self.receive(&head, &mut body)).await;
        match received.unwrap_or_else(|_| Err(slow())) {
            Ok(()) => {
                self.tally().batch(BatchResult::Accepted);
                text(StatusCode::OK, "")
            }
            Err(refusal) => {
                self.refused(refusal.result, &refusal.message);
                if refusal.result != BatchResult::Slow {
                    // Who is still not done by then may find the connection closed.
                    let _read = timeout(REST, rest(&mut body)).await;
                }
                refusal.response()
            }
        }
    }
}

/// Reads what is left of a body, if it is not too much.
async fn rest(body: &mut Incoming) {
    let mut size = 0;
    while size + body.size_hint().lower() <= LARGEST {
        let Some(Ok(frame)) = body.frame().await else { break };
        size += frame.data_ref().map_or(0, |bytes| bytes.len() as u64);
    }
}

impl Refusal {
    const fn new(result: BatchResult, status: StatusCode, message: String) -> Self {
        Self { result, status, message }
    }

    fn response(self) -> Response<Body> {
        let mut response = text(self.status, format!("{}\n", self.message));
        let (name, value) = match self.status {
            StatusCode::UNAUTHORIZED => (WWW_AUTHENTICATE, "Bearer"),
            StatusCode::METHOD_NOT_ALLOWED => (ALLOW, "POST"),
            _ => return response,
        };
        response.headers_mut().insert(name, HeaderValue::from_static(value));
        response
    }
}

fn slow() -> Refusal {
    let message = format!("the body took longer than {} s", PATIENCE.as_secs());
    Refusal::new(BatchResult::Slow, StatusCode::REQUEST_TIMEOUT, message)
}

fn too_large() -> Refusal {
    let message = format!(
        "the body has more than {LARGEST} bytes; --audit-webhook-truncate-enabled splits batches"
    );
    Refusal::new(BatchResult::TooLarge, StatusCode::PAYLOAD_TOO_LARGE, message)
}

fn undecodable(error: DecodeError) -> Refusal {
    match error {
        DecodeError::TooLong { limit } => {
            let message = format!(
                "an event has more than {limit} bytes; a policy of level Metadata or \
                 --audit-webhook-truncate-enabled makes them small"
            );
            Refusal::new(BatchResult::TooLarge, StatusCode::PAYLOAD_TOO_LARGE, message)
        }
        error => {
            let message = format!("no EventList of audit.k8s.io/v1: {error}");
            Refusal::new(BatchResult::Undecodable, StatusCode::BAD_REQUEST, message)
        }
    }
}

impl Collect for Receiver {
    fn collect(&self, out: &mut Exposition) {
        // Into memory, and bounded: a batch waits for some milliseconds at most.
        self.tally().collect(out);
        self.gate.collect(out);
    }
}

#[cfg(all(test, feature = "demo"))]
mod tests;
