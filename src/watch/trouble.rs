//! What to log of a watch that fails again and again: the first failure, each change of cause, a
//! summary a minute, and the recovery.

use std::time::Duration;

/// How often a lasting trouble is told again.
const SUMMARY: Duration = Duration::from_secs(60);

/// The trouble a watcher is in.
#[derive(Debug, Default)]
pub struct Trouble(Option<Lasting>);

#[derive(Debug)]
struct Lasting {
    cause: String,
    since: Duration,
    failures: u64,
    told: Duration,
}

/// What to tell of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tell {
    /// It is new, or of another cause than before.
    New,
    /// It lasts.
    Lasting {
        /// Failures in all.
        failures: u64,
        /// For how long.
        since: Duration,
    },
}

impl Trouble {
    /// A failure at `now`, of a cause in a word or two.
    pub fn failed(&mut self, cause: &str, now: Duration) -> Option<Tell> {
        let Some(lasting) = &mut self.0 else {
            let cause = cause.to_owned();
            self.0 = Some(Lasting { cause, since: now, failures: 1, told: now });
            return Some(Tell::New);
        };
        lasting.failures += 1;
        if lasting.cause != cause {
            cause.clone_into(&mut lasting.cause);
            lasting.told = now;
            return Some(Tell::New);
        }
        if now.saturating_sub(lasting.told) < SUMMARY {
            return None;
        }
        lasting.told = now;
        let since = now.saturating_sub(lasting.since);
        Some(Tell::Lasting { failures: lasting.failures, since })
    }

    /// All is well: how many failures there were, and for how long, if there were any.
    pub fn recovered(&mut self, now: Duration) -> Option<(u64, Duration)> {
        self.0.take().map(|lasting| (lasting.failures, now.saturating_sub(lasting.since)))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const fn secs(secs: u64) -> Duration {
        Duration::from_secs(secs)
    }

    #[test]
    fn tells_the_first_each_change_a_summary_and_the_end() {
        let mut trouble = Trouble::default();
        assert_eq!(trouble.recovered(secs(0)), None);
        assert_eq!(trouble.failed("refused", secs(1)), Some(Tell::New));
        assert_eq!(trouble.failed("refused", secs(2)), None);
        assert_eq!(trouble.failed("forbidden", secs(3)), Some(Tell::New));
        assert_eq!(trouble.failed("forbidden", secs(62)), None);
        let lasting = Tell::Lasting { failures: 5, since: secs(62) };
        assert_eq!(trouble.failed("forbidden", secs(63)), Some(lasting));
        assert_eq!(trouble.recovered(secs(70)), Some((5, secs(69))));
        assert_eq!(trouble.failed("forbidden", secs(71)), Some(Tell::New));
    }

    proptest! {
        #[test]
        fn one_cause_is_told_once_a_minute_at_most(gaps in prop::collection::vec(0u64..90, 1..100)) {
            let mut trouble = Trouble::default();
            let (mut now, mut told, mut last) = (Duration::ZERO, 0, None);
            for gap in gaps {
                now += secs(gap);
                if trouble.failed("refused", now).is_some() {
                    if let Some(last) = last {
                        prop_assert!(now - last >= SUMMARY);
                    }
                    last = Some(now);
                    told += 1;
                }
            }
            prop_assert!(told >= 1);
        }
    }
}
