//! Lines are the same wherever the stream is cut, and are bounded.

#![no_main]

use kubetally::wire::frame::Lines;
use libfuzzer_sys::fuzz_target;

const LIMIT: usize = 64;

fn lines(text: &[u8], chunk: usize) -> (Vec<Vec<u8>>, Option<Vec<u8>>) {
    let mut lines = Lines::new(LIMIT);
    let mut got = Vec::new();
    for chunk in text.chunks(chunk) {
        lines.push(chunk);
        loop {
            match lines.next_line() {
                Ok(Some(line)) => got.push(line.to_vec()),
                Ok(None) => break,
                Err(_) => return (got, None),
            }
        }
    }
    (got, Some(lines.rest().to_vec()))
}

fuzz_target!(|data: (u8, &[u8])| {
    let (chunk, text) = (usize::from(data.0) + 1, data.1);
    let whole = text.split(|byte| *byte == b'\n').collect::<Vec<_>>();
    let (rest, ended) = whole.split_last().expect("one part at least");
    let within = |lines: &[&[u8]]| lines.iter().all(|line| line.len() <= LIMIT);
    let (got, left) = lines(text, chunk);
    assert!(got.iter().all(|line| !line.is_empty() && line.len() <= LIMIT));
    if within(&whole) {
        let expected: Vec<&[u8]> = ended.iter().copied().filter(|line| !line.is_empty()).collect();
        assert_eq!(got, expected);
        assert_eq!(left.as_deref(), Some(*rest));
    } else {
        assert_eq!(left, None, "a line beyond the limit is an error");
    }
});
