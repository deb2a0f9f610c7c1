//! The per-object series of a resource: records in chunks, each chunk with its compressed text by
//! family, so that a scrape costs what has changed and not what exists.
//!
//! Whoever writes holds [`Details`]; a scrape takes a [`Snapshot`], which is a handle a chunk, and
//! writes from it while the next change is made to a copy.
//!
//! What has changed is compressed by the scrape that finds it so. To do that beforehand would cost
//! more: changes come to all chunks all the time, scrapes seldom, and a block that changes ten times
//! between two scrapes is compressed once. It has to be fast, which [`super::deflate`] sees to.

use std::{
    cmp::Reverse,
    collections::BinaryHeap,
    sync::{Arc, OnceLock},
};

use super::{
    detail::{Family, Record, choice::Chosen, texts::Texts},
    gzip::Block,
};

/// Objects a chunk: small enough that a change compresses little again, large enough that
/// compression finds what repeats.
const CHUNK: usize = 256;

/// What the objects of a resource show.
#[derive(Debug)]
pub struct Details {
    families: &'static [Family],
    chosen: Chosen,
    chunks: Vec<Arc<Chunk>>,
    texts: Texts,
    /// Places of objects that are gone, the lowest first: so the last chunks empty, and go.
    free: BinaryHeap<Reverse<Slot>>,
}

/// The place of one object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Slot(u32);

impl Slot {
    fn parts(self) -> (usize, usize) {
        let slot = usize::try_from(self.0).unwrap_or(usize::MAX);
        (slot / CHUNK, slot % CHUNK)
    }
}

/// Some objects together.
#[derive(Clone, Debug)]
struct Chunk {
    records: Vec<Option<Record>>,
    /// The compressed text of each family, once it was asked for.
    blocks: Vec<OnceLock<Block>>,
}

/// What the objects showed at one moment.
#[derive(Clone, Debug)]
pub struct Snapshot {
    families: &'static [Family],
    chosen: Chosen,
    chunks: Vec<Arc<Chunk>>,
    texts: Arc<Vec<Arc<[u8]>>>,
}

impl Details {
    /// Nothing yet, of a kind's families those that are chosen.
    #[must_use]
    pub fn new(families: &'static [Family], chosen: Chosen) -> Self {
        let (texts, free) = (Texts::default(), BinaryHeap::new());
        Self { families, chosen, chunks: Vec::new(), texts, free }
    }

    /// Takes in a new object; gives its place.
    pub fn insert(&mut self, record: Record) -> Slot {
        let slot = self.free.pop().map_or_else(|| self.grow(), |Reverse(slot)| slot);
        self.put(slot, Some(record));
        slot
    }

    /// Takes an object's new state.
    pub fn replace(&mut self, slot: Slot, record: Record) {
        self.put(slot, Some(record));
    }

    /// Forgets an object; its place is for the next one.
    pub fn remove(&mut self, slot: Slot) {
        self.put(slot, None);
        self.free.push(Reverse(slot));
        if slot.parts().0 + 1 == self.chunks.len() {
            self.give_back();
        }
    }

    /// Gives back the last chunks that are empty.
    fn give_back(&mut self) {
        let held = self.chunks.iter().rposition(|chunk| !chunk.is_empty());
        let held = held.map_or(0, |last| last + 1);
        if held < self.chunks.len() {
            self.chunks.truncate(held);
            self.free.retain(|Reverse(slot)| slot.parts().0 < held);
            self.free.shrink_to(2 * self.free.len());
        }
    }

    fn grow(&mut self) -> Slot {
        let last = self.chunks.len().saturating_sub(1);
        let room = self.chunks.last().is_some_and(|chunk| chunk.records.len() < CHUNK);
        let chunk = if room { last } else { self.chunks.len() };
        if !room {
            self.chunks.push(Arc::new(Chunk::new(self.families.len())));
        }
        let records = &mut Arc::make_mut(&mut self.chunks[chunk]).records;
        records.push(None);
        Slot(u32::try_from(chunk * CHUNK + records.len() - 1).unwrap_or(u32::MAX))
    }

    fn put(&mut self, slot: Slot, record: Option<Record>) {
        let (chunk, at) = slot.parts();
        let Some(chunk) = self.chunks.get_mut(chunk) else { return };
        let (record, changed) = self.texts.exchange(chunk.records[at].as_ref(), record.as_ref());
        if changed == 0 {
            return;
        }
        let chunk = Arc::make_mut(chunk);
        chunk.records[at] = record;
        for (family, block) in chunk.blocks.iter_mut().enumerate() {
            if changed & (1 << family) != 0 {
                *block = OnceLock::new();
            }
        }
    }

    /// What the objects show now.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        let texts = Arc::clone(self.texts.all());
        Snapshot {
            families: self.families,
            chosen: self.chosen,
            chunks: self.chunks.clone(),
            texts,
        }
    }
}

impl Chunk {
    fn new(families: usize) -> Self {
        Self { records: Vec::with_capacity(CHUNK), blocks: vec![OnceLock::new(); families] }
    }

    fn is_empty(&self) -> bool {
        self.records.iter().all(Option::is_none)
    }

    /// Writes the text of a family. `places` are those that the families before it left behind.
    fn write(
        &self,
        family: u8,
        name: &str,
        texts: &[Arc<[u8]>],
        places: &mut Vec<usize>,
        out: &mut Vec<u8>,
    ) {
        places.resize(self.records.len(), 0);
        let records = || self.records.iter().map(Option::as_ref);
        // All are looked at before any is written: where they stand is far from each other, and so
        // the processor waits for several at once.
        for (record, place) in records().zip(&mut *places) {
            *place = record.map_or(0, |record| record.find(family, *place));
        }
        for (record, place) in records().zip(places) {
            *place = record.map_or(0, |record| record.write(family, name, *place, texts, out));
        }
    }
}

/// How far a snapshot's records were written: families are written in their order, and each goes
/// on where the one before it ended.
#[derive(Clone, Debug, Default)]
pub struct Places {
    chunks: Vec<Vec<usize>>,
    /// The length of the last piece that was written: the next one is about as long.
    length: usize,
}

impl Snapshot {
    /// The families that are shown, and their numbers.
    pub fn families(&self) -> impl Iterator<Item = (u8, &'static Family)> + use<> {
        let chosen = self.chosen;
        (0..).zip(self.families).filter(move |(number, _)| chosen.has(*number))
    }

    /// How many pieces the text of a family comes in.
    #[must_use]
    pub fn pieces(&self) -> usize {
        self.chunks.len()
    }

    /// A piece of a family's text. Families are asked for in their order, with the same places.
    #[must_use]
    pub fn text(&self, family: u8, piece: usize, places: &mut Places) -> Vec<u8> {
        places.chunks.resize_with(self.chunks.len(), Vec::new);
        let mut out = Vec::with_capacity(places.length + places.length / 8);
        let chunk = self.chunks.get(piece).zip(self.families.get(usize::from(family)));
        if let Some(((chunk, of), places)) = chunk.zip(places.chunks.get_mut(piece)) {
            chunk.write(family, of.name, &self.texts, places, &mut out);
        }
        places.length = out.len();
        out
    }

    /// The same piece, compressed; what was compressed before is there at once.
    #[must_use]
    pub fn block(&self, family: u8, piece: usize, places: &mut Places) -> Option<&Block> {
        let block = self.chunks.get(piece)?.blocks.get(usize::from(family))?;
        Some(block.get_or_init(|| Block::series(&self.text(family, piece, places))))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;
    use crate::exposition::{catalogue::Stability, detail::Samples};

    static FAMILIES: &[Family] = &[
        Family {
            name: "f0",
            counter: false,
            help: "One.",
            stability: Stability::Stable,
            opt_in: false,
        },
        Family {
            name: "f1",
            counter: false,
            help: "Two.",
            stability: Stability::Stable,
            opt_in: false,
        },
    ];

    fn record(name: u16, values: [u8; 2]) -> Record {
        let mut samples = Samples::default();
        samples.begin(&[("name", &name.to_string())]);
        for (family, value) in (0_u8..).zip(values) {
            samples.add(family, &[], value.into());
        }
        samples.end()
    }

    fn inflated(block: &Block) -> Vec<u8> {
        use std::io::Read;
        let mut stream = block.bytes.to_vec();
        stream.extend_from_slice(&[3, 0]);
        let mut text = Vec::new();
        flate2::read::DeflateDecoder::new(stream.as_slice()).read_to_end(&mut text).expect("whole");
        text
    }

    proptest! {
        /// Whatever comes, changes and goes: text and blocks show what is there, and a snapshot
        /// taken before shows what was there.
        #[test]
        fn shows_what_is_there(
            moves in prop::collection::vec((0_u16..600, any::<Option<[u8; 2]>>()), 0..1_200),
            look in 0_usize..1_200,
        ) {
            let mut details = Details::new(FAMILIES, Chosen::default());
            let mut model = BTreeMap::new();
            let mut slots = BTreeMap::new();
            let mut before = None;
            for (at, (name, values)) in moves.into_iter().enumerate() {
                if at == look {
                    before = Some((details.snapshot(), model.clone()));
                }
                match (values, slots.get(&name).copied()) {
                    (Some(values), Some(slot)) => details.replace(slot, record(name, values)),
                    (Some(values), None) => {
                        slots.insert(name, details.insert(record(name, values)));
                    }
                    (None, Some(slot)) => {
                        details.remove(slot);
                        slots.remove(&name);
                    }
                    (None, None) => {}
                }
                match values {
                    Some(values) => model.insert(name, values),
                    None => model.remove(&name),
                };
                if at % 97 == 0 {
                    // Fills blocks, which later changes must make void.
                    let snapshot = details.snapshot();
                    for piece in 0..snapshot.pieces() {
                        prop_assert!(snapshot.block(1, piece, &mut Places::default()).is_some());
                    }
                }
            }
            let now = (details.snapshot(), model);
            for (snapshot, model) in before.iter().chain([&now]) {
                let [mut places, mut others] = [Places::default(), Places::default()];
                for family in 0..2_u8 {
                    let mut expected: Vec<String> = model
                        .iter()
                        .map(|(name, values)| {
                            format!("f{family}{{name=\"{name}\"}} {}", values[usize::from(family)])
                        })
                        .collect();
                    expected.sort();
                    let mut lines = Vec::new();
                    for piece in 0..snapshot.pieces() {
                        let text = snapshot.text(family, piece, &mut places);
                        let block = snapshot.block(family, piece, &mut others).expect("a block");
                        prop_assert_eq!(&inflated(block), &text);
                        let text = String::from_utf8(text).expect("UTF-8");
                        lines.extend(text.lines().map(str::to_owned));
                    }
                    lines.sort();
                    prop_assert_eq!(lines, expected);
                }
            }
        }
    }

    #[test]
    fn places_are_used_again_and_given_back() {
        let mut details = Details::new(FAMILIES, Chosen::default());
        for round in 0..10 {
            let slots: Vec<Slot> =
                (0..1_000).map(|name| details.insert(record(name, [round, 0]))).collect();
            assert_eq!(details.chunks.len(), 4);
            let (kept, gone) = slots.split_at(1);
            gone.iter().for_each(|slot| details.remove(*slot));
            assert_eq!((details.chunks.len(), details.free.len()), (1, CHUNK - 1));
            details.remove(kept[0]);
            assert_eq!((details.chunks.len(), details.free.len()), (0, 0));
        }
    }

    #[test]
    fn the_lowest_place_is_used_first() {
        let mut details = Details::new(FAMILIES, Chosen::default());
        let slots: Vec<Slot> = (0..600).map(|name| details.insert(record(name, [0, 0]))).collect();
        slots[..500].iter().rev().for_each(|slot| details.remove(*slot));
        assert_eq!(details.insert(record(0, [1, 1])), slots[0]);
        slots[500..].iter().for_each(|slot| details.remove(*slot));
        assert_eq!(details.chunks.len(), 1);
    }

    #[test]
    fn what_has_not_changed_stays_compressed() {
        let mut details = Details::new(FAMILIES, Chosen::default());
        let slot = details.insert(record(1, [1, 1]));
        let first = details.snapshot();
        let mut places = Places::default();
        let blocks = [0, 1]
            .map(|family| first.block(family, 0, &mut places).expect("a block").bytes.clone());
        details.replace(slot, record(1, [2, 1]));
        let second = details.snapshot();
        assert!(second.chunks[0].blocks[0].get().is_none());
        let kept = second.chunks[0].blocks[1].get().expect("kept");
        assert_eq!(kept.bytes.as_ptr(), blocks[1].as_ptr());
    }
}
