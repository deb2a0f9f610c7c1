//! The server's clock against ours, from the `Date` of its answers: an interval that each answer
//! narrows, as a `Date` has whole seconds and an answer takes a while. Pure: both of our clocks
//! come in as arguments.
//!
//! ```text
//!   ours      sent ├──────────────┤ received            the server wrote its Date in between…
//!   server's     Date ├───────────────────┤ Date + 1 s  …and cut its clock to the second
//! ```
//!
//! So the server's clock is ahead by more than `Date - received` and by less than
//! `Date + 1 s - sent`; of several answers the narrowest of both holds. What is kept is the
//! distance to our *monotonic* clock, which nobody sets: a step of our wall clock shows at once and
//! spoils nothing, and a step of the server's contradicts what is known, which is then forgotten.

use std::time::Duration;

/// How fast two clocks may run apart: the kernel slews each by up to 500 ppm (`adjtimex`).
const DRIFT_PPM: i64 = 1000;
/// What a `Date` cannot tell, in microseconds.
const SECOND: i64 = 1_000_000;

/// What is known of the server's clock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Skew(Option<Known>);

/// The server's clock minus our monotonic one, in microseconds, as it was known at a time of the
/// latter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Known {
    low: i64,
    high: i64,
    at: i64,
}

/// The server's clock minus ours, in microseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Estimate {
    /// The middle of what it can be.
    pub skew: i64,
    /// How far it can be from there, to either side.
    pub error: i64,
}

impl Skew {
    /// Takes an answer: its `Date` in seconds since 1970, and when its request was sent and its
    /// head received, by our monotonic clock.
    pub fn note(&mut self, date: i64, sent: Duration, received: Duration) {
        let date = date.saturating_mul(SECOND);
        let (sent, received) = (micros(sent), micros(received));
        let new = Known {
            low: date.saturating_sub(received),
            high: date.saturating_add(SECOND).saturating_sub(sent),
            at: sent,
        }
        .widened(received);
        let known = self.0.map(|known| known.widened(received));
        self.0 = Some(known.and_then(|known| known.narrowed(new)).unwrap_or(new));
    }

    /// What the skew is, by our monotonic clock `now` and our wall clock in microseconds since
    /// 1970; `None` before the first answer.
    #[must_use]
    pub fn estimate(&self, now: Duration, wall: i64) -> Option<Estimate> {
        let now = micros(now);
        let Known { low, high, .. } = self.0?.widened(now);
        // The wall clock against the monotonic one, as it is at present.
        let ours = wall.saturating_sub(now);
        let error = high.saturating_sub(low) / 2;
        Some(Estimate { skew: low.saturating_add(error).saturating_sub(ours), error })
    }

    /// Our wall clock, corrected to the server's where they are surely apart.
    #[must_use]
    pub fn correct(&self, now: Duration, wall: i64) -> i64 {
        match self.estimate(now, wall) {
            Some(Estimate { skew, error }) if skew.saturating_abs() > error => {
                wall.saturating_add(skew)
            }
            _ => wall,
        }
    }
}

impl Known {
    /// As much of it as is still known at `now`.
    fn widened(self, now: i64) -> Self {
        let Self { low, high, at } = self;
        let drift = now.saturating_sub(at).max(0) / (1_000_000 / DRIFT_PPM);
        Self { low: low.saturating_sub(drift), high: high.saturating_add(drift), at: at.max(now) }
    }

    /// What both say; `None` where they contradict each other.
    fn narrowed(self, other: Self) -> Option<Self> {
        let (low, high) = (self.low.max(other.low), self.high.min(other.high));
        (low <= high).then_some(Self { low, high, at: other.at })
    }
}

fn micros(time: Duration) -> i64 {
    i64::try_from(time.as_micros()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests;
