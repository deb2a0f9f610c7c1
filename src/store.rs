//! The state of one resource: facts an object, tallies over all. Apply, delete, sweep.
//!
//! A list marks what it saw, object by object, and what it did not see goes only when it ended
//! well: no second copy in memory, and no moment at which half of the objects are missing.

pub mod intern;
mod snapshot;
pub mod tally;

use std::{
    hash::BuildHasher,
    sync::{Arc, Mutex},
};

use compact_str::CompactString;
use hashbrown::{DefaultHashBuilder, HashTable, hash_table::Entry as Place};
use intern::Interner;
pub use snapshot::Shown;
use snapshot::Snapshot;
use tally::{Nothing, Table};

use crate::{
    config::settings::Caps,
    exposition::{
        Collect,
        blocks::{Details, Slot},
        detail::{Extra, Family, Samples},
    },
    watch::{Denial, Op},
    wire::{
        Decode, DecodeError, Payload,
        meta::{Meta, Object},
    },
};

/// Room for so many objects is never given back.
const ROOM: usize = 1024;

/// A kind of object: what is kept of one, and what is counted over all.
pub trait Kind: Send + 'static {
    /// The object as far as it is read, borrowing from the wire.
    type Object<'a>: Decode<'a> + Object;
    /// What is kept of one object beside its name and version.
    type Facts: Send;
    /// What is counted over all objects.
    type Tally: Tally;
    /// The families of per-object series, in the order of the exposition.
    const FAMILIES: &'static [Family] = &[];

    /// Says what one object shows of these families; `out` has begun none yet.
    fn detail(_object: &Self::Object<'_>, _extra: &Extra, _out: &mut Samples) {}

    /// Counts an object that is new or has changed; `old` is what was kept of it.
    fn fold(
        tally: &mut Self::Tally,
        key: &Key,
        old: Option<&Self::Facts>,
        object: &Self::Object<'_>,
        context: &mut Context<'_>,
    ) -> Self::Facts;

    /// Counts an object that is gone.
    fn forget(tally: &mut Self::Tally, key: &Key, facts: &Self::Facts, context: &Context<'_>);
}

/// What is counted over all objects of a kind.
pub trait Tally: Send {
    /// A copy of what a scrape shows.
    type Shown: Collect + 'static;

    /// Empty, with these caps.
    fn new(caps: &Caps) -> Self;

    /// What a scrape shows.
    fn shown(&self) -> Self::Shown;
}

/// Where an object is: unique among those of its resource.
#[derive(Debug, PartialEq, Eq)]
pub struct Key {
    /// The namespace, empty for a cluster-scoped object.
    pub namespace: Arc<str>,
    /// The name.
    pub name: CompactString,
}

impl Key {
    fn hash(&self, hasher: &DefaultHashBuilder) -> u64 {
        hasher.hash_one((&*self.namespace, self.name.as_str()))
    }
}

/// How an object came to us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// In the first list: it was there before us.
    Baseline,
    /// In a later list: what is new in it happened while we were not looking.
    Relist,
    /// On a live watch.
    Live(Op),
}

/// The circumstances of a change.
#[derive(Debug)]
pub struct Context<'a> {
    /// How the object came to us.
    pub origin: Origin,
    /// Now, by the server's clock, in microseconds since 1970.
    pub now: i64,
    /// When watching began, by the server's clock, in seconds since 1970: what came later was in
    /// no first list.
    pub began: i64,
    /// Where repeated text is held.
    pub intern: &'a mut Interner,
}

/// What an object on a live watch was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Applied {
    /// Its resourceVersion.
    pub resource_version: u64,
    /// When it was created, in seconds since 1970.
    pub created: i64,
}

/// A store, whatever it holds.
pub trait Holder: Send {
    /// A list of this scope begins: what arrives next is marked as seen.
    fn begin_list(&mut self, scope: usize);

    /// An object of this scope's list.
    ///
    /// # Errors
    /// Where it cannot be decoded.
    fn list(&mut self, scope: usize, payload: Payload<'_>, now: i64) -> Result<(), DecodeError>;

    /// The list of this scope ended well: what was not seen is removed.
    fn end_list(&mut self, scope: usize, now: i64);

    /// An object on a live watch. Everything up to the resourceVersion `after` has arrived: of what
    /// comes again, only a deletion is taken.
    ///
    /// # Errors
    /// Where it cannot be decoded.
    fn apply(
        &mut self,
        op: Op,
        after: u64,
        payload: Payload<'_>,
        now: i64,
    ) -> Result<Applied, DecodeError>;

    /// Shows a series an object, from now on, where the kind has any.
    fn show_details(&mut self, extra: Extra);

    /// Why this scope cannot be listed, if it cannot: the others are shown without it. What is not
    /// there any more is not shown either.
    fn set_denied(&mut self, scope: usize, denied: Option<Denial>);

    /// How many objects are held.
    fn len(&self) -> usize;

    /// Whether no object is held.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What a scrape shows, or nothing before the first list is complete.
    fn snapshot(&self) -> Option<Box<dyn Collect>>;
}

/// A store in the hands of a watcher and of scrapes.
pub type Shared = Arc<Mutex<dyn Holder>>;

#[derive(Debug)]
struct Entry<F> {
    key: Key,
    uid: u128,
    version: u64,
    /// The list that saw it last, 0 for none.
    seen: u32,
    facts: F,
    /// Where it shows its series, if it does.
    slot: Option<Slot>,
}

/// A namespace, or all of them, that is listed and watched on its own.
#[derive(Debug)]
struct Scope {
    /// `None` for all.
    namespace: Option<Box<str>>,
    /// The number of the list under way.
    list: u32,
    synced: bool,
    denied: bool,
    /// There is no such resource since, until it is listed again.
    absent: bool,
}

/// The series of single objects.
struct Detailed {
    details: Details,
    extra: Extra,
    samples: Samples,
}

/// The objects of one resource.
pub struct Store<K: Kind> {
    resource: Arc<str>,
    entries: HashTable<Box<Entry<K::Facts>>>,
    hasher: DefaultHashBuilder,
    intern: Interner,
    namespaces: Table<Nothing>,
    tally: K::Tally,
    shown: Option<Detailed>,
    scopes: Vec<Scope>,
    /// The number of the last list begun.
    lists: u32,
    /// When the first list was answered, in seconds since 1970: only answers tell the server's
    /// clock.
    began: Option<i64>,
}

impl<K: Kind> Store<K> {
    /// An empty store, fed by a watcher for each of `namespaces`, or by one for all if there are
    /// none.
    #[must_use]
    pub fn new(resource: &str, namespaces: &[String], caps: &Caps) -> Self {
        let scope =
            |namespace| Scope { namespace, list: 0, synced: false, denied: false, absent: false };
        let mut scopes: Vec<Scope> =
            namespaces.iter().map(|name| scope(Some(name.as_str().into()))).collect();
        if scopes.is_empty() {
            scopes.push(scope(None));
        }
        Self {
            resource: resource.into(),
            entries: HashTable::new(),
            hasher: DefaultHashBuilder::default(),
            intern: Interner::default(),
            namespaces: Table::new(caps.namespaces),
            tally: K::Tally::new(caps),
            shown: None,
            scopes,
            lists: 0,
            began: None,
        }
    }

    /// What is counted.
    #[must_use]
    pub const fn tally(&self) -> &K::Tally {
        &self.tally
    }

    /// Applies an object in its new state; an older state than the one held is ignored, but not in
    /// a list: a list is the truth even where its resourceVersions went back (a restored etcd).
    fn upsert(
        &mut self,
        object: &K::Object<'_>,
        origin: Origin,
        seen: u32,
        now: i64,
    ) -> Result<Applied, DecodeError> {
        let meta = object.meta();
        let applied = applied(meta)?;
        let uid = meta.uid();
        let live = matches!(origin, Origin::Live(_));
        let began = self.began(now);
        let Self { entries, intern, tally, hasher, namespaces, shown, .. } = self;
        let hash = hasher.hash_one((&*meta.namespace, &*meta.name));
        let slot =
            entries.entry(hash, |entry| is_at(&entry.key, meta), |entry| entry.key.hash(hasher));
        let mut context = Context { origin, now, began, intern };
        match slot {
            Place::Occupied(mut slot) => {
                let entry = slot.get_mut();
                if live && applied.resource_version <= entry.version {
                    return Ok(applied);
                }
                let same = entry.uid == uid;
                if !same {
                    K::forget(tally, &entry.key, &entry.facts, &context);
                }
                let old = same.then_some(&entry.facts);
                entry.facts = K::fold(tally, &entry.key, old, object, &mut context);
                (entry.uid, entry.version, entry.seen) = (uid, applied.resource_version, seen);
                entry.slot = shown.as_mut().map(|shown| shown.show::<K>(entry.slot, object));
            }
            Place::Vacant(slot) => {
                let namespace = context.intern.intern(&meta.namespace);
                namespaces.enter(&namespace);
                let key = Key { namespace, name: CompactString::new(&*meta.name) };
                let facts = K::fold(tally, &key, None, object, &mut context);
                let version = applied.resource_version;
                let shown = shown.as_mut().map(|shown| shown.show::<K>(None, object));
                slot.insert(Box::new(Entry { key, uid, version, seen, facts, slot: shown }));
            }
        }
        Ok(applied)
    }

    /// Removes an object, unless a newer one is held under its name.
    fn delete(&mut self, object: &K::Object<'_>, now: i64) -> Result<Applied, DecodeError> {
        let meta = object.meta();
        let applied = applied(meta)?;
        let hash = self.hasher.hash_one((&*meta.namespace, &*meta.name));
        let held = self.entries.find_entry(hash, |entry| is_at(&entry.key, meta));
        let Ok(held) = held else { return Ok(applied) };
        if held.get().version > applied.resource_version {
            return Ok(applied);
        }
        let (entry, _) = held.remove();
        let origin = Origin::Live(Op::Deleted);
        let began = self.began(now);
        let context = Context { origin, now, began, intern: &mut self.intern };
        K::forget(&mut self.tally, &entry.key, &entry.facts, &context);
        self.namespaces.leave(&entry.key.namespace, |_| {});
        hide(&mut self.shown, entry.slot);
        self.give_back();
        Ok(applied)
    }

    /// Gives back the room of objects that are gone, where most of it is theirs.
    fn give_back(&mut self) {
        let (held, room) = (self.entries.len(), self.entries.capacity());
        if room > ROOM && held < room / 8 {
            self.entries.shrink_to(2 * held, |entry| entry.key.hash(&self.hasher));
        }
    }

    fn began(&mut self, now: i64) -> i64 {
        *self.began.get_or_insert(now.div_euclid(1_000_000))
    }

    fn is_shown(&self) -> bool {
        let shown = |scope: &Scope| scope.synced && !scope.absent;
        self.scopes.iter().any(shown)
            && self.scopes.iter().all(|scope| shown(scope) || scope.denied)
    }
}

impl<K: Kind> Holder for Store<K> {
    fn begin_list(&mut self, scope: usize) {
        self.lists = self.lists.wrapping_add(1);
        if let Some(scope) = self.scopes.get_mut(scope) {
            scope.list = self.lists;
        }
    }

    fn list(&mut self, scope: usize, payload: Payload<'_>, now: i64) -> Result<(), DecodeError> {
        let object = K::Object::decode(payload)?;
        let (list, origin) = match self.scopes.get(scope) {
            Some(scope) if scope.synced => (scope.list, Origin::Relist),
            Some(scope) => (scope.list, Origin::Baseline),
            None => (0, Origin::Baseline),
        };
        self.upsert(&object, origin, list, now).map(|_| ())
    }

    fn end_list(&mut self, scope: usize, now: i64) {
        let began = self.began(now);
        let Self { entries, intern, tally, namespaces, scopes, shown, .. } = self;
        let Some(scope) = scopes.get_mut(scope) else { return };
        let context = Context { origin: Origin::Relist, now, began, intern };
        entries.retain(|entry| {
            let ours = scope.namespace.as_deref().is_none_or(|ns| *ns == *entry.key.namespace);
            let keep = !ours || entry.seen == scope.list;
            if !keep {
                K::forget(tally, &entry.key, &entry.facts, &context);
                namespaces.leave(&entry.key.namespace, |_| {});
                hide(shown, entry.slot);
            }
            keep
        });
        scope.synced = true;
        (scope.denied, scope.absent) = (false, false);
        self.give_back();
    }

    fn apply(
        &mut self,
        op: Op,
        after: u64,
        payload: Payload<'_>,
        now: i64,
    ) -> Result<Applied, DecodeError> {
        let object = K::Object::decode(payload)?;
        let applied = applied(object.meta())?;
        match op {
            Op::Deleted => self.delete(&object, now),
            // It may be of a life that is over, which was counted.
            _ if applied.resource_version <= after => Ok(applied),
            op => self.upsert(&object, Origin::Live(op), 0, now),
        }
    }

    fn set_denied(&mut self, scope: usize, denied: Option<Denial>) {
        if let Some(scope) = self.scopes.get_mut(scope) {
            scope.denied = denied.is_some();
            scope.absent |= denied == Some(Denial::Absent);
        }
    }

    fn show_details(&mut self, extra: Extra) {
        let chosen = extra.families.of(K::FAMILIES);
        self.shown = (!K::FAMILIES.is_empty()).then(|| Detailed {
            details: Details::new(K::FAMILIES, chosen),
            extra,
            samples: Samples::of(chosen),
        });
    }

    fn len(&self) -> usize {
        self.entries.len()
    }

    fn snapshot(&self) -> Option<Box<dyn Collect>> {
        self.is_shown().then(|| -> Box<dyn Collect> {
            Box::new(Snapshot {
                resource: Arc::clone(&self.resource),
                objects: self.entries.len(),
                namespaces: self.namespaces.clone(),
                shown: self.tally.shown(),
                details: self.shown.as_ref().map(|shown| shown.details.snapshot()),
            })
        })
    }
}

impl Detailed {
    /// Shows an object's present state; gives its place.
    fn show<K: Kind>(&mut self, slot: Option<Slot>, object: &K::Object<'_>) -> Slot {
        K::detail(object, &self.extra, &mut self.samples);
        let record = self.samples.end();
        match slot {
            Some(slot) => {
                self.details.replace(slot, record);
                slot
            }
            None => self.details.insert(record),
        }
    }
}

fn hide(shown: &mut Option<Detailed>, slot: Option<Slot>) {
    if let Some((shown, slot)) = shown.as_mut().zip(slot) {
        shown.details.remove(slot);
    }
}

fn applied(meta: &Meta<'_>) -> Result<Applied, DecodeError> {
    if meta.name.is_empty() {
        return Err(DecodeError::Field { field: "metadata.name" });
    }
    Ok(Applied { resource_version: meta.version()?, created: meta.created() })
}

fn is_at(key: &Key, meta: &Meta<'_>) -> bool {
    key.name == *meta.name && *key.namespace == *meta.namespace
}

#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
