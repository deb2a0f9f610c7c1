//! Deflate for series (RFC 1951), several times as fast as a general compressor at about its size.
//!
//! A general compressor searches all that it has seen for what comes next. Of series it is known
//! where that stands: a line repeats the line before it, but for the values of some labels. So a
//! line is held against the one before; where they differ, the value is looked up among those that
//! differed before, and is written out where it is new.

mod huffman;

use huffman::{Bits, Code};
use memchr::{memchr, memchr2, memrchr};

/// What is shorter is not worth a repetition.
const SHORTEST: usize = 4;
/// A repetition of another line than the one before points far back: it has to be worth that.
const SHORTEST_ELSEWHERE: usize = 6;
/// The longest repetition that the format has.
const LONGEST: usize = 258;
/// How far back it can point.
const WINDOW: usize = 32_768;
/// So many bits number the values that are remembered.
const REMEMBERED: u32 = 11;

/// The symbol that ends a block; those of lengths stand behind it.
const END: usize = 256;
/// How many symbols stand for lengths.
const LENGTHS: usize = 29;
/// How many stand for distances.
const DISTANCES: usize = 30;

/// Compresses lines to deflate blocks that refer to nothing before them and end on a byte; none is
/// the last one of its stream.
#[must_use]
pub fn deflate(text: &[u8]) -> Vec<u8> {
    let steps = steps(text);
    let (symbols, distances) = codes(text, &steps);
    let mut out = Bits::with_capacity(text.len() / 4 + 128);
    // Not the last block; with codes of its own.
    out.push(0b100, 3);
    huffman::describe(&symbols, &distances, &mut out);
    let mut at = 0;
    for step in &steps {
        match step.distance {
            0 => out.bytes(&symbols, &text[at..at + step.length]),
            distance => {
                let (distance, extra, bits) = distance_symbol(distance);
                for part in parts(step.length) {
                    let (length, more, more_bits) = length_symbol(part);
                    out.symbol(&symbols, length, more, more_bits);
                    out.symbol(&distances, distance, extra, bits);
                }
            }
        }
        at += step.length;
    }
    out.symbol(&symbols, END, 0, 0);
    // An empty stored block ends on a byte.
    out.push(0, 3);
    out.align();
    out.push(0xffff_0000, 32);
    out.finish()
}

/// The codes that are the shortest for these steps.
fn codes(text: &[u8], steps: &[Step]) -> (Code, Code) {
    let (mut symbols, mut distances) = ([0; END + 1 + LENGTHS], [0; DISTANCES]);
    symbols[END] = 1;
    let mut at = 0;
    for step in steps {
        match step.distance {
            0 => {
                text[at..at + step.length].iter().for_each(|byte| symbols[usize::from(*byte)] += 1);
            }
            distance => {
                for part in parts(step.length) {
                    symbols[length_symbol(part).0] += 1;
                    distances[distance_symbol(distance).0] += 1;
                }
            }
        }
        at += step.length;
    }
    (Code::new(&symbols, 15), Code::new(&distances, 15))
}

/// Bytes that are written out, or a repetition.
#[derive(Clone, Copy)]
struct Step {
    length: usize,
    /// How far back it points, 0 for bytes that are written out.
    distance: usize,
}

/// A text on its way to steps.
struct Reader<'t> {
    text: &'t [u8],
    at: usize,
    /// Where the line under way begins.
    line: usize,
    /// Where the next one does.
    end: usize,
    /// What the text is held against, a place in a line before.
    from: usize,
    /// Whether that is another line than the one before.
    elsewhere: bool,
    /// Where a value that differed stands, by a hash of its beginning.
    values: Box<[u32; 1 << REMEMBERED]>,
    steps: Vec<Step>,
}

fn steps(text: &[u8]) -> Vec<Step> {
    let values = Box::new([0; 1 << REMEMBERED]);
    let steps = Vec::with_capacity(text.len() / 16);
    let end = end_of_line(text, 0);
    let mut reader = Reader { text, at: 0, line: 0, end, from: 0, elsewhere: false, values, steps };
    while reader.at < text.len() {
        reader.step();
    }
    reader.steps
}

impl Reader<'_> {
    fn step(&mut self) {
        let distance = self.at.wrapping_sub(self.from);
        if distance.wrapping_sub(1) >= WINDOW {
            // The first line, or one behind a very long one.
            return self.write_out(self.end);
        }
        // What is the same goes on over the end of the line, if the line before is gone through:
        // behind its end stands the one that is to be held against then.
        let limit = if self.elsewhere { self.end } else { self.text.len() };
        match common(self.text, self.from, self.at, limit) {
            0 => self.differ(),
            same if same < SHORTEST => {
                self.from += same;
                self.write_out(self.at + same);
            }
            same => {
                self.from += same;
                self.repeat(same, distance);
            }
        }
    }

    /// The line reads otherwise than what it is held against.
    fn differ(&mut self) {
        if let Some(place) = self.remembered() {
            let same = common(self.text, place, self.at, self.end);
            if same >= SHORTEST_ELSEWHERE {
                (self.from, self.elsewhere) = (place + same, true);
                return self.repeat(same, self.at - place);
            }
        }
        let [value, other] = [self.at, self.from].map(|at| end_of_value(self.text, at));
        if [value, other] == [self.at, self.from] {
            // One of them has a label more.
            return self.write_out(self.at + 1);
        }
        self.from = other;
        self.write_out(value);
    }

    /// Where a value began as this one does; takes note of this one.
    fn remembered(&mut self) -> Option<usize> {
        let word = u32::from_le_bytes(*self.text[self.at..].first_chunk()?);
        let hash = word.wrapping_mul(0x9e37_79b1) >> (32 - REMEMBERED);
        let place = &mut self.values[hash as usize];
        let before = std::mem::replace(place, u32::try_from(self.at).ok()?) as usize;
        (before < self.at && self.at - before <= WINDOW).then_some(before)
    }

    fn repeat(&mut self, length: usize, distance: usize) {
        self.steps.push(Step { length, distance });
        self.advance(self.at + length);
    }

    fn write_out(&mut self, to: usize) {
        let length = to - self.at;
        match self.steps.last_mut() {
            Some(step) if step.distance == 0 => step.length += length,
            _ => self.steps.push(Step { length, distance: 0 }),
        }
        self.advance(to);
    }

    fn advance(&mut self, to: usize) {
        self.at = to;
        if to < self.end {
            return;
        }
        let last = self.end - 1;
        let next = memrchr(b'\n', &self.text[last..to]).map_or(to, |end| last + end + 1);
        if self.elsewhere || to == next {
            (self.from, self.elsewhere) = (self.line, false);
        }
        (self.line, self.end) = (next, end_of_line(self.text, next));
    }
}

/// Where the line behind the one at this place begins.
fn end_of_line(text: &[u8], at: usize) -> usize {
    memchr(b'\n', &text[at..]).map_or(text.len(), |end| at + end + 1)
}

/// Where a label's value or the line ends.
fn end_of_value(text: &[u8], at: usize) -> usize {
    memchr2(b'"', b'\n', &text[at..]).map_or(text.len(), |end| at + end)
}

/// How many bytes are the same from both places on, up to the limit of the latter.
fn common(text: &[u8], from: usize, at: usize, limit: usize) -> usize {
    let (a, b) = (&text[from..], &text[at..limit]);
    let words = a.as_chunks::<8>().0.iter().zip(b.as_chunks::<8>().0);
    let mut same = 0;
    for (a, b) in words {
        let differ = u64::from_le_bytes(*a) ^ u64::from_le_bytes(*b);
        if differ != 0 {
            return same + (differ.trailing_zeros() / 8) as usize;
        }
        same += 8;
    }
    same + a[same..].iter().zip(&b[same..]).take_while(|(a, b)| a == b).count()
}

/// A long repetition in parts that the format has, none too short for it.
fn parts(mut length: usize) -> impl Iterator<Item = usize> {
    std::iter::from_fn(move || {
        let part = match length {
            0 => return None,
            1..=LONGEST => length,
            _ => LONGEST.min(length - 3),
        };
        length -= part;
        Some(part)
    })
}

/// The symbol of a length, and the bits behind it.
fn length_symbol(length: usize) -> (usize, u32, u32) {
    if length == LONGEST {
        return (END + LENGTHS, 0, 0);
    }
    let (symbol, extra, bits) = logarithmic(length - 3, 2);
    (END + 1 + symbol, extra, bits)
}

/// The symbol of a distance, and the bits behind it.
fn distance_symbol(distance: usize) -> (usize, u32, u32) {
    logarithmic(distance - 1, 1)
}

/// RFC 1951, 3.2.5: symbols stand for ranges that double every `1 << step` symbols.
fn logarithmic(n: usize, step: u32) -> (usize, u32, u32) {
    if n < 2 << step {
        return (n, 0, 0);
    }
    let bits = n.ilog2() - step;
    let symbol = (n >> bits) + ((bits as usize) << step);
    (symbol, (n & ((1 << bits) - 1)) as u32, bits)
}

#[cfg(test)]
mod tests;
