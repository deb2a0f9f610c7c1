//! What the simulated cluster holds: objects, their history, the floor below which it is compacted.
//! Pure: time comes in as text, randomness from a seed.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
};

use serde_json::{Map, Value, json};

/// How many changes of a table are remembered.
const HISTORY: usize = 20_000;

/// Where an object is. The order is that of etcd's keys.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key {
    /// The namespace, empty for a cluster-scoped object.
    pub namespace: String,
    /// The name.
    pub name: String,
}

/// One state of an object.
#[derive(Debug, PartialEq, Eq)]
pub struct Object {
    /// Where it is.
    pub key: Key,
    /// Its resourceVersion.
    pub version: u64,
    /// Its compact JSON without `kind` and `apiVersion`, as an item of a list.
    pub body: String,
}

impl Object {
    /// The same state under another resourceVersion, as the end of a watch's interest shows it.
    #[must_use]
    pub fn at(&self, version: u64) -> Self {
        let mut value: Value = serde_json::from_str(&self.body).unwrap_or_default();
        value["metadata"]["resourceVersion"] = version.to_string().into();
        Self { key: self.key.clone(), version, body: value.to_string() }
    }
}

/// One change of a table.
#[derive(Clone, Debug)]
pub struct Change {
    /// The state before it.
    pub before: Option<Arc<Object>>,
    /// The state after it; of a deletion the last state, with the deletion's resourceVersion.
    pub object: Arc<Object>,
    /// Whether it was a deletion.
    pub deleted: bool,
}

/// All objects of a table at one moment.
pub type Snapshot = BTreeMap<Key, Arc<Object>>;

/// The resourceVersion asked for is below the floor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Compacted;

#[derive(Debug, Default)]
struct Table {
    objects: Snapshot,
    history: VecDeque<Change>,
    floor: u64,
}

/// The cluster.
#[derive(Debug)]
pub struct State {
    revision: u64,
    /// Up to where all tables are compacted.
    floor: u64,
    /// How far behind watch caches are.
    lag: u64,
    tables: BTreeMap<&'static str, Table>,
    random: fastrand::Rng,
}

impl State {
    /// An empty cluster, whose UIDs the seed decides.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        let random = fastrand::Rng::with_seed(seed);
        Self { revision: 1, floor: 0, lag: 0, tables: BTreeMap::new(), random }
    }

    /// Below this resourceVersion nothing of a table is remembered.
    #[must_use]
    pub fn floor(&self, table: &str) -> u64 {
        self.tables.get(table).map_or(0, |table| table.floor).max(self.floor)
    }

    /// The resourceVersion of now.
    #[must_use]
    pub const fn revision(&self) -> u64 {
        self.revision
    }

    /// The resourceVersion up to which a watch cache knows what happened.
    #[must_use]
    pub const fn cached(&self) -> u64 {
        self.revision.saturating_sub(self.lag)
    }

    /// Puts watch caches so many resourceVersions behind.
    pub const fn lag(&mut self, versions: u64) {
        self.lag = versions;
    }

    /// Creates or replaces an object; gives its resourceVersion. What the server sets is set: the
    /// UID and time of creation where they are missing, and the resourceVersion.
    pub fn put(&mut self, table: &'static str, mut object: Value, now: &str) -> u64 {
        let key = key_of(&object);
        self.revision += 1;
        let uid = uuid(&mut self.random);
        let table = self.tables.entry(table).or_default();
        let before = table.objects.get(&key).cloned();
        let known = before.as_deref().map(|object| metadata(&object.body)).unwrap_or_default();
        let Some(meta) = object.get_mut("metadata").and_then(Value::as_object_mut) else {
            return self.revision;
        };
        let kept = |field: &str, new: &str| known.get(field).cloned().unwrap_or_else(|| json!(new));
        if is_unset(meta, "uid") {
            meta.insert("uid".into(), kept("uid", &uid));
        }
        meta.insert("resourceVersion".into(), self.revision.to_string().into());
        if is_unset(meta, "creationTimestamp") {
            meta.insert("creationTimestamp".into(), kept("creationTimestamp", now));
        }
        let body = object.to_string();
        let object = Arc::new(Object { key: key.clone(), version: self.revision, body });
        table.objects.insert(key, Arc::clone(&object));
        table.record(Change { before, object, deleted: false });
        self.revision
    }

    /// Deletes objects, all at one resourceVersion as expiry does; gives how many there were.
    pub fn delete(&mut self, table: &'static str, keys: &[Key]) -> usize {
        self.revision += 1;
        let (version, table) = (self.revision, self.tables.entry(table).or_default());
        let gone: Vec<_> = keys.iter().filter_map(|key| table.objects.remove(key)).collect();
        for before in &gone {
            let object = Arc::new(before.at(version));
            let before = Some(Arc::clone(before));
            table.record(Change { before, object, deleted: true });
        }
        gone.len()
    }

    /// Takes objects as they are, resourceVersions too, and moves to this revision.
    pub fn load(&mut self, table: &'static str, items: &[Value], revision: u64) {
        self.revision = revision;
        let table = self.tables.entry(table).or_default();
        for item in items {
            let key = key_of(item);
            let version = item["metadata"]["resourceVersion"].as_str().map(str::parse);
            let version = version.and_then(Result::ok).unwrap_or(revision);
            let object = Object { key: key.clone(), version, body: item.to_string() };
            table.objects.insert(key, Arc::new(object));
        }
        table.history.clear();
        table.floor = revision;
    }

    /// Goes back to how everything was at a resourceVersion, as etcd does that is restored from a
    /// backup: those since then will be given once more.
    ///
    /// # Errors
    /// Where it is compacted.
    pub fn restore(&mut self, at: u64) -> Result<(), Compacted> {
        let tables: Vec<_> = self.tables.keys().copied().collect();
        for name in tables {
            let objects = self.snapshot(name, Some(at))?;
            let table = self.tables.entry(name).or_default();
            table.objects = objects;
            table.history.retain(|change| change.object.version <= at);
        }
        self.revision = at;
        Ok(())
    }

    /// Forgets all history up to now, as etcd's compaction does.
    pub fn compact(&mut self) {
        self.floor = self.revision;
        self.tables.values_mut().for_each(|table| table.history.clear());
    }

    /// All objects of a table, now or at a resourceVersion that is not in the future.
    ///
    /// # Errors
    /// Where the resourceVersion is compacted.
    pub fn snapshot(&self, table: &str, at: Option<u64>) -> Result<Snapshot, Compacted> {
        if at.is_some_and(|at| at < self.floor(table)) {
            return Err(Compacted);
        }
        let Some(table) = self.tables.get(table) else { return Ok(Snapshot::new()) };
        let mut objects = table.objects.clone();
        let at = at.unwrap_or(self.revision);
        let later = |change: &&Change| change.object.version > at;
        for change in table.history.iter().rev().take_while(later) {
            match &change.before {
                Some(before) => objects.insert(before.key.clone(), Arc::clone(before)),
                None => objects.remove(&change.object.key),
            };
        }
        Ok(objects)
    }

    /// The changes of a table after a resourceVersion.
    ///
    /// # Errors
    /// Where it is compacted.
    pub fn since(&self, table: &str, version: u64) -> Result<Vec<Change>, Compacted> {
        if version < self.floor(table) {
            return Err(Compacted);
        }
        let Some(table) = self.tables.get(table) else { return Ok(Vec::new()) };
        let from = table.history.partition_point(|change| change.object.version <= version);
        Ok(table.history.range(from..).cloned().collect())
    }
}

impl Table {
    fn record(&mut self, change: Change) {
        self.history.push_back(change);
        if self.history.len() > HISTORY
            && let Some(oldest) = self.history.pop_front()
        {
            self.floor = oldest.object.version;
        }
    }
}

/// Where an object's metadata says it is.
#[must_use]
pub fn key_of(object: &Value) -> Key {
    let text = |field: &str| object["metadata"][field].as_str().unwrap_or_default().to_owned();
    Key { namespace: text("namespace"), name: text("name") }
}

fn metadata(body: &str) -> Map<String, Value> {
    let object: Value = serde_json::from_str(body).unwrap_or_default();
    object["metadata"].as_object().cloned().unwrap_or_default()
}

fn is_unset(meta: &Map<String, Value>, field: &str) -> bool {
    meta.get(field).is_none_or(|value| value.is_null() || value == "")
}

/// A random UUID of version 4.
pub fn uuid(random: &mut fastrand::Rng) -> String {
    let bits = random.u128(..) & !(0xf << 76) & !(0x3 << 62) | 4 << 76 | 2 << 62;
    let text = format!("{bits:032x}");
    let parts = [&text[..8], &text[8..12], &text[12..16], &text[16..20], &text[20..]];
    parts.join("-")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pod(name: &str, phase: &str) -> Value {
        json!({"metadata": {"name": name, "namespace": "shop"}, "status": {"phase": phase}})
    }

    fn key(name: &str) -> Key {
        Key { namespace: "shop".into(), name: name.into() }
    }

    #[test]
    fn the_past_can_be_listed_until_it_is_compacted() {
        let mut state = State::new(1);
        let first = state.put("pods", pod("a", "Pending"), "t1");
        let second = state.put("pods", pod("a", "Running"), "t2");
        state.put("pods", pod("b", "Pending"), "t3");
        state.delete("pods", &[key("a")]);
        let now = state.snapshot("pods", None).expect("now");
        assert_eq!(now.keys().collect::<Vec<_>>(), [&key("b")]);
        let then = state.snapshot("pods", Some(second)).expect("not compacted");
        assert_eq!(then.keys().collect::<Vec<_>>(), [&key("a")]);
        assert!(then[&key("a")].body.contains("Running"));
        let then = state.snapshot("pods", Some(first)).expect("not compacted");
        assert!(then[&key("a")].body.contains("Pending"));
        assert!(then[&key("a")].body.contains("t1"));
        state.compact();
        assert_eq!(state.snapshot("pods", Some(first)), Err(Compacted));
        assert!(state.since("pods", first).is_err());
        assert!(state.since("pods", state.revision()).is_ok_and(|changes| changes.is_empty()));
    }

    #[test]
    fn a_backup_brings_back_what_was_and_gives_versions_once_more() {
        let mut state = State::new(1);
        state.put("pods", pod("a", "Pending"), "t1");
        let backup = state.put("pods", pod("b", "Pending"), "t2");
        let later = state.put("pods", pod("a", "Running"), "t3");
        state.delete("pods", &[key("b")]);
        assert_eq!(state.restore(backup), Ok(()));
        let now = state.snapshot("pods", None).expect("now");
        assert_eq!(now.keys().collect::<Vec<_>>(), [&key("a"), &key("b")]);
        assert!(now[&key("a")].body.contains("Pending"));
        assert!(state.since("pods", later).is_ok_and(|changes| changes.is_empty()), "silent");
        assert_eq!(state.put("pods", pod("c", "Pending"), "t4"), later);
        state.compact();
        assert_eq!(state.restore(backup), Err(Compacted));
    }

    #[test]
    fn an_object_keeps_its_uid_and_creation_until_it_is_deleted() {
        let mut state = State::new(1);
        let meta = |state: &State| {
            let objects = state.snapshot("pods", None).expect("now");
            metadata(&objects[&key("a")].body)
        };
        state.put("pods", pod("a", "Pending"), "t1");
        let first = meta(&state);
        state.put("pods", pod("a", "Running"), "t2");
        assert_eq!(meta(&state)["uid"], first["uid"]);
        assert_eq!(meta(&state)["creationTimestamp"], "t1");
        state.delete("pods", &[key("a")]);
        state.put("pods", pod("a", "Pending"), "t3");
        assert_ne!(meta(&state)["uid"], first["uid"]);
        assert_eq!(meta(&state)["creationTimestamp"], "t3");
    }

    #[test]
    fn what_expires_together_has_one_version_and_history_is_bounded() {
        let mut state = State::new(1);
        for i in 0..HISTORY {
            state.put("events", pod(&i.to_string(), ""), "t");
        }
        let before = state.revision();
        let keys: Vec<Key> = (0..10).map(|i| key(&i.to_string())).collect();
        assert_eq!(state.delete("events", &keys), 10);
        let changes = state.since("events", before).expect("not compacted");
        assert!(changes.iter().all(|c| c.deleted && c.object.version == before + 1));
        assert_eq!(changes.len(), 10);
        assert!(state.since("events", 1).is_err(), "the oldest are forgotten");
    }

    #[test]
    fn a_uuid_is_of_version_4() {
        let uid = uuid(&mut fastrand::Rng::with_seed(7));
        assert_eq!((uid.len(), &uid[14..15]), (36, "4"));
        assert!("89ab".contains(&uid[19..20]), "{uid}");
    }
}
