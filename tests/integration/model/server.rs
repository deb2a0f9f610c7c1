//! A naive API server: objects, a history with resourceVersions, pages, watches, compaction.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use kubetally::watch::machine::{FailureKind, Request};
use serde_json::{Value, json};

/// How many objects there can be; each has a namespace of its own.
pub const NAMES: usize = 6;
/// The server's clock at the start: 2026-11-23T12:00:00Z, in seconds since 1970.
pub const NOON: u64 = 1_795_435_200;

/// What is stored of an object: enough for a pod and for an event.
#[derive(Clone, Debug)]
pub struct Stored {
    pub uid: u64,
    pub version: u64,
    pub phase: &'static str,
    pub count: u32,
    /// When its recorder saw it first.
    pub first: Duration,
}

type Objects = BTreeMap<usize, Stored>;

#[derive(Debug)]
pub struct Server {
    pub objects: Objects,
    pub version: u64,
    /// History: resourceVersion and the notification.
    log: Vec<(u64, String)>,
    /// The oldest resourceVersion a watch can begin at.
    floor: u64,
    /// States that pages are served from.
    snapshots: BTreeMap<u64, Objects>,
    backup: (Objects, u64),
    /// How often a backup was restored.
    pub epoch: u32,
    uids: u64,
    /// Which objects were written at which resourceVersion, by whatever restored state.
    issued: BTreeSet<(usize, u64)>,
    /// How often each event really happened, and when first: what the recorders know.
    pub happened: [(u32, Duration); NAMES],
}

/// What the server sends on one request.
#[derive(Debug)]
pub struct Sending {
    pub bytes: Vec<u8>,
    /// Up to where the history was sent, `None` for a page.
    sent: Option<u64>,
    /// Whether the body ends when its bytes are sent.
    pub ends: bool,
}

impl Server {
    pub fn new() -> Self {
        Self {
            objects: Objects::new(),
            version: 10,
            log: Vec::new(),
            floor: 10,
            snapshots: BTreeMap::new(),
            backup: (Objects::new(), 10),
            epoch: 0,
            uids: 0,
            issued: BTreeSet::new(),
            happened: [(0, Duration::ZERO); NAMES],
        }
    }

    /// Creates or changes an object; its event happens `times` times.
    pub fn write(&mut self, name: usize, phase: &'static str, times: u32, now: Duration) {
        let happened = &mut self.happened[name];
        if happened.0 == 0 {
            happened.1 = now;
        }
        happened.0 += times;
        self.version += 1;
        while !self.issued.insert((name, self.version)) {
            self.version += 1;
        }
        let old = self.objects.get(&name).map(|object| object.uid);
        let uid = old.unwrap_or_else(|| {
            self.uids += 1;
            self.uids
        });
        let (count, first) = *happened;
        let stored = Stored { uid, version: self.version, phase, count, first };
        let op = if old.is_some() { "MODIFIED" } else { "ADDED" };
        self.log.push((self.version, event(op, name, &stored)));
        self.objects.insert(name, stored);
    }

    /// Deletes these, at one resourceVersion, as the end of a lease does.
    pub fn delete(&mut self, names: &[usize]) {
        self.version += 1;
        for name in names {
            if let Some(mut stored) = self.objects.remove(name) {
                stored.version = self.version;
                self.log.push((self.version, event("DELETED", *name, &stored)));
            }
        }
    }

    /// Forgets the history; objects of other resources have gone on.
    pub fn compact(&mut self) {
        self.version += 1;
        self.floor = self.version;
        self.log.clear();
        self.snapshots.clear();
    }

    pub fn back_up(&mut self) {
        self.backup = (self.objects.clone(), self.version);
    }

    /// Goes back to the backup, resourceVersions too. Whoever is connected must be cut off.
    pub fn restore(&mut self) {
        (self.objects, self.version) = self.backup.clone();
        self.compact();
        self.epoch += 1;
    }

    pub fn open(&mut self, request: &Request) -> Result<Sending, FailureKind> {
        match request {
            Request::Stream { .. } => {
                let added = |(name, stored): (&usize, &Stored)| event("ADDED", *name, stored);
                let mut bytes: String = self.objects.iter().map(added).collect();
                bytes += &bookmark(self.version, true);
                Ok(Sending { bytes: bytes.into(), sent: Some(self.version), ends: false })
            }
            // A watch from too far back is refused, or answered and then refused.
            Request::Watch { resource_version, .. } if *resource_version < self.floor => {
                match resource_version % 2 {
                    0 => Err(FailureKind::Expired),
                    _ => Ok(Sending { bytes: gone().into(), sent: None, ends: true }),
                }
            }
            Request::Watch { resource_version, .. } => {
                Ok(Sending { bytes: Vec::new(), sent: Some(*resource_version), ends: false })
            }
            Request::Page { limit, next } => self.page(*limit as usize, next.as_deref()),
        }
    }

    fn page(&mut self, limit: usize, next: Option<&str>) -> Result<Sending, FailureKind> {
        let (version, from) = match next {
            None => (self.version, 0),
            Some(token) => {
                let (version, from) = token.split_once('/').expect("our token");
                (version.parse().expect("our token"), from.parse().expect("our token"))
            }
        };
        if next.is_none() {
            self.snapshots.insert(version, self.objects.clone());
        }
        let objects = self.snapshots.get(&version).ok_or(FailureKind::Expired)?;
        let limit = if limit == 0 { usize::MAX } else { limit };
        let page: Vec<_> = objects.range(from..).take(limit).collect();
        let token = match page.last() {
            Some((last, _)) if objects.range(*last + 1..).next().is_some() => {
                format!("{version}/{}", **last + 1)
            }
            _ => String::new(),
        };
        let items: Vec<Value> = page.iter().map(|(name, stored)| object(**name, stored)).collect();
        let body = json!({
            "kind": "PodList", "apiVersion": "v1",
            "metadata": {"resourceVersion": version.to_string(), "continue": token},
            "items": items,
        });
        Ok(Sending { bytes: body.to_string().into(), sent: None, ends: true })
    }

    /// Adds to a watch what has happened since.
    pub fn follow(&self, sending: &mut Sending) {
        let Some(sent) = sending.sent else { return };
        for (_, line) in self.log.iter().filter(|(version, _)| *version > sent) {
            sending.bytes.extend_from_slice(line.as_bytes());
        }
        sending.sent = Some(sent.max(self.version));
    }

    /// Adds to a watch what has happened since, and once more what happened in so many versions
    /// before, as a cache that was built anew may do.
    pub fn replay(&self, sending: &mut Sending, versions: u64) {
        self.follow(sending);
        let Some(sent) = sending.sent else { return };
        sending.sent = Some(sent.saturating_sub(versions));
        self.follow(sending);
        sending.sent = Some(sent);
    }

    /// A bookmark, unless the watch is ahead of the server: then it is filtered.
    pub fn bookmark(&self, sending: &mut Sending) {
        self.follow(sending);
        if sending.sent == Some(self.version) {
            sending.bytes.extend_from_slice(bookmark(self.version, false).as_bytes());
        }
    }
}

impl Sending {
    /// As far on, with nothing on its way.
    pub fn drained(&self) -> Self {
        Self { bytes: Vec::new(), sent: self.sent, ends: self.ends }
    }
}

/// A time of the server's clock.
pub fn time(since: Duration) -> String {
    let seconds = since.as_secs() + 12 * 3600;
    let (day, seconds) = (23 + seconds / 86_400, seconds % 86_400);
    format!("2026-11-{day}T{:02}:{:02}:{:02}Z", seconds / 3600, seconds / 60 % 60, seconds % 60)
}

fn object(name: usize, stored: &Stored) -> Value {
    json!({
        "metadata": {
            "namespace": format!("n{name}"), "name": "é☃", "uid": format!("{:032x}", stored.uid),
            "resourceVersion": stored.version.to_string(),
            "creationTimestamp": time(stored.first),
        },
        "status": {"phase": stored.phase},
        "involvedObject": {"kind": "Pod"}, "reason": "Tested", "type": "Warning",
        "count": stored.count, "firstTimestamp": time(stored.first), "message": "\"]}\n é☃",
    })
}

fn event(op: &str, name: usize, stored: &Stored) -> String {
    format!("{{\"type\":\"{op}\",\"object\":{}}}\n", object(name, stored))
}

fn bookmark(version: u64, end: bool) -> String {
    let annotations = if end { json!({"k8s.io/initial-events-end": "true"}) } else { Value::Null };
    let metadata = json!({"resourceVersion": version.to_string(), "annotations": annotations});
    let object = json!({"metadata": metadata, "spec": {"containers": null}});
    format!("{{\"type\":\"BOOKMARK\",\"object\":{object}}}\n")
}

/// An ERROR event.
pub fn error(code: u16) -> String {
    let status = json!({"kind": "Status", "message": "as a test wants it", "code": code});
    format!("{{\"type\":\"ERROR\",\"object\":{status}}}\n")
}

fn gone() -> String {
    let status = json!({"kind": "Status", "message": "too old", "reason": "Expired", "code": 410});
    format!("{{\"type\":\"ERROR\",\"object\":{status}}}\n")
}
