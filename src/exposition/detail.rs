//! Per-object series: the families of a kind, and what one object shows of them.
//!
//! What an object shows is kept as a [`Record`]: the text of its own labels once, then a few bytes
//! a sample. The series' text is written from that, family by family, when it is asked for.

pub mod choice;
pub mod labels;
pub mod resources;

use std::{fmt, sync::Arc};

use choice::{Choice, Chosen};

use super::{
    Value,
    catalogue::Stability,
    writer::{label_value, number},
};

/// One family of per-object series, of the name and shape that kube-state-metrics gives it.
#[derive(Debug)]
pub struct Family {
    /// The full name.
    pub name: &'static str,
    /// Whether it is a counter; a gauge otherwise.
    pub counter: bool,
    /// One sentence or more, ending in a full stop.
    pub help: &'static str,
    /// Whether it can be relied on.
    pub stability: Stability,
    /// Whether it is shown only where it is asked for.
    pub opt_in: bool,
}

impl Family {
    /// Its type, as `# TYPE` has it.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        if self.counter { "counter" } else { "gauge" }
    }
}

/// What of objects is shown: which families, and what of labels and annotations.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Extra {
    /// The labels shown by the family of labels.
    pub labels: Names,
    /// The annotations shown by the family of annotations.
    pub annotations: Names,
    /// The families.
    pub families: Choice,
}

/// Names of labels or annotations, as they stand at the object.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Names {
    /// None of them.
    #[default]
    None,
    /// These, in this order.
    Some(Vec<String>),
    /// All of them.
    All,
}

impl Names {
    /// Whether the one of this name is shown.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        match self {
            Self::None => false,
            Self::Some(names) => names.iter().any(|known| known == name),
            Self::All => true,
        }
    }
}

/// Declares the families of a kind, in the order of the exposition.
///
/// `families!(/// Docs. pub enum Pod { Info = "kube_pod_info", gauge, Stable, "Help."; … })` gives
/// the enum, whose values name a family to [`Samples::add`], and `Pod::FAMILIES`. `opt_in` after
/// the stability makes it one that has to be asked for.
macro_rules! families {
    ($(#[$meta:meta])* pub enum $name:ident {
        $($variant:ident = $text:literal, $kind:ident, $stability:ident $($opt_in:ident)?,
            $help:literal;)+
    }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[repr(u8)]
        pub enum $name { $(#[doc = $help] $variant),+ }

        impl $name {
            /// Every family, in the order of the exposition.
            pub const FAMILIES: &'static [$crate::exposition::detail::Family] = &[$(
                $crate::exposition::detail::Family {
                    name: $text,
                    counter: $crate::exposition::detail::is_counter(stringify!($kind)),
                    help: $help,
                    stability: $crate::exposition::catalogue::Stability::$stability,
                    opt_in: $crate::exposition::detail::is_opt_in(stringify!($($opt_in)?)),
                }
            ),+];
        }

        impl From<$name> for u8 {
            fn from(family: $name) -> Self {
                family as Self
            }
        }
    };
}
pub(crate) use families;

/// For the macro: whether the word says counter.
#[must_use]
pub const fn is_counter(kind: &str) -> bool {
    matches!(kind.as_bytes(), b"counter")
}

/// For the macro: whether the word says so.
#[must_use]
pub const fn is_opt_in(word: &str) -> bool {
    matches!(word.as_bytes(), b"opt_in")
}

/// The samples of one object in the making; used again for the next object.
#[derive(Debug, Default)]
pub struct Samples {
    chosen: Chosen,
    labels: Vec<u8>,
    text: Vec<u8>,
    samples: Vec<Sample>,
}

#[derive(Debug)]
struct Sample {
    family: u8,
    /// Where its labels are in the text.
    from: usize,
    to: usize,
    value: f64,
}

impl Samples {
    /// Of these families; of the others nothing is kept.
    #[must_use]
    pub fn of(chosen: Chosen) -> Self {
        Self { chosen, ..Self::default() }
    }

    /// Begins an object whose own labels are these: they stand in each of its series.
    pub fn begin(&mut self, labels: &[(&str, &str)]) {
        self.labels.clear();
        self.text.clear();
        self.samples.clear();
        write_labels(&mut self.labels, labels);
    }

    /// Adds a sample, with labels beside the object's own.
    pub fn add(&mut self, family: impl Into<u8>, labels: &[(&str, &str)], value: f64) {
        let family = family.into();
        if !self.chosen.has(family) {
            return;
        }
        let from = self.text.len();
        write_labels(&mut self.text, labels);
        let to = self.text.len();
        self.samples.push(Sample { family, from, to, value });
    }

    /// Adds a sample where there is a value.
    pub fn maybe(&mut self, family: impl Into<u8>, value: Option<f64>) {
        if let Some(value) = value {
            self.add(family, &[], value);
        }
    }

    /// What the object shows. Of samples of the same series the first one counts: two would make
    /// the whole exposition invalid.
    pub fn end(&mut self) -> Record {
        let Self { labels, text, samples, .. } = self;
        samples.sort_by_key(|sample| sample.family);
        let mut bytes = Vec::with_capacity(labels.len() + text.len() + 8 * samples.len());
        length(&mut bytes, labels.len());
        bytes.extend_from_slice(labels);
        for (at, sample) in samples.iter().enumerate() {
            let own = &text[sample.from..sample.to];
            let same = |other: &Sample| {
                other.family == sample.family && text[other.from..other.to] == *own
            };
            if samples[..at].iter().rev().take_while(|s| s.family == sample.family).any(same) {
                continue;
            }
            bytes.push(sample.family);
            length(&mut bytes, own.len());
            bytes.extend_from_slice(own);
            pack(&mut bytes, sample.value);
        }
        Record(bytes.into())
    }
}

fn write_labels(out: &mut Vec<u8>, labels: &[(&str, &str)]) {
    for (name, value) in labels {
        out.push(b',');
        out.extend_from_slice(name.as_bytes());
        out.extend_from_slice(b"=\"");
        label_value(out, value);
        out.push(b'"');
    }
}

/// What one object shows; shared with the scrapes under way.
#[derive(Clone, PartialEq, Eq)]
pub struct Record(Arc<[u8]>);

impl fmt::Debug for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes", self.0.len())
    }
}

impl Record {
    /// How many bytes it holds.
    #[must_use]
    pub fn size(&self) -> usize {
        self.0.len()
    }

    /// Where its first sample stands.
    #[must_use]
    pub fn first(&self) -> usize {
        let (length, at) = read_length(&self.0, 0);
        at + length
    }

    /// Writes the samples of a family, which stand at `at` or behind it; gives where those of the
    /// next family stand.
    pub fn write(&self, family: u8, name: &str, mut at: usize, out: &mut Vec<u8>) -> usize {
        let (length, from) = read_length(&self.0, 0);
        let labels = &self.0[from..from + length];
        while let Some(sample) = self.read(at).filter(|sample| sample.family <= family) {
            if sample.family == family {
                write_series(out, name, labels, sample.labels);
                number(out, Value::Float(sample.value));
                out.push(b'\n');
            }
            at = sample.next;
        }
        at
    }

    /// The families in which it differs from another record, a bit each.
    #[must_use]
    pub fn changed(&self, other: &Self) -> u128 {
        let (labels, others) = (self.first(), other.first());
        if self.0[..labels] != other.0[..others] {
            return u128::MAX;
        }
        let (mut changed, mut a, mut b) = (0, labels, others);
        loop {
            let (left, right) = (self.read(a), other.read(b));
            let family = match (&left, &right) {
                (None, None) => return changed,
                (Some(one), None) | (None, Some(one)) => one.family,
                (Some(left), Some(right)) => left.family.min(right.family),
            };
            let left = self.skip(family, a);
            let right = other.skip(family, b);
            if self.0[a..left] != other.0[b..right] {
                changed |= 1 << family;
            }
            (a, b) = (left, right);
        }
    }

    /// Where the samples behind those of a family begin.
    fn skip(&self, family: u8, mut at: usize) -> usize {
        while let Some(sample) = self.read(at).filter(|sample| sample.family <= family) {
            at = sample.next;
        }
        at
    }

    fn read(&self, at: usize) -> Option<Packed<'_>> {
        let family = *self.0.get(at)?;
        let (length, from) = read_length(&self.0, at + 1);
        let labels = &self.0[from..from + length];
        let (value, next) = unpack(&self.0, from + length);
        Some(Packed { family, labels, value, next })
    }
}

struct Packed<'a> {
    family: u8,
    labels: &'a [u8],
    value: f64,
    next: usize,
}

fn write_series(out: &mut Vec<u8>, name: &str, labels: &[u8], more: &[u8]) {
    out.extend_from_slice(name.as_bytes());
    out.push(b'{');
    // Both begin with a comma.
    match labels.split_first() {
        Some((_, labels)) => {
            out.extend_from_slice(labels);
            out.extend_from_slice(more);
        }
        None => out.extend_from_slice(more.get(1..).unwrap_or_default()),
    }
    out.extend_from_slice(b"} ");
}

/// Lengths up to 127 take a byte.
fn length(out: &mut Vec<u8>, mut length: usize) {
    while length > 0x7f {
        out.push(0x80 | (length & 0x7f).to_le_bytes()[0]);
        length >>= 7;
    }
    out.push(length.to_le_bytes()[0]);
}

fn read_length(bytes: &[u8], mut at: usize) -> (usize, usize) {
    let (mut length, mut shift) = (0, 0);
    while let Some(byte) = bytes.get(at) {
        at += 1;
        length |= usize::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            break;
        }
        shift += 7;
    }
    (length, at)
}

/// Small whole numbers take a byte, times five, the others nine.
const WHOLE: u8 = 254;
const FLOAT: u8 = 255;

fn pack(out: &mut Vec<u8>, value: f64) {
    let whole = value as u32;
    match whole {
        _ if f64::from(whole).to_bits() != value.to_bits() => {
            out.push(FLOAT);
            out.extend_from_slice(&value.to_le_bytes());
        }
        small if small < u32::from(WHOLE) => out.push(small.to_le_bytes()[0]),
        whole => {
            out.push(WHOLE);
            out.extend_from_slice(&whole.to_le_bytes());
        }
    }
}

fn unpack(bytes: &[u8], at: usize) -> (f64, usize) {
    let rest = bytes.get(at..).unwrap_or_default();
    match rest.split_first() {
        Some((&FLOAT, rest)) => {
            (rest.first_chunk().map_or(f64::NAN, |value| f64::from_le_bytes(*value)), at + 9)
        }
        Some((&WHOLE, rest)) => {
            let whole = rest.first_chunk().map_or(0, |value| u32::from_le_bytes(*value));
            (whole.into(), at + 5)
        }
        Some((&small, _)) => (small.into(), at + 1),
        None => (f64::NAN, at + 1),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn text(record: &Record, families: u8) -> String {
        let mut out = Vec::new();
        let mut at = record.first();
        for family in 0..families {
            at = record.write(family, &format!("f{family}"), at, &mut out);
        }
        String::from_utf8(out).expect("UTF-8")
    }

    #[test]
    fn an_object_is_written_family_by_family() {
        let mut samples = Samples::default();
        samples.begin(&[("namespace", "shop"), ("pod", "a\"b")]);
        samples.add(1, &[("container", "app")], 1.0);
        samples.add(0, &[], 1_795_454_721.0);
        samples.add(1, &[("container", "log")], 0.25);
        samples.add(1, &[("container", "app")], 7.0);
        samples.maybe(2, None);
        let record = samples.end();
        assert_eq!(
            text(&record, 3),
            "f0{namespace=\"shop\",pod=\"a\\\"b\"} 1795454721\n\
             f1{namespace=\"shop\",pod=\"a\\\"b\",container=\"app\"} 1\n\
             f1{namespace=\"shop\",pod=\"a\\\"b\",container=\"log\"} 0.25\n"
        );
    }

    #[test]
    fn of_families_that_are_not_chosen_nothing_is_kept() {
        let families = [true, false, true].map(|opt_in| Family {
            name: "f",
            counter: false,
            help: "Help.",
            stability: Stability::Stable,
            opt_in,
        });
        let record = |mut samples: Samples| {
            samples.begin(&[("pod", "a")]);
            for family in 0..3_u8 {
                samples.add(family, &[("l", "x")], 1.0);
                samples.names(family, "label", [("b", "2")].into_iter(), &Names::All);
            }
            samples.end()
        };
        let (all, some) =
            (record(Samples::default()), record(Samples::of(Choice::default().of(&families))));
        assert_eq!(text(&some, 3), "f1{pod=\"a\",l=\"x\"} 1\nf1{pod=\"a\",label_b=\"2\"} 1\n");
        assert!(some.size() < all.size());
    }

    #[test]
    fn an_object_without_labels_has_those_of_its_samples() {
        let mut samples = Samples::default();
        samples.begin(&[]);
        samples.add(0, &[("a", "b")], -1.0);
        assert_eq!(text(&samples.end(), 1), "f0{a=\"b\"} -1\n");
    }

    fn record(samples: &[(u8, String, f64)]) -> Record {
        let mut out = Samples::default();
        out.begin(&[("pod", "a")]);
        for (family, label, value) in samples {
            out.add(*family, &[("l", label)], *value);
        }
        out.end()
    }

    prop_compose! {
        fn sample()(family in 0_u8..6, label in ".{0,200}", value in prop_oneof![
            Just(0.0), Just(253.0), Just(254.0), Just(f64::MAX), (0_u32..).prop_map(f64::from), any::<f64>(),
        ]) -> (u8, String, f64) {
            (family, label, value)
        }
    }

    proptest! {
        #[test]
        fn every_value_comes_back(value in any::<f64>()) {
            let mut bytes = Vec::new();
            pack(&mut bytes, value);
            let (back, at) = unpack(&bytes, 0);
            prop_assert_eq!(back.to_bits(), value.to_bits());
            prop_assert_eq!(at, bytes.len());
        }

        #[test]
        fn what_has_changed_is_what_reads_otherwise(
            a in prop::collection::vec(sample(), 0..12),
            b in prop::collection::vec(sample(), 0..12),
        ) {
            let (a, b) = (record(&a), record(&b));
            let changed = a.changed(&b);
            prop_assert_eq!(changed, b.changed(&a));
            for family in 0..6 {
                let one = |record: &Record| {
                    let mut out = Vec::new();
                    record.write(family, "f", record.first(), &mut out);
                    out
                };
                prop_assert_eq!(changed & (1 << family) != 0, one(&a) != one(&b));
            }
        }
    }
}
