use proptest::prelude::*;
use rstest::rstest;
use serde_json::Value as Json;

use super::*;
use crate::wire::list::Page;

const PODS: &[u8] = include_bytes!("../../../tests/data/wire/protobuf/pods.pb");
const WATCH: &[u8] = include_bytes!("../../../tests/data/wire/protobuf/watch-pods.pb");

/// Name, UID and resourceVersion: enough to tell objects apart.
#[derive(Debug, Default, PartialEq)]
struct Named {
    name: String,
    uid: String,
    version: String,
}

#[derive(Default)]
struct Pod<'a> {
    meta: Meta<'a>,
}

#[derive(Default)]
struct Meta<'a> {
    name: Text<'a>,
    uid: Text<'a>,
    version: Text<'a>,
}

impl<'a> Message<'a> for Pod<'a> {
    fn merge(&mut self, field: u32, value: Value<'a>) -> Result<(), DecodeError> {
        if field == 1 { self.meta.take(value) } else { Ok(()) }
    }
}

impl<'a> Message<'a> for Meta<'a> {
    fn merge(&mut self, field: u32, value: Value<'a>) -> Result<(), DecodeError> {
        match field {
            1 => self.name.take(value),
            5 => self.uid.take(value),
            6 => self.version.take(value),
            _ => Ok(()),
        }
    }
}

fn named(bytes: &[u8], event: bool) -> Named {
    let encoding = crate::wire::Encoding::Protobuf;
    let pod: Pod<'_> = decode(Payload { encoding, event, bytes }).expect("a pod");
    let [name, uid, version] =
        [pod.meta.name, pod.meta.uid, pod.meta.version].map(|text| (*text).to_owned());
    Named { name, uid, version }
}

fn expected(objects: &[Json]) -> Vec<Named> {
    let text = |object: &Json, field: &str| {
        object["metadata"][field].as_str().unwrap_or_default().to_owned()
    };
    let named = |object| Named {
        name: text(object, "name"),
        uid: text(object, "uid"),
        version: text(object, "resourceVersion"),
    };
    objects.iter().map(named).collect()
}

fn read(body: &[u8], piece: usize) -> Result<(Vec<Named>, Page), DecodeError> {
    let mut items = Items::new(1 << 20);
    let mut found = Vec::new();
    for chunk in body.chunks(piece) {
        items.push(chunk);
        while let Some(item) = items.next_item()? {
            found.push(named(item, false));
        }
    }
    Ok((found, items.finish()?))
}

#[rstest]
#[case(1)]
#[case(7)]
#[case(1_000_000)]
fn a_recorded_list_is_the_same_as_in_json(#[case] piece: usize) {
    let json = include_str!("../../../tests/data/wire/list/pods.json");
    let list: Json = serde_json::from_str(json).expect("a list");
    let (found, page) = read(PODS, piece).expect("a list");
    assert_eq!(found, expected(list["items"].as_array().expect("items")));
    assert_eq!(page, Page { resource_version: 653, next: None, remaining: None });
}

#[test]
fn a_recorded_list_cut_anywhere_is_no_list() {
    // Behind the list stand two empty fields of the envelope, of two bytes each.
    for length in 0..PODS.len() - 4 {
        assert!(read(&PODS[..length], 4096).is_err(), "cut at {length}");
    }
}

#[test]
fn a_recorded_watch_gives_objects_bookmarks_and_the_marker() {
    let mut frames = Frames::new(1 << 20);
    let (mut objects, mut bookmarks, mut ends) = (Vec::new(), 0, 0);
    for chunk in WATCH.chunks(11) {
        frames.push(chunk);
        while let Some(frame) = frames.next_frame().expect("a frame") {
            match notification(frame).expect("a notification") {
                Notification::Object(op) => objects.push((op, named(frame, true))),
                Notification::Bookmark { resource_version, initial_events_end } => {
                    assert!(resource_version > 0);
                    bookmarks += 1;
                    ends += usize::from(initial_events_end);
                }
                Notification::Error(status) => panic!("{status:?}"),
            }
        }
    }
    assert!(!frames.is_cut());
    assert_eq!(ends, 1);
    assert!(bookmarks >= 1 && objects.len() > 10, "{bookmarks} {objects:?}");
    assert!(objects.iter().any(|(op, pod)| *op == Op::Deleted && pod.name == "huge"));
    assert!(objects.iter().all(|(_, pod)| pod.uid.len() == 36 && !pod.version.is_empty()));
}

#[test]
fn a_frame_beyond_the_limit_is_an_error_before_it_comes() {
    let mut frames = Frames::new(10);
    frames.push(&[0, 0, 0, 11]);
    assert_eq!(frames.next_frame(), Err(DecodeError::TooLong { limit: 10 }));
}

fn field(number: u8, bytes: &[u8]) -> Vec<u8> {
    let length = u8::try_from(bytes.len()).expect("a short field");
    [&[number << 3 | 2, length], bytes].concat()
}

fn wrapped(kind: &str, raw: &[u8]) -> Vec<u8> {
    let kind = field(1, &field(2, kind.as_bytes()));
    [MAGIC, &kind, &field(2, raw)].concat()
}

#[test]
fn a_status_is_read() {
    let cause = field(1, b"ResourceVersionTooLarge");
    let details = [field(4, &cause), vec![5 << 3, 7]].concat();
    let code = vec![6 << 3, 0xf8, 0x03];
    let raw = [field(3, b"too large"), field(4, b"Timeout"), field(5, &details), code].concat();
    let status = status(&wrapped("Status", &raw)).expect("a status");
    assert_eq!((status.code, status.reason.as_str()), (504, "Timeout"));
    assert_eq!(status.message, "too large");
    assert_eq!(status.details.retry_after_seconds, 7);
    assert_eq!(status.details.causes[0].reason, "ResourceVersionTooLarge");
    let event = [field(1, b"ERROR"), field(2, &field(1, &wrapped("Status", &raw)))].concat();
    assert_eq!(notification(&event), Ok(Notification::Error(status)));
}

#[rstest]
#[case::number_for_text(&[6 << 3, 1])]
#[case::cut(&[6 << 3 | 2, 9, b'1'])]
#[case::wire_type(&[6 << 3 | 3])]
#[case::no_number(&[2, 0])]
#[case::endless(&[0xff; 12])]
fn what_is_no_metadata(#[case] metadata: &[u8]) {
    assert!(message::<Meta<'_>>(metadata).is_err());
}

#[test]
fn what_is_no_text_is_read_as_json_has_it() {
    let named = field(1, b"cut \xe2\x82");
    let meta: Meta<'_> = message(&named).expect("metadata");
    assert_eq!(&*meta.name, "cut \u{fffd}\u{fffd}");
}

/// What of a body is read when it comes in pieces of this size: how many items, and what the end
/// of it is.
fn outcome(body: &[u8], piece: usize) -> (usize, Result<Page, DecodeError>) {
    let mut items = Items::new(1 << 20);
    let mut found = 0;
    for chunk in body.chunks(piece) {
        items.push(chunk);
        loop {
            match items.next_item() {
                Ok(Some(_)) => found += 1,
                Ok(None) => break,
                Err(error) => return (found, Err(error)),
            }
        }
    }
    (found, items.finish())
}

proptest! {
    #[test]
    fn what_is_no_event_is_none(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        prop_assert!(notification(&bytes).is_err() || bytes.windows(5).any(|word| word == b"ADDED" || word == b"ERROR" || word == b"DELET" || word == b"MODIF" || word == b"BOOKM"));
        prop_assert!(status(&bytes).is_none() || bytes.starts_with(MAGIC));
    }

    #[test]
    fn any_list_is_the_same_however_it_is_cut(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let body = [MAGIC, &bytes].concat();
        prop_assert_eq!(outcome(&body, 7), outcome(&body, body.len()));
    }

    #[test]
    fn a_flipped_byte_is_the_same_however_it_is_cut(at in 0..PODS.len(), flip in 1_u8..) {
        let mut body = PODS.to_vec();
        body[at] ^= flip;
        prop_assert_eq!(outcome(&body, 1000), outcome(&body, body.len()));
    }
}
