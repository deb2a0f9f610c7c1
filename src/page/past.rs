//! What is remembered for the page beyond the present: some minutes of growth, half an hour of
//! latency.

use std::time::Duration;

use super::{latency::Latency, recent::Recent};
use crate::exposition::{
    catalogue::{
        API_REQUEST_DURATION_SECONDS, AUTH_FAILURES_TOTAL, CONTAINER_RESTARTS_TOTAL,
        CONTAINER_TERMINATIONS_TOTAL, EVENT_OCCURRENCES_TOTAL, Metric,
    },
    readings::{Reading, Readings},
};

/// How often a step is taken.
pub const STEP: Duration = Duration::from_secs(10);
/// How far growth is looked back on, in words.
pub const SPAN: &str = "the last 5 minutes";
/// The type of the events that are looked at.
pub const WARNING: &str = "Warning";
/// The reason of the terminations that are looked at.
pub const OOM_KILLED: &str = "OOMKilled";

/// What a step is taken of.
pub const FAMILIES: &[&Metric] = &[
    &API_REQUEST_DURATION_SECONDS,
    &AUTH_FAILURES_TOTAL,
    &CONTAINER_RESTARTS_TOTAL,
    &CONTAINER_TERMINATIONS_TOTAL,
    &EVENT_OCCURRENCES_TOTAL,
];

/// Whoever takes the steps writes, the page reads.
#[derive(Debug, Default)]
pub struct Past {
    recent: Recent,
    /// The latency of the API.
    pub latency: Latency,
    /// When the last step was taken, in seconds since 1970.
    stepped: f64,
}

impl Past {
    /// Takes a step, `now` in seconds since 1970.
    pub fn step(&mut self, now: f64, readings: &Readings) {
        #[expect(clippy::cast_possible_truncation, reason = "it saturates")]
        self.latency.step(now as i64, readings);
        let counters = [
            &AUTH_FAILURES_TOTAL,
            &CONTAINER_RESTARTS_TOTAL,
            &CONTAINER_TERMINATIONS_TOTAL,
            &EVENT_OCCURRENCES_TOTAL,
        ];
        let all = counters
            .into_iter()
            .flat_map(|metric| readings.of(metric).iter().map(move |reading| (metric, reading)));
        self.recent.step(all.filter(|(metric, reading)| is_shown(metric, reading)));
        self.stepped = now;
    }

    /// The counters of a family that are shown: each with how much it has grown of late.
    pub fn counters<'r>(
        &self,
        metric: &'static Metric,
        readings: &'r Readings,
    ) -> impl Iterator<Item = (&'r Reading, u64)> {
        let shown = readings.of(metric).iter().filter(move |reading| is_shown(metric, reading));
        shown.map(move |reading| (reading, self.recent.growth(metric, reading)))
    }

    /// How long counters have been looked at, in minutes: at most the span of the steps.
    #[must_use]
    pub fn minutes(&self, now: f64) -> f64 {
        let steps = u32::try_from(self.recent.steps()).unwrap_or(u32::MAX);
        let since = (now - self.stepped).clamp(0.0, STEP.as_secs_f64());
        (f64::from(steps) * STEP.as_secs_f64() + since) / 60.0
    }
}

/// Whether the page shows a counter: of events the warnings, of terminations those for want of
/// memory.
fn is_shown(metric: &Metric, reading: &Reading) -> bool {
    match metric.name {
        name if name == EVENT_OCCURRENCES_TOTAL.name => reading.label(0) == WARNING,
        name if name == CONTAINER_TERMINATIONS_TOTAL.name => reading.label(1) == OOM_KILLED,
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exposition::Exposition;

    #[test]
    fn only_what_is_shown_is_remembered() {
        let mut past = Past::default();
        past.step(0.0, &Exposition::reading(FAMILIES).readings());
        let mut out = Exposition::reading(FAMILIES);
        for kind in ["Normal", WARNING] {
            out.sample(&EVENT_OCCURRENCES_TOTAL, &[kind, "Pod", "BackOff"], 3_u64);
        }
        for reason in ["Completed", OOM_KILLED] {
            out.sample(&CONTAINER_TERMINATIONS_TOTAL, &["shop", reason], 5_u64);
        }
        let readings = out.readings();
        past.step(10.0, &readings);
        let shown = |metric| -> Vec<_> {
            let counters = past.counters(metric, &readings);
            counters.map(|(reading, growth)| (reading.labels.concat(), growth)).collect()
        };
        assert_eq!(shown(&EVENT_OCCURRENCES_TOTAL), [("WarningPodBackOff".to_owned(), 3)]);
        assert_eq!(shown(&CONTAINER_TERMINATIONS_TOTAL), [("shopOOMKilled".to_owned(), 5)]);
    }

    #[test]
    fn a_rate_is_of_the_time_looked_at() {
        let mut past = Past::default();
        let nothing = Exposition::reading(FAMILIES).readings();
        for step in 0..=60 {
            past.step(f64::from(step) * 10.0, &nothing);
        }
        assert!((past.minutes(603.0) - 5.05).abs() < 1e-9);
        assert!((past.minutes(9_999.0) - 5.0 - 1.0 / 6.0).abs() < 1e-9);
    }
}
