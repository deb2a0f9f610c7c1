//! What arrived together.

use std::time::Duration;

use super::Op;
use crate::telemetry::Intake;

/// Notifications that arrived together: when, and how many of each kind.
#[derive(Debug)]
pub struct Batch {
    /// When they arrived, since the watcher's epoch.
    pub at: Duration,
    /// The same by the server's clock, in microseconds since 1970.
    pub now: i64,
    ops: [u64; Op::ALL.len()],
}

impl Batch {
    /// Nothing of it was read yet.
    #[must_use]
    pub fn new(at: Duration, now: i64) -> Self {
        Self { at, now, ops: Default::default() }
    }

    /// Takes one more.
    pub const fn count(&mut self, op: Op) {
        self.ops[op as usize] += 1;
    }

    /// Adds them to what was counted before.
    pub fn tell(&self, intake: &Intake) {
        for (op, n) in Op::ALL.iter().zip(self.ops).filter(|(_, n)| *n > 0) {
            intake.notifications(*op, n);
        }
    }
}
