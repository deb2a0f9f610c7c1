//! Text of labels that many objects show, held once.

use std::{hash::BuildHasher, sync::Arc};

use hashbrown::{DefaultHashBuilder, HashTable};

use super::record::{Labels, Piece, Record, labels, pack};

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
    /// Texts that are looked at, to be written over.
    scratch: [Vec<u8>; 2],
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
            scratch: Default::default(),
        }
    }
}

impl Texts {
    /// The texts by their numbers.
    #[must_use]
    pub const fn all(&self) -> &Arc<Vec<Arc<[u8]>>> {
        &self.texts
    }

    /// What an object shows from now on instead of what it showed, with what it shares with others
    /// held once; and the families in which it reads otherwise, a bit each. Where there are none,
    /// what it showed stays.
    pub fn exchange(
        &mut self,
        old: Option<&Record>,
        new: Option<&Record>,
    ) -> (Option<Record>, u128) {
        if let (Some(old), Some(new)) = (old, new)
            && self.read_alike(old.own(), new.own())
        {
            let (record, changed) = self.renew(old, new);
            return (Some(record), changed);
        }
        let record = new.map(|new| self.share(new));
        if let Some(old) = old {
            self.forget(old.own());
            old.samples().for_each(|sample| self.forget(sample.labels));
        }
        (record, u128::MAX)
    }

    fn share(&mut self, record: &Record) -> Record {
        let mut out = Vec::with_capacity(record.size());
        self.write(&mut out, record.own());
        for sample in record.samples() {
            out.push(sample.family);
            self.write(&mut out, sample.labels);
            pack(&mut out, sample.value);
        }
        Record::from(out)
    }

    /// Most of what an object shows stays as it was: that is taken over as it stands, and only the
    /// rest is looked up.
    fn renew(&mut self, old: &Record, new: &Record) -> (Record, u128) {
        let mut out = Vec::with_capacity(old.size());
        out.extend_from_slice(old.own().bytes());
        let (mut changed, mut gone) = (0, Vec::new());
        let mut held = old.samples().peekable();
        for sample in new.samples() {
            while let Some(before) = held.next_if(|held| held.family < sample.family) {
                gone.push(before);
            }
            out.push(sample.family);
            match held.next_if(|held| held.family == sample.family) {
                Some(held) if self.read_alike(held.labels, sample.labels) => {
                    out.extend_from_slice(held.labels.bytes());
                    let same = held.value.to_bits() == sample.value.to_bits();
                    changed |= u128::from(!same) << sample.family;
                }
                other => {
                    self.write(&mut out, sample.labels);
                    changed |= 1 << sample.family;
                    gone.extend(other);
                }
            }
            pack(&mut out, sample.value);
        }
        for sample in gone.into_iter().chain(held) {
            changed |= 1 << sample.family;
            self.forget(sample.labels);
        }
        (Record::from(out), changed)
    }

    /// Whether labels that are held have the text of others, which share nothing.
    fn read_alike(&mut self, held: Labels<'_>, plain: Labels<'_>) -> bool {
        let [one, other] = &mut self.scratch;
        one.clear();
        other.clear();
        held.write(&self.texts, one);
        plain.write(&[], other);
        one == other
    }

    /// Writes labels in pieces, with what is shared held once.
    fn write(&mut self, out: &mut Vec<u8>, plain: Labels<'_>) {
        let mut text = std::mem::take(&mut self.scratch[0]);
        text.clear();
        plain.write(&[], &mut text);
        labels(out, &self.pieces(&text));
        self.scratch[0] = text;
    }

    /// These labels are not held any more.
    fn forget(&mut self, labels: Labels<'_>) {
        labels.shared(|number| {
            let Some(count) = self.counts.get_mut(number as usize) else { return };
            *count = count.saturating_sub(1);
            if *count > 0 {
                return;
            }
            let hash = self.hasher.hash_one(&*self.texts[number as usize]);
            if let Ok(held) = self.numbers.find_entry(hash, |held| *held == number) {
                held.remove();
                Arc::make_mut(&mut self.texts)[number as usize] = Arc::default();
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
        let mut at = 0;
        for family in 0..4 {
            at = record.write(family, "f", record.find(family, at), texts, &mut out);
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
        /// Records read as they did before, whatever they share; what was not changed is not told
        /// to be, whatever is shared by then; and what none has any more is free.
        #[test]
        fn what_is_shared_reads_the_same(
            objects in prop::collection::vec((labels(), prop::collection::vec(0_u8..3, 0..4)), 1..40),
            gone in prop::collection::vec(0_u8..3, 40),
        ) {
            let mut texts = Texts::default();
            let mut held: Vec<(Record, String)> = Vec::new();
            let mut scrape = None;
            for (at, (labels, values)) in objects.iter().enumerate() {
                let plain = record(labels, values);
                let one = text(&plain, &[]);
                // One more, in place of another, or another goes too.
                let old = (gone[at] > 0).then(|| held.pop()).flatten().map(|(old, _)| old);
                let old = match gone[at] {
                    2 => {
                        let (none, _) = texts.exchange(old.as_ref(), None);
                        prop_assert!(none.is_none());
                        None
                    }
                    _ => old,
                };
                let (shared, _) = texts.exchange(old.as_ref(), Some(&plain));
                let shared = shared.expect("a record");
                prop_assert_eq!(&text(&shared, texts.all()), &one);
                let (same, changed) = texts.exchange(Some(&shared), Some(&plain));
                prop_assert_eq!((same.as_ref(), changed), (Some(&shared), 0));
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
                texts.exchange(Some(record), None);
            }
            prop_assert!(texts.numbers.is_empty());
            prop_assert_eq!(texts.free.len(), texts.counts.len());
            prop_assert!(texts.all().iter().all(|text| text.is_empty()));
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
