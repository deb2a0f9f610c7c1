//! Which write is waited for. Pure: time comes in, tokens go out.
//!
//! What a daemon writes into the Lease is like nobody else's: its own name, and the number of the
//! write. So several daemons can share one Lease, and each one's figures are of its own writes.

use std::time::Duration;

/// The canary of one daemon.
#[derive(Debug)]
pub struct Echo {
    /// Like nobody else's.
    id: u64,
    written: u64,
    /// Whether the watch is open.
    open: bool,
    waiting: Option<Waiting>,
}

#[derive(Debug)]
struct Waiting {
    token: String,
    since: Duration,
}

impl Echo {
    /// Nothing is written yet, nobody watches.
    #[must_use]
    pub const fn new(id: u64) -> Self {
        Self { id, written: 0, open: false, waiting: None }
    }

    /// The watch is open, or is no more: what is waited for then will not be seen. Whether there
    /// was something.
    pub fn set_open(&mut self, open: bool) -> bool {
        self.open = open;
        !open && self.waiting.take().is_some()
    }

    /// Whether a write would be seen.
    #[must_use]
    pub const fn is_open(&self) -> bool {
        self.open
    }

    /// What is waited for is given up; whether there was something.
    pub fn give_up(&mut self) -> bool {
        self.waiting.take().is_some()
    }

    /// What to write at `now`; it is waited for from now on.
    pub fn write(&mut self, now: Duration) -> String {
        self.written += 1;
        let token = format!("kubetally-{:016x}-{}", self.id, self.written);
        self.waiting = Some(Waiting { token: token.clone(), since: now });
        token
    }

    /// This was seen on the watch at `now`: how long it took, if it was waited for.
    pub fn seen(&mut self, token: &str, now: Duration) -> Option<Duration> {
        let waiting = self.waiting.take_if(|waiting| waiting.token == token)?;
        Some(now.saturating_sub(waiting.since))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const fn millis(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    #[test]
    fn a_write_is_seen_once() {
        let mut echo = Echo::new(1);
        let token = echo.write(millis(10));
        assert_eq!(echo.seen(&token, millis(17)), Some(millis(7)));
        assert_eq!(echo.seen(&token, millis(18)), None, "as after a reconnect");
        assert!(!echo.give_up(), "nothing is lost");
    }

    #[test]
    fn what_is_late_is_lost_and_not_taken_for_the_next() {
        let mut echo = Echo::new(1);
        let first = echo.write(millis(0));
        assert!(echo.give_up());
        let second = echo.write(millis(100));
        assert_eq!(echo.seen(&first, millis(101)), None);
        assert_eq!(echo.seen(&second, millis(103)), Some(millis(3)));
    }

    #[test]
    fn a_watch_that_breaks_loses_what_is_waited_for() {
        let mut echo = Echo::new(1);
        assert!(!echo.set_open(true));
        let token = echo.write(millis(0));
        assert!(echo.set_open(false) && !echo.is_open());
        assert!(!echo.set_open(true) && echo.is_open());
        assert_eq!(echo.seen(&token, millis(1)), None);
    }

    proptest! {
        /// However the writes of several daemons mix, each sees its own, with its own times.
        #[test]
        fn daemons_do_not_disturb_each_other(turns in prop::collection::vec((0..3usize, 1..50u64), 1..100)) {
            let mut daemons = [1, 2, 3].map(Echo::new);
            let mut now = 0;
            for (writer, took) in turns {
                let token = daemons[writer].write(millis(now));
                now += took;
                for (n, daemon) in daemons.iter_mut().enumerate() {
                    let expected = (n == writer).then(|| millis(took));
                    prop_assert_eq!(daemon.seen(&token, millis(now)), expected);
                }
            }
        }
    }
}
