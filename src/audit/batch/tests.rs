use proptest::prelude::*;
use rstest::rstest;
use serde_json::json;

use super::*;
use crate::audit::testing::{event, list, refused};

/// The ids of the events of a body that arrives in these pieces.
fn read(body: &[u8], cuts: &[usize]) -> Result<Vec<String>, DecodeError> {
    let (mut batch, mut ids, mut from) = (Batch::default(), Vec::new(), 0);
    for &to in cuts.iter().chain([&body.len()]) {
        let to = to.clamp(from, body.len());
        batch.push(&body[from..to]);
        from = to;
        while let Some(event) = batch.next_event()? {
            ids.push(event.id.to_string());
        }
    }
    batch.finish().map(|()| ids)
}

#[test]
fn events_are_read_one_by_one() {
    let body = list(&[event("a", "alice", 200), refused("b")]);
    assert_eq!(read(body.as_bytes(), &[]), Ok(vec!["a".to_owned(), "b".to_owned()]));
    let none = r#"{"kind":"EventList","apiVersion":"audit.k8s.io/v1","metadata":{},"items":null}"#;
    assert_eq!(read(none.as_bytes(), &[]), Ok(vec![]));
}

#[test]
fn an_event_is_there_as_soon_as_it_is_whole() {
    let body = list(&[event("first", "alice", 200), event("second", "alice", 200)]);
    let mut batch = Batch::default();
    batch.push(&body.as_bytes()[..body.find("second").expect("the second one")]);
    let first = batch.next_event().expect("an event").map(|event| event.id.to_string());
    assert_eq!(first.as_deref(), Some("first"));
    assert!(batch.next_event().expect("no error").is_none());
    assert_eq!(batch.finish(), Err(DecodeError::CutOff));
}

#[test]
fn bodies_in_an_event_are_passed_over() {
    let mut with_bodies = event("a", "alice", 201);
    let secret = json!({"kind": "Secret", "data": {"password": "aHVudGVyMg=="}, "items": [[{}]]});
    with_bodies["requestObject"] = secret.clone();
    with_bodies["responseObject"] = secret;
    assert_eq!(read(list(&[with_bodies]).as_bytes(), &[]), Ok(vec!["a".to_owned()]));
}

#[rstest]
#[case::empty("", DecodeError::CutOff)]
#[case::cut(
    r#"{"kind":"EventList","apiVersion":"audit.k8s.io/v1","items":[{}"#,
    DecodeError::CutOff
)]
#[case::twice(
    r#"{"kind":"EventList","apiVersion":"audit.k8s.io/v1","items":[]}{}"#,
    DecodeError::Trailing
)]
#[case::another_list(
    r#"{"kind":"PodList","apiVersion":"v1","items":[{}]}"#,
    DecodeError::Field { field: "apiVersion" }
)]
#[case::another_kind(
    r#"{"kind":"PolicyList","apiVersion":"audit.k8s.io/v1","items":[]}"#,
    DecodeError::Field { field: "kind" }
)]
#[case::an_old_version(
    r#"{"kind":"EventList","apiVersion":"audit.k8s.io/v1beta1","items":[]}"#,
    DecodeError::Field { field: "apiVersion" }
)]
#[case::no_list("[]", DecodeError::Field { field: "list" })]
#[case::protobuf("k8s\0", DecodeError::Field { field: "list" })]
fn what_is_no_batch_is_told(#[case] body: &str, #[case] expected: DecodeError) {
    assert_eq!(read(body.as_bytes(), &[]), Err(expected));
}

#[test]
fn what_is_no_event_is_told_and_not_repeated() {
    let body = list(&[json!({"auditID": ["hunter2"]})]);
    let error = read(body.as_bytes(), &[]).expect_err("a list is no id").to_string();
    assert!(
        error.starts_with("unexpected JSON at line 1") && !error.contains("hunter2"),
        "{error}"
    );
}

#[test]
fn an_event_has_a_bound() {
    let mut long = event("a", "alice", 200);
    long["userAgent"] = json!("x".repeat(LARGEST));
    let error = read(list(&[long]).as_bytes(), &[]);
    // Whole in one piece it is read: what is bounded is what waits for more.
    assert!(error.is_ok());
    let mut batch = Batch::default();
    batch.push(br#"{"kind":"EventList","items":[{"userAgent":""#);
    let mut pushed = 0;
    let error = loop {
        batch.push(&[b'x'; 16 * 1024]);
        pushed += 16 * 1024;
        if let Err(error) = batch.next_event() {
            break error;
        }
    };
    assert_eq!(error, DecodeError::TooLong { limit: LARGEST });
    assert!(pushed <= LARGEST + 16 * 1024, "{pushed}");
}

proptest! {
    #[test]
    fn any_cut_gives_the_same_events(
        names in prop::collection::vec(".{0,12}", 0..6),
        cuts in prop::collection::vec(0usize..5000, 0..12),
    ) {
        let events: Vec<_> = names.iter().map(|name| event(name, name, 200)).collect();
        let mut cuts = cuts;
        cuts.sort_unstable();
        prop_assert_eq!(read(list(&events).as_bytes(), &cuts), Ok(names));
    }

    /// Whatever bytes come, they end in events or in an error.
    #[test]
    fn any_bytes_end(body in prop::collection::vec(any::<u8>(), 0..200)) {
        prop_assert_eq!(read(&body, &[3, 50]), read(&body, &[]));
    }
}
