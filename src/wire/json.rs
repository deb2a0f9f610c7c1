//! The JSON encoding: watch events, Status, bookmarks.

use serde::{Deserialize, de::IgnoredAny};

use super::{
    DecodeError, Encoding, Notification, Payload,
    meta::version,
    text::{Text, lax},
};
use crate::watch::Op;

/// A Status, as far as it decides what to do next (Kubernetes API conventions, "Response Status
/// Kind"). Every field can be missing: proxies and old servers leave them out.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(default)]
pub struct Status {
    /// `Status`, where the object says what it is.
    #[serde(deserialize_with = "lax")]
    pub kind: String,
    /// For people.
    #[serde(deserialize_with = "lax")]
    pub message: String,
    /// One word for programs, such as `Expired`.
    #[serde(deserialize_with = "lax")]
    pub reason: String,
    /// The HTTP status meant, 0 where it is missing.
    #[serde(deserialize_with = "lax")]
    pub code: u16,
    /// More on the reason.
    #[serde(deserialize_with = "lax")]
    pub details: Details,
}

/// `details` of a Status.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "camelCase", default)]
pub struct Details {
    /// What led to it.
    #[serde(deserialize_with = "lax")]
    pub causes: Vec<Cause>,
    /// Seconds to wait before trying again, 0 where it is missing.
    #[serde(deserialize_with = "lax")]
    pub retry_after_seconds: u32,
}

/// One cause of a Status.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(default)]
pub struct Cause {
    /// One word for programs, such as `ResourceVersionTooLarge`.
    #[serde(deserialize_with = "lax")]
    pub reason: String,
}

/// The event around an object; what its type is was seen before.
#[derive(Deserialize)]
struct Event<T> {
    object: T,
}

#[derive(Deserialize)]
struct EventType<'a> {
    #[serde(borrow, rename = "type")]
    kind: Text<'a>,
    #[serde(rename = "object")]
    _object: IgnoredAny,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Bookmark<'a> {
    #[serde(borrow)]
    metadata: BookmarkMeta<'a>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct BookmarkMeta<'a> {
    #[serde(borrow)]
    resource_version: Text<'a>,
    #[serde(borrow, deserialize_with = "lax")]
    annotations: Annotations<'a>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Annotations<'a> {
    #[serde(borrow, rename = "k8s.io/initial-events-end")]
    initial_events_end: Text<'a>,
}

/// Reads a slim type from JSON, alone or inside its watch event, in one pass.
///
/// # Errors
/// Where the bytes are not UTF-8 or not such an object.
pub fn decode<'a, T: Deserialize<'a>>(payload: Payload<'a>) -> Result<T, DecodeError> {
    // Checking UTF-8 once, for all, is faster than serde_json's check for each string.
    let text = std::str::from_utf8(payload.bytes)
        .map_err(|error| DecodeError::Utf8 { at: error.valid_up_to() })?;
    match payload.event {
        true => Ok(serde_json::from_str::<Event<T>>(text)?.object),
        false => Ok(serde_json::from_str(text)?),
    }
}

/// Says what a line of a watch stream is, and reads it where it is not an object for the store.
///
/// # Errors
/// Where the line is no watch event, of an unknown type, or a bookmark without resourceVersion.
pub fn notification(line: &[u8]) -> Result<Notification, DecodeError> {
    let payload = Payload { encoding: Encoding::Json, event: true, bytes: line };
    match peek(line).map_or_else(|| event_type(line), Ok)? {
        Op::Bookmark => bookmark(payload),
        Op::Error => Ok(Notification::Error(status_event(payload))),
        op => Ok(Notification::Object(op)),
    }
}

/// The server writes `type` first; looking there saves a pass over the object.
fn peek(line: &[u8]) -> Option<Op> {
    let rest = line.strip_prefix(br#"{"type":""#)?;
    let end = rest.iter().position(|&byte| byte == b'"')?;
    op(&rest[..end])
}

fn event_type(line: &[u8]) -> Result<Op, DecodeError> {
    let payload = Payload { encoding: Encoding::Json, event: false, bytes: line };
    let event: EventType<'_> = decode(payload)?;
    op(event.kind.as_bytes()).ok_or(DecodeError::UnknownType)
}

fn op(text: &[u8]) -> Option<Op> {
    match text {
        b"ADDED" => Some(Op::Added),
        b"MODIFIED" => Some(Op::Modified),
        b"DELETED" => Some(Op::Deleted),
        b"BOOKMARK" => Some(Op::Bookmark),
        b"ERROR" => Some(Op::Error),
        _ => None,
    }
}

fn bookmark(payload: Payload<'_>) -> Result<Notification, DecodeError> {
    let bookmark: Bookmark<'_> = decode(payload)?;
    Ok(Notification::Bookmark {
        resource_version: version(&bookmark.metadata.resource_version)?,
        initial_events_end: &*bookmark.metadata.annotations.initial_events_end == "true",
    })
}

/// An ERROR whose object is no Status is an error all the same, one without a reason.
fn status_event(payload: Payload<'_>) -> Status {
    decode(payload).unwrap_or_default()
}

/// Reads the Status in the body of a failed request; `None` where there is none.
#[must_use]
pub fn status(body: &[u8]) -> Option<Status> {
    let payload = Payload { encoding: Encoding::Json, event: false, bytes: body };
    let status: Status = decode(payload).ok()?;
    (status.kind == "Status" || status.code != 0 || !status.reason.is_empty()).then_some(status)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;
    use crate::wire::Decode;

    const BOOKMARK: &str = r#"{"type":"BOOKMARK","object":{"kind":"Pod","apiVersion":"v1","metadata":{"resourceVersion":"609","annotations":{"k8s.io/initial-events-end":"true"}},"spec":{"containers":null},"status":{}}}"#;

    #[rstest]
    #[case(r#"{"type":"ADDED","object":{"metadata":{}}}"#, Notification::Object(Op::Added))]
    #[case(r#"{"object":{"metadata":{}},"type":"DELETED"}"#, Notification::Object(Op::Deleted))]
    #[case(r#" { "type" : "MODIFIED", "object" : {} }"#, Notification::Object(Op::Modified))]
    #[case(BOOKMARK, Notification::Bookmark { resource_version: 609, initial_events_end: true })]
    #[case(
        r#"{"type":"BOOKMARK","object":{"metadata":{"resourceVersion":"7","annotations":null}}}"#,
        Notification::Bookmark { resource_version: 7, initial_events_end: false }
    )]
    #[case(r#"{"type":"ERROR","object":"no status"}"#, Notification::Error(Status::default()))]
    fn notifications(#[case] line: &str, #[case] expected: Notification) {
        assert_eq!(notification(line.as_bytes()), Ok(expected));
    }

    #[test]
    fn an_error_event_carries_its_status() {
        let line = br#"{"type":"ERROR","object":{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure","message":"too old resource version: 5 (712)","reason":"Expired","code":410}}"#;
        let Ok(Notification::Error(status)) = notification(line) else { panic!("an error") };
        assert_eq!((status.code, status.reason.as_str()), (410, "Expired"));
    }

    #[rstest]
    #[case("garbage")]
    #[case(r#"{"type":"SURPRISE","object":{}}"#)]
    #[case(r#"{"type":"BOOKMARK","object":{"metadata":{}}}"#)]
    #[case(r#"{"type":"BOOKMARK"}"#)]
    #[case("")]
    fn no_notifications(#[case] line: &str) {
        assert!(notification(line.as_bytes()).is_err());
    }

    #[test]
    fn errors_do_not_repeat_the_document() {
        let payload = Payload {
            encoding: Encoding::Json,
            event: false,
            bytes: br#"{"metadata":{"name":["hunter2"]}}"#,
        };
        let error = crate::wire::meta::Partial::decode(payload).expect_err("a list is no name");
        assert!(!error.to_string().contains("hunter2"), "{error}");
    }

    #[rstest]
    #[case(r#"{"kind":"Status","code":403,"reason":"Forbidden"}"#, Some(403))]
    #[case(
        r#"{"metadata":{},"status":"Failure","code":504,"details":{"causes":[{"reason":"x"}]}}"#,
        Some(504)
    )]
    #[case("Too many requests, please try again later.\n", None)]
    #[case("<html>", None)]
    #[case(r#"{"kind":"PodList"}"#, None)]
    fn statuses(#[case] body: &str, #[case] code: Option<u16>) {
        assert_eq!(status(body.as_bytes()).map(|status| status.code), code);
    }
}
