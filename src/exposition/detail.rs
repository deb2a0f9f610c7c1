//! Per-object series: the families of a kind, and what one object shows of them.
//!
//! What an object shows is kept as a [`Record`]: its own labels once, then a few bytes a sample. The
//! series' text is written from that, family by family, when it is asked for.

pub mod choice;
pub mod labels;
mod record;
pub mod resources;
pub mod texts;

use choice::{Choice, Chosen};
use record::Piece;
pub use record::Record;

use super::{catalogue::Stability, writer::label_value};

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
        record::labels(&mut bytes, &[Piece::Own(labels)]);
        for (at, sample) in samples.iter().enumerate() {
            let own = &text[sample.from..sample.to];
            let same = |other: &Sample| {
                other.family == sample.family && text[other.from..other.to] == *own
            };
            if samples[..at].iter().rev().take_while(|s| s.family == sample.family).any(same) {
                continue;
            }
            record::sample(&mut bytes, sample.family, &[Piece::Own(own)], sample.value);
        }
        Record::from(bytes)
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

#[cfg(test)]
mod tests;
