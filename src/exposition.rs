//! Text and OpenMetrics: families of samples, collected from whoever holds state, written once.

pub mod catalogue;

use catalogue::Metric;

/// Whoever has samples to show. Called once a scrape; must not block on I/O.
pub trait Collect: Send + Sync {
    /// Adds the samples of this scrape to `out`.
    fn collect(&self, out: &mut Exposition);
}

/// One scrape in the making: a buffer of sample lines for each family of the catalogue.
pub struct Exposition {}

impl Exposition {
    /// Adds one sample of a gauge or counter. `labels` are the values, in the order in which the
    /// metric declares its labels.
    pub fn sample(&mut self, _metric: &'static Metric, _labels: &[&str], _value: f64) {}
}
