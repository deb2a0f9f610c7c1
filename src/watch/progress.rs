//! How far a list is, for people: a list of a large cluster takes a while.

use std::time::Duration;

use crate::words::number;

/// A list that is quicker than this may end before it is known how many objects there are.
const PATIENCE: Duration = Duration::from_secs(1);
/// How often its progress is logged.
const LOGGED: Duration = Duration::from_secs(5);

/// The progress of the lists of one watcher.
#[derive(Debug, Default)]
pub struct Progress {
    began: Duration,
    listed: u64,
    expected: Option<u64>,
    asked: bool,
    logged: Duration,
}

/// What is to be done about it now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Due {
    /// Whether it is time to log it.
    pub log: bool,
    /// Whether it is time to find out how many objects there are.
    pub ask: bool,
}

impl Progress {
    /// A list begins. As many objects are expected as the last one had.
    pub fn begin(&mut self, now: Duration) {
        *self = Self { began: now, expected: self.expected, ..Self::default() };
    }

    /// The list has ended well; how many objects it had.
    pub fn end(&mut self) -> u64 {
        self.expected = Some(self.listed);
        self.listed
    }

    /// About so many objects are still to come.
    pub fn expect(&mut self, remaining: u64) {
        self.expected = Some(self.listed.saturating_add(remaining));
    }

    /// About so many objects there are in all.
    pub const fn expect_in_all(&mut self, objects: u64) {
        self.expected = Some(objects);
    }

    /// An object has arrived.
    pub const fn count(&mut self) {
        self.listed = self.listed.saturating_add(1);
    }

    /// Decides what to do about it.
    pub fn due(&mut self, now: Duration) -> Due {
        let took = now.saturating_sub(self.began);
        let log = took >= self.logged + LOGGED;
        if log {
            self.logged = took;
        }
        let ask = took >= PATIENCE && self.expected.is_none() && !self.asked;
        self.asked |= ask;
        Due { log, ask }
    }
}

impl std::fmt::Display for Progress {
    /// `41,200 of about 100,000`; a list that has more than was expected is not half done.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let listed = number(self.listed);
        match self.expected.filter(|expected| *expected >= self.listed) {
            Some(expected) => write!(f, "{listed} of about {}", number(expected)),
            None => write!(f, "{listed} so far"),
        }
    }
}

#[cfg(test)]
mod tests {

    use super::*;

    const fn millis(n: u64) -> Duration {
        Duration::from_millis(n)
    }

    impl Progress {
        fn add(&mut self, objects: u64) {
            (0..objects).for_each(|_| self.count());
        }
    }

    #[test]
    fn a_long_list_is_logged_now_and_then_and_asked_about_once() {
        let mut progress = Progress::default();
        progress.begin(millis(500));
        let due: Vec<Due> = (5..=125).map(|at| progress.due(millis(at * 100))).collect();
        let at = |of: fn(&Due) -> bool| -> Vec<usize> {
            due.iter().enumerate().filter(|(_, due)| of(due)).map(|(at, _)| at).collect()
        };
        assert_eq!(at(|due| due.log), [50, 100]);
        assert_eq!(at(|due| due.ask), [10]);
    }

    #[test]
    fn says_how_many_there_will_be() {
        let mut progress = Progress::default();
        progress.begin(millis(0));
        progress.add(41_200);
        progress.expect_in_all(100_000);
        assert_eq!(progress.to_string(), "41,200 of about 100,000");
        progress.expect(800);
        assert_eq!(progress.to_string(), "41,200 of about 42,000");
        progress.add(800);
        assert_eq!(progress.to_string(), "42,000 of about 42,000");
        progress.add(1);
        assert_eq!(progress.to_string(), "42,001 so far");
    }

    #[test]
    fn a_relist_expects_what_the_list_had() {
        let mut progress = Progress::default();
        progress.begin(millis(0));
        progress.add(7);
        assert_eq!(progress.end(), 7);
        progress.begin(millis(1));
        progress.add(3);
        assert_eq!(progress.to_string(), "3 of about 7");
        assert!(!progress.due(millis(2_000)).ask);
    }
}
