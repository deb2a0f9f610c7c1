//! Text of labels that many objects show, held once.

use std::{hash::BuildHasher, sync::Arc};

use hashbrown::{DefaultHashBuilder, HashTable};

use super::record::{Piece, Record, labels};

/// A text that is shorter takes no more than its number does.
const SHORTEST: usize = 4;
/// Longer ones are hardly ever the same.
const LONGEST: usize = 256;
/// So many hexadecimal digits together are a digest or an id.
const DIGITS: usize = 16;
/// How many texts are remembered as met.
const MET: usize = 1 << 12;

/// The texts that the records of a resource share. A text is shared once it is met again while it
/// is remembered, and until no record has it any more.
#[derive(Debug)]
pub struct Texts {
    /// Copied where a scrape under way still has it.
    texts: Arc<Vec<Arc<[u8]>>>,
    /// How many labels have each text.
    counts: Vec<u32>,
    free: Vec<u32>,
    numbers: HashTable<u32>,
    hasher: DefaultHashBuilder,
    /// Hashes of texts that were met and are not shared.
    met: Box<[u32]>,
}

impl Default for Texts {
    fn default() -> Self {
        Self {
            texts: Arc::default(),
            counts: Vec::new(),
            free: Vec::new(),
            numbers: HashTable::new(),
            hasher: DefaultHashBuilder::default(),
            met: vec![0; MET].into(),
        }
    }
}

impl Texts {
    /// The texts by their numbers.
    #[must_use]
    pub const fn all(&self) -> &Arc<Vec<Arc<[u8]>>> {
        &self.texts
    }

    /// The record, with what it shares with others held once.
    pub fn share(&mut self, record: &Record) -> Record {
        record.rewritten(&[], |out, text| labels(out, &self.pieces(text)))
    }

    /// The record is not held any more.
    pub fn forget(&mut self, record: &Record) {
        record.shared(|number| {
            let Some(count) = self.counts.get_mut(number as usize) else { return };
            *count = count.saturating_sub(1);
            if *count > 0 {
                return;
            }
            let hash = self.hasher.hash_one(&*self.texts[number as usize]);
            if let Ok(held) = self.numbers.find_entry(hash, |held| *held == number) {
                held.remove();
                self.free.push(number);
            }
        });
    }

    /// A text in pieces: as a whole where it is shared, else label by label.
    fn pieces<'t>(&mut self, text: &'t [u8]) -> Vec<Piece<'t>> {
        let mut pieces = Vec::new();
        if let Some(number) = self.number(text) {
            pieces.push(Piece::Shared(number));
            return pieces;
        }
        let (mut from, mut at) = (0, 0);
        while at < text.len() {
            let end = end_of_label(text, at);
            // One that is all of the text was asked for.
            if let Some(number) =
                (end - at < text.len()).then(|| self.number(&text[at..end])).flatten()
            {
                own(&mut pieces, &text[from..at]);
                pieces.push(Piece::Shared(number));
                from = end;
            }
            at = end;
        }
        own(&mut pieces, &text[from..]);
        if pieces.is_empty() {
            pieces.push(Piece::Own(&[]));
        }
        pieces
    }

    /// The number of a text if it is shared, which is one more label that has it.
    fn number(&mut self, text: &[u8]) -> Option<u32> {
        if !(SHORTEST..=LONGEST).contains(&text.len()) {
            return None;
        }
        let hash = self.hasher.hash_one(text);
        let texts = &self.texts;
        if let Some(number) = self.numbers.find(hash, |held| *texts[*held as usize] == *text) {
            self.counts[*number as usize] += 1;
            return Some(*number);
        }
        let mark = (hash >> 32) as u32 | 1;
        let met = &mut self.met[hash as usize % MET];
        if *met != mark {
            *met = mark;
            return None;
        }
        self.keep(text, hash)
    }

    /// Shares a text from now on.
    fn keep(&mut self, text: &[u8], hash: u64) -> Option<u32> {
        let texts = Arc::make_mut(&mut self.texts);
        let number = match self.free.pop() {
            Some(number) => {
                texts[number as usize] = text.into();
                self.counts[number as usize] = 1;
                number
            }
            None => {
                let number = u32::try_from(texts.len()).ok()?;
                texts.push(text.into());
                self.counts.push(1);
                number
            }
        };
        let hasher = &self.hasher;
        self.numbers.insert_unique(hash, number, |held| hasher.hash_one(&*texts[*held as usize]));
        Some(number)
    }
}

/// Where a label of a text ends. Behind a quote that is escaped it does not; to take it for the end
/// would part a value, which is no harm.
fn end_of_label(text: &[u8], at: usize) -> usize {
    text[at..].windows(2).position(|pair| pair == b"\",").map_or(text.len(), |end| at + end + 1)
}

/// Text that is not shared, with its digits packed.
fn own<'t>(pieces: &mut Vec<Piece<'t>>, text: &'t [u8]) {
    let is_digit = |byte: &u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    let (mut from, mut at) = (0, 0);
    for run in text.chunk_by(|a, b| is_digit(a) == is_digit(b)) {
        let digits = run.len() & !1;
        if is_digit(&run[0]) && digits >= DIGITS {
            if from < at {
                pieces.push(Piece::Own(&text[from..at]));
            }
            pieces.push(Piece::Digits(&text[at..at + digits]));
            from = at + digits;
        }
        at += run.len();
    }
    if from < text.len() {
        pieces.push(Piece::Own(&text[from..]));
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::exposition::detail::Samples;

    fn record(labels: &[(String, String)], values: &[u8]) -> Record {
        let labels: Vec<_> = labels.iter().map(|(name, value)| (&**name, &**value)).collect();
        let mut samples = Samples::default();
        samples.begin(&labels);
        for (family, value) in (0_u8..).zip(values) {
            samples.add(family, &[("a", "same"), ("value", &value.to_string())], 1.0);
            samples.add(family, &labels, f64::from(*value));
        }
        samples.end()
    }

    fn text(record: &Record, texts: &[Arc<[u8]>]) -> String {
        let mut out = Vec::new();
        let mut at = record.first();
        for family in 0..4 {
            at = record.write(family, "f", at, texts, &mut out);
        }
        String::from_utf8(out).expect("UTF-8")
    }

    prop_compose! {
        fn labels()(labels in prop::collection::vec(
            ("[ab]{1,2}", "[a-c]|[0-9a-f]{0,70}|.{0,9}|\",\""), 0..4,
        )) -> Vec<(String, String)> {
            labels
        }
    }

    proptest! {
        /// Records read as they did before, whatever they share; what changed is seen whatever is
        /// shared by then; and what none has any more is free.
        #[test]
        fn what_is_shared_reads_the_same(
            objects in prop::collection::vec((labels(), prop::collection::vec(0_u8..3, 0..4)), 1..40),
            gone in prop::collection::vec(any::<bool>(), 40),
        ) {
            let mut texts = Texts::default();
            let mut held: Vec<(Record, String)> = Vec::new();
            let mut scrape = None;
            for (at, (labels, values)) in objects.iter().enumerate() {
                let plain = record(labels, values);
                let shared = texts.share(&plain);
                let (one, two) = (text(&plain, &[]), text(&shared, texts.all()));
                prop_assert_eq!(&one, &two);
                prop_assert_eq!(plain.changed(&shared, texts.all()), 0);
                if gone[at] && let Some((old, _)) = held.pop() {
                    texts.forget(&old);
                }
                held.push((shared, one));
                if at == objects.len() / 2 {
                    scrape = Some((Arc::clone(texts.all()), held.clone()));
                }
            }
            if let Some((texts, held)) = scrape {
                for (record, expected) in &held {
                    prop_assert_eq!(&text(record, &texts), expected);
                }
            }
            for (record, expected) in &held {
                prop_assert_eq!(&text(record, texts.all()), expected);
                texts.forget(record);
            }
            prop_assert!(texts.numbers.is_empty());
            prop_assert_eq!(texts.free.len(), texts.counts.len());
        }
    }

    #[test]
    fn what_repeats_is_held_once() {
        let mut samples = Samples::default();
        let mut record = |uid: u128| {
            samples.begin(&[("namespace", "shop"), ("uid", &format!("{uid:032x}"))]);
            let image = ("image", "registry.example.com/shop/cart:v1");
            (0..4_u8).for_each(|family| samples.add(family, &[image, ("name", "cart")], 1.0));
            samples.end()
        };
        let mut texts = Texts::default();
        let sizes: Vec<_> = (0..100).map(|uid| texts.share(&record(uid)).size()).collect();
        assert!(sizes[2] * 4 < record(2).size(), "{sizes:?}");
        assert_eq!(sizes[2], sizes[99]);
        assert!(texts.counts.len() < 10, "{} texts", texts.counts.len());
    }
}
