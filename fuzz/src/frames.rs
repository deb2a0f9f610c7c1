//! Lines are the same wherever the stream is cut, and are bounded.

use kubetally::wire::frame::Lines;

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

/// Runs it; the first byte is the size of the chunks.
pub fn run(data: &[u8]) {
    let Some((chunk, text)) = data.split_first() else { return };
    let chunk = usize::from(*chunk) + 1;
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
}
