//! What a scrape sees of a store.

use std::sync::{Arc, PoisonError};

use super::{
    Shared,
    tally::{Nothing, Table},
};
use crate::exposition::{
    Collect, Exposition, blocks,
    catalogue::{NAMESPACE_OBJECTS, OBJECTS},
};

/// Shows a shared store: the lock is held while its tallies are copied, not while they are written.
pub struct Shown(pub Shared);

impl Collect for Shown {
    fn collect(&self, out: &mut Exposition) {
        let snapshot = self.0.lock().unwrap_or_else(PoisonError::into_inner).snapshot();
        if let Some(snapshot) = snapshot {
            snapshot.collect(out);
        }
    }
}

/// What one scrape shows of a store.
pub(super) struct Snapshot<S> {
    pub(super) resource: Arc<str>,
    pub(super) objects: usize,
    pub(super) namespaces: Table<Nothing>,
    pub(super) shown: S,
    pub(super) details: Option<blocks::Snapshot>,
}

impl<S: Collect> Collect for Snapshot<S> {
    fn collect(&self, out: &mut Exposition) {
        out.sample(&OBJECTS, &[&*self.resource], self.objects);
        self.namespaces.each(|namespace, population, _| {
            // A cluster-scoped object is in none.
            if !namespace.is_empty() {
                out.sample(&NAMESPACE_OBJECTS, &[namespace, &*self.resource], population);
            }
        });
        self.namespaces.overflow(&NAMESPACE_OBJECTS, out);
        self.shown.collect(out);
        if let Some(details) = &self.details {
            out.details(&self.resource, details);
        }
    }
}
