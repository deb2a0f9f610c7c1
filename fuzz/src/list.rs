//! What is read as a list is one, with the items that serde_json finds in it.

use kubetally::wire::{
    DecodeError,
    list::{Items, Page},
};
use serde_json::Value;

fn items(body: &[u8], chunk: usize) -> Result<(Vec<Vec<u8>>, Page), DecodeError> {
    let mut items = Items::new(1 << 20);
    let mut got = Vec::new();
    for chunk in body.chunks(chunk) {
        items.push(chunk);
        while let Some(item) = items.next_item()? {
            got.push(item.to_vec());
        }
    }
    Ok((got, items.finish()?))
}

/// Runs it; the first byte is the size of the chunks.
pub fn run(data: &[u8]) {
    let Some((chunk, body)) = data.split_first() else { return };
    let chunk = usize::from(*chunk) + 1;
    let read = items(body, chunk);
    assert_eq!(read, items(body, body.len().max(1)), "a cut makes a difference");
    let Ok((got, page)) = read else { return };
    // Each item is read by its kind, which refuses what is no JSON.
    let Ok(got) =
        got.iter().map(|item| serde_json::from_slice(item)).collect::<Result<Vec<Value>, _>>()
    else {
        return;
    };
    // Numbers beyond a float, and depths, are nothing to us and too much for a Value.
    let Ok(whole) = serde_json::from_slice::<Value>(body) else { return };
    let expected = whole["items"].as_array().cloned().unwrap_or_default();
    assert_eq!(got, expected);
    let version = page.resource_version.to_string();
    let written = whole["metadata"]["resourceVersion"].as_str().unwrap_or_default();
    assert_eq!(version.parse::<u64>(), written.parse());
}
