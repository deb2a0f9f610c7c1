//! When to review again: rounds over every scope, and looks at one in between while a right is
//! missing.

use std::time::Duration;

use crate::watch::backoff::Backoff;

/// The least time between rounds…
const ROUND: Duration = Duration::from_secs(40);
/// …and what is added at random, so that many instances do not ask in one instant. A right that
/// was revoked has to show within a minute.
const ROUND_JITTER: Duration = Duration::from_secs(15);
/// The least time between looks.
const LOOK: Duration = Duration::from_secs(4);
const LOOK_JITTER: Duration = Duration::from_secs(2);

/// What to review.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Every scope, thoroughly.
    Round,
    /// This one of the scopes where a right is missing.
    Look(usize),
}

/// When the next step is due. Times count from some start.
#[derive(Debug)]
pub struct Pace {
    round: Duration,
    look: Duration,
    looks: usize,
    backoff: Backoff,
    random: fastrand::Rng,
}

impl Pace {
    /// The first round is due at `now`. The seed decides all jitter.
    #[must_use]
    pub fn new(now: Duration, seed: u64) -> Self {
        let secs = Duration::from_secs;
        Self {
            round: now,
            look: now,
            looks: 0,
            backoff: Backoff::new(secs(1), secs(25), secs(120)),
            random: fastrand::Rng::with_seed(seed),
        }
    }

    /// When the next step is due, where rights are missing or not.
    #[must_use]
    pub fn deadline(&self, missing: bool) -> Duration {
        if missing { self.look.min(self.round) } else { self.round }
    }

    /// A round is due at once.
    pub const fn hurry(&mut self, now: Duration) {
        self.round = now;
    }

    /// What is due at `now`, if something is, where in so many scopes a right is missing.
    pub fn step(&mut self, now: Duration, missing: usize) -> Option<Step> {
        if now < self.deadline(missing > 0) {
            return None;
        }
        self.look = now + LOOK + LOOK_JITTER.mul_f64(self.random.f64());
        if now >= self.round {
            self.round = now + ROUND + ROUND_JITTER.mul_f64(self.random.f64());
            return Some(Step::Round);
        }
        self.looks = self.looks.wrapping_add(1);
        self.looks.checked_rem(missing).map(Step::Look)
    }

    /// A step failed, and the API server may have asked for a pause: a round is due, but later.
    pub fn failed(&mut self, now: Duration, pause: Option<Duration>) {
        self.round = now + self.backoff.failed(now, self.random.f64(), pause);
        self.look = self.round;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);
    const HOUR: Duration = Duration::from_secs(3600);

    /// The steps of an hour, with their times.
    fn steps(seed: u64, missing: usize) -> Vec<(Duration, Step)> {
        let mut pace = Pace::new(Duration::ZERO, seed);
        let mut steps = Vec::new();
        let mut now = Duration::ZERO;
        while now < HOUR {
            let step = pace.step(now, missing).expect("its time has come");
            steps.push((now, step));
            now = pace.deadline(missing > 0);
        }
        steps
    }

    proptest! {
        #[test]
        fn rounds_are_less_than_a_minute_apart_and_few(seed: u64, missing in 0_usize..5) {
            let rounds: Vec<_> =
                steps(seed, missing).into_iter().filter(|(_, step)| *step == Step::Round).collect();
            for two in rounds.windows(2) {
                prop_assert!(two[1].0 - two[0].0 <= Duration::from_secs(55));
            }
            prop_assert!((65..=90).contains(&rounds.len()), "{}", rounds.len());
        }

        #[test]
        fn looks_take_turns_and_are_as_many_whatever_is_missing(seed: u64, missing in 1_usize..5) {
            let steps = steps(seed, missing);
            let mut looks = vec![0; missing];
            for (_, step) in &steps {
                if let Step::Look(at) = step {
                    looks[*at] += 1;
                }
            }
            prop_assert!(looks.iter().max().expect("one") - looks.iter().min().expect("one") <= 1);
            prop_assert!(steps.len() <= 15 * 60, "{}", steps.len());
            for two in steps.windows(2) {
                prop_assert!(two[1].0 - two[0].0 <= Duration::from_secs(6));
            }
        }
    }

    #[test]
    fn nothing_is_looked_at_where_nothing_is_missing() {
        assert!(steps(1, 0).iter().all(|(_, step)| *step == Step::Round));
        let mut pace = Pace::new(Duration::ZERO, 1);
        assert_eq!(pace.step(Duration::ZERO, 0), Some(Step::Round));
        assert_eq!(pace.step(Duration::from_secs(10), 0), None);
        assert_eq!(pace.step(Duration::from_secs(10), 1), Some(Step::Look(0)));
    }

    #[test]
    fn failures_are_tried_again_later_and_later_but_within_the_minute() {
        let mut pace = Pace::new(Duration::ZERO, 1);
        let mut now = Duration::ZERO;
        let mut gaps = Vec::new();
        for _ in 0..10 {
            assert_eq!(pace.step(now, 1), Some(Step::Round));
            pace.failed(now, None);
            gaps.push(pace.deadline(true) - now);
            now = pace.deadline(true);
        }
        assert!(gaps[0] < Duration::from_secs(2), "{gaps:?}");
        assert!(gaps[5..].iter().all(|gap| *gap >= Duration::from_secs(25) && *gap < MINUTE));
        pace.failed(now, Some(HOUR));
        assert_eq!(pace.deadline(true), now + HOUR);
        pace.hurry(now);
        assert_eq!(pace.step(now, 0), Some(Step::Round));
    }
}
