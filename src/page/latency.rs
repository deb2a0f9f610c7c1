//! The latency of the API over the last half hour: a point every step, each of the minute before
//! it, so that a quiet daemon, which asks little, has points too.

use std::collections::VecDeque;

use crate::exposition::{
    catalogue::{API_REQUEST_DURATION_SECONDS, Metric},
    readings::Readings,
};

/// What is looked at.
static METRIC: &Metric = &API_REQUEST_DURATION_SECONDS;
/// How many points are kept: half an hour of steps of 10 s.
const POINTS: usize = 180;
/// How many steps before a point count for it.
const WINDOW: usize = 6;
/// The verb of requests that are over at their headers: what they take says little of the rest.
const WATCH: &str = "watch";

/// A ring of points.
#[derive(Debug, Default)]
pub struct Latency {
    /// The cumulative counts of the last steps.
    counts: VecDeque<Vec<u64>>,
    points: VecDeque<Point>,
}

/// What requests took in the minute before a moment; nothing where there were none.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Point {
    /// The moment, in seconds since 1970.
    pub at: i64,
    /// The median, in seconds.
    pub median: Option<f64>,
    /// The 99th percentile, in seconds.
    pub slow: Option<f64>,
}

impl Latency {
    /// Another step is over.
    pub fn step(&mut self, at: i64, readings: &Readings) {
        let now = total(readings, |verb| verb != WATCH);
        let since = self.counts.front().map_or(&[][..], Vec::as_slice);
        let taken = difference(&now, since);
        let point = Point { at, median: quantile(0.5, &taken), slow: quantile(0.99, &taken) };
        push(&mut self.counts, now, WINDOW);
        push(&mut self.points, point, POINTS);
    }

    /// The points, the oldest one first.
    pub fn points(&self) -> impl Iterator<Item = &Point> {
        self.points.iter()
    }

    /// The last point that is known.
    #[must_use]
    pub fn last(&self) -> Option<&Point> {
        self.points.back()
    }
}

fn push<T>(ring: &mut VecDeque<T>, item: T, most: usize) {
    ring.push_back(item);
    if ring.len() > most {
        ring.pop_front();
    }
}

/// The cumulative counts of the requests of some verbs.
#[must_use]
pub fn total(readings: &Readings, wanted: impl Fn(&str) -> bool) -> Vec<u64> {
    let mut sum: Vec<u64> = Vec::new();
    for reading in readings.of(METRIC).iter().filter(|reading| wanted(reading.label(0))) {
        sum.resize(reading.buckets.len(), 0);
        sum.iter_mut().zip(&reading.buckets).for_each(|(sum, n)| *sum += n);
    }
    sum
}

/// What came to cumulative counts since they stood so; nothing stands for 0.
fn difference(now: &[u64], then: &[u64]) -> Vec<u64> {
    let then = then.iter().copied().chain(std::iter::repeat(0));
    now.iter().zip(then).map(|(now, then)| now.saturating_sub(then)).collect()
}

/// A quantile of observations in buckets, as PromQL's `histogram_quantile` has it: within a bucket
/// they are taken to lie evenly, beyond the last bound at that. `None` where there are none.
#[must_use]
pub fn quantile(q: f64, cumulative: &[u64]) -> Option<f64> {
    let bounds = METRIC.kind.buckets();
    let total = cumulative.last().copied().filter(|total| *total > 0)?;
    let rank = q * float(total);
    let at = cumulative.partition_point(|count| float(*count) < rank);
    let Some(high) = bounds.get(at) else { return bounds.last().copied() };
    let before = at.checked_sub(1);
    let (low, below) = match before {
        Some(before) => (*bounds.get(before)?, *cumulative.get(before)?),
        None => (0.0, 0),
    };
    let within = float(cumulative.get(at)?.saturating_sub(below));
    Some(low + (high - low) * ((rank - float(below)) / within).clamp(0.0, 1.0))
}

#[expect(clippy::cast_precision_loss, reason = "a share of it is wanted")]
const fn float(n: u64) -> f64 {
    n as f64
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{exposition::Exposition, store::tally::Histogram};

    /// What was asked for, and how long each took.
    fn readings(requests: &[(&str, f64)]) -> Readings {
        let mut out = Exposition::reading(&[METRIC]);
        for verb in ["list", "watch"] {
            let mut histogram = Histogram::new(METRIC.kind.buckets());
            let of = requests.iter().filter(|(of, _)| *of == verb);
            of.for_each(|(_, took)| histogram.observe(*took));
            histogram.collect(METRIC, &[verb, "pods"], &mut out);
        }
        out.readings()
    }

    #[test]
    fn watches_are_left_out() {
        let mut latency = Latency::default();
        latency.step(10, &readings(&[("list", 0.002), ("watch", 40.0)]));
        let point = latency.last().expect("a point");
        assert!(point.slow.is_some_and(|slow| slow <= 0.0025), "{point:?}");
    }

    #[test]
    fn a_point_is_of_the_minute_before_it() {
        let mut latency = Latency::default();
        let mut requests = vec![("list", 2.0)];
        latency.step(0, &readings(&[]));
        for step in 1..=6 {
            latency.step(10 * step, &readings(&requests));
            let known = latency.last().and_then(|point| point.median);
            assert!(known.is_some_and(|median| median > 1.0), "{step}: {known:?}");
        }
        latency.step(70, &readings(&requests));
        assert_eq!(latency.last(), Some(&Point { at: 70, median: None, slow: None }));
        requests.push(("list", 0.0001));
        latency.step(80, &readings(&requests));
        assert!(latency.last().and_then(|point| point.slow).is_some_and(|slow| slow <= 0.001));
    }

    #[test]
    fn half_an_hour_is_kept() {
        let mut latency = Latency::default();
        for step in 0..1_000 {
            latency.step(10 * step, &readings(&[]));
        }
        let times: Vec<_> = latency.points().map(|point| point.at).collect();
        assert_eq!((times.len(), times[0], times[179]), (180, 8_200, 9_990));
        assert!(latency.counts.len() <= WINDOW);
    }

    #[test]
    fn beyond_the_last_bound_is_the_last_bound() {
        let cumulative = total(&readings(&[("list", 1e6)]), |_| true);
        assert_eq!(quantile(0.5, &cumulative), Some(60.0));
        assert_eq!(quantile(0.5, &[]), None);
        assert_eq!(quantile(0.5, &[0; 16]), None);
    }

    proptest! {
        /// It lies in the bucket of the observation that it is the quantile of.
        #[test]
        fn a_quantile_is_right_to_its_bucket(
            mut took in prop::collection::vec(0.0f64..60.0, 1..50),
            q in 0.01f64..1.0,
        ) {
            let requests: Vec<_> = took.iter().map(|took| ("list", *took)).collect();
            let found = quantile(q, &total(&readings(&requests), |_| true)).expect("some");
            took.sort_by(f64::total_cmp);
            let rank = (q * took.len() as f64).ceil() as usize;
            let exact = took[rank.clamp(1, took.len()) - 1];
            let bounds = METRIC.kind.buckets();
            let high = bounds[bounds.partition_point(|bound| *bound < exact)];
            let low = bounds.iter().rev().find(|bound| **bound < exact).copied().unwrap_or(0.0);
            prop_assert!((low..=high).contains(&found), "{found} for {exact}");
        }
    }
}
