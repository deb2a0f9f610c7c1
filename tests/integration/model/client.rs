//! Steps the machine, the wire readers and a store as the daemon's driver does, with a clock and a
//! network of its own.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use kubetally::{
    api::{TransportReason, status},
    config::settings::Caps,
    exposition::{Collect, Exposition, Format},
    kinds,
    store::{Shared, Shown},
    watch::{
        Op,
        machine::{Action, Failure, FailureKind, Input, Machine, Options, Request},
    },
    wire::{Encoding, Notification, Payload, frame::Lines, json, list::Items},
};
use serde_json::Value;

use super::server::{NOON, Sending, Server};

const LIMIT: usize = 1 << 16;

pub struct Client {
    pub machine: Machine,
    store: Shared,
    pub now: Duration,
    stream: Option<Stream>,
    next: Option<Request>,
    /// What the next attempt meets instead of the server.
    pub trouble: Option<Met>,
    /// What every attempt meets until then.
    pub spell: Option<(Duration, Met)>,
    /// When something was asked, but for the next pages of a list.
    pub asked: Vec<Duration>,
    /// Why watches ended and lists began, of all that ever did.
    pub causes: BTreeSet<&'static str>,
    /// The server's epoch when the list under way began, and when the last complete one did.
    list_epoch: u32,
    pub epoch: Option<u32>,
    pub seen: Seen,
}

/// What an attempt meets instead of the server.
#[derive(Clone, Copy, Debug)]
pub enum Met {
    /// This, and how long to wait.
    Failure(FailureKind, Option<Duration>),
    /// A 200 that ends at once.
    Close,
    /// No answer.
    Nothing,
}

struct Stream {
    sending: Sending,
    reader: Reader,
    ends: Duration,
}

enum Reader {
    Watch(Lines),
    Page(Items),
}

/// Which counts of which events have arrived, read apart from the store.
#[derive(Default)]
pub struct Seen {
    began: Option<u64>,
    /// What of a name counts for nothing, and the highest count that arrived.
    counts: BTreeMap<String, (u64, u64)>,
}

impl Seen {
    /// An event of a first list counts nothing; one that began before us counts once; and then
    /// only growth counts.
    fn note(&mut self, object: &Value, baseline: bool, now: u64) {
        let began = *self.began.get_or_insert(now);
        let count = object["count"].as_u64().expect("a count");
        let first = object["firstTimestamp"].as_str().expect("a time");
        let ours = first >= super::server::time(Duration::from_secs(began - NOON)).as_str();
        let nothing = match (baseline, ours) {
            (true, _) => count,
            (false, true) => 0,
            (false, false) => count - 1,
        };
        let name = object["metadata"]["namespace"].as_str().expect("a namespace").to_owned();
        let known = self.counts.entry(name).or_insert((nothing, count));
        known.1 = known.1.max(count);
    }

    /// What has to be counted of what arrived.
    pub fn counted(&self) -> u64 {
        self.counts.values().map(|(nothing, most)| most - nothing).sum()
    }

    pub fn most(&self, name: usize) -> u64 {
        self.counts.get(&format!("n{name}")).map_or(0, |(_, most)| *most)
    }
}

impl Client {
    pub fn new(resource: &str, seed: u64) -> Self {
        let resource = kinds::find(resource).expect("a known resource");
        let caps = Caps { namespaces: 100, reasons: 100, nodes: 100 };
        let timeout = Duration::from_secs(300);
        let options = Options { cached: resource.cached, timeout, page_size: 2 };
        Self {
            machine: Machine::new(options, Duration::ZERO, seed),
            store: (resource.store)(&resource.name, &[], &caps),
            now: Duration::ZERO,
            stream: None,
            next: None,
            trouble: None,
            spell: None,
            asked: Vec::new(),
            causes: BTreeSet::new(),
            list_epoch: 0,
            epoch: None,
            seen: Seen::default(),
        }
    }

    /// Lets time pass, stopping wherever the machine wants to be called or a watch is at its end.
    pub fn tick(&mut self, time: Duration, server: &mut Server) {
        let until = self.now + time;
        loop {
            let ends = self.stream.as_ref().map_or(Duration::MAX, |stream| stream.ends);
            self.now = self.machine.deadline().min(ends).clamp(self.now, until);
            if self.now >= ends {
                self.end(None, server);
            }
            self.input(Input::Timer, server);
            if self.now >= until && self.machine.deadline() > until {
                return;
            }
        }
    }

    /// Takes so many bytes of what the server sends.
    pub fn receive(&mut self, bytes: usize, server: &mut Server) {
        let Some(mut stream) = self.stream.take() else { return };
        server.follow(&mut stream.sending);
        let sending = &mut stream.sending;
        let chunk: Vec<u8> = sending.bytes.drain(..bytes.min(sending.bytes.len())).collect();
        let over = sending.ends && sending.bytes.is_empty();
        self.input(Input::Bytes, server);
        if !chunk.is_empty() && !self.read(&mut stream.reader, &chunk, server) {
            return;
        }
        self.stream = Some(stream);
        if over {
            self.end(None, server);
        }
    }

    /// The body ends; what was not received is lost, and a page that was is no page.
    pub fn end(&mut self, reason: Option<TransportReason>, server: &mut Server) {
        let Some(stream) = self.stream.take() else { return };
        let input = match (stream.reader, reason) {
            (_, Some(reason)) => Input::Ended(Some(reason)),
            (Reader::Watch(lines), None) => {
                let rest = lines.rest().to_vec();
                if !rest.is_empty() {
                    // Cut off, most likely.
                    let _rest_of_a_cut_stream = self.line(&rest, server);
                }
                Input::Ended(None)
            }
            (Reader::Page(items), None) => match items.finish() {
                Ok(page) => {
                    Input::Page { resource_version: page.resource_version, next: page.next }
                }
                Err(_) => Input::Undecodable,
            },
        };
        self.input(input, server);
    }

    /// What has happened is on its way.
    pub fn follow(&mut self, server: &Server) {
        if let Some(stream) = &mut self.stream {
            server.follow(&mut stream.sending);
        }
    }

    pub fn bookmark(&mut self, server: &Server) {
        if let Some(stream) = &mut self.stream {
            server.bookmark(&mut stream.sending);
        }
    }

    /// What has happened in so many versions comes once more.
    pub fn replay(&mut self, versions: u64, server: &Server) {
        if let Some(stream) = &mut self.stream {
            server.replay(&mut stream.sending, versions);
        }
    }

    /// Something that belongs nowhere comes after what is on its way.
    pub fn garbage(&mut self, server: &Server) {
        self.follow(server);
        if let Some(stream) = &mut self.stream {
            stream.sending.bytes.extend_from_slice(b"\"garbage\n");
        }
    }

    /// An ERROR event comes after what is on its way.
    pub fn error(&mut self, code: u16, server: &Server) {
        self.follow(server);
        if let Some(stream) = &mut self.stream {
            stream.sending.bytes.extend_from_slice(super::server::error(code).as_bytes());
        }
    }

    /// Something is told to the machine from beside.
    pub fn told(&mut self, input: Input, server: &mut Server) {
        self.input(input, server);
    }

    /// Nothing is in the way of an attempt any more.
    pub fn heal(&mut self) {
        (self.trouble, self.spell) = (None, None);
    }

    /// Whether a watch is open and everything has arrived.
    pub fn quiet(&self, server: &Server) -> bool {
        let Some(stream) = &self.stream else { return false };
        let mut sending = stream.sending.drained();
        server.follow(&mut sending);
        self.machine.connected() && stream.sending.bytes.is_empty() && sending.bytes.is_empty()
    }

    /// The value of a sample.
    pub fn text(&self) -> String {
        let mut out = Exposition::new(Format::Text, &[]);
        Shown(self.store.clone()).collect(&mut out);
        String::from_utf8(out.finish().to_vec()).expect("UTF-8")
    }

    pub fn held(&self) -> usize {
        self.store.lock().expect("nobody panicked").len()
    }

    fn wall(&self) -> i64 {
        let time = Duration::from_secs(NOON) + self.now;
        i64::try_from(time.as_micros()).expect("not that late")
    }

    /// Reads what has arrived; whether the stream goes on.
    fn read(&mut self, reader: &mut Reader, chunk: &[u8], server: &mut Server) -> bool {
        let read = match reader {
            Reader::Watch(lines) => {
                lines.push(chunk);
                self.read_lines(lines, server)
            }
            Reader::Page(items) => {
                items.push(chunk);
                self.read_items(items)
            }
        };
        read.unwrap_or_else(|()| {
            self.input(Input::Undecodable, server);
            false
        })
    }

    fn read_lines(&mut self, lines: &mut Lines, server: &mut Server) -> Result<bool, ()> {
        while let Some(line) = lines.next_line().map_err(drop)? {
            if !self.line(line, server)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn read_items(&mut self, items: &mut Items) -> Result<bool, ()> {
        while let Some(bytes) = items.next_item().map_err(drop)? {
            let object: Value = serde_json::from_slice(bytes).map_err(drop)?;
            self.seen.note(&object, !self.machine.synced(), NOON + self.now.as_secs());
            let payload = Payload { encoding: Encoding::Json, event: false, bytes };
            let now = self.wall();
            self.store.lock().expect("nobody panicked").list(0, payload, now).map_err(drop)?;
        }
        Ok(true)
    }

    /// Takes a line; whether the stream goes on.
    fn line(&mut self, line: &[u8], server: &mut Server) -> Result<bool, ()> {
        let input = match json::notification(line).map_err(drop)? {
            Notification::Object(op) => {
                let resource_version = self.object(op, line)?;
                Input::Object { op, resource_version }
            }
            Notification::Bookmark { resource_version, initial_events_end } => {
                Input::Bookmark { resource_version, initial_events_end }
            }
            Notification::Error(status) => Input::Failed(status::event(&status).failure),
        };
        Ok(self.input(input, server))
    }

    fn object(&mut self, op: Op, line: &[u8]) -> Result<u64, ()> {
        let payload = Payload { encoding: Encoding::Json, event: true, bytes: line };
        let event: Value = serde_json::from_slice(line).map_err(drop)?;
        let (now, listing, after) = (self.wall(), self.machine.listing(), self.machine.passed());
        let mut store = self.store.lock().expect("nobody panicked");
        let version = event["object"]["metadata"]["resourceVersion"].as_str();
        let version: u64 = version.and_then(|version| version.parse().ok()).ok_or(())?;
        if op != Op::Deleted && (listing || version > after) {
            let baseline = listing && !self.machine.synced();
            self.seen.note(&event["object"], baseline, NOON + self.now.as_secs());
        }
        if listing && op != Op::Deleted {
            return store.list(0, payload, now).map(|()| 0).map_err(drop);
        }
        store.apply(op, after, payload, now).map(|applied| applied.resource_version).map_err(drop)
    }

    /// Steps the machine and does what it says; whether what was open still is.
    fn input(&mut self, input: Input, server: &mut Server) -> bool {
        let mut actions = Vec::new();
        self.machine.step(input, self.now, &mut actions);
        let mut open = true;
        let now = self.wall();
        for action in actions {
            let mut store = self.store.lock().expect("nobody panicked");
            match action {
                Action::Open(request) => {
                    open = false;
                    self.next = Some(request);
                }
                Action::Close => {
                    open = false;
                    self.stream = None;
                }
                Action::BeginList => {
                    store.begin_list(0);
                    self.list_epoch = server.epoch;
                }
                Action::EndList(_) => {
                    store.end_list(0, now);
                    self.seen.began.get_or_insert(NOON + self.now.as_secs());
                    self.epoch = Some(self.list_epoch);
                }
                Action::Ended(cause) => drop(self.causes.insert(cause.as_str())),
                Action::Relist(cause) => drop(self.causes.insert(cause.as_str())),
                Action::Retry(_) => {}
            }
        }
        while let Some(request) = self.next.take() {
            self.open(&request, server);
        }
        open
    }

    fn open(&mut self, request: &Request, server: &mut Server) {
        if !matches!(request, Request::Page { next: Some(_), .. }) {
            self.asked.push(self.now);
        }
        let spell = self.spell.filter(|(until, _)| self.now < *until).map(|(_, met)| met);
        let opened = match self.trouble.take().or(spell) {
            Some(Met::Failure(kind, retry_after)) => Err(Failure { kind, retry_after }),
            Some(Met::Close) => {
                self.input(Input::Opened, server);
                self.input(Input::Ended(None), server);
                return;
            }
            Some(Met::Nothing) => return,
            None => server.open(request).map_err(|kind| Failure { kind, retry_after: None }),
        };
        match opened {
            Ok(sending) => {
                let (reader, ends) = match request {
                    Request::Page { .. } => (Reader::Page(Items::new(LIMIT)), Duration::MAX),
                    Request::Stream { timeout } | Request::Watch { timeout, .. } => {
                        (Reader::Watch(Lines::new(LIMIT)), self.now + *timeout)
                    }
                };
                self.stream = Some(Stream { sending, reader, ends });
                self.input(Input::Opened, server);
            }
            Err(failure) => {
                self.input(Input::Failed(failure), server);
            }
        }
    }
}
