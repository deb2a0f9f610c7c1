//! A scrape as values, for whoever shows them otherwise than as text.

use super::{Value, catalogue::Metric};

/// What was collected, family by family.
#[derive(Debug, Default)]
pub struct Readings(Vec<Vec<Reading>>);

/// One sample of a gauge or counter, or one histogram.
#[derive(Clone, Debug, PartialEq)]
pub struct Reading {
    /// The values of its labels, in the order in which the metric declares them.
    pub labels: Vec<Box<str>>,
    /// Its value; of a histogram the sum of its observations.
    pub value: f64,
    /// Of a histogram, the cumulative counts of its buckets, that of `+Inf` last.
    pub buckets: Vec<u64>,
}

impl Readings {
    pub(super) fn new(families: impl Iterator<Item = Vec<Reading>>) -> Self {
        Self(families.collect())
    }

    /// The samples of a family, in the order in which they were shown.
    #[must_use]
    pub fn of(&self, metric: &Metric) -> &[Reading] {
        self.0.get(metric.index).map_or(&[], Vec::as_slice)
    }

    /// The value of the only sample of a family that has no labels.
    #[must_use]
    pub fn value(&self, metric: &Metric) -> Option<f64> {
        self.of(metric).first().map(|reading| reading.value)
    }
}

impl Reading {
    pub(super) fn sample(labels: &[&str], value: Value) -> Self {
        let value = match value {
            Value::Integer(value) => float(value),
            Value::Float(value) => value,
        };
        Self { labels: owned(labels), value, buckets: Vec::new() }
    }

    pub(super) fn histogram(labels: &[&str], buckets: &[u64], sum: f64, count: u64) -> Self {
        Self { labels: owned(labels), value: sum, buckets: [buckets, &[count]].concat() }
    }

    /// The value of a label by its place; empty where there is none.
    #[must_use]
    pub fn label(&self, at: usize) -> &str {
        self.labels.get(at).map_or("", |label| label)
    }

    /// The value of what counts things.
    #[must_use]
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it saturates")]
    pub const fn count(&self) -> u64 {
        self.value as u64
    }
}

fn owned(labels: &[&str]) -> Vec<Box<str>> {
    labels.iter().map(|label| Box::from(*label)).collect()
}

#[expect(clippy::cast_precision_loss, reason = "beyond 2^53 nobody counts one by one")]
const fn float(value: u64) -> f64 {
    value as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exposition::{
        Exposition,
        catalogue::{API_RETRY_AFTER_SECONDS, NAMESPACE_OBJECTS, NAMESPACES, OBJECTS},
    };

    #[test]
    fn what_is_asked_for_is_kept_as_it_was_shown() {
        let mut out = Exposition::reading(&[&NAMESPACE_OBJECTS, &API_RETRY_AFTER_SECONDS]);
        out.sample(&OBJECTS, &["pods"], 5_u64);
        out.sample(&NAMESPACE_OBJECTS, &["a\"\n", "pods"], 2_u64);
        out.sample(&NAMESPACE_OBJECTS, &["b", "pods"], 3_u64);
        out.histogram(&API_RETRY_AFTER_SECONDS, &[], &[0, 1], 2.5, 4);
        let readings = out.readings();
        let [a, b] = readings.of(&NAMESPACE_OBJECTS) else { panic!("two samples") };
        assert_eq!((a.label(0), a.label(1), a.label(2), a.count()), ("a\"\n", "pods", "", 2));
        assert_eq!((b.label(0), b.count()), ("b", 3));
        let [waits] = readings.of(&API_RETRY_AFTER_SECONDS) else { panic!("a histogram") };
        assert_eq!(waits.buckets, [0, 1, 4]);
        assert_eq!(readings.value(&API_RETRY_AFTER_SECONDS), Some(2.5));
        assert!(readings.of(&OBJECTS).is_empty(), "it was not asked for");
        assert_eq!(Readings::default().value(&NAMESPACES), None);
    }
}
