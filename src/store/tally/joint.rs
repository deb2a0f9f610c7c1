//! Counters by free text that is capped as a whole, beside labels of few values.

use std::hash::Hash;

use compact_str::CompactString;
use hashbrown::HashMap;

use super::{OTHER, showable};
use crate::exposition::{Exposition, catalogue::Metric};

/// Counters by `N` labels of free text, of which a cap counts the combinations, and by `F`, which
/// has few values. A service account is such a combination, of a namespace and a name: a cap on
/// each label would let through as many as the product of both. What is beyond the cap goes into
/// `_other` in each of the `N`; what was admitted stays, as a counter never goes down.
#[derive(Debug)]
pub struct Joint<const N: usize, F> {
    rows: HashMap<[CompactString; N], HashMap<F, u64>>,
    admitted: usize,
    cap: usize,
    overflow: u64,
}

impl<const N: usize, F: Eq + Hash + Ord> Joint<N, F> {
    /// Admits so many combinations, first come, first served.
    #[must_use]
    pub fn new(cap: usize) -> Self {
        Self { rows: HashMap::new(), admitted: 0, cap, overflow: 0 }
    }

    /// One more.
    pub fn add(&mut self, free: [&str; N], fixed: F) {
        let named = free.iter().all(|value| showable(value));
        let mut key = if named { free } else { [OTHER; N] }.map(CompactString::from);
        if named && !self.rows.contains_key(&key) {
            match self.admitted < self.cap {
                true => self.admitted += 1,
                false => key = [OTHER; N].map(CompactString::from),
            }
        }
        self.overflow += u64::from(N > 0 && key[0] == OTHER);
        *self.rows.entry(key).or_default().entry(fixed).or_default() += 1;
    }

    /// Shows every counter and the overflow; `labels` says what the labels of a sample are.
    pub fn collect<const L: usize>(
        &self,
        metric: &'static Metric,
        out: &mut Exposition,
        labels: impl for<'a> Fn([&'a str; N], &'a F) -> [&'a str; L],
    ) {
        let mut rows: Vec<_> = self.rows.iter().collect();
        rows.sort_unstable_by_key(|(free, _)| *free);
        for (free, counts) in rows {
            let free = free.each_ref().map(CompactString::as_str);
            let mut counts: Vec<_> = counts.iter().collect();
            counts.sort_unstable();
            for (fixed, count) in counts {
                out.sample(metric, &labels(free, fixed), *count);
            }
        }
        if N > 0 {
            out.overflow(metric, self.overflow);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{
        exposition::{Format, catalogue::CONTAINERS_WAITING},
        store::tally::LONGEST,
    };

    type Pairs = Joint<2, u8>;

    /// What is shown of pairs, as namespace and reason, and the overflow.
    fn shown(pairs: &Pairs) -> (Vec<String>, u64) {
        let mut out = Exposition::new(Format::Text, &[]);
        pairs.collect(&CONTAINERS_WAITING, &mut out, |free, _| free);
        let text = String::from_utf8(out.finish().to_vec()).expect("UTF-8");
        let samples = text.lines().filter(|line| line.starts_with("kubetally_containers_waiting"));
        let short = samples.map(|line| line.replace("kubetally_containers_waiting", ""));
        (short.collect(), pairs.overflow)
    }

    #[test]
    fn the_cap_counts_combinations() {
        let mut pairs = Pairs::new(2);
        for free in [["a", "x"], ["a", "y"], ["b", "x"], ["a", "x"], ["b", "y"]] {
            pairs.add(free, 0);
        }
        let expected = [
            r#"{namespace="_other",reason="_other"} 2"#,
            r#"{namespace="a",reason="x"} 2"#,
            r#"{namespace="a",reason="y"} 1"#,
        ];
        assert_eq!(shown(&pairs), (expected.map(str::to_owned).to_vec(), 2));
    }

    #[test]
    fn what_must_not_be_shown_is_not_admitted() {
        let mut pairs = Pairs::new(2);
        let long = "x".repeat(LONGEST + 1);
        pairs.add([OTHER, "x"], 0);
        pairs.add(["a", &long], 0);
        assert_eq!(shown(&pairs), (vec![r#"{namespace="_other",reason="_other"} 2"#.into()], 2));
        assert_eq!(pairs.admitted, 0);
    }

    proptest! {
        /// Whatever comes, nothing is lost and the cap holds.
        #[test]
        fn nothing_is_lost(
            cap in 0usize..4,
            added in prop::collection::vec(([0u8..4, 0u8..4], 0u8..3), 0..60),
        ) {
            let mut pairs = Pairs::new(cap);
            for ([a, b], fixed) in &added {
                pairs.add([&a.to_string(), &b.to_string()], *fixed);
            }
            let total: u64 = pairs.rows.values().flat_map(HashMap::values).sum();
            prop_assert_eq!(total, added.len() as u64);
            let other = [OTHER; 2].map(CompactString::from);
            let named = pairs.rows.keys().filter(|key| **key != other).count();
            prop_assert!(named <= cap && pairs.rows.values().all(|counts| counts.len() <= 3));
            let beyond: u64 = pairs.rows.get(&other).into_iter().flat_map(HashMap::values).sum();
            prop_assert_eq!(beyond, pairs.overflow);
        }
    }
}
