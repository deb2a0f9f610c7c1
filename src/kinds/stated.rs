//! Kinds whose objects are each in one state: a gauge by state, or by namespace and state.

use std::{marker::PhantomData, ops::AddAssign};

use crate::{
    config::settings::Caps,
    exposition::{
        Collect, Exposition,
        catalogue::Metric,
        detail::{Extra, Family, Samples},
    },
    store::{Context, Key, Kind, Tally, tally::Table},
    wire::{Decode, meta::Object},
};

/// A kind of object, and the state that each is in.
pub trait Stated: Send + Sync + 'static {
    /// The object as far as it is read.
    type Object<'a>: Decode<'a> + Object;
    /// The gauge; its last label is the state.
    const METRIC: &'static Metric;
    /// The states, as the label has them.
    const STATES: &'static [&'static str];
    /// The families of per-object series, in the order of the exposition.
    const FAMILIES: &'static [Family] = &[];

    /// Says what one object shows of these families; `out` has begun none yet.
    fn detail(_object: &Self::Object<'_>, _extra: &Extra, _out: &mut Samples) {}

    /// Where the object's state stands among them.
    fn state(object: &Self::Object<'_>) -> usize;
}

/// A [`Stated`] kind for a store.
pub struct OneState<K>(PhantomData<K>);

/// Objects by state, and by namespace where the gauge has that label.
pub struct Counted<K> {
    all: Row,
    namespaces: Option<Table<Row>>,
    of: PhantomData<K>,
}

#[derive(Clone, Debug, Default)]
struct Row(Vec<u64>);

impl<K: Stated> Kind for OneState<K> {
    type Object<'a> = K::Object<'a>;
    type Facts = usize;
    type Tally = Counted<K>;
    const FAMILIES: &'static [Family] = K::FAMILIES;

    fn detail(object: &K::Object<'_>, extra: &Extra, out: &mut Samples) {
        K::detail(object, extra, out);
    }

    fn fold(
        tally: &mut Counted<K>,
        key: &Key,
        old: Option<&usize>,
        object: &K::Object<'_>,
        context: &mut Context<'_>,
    ) -> usize {
        let state = K::state(object);
        *tally.all.at(state) += 1;
        if let Some(namespaces) = &mut tally.namespaces {
            *namespaces.enter(&key.namespace).at(state) += 1;
        }
        if let Some(old) = old {
            Self::forget(tally, key, old, context);
        }
        state
    }

    fn forget(tally: &mut Counted<K>, key: &Key, state: &usize, _: &Context<'_>) {
        *tally.all.at(*state) -= 1;
        if let Some(namespaces) = &mut tally.namespaces {
            namespaces.leave(&key.namespace, |row| *row.at(*state) -= 1);
        }
    }
}

impl<K: Stated> Tally for Counted<K> {
    type Shown = Self;

    fn new(caps: &Caps) -> Self {
        let by_namespace = K::METRIC.labels.len() > 1;
        let namespaces = by_namespace.then(|| Table::new(caps.namespaces));
        Self { all: Row::default(), namespaces, of: PhantomData }
    }

    fn shown(&self) -> Self {
        Self { all: self.all.clone(), namespaces: self.namespaces.clone(), of: PhantomData }
    }
}

impl<K: Stated> Collect for Counted<K> {
    fn collect(&self, out: &mut Exposition) {
        let states = || K::STATES.iter().enumerate();
        match &self.namespaces {
            None => {
                for (at, state) in states() {
                    out.sample(K::METRIC, &[state], self.all.get(at));
                }
            }
            Some(namespaces) => {
                namespaces.each(|namespace, _, row| {
                    for (at, state) in states() {
                        out.sample(K::METRIC, &[namespace, state], row.get(at));
                    }
                });
                namespaces.overflow(K::METRIC, out);
            }
        }
    }
}

impl Row {
    fn at(&mut self, state: usize) -> &mut u64 {
        if self.0.len() <= state {
            self.0.resize(state + 1, 0);
        }
        &mut self.0[state]
    }

    fn get(&self, state: usize) -> u64 {
        self.0.get(state).copied().unwrap_or(0)
    }
}

impl AddAssign<&Self> for Row {
    fn add_assign(&mut self, other: &Self) {
        for (state, n) in other.0.iter().enumerate() {
            *self.at(state) += n;
        }
    }
}

/// The place of a word among the states; `otherwise` where it is none of them.
#[must_use]
pub fn place(states: &[&str], word: &str, otherwise: usize) -> usize {
    states.iter().position(|state| *state == word).unwrap_or(otherwise)
}

#[cfg(test)]
mod tests;
