//! Whether the server still answers, for connections that cannot ask by themselves: HTTP/1.1 has no
//! ping, and the kernel of a process that was stopped, or a proxy before it, goes on to acknowledge
//! what is sent.
//!
//! While anything is waited for on HTTP/1.1 in silence, `/livez` is asked on a connection of its
//! own, one request for all that wait. Nothing but silence counts: a refusal is an answer too.
//!
//! ```text
//!   answers in silence ── wanted ──▶ Client::pulse ── GET /livez ──▶ the server
//!            ▲                            │
//!            └──── beat: answered, or not ┘
//! ```

use std::future::Future;

use tokio::{
    sync::{Notify, watch},
    time::{Instant, sleep_until, timeout},
};

use super::{
    TransportReason,
    client::{Client, Trouble},
    connection::{Connection, PING, PONG, TransportError, resolve},
    request::Ask,
};

/// What every authenticated client may ask (`system:public-info-viewer`), and no priority and
/// fairness lets wait (the flow schema `probes`).
const PATH: &str = "/livez";

/// The server's pulse, felt by whoever waits for it.
#[derive(Debug)]
pub struct Pulse {
    wanted: Notify,
    beats: watch::Sender<Option<Beat>>,
}

/// It was asked.
#[derive(Clone, Copy, Debug)]
struct Beat {
    asked: Instant,
    silent: bool,
}

impl Default for Pulse {
    fn default() -> Self {
        Self { wanted: Notify::new(), beats: watch::Sender::new(None) }
    }
}

impl Pulse {
    /// Does this, of a connection that gave a sign of life at `heard`.
    ///
    /// # Errors
    /// Where the server has answered nothing since.
    pub(super) async fn guard<T>(
        &self,
        heard: Instant,
        work: impl Future<Output = T>,
    ) -> Result<T, TransportError> {
        tokio::select! {
            biased;
            done = work => Ok(done),
            () = self.lost(heard) => Err(TransportError::new(
                TransportReason::PingTimeout,
                format!("nothing arrives, and {PATH} is not answered within {} s", PONG.as_secs()),
            )),
        }
    }

    /// Waits until a server that was alive at this time is no longer.
    async fn lost(&self, mut alive: Instant) {
        let mut beats = self.beats.subscribe();
        loop {
            match *beats.borrow_and_update() {
                Some(Beat { asked, silent: true }) if asked > alive => return,
                Some(Beat { asked, silent: false }) => alive = alive.max(asked),
                _ => {}
            }
            let wanted = async {
                sleep_until(alive + PING).await;
                self.wanted.notify_one();
                std::future::pending().await
            };
            tokio::select! {
                // The sender is ours.
                _ = beats.changed() => {}
                () = wanted => {}
            }
        }
    }
}

impl Client {
    /// Asks while it is wanted, again and again, until it is dropped.
    pub async fn pulse(&self) {
        let Pulse { wanted, beats } = &*self.pulse;
        let mut kept = None;
        loop {
            if timeout(2 * PING, wanted.notified()).await.is_err() {
                // The last that waited has gone.
                kept = None;
                wanted.notified().await;
            }
            let asked = Instant::now();
            // Somebody else has wanted it at the same time, and has been told already.
            if beats.borrow().is_some_and(|beat| asked < beat.asked + PING) {
                continue;
            }
            let silent = self.is_silent(&mut kept).await;
            beats.send_replace(Some(Beat { asked, silent }));
        }
    }

    /// Whether nothing answers. What keeps us from asking is no silence of the server's.
    async fn is_silent(&self, kept: &mut Option<Connection>) -> bool {
        let Ok(proof) = self.prove().await else { return false };
        let connection = kept.take().filter(Connection::is_open);
        let addresses = match connection {
            Some(_) => Vec::new(),
            None => match resolve(&self.endpoint).await {
                Ok(addresses) => addresses,
                Err(_) => return false,
            },
        };
        let ask = Ask::get("livez", PATH);
        let asking = async {
            let connection = match connection {
                Some(connection) => connection,
                None => Connection::reach(&self.endpoint, &addresses, &self.telemetry).await?,
            };
            let mut answer = self.attempt(&proof, &ask, Some(connection)).await?;
            while answer.chunk().await?.is_some() {}
            Ok::<_, Trouble>(answer.into_connection())
        };
        match timeout(PONG, asking).await {
            Ok(Ok(connection)) => *kept = Some(connection),
            Ok(Err(mut trouble)) if trouble.is_unauthorized() => {
                self.renew(&proof, &mut trouble).await;
            }
            Ok(Err(_)) => {}
            Err(_) => {
                self.telemetry.transport_error(TransportReason::ReadTimeout);
                return true;
            }
        }
        false
    }
}
