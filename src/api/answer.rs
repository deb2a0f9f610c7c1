//! An answer as it arrives, timed.

use std::{borrow::Cow, sync::Arc, time::Duration};

use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use tokio::time::Instant;

use super::{
    Phase, Verb,
    connection::{Connection, TransportError},
    pulse::Pulse,
};
use crate::{
    telemetry::{InFlight, Telemetry},
    wire::Encoding,
};

/// The body of an answer of status 200 or 201, with the connection it comes on.
#[derive(Debug)]
pub struct Answer {
    pub(super) encoding: Encoding,
    pub(super) body: Incoming,
    pub(super) connection: Connection,
    pub(super) telemetry: Telemetry,
    pub(super) verb: Verb,
    pub(super) about: Cow<'static, str>,
    /// When the attempt began, its dial included.
    pub(super) started: Instant,
    /// When its head was there.
    pub(super) head: Instant,
    /// When anything of it arrived last.
    pub(super) heard: Instant,
    /// The server's, where the connection has no ping.
    pub(super) pulse: Option<Arc<Pulse>>,
    pub(super) _flight: Option<InFlight>,
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
    /// Where the connection broke in the middle, or the server has fallen silent.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, TransportError> {
        loop {
            let frame = match &self.pulse {
                Some(pulse) => pulse.guard(self.heard, self.body.frame()).await,
                None => Ok(self.body.frame().await),
            };
            let error = match frame {
                Ok(None) => {
                    self.ended();
                    return Ok(None);
                }
                Ok(Some(Ok(frame))) => {
                    self.heard = Instant::now();
                    match frame.into_data() {
                        Ok(data) => return Ok(Some(data)),
                        Err(_) => continue,
                    }
                }
                Ok(Some(Err(error))) => self.connection.why(&error).await,
                Err(error) => error,
            };
            self.ended();
            self.telemetry.transport_error(error.reason);
            return Err(error);
        }
    }

    /// When the attempt began that this answers, its dial included.
    #[must_use]
    pub const fn started(&self) -> Instant {
        self.started
    }

    /// How long the attempt took to the answer's head, its dial included.
    #[must_use]
    pub fn opened_in(&self) -> Duration {
        self.head.duration_since(self.started)
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
