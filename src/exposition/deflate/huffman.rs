//! Huffman codes as deflate has them (RFC 1951, 3.2.2 and 3.2.7).

use std::{cmp::Reverse, collections::BinaryHeap};

/// The order in which the lengths of the code of lengths stand.
const ORDER: [usize; 19] = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];

/// A code for symbols: its bits as they are written, and how many.
pub struct Code(Vec<(u16, u8)>);

impl Code {
    /// The shortest code for symbols that occur so often, with no more bits than the limit.
    pub fn new(counts: &[u32], limit: u8) -> Self {
        let mut counts = counts.to_vec();
        // A code of less than two symbols is none to some readers.
        for symbol in 0..counts.len() {
            if counts.iter().filter(|count| **count > 0).count() >= 2 {
                break;
            }
            counts[symbol] = counts[symbol].max(1);
        }
        loop {
            let lengths = lengths(&counts);
            if lengths.iter().all(|length| *length <= limit) {
                return Self::of(&lengths);
            }
            counts.iter_mut().filter(|count| **count > 0).for_each(|count| *count = *count / 2 + 1);
        }
    }

    /// Codes of a length are numbered in the order of their symbols, behind the shorter ones.
    fn of(lengths: &[u8]) -> Self {
        let mut counts = [0_u16; 16];
        lengths.iter().for_each(|bits| counts[usize::from(*bits)] += 1);
        counts[0] = 0;
        let mut next = [0_u16; 16];
        for bits in 1..16 {
            next[bits] = (next[bits - 1] + counts[bits - 1]) << 1;
        }
        let code = |bits: &u8| {
            let next = &mut next[usize::from(*bits)];
            let code = next.reverse_bits().unbounded_shr(u32::from(16 - *bits));
            *next = next.wrapping_add(1);
            (code, *bits)
        };
        Self(lengths.iter().map(code).collect())
    }

    /// How many bits each symbol has, 0 for none.
    pub fn lengths(&self) -> impl Iterator<Item = u8> {
        self.0.iter().map(|(_, bits)| *bits)
    }
}

/// How deep each symbol stands in the tree of a Huffman code, 0 where it does not occur.
fn lengths(counts: &[u32]) -> Vec<u8> {
    let occurs = counts.iter().enumerate().filter(|(_, count)| **count > 0);
    let mut heap: BinaryHeap<_> =
        occurs.map(|(symbol, count)| Reverse((u64::from(*count), symbol))).collect();
    let mut parents = vec![0; counts.len()];
    while let (Some(Reverse((a, left))), Some(Reverse((b, right)))) = (heap.pop(), heap.pop()) {
        heap.push(Reverse((a + b, parents.len())));
        (parents[left], parents[right]) = (parents.len(), parents.len());
        parents.push(0);
    }
    // A parent stands behind its children; the last one is the root.
    let mut depths = vec![0; parents.len()];
    for node in (0..parents.len()).rev().filter(|node| parents[*node] > 0) {
        depths[node] = depths[parents[node]] + 1;
    }
    depths.truncate(counts.len());
    depths
}

/// Writes what a block with codes of its own begins with.
pub fn describe(symbols: &Code, distances: &Code, out: &mut Bits) {
    let lengths: Vec<u8> = symbols.lengths().chain(distances.lengths()).collect();
    let words = words(&lengths);
    let mut counts = [0; ORDER.len()];
    words.iter().for_each(|(symbol, ..)| counts[usize::from(*symbol)] += 1);
    let code = Code::new(&counts, 7);
    // How many lengths of symbols, of distances, of the code of lengths: all.
    out.push(29, 5);
    out.push(29, 5);
    out.push(15, 4);
    ORDER.iter().for_each(|symbol| out.push(code.0[*symbol].1.into(), 3));
    for (symbol, extra, bits) in words {
        out.symbol(&code, symbol.into(), extra, bits);
    }
}

/// Lengths in the alphabet of their own, where a run of zeros is one symbol and some bits.
fn words(lengths: &[u8]) -> Vec<(u8, u32, u32)> {
    let mut words = Vec::new();
    for run in lengths.chunk_by(|a, b| a == b) {
        let mut left = run.len();
        while run[0] == 0 && left >= 3 {
            let (most, symbol, least, bits) =
                if left > 10 { (138, 18, 11, 7) } else { (10, 17, 3, 3) };
            let taken = left.min(most);
            words.push((symbol, (taken - least) as u32, bits));
            left -= taken;
        }
        words.extend(std::iter::repeat_n((run[0], 0, 0), left));
    }
    words
}

/// Bits one behind the other, the lowest first.
pub struct Bits {
    bytes: Vec<u8>,
    held: u64,
    /// How many are held, less than 32 between calls.
    count: u32,
}

impl Bits {
    /// None, and room for so many bytes.
    pub fn with_capacity(bytes: usize) -> Self {
        Self { bytes: Vec::with_capacity(bytes), held: 0, count: 0 }
    }

    /// Writes so many bits, at most 32.
    pub fn push(&mut self, bits: u32, count: u32) {
        self.held |= u64::from(bits) << self.count;
        self.count += count;
        if self.count >= 32 {
            self.bytes.extend_from_slice(&self.held.to_le_bytes()[..4]);
            self.held >>= 32;
            self.count -= 32;
        }
    }

    /// Writes a symbol in a code, and bits behind it, together at most 32.
    pub fn symbol(&mut self, code: &Code, symbol: usize, extra: u32, bits: u32) {
        let (code, length) = code.0[symbol];
        self.push(u32::from(code) | extra << length, u32::from(length) + bits);
    }

    /// Writes bytes in a code of at most 15 bits.
    pub fn bytes(&mut self, code: &Code, bytes: &[u8]) {
        let (pairs, last) = bytes.as_chunks::<2>();
        for [a, b] in pairs {
            let (next, length) = code.0[usize::from(*b)];
            self.symbol(code, usize::from(*a), next.into(), length.into());
        }
        for byte in last {
            self.symbol(code, usize::from(*byte), 0, 0);
        }
    }

    /// Goes on with the next whole byte.
    pub fn align(&mut self) {
        let rest = self.count % 8;
        self.push(0, (8 - rest) % 8);
    }

    /// The bytes, the last one filled up with zeros.
    pub fn finish(mut self) -> Vec<u8> {
        let whole = self.count.div_ceil(8) as usize;
        self.bytes.extend_from_slice(&self.held.to_le_bytes()[..whole]);
        self.bytes.shrink_to_fit();
        self.bytes
    }
}
