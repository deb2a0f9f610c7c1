//! Whatever frames and lists come in protobuf, stores hold on and show sound text.

use kubetally::wire::{
    Encoding,
    stream::{Events, Items},
};

/// Runs it.
pub fn run(bytes: &[u8]) {
    super::watch::watch(Encoding::Protobuf, bytes);
    let whole = read(bytes, bytes.len().max(1));
    assert_eq!(read(bytes, 3), whole, "a cut makes a difference");
}

/// How many items and events there are, read in chunks, and whether the list was one.
fn read(bytes: &[u8], chunk: usize) -> (usize, bool, usize) {
    let mut items = Items::new(Encoding::Protobuf, 1 << 20);
    let mut events = Events::new(Encoding::Protobuf, 1 << 20);
    let (mut listed, mut whole, mut seen) = (0, true, 0);
    for chunk in bytes.chunks(chunk) {
        items.push(chunk);
        while whole {
            match items.next_item() {
                Ok(Some(_)) => listed += 1,
                Ok(None) => break,
                Err(_) => whole = false,
            }
        }
        events.push(chunk);
        while let Ok(Some(_)) = events.next_event() {
            seen += 1;
        }
    }
    (listed, whole && items.finish().is_ok(), seen)
}
