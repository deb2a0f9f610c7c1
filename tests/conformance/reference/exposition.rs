//! The per-object families of an exposition, so far as two of them can be compared.

use std::collections::{BTreeMap, BTreeSet, btree_map::Entry};

/// Name and labels.
type Series = (String, BTreeSet<(String, String)>);

/// The families that begin with `kube_`.
#[derive(Default)]
pub struct Exposition {
    types: BTreeMap<String, String>,
    /// Of series that stand twice, the first one.
    series: BTreeMap<Series, f64>,
    twice: Vec<Series>,
}

impl Exposition {
    /// Reads Prometheus' text format.
    ///
    /// # Panics
    /// Where a line is none.
    pub fn parse(text: &str) -> Self {
        let mut exposition = Self::default();
        // Escaped line feeds apart, a line is a sample.
        for line in text.split('\n') {
            if let Some(rest) = line.strip_prefix("# TYPE kube_") {
                let (name, kind) = rest.split_once(' ').expect("a type");
                exposition.types.insert(name.to_owned(), kind.to_owned());
            } else if let Some(rest) = line.strip_prefix("kube_") {
                let (series, value) = sample(rest).unwrap_or_else(|| panic!("no sample: {line:?}"));
                match exposition.series.entry(series) {
                    Entry::Occupied(known) => exposition.twice.push(known.key().clone()),
                    Entry::Vacant(place) => {
                        place.insert(value);
                    }
                }
            }
        }
        exposition
    }

    /// That no series stands there twice.
    ///
    /// # Panics
    /// With those that do.
    pub fn assert_once(&self) {
        assert!(self.twice.is_empty(), "they stand twice: {:?}", self.twice);
    }

    /// That both have the same families, of the same types, with the same series and values; how
    /// many series.
    ///
    /// # Errors
    /// How many differ, and some of them.
    pub fn equals(&self, theirs: &Self) -> Result<usize, String> {
        if self.types != theirs.types {
            return Err(format!("types: ours {:?}\ntheirs {:?}", self.types, theirs.types));
        }
        let value = |value: Option<&f64>| value.map(|value| value.to_bits());
        let all: BTreeSet<_> = self.series.keys().chain(theirs.series.keys()).collect();
        let pairs = all.iter().map(|series| (self.series.get(*series), theirs.series.get(*series)));
        let differing: Vec<_> = all
            .iter()
            .zip(pairs)
            .filter(|(_, (ours, theirs))| value(*ours) != value(*theirs))
            .map(|((name, labels), (ours, theirs))| {
                format!("kube_{name}{labels:?}: ours {ours:?}, theirs {theirs:?}")
            })
            .collect();
        match differing.as_slice() {
            [] => Ok(all.len()),
            some => Err(format!(
                "{} of {} series differ:\n{}",
                some.len(),
                all.len(),
                some[..some.len().min(20)].join("\n")
            )),
        }
    }
}

/// Reads `name{label="value",…} 1`.
fn sample(line: &str) -> Option<(Series, f64)> {
    let end = line.find(['{', ' '])?;
    let (name, mut rest) = line.split_at(end);
    let mut labels = BTreeSet::new();
    if let Some(inside) = rest.strip_prefix('{') {
        rest = inside;
        while !rest.starts_with('}') {
            let (label, behind) = rest.split_once("=\"")?;
            let (value, behind) = quoted(behind)?;
            labels.insert((label.to_owned(), value));
            rest = behind.strip_prefix(',').unwrap_or(behind);
        }
        rest = &rest[1..];
    }
    let value = rest.strip_prefix(' ')?.parse().ok()?;
    Some(((name.to_owned(), labels), value))
}

/// A label's value up to its quote, and what follows.
fn quoted(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut chars = text.char_indices();
    loop {
        let (at, c) = chars.next()?;
        match c {
            '"' => return Some((value, &text[at + 1..])),
            '\\' => match chars.next()?.1 {
                'n' => value.push('\n'),
                c @ ('\\' | '"') => value.push(c),
                _ => return None,
            },
            c => value.push(c),
        }
    }
}
