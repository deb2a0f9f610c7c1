//! Does what the machine decides: opens, reads, feeds the store, counts.

mod reading;

use std::{
    future::Future,
    sync::{Arc, MutexGuard, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use tokio::{
    sync::{Semaphore, watch},
    time::{Instant, timeout_at},
};

use super::{
    Denial, EndCause, NEXT_TRY, SyncMode,
    alarm::Alarm,
    board::Row,
    listing::Listing,
    machine::{Action, FailureKind, Input, Machine, Options, Request},
    notice::Notice,
    trouble::{Tell, Trouble},
};
use crate::{
    api::{
        TransportReason,
        answer::Answer,
        client::{Client, silent},
        connection::{Connection, TransportError},
        request::Target,
    },
    store::{Holder, Shared},
    telemetry::{Intake, Telemetry},
    wire::stream::{Events, Items, LARGEST},
};

/// What of a watcher can be changed while it runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tuning {
    /// What is asked for as `timeoutSeconds`, before jitter.
    pub timeout: Duration,
    /// Objects a page of a paged LIST.
    pub page_size: u32,
}

/// What a watcher works with.
pub struct Parts {
    /// The API server.
    pub client: Arc<Client>,
    /// What to watch there.
    pub target: Target,
    /// Where the objects go.
    pub store: Shared,
    /// Which of the store's scopes this is.
    pub scope: usize,
    /// Where everything is counted.
    pub telemetry: Telemetry,
    /// Where its state shows.
    pub row: Arc<Row>,
    /// Lists take turns: so many of all watchers at a time.
    pub turns: Arc<Semaphore>,
    /// What can be changed while it runs.
    pub tuning: watch::Receiver<Tuning>,
    /// What it is told from outside.
    pub notices: watch::Receiver<Notice>,
    /// Decides all jitter.
    pub seed: u64,
}

/// Watches one resource in one namespace, or in all, until it is dropped.
pub struct Watcher {
    parts: Parts,
    intake: Intake,
    machine: Machine,
    epoch: Instant,
    stream: Option<Stream>,
    /// A connection whose list has ended, for the next page.
    spare: Option<Connection>,
    actions: Vec<Action>,
    next: Option<Request>,
    list_began: Instant,
    listing: Listing,
    trouble: Trouble,
    told: Notice,
    /// What of the machine shows: whether it is connected and complete, and what denies it that.
    shown: (bool, bool, Option<Denial>),
}

struct Stream {
    answer: Answer,
    reader: Reader,
    opened: Instant,
}

enum Reader {
    Watch(Events),
    List(Items),
}

impl Watcher {
    /// A watcher that has done nothing yet.
    #[must_use]
    pub fn new(parts: Parts) -> Self {
        let epoch = Instant::now();
        let intake = parts.telemetry.intake(&parts.target.resource.name);
        if parts.target.shard.is_some() {
            parts.telemetry.sharded(&parts.target.resource.name);
        }
        let listing = Listing::new(Arc::clone(&parts.turns));
        let machine = Machine::new(options(&parts), Duration::ZERO, parts.seed);
        Self {
            parts,
            intake,
            machine,
            epoch,
            stream: None,
            spare: None,
            actions: Vec::new(),
            next: None,
            list_began: epoch,
            listing,
            trouble: Trouble::default(),
            told: Notice::default(),
            shown: (false, false, None),
        }
    }

    /// Watches until `shutdown`.
    pub async fn run(mut self, shutdown: impl Future<Output = ()>) {
        tokio::select! {
            () = shutdown => {}
            () = self.drive() => {}
        }
        if self.machine.connected() {
            self.ended(EndCause::Shutdown);
        }
    }

    async fn drive(&mut self) {
        let mut alarm = Alarm::default();
        loop {
            self.machine.set_options(options(&self.parts));
            if let Some(request) = self.next.take() {
                self.open(request).await;
                continue;
            }
            let deadline = self.epoch + self.machine.deadline();
            tokio::select! {
                chunk = next_chunk(&mut self.stream) => self.received(chunk),
                () = alarm.until(deadline) => {
                    if self.machine.list_due() {
                        self.listing.wait_for_turn(&self.parts.row).await;
                    }
                    self.timer();
                }
                () = self.listing.counted() => {}
                Ok(()) = self.parts.notices.changed() => self.noticed(),
            }
        }
    }

    /// Something came from outside.
    fn noticed(&mut self) {
        let notice = *self.parts.notices.borrow_and_update();
        let told = std::mem::replace(&mut self.told, notice);
        if notice.rotated != told.rotated {
            self.input(Input::Rotated);
        }
        if notice.granted != told.granted {
            self.input(Input::Granted);
        }
        if notice.rewound != told.rewound {
            self.input(Input::Rewound);
        }
    }

    async fn open(&mut self, request: Request) {
        // Pages share a connection; a watch has its own.
        let spare = self.spare.take().filter(|_| matches!(request, Request::Page { .. }));
        let Parts { client, target, .. } = &self.parts;
        let opening = client.open(target, &request, spare);
        let opened = timeout_at(self.epoch + self.machine.deadline(), opening).await;
        match opened {
            Ok(Ok(answer)) => {
                let reader = match request {
                    Request::Page { .. } => Reader::List(Items::new(answer.encoding(), LARGEST)),
                    Request::Stream { .. } | Request::Watch { .. } => {
                        self.parts.telemetry.watch_start(self.resource(), answer.opened_in());
                        Reader::Watch(Events::new(answer.encoding(), LARGEST))
                    }
                };
                self.stream = Some(Stream { answer, reader, opened: Instant::now() });
                self.input(Input::Opened);
                if self.machine.listing() {
                    self.parts.row.describe("listing");
                }
            }
            Ok(Err(trouble)) => {
                self.input(Input::Failed(trouble.failure));
                self.tell(trouble.failure.kind, &trouble.message);
            }
            Err(_) => {
                self.parts.telemetry.transport_error(TransportReason::ReadTimeout);
                self.input(Input::Timer);
                let kind = FailureKind::Transport(TransportReason::ReadTimeout);
                self.tell(kind, &silent().message);
            }
        }
    }

    /// The machine's time has come; a list that it gives up is told, with the reason.
    fn timer(&mut self) {
        let listing = self.machine.listing();
        let silent = self.machine.list_is_silent(self.epoch.elapsed());
        self.input(Input::Timer);
        if listing && !self.machine.listing() {
            self.parts.telemetry.transport_error(TransportReason::ReadTimeout);
            let kind = FailureKind::Transport(TransportReason::ReadTimeout);
            let message = match silent {
                true => "the server has sent nothing for too long",
                false => "the list took too long",
            };
            self.tell(kind, message);
        }
    }

    /// Takes what the stream gave; the stream is put back unless it is over.
    fn received(&mut self, chunk: Result<Option<Bytes>, TransportError>) {
        let Some(mut stream) = self.stream.take() else { return };
        match chunk {
            Ok(Some(bytes)) => {
                let open = self.read(&mut stream.reader, &bytes);
                if open {
                    self.stream = Some(stream);
                } else {
                    self.closed(&stream);
                }
            }
            Ok(None) => {
                self.closed(&stream);
                self.finish(stream);
            }
            Err(error) => {
                self.closed(&stream);
                self.input(Input::Ended(Some(error.reason)));
                self.tell(FailureKind::Transport(error.reason), &error.message);
            }
        }
    }

    fn input(&mut self, input: Input) {
        let store = Arc::clone(&self.parts.store);
        self.step(input, self.epoch.elapsed(), &mut *lock(&store));
    }

    /// Steps the machine and does at once what needs no waiting: a list must end in the store
    /// before the next line is applied. Whether what is open stays open.
    fn step(&mut self, input: Input, now: Duration, store: &mut dyn Holder) -> bool {
        let denied = self.machine.denied();
        self.machine.step(input, now, &mut self.actions);
        let mut open = true;
        for action in std::mem::take(&mut self.actions) {
            match action {
                Action::Open(request) => self.next = Some(request),
                Action::Close => {
                    open = false;
                    if let Some(stream) = self.stream.take() {
                        self.closed(&stream);
                    }
                }
                Action::BeginList => {
                    self.list_began = Instant::now();
                    self.listing.progress.begin(now);
                    store.begin_list(self.parts.scope);
                }
                Action::EndList(mode) => self.synced(mode, store),
                Action::Ended(cause) => self.ended(cause),
                Action::Relist(cause) => self.parts.telemetry.relist(self.resource(), cause),
                Action::Retry(verb) => self.parts.telemetry.retry(verb, self.resource()),
            }
        }
        if denied != self.machine.denied() {
            store.set_denied(self.parts.scope, self.machine.denied());
        }
        if !self.machine.in_list() {
            self.listing.end_turn();
        }
        self.show();
        open
    }

    fn synced(&mut self, mode: SyncMode, store: &mut dyn Holder) {
        store.end_list(self.parts.scope, self.parts.client.now());
        let took = self.list_began.elapsed();
        self.parts.telemetry.watch_sync(self.resource(), mode, took);
        let objects = self.listing.progress.end();
        let (resource, namespace) = (self.resource(), &self.parts.target.namespace);
        tracing::info!(resource, namespace, objects, %mode, ?took, "synced");
    }

    fn ended(&self, cause: EndCause) {
        self.parts.telemetry.watch_end(self.resource(), cause);
        tracing::debug!(resource = self.resource(), %cause, "a watch ended");
    }

    /// A stream is over: how long a watch lived.
    fn closed(&self, stream: &Stream) {
        if let Reader::Watch(_) = stream.reader {
            self.parts.telemetry.watch_stream(self.resource(), stream.opened.elapsed());
        }
    }

    /// Shows the machine's state where it is another; a watch that is live has no trouble.
    fn show(&mut self) {
        let Self { machine, trouble, parts, epoch, shown, .. } = self;
        let state = (machine.connected(), machine.complete(), machine.denied());
        if std::mem::replace(shown, state) == state {
            return;
        }
        parts.row.set(state.0, state.1, state.2);
        if machine.connected() {
            let resource = &*parts.target.resource.name;
            if let Some((failures, lasted)) = trouble.recovered(epoch.elapsed()) {
                tracing::info!(resource, failures, ?lasted, "watching again");
            }
            parts.row.describe("watching");
        }
    }

    /// Logs a failure, unless it is like the one before, and shows it.
    fn tell(&mut self, kind: FailureKind, message: &str) {
        let Self { parts, machine, trouble, epoch, .. } = self;
        let (resource, namespace) = (&*parts.target.resource.name, &parts.target.namespace);
        let wait = machine.deadline().saturating_sub(epoch.elapsed());
        if !machine.connected() {
            let wait = wait.as_secs_f32();
            parts.row.describe(format!("{message}{NEXT_TRY} {wait:.0} s"));
        }
        match trouble.failed(&format!("{kind:?}"), epoch.elapsed()) {
            None => {}
            Some(Tell::New) => {
                tracing::warn!(resource, namespace, next_try_in = ?wait, "{message}");
            }
            Some(Tell::Lasting { failures, since }) => {
                tracing::warn!(resource, namespace, failures, ?since, "still failing: {message}");
            }
        }
    }

    fn resource(&self) -> &str {
        &self.parts.target.resource.name
    }
}

fn lock(store: &Shared) -> MutexGuard<'_, dyn Holder + 'static> {
    store.lock().unwrap_or_else(PoisonError::into_inner)
}

fn options(parts: &Parts) -> Options {
    let Tuning { timeout, page_size } = *parts.tuning.borrow();
    Options { cached: parts.target.resource.cached, timeout, page_size }
}

/// The next bytes; never, where nothing is open.
async fn next_chunk(stream: &mut Option<Stream>) -> Result<Option<Bytes>, TransportError> {
    match stream {
        Some(stream) => stream.answer.chunk().await,
        None => std::future::pending().await,
    }
}
