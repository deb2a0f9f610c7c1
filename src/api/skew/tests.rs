use proptest::prelude::*;

use super::*;

/// Noon of our wall clock when our monotonic one was 0, in microseconds since 1970.
const NOON: i64 = 1_795_435_200_000_000;

const fn time(micros: i64) -> Duration {
    Duration::from_micros(micros.unsigned_abs())
}

/// A server whose clock is ahead of ours by so many microseconds.
#[derive(Clone, Copy)]
struct Server {
    ahead: i64,
}

impl Server {
    /// Answers a request that is sent at a time of our monotonic clock, after it was under way for
    /// `there`; the answer is for `back`.
    fn answer(self, skew: &mut Skew, sent: i64, there: i64, back: i64) {
        let date = (NOON + sent + there + self.ahead).div_euclid(SECOND);
        skew.note(date, time(sent), time(sent + there + back));
    }
}

fn estimate(skew: &Skew, now: i64) -> Estimate {
    skew.estimate(time(now), NOON + now).expect("an answer came")
}

fn holds(estimate: Estimate, ahead: i64) -> bool {
    (estimate.skew - ahead).abs() <= estimate.error + 1
}

#[test]
fn before_the_first_answer_nothing_is_known() {
    assert_eq!(Skew::default().estimate(time(5), NOON), None);
    assert_eq!(Skew::default().correct(time(5), NOON), NOON);
}

#[test]
fn one_answer_tells_to_half_a_second_and_half_its_way() {
    let mut skew = Skew::default();
    Server { ahead: 5 * SECOND }.answer(&mut skew, 250_000, 10_000, 10_000);
    let estimate = estimate(&skew, 270_000);
    assert_eq!(estimate.error, 510_020);
    assert!(holds(estimate, 5 * SECOND), "{estimate:?}");
}

#[test]
fn many_answers_tell_to_their_way() {
    let mut skew = Skew::default();
    let server = Server { ahead: -5 * SECOND };
    for n in 0..100 {
        server.answer(&mut skew, n * 1_010_000, 1_000, 1_000);
    }
    let now = 100 * 1_010_000;
    let estimate = estimate(&skew, now);
    // The second begins within 10 ms of an answer, to either side; the rest is drift.
    assert!(estimate.error <= 100_000, "{estimate:?}");
    assert!(holds(estimate, server.ahead), "{estimate:?}");
    assert_eq!(skew.correct(time(now), NOON + now), NOON + now + estimate.skew);
}

#[test]
fn clocks_that_may_agree_are_not_corrected() {
    let mut skew = Skew::default();
    Server { ahead: 300_000 }.answer(&mut skew, 0, 1_000, 1_000);
    assert_eq!(skew.correct(time(2_000), NOON), NOON);
}

#[test]
fn a_step_of_our_wall_clock_shows_at_once_and_spoils_nothing() {
    let mut skew = Skew::default();
    for n in 0..20 {
        Server { ahead: 0 }.answer(&mut skew, n * 1_050_000, 1_000, 1_000);
    }
    let now = 21 * SECOND;
    let before = estimate(&skew, now);
    let after = skew.estimate(time(now), NOON + now + 3_600 * SECOND).expect("an answer came");
    assert_eq!(after, Estimate { skew: before.skew - 3_600 * SECOND, ..before });
}

#[test]
fn what_is_not_seen_again_is_known_less_and_less() {
    let mut skew = Skew::default();
    Server { ahead: 0 }.answer(&mut skew, 0, 0, 0);
    assert_eq!(estimate(&skew, 0).error, 500_000);
    assert_eq!(estimate(&skew, 1000 * SECOND).error, 1_500_000);
}

#[test]
fn the_ends_of_time_are_no_overflow() {
    let mut skew = Skew::default();
    for date in [i64::MIN, i64::MAX, 0] {
        skew.note(date, Duration::ZERO, Duration::MAX);
        assert!(skew.estimate(Duration::MAX, i64::MIN).is_some());
        std::hint::black_box(skew.correct(Duration::ZERO, i64::MAX));
    }
}

/// Requests: the pause before each, its way there and back, all in microseconds.
fn requests() -> impl Strategy<Value = Vec<(i64, i64, i64)>> {
    prop::collection::vec((0..20_000_000i64, 0..300_000i64, 0..300_000i64), 1..60)
}

proptest! {
    /// However the clocks drift, the skew is where the estimate says it can be.
    #[test]
    fn the_truth_is_within_the_error(
        ahead in -10_000_000_000i64..10_000_000_000,
        ppm in -900i64..900,
        requests in requests(),
    ) {
        let (mut skew, mut now) = (Skew::default(), 0);
        for (pause, there, back) in requests {
            let sent = now + pause;
            let drifted = |at: i64| Server { ahead: ahead + at * ppm / 1_000_000 };
            drifted(sent + there).answer(&mut skew, sent, there, back);
            now = sent + there + back;
            let estimate = estimate(&skew, now);
            prop_assert!(holds(estimate, drifted(now).ahead), "{estimate:?}");
            prop_assert!(estimate.error <= 500_001 + (there + back) * 501 / 1000);
        }
    }

    /// After a step of the server's clock the first answer whose second contradicts what was known
    /// tells: of answers that are spread over the second, a tenth apart, one does, or the step is
    /// less than a tenth beyond what could be.
    #[test]
    fn a_step_of_the_servers_clock_is_believed(
        requests in requests(),
        ahead in -10_000_000i64..10_000_000,
        step in prop_oneof![-100_000_000i64..-150_000, 150_000i64..100_000_000],
    ) {
        let (mut skew, mut now) = (Skew::default(), 0);
        for (pause, there, back) in requests {
            Server { ahead }.answer(&mut skew, now + pause, there, back);
            now += pause + there + back;
        }
        let after = Server { ahead: ahead + step };
        for _ in 0..20 {
            now += 1_100_000;
            after.answer(&mut skew, now, 1_000, 1_000);
            now += 2_000;
        }
        let estimate = estimate(&skew, now);
        let beyond = (estimate.skew - after.ahead).abs() - estimate.error;
        prop_assert!(beyond <= 110_000, "{estimate:?}");
    }
}
