//! What a round of probes asks, and when the next one is. Pure.
//!
//! Each round asks everything on the kept connection, and then one thing, in turn, on a fresh one:
//! every round dials, so that all phases are seen as often as the answers are, and a server is not
//! asked for more handshakes than that. It is four requests, so 16 a minute by default.

use std::time::Duration;

use super::{Question, Way};

/// How far a pause may be from the interval, of it.
const JITTER: f64 = 0.1;

/// The requests of a round, which are counted from 0.
pub fn round(n: usize) -> impl Iterator<Item = (Way, Question)> {
    let kept = Question::ALL.iter().map(|question| (Way::Kept, *question));
    let turn = Question::ALL.iter().cycle().skip(n % Question::ALL.len());
    kept.chain(turn.take(1).map(|question| (Way::Fresh, *question)))
}

/// How long to wait between two rounds; `random` is in [0, 1). Several daemons do not ask in step.
#[must_use]
pub fn pause(interval: Duration, random: f64) -> Duration {
    interval.mul_f64(1.0 + JITTER * (2.0 * random.clamp(0.0, 1.0) - 1.0))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn each_round_asks_everything_and_dials_once() {
        let rounds: Vec<Vec<_>> = (0..4).map(|n| round(n).collect()).collect();
        let kept = Question::ALL.iter().map(|question| (Way::Kept, *question));
        for (n, round) in rounds.iter().enumerate() {
            let mut expected: Vec<_> = kept.clone().collect();
            expected.push((Way::Fresh, Question::ALL[n % 3]));
            assert_eq!(*round, expected);
        }
    }

    #[test]
    fn the_default_is_sixteen_requests_a_minute() {
        let settings = crate::config::Sources::default().load().expect("the defaults are right");
        let interval = settings.settings.probe.interval.expect("probes are on by default");
        let rounds = 60.0 / interval.as_secs_f64();
        assert!((round(0).count() as f64 * rounds - 16.0).abs() < 1e-9, "{interval:?}");
    }

    proptest! {
        #[test]
        fn a_pause_is_the_interval_but_for_a_tenth(millis in 1000u64..3_600_000, random in 0.0..1.0) {
            let interval = Duration::from_millis(millis);
            let pause = pause(interval, random);
            prop_assert!(pause >= interval.mul_f64(0.899) && pause <= interval.mul_f64(1.101));
        }
    }
}
