//! Lists and watches in protobuf, made of their JSON: the envelopes are here; what is in them is
//! written by whoever starts the server and knows the fields (Kubernetes API concepts, "Kubernetes
//! Protobuf encoding").

use serde_json::{Value, json};

/// The media type.
pub const MEDIA: &str = "application/vnd.kubernetes.protobuf";
/// The media type of a watch.
pub const STREAM: &str = "application/vnd.kubernetes.protobuf;stream=watch";
/// What stands before every object.
const MAGIC: &[u8] = b"k8s\0";

/// Writes an object of a kind; `None` where the kind has no protobuf, as custom resources have none.
pub type Encode = fn(kind: &str, object: &Value) -> Option<Vec<u8>>;

/// Whether objects of a kind can be written.
#[must_use]
pub fn knows(encode: Encode, kind: &str) -> bool {
    encode(kind, &json!({})).is_some()
}

/// A list of objects of a kind.
#[must_use]
pub fn list(encode: Encode, kind: &str, text: &str) -> Vec<u8> {
    let list: Value = serde_json::from_str(text).unwrap_or_default();
    let meta = &list["metadata"];
    let mut metadata = Vec::new();
    field(&mut metadata, 1, b"");
    field(&mut metadata, 2, bytes(&meta["resourceVersion"]));
    field(&mut metadata, 3, bytes(&meta["continue"]));
    if let Some(remaining) = meta["remainingItemCount"].as_u64() {
        number(&mut metadata, 4, remaining);
    }
    let mut raw = Vec::new();
    field(&mut raw, 1, &metadata);
    for item in list["items"].as_array().into_iter().flatten() {
        field(&mut raw, 2, &encode(kind, item).unwrap_or_default());
    }
    envelope(&list, &raw)
}

/// The events of a watch, a line each.
#[must_use]
pub fn events(encode: Encode, lines: &str) -> Vec<u8> {
    lines.lines().flat_map(|line| event(encode, line)).collect()
}

fn event(encode: Encode, line: &str) -> Vec<u8> {
    let event: Value = serde_json::from_str(line).unwrap_or_default();
    let object = &event["object"];
    let kind = object["kind"].as_str().unwrap_or_default();
    let raw = match (event["type"].as_str(), kind) {
        (_, "Status") => status(object),
        // Its required fields are null.
        (Some("BOOKMARK"), _) => {
            encode(kind, &json!({"metadata": object["metadata"]})).unwrap_or_default()
        }
        _ => encode(kind, object).unwrap_or_default(),
    };
    let mut extension = Vec::new();
    field(&mut extension, 1, &envelope(object, &raw));
    let mut out = Vec::new();
    field(&mut out, 1, bytes(&event["type"]));
    field(&mut out, 2, &extension);
    let length = u32::try_from(out.len()).unwrap_or(u32::MAX);
    [&length.to_be_bytes(), out.as_slice()].concat()
}

fn status(status: &Value) -> Vec<u8> {
    let mut details = Vec::new();
    for cause in status["details"]["causes"].as_array().into_iter().flatten() {
        let mut out = Vec::new();
        field(&mut out, 1, bytes(&cause["reason"]));
        field(&mut out, 2, bytes(&cause["message"]));
        field(&mut details, 4, &out);
    }
    let retry = status["details"]["retryAfterSeconds"].as_u64();
    number(&mut details, 5, retry.unwrap_or_default());
    let mut out = Vec::new();
    for (number, name) in [(2, "status"), (3, "message"), (4, "reason")] {
        field(&mut out, number, bytes(&status[name]));
    }
    field(&mut out, 5, &details);
    number(&mut out, 6, status["code"].as_u64().unwrap_or_default());
    out
}

/// `runtime.Unknown`: what the JSON says that it is, and its bytes.
fn envelope(typed: &Value, raw: &[u8]) -> Vec<u8> {
    let mut meta = Vec::new();
    field(&mut meta, 1, bytes(&typed["apiVersion"]));
    field(&mut meta, 2, bytes(&typed["kind"]));
    let mut out = MAGIC.to_vec();
    field(&mut out, 1, &meta);
    field(&mut out, 2, raw);
    // The content's encoding and type.
    field(&mut out, 3, b"");
    field(&mut out, 4, b"");
    out
}

fn bytes(value: &Value) -> &[u8] {
    value.as_str().unwrap_or_default().as_bytes()
}

fn field(out: &mut Vec<u8>, number: u64, bytes: &[u8]) {
    varint(out, number << 3 | 2);
    varint(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

fn number(out: &mut Vec<u8>, number: u64, value: u64) {
    varint(out, number << 3);
    varint(out, value);
}

fn varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value.to_le_bytes()[0] | 0x80);
        value >>= 7;
    }
    out.push(value.to_le_bytes()[0]);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        watch::{Op, machine::FailureKind},
        wire::{Encoding, Notification, list::Page, stream},
    };

    /// Nothing but the name.
    fn named(kind: &str, object: &Value) -> Option<Vec<u8>> {
        let mut meta = Vec::new();
        field(&mut meta, 1, bytes(&object["metadata"]["name"]));
        field(&mut meta, 6, bytes(&object["metadata"]["resourceVersion"]));
        let mut out = Vec::new();
        field(&mut out, 1, &meta);
        (kind == "Pod").then_some(out)
    }

    #[test]
    fn a_list_is_read_as_it_was_written() {
        assert!(knows(named, "Pod") && !knows(named, "Widget"));
        let list = list(
            named,
            "Pod",
            r#"{"kind":"PodList","apiVersion":"v1","metadata":{"resourceVersion":"653","continue":"next","remainingItemCount":6},"items":[{"metadata":{"name":"a"}},{"metadata":{"name":"b"}}]}"#,
        );
        let mut items = stream::Items::new(Encoding::Protobuf, 1 << 20);
        items.push(&list);
        for name in ["a", "b"] {
            let item = items.next_item().expect("well-formed").expect("an item");
            let expected = named("Pod", &json!({"metadata": {"name": name}})).expect("a pod");
            assert_eq!(item.bytes, expected);
        }
        assert!(items.next_item().expect("well-formed").is_none());
        let page = items.finish().expect("whole");
        let next = Some("next".into());
        assert_eq!(page, Page { resource_version: 653, next, remaining: Some(6) });
    }

    #[test]
    fn events_are_read_as_they_were_written() {
        let frames = events(
            named,
            r#"{"type":"DELETED","object":{"kind":"Pod","apiVersion":"v1","metadata":{"name":"a"}}}
{"type":"BOOKMARK","object":{"kind":"Pod","apiVersion":"v1","metadata":{"resourceVersion":"7"},"spec":{"containers":null}}}
{"type":"ERROR","object":{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure","message":"Timeout","reason":"Timeout","details":{"causes":[{"reason":"ResourceVersionTooLarge","message":"Too large resource version"}],"retryAfterSeconds":1},"code":504}}
"#,
        );
        let mut events = stream::Events::new(Encoding::Protobuf, 1 << 20);
        events.push(&frames);
        let mut next = || {
            let event = events.next_event().expect("well-formed")?;
            Some(stream::notification(event).expect("known"))
        };
        assert_eq!(next(), Some(Notification::Object(Op::Deleted)));
        let bookmark = Notification::Bookmark { resource_version: 7, initial_events_end: false };
        assert_eq!(next(), Some(bookmark));
        let Some(Notification::Error(status)) = next() else { panic!("no error") };
        let refusal = crate::api::status::event(&status);
        assert_eq!(refusal.failure.kind, FailureKind::TooLarge);
        assert_eq!(refusal.failure.retry_after, Some(std::time::Duration::from_secs(1)));
        assert_eq!(next(), None);
    }
}
