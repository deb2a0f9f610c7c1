//! The state of every watcher, for readiness and for the gauges of a scrape.

use std::sync::{
    Arc, Mutex, MutexGuard, PoisonError,
    atomic::{AtomicBool, AtomicI64, Ordering},
};

use super::{Activity, Denial};
use crate::{
    access::{AllMissing, Missing},
    exposition::{
        Collect, Exposition,
        catalogue::{
            WATCH_CONNECTED, WATCH_LAST_ACTIVITY_TIMESTAMP_SECONDS, WATCH_SERVED, WATCH_SYNCED,
        },
    },
    http::health::{Check, Verdict},
};

/// All watchers' rows, those of one resource together.
#[derive(Debug, Default)]
pub struct Board(Vec<Arc<Row>>);

/// One watcher's state: the watcher writes, scrapes and probes read.
#[derive(Debug)]
pub struct Row {
    resource: Box<str>,
    namespace: Option<String>,
    connected: AtomicBool,
    synced: AtomicBool,
    denied: AtomicBool,
    /// Whether the API server has the resource, as far as it has said.
    served: AtomicBool,
    /// When each kind of activity was last seen, in microseconds since 1970, 0 for never.
    last: [AtomicI64; Activity::ALL.len()],
    detail: Mutex<String>,
}

impl Board {
    /// Adds a row for a watcher.
    pub fn add(&mut self, resource: &str, namespace: Option<String>) -> Arc<Row> {
        let row = Arc::new(Row {
            resource: resource.into(),
            namespace,
            connected: AtomicBool::new(false),
            synced: AtomicBool::new(false),
            denied: AtomicBool::new(false),
            served: AtomicBool::new(true),
            last: Default::default(),
            detail: Mutex::new("starting".into()),
        });
        self.0.push(Arc::clone(&row));
        row
    }

    /// One check for each watcher, with the rights that are missing.
    #[must_use]
    pub fn checks(&self, missing: &AllMissing) -> Vec<Check> {
        let missing = |row: &Row| {
            // Mostly nothing is, and then nothing is looked for.
            let of =
                (!missing.is_empty()).then(|| (row.resource.to_string(), row.namespace.clone()));
            missing.get(&of?)
        };
        self.0.iter().map(|row| row.check(missing(row))).collect()
    }

    /// The rows of each resource.
    fn resources(&self) -> impl Iterator<Item = &[Arc<Row>]> {
        self.0.chunk_by(|a, b| a.resource == b.resource)
    }
}

impl Collect for Board {
    fn collect(&self, out: &mut Exposition) {
        for rows in self.resources() {
            let Some(resource) = rows.first().map(|row| &*row.resource) else { continue };
            let all = |flag: fn(&Row) -> &AtomicBool| {
                rows.iter().all(|row| flag(row).load(Ordering::Relaxed))
            };
            out.sample(&WATCH_CONNECTED, &[resource], all(|row| &row.connected));
            out.sample(&WATCH_SYNCED, &[resource], all(|row| &row.synced));
            out.sample(&WATCH_SERVED, &[resource], all(|row| &row.served));
            for (activity, at) in Activity::ALL.iter().zip(0..) {
                let last: Option<i64> =
                    rows.iter().map(|row: &Arc<Row>| row.last[at].load(Ordering::Relaxed)).min();
                if let Some(last) = last.filter(|last| *last > 0) {
                    let labels = [resource, activity.as_str()];
                    let millis = u32::try_from(last / 1000 % 1000).unwrap_or(0);
                    let seconds = u32::try_from(last / 1_000_000).unwrap_or(u32::MAX);
                    let time = f64::from(seconds) + f64::from(millis) / 1000.0;
                    out.sample(&WATCH_LAST_ACTIVITY_TIMESTAMP_SECONDS, &labels, time);
                }
            }
        }
    }
}

impl Row {
    /// Notes how the watcher is.
    pub fn set(&self, connected: bool, synced: bool, denied: Option<Denial>) {
        self.connected.store(connected, Ordering::Relaxed);
        self.synced.store(synced, Ordering::Relaxed);
        self.denied.store(denied.is_some(), Ordering::Relaxed);
        self.served.store(denied != Some(Denial::Absent), Ordering::Relaxed);
    }

    /// Whether it has been listed, and may be still.
    #[must_use]
    pub fn may_be_listed(&self) -> bool {
        self.synced.load(Ordering::Relaxed) && !self.denied.load(Ordering::Relaxed)
    }

    /// Notes, for people, what the watcher is at.
    pub fn describe(&self, detail: impl Into<String>) {
        *self.detail() = detail.into();
    }

    /// Notes a sign of life at `now`, in microseconds since 1970.
    pub fn active(&self, activity: Activity, now: i64) {
        self.last[activity as usize].store(now, Ordering::Relaxed);
    }

    fn check(&self, missing: Option<&Missing>) -> Check {
        let name = match &self.namespace {
            Some(namespace) => format!("{} in {namespace}", self.resource),
            None => self.resource.to_string(),
        };
        let verdict = match () {
            () if self.synced.load(Ordering::Relaxed) => Verdict::Ready,
            () if self.denied.load(Ordering::Relaxed) => Verdict::Excused,
            () => Verdict::NotReady,
        };
        let mut detail = self.detail().clone();
        if let Some(missing) = missing {
            detail = format!("{detail}; {missing}");
        }
        Check { name, resource: Some(self.resource.to_string()), verdict, detail }
    }

    fn detail(&self) -> MutexGuard<'_, String> {
        self.detail.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exposition::Format;

    #[test]
    fn a_resource_is_as_well_as_its_worst_watcher() {
        let mut board = Board::default();
        let rows = ["a", "b"].map(|ns| board.add("pods", Some(ns.into())));
        rows[0].set(true, true, None);
        rows[0].active(Activity::Transport, 2_500_000);
        rows[1].active(Activity::Transport, 1_500_000);
        let mut out = Exposition::new(Format::Text, &[]);
        board.collect(&mut out);
        let text = String::from_utf8(out.finish().to_vec()).expect("UTF-8");
        for line in [
            "kubetally_watch_connected{resource=\"pods\"} 0",
            "kubetally_watch_synced{resource=\"pods\"} 0",
            "kubetally_watch_last_activity_timestamp_seconds{resource=\"pods\",kind=\"transport\"} 1.5",
        ] {
            assert!(text.lines().any(|l| l == line), "no {line} in {text}");
        }
        assert!(!text.contains("kind=\"object\""), "{text}");
    }

    #[test]
    fn what_cannot_be_watched_is_excused() {
        let mut board = Board::default();
        let row = board.add("pods", None);
        let verdict = || board.checks(&AllMissing::new())[0].verdict;
        assert_eq!(verdict(), Verdict::NotReady);
        row.set(false, false, Some(Denial::Forbidden));
        assert_eq!(verdict(), Verdict::Excused);
        row.set(false, true, Some(Denial::Absent));
        assert_eq!(verdict(), Verdict::Ready);
    }

    #[test]
    fn what_is_forbidden_may_be_served_all_the_same() {
        let served = |denied| {
            let mut board = Board::default();
            let rows = ["a", "b"].map(|ns| board.add("pods", Some(ns.into())));
            rows[0].set(false, false, denied);
            let mut out = Exposition::new(Format::Text, &[]);
            board.collect(&mut out);
            let text = String::from_utf8(out.finish().to_vec()).expect("UTF-8");
            text.contains("kubetally_watch_served{resource=\"pods\"} 1\n")
        };
        let denials = [None, Some(Denial::Forbidden), Some(Denial::Absent)];
        assert_eq!(denials.map(served), [true, true, false]);
    }

    #[test]
    fn a_missing_right_is_told_where_it_is_missing() {
        let mut board = Board::default();
        for namespace in ["shop", "billing"] {
            board.add("pods", Some(namespace.into())).describe("watching");
        }
        let of = ("pods".to_owned(), Some("shop".to_owned()));
        let missing = Missing { role: "a Role in shop".into(), rules: vec!["x".into()] };
        let checks = board.checks(&AllMissing::from([(of, missing)]));
        let details: Vec<_> = checks.iter().map(|check| check.detail.as_str()).collect();
        assert_eq!(details, ["watching; missing in a Role in shop: x", "watching"]);
    }
}
