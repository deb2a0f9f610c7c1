//! Whether an API server that is silent over HTTP/1.1 is alive. HTTP/2 has its pings for it; here
//! one small request is sent beside, for all connections that are silent at the same time.

use tokio::{
    sync::Mutex,
    time::{Instant, sleep_until, timeout},
};

use super::{Client, Proof};
use crate::api::{
    TransportReason,
    connection::{PING, PONG, TransportError},
    request::Ask,
    tls::Tls,
};

/// When the server was last asked, and answered.
#[derive(Debug)]
pub(super) struct Pulse {
    /// When it last answered anything.
    answered: std::sync::Mutex<Instant>,
    /// When the last question for it was over.
    asked: Mutex<Option<Instant>>,
}

impl Pulse {
    pub(super) fn new(now: Instant) -> Self {
        Self { answered: std::sync::Mutex::new(now), asked: Mutex::new(None) }
    }

    /// It has answered, whatever it was.
    pub(super) fn beat(&self, now: Instant) {
        *super::lock(&self.answered) = now;
    }

    fn answered(&self) -> Instant {
        *super::lock(&self.answered)
    }
}

impl Client {
    /// Waits until the server is found dead, of which nothing was heard here since `heard`: nothing
    /// came from it for ten seconds, on any connection, and then no answer within five. It may be
    /// dropped and called again at any time.
    pub async fn dies(&self, heard: Instant) -> TransportError {
        loop {
            let last = heard.max(self.pulse.answered());
            sleep_until(last + PING).await;
            if self.pulse.answered() <= last && !self.is_alive(last).await {
                self.telemetry.transport_error(TransportReason::PingTimeout);
                let silent = (PING + PONG).as_secs();
                let message = format!("the server has answered nothing for {silent} s");
                return TransportError::new(TransportReason::PingTimeout, message);
            }
        }
    }

    /// Whether it has answered since, or does when it is asked. Who asks while another does shares
    /// what that one finds.
    async fn is_alive(&self, last: Instant) -> bool {
        let since = Instant::now();
        let mut asked = self.pulse.asked.lock().await;
        if asked.is_none_or(|asked| asked < since) {
            let Self { endpoint, .. } = self;
            // Nobody is asked for new credentials: a refusal is a sign of life too.
            let generation = endpoint.tls.as_ref().map_or(0, Tls::generation);
            let proof = Proof { authorization: endpoint.credentials.current(), generation };
            let ask = Ask::get("version", "/version");
            // What came of it shows below, and in the metrics of requests.
            let _answer = timeout(PONG, self.attempt(&proof, &ask, None)).await;
            *asked = Some(Instant::now());
        }
        self.pulse.answered() > last
    }
}
