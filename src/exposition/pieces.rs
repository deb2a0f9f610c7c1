//! A scrape piece by piece, as it is written: the tallies, then the per-object series family by
//! family. Nothing is held but handles to what is shown, so that a slow reader costs no memory.

use std::{sync::Arc, vec};

use bytes::Bytes;

use super::{
    Format,
    blocks::{Places, Snapshot},
    detail::Family,
    gzip::{Block, HEAD, Tail},
};

/// The level that what is no series of an object is compressed at.
const LEVEL: u32 = 6;

/// One family of per-object series at one moment.
#[derive(Clone, Debug)]
pub struct Detail {
    snapshot: Arc<Snapshot>,
    family: u8,
    of: &'static Family,
}

impl Detail {
    /// Every family of a resource that is shown.
    pub fn all(snapshot: &Snapshot) -> impl Iterator<Item = Self> {
        let shared = Arc::new(snapshot.clone());
        let one = move |(family, of)| Self { snapshot: Arc::clone(&shared), family, of };
        snapshot.families().map(one)
    }

    /// The family.
    #[must_use]
    pub const fn family(&self) -> &'static Family {
        self.of
    }

    fn header(&self, format: Format) -> Vec<u8> {
        let (name, kind) = format.family(self.of.name, self.of.kind());
        format!("# HELP {name} {}\n# TYPE {name} {kind}\n", self.of.help).into_bytes()
    }
}

/// The pieces of a scrape, in order.
#[derive(Debug)]
pub struct Pieces {
    format: Format,
    tallies: Option<Bytes>,
    details: vec::IntoIter<Detail>,
    /// The family under way, and its next piece.
    current: Option<(Detail, usize)>,
    places: Places,
    /// Whose places these are.
    resource: Option<Arc<Snapshot>>,
    end: Option<&'static [u8]>,
    gzip: Option<Gzip>,
}

#[derive(Debug, Default)]
struct Gzip {
    begun: bool,
    tail: Tail,
}

impl Pieces {
    /// Tallies that were written, then these families; compressed or not.
    #[must_use]
    pub fn new(format: Format, tallies: Bytes, details: Vec<Detail>, gzip: bool) -> Self {
        Self {
            format,
            tallies: Some(tallies),
            details: details.into_iter(),
            current: None,
            places: Places::default(),
            resource: None,
            end: (format == Format::OpenMetrics).then_some(b"# EOF\n"),
            gzip: gzip.then(Gzip::default),
        }
    }

    /// Whether there are per-object series, of which there is no bound.
    #[must_use]
    pub fn is_bounded(&self) -> bool {
        self.details.as_slice().is_empty()
    }

    /// What comes before the per-object series, between and after them.
    fn text(&mut self, text: &[u8]) -> Bytes {
        match &self.gzip {
            None => Bytes::copy_from_slice(text),
            Some(_) => self.block(&Block::new(text, LEVEL)),
        }
    }

    fn block(&mut self, block: &Block) -> Bytes {
        let Some(gzip) = &mut self.gzip else { return Bytes::new() };
        gzip.tail.add(block);
        match std::mem::replace(&mut gzip.begun, true) {
            true => block.bytes.clone(),
            false => [HEAD, &block.bytes].concat().into(),
        }
    }

    fn piece(&mut self, detail: &Detail, piece: usize) -> Bytes {
        match &self.gzip {
            None => detail.snapshot.text(detail.family, piece, &mut self.places).into(),
            Some(_) => {
                let block = detail.snapshot.block(detail.family, piece, &mut self.places);
                block.map_or_else(Bytes::new, |block| self.block(block))
            }
        }
    }
}

impl Iterator for Pieces {
    type Item = Bytes;

    fn next(&mut self) -> Option<Bytes> {
        if let Some(tallies) = self.tallies.take() {
            return Some(self.text(&tallies));
        }
        if let Some((detail, piece)) = self.current.take()
            && piece < detail.snapshot.pieces()
        {
            let bytes = self.piece(&detail, piece);
            self.current = Some((detail, piece + 1));
            return Some(bytes);
        }
        if let Some(detail) = self.details.next() {
            let header = detail.header(self.format);
            let before = self.resource.replace(Arc::clone(&detail.snapshot));
            if before.is_none_or(|before| !Arc::ptr_eq(&before, &detail.snapshot)) {
                self.places = Places::default();
            }
            self.current = Some((detail, 0));
            return Some(self.text(&header));
        }
        if let Some(end) = self.end.take() {
            return Some(self.text(end));
        }
        self.gzip.take().map(|gzip| gzip.tail.bytes())
    }
}

#[cfg(test)]
mod tests;
