//! How much counters have grown of late: what is behind a rate.

use std::collections::{HashMap, VecDeque};

use crate::exposition::{catalogue::Metric, readings::Reading};

/// How many steps are looked back.
const STEPS: usize = 30;

/// A counter's place: its family and the values of its labels.
type Place = (&'static str, Vec<Box<str>>);

/// The growth of counters, step by step. What does not grow costs nothing but its last value, and
/// there are as many of those as the families' caps allow.
#[derive(Debug, Default)]
pub struct Recent {
    /// Whether it is known how the counters stood before.
    begun: bool,
    last: HashMap<Place, u64>,
    steps: VecDeque<HashMap<Place, u64>>,
}

impl Recent {
    /// Another step is over, and the counters stand so. What was not there before it began at 0,
    /// but for the first step, before which nothing was looked at.
    pub fn step<'r>(&mut self, counters: impl Iterator<Item = (&'static Metric, &'r Reading)>) {
        let begun = std::mem::replace(&mut self.begun, true);
        let mut grown = HashMap::new();
        for (metric, reading) in counters.filter(|(_, reading)| reading.value > 0.0) {
            let count = reading.count();
            let place = (metric.name, reading.labels.clone());
            let before = self.last.insert(place.clone(), count);
            let growth = count.saturating_sub(before.unwrap_or(0));
            if growth > 0 {
                grown.insert(place, growth);
            }
        }
        if begun {
            self.steps.push_back(grown);
        }
        if self.steps.len() > STEPS {
            self.steps.pop_front();
        }
    }

    /// How many steps are looked back on.
    #[must_use]
    pub fn steps(&self) -> usize {
        self.steps.len()
    }

    /// How much a counter has grown in these steps and since.
    #[must_use]
    pub fn growth(&self, metric: &'static Metric, reading: &Reading) -> u64 {
        if !self.begun {
            return 0;
        }
        let place = (metric.name, reading.labels.clone());
        let before: u64 = self.steps.iter().filter_map(|step| step.get(&place)).sum();
        let last = self.last.get(&place).copied().unwrap_or(0);
        before + reading.count().saturating_sub(last)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exposition::{
        Exposition, catalogue::CONTAINER_RESTARTS_TOTAL as RESTARTS, readings::Readings,
    };

    fn restarts(counts: &[(&str, u64)]) -> Readings {
        let mut out = Exposition::reading(&[&RESTARTS]);
        for (namespace, count) in counts {
            out.sample(&RESTARTS, &[namespace], *count);
        }
        out.readings()
    }

    fn step(recent: &mut Recent, readings: &Readings) {
        recent.step(readings.of(&RESTARTS).iter().map(|reading| (&RESTARTS, reading)));
    }

    fn growth(recent: &Recent, readings: &Readings) -> Vec<u64> {
        let of = |reading| recent.growth(&RESTARTS, reading);
        readings.of(&RESTARTS).iter().map(of).collect()
    }

    #[test]
    fn what_was_there_before_is_no_growth_and_what_comes_later_is() {
        let mut recent = Recent::default();
        let now = restarts(&[("a", 5)]);
        assert_eq!(growth(&recent, &now), [0]);
        step(&mut recent, &now);
        let now = restarts(&[("a", 7), ("b", 3)]);
        assert_eq!(growth(&recent, &now), [2, 3], "before the step is over");
        step(&mut recent, &now);
        assert_eq!(growth(&recent, &now), [2, 3], "and after");
    }

    #[test]
    fn growth_is_forgotten_after_its_time() {
        let mut recent = Recent::default();
        step(&mut recent, &restarts(&[]));
        let now = restarts(&[("a", 4)]);
        for left in (0..STEPS).rev() {
            step(&mut recent, &now);
            assert_eq!(growth(&recent, &now), [4], "{left} steps before its end");
        }
        assert_eq!(recent.steps(), STEPS);
        step(&mut recent, &now);
        assert_eq!(growth(&recent, &now), [0]);
        assert_eq!(recent.steps.len(), STEPS);
    }
}
