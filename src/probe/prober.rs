//! Does what the plan says at one API server.

use std::{collections::BTreeMap, future::Future, sync::Arc, time::Duration};

use tokio::time::{Instant, sleep, timeout};

use super::{Failed, Question, Way, board::Row, plan};
use crate::{
    api::{
        TransportReason, Verb,
        client::{self, Client, silent},
        connection::Connection,
        document::Whole,
        request::{Ask, Target},
        tls::Tls,
    },
    telemetry::Telemetry,
    watch::{
        board,
        machine::Request,
        notice::Notices,
        trouble::{Tell, Trouble},
    },
};

/// Something that may be listed while its watcher says so.
#[derive(Clone, Debug)]
pub struct Candidate {
    /// What to list.
    pub target: Target,
    /// The state of its watcher.
    pub row: Arc<board::Row>,
}

/// What a prober works with.
#[derive(Debug)]
pub struct Parts {
    /// The API server.
    pub client: Arc<Client>,
    /// What can be listed there, the first that may be is.
    pub candidates: Vec<Candidate>,
    /// Where everything is counted.
    pub telemetry: Telemetry,
    /// Where its state shows.
    pub row: Arc<Row>,
    /// How often.
    pub interval: Duration,
    /// How long one request may take, its dial included.
    pub timeout: Duration,
    /// Whom to tell that resourceVersions went back, where somebody watches there.
    pub notices: Option<Arc<Notices>>,
    /// Decides all jitter.
    pub seed: u64,
}

/// Probes one API server until it is dropped.
#[derive(Debug)]
pub struct Prober {
    parts: Parts,
    /// The kept connection, and the generation of certificates that it was made with.
    kept: Option<(Connection, u64)>,
    /// Of what was listed, the state that its last list was of; not more than can be watched.
    listed: BTreeMap<String, u64>,
    random: fastrand::Rng,
    epoch: Instant,
    trouble: Trouble,
}

impl Prober {
    /// A prober that has asked nothing yet.
    #[must_use]
    pub fn new(parts: Parts) -> Self {
        parts.telemetry.probing(&parts.client.endpoint.name);
        let random = fastrand::Rng::with_seed(parts.seed);
        let (epoch, trouble) = (Instant::now(), Trouble::default());
        Self { parts, kept: None, listed: BTreeMap::new(), random, epoch, trouble }
    }

    /// Probes until `shutdown`.
    pub async fn run(mut self, shutdown: impl Future<Output = ()>) {
        tokio::select! {
            () = shutdown => {}
            () = self.rounds() => {}
        }
    }

    async fn rounds(&mut self) {
        for n in 0.. {
            self.round(n).await;
            sleep(plan::pause(self.parts.interval, self.random.f64())).await;
        }
    }

    /// Asks what the plan says. A connection that fails is asked no more in this round, so that
    /// one that hangs does not hold it up for longer than two requests may take.
    async fn round(&mut self, n: usize) {
        let mut told = Vec::new();
        let mut failure = None;
        let mut broken = None;
        for (way, question) in plan::round(n) {
            if broken == Some(way) {
                continue;
            }
            let Some(ask) = self.ask(question) else { continue };
            let what = format!("{way} {question}");
            match self.probe(way, question, &ask).await {
                Ok(took) => told.push(format!("{what} {:.1} ms", took.as_secs_f64() * 1e3)),
                Err((reason, message)) => {
                    broken = (!reason.is_answer()).then_some(way);
                    let message = format!("{what}: {message}");
                    told.push(message.clone());
                    failure.get_or_insert((reason, message));
                }
            }
        }
        self.parts.row.describe(told.join(", "));
        self.tell(failure);
    }

    /// The request of a question; `None` where nothing may be listed.
    fn ask(&self, question: Question) -> Option<Ask> {
        match question {
            Question::Readyz => Some(Ask::get("readyz", "/readyz")),
            Question::Version => Some(Ask::get("version", "/version")),
            Question::List => {
                let mut candidates = self.parts.candidates.iter();
                let candidate = candidates.find(|candidate| candidate.row.may_be_listed())?;
                Some(candidate.target.ask(&Request::Page { limit: 1, next: None }))
            }
        }
    }

    /// Asks one thing, and counts what comes of it.
    async fn probe(
        &mut self,
        way: Way,
        question: Question,
        ask: &Ask,
    ) -> Result<Duration, (Failed, String)> {
        let answer = match timeout(self.parts.timeout, self.answer(way, ask)).await {
            Ok(answer) => answer,
            Err(_) => {
                self.parts.telemetry.transport_error(TransportReason::ReadTimeout);
                Err(silent().into())
            }
        };
        let Parts { client, telemetry, row, .. } = &self.parts;
        let endpoint = &*client.endpoint.name;
        match answer {
            Ok(took) => {
                row.set(true);
                telemetry.probe(endpoint, question, way, took);
                Ok(took)
            }
            Err(trouble) => {
                let reason = Failed::from(trouble.failure.kind);
                row.set(reason.is_answer());
                telemetry.probe_failed(endpoint, question, reason);
                Err((reason, trouble.message))
            }
        }
    }

    /// How long the answer took: on a fresh connection with its dial, on the kept one without.
    async fn answer(&mut self, way: Way, ask: &Ask) -> Result<Duration, client::Trouble> {
        let client = Arc::clone(&self.parts.client);
        let generation = client.endpoint.tls.as_ref().map_or(0, Tls::generation);
        let connection = match way {
            Way::Fresh => None,
            Way::Kept => Some(match self.kept.take() {
                Some((kept, made)) if kept.is_open() && made == generation => kept,
                _ => client.dial().await?,
            }),
        };
        let whole = client.whole(ask, connection).await?;
        if ask.verb == Verb::List
            && let Some(version) = whole.resource_version()
        {
            self.compare(ask, version);
        }
        let Whole { took, connection, .. } = whole;
        if way == Way::Kept {
            self.kept = Some((connection, generation));
        }
        Ok(took)
    }

    /// A list at the newest state is never older than the one before it, unless etcd was restored
    /// from a backup. Then the server takes watches from versions that it has yet to give, and says
    /// nothing of what it gives until there (kubernetes/kubernetes#107457). A resource of which only
    /// the name is known may be of another server behind this one.
    fn compare(&mut self, ask: &Ask, version: u64) {
        let what = &ask.path_and_query;
        let Some(before) = self.listed.insert(what.clone(), version) else { return };
        let Parts { candidates, notices, .. } = &self.parts;
        let named_only = |Candidate { target, .. }: &Candidate| {
            target.resource.discovered && target.resource.name == ask.about
        };
        if let Some(notices) = notices
            && version < before
            && !candidates.iter().any(named_only)
        {
            tracing::warn!(
                before,
                now = version,
                "resourceVersions went back, as after a backup of etcd was restored: everything is \
                 listed again"
            );
            notices.rewind();
            // What the others were before is no more.
            self.listed = BTreeMap::from([(what.clone(), version)]);
        }
    }

    /// Logs what failed in a round, unless it is like the round before.
    fn tell(&mut self, failure: Option<(Failed, String)>) {
        let now = self.epoch.elapsed();
        let endpoint = &*self.parts.client.endpoint.name;
        let Some((reason, message)) = failure else {
            if let Some((failures, lasted)) = self.trouble.recovered(now) {
                tracing::info!(endpoint, failures, ?lasted, "probes are answered again");
            }
            return;
        };
        match self.trouble.failed(reason.as_str(), now) {
            None => {}
            Some(Tell::New) => tracing::warn!(endpoint, "a probe failed: {message}"),
            Some(Tell::Lasting { failures, since }) => {
                tracing::warn!(endpoint, failures, ?since, "probes still fail: {message}");
            }
        }
    }
}
