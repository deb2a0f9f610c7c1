//! Schedules as the controller of cron jobs reads them, and when they come round.
//!
//! The dialect is that of the standard parser of robfig/cron 3, which Kubernetes uses, to the
//! letter: what it takes and what it refuses, how days of the month and of the week go together,
//! and what becomes of hours that a change of clocks leaves out or repeats. Crates for cron
//! expressions have dialects of their own, with years or Sundays as 7, so that none will do.

mod next;
mod zone;

use zone::Zone;

/// When something is to happen, again and again.
#[derive(Debug)]
pub(super) struct Schedule {
    zone: Zone,
    rule: Rule,
}

#[derive(Debug, PartialEq)]
enum Rule {
    /// At minutes that match all of this.
    Fields(Fields),
    /// Every so many seconds.
    Every(i64),
}

#[derive(Clone, Copy, Debug, PartialEq)]
struct Fields {
    minute: Field,
    hour: Field,
    day: Field,
    month: Field,
    weekday: Field,
}

/// The numbers that match.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Field {
    /// A bit for each of them.
    bits: u64,
    /// Whether all of them are meant, by a star without a step.
    star: bool,
}

/// What a field can be.
struct Bounds {
    low: u32,
    high: u32,
    /// Names of the numbers from `low` on.
    names: &'static [&'static str],
}

const MINUTE: Bounds = Bounds { low: 0, high: 59, names: &[] };
const HOUR: Bounds = Bounds { low: 0, high: 23, names: &[] };
const DAY: Bounds = Bounds { low: 1, high: 31, names: &[] };
const MONTH: Bounds = Bounds {
    low: 1,
    high: 12,
    names: &["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"],
};
const WEEKDAY: Bounds =
    Bounds { low: 0, high: 6, names: &["sun", "mon", "tue", "wed", "thu", "fri", "sat"] };

impl Schedule {
    /// Reads a schedule, in its own time zone where it names one, else in UTC: that is the local
    /// time of a container. `None` where it is no schedule, or the time zone none that is known.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let zoned = text.strip_prefix("TZ=").or_else(|| text.strip_prefix("CRON_TZ="));
        let (zone, text) = match zoned {
            Some(rest) => {
                let (name, text) = rest.split_once(' ')?;
                (Zone::find(name)?, text.trim())
            }
            None => (Zone::utc(), text),
        };
        let rule = match text.strip_prefix('@') {
            Some(word) => word_rule(word)?,
            None => Rule::Fields(Fields::parse(text)?),
        };
        Some(Self { zone, rule })
    }

    /// The first time after this one, in seconds since 1970; `None` where there is none within
    /// five years.
    pub(super) fn next(&self, after: i64) -> Option<i64> {
        match &self.rule {
            Rule::Every(seconds) => after.checked_add(*seconds),
            Rule::Fields(fields) => next::next(fields, &self.zone, after),
        }
    }
}

/// The rule that a word behind an at sign stands for.
fn word_rule(word: &str) -> Option<Rule> {
    let fields = match word {
        "yearly" | "annually" => "0 0 1 1 *",
        "monthly" => "0 0 1 * *",
        "weekly" => "0 0 * * 0",
        "daily" | "midnight" => "0 0 * * *",
        "hourly" => "0 * * * *",
        _ => {
            let nanos = nanoseconds(word.strip_prefix("every ")?)?;
            return Some(Rule::Every((nanos / 1_000_000_000).max(1)));
        }
    };
    Fields::parse(fields).map(Rule::Fields)
}

impl Fields {
    fn parse(text: &str) -> Option<Self> {
        let mut words = text.split_whitespace();
        let mut field = |bounds| Field::parse(words.next()?, bounds);
        let fields = Self {
            minute: field(&MINUTE)?,
            hour: field(&HOUR)?,
            day: field(&DAY)?,
            month: field(&MONTH)?,
            weekday: field(&WEEKDAY)?,
        };
        words.next().is_none().then_some(fields)
    }
}

impl Field {
    /// A list of ranges; empty ones count for nothing.
    fn parse(text: &str, bounds: &Bounds) -> Option<Self> {
        let ranges = text.split(',').filter(|range| !range.is_empty());
        ranges.map(|range| Self::range(range, bounds)).try_fold(Self::default(), |all, one| {
            let one = one?;
            Some(Self { bits: all.bits | one.bits, star: all.star || one.star })
        })
    }

    /// `*`, `5`, `1-5`, each with `/2` behind it or not.
    fn range(text: &str, bounds: &Bounds) -> Option<Self> {
        let mut parts = text.split('/');
        let (range, step) = (parts.next()?, parts.next());
        let mut ends = range.split('-');
        let (low, high) = (ends.next()?, ends.next());
        let star = matches!(low, "*" | "?");
        if parts.next().is_some() || (!star && ends.next().is_some()) {
            return None;
        }
        let (from, to) = match (star, high) {
            (true, _) => (bounds.low, bounds.high),
            (false, Some(high)) => (bounds.number(low)?, bounds.number(high)?),
            (false, None) if step.is_some() => (bounds.number(low)?, bounds.high),
            (false, None) => (bounds.number(low)?, bounds.number(low)?),
        };
        let step = step.map_or(Some(1), number).filter(|step| *step > 0)?;
        if from < bounds.low || to > bounds.high || from > to {
            return None;
        }
        let bits = (from..=to).step_by(step).fold(0, |bits, n| bits | 1 << n);
        Some(Self { bits, star: star && step == 1 })
    }

    const fn has(self, number: i64) -> bool {
        self.bits & (1 << number) != 0
    }
}

impl Bounds {
    fn number(&self, text: &str) -> Option<u32> {
        let name = self.names.iter().position(|name| name.eq_ignore_ascii_case(text));
        match name.and_then(|at| u32::try_from(at).ok()) {
            Some(at) => Some(self.low + at),
            // What is too large for a number is too large for a field.
            None => u32::try_from(number(text)?).ok(),
        }
    }
}

/// As Go's `strconv.Atoi` reads it, where it is not negative.
fn number(text: &str) -> Option<usize> {
    text.parse::<i64>().ok().and_then(|number| usize::try_from(number).ok())
}

/// A duration such as `1h30m`, in nanoseconds (Go's `time.ParseDuration`).
fn nanoseconds(text: &str) -> Option<i64> {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    let mut rest = unsigned;
    let mut sum = 0_i64;
    while !rest.is_empty() && unsigned != "0" {
        let (whole, behind) = digits(rest);
        let point = behind.strip_prefix('.');
        let (fraction, behind) = point.map_or(("", behind), digits);
        if whole.is_empty() && fraction.is_empty() {
            return None;
        }
        let end = behind.find(|c: char| c == '.' || c.is_ascii_digit()).unwrap_or(behind.len());
        let unit = unit(&behind[..end])?;
        let whole: i64 = if whole.is_empty() { 0 } else { whole.parse().ok()? };
        sum = sum.checked_add(whole.checked_mul(unit)?)?.checked_add(part(fraction, unit))?;
        rest = &behind[end..];
    }
    let sum = if text.starts_with('-') { -sum } else { sum };
    (!unsigned.is_empty()).then_some(sum)
}

fn digits(text: &str) -> (&str, &str) {
    text.split_at(text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len()))
}

/// The digits behind a point, of a unit; the eighteen that can count.
fn part(digits: &str, unit: i64) -> i64 {
    let scaled = |(sum, scale), digit: u8| (sum + i64::from(digit - b'0') * scale, scale / 10);
    digits.bytes().take(18).fold((0, unit / 10), scaled).0
}

fn unit(name: &str) -> Option<i64> {
    Some(match name {
        "ns" => 1,
        "us" | "µs" | "μs" => 1_000,
        "ms" => 1_000_000,
        "s" => 1_000_000_000,
        "m" => 60_000_000_000,
        "h" => 3_600_000_000_000,
        _ => return None,
    })
}

#[cfg(test)]
mod tests;
