//! One gzip member out of blocks that were compressed on their own (RFC 1951, RFC 1952).
//!
//! A block is a run of deflate blocks that refers to nothing before it and ends on a byte: any
//! blocks one behind the other are a deflate stream, and their checksums combine.

use bytes::Bytes;
use crc32fast::Hasher;
use flate2::{Compress, Compression, FlushCompress, Status};

use super::deflate;

/// What stands before the stream: no name, no time, system unknown.
pub const HEAD: &[u8] = &[0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff];

/// Compressed text that can stand anywhere in a stream.
#[derive(Clone, Debug)]
pub struct Block {
    /// The compressed bytes.
    pub bytes: Bytes,
    checksum: u32,
    length: u64,
}

impl Block {
    /// Compresses a text, from level 1 (fast) to 9 (small).
    #[must_use]
    pub fn new(text: &[u8], level: u32) -> Self {
        Self::of(text, deflate(text, level))
    }

    /// Compresses series, as fast as that goes.
    #[must_use]
    pub fn series(text: &[u8]) -> Self {
        Self::of(text, deflate::deflate(text))
    }

    fn of(text: &[u8], bytes: Vec<u8>) -> Self {
        Self { bytes: bytes.into(), checksum: crc32fast::hash(text), length: text.len() as u64 }
    }
}

fn deflate(text: &[u8], level: u32) -> Vec<u8> {
    let mut compress = Compress::new(Compression::new(level), false);
    let mut out = Vec::with_capacity(text.len() / 8 + 64);
    loop {
        let read = usize::try_from(compress.total_in()).unwrap_or(text.len()).min(text.len());
        let status = compress.compress_vec(&text[read..], &mut out, FlushCompress::Sync);
        let done = compress.total_in() == text.len() as u64 && out.len() < out.capacity();
        match status {
            Ok(Status::Ok | Status::BufError) if !done => out.reserve(out.capacity()),
            _ => break,
        }
    }
    out.shrink_to_fit();
    out
}

/// What stands behind the blocks.
#[derive(Debug, Default)]
pub struct Tail {
    checksum: Hasher,
    length: u64,
}

impl Tail {
    /// Takes note of the next block.
    pub fn add(&mut self, block: &Block) {
        self.checksum.combine(&Hasher::new_with_initial_len(block.checksum, block.length));
        self.length += block.length;
    }

    /// The end of the stream: an empty last block, the checksum, the length.
    #[must_use]
    pub fn bytes(self) -> Bytes {
        let mut out = vec![3, 0];
        out.extend_from_slice(&self.checksum.finalize().to_le_bytes());
        out.extend_from_slice(&self.length.to_le_bytes()[..4]);
        out.into()
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use flate2::read::GzDecoder;
    use proptest::prelude::*;

    use super::*;

    fn spliced(texts: &[Vec<u8>]) -> Vec<u8> {
        let mut out = HEAD.to_vec();
        let mut tail = Tail::default();
        for (level, text) in (0..).zip(texts) {
            let block = Block::new(text, 1 + level % 9);
            tail.add(&block);
            out.extend_from_slice(&block.bytes);
        }
        out.extend_from_slice(&tail.bytes());
        out
    }

    proptest! {
        #[test]
        fn any_blocks_are_one_stream(
            texts in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..5_000), 0..8),
        ) {
            let stream = spliced(&texts);
            let mut decoder = GzDecoder::new(stream.as_slice());
            let mut back = Vec::new();
            decoder.read_to_end(&mut back).expect("a gzip stream");
            prop_assert_eq!(back, texts.concat());
            prop_assert!(decoder.into_inner().is_empty(), "one member and nothing behind it");
        }
    }

    #[test]
    fn repetitive_text_gets_small() {
        let text = b"kube_pod_info{namespace=\"shop\"} 1\n".repeat(10_000);
        let block = Block::new(&text, 6);
        assert!(block.bytes.len() < text.len() / 50, "{} bytes", block.bytes.len());
    }
}
