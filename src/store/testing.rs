//! For the tests of stores and kinds: objects as JSON in, exposition text out.

use serde_json::{Value, json};

use super::*;
use crate::{
    exposition::{Exposition, Format},
    wire::Encoding,
};

/// Noon of a day, in seconds since 1970: when the first list is answered.
pub const BEGAN: i64 = 1_795_435_200;

/// A time as Kubernetes writes it, so many seconds after [`BEGAN`].
pub fn at(seconds: i64) -> String {
    let time = u64::try_from(BEGAN + seconds).expect("after 1970") % 86_400;
    let day = 23 + (BEGAN + seconds).div_euclid(86_400) - BEGAN / 86_400;
    format!("2026-11-{day}T{:02}:{:02}:{:02}Z", time / 3600, time / 60 % 60, time % 60)
}

/// A store, the server's clock and its resourceVersions.
pub struct Rig<K: Kind> {
    pub store: Store<K>,
    /// Seconds since [`BEGAN`].
    pub now: i64,
    pub version: u64,
}

impl<K: Kind> Rig<K> {
    /// A store that has seen nothing.
    pub fn new() -> Self {
        Self::with(&[], Caps { namespaces: 100, reasons: 100, nodes: 100 })
    }

    /// A store of these namespaces and caps.
    pub fn with(namespaces: &[&str], caps: Caps) -> Self {
        let namespaces: Vec<String> = namespaces.iter().map(ToString::to_string).collect();
        Self { store: Store::new("things", &namespaces, &caps), now: 0, version: 100 }
    }

    /// One whose first list had these.
    pub fn synced(objects: &[Value]) -> Self {
        let mut rig = Self::new();
        rig.list(objects);
        rig
    }

    /// A whole list.
    pub fn list(&mut self, objects: &[Value]) -> &mut Self {
        self.store.begin_list(0);
        for object in objects {
            self.item(0, object);
        }
        self.store.end_list(0, self.micros());
        self
    }

    /// An item of a list under way.
    pub fn item(&mut self, scope: usize, object: &Value) {
        let bytes = self.versioned(object).to_string();
        let payload = Payload { encoding: Encoding::Json, event: false, bytes: bytes.as_bytes() };
        self.store.list(scope, payload, self.micros()).expect("an object");
    }

    /// A notification of a live watch.
    pub fn live(&mut self, op: Op, object: &Value) -> &mut Self {
        self.live_after(0, op, object)
    }

    /// A notification of a live watch on which everything up to this resourceVersion has arrived.
    pub fn live_after(&mut self, after: u64, op: Op, object: &Value) -> &mut Self {
        let event = json!({"type": op.as_str().to_uppercase(), "object": self.versioned(object)});
        let bytes = event.to_string();
        let payload = Payload { encoding: Encoding::Json, event: true, bytes: bytes.as_bytes() };
        self.store.apply(op, after, payload, self.micros()).expect("an object");
        self
    }

    /// Later.
    pub fn after(&mut self, seconds: i64) -> &mut Self {
        self.now += seconds;
        self
    }

    /// The value of a series, `None` where it is not shown.
    pub fn value(&self, series: &str) -> Option<u64> {
        let line = |line: &str| line.strip_prefix(series)?.strip_prefix(' ')?.parse().ok();
        self.text().lines().find_map(line)
    }

    /// The samples of one family, sorted.
    pub fn family(&self, name: &str) -> Vec<String> {
        family(&self.text(), name)
    }

    /// The whole text.
    pub fn text(&self) -> String {
        let mut out = Exposition::new(Format::Text, &[]);
        if let Some(snapshot) = self.store.snapshot() {
            snapshot.collect(&mut out);
        }
        String::from_utf8(out.finish().to_vec()).expect("UTF-8")
    }

    fn micros(&self) -> i64 {
        (BEGAN + self.now) * 1_000_000
    }

    /// The object with the next resourceVersion, unless it has one.
    fn versioned(&mut self, object: &Value) -> Value {
        let mut object = object.clone();
        self.version += 1;
        let metadata = object["metadata"].as_object_mut().expect("metadata");
        metadata.entry("resourceVersion").or_insert_with(|| self.version.to_string().into());
        object
    }
}

/// The samples of one family in a text, sorted.
pub fn family(text: &str, name: &str) -> Vec<String> {
    let ours = |line: &&str| line.split(['{', ' ']).next() == Some(name);
    let mut lines: Vec<String> = text.lines().filter(ours).map(str::to_owned).collect();
    lines.sort();
    lines
}

/// Whether no series stands twice, and nothing is negative or cut.
pub fn assert_sound(text: &str) {
    let mut seen = std::collections::BTreeSet::new();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let (series, value) = line.rsplit_once(' ').expect("a value");
        assert!(seen.insert(series), "{series} twice");
        assert!(value.parse::<f64>().is_ok_and(|value| value >= 0.0), "{line}");
    }
}
