//! Numbers and times as people read them.

use jiff::Timestamp;

/// `1,234,567`.
#[must_use]
pub fn number(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.char_indices() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// `1 kind`, `2 kinds`.
#[must_use]
pub fn many(n: u64, one: &str, several: &str) -> String {
    format!("{} {}", number(n), if n == 1 { one } else { several })
}

/// A length of time, of which a person wants one or two figures: `12 s`, `3 min`, `5 h`, `2 days`.
#[must_use]
pub fn span(seconds: f64) -> String {
    let (n, unit) = match seconds.max(0.0) {
        s if s < 99.5 => (s, "s"),
        s if s < 5970.0 => (s / 60.0, "min"),
        s if s < 172_800.0 => (s / 3600.0, "h"),
        s => (s / 86_400.0, "days"),
    };
    format!("{n:.0} {unit}")
}

/// How long ago: `now`, `3 s ago`.
#[must_use]
pub fn ago(seconds: f64) -> String {
    if seconds < 1.0 { "now".into() } else { format!("{} ago", span(seconds.floor())) }
}

/// When, seen from now: `in 3 min`, `3 min ago`.
#[must_use]
pub fn when(seconds_from_now: f64) -> String {
    match seconds_from_now {
        s if s > 0.0 => format!("in {}", span(s)),
        s => ago(-s),
    }
}

/// How long a request took: `0.4 ms`, `12 ms`, `1.2 s`.
#[must_use]
pub fn latency(seconds: f64) -> String {
    match seconds {
        s if s < 0.009_95 => format!("{:.1} ms", s * 1e3),
        s if s < 0.9995 => format!("{:.0} ms", s * 1e3),
        s if s < 9.95 => format!("{s:.1} s"),
        s => format!("{s:.0} s"),
    }
}

/// How often, of whatever unit: `0.4`, `12`.
#[must_use]
pub fn rate(rate: f64) -> String {
    if rate < 9.95 { format!("{rate:.1}") } else { format!("{rate:.0}") }
}

/// A share of one: `0.4 %`, `84 %`.
#[must_use]
pub fn percent(share: f64) -> String {
    match share * 100.0 {
        0.0 => "0 %".into(),
        p if p < 0.95 => format!("{p:.1} %"),
        p => format!("{p:.0} %"),
    }
}

/// `12.3 MB`.
#[must_use]
pub fn megabytes(bytes: f64) -> String {
    format!("{:.1} MB", bytes / 1e6)
}

/// A moment in seconds since 1970: `2026-11-26 01:13:25 UTC`; nothing for what no calendar has.
#[must_use]
pub fn date(seconds: f64) -> String {
    #[expect(clippy::cast_possible_truncation, reason = "it saturates")]
    let at = Timestamp::from_second(seconds as i64);
    at.map(|at| at.strftime("%Y-%m-%d %H:%M:%S UTC").to_string()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case(0, "0")]
    #[case(999, "999")]
    #[case(1_000, "1,000")]
    #[case(41_200, "41,200")]
    #[case(1_234_567, "1,234,567")]
    fn numbers(#[case] n: u64, #[case] expected: &str) {
        assert_eq!(number(n), expected);
    }

    #[rstest]
    #[case(0.2, "now")]
    #[case(3.9, "3 s ago")]
    #[case(99.0, "99 s ago")]
    #[case(150.0, "2 min ago")]
    #[case(7_200.0, "2 h ago")]
    #[case(260_000.0, "3 days ago")]
    fn ages(#[case] seconds: f64, #[case] expected: &str) {
        assert_eq!(ago(seconds), expected);
    }

    #[rstest]
    #[case(42.0, "in 42 s")]
    #[case(-42.0, "42 s ago")]
    #[case(0.0, "now")]
    fn moments(#[case] seconds: f64, #[case] expected: &str) {
        assert_eq!(when(seconds), expected);
    }

    #[rstest]
    #[case(0.000_42, "0.4 ms")]
    #[case(0.009_949, "9.9 ms")]
    #[case(0.009_96, "10 ms")]
    #[case(0.25, "250 ms")]
    #[case(1.25, "1.2 s")]
    #[case(31.0, "31 s")]
    fn latencies(#[case] seconds: f64, #[case] expected: &str) {
        assert_eq!(latency(seconds), expected);
    }

    #[test]
    fn counts_rates_sizes_and_dates() {
        assert_eq!(
            (many(1, "kind", "kinds"), many(2, "kind", "kinds")),
            ("1 kind".into(), "2 kinds".into())
        );
        assert_eq!((rate(0.25), rate(120.0)), ("0.2".into(), "120".into()));
        let shares = [0.0, 0.000_1, 0.004, 0.84, 1.0].map(percent);
        assert_eq!(shares, ["0 %", "0.0 %", "0.4 %", "84 %", "100 %"]);
        assert_eq!(megabytes(12_345_678.0), "12.3 MB");
        assert_eq!(date(1_795_435_200.0), "2026-11-23 12:00:00 UTC");
        assert_eq!(date(f64::MAX), "");
    }
}
