//! What is counted of audit events, bounded whatever comes.

use std::hash::{BuildHasher, Hash};

use hashbrown::{DefaultHashBuilder, HashSet};

use super::{
    BatchResult, Decision, EventResult, User, Verb,
    event::{Event, ServiceAccount},
};
use crate::{
    config::settings::Caps,
    exposition::{
        Collect, Exposition,
        catalogue::{
            AUDIT_AUTH_FAILURES_TOTAL, AUDIT_BATCHES_TOTAL, AUDIT_DEPRECATED_REQUESTS_TOTAL,
            AUDIT_EVENTS_TOTAL, AUDIT_REQUESTS_TOTAL, AUDIT_RESOURCE_REQUESTS_TOTAL,
            AUDIT_STALE_TOKEN_REQUESTS_TOTAL, Metric, code,
        },
    },
    store::tally::Joint,
};

/// How many events are remembered at least, so that a batch that is sent again counts nothing: the
/// API server sends 4,000 events a second at most where its settings are the default ones (10
/// batches of 400), so that this is more than half a minute, and tries again after 10 s.
const MEMORY: usize = 150_000;

/// A label's text: of the values that are known.
type Code = &'static str;

/// Everything that was counted. The receiver feeds it, scrapes read it.
#[derive(Debug)]
pub struct Tally {
    requests: Joint<0, (User, Verb, Code, Decision)>,
    resources: Joint<1, (Verb, Code)>,
    failures: Joint<2, (Code, Decision)>,
    stale_tokens: Joint<2, ()>,
    deprecated: Joint<3, User>,
    batches: [u64; BatchResult::ALL.len()],
    events: [u64; EventResult::ALL.len()],
    memory: Memory,
}

impl Tally {
    /// Empty, with these caps.
    #[must_use]
    pub fn new(caps: &Caps) -> Self {
        Self {
            requests: Joint::new(1),
            resources: Joint::new(caps.reasons),
            failures: Joint::new(caps.namespaces),
            stale_tokens: Joint::new(caps.namespaces),
            deprecated: Joint::new(caps.reasons),
            batches: [0; BatchResult::ALL.len()],
            events: [0; EventResult::ALL.len()],
            memory: Memory::new(MEMORY),
        }
    }

    /// An event of a batch.
    pub fn take(&mut self, event: &Event<'_>) {
        let result = self.count(event);
        self.events[result as usize] += 1;
    }

    /// A batch is over, or was none.
    pub fn batch(&mut self, result: BatchResult) {
        self.batches[result as usize] += 1;
    }

    fn count(&mut self, event: &Event<'_>) -> EventResult {
        if event.id.is_empty() || event.stage.is_empty() {
            return EventResult::Unusable;
        }
        if !event.counts() {
            return EventResult::OtherStage;
        }
        let Some(status) = event.code() else { return EventResult::Unusable };
        // A client may call its requests as it likes: the id alone would hide the second of a name.
        if !self.memory.is_new(&(&*event.id, &*event.stage, event.at)) {
            return EventResult::Repeated;
        }
        let (user, verb, decision) = (event.user(), event.verb(), event.decision());
        let code = code(status);
        self.requests.add([], (user, verb, code, decision));
        self.resources.add([&event.resource()], (verb, code));
        if let Some(ServiceAccount { namespace, name }) = event.service_account() {
            if [401, 403].contains(&status) {
                self.failures.add([namespace, name], (code, decision));
            }
            if event.has_stale_token() {
                self.stale_tokens.add([namespace, name], ());
            }
        }
        if let Some(removed_release) = event.deprecated() {
            self.deprecated.add([&event.api_version(), event.plural(), removed_release], user);
        }
        EventResult::Counted
    }
}

impl Collect for Tally {
    fn collect(&self, out: &mut Exposition) {
        self.requests.collect(&AUDIT_REQUESTS_TOTAL, out, |[], (user, verb, code, decision)| {
            [user.as_str(), verb.as_str(), code, decision.as_str()]
        });
        self.resources.collect(&AUDIT_RESOURCE_REQUESTS_TOTAL, out, |[resource], (verb, code)| {
            [verb.as_str(), resource, code]
        });
        self.failures.collect(
            &AUDIT_AUTH_FAILURES_TOTAL,
            out,
            |[namespace, name], (code, decision)| [code, decision.as_str(), namespace, name],
        );
        self.stale_tokens.collect(&AUDIT_STALE_TOKEN_REQUESTS_TOTAL, out, |account, ()| account);
        self.deprecated.collect(
            &AUDIT_DEPRECATED_REQUESTS_TOTAL,
            out,
            |[api_version, plural, removed_release], user| {
                [user.as_str(), api_version, plural, removed_release]
            },
        );
        each(&AUDIT_BATCHES_TOTAL, BatchResult::VALUES, &self.batches, out);
        each(&AUDIT_EVENTS_TOTAL, EventResult::VALUES, &self.events, out);
    }
}

fn each(metric: &'static Metric, values: &[&str], counts: &[u64], out: &mut Exposition) {
    for (value, count) in values.iter().zip(counts) {
        out.sample(metric, &[value], *count);
    }
}

/// What was seen lately: at least the last `room` keys, at most twice as many.
#[derive(Debug)]
struct Memory {
    hasher: DefaultHashBuilder,
    young: HashSet<u64>,
    old: HashSet<u64>,
    room: usize,
}

impl Memory {
    fn new(room: usize) -> Self {
        let hasher = DefaultHashBuilder::default();
        Self { hasher, young: HashSet::new(), old: HashSet::new(), room }
    }

    /// Whether this was not seen lately; from now on it was.
    fn is_new(&mut self, key: &impl Hash) -> bool {
        let hash = self.hasher.hash_one(key);
        if self.old.contains(&hash) || !self.young.insert(hash) {
            return false;
        }
        if self.young.len() >= self.room {
            self.old = std::mem::take(&mut self.young);
        }
        true
    }
}

#[cfg(test)]
mod tests;
