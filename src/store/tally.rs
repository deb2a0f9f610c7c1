//! Counts by label values, bounded: what is beyond a cap goes into `_other`.

mod joint;

use std::{ops::AddAssign, sync::Arc};

use hashbrown::{HashMap, HashSet};
pub use joint::Joint;

use crate::exposition::{Exposition, catalogue::Metric};

/// The label value that stands for all those beyond a cap.
pub const OTHER: &str = "_other";

/// Longer values are not shown by name: an event's reason may have a mebibyte.
pub const LONGEST: usize = 256;

/// Gauges by one capped label: a row a value, as long as anything of it is there. All rows are
/// kept exactly; the first `cap` of them are shown by name, the others as their sum. A row that
/// empties gives its place to the next new one.
#[derive(Clone, Debug)]
pub struct Table<R = ()> {
    rows: HashMap<Arc<str>, Row<R>>,
    /// Those that are shown by name whatever comes before them.
    reserved: &'static [&'static str],
    cap: usize,
    named: usize,
    overflow: u64,
}

#[derive(Clone, Debug)]
struct Row<R> {
    population: u64,
    named: bool,
    value: R,
}

impl<R: Default + Clone + for<'a> AddAssign<&'a R>> Table<R> {
    /// Shows at most `cap` rows by name.
    #[must_use]
    pub fn new(cap: usize) -> Self {
        Self::reserving(&[], cap)
    }

    /// Shows these rows by name, and at most `cap` others.
    #[must_use]
    pub fn reserving(reserved: &'static [&'static str], cap: usize) -> Self {
        Self { rows: HashMap::new(), reserved, cap, named: 0, overflow: 0 }
    }

    /// One more of `key`; gives its row.
    pub fn enter(&mut self, key: &Arc<str>) -> &mut R {
        let reserved = self.reserved.contains(&&**key);
        let row = self.rows.entry_ref(key).or_insert_with(|| {
            let place = !reserved && self.named < self.cap && showable(key);
            self.named += usize::from(place);
            Row { population: 0, named: reserved || place, value: R::default() }
        });
        row.population += 1;
        self.overflow += u64::from(!row.named);
        &mut row.value
    }

    /// One less of `key`, having told its row.
    pub fn leave(&mut self, key: &str, tell: impl FnOnce(&mut R)) {
        let Some(row) = self.rows.get_mut(key) else {
            return;
        };
        tell(&mut row.value);
        row.population -= 1;
        if row.population == 0 {
            self.named -= usize::from(row.named && !self.reserved.contains(&key));
            self.rows.remove(key);
        }
    }

    /// Shows how many observations of the family went into `_other`.
    pub fn overflow(&self, metric: &'static Metric, out: &mut Exposition) {
        out.overflow(metric, self.overflow);
    }

    /// Each row to be shown, by name, the sum of the others last: value, population, row.
    pub fn each(&self, mut show: impl FnMut(&str, u64, &R)) {
        let mut named: Vec<_> = self.rows.iter().filter(|(_, row)| row.named).collect();
        named.sort_unstable_by_key(|(key, _)| *key);
        for (key, row) in named {
            show(key, row.population, &row.value);
        }
        let mut rest = Row { population: 0, named: false, value: R::default() };
        for row in self.rows.values().filter(|row| !row.named) {
            rest.population += row.population;
            rest.value += &row.value;
        }
        if rest.population > 0 {
            show(OTHER, rest.population, &rest.value);
        }
    }
}

/// Whether a value may stand for itself. `_other` as a value would be the sum's own series.
fn showable(value: &str) -> bool {
    value.len() <= LONGEST && value != OTHER
}

/// A row without anything but its population.
#[derive(Clone, Copy, Debug, Default)]
pub struct Nothing;

impl AddAssign<&Self> for Nothing {
    fn add_assign(&mut self, _: &Self) {}
}

/// Values of a label that were admitted, first come, first served, for good: a counter's series
/// must not move into `_other` and back.
#[derive(Clone, Debug)]
pub struct Cap {
    admitted: HashSet<Arc<str>>,
    limit: usize,
    other: Arc<str>,
}

impl Cap {
    /// Admits `limit` values.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        Self { admitted: HashSet::new(), limit, other: OTHER.into() }
    }

    /// The value, or `None` for one that goes into `_other`.
    pub fn admit(&mut self, value: &Arc<str>) -> Option<Arc<str>> {
        if !self.admitted.contains(value) {
            if self.admitted.len() >= self.limit || !showable(value) {
                return None;
            }
            self.admitted.insert(Arc::clone(value));
        }
        Some(Arc::clone(value))
    }

    /// The text of `_other`.
    #[must_use]
    pub fn other(&self) -> Arc<str> {
        Arc::clone(&self.other)
    }
}

/// Counters by `L` labels, each with its cap. They never go down and never leave.
#[derive(Clone, Debug)]
pub struct Counters<const L: usize> {
    caps: [Cap; L],
    counts: HashMap<[Arc<str>; L], u64>,
    overflow: u64,
}

impl<const L: usize> Counters<L> {
    /// Labels with these caps.
    #[must_use]
    pub fn new(caps: [usize; L]) -> Self {
        Self { caps: caps.map(Cap::new), counts: HashMap::new(), overflow: 0 }
    }

    /// Adds `n`; 0 makes the series start, so that its first increase shows as one.
    pub fn add(&mut self, labels: [&Arc<str>; L], n: u64) {
        if let Some(count) = self.counts.get_mut(&labels.map(Arc::clone)) {
            *count += n;
            return;
        }
        let mut folded = false;
        let admitted = std::array::from_fn(|at| {
            let cap = &mut self.caps[at];
            cap.admit(labels[at]).unwrap_or_else(|| {
                folded = true;
                cap.other()
            })
        });
        // What starts a series is no observation.
        self.overflow += u64::from(folded && n > 0);
        *self.counts.entry(admitted).or_default() += n;
    }

    /// Shows every counter and the overflow.
    pub fn collect(&self, metric: &'static Metric, out: &mut Exposition) {
        let mut counts: Vec<_> = self.counts.iter().collect();
        counts.sort_unstable();
        for (labels, count) in counts {
            out.sample(metric, &labels.each_ref().map(|label| &**label), *count);
        }
        out.overflow(metric, self.overflow);
    }
}

/// Observations in buckets.
#[derive(Clone, Debug)]
pub struct Histogram {
    bounds: &'static [f64],
    /// One for each bound, not cumulative; the last is beyond all.
    counts: Vec<u64>,
    sum: f64,
}

impl Histogram {
    /// Buckets with these upper bounds, ascending.
    #[must_use]
    pub fn new(bounds: &'static [f64]) -> Self {
        Self { bounds, counts: vec![0; bounds.len() + 1], sum: 0.0 }
    }

    /// Adds an observation; below zero counts as zero, as clocks differ.
    pub fn observe(&mut self, value: f64) {
        let value = value.max(0.0);
        let bucket = self.bounds.partition_point(|bound| *bound < value);
        self.counts[bucket] += 1;
        self.sum += value;
    }

    /// Shows it.
    pub fn collect(&self, metric: &'static Metric, labels: &[&str], out: &mut Exposition) {
        let mut total = 0;
        let cumulative: Vec<u64> = self
            .counts
            .iter()
            .map(|count| {
                total += count;
                total
            })
            .collect();
        out.histogram(metric, labels, &cumulative[..self.bounds.len()], self.sum, total);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn rows(table: &Table<Nothing>) -> Vec<(String, u64)> {
        let mut out = Vec::new();
        table.each(|key, population, _| out.push((key.to_owned(), population)));
        out
    }

    #[test]
    fn beyond_the_cap_is_one_sum_and_a_place_that_empties_is_given_on() {
        let mut table = Table::<Nothing>::new(2);
        let [a, b, c, d] = ["a", "b", "c", "d"].map(Arc::<str>::from);
        for key in [&b, &a, &c, &d, &c] {
            table.enter(key);
        }
        let shown = |pairs: &[(&str, u64)]| -> Vec<(String, u64)> {
            pairs.iter().map(|(key, n)| ((*key).to_owned(), *n)).collect()
        };
        assert_eq!(rows(&table), shown(&[("a", 1), ("b", 1), (OTHER, 3)]));
        assert_eq!(table.overflow, 3);
        table.leave("a", |_| {});
        table.enter(&"e".into());
        assert_eq!(rows(&table), shown(&[("b", 1), ("e", 1), (OTHER, 3)]));
    }

    proptest! {
        /// Whatever comes and goes, the sum of what is shown is what is there.
        #[test]
        fn nothing_is_lost_in_a_table(
            cap in 0usize..4,
            moves in prop::collection::vec((any::<bool>(), 0usize..6), 0..60),
        ) {
            let mut table = Table::<Nothing>::new(cap);
            let mut model = [0_u64; 6];
            for (enter, key) in moves {
                let name: Arc<str> = key.to_string().into();
                if enter {
                    table.enter(&name);
                    model[key] += 1;
                } else if model[key] > 0 {
                    table.leave(&name, |_| {});
                    model[key] -= 1;
                }
            }
            let shown = rows(&table);
            prop_assert_eq!(shown.iter().map(|(_, n)| n).sum::<u64>(), model.iter().sum::<u64>());
            prop_assert!(shown.iter().filter(|(key, _)| key != OTHER).count() <= cap);
            for (key, n) in shown.iter().filter(|(key, _)| key != OTHER) {
                prop_assert_eq!(*n, model[key.parse::<usize>().expect("a number")]);
            }
        }
    }

    #[test]
    fn counters_keep_their_place() {
        let mut counters = Counters::<1>::new([1]);
        let [a, b] = ["a", "b"].map(Arc::<str>::from);
        counters.add([&a], 2);
        counters.add([&b], 3);
        counters.add([&b], 4);
        counters.add([&a], 1);
        assert_eq!(counters.counts[&["a".into()]], 3);
        assert_eq!(counters.counts[&[OTHER.into()]], 7);
        assert_eq!(counters.overflow, 2);
    }

    #[test]
    fn an_observation_overflows_once_and_the_start_of_a_series_not_at_all() {
        let mut counters = Counters::<2>::new([1, 1]);
        let [a, b] = ["a", "b"].map(Arc::<str>::from);
        counters.add([&a, &a], 1);
        counters.add([&b, &b], 0);
        assert_eq!(counters.overflow, 0);
        counters.add([&b, &b], 5);
        assert_eq!(counters.overflow, 1);
        assert_eq!(counters.counts[&[OTHER.into(), OTHER.into()]], 5);
    }

    #[test]
    fn a_value_that_is_called_other_makes_no_second_series() {
        let other: Arc<str> = OTHER.into();
        let mut table = Table::<Nothing>::new(1);
        for key in [&other, &"a".into(), &"b".into()] {
            table.enter(key);
        }
        assert_eq!(rows(&table), [("a".to_owned(), 1), (OTHER.to_owned(), 2)]);
    }

    #[test]
    fn observations_find_their_bucket() {
        let mut histogram = Histogram::new(&[1.0, 5.0]);
        for value in [-3.0, 0.5, 1.0, 1.1, 5.0, 99.0] {
            histogram.observe(value);
        }
        assert_eq!(histogram.counts, [3, 2, 1]);
        assert!((histogram.sum - 106.6).abs() < 1e-9);
    }
}
