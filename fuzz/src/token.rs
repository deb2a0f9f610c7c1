//! Any token is read without a panic, and what is said of it is bounded.

use kubetally::api::jwt::read;

/// Runs it.
pub fn run(bytes: &[u8]) {
    let _times_of_any_text = read(&String::from_utf8_lossy(bytes));
    let payload = encode(bytes);
    let token = format!("e30.{payload}.c2ln");
    let (times, subject) = read(&token);
    assert!(subject.is_none_or(|subject| subject.len() <= 256));
    let padded = format!("e30.{payload}==.c2ln");
    assert_eq!(read(&padded).0, times, "padding makes a difference");
}

/// Base64 for URLs, so that what is fuzzed is the claims.
fn encode(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let digits = |chunk: &[u8]| {
        let word = (0..3).fold(0_u32, |word, at| {
            word << 8 | u32::from(chunk.get(at).copied().unwrap_or_default())
        });
        let digit = move |at: u32| char::from(DIGITS[(word >> (18 - 6 * at) & 63) as usize]);
        (0..=u32::try_from(chunk.len()).unwrap_or(3)).map(digit)
    };
    bytes.chunks(3).flat_map(digits).collect()
}
