//! What one object shows, in few bytes.
//!
//! The object's own labels, then sample by sample: the family, the labels beside the object's own,
//! the value. Labels are text in pieces, which stand one behind the other in a series.

use std::{fmt, sync::Arc};

use crate::exposition::{Value, writer::number};

/// A piece of labels as text, as it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Piece<'a> {
    /// It stands in the record.
    Own(&'a [u8]),
    /// It is held once for many records, under this number.
    Shared(u32),
    /// An even number of hexadecimal digits, which stand in the record two a byte: digests and ids
    /// are a good part of what pods show.
    Digits(&'a [u8]),
}

/// The same as it is read.
enum Held<'a> {
    Own(&'a [u8]),
    Shared(u32),
    Packed(&'a [u8]),
}

/// Labels as they stand in a record.
#[derive(Clone, Copy)]
pub(super) struct Labels<'a>(&'a [u8]);

/// A sample as it stands in a record.
pub(super) struct Sample<'a> {
    pub(super) family: u8,
    /// Those beside the object's own.
    pub(super) labels: Labels<'a>,
    pub(super) value: f64,
    next: usize,
}

const OWN: usize = 0;
const SHARED: usize = 1;
const PACKED: usize = 2;

/// What one object shows; shared with the scrapes under way.
#[derive(Clone, PartialEq, Eq)]
pub struct Record(Arc<[u8]>);

impl fmt::Debug for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes", self.0.len())
    }
}

impl From<Vec<u8>> for Record {
    fn from(bytes: Vec<u8>) -> Self {
        Self(bytes.into())
    }
}

impl Record {
    /// How many bytes it holds.
    #[must_use]
    pub fn size(&self) -> usize {
        self.0.len()
    }

    /// Where its first sample stands.
    fn first(&self) -> usize {
        pieces(&self.0, 0, |_| {})
    }

    /// Where the samples of a family stand, or those behind it: at a place or after it, of which 0
    /// is the beginning.
    #[must_use]
    pub fn find(&self, family: u8, mut at: usize) -> usize {
        if at == 0 {
            at = self.first();
        }
        while self.0.get(at).is_some_and(|first| *first < family) {
            (_, at) = unpack(&self.0, pieces(&self.0, at + 1, |_| {}));
        }
        at
    }

    /// Writes the samples of a family that stand at a place, if any do; gives the place behind
    /// them. `texts` are those that its pieces share.
    pub fn write(
        &self,
        family: u8,
        name: &str,
        mut at: usize,
        texts: &[Arc<[u8]>],
        out: &mut Vec<u8>,
    ) -> usize {
        // What the lines of a family have in common is put together for the first one.
        let mut common = None;
        while self.0.get(at) == Some(&family) {
            let line = out.len();
            match common.clone() {
                Some(common) => out.extend_from_within(common),
                None => {
                    out.extend_from_slice(name.as_bytes());
                    write_labels(&self.0, 0, texts, out);
                    common = Some(line..out.len());
                }
            }
            let value = write_labels(&self.0, at + 1, texts, out);
            // They begin with a comma.
            match out.get_mut(line + name.len()) {
                Some(comma) => *comma = b'{',
                None => out.push(b'{'),
            }
            let (value, next) = unpack(&self.0, value);
            out.extend_from_slice(b"} ");
            number(out, Value::Float(value));
            out.push(b'\n');
            at = next;
        }
        at
    }

    fn read(&self, at: usize) -> Option<Sample<'_>> {
        let family = *self.0.get(at)?;
        let end = pieces(&self.0, at + 1, |_| {});
        let (value, next) = unpack(&self.0, end);
        Some(Sample { family, labels: Labels(self.0.get(at + 1..end)?), value, next })
    }

    /// The object's own labels.
    pub(super) fn own(&self) -> Labels<'_> {
        Labels(self.0.get(..self.first()).unwrap_or_default())
    }

    /// Its samples in their order, which is that of the families.
    pub(super) fn samples(&self) -> impl Iterator<Item = Sample<'_>> {
        let mut at = self.first();
        std::iter::from_fn(move || self.read(at).inspect(|sample| at = sample.next))
    }
}

impl<'a> Labels<'a> {
    /// As they stand in the record.
    pub(super) const fn bytes(self) -> &'a [u8] {
        self.0
    }

    /// Their text. `texts` are those that the pieces share.
    pub(super) fn write(self, texts: &[Arc<[u8]>], out: &mut Vec<u8>) {
        write_labels(self.0, 0, texts, out);
    }

    /// The numbers of the texts that they share, each as often as it is there.
    pub(super) fn shared(self, mut each: impl FnMut(u32)) {
        pieces(self.0, 0, |piece| {
            if let Held::Shared(number) = piece {
                each(number);
            }
        });
    }
}

/// Goes through the pieces of the labels at a place; gives the place behind them.
fn pieces<'a>(bytes: &'a [u8], mut at: usize, mut each: impl FnMut(Held<'a>)) -> usize {
    loop {
        let (head, from) = read_number(bytes, at);
        let (n, kind, more) = (head >> 3, head >> 1 & 3, head & 1 == 1);
        let length = if kind == SHARED { 0 } else { n };
        at = from + length;
        let own = bytes.get(from..at).unwrap_or_default();
        match kind {
            // Labels without text are one piece too.
            OWN => each(Held::Own(own)),
            SHARED => each(Held::Shared(n as u32)),
            _ => each(Held::Packed(own)),
        }
        if !more {
            return at;
        }
    }
}

fn write_labels(bytes: &[u8], at: usize, texts: &[Arc<[u8]>], out: &mut Vec<u8>) -> usize {
    pieces(bytes, at, |piece| match piece {
        Held::Own(text) => out.extend_from_slice(text),
        Held::Shared(number) => {
            out.extend_from_slice(texts.get(number as usize).map_or(&[], |text| text));
        }
        Held::Packed(bytes) => {
            let digit = |digit: u8| b"0123456789abcdef"[usize::from(digit & 0xf)];
            out.extend(bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(*byte)]));
        }
    })
}

/// Writes a sample.
pub(super) fn sample(out: &mut Vec<u8>, family: u8, pieces: &[Piece<'_>], value: f64) {
    out.push(family);
    labels(out, pieces);
    pack(out, value);
}

/// Writes labels, of one piece or more.
pub(super) fn labels(out: &mut Vec<u8>, pieces: &[Piece<'_>]) {
    for (at, piece) in pieces.iter().enumerate() {
        let (n, kind) = match piece {
            Piece::Own(text) => (text.len(), OWN),
            Piece::Shared(number) => (*number as usize, SHARED),
            Piece::Digits(digits) => (digits.len() / 2, PACKED),
        };
        let more = usize::from(at + 1 < pieces.len());
        write_number(out, n << 3 | kind << 1 | more);
        match piece {
            Piece::Own(text) => out.extend_from_slice(text),
            Piece::Shared(_) => {}
            Piece::Digits(digits) => {
                let value = |digit: u8| if digit < b'a' { digit - b'0' } else { digit - b'a' + 10 };
                out.extend(digits.as_chunks().0.iter().map(|[a, b]| value(*a) << 4 | value(*b)));
            }
        }
    }
}

/// Numbers up to 127 take a byte.
fn write_number(out: &mut Vec<u8>, mut number: usize) {
    while number > 0x7f {
        out.push(0x80 | (number & 0x7f).to_le_bytes()[0]);
        number >>= 7;
    }
    out.push(number.to_le_bytes()[0]);
}

fn read_number(bytes: &[u8], mut at: usize) -> (usize, usize) {
    let (mut number, mut shift) = (0, 0);
    while let Some(byte) = bytes.get(at) {
        at += 1;
        number |= usize::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            break;
        }
        shift += 7;
    }
    (number, at)
}

/// Small whole numbers take a byte, times five, the others nine.
const WHOLE: u8 = 254;
const FLOAT: u8 = 255;

pub(super) fn pack(out: &mut Vec<u8>, value: f64) {
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

pub(super) fn unpack(bytes: &[u8], at: usize) -> (f64, usize) {
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
