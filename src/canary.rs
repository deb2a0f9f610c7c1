//! The canary: a Lease is written again and again, and looked for on a watch of its own. The time in
//! between, on one monotonic clock, is what Kubernetes calls the latency of a watch: admission, etcd,
//! the watch cache, its way to us.

pub mod echo;

use std::{
    future::Future,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use echo::Echo;
use serde::Deserialize;
use serde_json::json;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep, timeout};

use crate::{
    api::{
        TransportReason, Verb,
        answer::Answer,
        client::{self, Client},
        connection::{Connection, TransportError},
        document::Whole,
        request::Ask,
        tls::Tls,
    },
    config::probe,
    label::label,
    telemetry::Telemetry,
    watch::{
        backoff::Backoff,
        machine::FailureKind,
        trouble::{Tell, Trouble},
    },
    wire::stream::{Events, LARGEST},
};

/// How long a watch is asked to last; a Lease that nobody else reads needs no longer one.
const LASTS: Duration = Duration::from_secs(600);
/// How long a watch may take to open.
const OPENING: Duration = Duration::from_secs(30);

label! {
    /// Why a canary did not come back.
    pub enum Failed {
        /// The Lease could not be written.
        Write = "write",
        /// It could not be watched, or its watch broke.
        Watch = "watch",
        /// It was written, and not seen before the next one was due or the watch ended.
        Lost = "lost",
    }
}

/// What the canary works with.
#[derive(Debug)]
pub struct Parts {
    /// The API server.
    pub client: Arc<Client>,
    /// Which Lease, and how often.
    pub settings: probe::Canary,
    /// Where everything is counted.
    pub telemetry: Telemetry,
    /// Like no other daemon's.
    pub id: u64,
}

/// Writes and watches until it is dropped.
#[derive(Debug)]
pub struct Canary {
    parts: Parts,
    epoch: Instant,
    echo: Mutex<Echo>,
    trouble: Mutex<Trouble>,
}

/// A notification, as far as it is read.
#[derive(Deserialize)]
struct Notification {
    object: Lease,
}

#[derive(Deserialize)]
struct Lease {
    #[serde(default)]
    spec: Spec,
}

#[derive(Default, Deserialize)]
struct Spec {
    #[serde(rename = "holderIdentity")]
    holder: Option<String>,
}

impl Canary {
    /// A canary that has not been written yet.
    #[must_use]
    pub fn new(parts: Parts) -> Self {
        parts.telemetry.flying();
        let echo = Mutex::new(Echo::new(parts.id));
        Self { parts, epoch: Instant::now(), echo, trouble: Mutex::default() }
    }

    /// Writes and watches until `shutdown`. Both go on side by side: the notification of a write
    /// may come before its answer.
    pub async fn run(self, shutdown: impl Future<Output = ()>) {
        tokio::select! {
            () = shutdown => {}
            () = self.watching() => {}
            () = self.writing() => {}
        }
    }

    // --- watching ----------------------------------------------------------------------------

    async fn watching(&self) {
        let secs = Duration::from_secs;
        let mut backoff = Backoff::new(secs(1), secs(30), secs(60));
        loop {
            let watched = self.watch().await;
            if lock(&self.echo).set_open(false) {
                self.parts.telemetry.canary_failed(Failed::Lost);
            }
            if let Err(trouble) = watched {
                self.failed(Failed::Watch, &trouble);
            }
            let floor = None;
            sleep(backoff.failed(self.epoch.elapsed(), fastrand::f64(), floor)).await;
        }
    }

    /// One watch, from its opening to its end.
    async fn watch(&self) -> Result<(), client::Trouble> {
        let ask = self.watch_request();
        let opening = timeout(OPENING, self.parts.client.ask(&ask, None)).await;
        let mut answer = opening.unwrap_or_else(|_| Err(client::silent().into()))?;
        lock(&self.echo).set_open(true);
        // A server that forgets to end it is no server to wait for.
        let read = timeout(2 * LASTS, self.read(&mut answer)).await;
        read.unwrap_or_else(|_| Err(client::silent().into()))
    }

    async fn read(&self, answer: &mut Answer) -> Result<(), client::Trouble> {
        let mut events = Events::new(answer.encoding(), LARGEST);
        while let Some(bytes) = answer.chunk().await? {
            let now = self.epoch.elapsed();
            events.push(&bytes);
            while let Some(event) = events.next_event().map_err(|_| unreadable())? {
                let Notification { object } =
                    serde_json::from_slice(event.bytes).map_err(|_| unreadable())?;
                // What has no holder is somebody else's, or an ERROR: its stream ends by itself.
                let holder = object.spec.holder.unwrap_or_default();
                if let Some(took) = lock(&self.echo).seen(&holder, now) {
                    self.parts.telemetry.canary(took);
                    self.well();
                }
            }
        }
        Ok(())
    }

    fn watch_request(&self) -> Ask {
        let probe::Canary { lease, .. } = &self.parts.settings;
        let (path, seconds) = (self.leases(), LASTS.as_secs());
        let query =
            format!("watch=1&fieldSelector=metadata.name%3D{lease}&timeoutSeconds={seconds}");
        Ask { verb: Verb::Watch, ..Ask::get("leases", format!("{path}?{query}")) }
    }

    fn leases(&self) -> String {
        let namespace = &self.parts.settings.namespace;
        format!("/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases")
    }

    // --- writing -----------------------------------------------------------------------------

    async fn writing(&self) {
        let period = self.parts.settings.interval;
        let mut due = interval(period);
        due.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut kept = None;
        loop {
            due.tick().await;
            if lock(&self.echo).give_up() {
                let message = format!("what was written was not seen within {period:?}");
                self.lost(&message);
            }
            // Where nobody watches it is known already, and waited for the watch.
            if !lock(&self.echo).is_open() {
                due.reset_after(period.min(Duration::from_secs(1)));
                continue;
            }
            let written = timeout(period, self.write(kept.take())).await;
            match written.unwrap_or_else(|_| Err(client::silent().into())) {
                Ok(connection) => kept = Some(connection),
                Err(trouble) => {
                    lock(&self.echo).give_up();
                    self.failed(Failed::Write, &trouble);
                }
            }
        }
    }

    /// Writes the Lease, or makes it where there is none; the connection is for the next.
    async fn write(
        &self,
        kept: Option<(Connection, u64)>,
    ) -> Result<(Connection, u64), client::Trouble> {
        let Parts { client, settings, .. } = &self.parts;
        let generation = client.endpoint.tls.as_ref().map_or(0, Tls::generation);
        let kept = kept.filter(|(kept, made)| kept.is_open() && *made == generation);
        let connection = match kept {
            Some((connection, _)) => connection,
            None => client.dial().await?,
        };
        let path = format!("{}/{}", self.leases(), settings.lease);
        let patch = json!({"spec": {"holderIdentity": self.token()}});
        let patch = Ask::send(Verb::Patch, "leases", path, &patch);
        let Whole { connection, .. } = match client.whole(&patch, Some(connection)).await {
            Err(trouble) if trouble.failure.kind == FailureKind::NotFound => {
                let connection = client.dial().await?;
                client.whole(&self.creation(), Some(connection)).await?
            }
            written => written?,
        };
        Ok((connection, generation))
    }

    fn creation(&self) -> Ask {
        let lease = json!({
            "apiVersion": "coordination.k8s.io/v1",
            "kind": "Lease",
            "metadata": {"name": self.parts.settings.lease},
            "spec": {"holderIdentity": self.token()},
        });
        Ask::send(Verb::Create, "leases", self.leases(), &lease)
    }

    /// What to write now.
    fn token(&self) -> String {
        lock(&self.echo).write(self.epoch.elapsed())
    }

    // --- telling -----------------------------------------------------------------------------

    fn lost(&self, message: &str) {
        self.parts.telemetry.canary_failed(Failed::Lost);
        self.tell(Failed::Lost, message);
    }

    fn failed(&self, failed: Failed, trouble: &client::Trouble) {
        self.parts.telemetry.canary_failed(failed);
        self.tell(failed, &trouble.message);
    }

    fn tell(&self, failed: Failed, message: &str) {
        match lock(&self.trouble).failed(failed.as_str(), self.epoch.elapsed()) {
            None => {}
            Some(Tell::New) => tracing::warn!(cause = %failed, "the canary failed: {message}"),
            Some(Tell::Lasting { failures, since }) => {
                tracing::warn!(failures, ?since, "the canary still fails: {message}");
            }
        }
    }

    fn well(&self) {
        if let Some((failures, lasted)) = lock(&self.trouble).recovered(self.epoch.elapsed()) {
            tracing::info!(failures, ?lasted, "the canary is seen again");
        }
    }
}

fn unreadable() -> client::Trouble {
    let message = "the watch of the Lease cannot be read";
    TransportError::new(TransportReason::Decode, message).into()
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
