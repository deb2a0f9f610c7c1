//! Splits a watch's bytes into frames: a length of four bytes, the highest first, then so many.

use crate::wire::DecodeError;

/// After a large frame, do not keep its memory for ever.
const KEEP: usize = 64 * 1024;

/// Takes chunks of bytes and gives the frames in them. Holds at most `limit` bytes and a chunk.
#[derive(Debug)]
pub struct Frames {
    buffer: Vec<u8>,
    /// Where the next frame starts in `buffer`.
    start: usize,
    limit: usize,
}

impl Frames {
    /// Frames of at most `limit` bytes.
    #[must_use]
    pub const fn new(limit: usize) -> Self {
        Self { buffer: Vec::new(), start: 0, limit }
    }

    /// Adds what arrived.
    pub fn push(&mut self, chunk: &[u8]) {
        self.buffer.drain(..self.start);
        self.start = 0;
        if self.buffer.capacity() > KEEP && self.buffer.len() < KEEP / 2 {
            self.buffer.shrink_to(KEEP);
        }
        self.buffer.extend_from_slice(chunk);
    }

    /// The next whole frame, without its length.
    ///
    /// # Errors
    /// [`DecodeError::TooLong`] where the next one is to be longer than the limit.
    pub fn next_frame(&mut self) -> Result<Option<&[u8]>, DecodeError> {
        let Some((length, rest)) = self.buffer[self.start..].split_first_chunk() else {
            return Ok(None);
        };
        let length = usize::try_from(u32::from_be_bytes(*length)).unwrap_or(usize::MAX);
        if length > self.limit {
            return Err(DecodeError::TooLong { limit: self.limit });
        }
        if rest.len() < length {
            return Ok(None);
        }
        let from = self.start + 4;
        self.start = from + length;
        Ok(Some(&self.buffer[from..self.start]))
    }

    /// Whether the stream ended in the middle of a frame.
    #[must_use]
    pub fn is_cut(&self) -> bool {
        self.start < self.buffer.len()
    }
}
