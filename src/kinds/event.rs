//! Events: how often things really happened.
//!
//! An event object stands for many occurrences: its count (legacy recorders) or its series' count
//! (events.k8s.io) says how many, and only its growth is news. What expires leaves a tombstone, as
//! a recorder goes on counting under the same name after its event's TTL (client-go,
//! `tools/record/events_cache.go`).

use std::hash::BuildHasher;

use hashbrown::{DefaultHashBuilder, HashMap};

use crate::{
    config::settings::Caps,
    exposition::{Collect, Exposition, catalogue},
    label::label,
    store::{
        Context, Key, Kind, Origin, Tally,
        tally::{Counters, Histogram},
    },
    watch::Op,
    wire::{
        message::{message, object},
        meta::Meta,
        text::Text,
        values::Time,
    },
};

label! {
    /// How an event was meant.
    pub enum EventType {
        /// All is well.
        Normal = "Normal",
        /// Something is not.
        Warning = "Warning",
        /// Neither of the two that the API knows.
        Other = "other",
    }
}

label! {
    /// How an event object reached us.
    pub enum Observation {
        /// ADDED on a live watch.
        Added = "added",
        /// MODIFIED on a live watch.
        Modified = "modified",
        /// DELETED on a live watch, or missing in a list: expired.
        Deleted = "deleted",
        /// In a list.
        Replayed = "replayed",
    }
}

label! {
    /// Why an observation counted nothing.
    pub enum Suppressed {
        /// It was there before us.
        Baseline = "baseline",
        /// Its count is the one we know.
        Duplicate = "duplicate",
        /// Its count is lower than the one we know.
        CountRegressed = "count_regressed",
    }
}

/// How long a name is remembered after its event is gone: the default TTL of events (1 h), and
/// what a recorder's cache may outlive it.
const MEMORY: i64 = 95 * 60;
/// How many names are remembered at least, the newest: all of that time where ten events a second are
/// deleted. A name that comes back later counts all its occurrences again. What a table of 65,536
/// places takes without growing; with the generation before some 2 MB.
pub const GENERATION: usize = 57_344;

/// Events.
pub struct Events;

message! {
    /// An event, as far as it is read, in core/v1 or events.k8s.io/v1.
    pub struct Event<'a> {
        1 "metadata" metadata: Meta<'a>,
        #[serde(alias = "regarding")]
        2 "involvedObject" involved_object: Reference<'a>,
        3 "reason" reason: Text<'a>,
        9 "type" kind: Text<'a>,
        #[serde(alias = "deprecatedCount")]
        8 "count" count: i64,
        #[serde(alias = "deprecatedFirstTimestamp")]
        6 "firstTimestamp" first_timestamp: Time,
        #[serde(alias = "deprecatedLastTimestamp")]
        7 "lastTimestamp" last_timestamp: Time,
        10 "eventTime" event_time: Time,
        11 "series" series: Option<Series>,
    }
}

object!(Event);

message! {
    struct Reference<'a> {
        1 "kind" kind: Text<'a>,
    }
}

message! {
    struct Series {
        1 "count" count: i64,
        2 "lastObservedTime" last_observed_time: Time,
    }
}

impl Event<'_> {
    /// How often it happened: series.count, else count, else once. Anybody who may write events
    /// can write any number there.
    fn occurrences(&self) -> u32 {
        let series = self.series.as_ref().map_or(0, |series| series.count);
        let count = [series, self.count].into_iter().find(|count| *count > 0).unwrap_or(1);
        u32::try_from(count).unwrap_or(u32::MAX)
    }

    /// When it happened first, in microseconds since 1970.
    fn first(&self) -> Option<i64> {
        let times = [self.first_timestamp, self.event_time, self.metadata.creation_timestamp];
        times.into_iter().find_map(|time| time.0)
    }

    /// When it happened last, in microseconds since 1970.
    fn last(&self) -> Option<i64> {
        let series = self.series.as_ref().map(|series| series.last_observed_time);
        let times = [self.last_timestamp, self.event_time, self.metadata.creation_timestamp];
        series.into_iter().chain(times).find_map(|time| time.0)
    }

    fn event_type(&self) -> EventType {
        let known = EventType::ALL.iter().find(|kind| kind.as_str() == &*self.kind);
        known.copied().unwrap_or(EventType::Other)
    }
}

/// What is kept of an event: how many occurrences were seen.
#[derive(Debug)]
pub struct Facts {
    seen: u32,
}

/// What is counted over all events.
#[derive(Debug)]
pub struct Counted {
    shown: ShownEvents,
    tombstones: Tombstones,
}

/// The part of it that a scrape shows.
#[derive(Clone, Debug)]
pub struct ShownEvents {
    occurrences: Counters<3>,
    warnings: Counters<1>,
    observations: [u64; Observation::ALL.len()],
    suppressed: [u64; Suppressed::ALL.len()],
    lag: [Histogram; EventType::ALL.len()],
}

impl Kind for Events {
    type Object<'a> = Event<'a>;
    type Facts = Facts;
    type Tally = Counted;

    fn fold(
        tally: &mut Counted,
        key: &Key,
        old: Option<&Facts>,
        event: &Event<'_>,
        context: &mut Context<'_>,
    ) -> Facts {
        let n = event.occurrences();
        let shown = &mut tally.shown;
        shown.observations[observation(context.origin) as usize] += 1;
        let known =
            old.map(|old| old.seen).or_else(|| tally.tombstones.take(key, context.now / 1_000_000));
        match (known, context.origin) {
            (Some(seen), _) if n > seen => shown.count(key, event, n - seen, context),
            (Some(seen), _) if n == seen => shown.suppress(Suppressed::Duplicate),
            (Some(_), _) => shown.suppress(Suppressed::CountRegressed),
            (None, Origin::Baseline) => {
                shown.suppress(Suppressed::Baseline);
                shown.start(key, event, context);
            }
            (None, _) => {
                let ours = event.first().is_some_and(|first| first >= context.began * 1_000_000);
                shown.count(key, event, if ours { n } else { 1 }, context);
            }
        }
        // A count that went back (etcd restored from a backup) grows again over what was counted.
        Facts { seen: known.map_or(n, |seen| seen.max(n)) }
    }

    /// A deleted event is one that expired, never news.
    fn forget(tally: &mut Counted, key: &Key, facts: &Facts, context: &Context<'_>) {
        tally.shown.observations[Observation::Deleted as usize] += 1;
        tally.tombstones.put(key, facts.seen, context.now / 1_000_000);
    }
}

impl ShownEvents {
    fn count(&mut self, key: &Key, event: &Event<'_>, n: u32, context: &mut Context<'_>) {
        self.add(key, event, n, context);
        if let (Origin::Live(_), Some(last)) = (context.origin, event.last()) {
            let lag = (context.now - last).max(0).cast_unsigned();
            let lag = std::time::Duration::from_micros(lag).as_secs_f64();
            self.lag[event.event_type() as usize].observe(lag);
        }
    }

    /// Starts the series of an event that was there before us, so that its next occurrence shows
    /// as an increase.
    fn start(&mut self, key: &Key, event: &Event<'_>, context: &mut Context<'_>) {
        self.add(key, event, 0, context);
    }

    fn add(&mut self, key: &Key, event: &Event<'_>, n: u32, context: &mut Context<'_>) {
        let event_type = event.event_type();
        let labels = [event_type.as_str(), &event.involved_object.kind, &event.reason]
            .map(|label| context.intern.intern(label));
        self.occurrences.add(labels.each_ref(), n.into());
        // Any event starts its namespace's series, so that a first warning shows as an increase.
        let warnings = if event_type == EventType::Warning { n } else { 0 };
        self.warnings.add([&key.namespace], warnings.into());
    }

    const fn suppress(&mut self, why: Suppressed) {
        self.suppressed[why as usize] += 1;
    }
}

impl Tally for Counted {
    type Shown = ShownEvents;

    fn new(caps: &Caps) -> Self {
        let bounds = match catalogue::EVENT_LAG_SECONDS.kind {
            catalogue::Type::Histogram(bounds) => bounds,
            _ => &[],
        };
        Self {
            shown: ShownEvents {
                occurrences: Counters::new([EventType::ALL.len(), caps.reasons, caps.reasons]),
                warnings: Counters::new([caps.namespaces]),
                observations: [0; Observation::ALL.len()],
                suppressed: [0; Suppressed::ALL.len()],
                lag: std::array::from_fn(|_| Histogram::new(bounds)),
            },
            tombstones: Tombstones::default(),
        }
    }

    fn shown(&self) -> ShownEvents {
        self.shown.clone()
    }
}

impl Collect for ShownEvents {
    fn collect(&self, out: &mut Exposition) {
        self.occurrences.collect(&catalogue::EVENT_OCCURRENCES_TOTAL, out);
        self.warnings.collect(&catalogue::EVENT_WARNINGS_TOTAL, out);
        for (op, n) in Observation::VALUES.iter().zip(self.observations) {
            out.sample(&catalogue::EVENT_OBSERVATIONS_TOTAL, &[op], n);
        }
        for (cause, n) in Suppressed::VALUES.iter().zip(self.suppressed) {
            out.sample(&catalogue::EVENT_SUPPRESSED_TOTAL, &[cause], n);
        }
        for (kind, lag) in EventType::VALUES.iter().zip(&self.lag) {
            lag.collect(&catalogue::EVENT_LAG_SECONDS, &[kind], out);
        }
    }
}

const fn observation(origin: Origin) -> Observation {
    match origin {
        Origin::Baseline | Origin::Relist => Observation::Replayed,
        Origin::Live(Op::Added) => Observation::Added,
        Origin::Live(_) => Observation::Modified,
    }
}

/// The counts of events that are gone, by a hash of their names: 16 bytes each instead of a name
/// of 60. The hash is seeded, so that nobody can make two names collide on purpose. They are
/// forgotten a generation at a time, whose room is for the next one.
#[derive(Debug, Default)]
struct Tombstones {
    /// What was seen, and until when that is remembered (seconds since 1970).
    young: HashMap<u64, (u32, u32)>,
    /// The generation before.
    old: HashMap<u64, (u32, u32)>,
    /// How many came in this generation.
    came: usize,
    /// When it is over, unless it is full before (seconds since 1970).
    over: i64,
    hasher: DefaultHashBuilder,
}

impl Tombstones {
    /// Remembers a count from `now` (seconds since 1970) on.
    fn put(&mut self, key: &Key, seen: u32, now: i64) {
        if self.came >= GENERATION || now >= self.over {
            self.turn(now);
        }
        self.came += 1;
        self.young.insert(self.name(key), (seen, seconds(now + MEMORY)));
    }

    /// What was seen of a name that is back.
    fn take(&mut self, key: &Key, now: i64) -> Option<u32> {
        let name = self.name(key);
        let (seen, until) = self.young.remove(&name).or_else(|| self.old.remove(&name))?;
        (until > seconds(now)).then_some(seen)
    }

    /// Begins a generation, and forgets the one before the last.
    fn turn(&mut self, now: i64) {
        std::mem::swap(&mut self.young, &mut self.old);
        self.young.clear();
        // As many may come again; the room of a storm is given back.
        self.young.shrink_to(self.came);
        (self.came, self.over) = (0, now + MEMORY);
    }

    fn name(&self, key: &Key) -> u64 {
        self.hasher.hash_one((&*key.namespace, key.name.as_str()))
    }
}

/// Seconds since 1970, as far as they go.
fn seconds(time: i64) -> u32 {
    u32::try_from(time.max(0)).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests;
