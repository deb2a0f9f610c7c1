//! Whatever the audit webhook sends, it is counted or refused, the same wherever it is cut.

use kubetally::{
    audit::{batch::Batch, tally::Tally},
    exposition::{Collect, Exposition, Format},
};

use super::{CAPS, assert_sound};

/// What is shown after a body in chunks, and whether it was a batch.
fn shown(body: &[u8], chunk: usize) -> (Vec<u8>, bool) {
    let (mut batch, mut tally, mut whole) = (Batch::default(), Tally::new(&CAPS), true);
    for chunk in body.chunks(chunk) {
        batch.push(chunk);
        while whole {
            match batch.next_event() {
                Ok(Some(event)) => tally.take(&event),
                Ok(None) => break,
                Err(_) => whole = false,
            }
        }
    }
    let mut out = Exposition::new(Format::Text, &[]);
    tally.collect(&mut out);
    (out.finish().to_vec(), whole && batch.finish().is_ok())
}

/// Runs it.
pub fn run(body: &[u8]) {
    let whole = shown(body, body.len().max(1));
    assert_sound(&whole.0);
    assert_eq!(shown(body, 3), whole, "a cut makes a difference");
}
