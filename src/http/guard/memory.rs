//! What the API server said of tokens, for a while, and how often it may be asked.

use std::{collections::HashMap, time::Duration};

use crate::http::Refusal;

/// What is kept of a token.
pub type Digest = [u8; 32];

/// How long a yes holds.
const YES: Duration = Duration::from_secs(60);
/// How long a no holds.
const NO: Duration = Duration::from_secs(10);
/// How long a yes is remembered, for when the API server cannot be asked: that is when scrapes
/// matter most.
const EARLIER: Duration = Duration::from_secs(3600);
/// How long nobody asks again what was not answered.
const AWAY: Duration = Duration::from_secs(5);
/// Tokens that are remembered.
const TOKENS: usize = 1024;
/// Reviews of tokens without an earlier yes in a second.
const RATE: u32 = 50;

/// What the API server said of a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Its user may.
    Allowed,
    /// It is no token.
    Unknown,
    /// Its user may not.
    Forbidden,
}

impl Verdict {
    pub fn admits(self) -> Result<(), Refusal> {
        match self {
            Self::Allowed => Ok(()),
            Self::Unknown => Err(Refusal::Unauthorized),
            Self::Forbidden => Err(Refusal::Forbidden),
        }
    }
}

/// What is known of a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recalled {
    /// This holds still.
    Known(Verdict),
    /// Nothing, and the API server has just not answered.
    Away,
    /// Nothing: it has to be asked.
    Unknown,
}

/// All that is remembered, in times since some beginning.
#[derive(Debug, Default)]
pub struct Memory {
    told: HashMap<Digest, Told>,
    /// Until when nobody asks.
    away: Option<Duration>,
    /// A second, and the reviews of tokens without an earlier yes in it.
    asked: (u64, u32),
}

#[derive(Clone, Copy, Debug)]
struct Told {
    verdict: Verdict,
    at: Duration,
}

impl Told {
    fn holds(self, now: Duration) -> bool {
        now < self.at + if self.verdict == Verdict::Allowed { YES } else { NO }
    }

    /// Whether it is a yes that may count while there is no newer answer.
    fn counts(self, now: Duration) -> bool {
        self.verdict == Verdict::Allowed && now < self.at + EARLIER
    }
}

impl Memory {
    /// What is known of a token.
    pub fn recall(&self, digest: &Digest, now: Duration) -> Recalled {
        let told = self.told.get(digest);
        let away = self.away.is_some_and(|until| now < until);
        match told {
            Some(told) if told.holds(now) || (away && told.counts(now)) => {
                Recalled::Known(told.verdict)
            }
            _ if away => Recalled::Away,
            _ => Recalled::Unknown,
        }
    }

    /// Whether this token may be asked for now. One with an earlier yes may always.
    pub fn may_ask(&mut self, digest: &Digest, now: Duration) -> bool {
        if self.told.get(digest).is_some_and(|told| told.counts(now)) {
            return true;
        }
        if self.asked.0 != now.as_secs() {
            self.asked = (now.as_secs(), 0);
        }
        self.asked.1 += 1;
        self.asked.1 <= RATE
    }

    /// Takes an answer.
    pub fn learn(&mut self, digest: Digest, verdict: Verdict, now: Duration) {
        self.away = None;
        self.told.retain(|_, told| told.holds(now) || told.counts(now));
        if self.told.len() >= TOKENS && !self.told.contains_key(&digest) {
            self.forget_one();
        }
        self.told.insert(digest, Told { verdict, at: now });
    }

    /// There was no answer: whether an earlier yes counts in its place.
    pub fn unanswered(&mut self, digest: &Digest, now: Duration) -> bool {
        self.away = Some(now + AWAY);
        self.told.get(digest).is_some_and(|told| told.counts(now))
    }

    /// The oldest no, or where there is none the oldest yes.
    fn forget_one(&mut self) {
        let least = |told: &Told| (told.verdict == Verdict::Allowed, told.at);
        let digest =
            self.told.iter().min_by_key(|(_, told)| least(told)).map(|(digest, _)| *digest);
        digest.and_then(|digest| self.told.remove(&digest));
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;

    const SCRAPER: Digest = [1; 32];

    const fn secs(secs: u64) -> Duration {
        Duration::from_secs(secs)
    }

    fn stranger(number: u64) -> Digest {
        let mut digest = [2; 32];
        digest[..8].copy_from_slice(&number.to_le_bytes());
        digest
    }

    fn told(verdict: Verdict) -> Memory {
        let mut memory = Memory::default();
        memory.learn(SCRAPER, verdict, secs(0));
        memory
    }

    #[rstest]
    #[case(Verdict::Allowed, 59, Recalled::Known(Verdict::Allowed))]
    #[case(Verdict::Allowed, 60, Recalled::Unknown)]
    #[case(Verdict::Unknown, 9, Recalled::Known(Verdict::Unknown))]
    #[case(Verdict::Unknown, 10, Recalled::Unknown)]
    #[case(Verdict::Forbidden, 9, Recalled::Known(Verdict::Forbidden))]
    #[case(Verdict::Forbidden, 10, Recalled::Unknown)]
    fn an_answer_holds_for_a_while(
        #[case] verdict: Verdict,
        #[case] after: u64,
        #[case] expected: Recalled,
    ) {
        assert_eq!(told(verdict).recall(&SCRAPER, secs(after)), expected);
        assert_eq!(told(verdict).recall(&stranger(0), secs(after)), Recalled::Unknown);
    }

    #[rstest]
    #[case(Verdict::Allowed, 3599, true)]
    #[case(Verdict::Allowed, 3600, false)]
    #[case(Verdict::Forbidden, 5, false)]
    #[case(Verdict::Unknown, 11, false)]
    fn an_earlier_yes_counts_while_there_is_no_answer(
        #[case] verdict: Verdict,
        #[case] after: u64,
        #[case] admitted: bool,
    ) {
        assert_eq!(told(verdict).unanswered(&SCRAPER, secs(after)), admitted);
    }

    #[test]
    fn nobody_asks_again_at_once_what_was_not_answered() {
        let mut memory = told(Verdict::Allowed);
        assert!(memory.unanswered(&SCRAPER, secs(100)));
        assert_eq!(memory.recall(&SCRAPER, secs(104)), Recalled::Known(Verdict::Allowed));
        assert_eq!(memory.recall(&stranger(0), secs(104)), Recalled::Away);
        assert_eq!(memory.recall(&SCRAPER, secs(105)), Recalled::Unknown);
        assert_eq!(memory.recall(&stranger(0), secs(105)), Recalled::Unknown);
    }

    #[test]
    fn an_answer_takes_back_an_earlier_yes() {
        let mut memory = told(Verdict::Allowed);
        memory.learn(SCRAPER, Verdict::Unknown, secs(60));
        assert!(!memory.unanswered(&SCRAPER, secs(71)));
        assert_eq!(memory.recall(&SCRAPER, secs(72)), Recalled::Away);
    }

    #[test]
    fn strangers_are_asked_for_at_a_rate_and_a_known_scraper_always() {
        let mut memory = told(Verdict::Allowed);
        let asked = |memory: &mut Memory, now| {
            (0..1000).filter(|number| memory.may_ask(&stranger(*number), now)).count()
        };
        assert_eq!(asked(&mut memory, secs(70)), 50);
        assert_eq!(asked(&mut memory, secs(70) + Duration::from_millis(999)), 0);
        assert!(memory.may_ask(&SCRAPER, secs(70)));
        assert_eq!(asked(&mut memory, secs(71)), 50);
    }

    #[test]
    fn a_flood_of_strangers_pushes_no_scraper_out() {
        let mut memory = told(Verdict::Allowed);
        for number in 0..5000 {
            memory.learn(stranger(number), Verdict::Unknown, secs(1));
        }
        assert_eq!(memory.told.len(), TOKENS);
        assert_eq!(memory.recall(&SCRAPER, secs(2)), Recalled::Known(Verdict::Allowed));
        assert_eq!(memory.recall(&stranger(4999), secs(2)), Recalled::Known(Verdict::Unknown));
        memory.learn(stranger(0), Verdict::Unknown, secs(20));
        assert_eq!(memory.told.len(), 2, "what holds no more is forgotten");
    }

    proptest! {
        #[test]
        fn only_a_yes_lets_in_and_never_for_more_than_its_time(
            steps in prop::collection::vec((0..4_u64, 0..4_u8, 0..90_u64), 1..200),
        ) {
            let (mut memory, mut now) = (Memory::default(), Duration::ZERO);
            let mut yes = std::collections::HashMap::new();
            for (who, what, pause) in steps {
                now += secs(pause);
                let digest = stranger(who);
                match what {
                    0 => {
                        memory.learn(digest, Verdict::Allowed, now);
                        yes.insert(who, now);
                    }
                    1 => {
                        memory.learn(digest, Verdict::Forbidden, now);
                        yes.remove(&who);
                    }
                    2 => {
                        let admitted = memory.unanswered(&digest, now);
                        let earlier = yes.get(&who).is_some_and(|at| now < *at + EARLIER);
                        prop_assert_eq!(admitted, earlier);
                    }
                    _ => {
                        let known = memory.recall(&digest, now);
                        if known == Recalled::Known(Verdict::Allowed) {
                            prop_assert!(now < yes[&who] + EARLIER);
                        }
                    }
                }
                prop_assert!(memory.told.len() <= 4);
            }
        }
    }
}
