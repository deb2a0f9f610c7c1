//! What a watcher does next: an explicit state and [`Machine::step`]. No sockets, no clocks, no
//! objects: what happened comes in as an [`Input`] with the time, what to do goes out as
//! [`Action`]s, and [`Machine::deadline`] says when [`Input::Timer`] is due.
//!
//! ```text
//!           ┌────────────── relist: 410, undecodable, server error, watchdog ─────────────┐
//!           ▼                                                                             │
//!   Stream (sendInitialEvents) ──▶ initial-events-end ─────────────────────────▶ Watch at RV ⟲ resume
//!           │ 400, 422, ends early 3 times                                               ▲
//!           ▼                                                                            │
//!   Page ⟲ continue ──────────────▶ last page ───────────────────────────────────────────┘
//! ```
//!
//! The rules are those of Kubernetes' API concepts ("Efficient detection of changes") and of
//! client-go's reflector, and where they differ it is said here.

mod failures;
mod terms;
mod tokens;

use std::time::Duration;

pub use terms::*;
use tokens::Tokens;

use super::{Denial, EndCause, Op, RelistCause, SyncMode, backoff::Backoff};
use crate::api::TransportReason;

/// How long an answer's headers may take. A LIST may queue 15 s in priority and fairness and then
/// take the server's own 60 s.
const HEADERS: Duration = Duration::from_secs(75);
/// How long a list under way may give no byte.
const LIST_IDLE: Duration = Duration::from_secs(30);
/// How long a list under way may take in all.
const LIST_TOTAL: Duration = Duration::from_secs(600);
/// How long after its own deadline a watch may go on.
const SLACK: Duration = Duration::from_secs(15);
/// How long a watch of a cached resource may be silent, where bookmarks come about every minute; and
/// how long one of another must have been for its resourceVersion to be in doubt, as etcd is
/// compacted every five.
const SILENCE: Duration = Duration::from_secs(180);
/// A watch that ends sooner, having sent nothing, is no watch.
const TOO_SHORT: Duration = Duration::from_secs(1);
/// One that ends sooner is opened again at its pace where it happens again and again.
const BRIEF: Duration = Duration::from_secs(10);
/// How long watches have to follow each other without a failure for waits to begin anew. client-go's
/// do two minutes after the last failure, be that a list of as long. Half of the shortest wait at the
/// cap, so that such waits leave that much now and then where something fails each half a minute.
const WELL: Duration = Duration::from_secs(15);
/// Watches that end together do not come back in one instant.
const RESUME_JITTER: Duration = Duration::from_millis(200);
/// Streaming lists that may end early before a paged one is taken, and failures of the server at
/// one resourceVersion before everything is listed again.
const PATIENCE: u8 = 3;

/// What to open next.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Plan {
    Stream,
    Page(Option<String>),
    Watch,
}

#[derive(Clone, Debug)]
enum Phase {
    Waiting { until: Duration },
    Opening { deadline: Duration },
    Listing { idle: Duration, deadline: Duration },
    Watching(Live),
}

#[derive(Clone, Copy, Debug)]
struct Live {
    since: Duration,
    deadline: Duration,
    heard: Duration,
    objects: u64,
    bookmarks: u64,
}

/// A watcher of one resource in one namespace, or in all.
#[derive(Debug)]
pub struct Machine {
    options: Options,
    random: fastrand::Rng,
    phase: Phase,
    plan: Plan,
    /// Where to resume: everything up to it has arrived.
    version: u64,
    /// The newest that arrived.
    latest: u64,
    /// The state of the list under way.
    list_version: Option<u64>,
    tokens: Tokens,
    /// Whether the next list is taken in one page: the pages of the last one did not last.
    whole: bool,
    opened: Duration,
    stream_timeout: Duration,
    /// For how long open watches have said nothing, over all that followed each other.
    silent: Duration,
    /// Since when watches have followed each other without a failure.
    well: Option<Duration>,
    synced: bool,
    gone: bool,
    retrying: bool,
    denied: Option<Denial>,
    streaming: bool,
    early_ends: u8,
    empty_closes: u8,
    server_failures: u8,
    backoff: Backoff,
    denial: Backoff,
    brevity: Backoff,
}

impl Machine {
    /// A machine that opens its first request at `start`. The seed decides all of its jitter.
    #[must_use]
    pub fn new(options: Options, start: Duration, seed: u64) -> Self {
        let secs = Duration::from_secs;
        Self {
            options,
            random: fastrand::Rng::with_seed(seed),
            phase: Phase::Waiting { until: start },
            plan: Plan::Stream,
            version: 0,
            latest: 0,
            list_version: None,
            tokens: Tokens::default(),
            whole: false,
            opened: start,
            stream_timeout: options.timeout,
            silent: Duration::ZERO,
            well: None,
            synced: false,
            gone: false,
            retrying: false,
            denied: None,
            streaming: true,
            early_ends: 0,
            empty_closes: 0,
            server_failures: 0,
            backoff: Backoff::new(Duration::from_millis(800), secs(30), Duration::MAX),
            denial: Backoff::new(secs(4), secs(30), Duration::MAX),
            brevity: Backoff::new(RESUME_JITTER, secs(5), secs(60)),
        }
    }

    /// When [`Input::Timer`] is due, should nothing else happen before.
    #[must_use]
    pub fn deadline(&self) -> Duration {
        match self.phase {
            Phase::Waiting { until } => until,
            Phase::Opening { deadline } => deadline,
            Phase::Listing { idle, deadline } => idle.min(deadline),
            Phase::Watching(live) => live.deadline.min(self.watchdog(live)),
        }
    }

    /// Whether a list has ended well once.
    #[must_use]
    pub const fn synced(&self) -> bool {
        self.synced
    }

    /// Whether a list has ended well, and the resource has not gone since.
    #[must_use]
    pub const fn complete(&self) -> bool {
        self.synced && !self.gone
    }

    /// The resourceVersion up to which everything has arrived: versions come in order, and of the
    /// newest there may be more, as etcd gives one to all that is written at once.
    #[must_use]
    pub const fn passed(&self) -> u64 {
        self.latest.saturating_sub(1)
    }

    /// Whether a live watch is open.
    #[must_use]
    pub const fn connected(&self) -> bool {
        matches!(self.phase, Phase::Watching(_))
    }

    /// Whether a list is under way, so that what arrives is its content.
    #[must_use]
    pub const fn listing(&self) -> bool {
        matches!(self.phase, Phase::Listing { .. })
    }

    /// Whether a list is under way that has given no byte for as long as it may.
    #[must_use]
    pub fn list_is_silent(&self, now: Duration) -> bool {
        matches!(self.phase, Phase::Listing { idle, .. } if idle <= now)
    }

    /// Whether a list is opened or under way.
    #[must_use]
    pub fn in_list(&self) -> bool {
        self.plan != Plan::Watch && !matches!(self.phase, Phase::Waiting { .. })
    }

    /// Whether what it waits for is a list.
    #[must_use]
    pub fn list_due(&self) -> bool {
        self.plan != Plan::Watch && matches!(self.phase, Phase::Waiting { .. })
    }

    /// Why it cannot be watched, as the last answer that told has it.
    #[must_use]
    pub const fn denied(&self) -> Option<Denial> {
        self.denied
    }

    /// Takes other options, from the next request on.
    pub const fn set_options(&mut self, options: Options) {
        self.options = options;
    }

    /// Takes what happened at `now` and adds to `out` what to do, in this order. Inputs that do
    /// not belong to the present phase (a frame after the end, say) change nothing.
    pub fn step(&mut self, input: Input, now: Duration, out: &mut Vec<Action>) {
        if let Phase::Watching(live) = self.phase {
            self.silent = now.saturating_sub(live.heard);
            if self.well.is_some_and(|well| now.saturating_sub(well) >= WELL) {
                self.backoff.reset();
                self.denial.reset();
            }
        }
        match (input, &mut self.phase) {
            (Input::Timer, _) => self.timer(now, out),
            (Input::Opened, Phase::Opening { .. }) => self.on_opened(now),
            (Input::Failed(failure), Phase::Opening { .. } | Phase::Listing { .. }) => {
                self.failed(failure, false, now, out);
            }
            (Input::Failed(failure), Phase::Watching(_)) => self.failed(failure, true, now, out),
            (Input::Bytes, Phase::Listing { idle, .. }) => *idle = now + LIST_IDLE,
            (Input::Object { op, resource_version }, Phase::Watching(live)) => {
                live.objects += 1;
                live.heard = now;
                self.on_object(op, resource_version);
            }
            (Input::Bookmark { resource_version, .. }, Phase::Watching(live)) => {
                live.bookmarks += 1;
                live.heard = now;
                self.latest = self.latest.max(resource_version);
                self.version = self.latest;
            }
            (
                Input::Bookmark { resource_version, initial_events_end: true },
                Phase::Listing { .. },
            ) if self.plan == Plan::Stream => self.on_list_end(resource_version, now, out),
            (Input::Page { resource_version, next }, Phase::Listing { .. }) => {
                self.on_page(resource_version, next, now, out);
            }
            (Input::Undecodable, Phase::Listing { .. } | Phase::Watching(_)) => {
                self.undecodable(now, out);
            }
            (Input::Ended(reason), Phase::Listing { .. }) => self.list_broken(reason, now, out),
            (Input::Ended(reason), Phase::Watching(live)) => {
                let live = *live;
                self.watch_ended(live, reason, now, out);
            }
            (Input::Rotated, Phase::Watching(live)) => {
                let live = *live;
                out.extend([Action::Close, Action::Ended(EndCause::Rotated)]);
                self.resume(live, now, out);
            }
            // A list tells the truth anyway.
            (Input::Rewound, _) if self.plan == Plan::Watch => self.rewound(now, out),
            (Input::Granted, Phase::Waiting { .. }) if self.denied == Some(Denial::Forbidden) => {
                self.denial.reset();
                let jitter = RESUME_JITTER.mul_f64(self.random.f64());
                self.phase = Phase::Waiting { until: now + jitter };
            }
            _ => {}
        }
    }

    // --- opening -----------------------------------------------------------------------------

    fn timer(&mut self, now: Duration, out: &mut Vec<Action>) {
        if now < self.deadline() {
            return;
        }
        match self.phase {
            Phase::Waiting { .. } => self.open(now, out),
            Phase::Opening { .. } => {
                let kind = FailureKind::Transport(TransportReason::ReadTimeout);
                self.failed(Failure { kind, retry_after: None }, false, now, out);
            }
            Phase::Listing { .. } => self.list_silent(now, out),
            Phase::Watching(live) => self.watch_silent(live, now, out),
        }
    }

    fn open(&mut self, now: Duration, out: &mut Vec<Action>) {
        self.opened = now;
        self.stream_timeout = self.options.timeout.mul_f64(1.0 + self.random.f64());
        let request = match &self.plan {
            Plan::Stream => Request::Stream { timeout: self.stream_timeout },
            Plan::Page(next) => {
                let limit = if self.whole { 0 } else { self.options.page_size };
                Request::Page { limit, next: next.clone() }
            }
            Plan::Watch => {
                Request::Watch { resource_version: self.version, timeout: self.stream_timeout }
            }
        };
        if matches!(self.plan, Plan::Stream | Plan::Page(None)) {
            self.list_version = None;
            self.tokens = Tokens::default();
            out.push(Action::BeginList);
        }
        if std::mem::take(&mut self.retrying) {
            out.push(Action::Retry(request.verb()));
        }
        out.push(Action::Open(request));
        self.phase = Phase::Opening { deadline: now + HEADERS };
    }

    fn on_opened(&mut self, now: Duration) {
        self.denied = None;
        self.phase = match self.plan {
            Plan::Stream | Plan::Page(_) => {
                Phase::Listing { idle: now + LIST_IDLE, deadline: now + LIST_TOTAL }
            }
            Plan::Watch => self.live(now, now),
        };
    }

    /// A watch whose answer began at `since`, from which its deadline counts.
    fn live(&mut self, since: Duration, now: Duration) -> Phase {
        self.well.get_or_insert(now);
        let deadline = since.saturating_add(self.stream_timeout).saturating_add(SLACK);
        let heard = now.saturating_sub(self.silent);
        Phase::Watching(Live { since, deadline, heard, objects: 0, bookmarks: 0 })
    }

    // --- lists -------------------------------------------------------------------------------

    fn on_page(
        &mut self,
        version: u64,
        next: Option<String>,
        now: Duration,
        out: &mut Vec<Action>,
    ) {
        let Plan::Page(_) = &self.plan else { return };
        let version = self.list_version.map_or(version, |first| first.min(version));
        match next {
            Some(token) if self.tokens.repeat(&token) => {
                self.relist(RelistCause::Incomplete, true, now, out);
            }
            Some(token) => {
                self.list_version = Some(version);
                self.plan = Plan::Page(Some(token));
                self.open(now, out);
            }
            None => self.on_list_end(version, now, out),
        }
    }

    fn on_list_end(&mut self, version: u64, now: Duration, out: &mut Vec<Action>) {
        let paged = matches!(self.plan, Plan::Page(_));
        out.push(Action::EndList(if paged { SyncMode::List } else { SyncMode::Stream }));
        (self.version, self.latest) = (version, version);
        self.synced = true;
        self.gone = false;
        self.whole = false;
        self.silent = Duration::ZERO;
        self.early_ends = 0;
        self.plan = Plan::Watch;
        match paged {
            true => self.open(now, out),
            // The same stream goes on.
            false => self.phase = self.live(self.opened, now),
        }
    }

    /// A list gave no byte for too long. A server that does not know streaming lists sends the
    /// objects and never the marker: the next list is a paged one.
    fn list_silent(&mut self, now: Duration, out: &mut Vec<Action>) {
        self.early_ends = PATIENCE;
        self.list_broken(Some(TransportReason::ReadTimeout), now, out);
    }

    fn list_broken(
        &mut self,
        reason: Option<TransportReason>,
        now: Duration,
        out: &mut Vec<Action>,
    ) {
        out.push(Action::Close);
        if self.plan == Plan::Stream {
            self.early_ends = self.early_ends.saturating_add(1);
            out.push(Action::Ended(end_cause(reason)));
        }
        self.relist(RelistCause::Incomplete, true, now, out);
    }

    // --- watches -----------------------------------------------------------------------------

    /// Objects that a lease deletes share one resourceVersion, and a stream may break off among
    /// them (kubernetes/kubernetes#110210): a deletion's is passed once something newer is heard.
    fn on_object(&mut self, op: Op, version: u64) {
        if version > self.latest {
            self.version = self.latest;
            self.latest = version;
        }
        if version == self.latest && op != Op::Deleted {
            self.version = version;
        }
    }

    fn watch_ended(
        &mut self,
        live: Live,
        reason: Option<TransportReason>,
        now: Duration,
        out: &mut Vec<Action>,
    ) {
        out.push(Action::Close);
        let short = now.saturating_sub(live.since) < TOO_SHORT;
        if short && live.objects + live.bookmarks == 0 && reason.is_none() {
            return self.empty_close(now, out);
        }
        self.empty_closes = 0;
        self.server_failures = 0;
        out.push(Action::Ended(end_cause(reason)));
        if short {
            return self.retry(None, now);
        }
        self.resume(live, now, out);
    }

    /// Some front ends close an empty 200 where the server says 410
    /// (kubernetes/kubernetes#104171, #137089); others do it under load. The second in a row means
    /// the resourceVersion is no good.
    fn empty_close(&mut self, now: Duration, out: &mut Vec<Action>) {
        out.push(Action::Ended(EndCause::EmptyClose));
        self.empty_closes = self.empty_closes.saturating_add(1);
        let again = self.empty_closes > 1;
        // Two steps of backoff: a list and a watch are two requests.
        self.retry(None, now);
        match again {
            true => self.relist(RelistCause::EmptyClose, true, now, out),
            false => self.retry(None, now),
        }
    }

    /// Goes on where it was. A resource without bookmarks that said nothing for long has a
    /// resourceVersion that is most likely compacted, or, after a restore from a backup, ahead of
    /// the server, where a watch is accepted and silent (kubernetes/kubernetes#107457): that one is
    /// listed again.
    fn resume(&mut self, live: Live, now: Duration, out: &mut Vec<Action>) {
        let said_nothing = live.objects + live.bookmarks == 0 && self.silent >= SILENCE;
        if !self.options.cached && said_nothing {
            return self.relist(RelistCause::Watchdog, false, now, out);
        }
        let random = self.random.f64();
        let wait = match now.saturating_sub(live.since) < BRIEF {
            true => self.brevity.failed(now, random, None),
            false => RESUME_JITTER.mul_f64(random),
        };
        self.phase = Phase::Waiting { until: now + wait };
    }

    fn watch_silent(&mut self, live: Live, now: Duration, out: &mut Vec<Action>) {
        out.push(Action::Close);
        out.push(Action::Ended(EndCause::IdleTimeout));
        match now >= self.watchdog(live) {
            true => self.relist(RelistCause::Watchdog, false, now, out),
            false => self.resume(live, now, out),
        }
    }

    fn rewound(&mut self, now: Duration, out: &mut Vec<Action>) {
        let phase = self.phase.clone();
        if !matches!(phase, Phase::Waiting { .. }) {
            out.push(Action::Close);
            out.push(Action::Ended(EndCause::Io));
        }
        self.relist(RelistCause::Rewound, false, now, out);
        // Whoever waits after a failure goes on waiting.
        if let Phase::Waiting { .. } = phase {
            self.phase = phase;
        }
    }

    const fn watchdog(&self, live: Live) -> Duration {
        match self.options.cached {
            true => live.heard.saturating_add(SILENCE),
            false => Duration::MAX,
        }
    }
}

#[cfg(test)]
mod tests;
