use proptest::prelude::*;
use rstest::rstest;

use super::*;
use crate::wire::time::seconds;

/// The first times after this one.
fn times(schedule: &str, after: &str, count: usize) -> Vec<String> {
    let schedule = Schedule::parse(schedule).expect("a schedule");
    let mut at = seconds(after).expect("a time");
    let mut times = Vec::new();
    while times.len() < count {
        let Some(next) = schedule.next(at) else { break };
        assert!(next > at);
        at = next;
        let time = u64::try_from(at).expect("a time after 1970");
        let time = std::time::UNIX_EPOCH + std::time::Duration::from_secs(time);
        times.push(humantime::format_rfc3339_seconds(time).to_string());
    }
    times
}

/// Random schedules, a time, and what robfig/cron 3.0.1 said of them.
#[test]
fn recorded_schedules() {
    let lines = include_str!("../../../../tests/data/ksm/schedules.tsv").lines();
    for line in lines.clone() {
        let [text, after, expected] = line.split('\t').collect::<Vec<_>>()[..] else {
            panic!("{line}")
        };
        let ours = Schedule::parse(text).map(|schedule| {
            let next = schedule.next(after.parse().expect("a time"));
            next.map_or_else(|| "never".to_owned(), |next| next.to_string())
        });
        assert_eq!(ours.as_deref().unwrap_or("none"), expected, "{text} after {after}");
    }
    assert_eq!(lines.count(), 600);
}

// So says robfig/cron 3.0.1, too.
#[rstest]
#[case("* * * * *", "2026-11-23T17:25:21Z", "2026-11-23T17:26:00Z")]
#[case("*/15 * * * *", "2026-11-23T17:45:00Z", "2026-11-23T18:00:00Z")]
#[case("5/20 * * * *", "2026-11-23T17:26:00Z", "2026-11-23T17:45:00Z")]
#[case("0 0 31 * *", "2026-11-01T00:00:00Z", "2026-12-31T00:00:00Z")]
#[case("0 0 29 2 ?", "2026-11-01T00:00:00Z", "2028-02-29T00:00:00Z")]
#[case("0 0 1 1 *", "2026-01-01T00:00:00Z", "2027-01-01T00:00:00Z")]
// A day of the month or of the week; with a star both; a star with a step is none.
#[case("0 0 13 * FRI", "2026-11-23T00:00:00Z", "2026-11-27T00:00:00Z")]
#[case("0 0 * * fri", "2026-11-23T00:00:00Z", "2026-11-27T00:00:00Z")]
#[case("0 0 */10 * fri", "2026-11-23T00:00:00Z", "2026-11-27T00:00:00Z")]
#[case("0 0 */1 * mon", "2026-11-23T00:00:00Z", "2026-11-30T00:00:00Z")]
#[case("0 0 * jan-mar,DEC sun", "2026-11-23T00:00:00Z", "2026-12-06T00:00:00Z")]
#[case("0 0 , * sun", "2026-11-23T00:00:00Z", "2026-11-29T00:00:00Z")]
#[case("*-x,7 * * * *", "2026-11-23T00:07:00Z", "2026-11-23T00:08:00Z")]
#[case("@hourly", "2026-11-23T17:25:21Z", "2026-11-23T18:00:00Z")]
#[case("@daily", "2026-11-23T17:25:21Z", "2026-11-24T00:00:00Z")]
#[case("@midnight", "2026-11-23T17:25:21Z", "2026-11-24T00:00:00Z")]
#[case("@weekly", "2026-11-23T17:25:21Z", "2026-11-29T00:00:00Z")]
#[case("@monthly", "2026-11-23T17:25:21Z", "2026-12-01T00:00:00Z")]
#[case("@annually", "2026-11-23T17:25:21Z", "2027-01-01T00:00:00Z")]
#[case("@yearly", "2026-11-23T17:25:21Z", "2027-01-01T00:00:00Z")]
#[case("@every 1h30m", "2026-11-23T17:25:21Z", "2026-11-23T18:55:21Z")]
#[case("@every 1.5s", "2026-11-23T17:25:21Z", "2026-11-23T17:25:22Z")]
#[case("@every 10ms", "2026-11-23T17:25:21Z", "2026-11-23T17:25:22Z")]
#[case("@every -1h", "2026-11-23T17:25:21Z", "2026-11-23T17:25:22Z")]
#[case("TZ=Asia/Tokyo 0 5 * * *", "2026-11-23T17:25:21Z", "2026-11-23T20:00:00Z")]
#[case("CRON_TZ=Asia/Kolkata  30 5 * * * ", "2026-11-23T17:25:21Z", "2026-11-24T00:00:00Z")]
#[case("CRON_TZ= @hourly", "2026-11-23T17:25:21Z", "2026-11-23T18:00:00Z")]
#[case("TZ=Asia/Kathmandu 0 0 * * *", "2026-11-23T17:25:21Z", "2026-11-23T18:15:00Z")]
fn the_next_time(#[case] schedule: &str, #[case] after: &str, #[case] expected: &str) {
    assert_eq!(times(schedule, after, 1), [expected]);
}

#[rstest]
// Clocks go from 2 to 3: what is due between is left out.
#[case(
    "TZ=Europe/Berlin 30 2 * * *",
    "2026-03-28T00:00:00Z",
    &["2026-03-28T01:30:00Z", "2026-03-30T00:30:00Z"],
)]
// And back from 3 to 2: the hour comes twice.
#[case(
    "TZ=Europe/Berlin 30 2 * * *",
    "2026-10-24T12:00:00Z",
    &["2026-10-25T00:30:00Z", "2026-10-25T01:30:00Z", "2026-10-26T01:30:00Z"],
)]
#[case(
    "TZ=America/New_York 0 * * * *",
    "2026-11-01T04:30:00Z",
    &["2026-11-01T05:00:00Z", "2026-11-01T06:00:00Z", "2026-11-01T07:00:00Z"],
)]
// No midnight on the 4th.
#[case(
    "TZ=America/Sao_Paulo 0 0 * * *",
    "2018-11-03T12:00:00Z",
    &["2018-11-05T02:00:00Z"],
)]
// No 30th; robfig/cron never comes back from here.
#[case("TZ=Pacific/Apia 0 0 31 12 *", "2011-12-29T12:00:00Z", &["2011-12-30T10:00:00Z"])]
fn where_clocks_change(#[case] schedule: &str, #[case] after: &str, #[case] expected: &[&str]) {
    assert_eq!(times(schedule, after, expected.len()), expected);
}

#[rstest]
#[case("0 0 30 2 *")]
#[case("0 0 31 4,6,9,11 *")]
#[case(", * * * *")]
#[case("* * , * ,")]
fn what_never_comes_round(#[case] schedule: &str) {
    assert!(times(schedule, "2026-11-23T17:25:21Z", 1).is_empty());
}

#[rstest]
#[case("")]
#[case("* * * *")]
#[case("* * * * * *")]
#[case("60 * * * *")]
#[case("* 24 * * *")]
#[case("* * 0 * *")]
#[case("* * 32 * *")]
#[case("* * * 13 *")]
#[case("* * * * 7")]
#[case("5-1 * * * *")]
#[case("1-2-3 * * * *")]
#[case("*/0 * * * *")]
#[case("*/ * * * *")]
#[case("1/2/3 * * * *")]
#[case("-1 * * * *")]
#[case("5- * * * *")]
#[case("99999999999999999999 * * * *")]
#[case("mon * * * *")]
#[case("* * * * monday")]
#[case("@reboot")]
#[case("@daily ")]
#[case(" @daily")]
#[case("@every")]
#[case("@every 1")]
#[case("@every 1d")]
#[case("@every 300000000h")]
#[case("TZ=UTC")]
#[case("TZ=Mars/Base * * * * *")]
#[case("TZ=../UTC * * * * *")]
fn what_is_no_schedule(#[case] text: &str) {
    assert!(Schedule::parse(text).is_none());
}

#[rstest]
#[case("0", Some(0))]
#[case("-0", Some(0))]
#[case("1h2m3s4ms5us6ns", Some(3_723_004_005_006))]
#[case("1µs", Some(1_000))]
#[case("1.5h", Some(5_400_000_000_000))]
#[case(".5m", Some(30_000_000_000))]
#[case("1.m", Some(60_000_000_000))]
#[case("-1.25s", Some(-1_250_000_000))]
#[case("+1s", Some(1_000_000_000))]
#[case("0.3333333333333333333333s", Some(333_333_333))]
#[case("", None)]
#[case("-", None)]
#[case(".s", None)]
#[case("1", None)]
#[case("1s1", None)]
#[case("1 s", None)]
#[case("9223372037s", None)]
fn durations(#[case] text: &str, #[case] expected: Option<i64>) {
    assert_eq!(nanoseconds(text), expected);
}

proptest! {
    /// Whatever the schedule is: it is read or not, and its times go forward.
    #[test]
    fn any_schedule_ends(
        zone in prop::sample::select(vec![
            "", "TZ=Europe/Berlin ", "TZ=Pacific/Apia ", "CRON_TZ=Africa/Monrovia ", "TZ=Asia/Gaza ",
        ]),
        rule in prop_oneof![
            "([0-9*?]{1,2}|[0-9]{1,2}-[0-9]{1,2}|\\*/[0-9]{1,2})( (\\*|[0-9]{1,2}|,)){4}",
            "([0-9*?,/-]{1,4} ){4}[0-9a-z*?,/-]{1,4}",
            "@[a-z]{1,8}( [0-9a-z.]{1,9})?",
            ".{0,20}",
        ],
        after in -2_000_000_000_i64..260_000_000_000,
    ) {
        if let Some(schedule) = Schedule::parse(&format!("{zone}{rule}")) {
            prop_assert!(schedule.next(after).is_none_or(|next| next > after));
        }
    }
}
