//! RFC 3339 times as Kubernetes writes them, to microseconds since 1970.

/// Reads `2026-11-23T17:25:21Z` or `2026-11-23T17:25:21.149767Z` (offsets too).
/// Gives microseconds since 1970-01-01T00:00:00Z; digits beyond are cut off. `None` where it is no
/// such time.
#[must_use]
pub fn micros(text: &str) -> Option<i64> {
    let bytes = text.as_bytes();
    if bytes.len() < 20 || bytes[4] != b'-' || bytes[7] != b'-' || bytes[13] != b':' {
        return None;
    }
    if !matches!(bytes[10], b'T' | b't') || bytes[16] != b':' {
        return None;
    }
    let year = digits(&bytes[0..4])?;
    let month = within(digits(&bytes[5..7])?, 1, 12)?;
    let day = within(digits(&bytes[8..10])?, 1, days_of(year, month))?;
    let hour = within(digits(&bytes[11..13])?, 0, 23)?;
    let minute = within(digits(&bytes[14..16])?, 0, 59)?;
    let second = within(digits(&bytes[17..19])?, 0, 60)?;
    let (fraction, zone) = fraction(&bytes[19..])?;
    let seconds = days(year, month, day) * 86_400 + hour * 3_600 + minute * 60 + second;
    Some((seconds - offset(zone)?) * 1_000_000 + fraction)
}

/// The same in whole seconds.
#[must_use]
pub fn seconds(text: &str) -> Option<i64> {
    micros(text).map(|micros| micros.div_euclid(1_000_000))
}

fn digits(bytes: &[u8]) -> Option<i64> {
    bytes.iter().try_fold(0, |sum, byte| match byte {
        b'0'..=b'9' => Some(sum * 10 + i64::from(byte - b'0')),
        _ => None,
    })
}

fn within(value: i64, low: i64, high: i64) -> Option<i64> {
    (low..=high).contains(&value).then_some(value)
}

fn days_of(year: i64, month: i64) -> i64 {
    match month {
        2 if (year % 4 == 0 && year % 100 != 0) || year % 400 == 0 => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Splits `.149767Z` into microseconds and the zone.
fn fraction(rest: &[u8]) -> Option<(i64, &[u8])> {
    let [b'.', after @ ..] = rest else {
        return Some((0, rest));
    };
    let count = after.iter().take_while(|byte| byte.is_ascii_digit()).count();
    if count == 0 {
        return None;
    }
    let kept = &after[..count.min(6)];
    let scale = 10_i64.pow(6 - u32::try_from(kept.len()).ok()?);
    Some((digits(kept)? * scale, &after[count..]))
}

/// Seconds east of Greenwich.
fn offset(zone: &[u8]) -> Option<i64> {
    match zone {
        [b'Z' | b'z'] => Some(0),
        [sign @ (b'+' | b'-'), h1, h2, b':', m1, m2] => {
            let hours = within(digits(&[*h1, *h2])?, 0, 23)?;
            let minutes = within(digits(&[*m1, *m2])?, 0, 59)?;
            let seconds = hours * 3_600 + minutes * 60;
            Some(if *sign == b'+' { seconds } else { -seconds })
        }
        _ => None,
    }
}

/// Days since 1970-01-01 in the proleptic Gregorian calendar; a day that the month does not have is
/// one of the months beside it.
#[must_use]
pub const fn days(year: i64, month: i64, day: i64) -> i64 {
    // Years are counted from March so that the leap day comes last.
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

/// The year, month and day that so many days since 1970-01-01 are.
#[must_use]
pub const fn date(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let of_era = days.rem_euclid(146_097);
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let (year, month) = if month < 10 { (year, month + 3) } else { (year + 1, month - 9) };
    (year + era * 400, month, day)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("1970-01-01T00:00:00Z", Some(0))]
    #[case("2026-11-23T17:25:21Z", Some(1_795_454_721_000_000))]
    #[case("2026-11-23T17:25:21.149767Z", Some(1_795_454_721_149_767))]
    #[case("2026-11-23T17:25:21.1Z", Some(1_795_454_721_100_000))]
    #[case("2026-11-23T17:25:21.1497679999Z", Some(1_795_454_721_149_767))]
    #[case("2026-11-23T19:25:21+02:00", Some(1_795_454_721_000_000))]
    #[case("2024-02-29T00:00:00Z", Some(1_709_164_800_000_000))]
    #[case("2023-02-29T00:00:00Z", None)]
    #[case("1969-12-31T23:59:59Z", Some(-1_000_000))]
    #[case("2026-11-23T17:25:21", None)]
    #[case("2026-11-23T17:25:21.Z", None)]
    #[case("2026-13-23T17:25:21Z", None)]
    #[case("", None)]
    #[case("not a time, but long enough", None)]
    fn reads(#[case] text: &str, #[case] expected: Option<i64>) {
        assert_eq!(micros(text), expected);
    }

    proptest! {
        #[test]
        fn agrees_with_httpdate(seconds in 0_u64..253_402_300_799) {
            let time = std::time::UNIX_EPOCH + std::time::Duration::from_secs(seconds);
            let http = httpdate::fmt_http_date(time);
            // "Sun, 06 Nov 1994 08:49:37 GMT"
            let months = ["Jan","Feb","Mar","Apr","May","Jun","Jul","Aug","Sep","Oct","Nov","Dec"];
            let month = 1 + months.iter().position(|m| *m == &http[8..11]).expect("a month");
            let text = format!("{}-{month:02}-{}T{}Z", &http[12..16], &http[5..7], &http[17..25]);
            prop_assert_eq!(super::seconds(&text), i64::try_from(seconds).ok());
        }

        #[test]
        fn dates_are_days_and_back(number in -1_000_000_i64..4_000_000) {
            let (year, month, day) = date(number);
            prop_assert!((1..=12).contains(&month) && (1..=days_of(year, month)).contains(&day));
            prop_assert_eq!(days(year, month, day), number);
        }

        #[test]
        fn never_panics(text in ".*") {
            prop_assert!(micros(&text).is_none() || text.len() >= 20);
        }
    }
}
