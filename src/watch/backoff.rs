//! How long to wait before trying again.

use std::time::Duration;

/// Exponential backoff with jitter, as client-go's reflector has it: from `first`, doubled each
/// time up to `cap`, each delay drawn from [d, 2d), started anew after `reset` without a failure.
#[derive(Clone, Debug)]
pub struct Backoff {
    first: Duration,
    cap: Duration,
    reset: Duration,
    next: Duration,
    last: Option<Duration>,
}

impl Backoff {
    /// Delays from `first` to `cap`.
    #[must_use]
    pub const fn new(first: Duration, cap: Duration, reset: Duration) -> Self {
        Self { first, cap, reset, next: first, last: None }
    }

    /// The delay after a failure at `now` (time since some start). `random` is in [0, 1);
    /// `floor` is what the server asked for (`Retry-After`).
    pub fn failed(&mut self, now: Duration, random: f64, floor: Option<Duration>) -> Duration {
        if self.last.is_some_and(|last| now.saturating_sub(last) > self.reset) {
            self.next = self.first;
        }
        let delay = self.next.mul_f64(1.0 + random.clamp(0.0, 1.0));
        self.next = (self.next * 2).min(self.cap);
        let delay = delay.max(floor.unwrap_or_default());
        // The wait itself is no time of health.
        self.last = Some(now + delay);
        delay
    }

    /// Starts anew.
    pub const fn reset(&mut self) {
        self.next = self.first;
        self.last = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn secs(secs: u64) -> Duration {
        Duration::from_secs(secs)
    }

    fn backoff() -> Backoff {
        Backoff::new(secs(1), secs(8), secs(120))
    }

    #[test]
    fn doubles_to_its_cap() {
        let mut backoff = backoff();
        let mut now = Duration::ZERO;
        let mut delays = Vec::new();
        for _ in 0..6 {
            let delay = backoff.failed(now, 0.0, None);
            delays.push(delay.as_secs());
            now += delay;
        }
        assert_eq!(delays, [1, 2, 4, 8, 8, 8]);
    }

    #[test]
    fn jitter_adds_up_to_as_much_again() {
        let delay = backoff().failed(Duration::ZERO, 0.999, None);
        assert!(delay > Duration::from_millis(1990) && delay < secs(2), "{delay:?}");
    }

    #[test]
    fn the_servers_wish_is_a_floor() {
        assert_eq!(backoff().failed(Duration::ZERO, 0.5, Some(secs(7))), secs(7));
        let mut late = backoff();
        late.next = secs(8);
        assert_eq!(late.failed(Duration::ZERO, 0.0, Some(secs(7))), secs(8));
    }

    #[test]
    fn starts_anew_after_health_only() {
        let mut backoff = backoff();
        assert_eq!(backoff.failed(secs(0), 0.0, None), secs(1));
        assert_eq!(backoff.failed(secs(121), 0.0, None), secs(2));
        assert_eq!(backoff.failed(secs(123 + 121), 0.0, None), secs(1));
    }

    #[test]
    fn a_floor_of_minutes_is_no_health() {
        let mut backoff = backoff();
        backoff.failed(secs(0), 0.0, Some(secs(300)));
        assert_eq!(backoff.failed(secs(301), 0.0, None), secs(2));
    }
}
