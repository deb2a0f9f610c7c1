//! Splits a watch's bytes into lines, wherever the network cut them.

use super::DecodeError;

/// Takes chunks of bytes and gives the lines in them. Holds at most `limit` bytes and a chunk.
#[derive(Debug)]
pub struct Lines {
    buffer: Vec<u8>,
    /// Where the next line starts in `buffer`.
    start: usize,
    /// Up to where `buffer` was searched for a newline.
    searched: usize,
    limit: usize,
}

impl Lines {
    /// Lines of at most `limit` bytes.
    #[must_use]
    pub const fn new(limit: usize) -> Self {
        Self { buffer: Vec::new(), start: 0, searched: 0, limit }
    }

    /// Adds what arrived.
    pub fn push(&mut self, chunk: &[u8]) {
        if self.start > 0 {
            self.buffer.drain(..self.start);
            self.searched -= self.start;
            self.start = 0;
        }
        self.give_back();
        self.buffer.extend_from_slice(chunk);
    }

    /// The next whole line without its newline, empty lines left out.
    ///
    /// # Errors
    /// [`DecodeError::TooLong`] where the line under way has passed the limit.
    pub fn next_line(&mut self) -> Result<Option<&[u8]>, DecodeError> {
        loop {
            let Some(at) = find_newline(&self.buffer[self.searched..]) else {
                self.searched = self.buffer.len();
                return match self.searched - self.start > self.limit {
                    true => Err(DecodeError::TooLong { limit: self.limit }),
                    false => Ok(None),
                };
            };
            let (from, to) = (self.start, self.searched + at);
            self.start = to + 1;
            self.searched = self.start;
            if to - from > self.limit {
                return Err(DecodeError::TooLong { limit: self.limit });
            }
            if to > from {
                return Ok(Some(&self.buffer[from..to]));
            }
        }
    }

    /// What is left when the stream ended: a last line without its newline, or the cut-off
    /// beginning of one.
    #[must_use]
    pub fn rest(&self) -> &[u8] {
        &self.buffer[self.start..]
    }

    /// After one large line, do not keep its memory for ever.
    fn give_back(&mut self) {
        const KEEP: usize = 64 * 1024;
        if self.buffer.capacity() > KEEP && self.buffer.len() < KEEP / 2 {
            self.buffer.shrink_to(KEEP);
        }
    }
}

fn find_newline(bytes: &[u8]) -> Option<usize> {
    bytes.iter().position(|&byte| byte == b'\n')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn all(lines: &mut Lines) -> Vec<Vec<u8>> {
        let mut out = Vec::new();
        while let Some(line) = lines.next_line().expect("within the limit") {
            out.push(line.to_vec());
        }
        out
    }

    proptest! {
        #[test]
        fn any_cut_gives_the_same_lines(
            text in prop::collection::vec(prop_oneof![Just(b'\n'), any::<u8>()], 0..400),
            cuts in prop::collection::vec(0usize..400, 0..20),
        ) {
            let expected: Vec<Vec<u8>> = text
                .split_inclusive(|&b| b == b'\n')
                .filter_map(|line| line.strip_suffix(b"\n"))
                .filter(|line| !line.is_empty())
                .map(<[u8]>::to_vec)
                .collect();
            let mut cuts: Vec<usize> = cuts.into_iter().map(|c| c.min(text.len())).collect();
            cuts.extend([0, text.len()]);
            cuts.sort_unstable();
            let mut lines = Lines::new(1000);
            let mut got = Vec::new();
            for pair in cuts.windows(2) {
                lines.push(&text[pair[0]..pair[1]]);
                got.extend(all(&mut lines));
            }
            prop_assert_eq!(got, expected);
            let rest = text.rsplit(|&b| b == b'\n').next().unwrap_or_default();
            prop_assert_eq!(lines.rest(), rest);
        }
    }

    #[test]
    fn a_line_beyond_the_limit_is_an_error_before_it_ends() {
        let mut lines = Lines::new(8);
        lines.push(b"12345678");
        assert_eq!(lines.next_line(), Ok(None));
        lines.push(b"9");
        assert_eq!(lines.next_line(), Err(DecodeError::TooLong { limit: 8 }));
    }

    #[test]
    fn a_large_line_leaves_no_large_buffer() {
        let mut lines = Lines::new(10_000_000);
        lines.push(&vec![b'x'; 4_000_000]);
        lines.push(b"\n");
        assert_eq!(all(&mut lines).len(), 1);
        lines.push(b"y\n");
        assert_eq!(all(&mut lines), [b"y"]);
        lines.push(b"z\n");
        assert!(lines.buffer.capacity() <= 64 * 1024);
    }
}
