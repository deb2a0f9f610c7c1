//! The store by itself: what is held after which history, over a kind that counts its objects.

use proptest::prelude::*;
use rstest::rstest;
use serde_json::{Value, json};

use super::{
    testing::{Rig, assert_sound},
    *,
};
use crate::{
    exposition::{Exposition, Format, Wanted, detail::families},
    kinds::{event::Events, pod::Pods},
    wire::meta::Partial,
};

families! {
    /// What a thing shows.
    pub enum Thing {
        Info = "thing_info", gauge, Stable, "A thing.";
        Created = "thing_created", gauge, Stable, "When it was created.";
    }
}

/// A kind that counts how often it was told of an object.
struct Things;

#[derive(Clone, Default)]
struct Told {
    held: i64,
    folded: Vec<(String, Origin, bool)>,
}

impl Kind for Things {
    type Object<'a> = Partial<'a>;
    type Facts = ();
    type Tally = Told;
    const FAMILIES: &'static [Family] = Thing::FAMILIES;

    fn detail(thing: &Partial<'_>, _: &Extra, out: &mut Samples) {
        let meta = &thing.metadata;
        out.begin(&[("namespace", &meta.namespace), ("thing", &meta.name)]);
        out.add(Thing::Info, &[], 1.0);
        out.maybe(Thing::Created, meta.creation_timestamp.sample());
    }

    fn fold(
        tally: &mut Told,
        key: &Key,
        old: Option<&()>,
        _: &Partial<'_>,
        context: &mut Context<'_>,
    ) {
        tally.held += i64::from(old.is_none());
        tally.folded.push((key.name.to_string(), context.origin, old.is_some()));
    }

    fn forget(tally: &mut Told, _: &Key, (): &(), _: &Context<'_>) {
        tally.held -= 1;
    }
}

impl Tally for Told {
    type Shown = Nowhere;

    fn new(_: &Caps) -> Self {
        Self::default()
    }

    fn shown(&self) -> Nowhere {
        Nowhere
    }
}

struct Nowhere;

impl Collect for Nowhere {
    fn collect(&self, _: &mut Exposition) {}
}

fn thing(namespace: &str, name: &str, uid: &str) -> Value {
    json!({"metadata": {"namespace": namespace, "name": name, "uid": uid}})
}

fn versioned(name: &str, version: u64) -> Value {
    json!({"metadata": {"name": name, "uid": name, "resourceVersion": version.to_string()}})
}

fn names(store: &Store<Things>) -> Vec<String> {
    let mut names: Vec<String> = store.entries.iter().map(|e| e.key.name.to_string()).collect();
    names.sort();
    names
}

#[test]
fn nothing_is_shown_before_the_first_list_is_complete() {
    let mut rig = Rig::<Things>::new();
    rig.store.begin_list(0);
    rig.item(0, &thing("shop", "a", "1"));
    assert_eq!(rig.text(), "");
    rig.store.end_list(0, 0);
    assert_eq!(rig.value(r#"kubetally_objects{resource="things"}"#), Some(1));
    assert_eq!(
        rig.value(r#"kubetally_namespace_objects{namespace="shop",resource="things"}"#),
        Some(1)
    );
}

#[test]
fn a_list_that_broke_off_sweeps_nothing_and_the_next_one_all_it_did_not_see() {
    let mut rig = Rig::<Things>::synced(&[thing("", "a", "1"), thing("", "b", "2")]);
    rig.store.begin_list(0);
    rig.item(0, &thing("", "a", "1"));
    rig.live(Op::Added, &thing("", "c", "3"));
    assert_eq!(names(&rig.store), ["a", "b", "c"]);
    rig.list(&[thing("", "b", "2"), thing("", "d", "4")]);
    assert_eq!(names(&rig.store), ["b", "d"]);
    assert_eq!(rig.store.tally.held, 2);
}

#[test]
fn a_deletion_before_the_end_of_a_streaming_list_is_one() {
    let mut rig = Rig::<Things>::synced(&[thing("", "a", "1"), thing("", "b", "2")]);
    rig.store.begin_list(0);
    rig.item(0, &thing("", "a", "1"));
    rig.live(Op::Deleted, &thing("", "a", "1"));
    rig.store.end_list(0, 0);
    assert_eq!(names(&rig.store), Vec::<String>::new());
    assert_eq!(rig.store.tally.held, 0);
}

#[test]
fn another_uid_under_a_name_is_another_object() {
    let mut rig = Rig::<Things>::synced(&[thing("", "a", "1")]);
    rig.live(Op::Added, &thing("", "a", "2"));
    assert_eq!(rig.store.tally.held, 1);
    assert_eq!(
        rig.store.tally.folded.last(),
        Some(&("a".into(), Origin::Live(Op::Added), false)),
        "nothing is known of the new one"
    );
}

#[rstest]
#[case::replayed_change(Op::Modified, 7, 1)]
#[case::replayed_same(Op::Added, 9, 1)]
#[case::replayed_deletion(Op::Deleted, 8, 1)]
#[case::newer_deletion(Op::Deleted, 10, 0)]
fn what_is_older_on_a_watch_changes_nothing(
    #[case] op: Op,
    #[case] version: u64,
    #[case] left: usize,
) {
    let mut rig = Rig::<Things>::synced(&[versioned("a", 9)]);
    let folded = rig.store.tally.folded.len();
    rig.live(op, &versioned("a", version));
    assert_eq!((rig.store.len(), rig.store.tally.folded.len()), (left, folded));
}

#[test]
fn what_has_gone_and_comes_again_is_not_counted_again() {
    let mut rig = Rig::<Things>::synced(&[]);
    rig.live(Op::Added, &versioned("a", 9)).live(Op::Deleted, &versioned("a", 10));
    let folded = rig.store.tally.folded.len();
    for (op, version) in [(Op::Added, 8), (Op::Modified, 9), (Op::Deleted, 10)] {
        rig.live_after(9, op, &versioned("a", version));
        assert_eq!((rig.store.len(), rig.store.tally.folded.len()), (0, folded));
    }
    rig.live_after(9, Op::Added, &versioned("a", 11));
    assert_eq!(names(&rig.store), ["a"]);
}

#[test]
fn a_list_is_the_truth_though_its_versions_went_back() {
    let mut rig = Rig::<Things>::synced(&[versioned("a", 900), versioned("b", 950)]);
    rig.list(&[versioned("a", 30)]);
    rig.live(Op::Modified, &versioned("a", 31));
    rig.live(Op::Deleted, &versioned("a", 32));
    assert_eq!(names(&rig.store), Vec::<String>::new());
    let changed = rig.store.tally.folded.iter().filter(|(_, _, known)| *known).count();
    assert_eq!(changed, 2, "{:?}", rig.store.tally.folded);
}

#[test]
fn namespaces_are_swept_and_shown_each_by_itself() {
    let caps = Caps { namespaces: 9, reasons: 9, nodes: 9 };
    let mut rig = Rig::<Things>::with(&["a", "b", "c"], caps);
    for (scope, namespace) in ["a", "b"].into_iter().enumerate() {
        rig.store.begin_list(scope);
        rig.item(scope, &thing(namespace, "x", namespace));
        rig.item(scope, &thing(namespace, "y", namespace));
    }
    rig.store.end_list(1, 0);
    rig.store.end_list(0, 0);
    assert_eq!(rig.store.len(), 4, "lists under way together do not sweep each other's");
    assert_eq!(rig.text(), "", "c is not there yet");
    rig.store.set_denied(2, Some(Denial::Forbidden));
    assert_eq!(rig.value(r#"kubetally_objects{resource="things"}"#), Some(4));
    rig.store.begin_list(0);
    rig.store.end_list(0, 0);
    assert_eq!(rig.store.len(), 2);
    let origins: Vec<Origin> = rig.store.tally.folded.iter().map(|(_, o, _)| *o).collect();
    assert_eq!(origins, [Origin::Baseline; 4]);
}

#[test]
fn what_is_gone_is_shown_when_it_is_listed_again() {
    let objects = r#"kubetally_objects{resource="things"}"#;
    let mut rig = Rig::<Things>::synced(&[thing("a", "x", "x")]);
    rig.store.set_denied(0, Some(Denial::Forbidden));
    assert_eq!(rig.value(objects), Some(1), "what was seen stays");
    rig.store.set_denied(0, Some(Denial::Absent));
    assert_eq!(rig.text(), "");
    rig.store.set_denied(0, None);
    assert_eq!(rig.text(), "", "not before it is listed");
    rig.list(&[]);
    assert_eq!(rig.value(objects), Some(0));
}

#[test]
fn what_has_been_refused_and_never_been_listed_is_not_shown() {
    let mut rig = Rig::<Things>::new();
    rig.store.set_denied(0, Some(Denial::Forbidden));
    assert_eq!(rig.text(), "");
}

#[rstest]
#[case::no_name(r#"{"metadata":{"resourceVersion":"5"}}"#)]
#[case::no_version(r#"{"metadata":{"name":"a"}}"#)]
#[case::no_object("[]")]
#[case::cut(r#"{"metadata":{"#)]
fn what_is_no_object_is_an_error_and_changes_nothing(#[case] bytes: &str) {
    let mut rig = Rig::<Things>::synced(&[]);
    let payload =
        Payload { encoding: crate::wire::Encoding::Json, event: false, bytes: bytes.as_bytes() };
    assert!(rig.store.list(0, payload, 0).is_err());
    assert!(rig.store.apply(Op::Added, 0, payload, 0).is_err());
    assert!(rig.store.apply(Op::Deleted, 0, payload, 0).is_err());
    assert_eq!(rig.store.len(), 0);
}

#[test]
fn watching_begins_with_the_first_answer_by_the_servers_clock() {
    let mut rig = Rig::<Things>::new();
    rig.store.begin_list(0);
    rig.after(3600).list(&[]);
    assert_eq!(rig.store.began, Some(super::testing::BEGAN + 3600));
    rig.after(60).list(&[thing("", "a", "1")]);
    assert_eq!(rig.store.began, Some(super::testing::BEGAN + 3600));
}

#[test]
fn namespaces_beyond_the_cap_are_shown_as_one_and_the_overflow_with_them() {
    let mut rig = Rig::<Things>::with(&[], Caps { namespaces: 1, reasons: 9, nodes: 9 });
    rig.list(&[thing("a", "x", "1"), thing("b", "x", "2"), thing("c", "x", "3")]);
    assert_eq!(
        rig.family("kubetally_namespace_objects"),
        [
            r#"kubetally_namespace_objects{namespace="_other",resource="things"} 2"#,
            r#"kubetally_namespace_objects{namespace="a",resource="things"} 1"#,
        ]
    );
    let overflow = r#"kubetally_label_overflow_total{metric="kubetally_namespace_objects"}"#;
    assert_eq!(rig.value(overflow), Some(2));
}

#[test]
fn one_family_shown_by_two_stores_has_one_overflow() {
    let mut pods = Rig::<Pods>::with(&[], Caps { namespaces: 1, reasons: 9, nodes: 9 });
    let mut events = Rig::<Events>::with(&[], Caps { namespaces: 1, reasons: 9, nodes: 9 });
    let things = [thing("a", "x", "1"), thing("b", "x", "2")];
    pods.list(&things);
    events.list(&things);
    let mut out = Exposition::new(crate::exposition::Format::Text, &[]);
    for snapshot in [pods.store.snapshot(), events.store.snapshot()] {
        snapshot.expect("synced").collect(&mut out);
    }
    let text = String::from_utf8(out.finish().to_vec()).expect("UTF-8");
    let overflow = r#"kubetally_label_overflow_total{metric="kubetally_namespace_objects"} 2"#;
    assert!(text.lines().any(|line| line == overflow), "{text}");
}

proptest! {
    /// Whatever comes, what is held is what a map would hold, and the tally agrees.
    #[test]
    fn holds_what_a_map_holds(
        moves in prop::collection::vec((0_u8..4, 0_usize..5, 0_u8..2), 0..80),
    ) {
        let mut rig = Rig::<Things>::synced(&[]);
        let mut model = std::collections::BTreeMap::<String, u8>::new();
        for (action, name, uid) in moves {
            let name = name.to_string();
            let object = thing("shop", &name, &uid.to_string());
            match action {
                0 => {
                    rig.live(Op::Modified, &object);
                    model.insert(name, uid);
                }
                1 => {
                    rig.live(Op::Deleted, &object);
                    model.remove(&name);
                }
                2 => {
                    rig.list(&[object]);
                    model = [(name, uid)].into();
                }
                _ => {
                    // Broken off: seen, but nothing is swept.
                    rig.store.begin_list(0);
                    rig.item(0, &object);
                    model.insert(name, uid);
                }
            }
            prop_assert_eq!(names(&rig.store), model.keys().cloned().collect::<Vec<_>>());
            prop_assert_eq!(rig.store.tally.held, i64::try_from(model.len()).expect("few"));
            assert_sound(&rig.text());
        }
    }
}

/// The lines of per-object series, in any order.
fn series(store: &Store<Things>, wanted: Wanted) -> Vec<String> {
    let mut out = Exposition::of(Format::Text, wanted);
    store.snapshot().expect("it is listed").collect(&mut out);
    let text = out.finish();
    let text = std::str::from_utf8(&text).expect("UTF-8");
    let mut lines: Vec<_> =
        text.lines().filter(|l| l.starts_with("thing_")).map(str::to_owned).collect();
    lines.sort();
    lines
}

fn made(name: &str, version: u64, created: &str) -> String {
    let metadata = json!({
        "name": name,
        "namespace": "shop",
        "resourceVersion": version.to_string(),
        "creationTimestamp": created,
    });
    json!({"metadata": metadata}).to_string()
}

#[test]
fn each_object_shows_its_series_until_it_is_gone() {
    let caps = Caps { namespaces: 9, reasons: 9, nodes: 9 };
    let mut store = Store::<Things>::new("things", &[], &caps);
    store.show_details(Extra::default());
    let list = |store: &mut Store<Things>, things: &[String]| {
        store.begin_list(0);
        for thing in things {
            let bytes = thing.as_bytes();
            let payload = Payload { encoding: crate::wire::Encoding::Json, event: false, bytes };
            store.list(0, payload, 0).expect("a thing");
        }
        store.end_list(0, 0);
    };
    let day = "1970-01-02T00:00:00Z";
    list(&mut store, &[made("a", 1, day), made("b", 2, "")]);
    let all = Wanted::default;
    assert_eq!(
        series(&store, all()),
        [
            "thing_created{namespace=\"shop\",thing=\"a\"} 86400",
            "thing_info{namespace=\"shop\",thing=\"a\"} 1",
            "thing_info{namespace=\"shop\",thing=\"b\"} 1",
        ]
    );
    list(&mut store, &[made("b", 3, day), made("c", 4, "")]);
    assert_eq!(
        series(&store, all()),
        [
            "thing_created{namespace=\"shop\",thing=\"b\"} 86400",
            "thing_info{namespace=\"shop\",thing=\"b\"} 1",
            "thing_info{namespace=\"shop\",thing=\"c\"} 1",
        ]
    );
    let one = Wanted { families: vec!["thing_created".into()], ..Wanted::default() };
    assert_eq!(series(&store, one).len(), 1);
    let other = Wanted { resources: vec!["pods"], ..Wanted::default() };
    assert_eq!(series(&store, other), Vec::<String>::new());
}

#[rstest]
#[case(Format::Text)]
#[case(Format::OpenMetrics)]
fn a_compressed_scrape_says_the_same(#[case] format: Format) {
    use std::io::Read;
    let caps = Caps { namespaces: 9, reasons: 9, nodes: 9 };
    let mut store = Store::<Things>::new("things", &[], &caps);
    store.show_details(Extra::default());
    store.begin_list(0);
    for at in 0..1_000 {
        let thing = made(&format!("thing-{at}"), at + 1, "1970-01-02T00:00:00Z");
        let bytes = thing.as_bytes();
        let payload = Payload { encoding: crate::wire::Encoding::Json, event: false, bytes };
        store.list(0, payload, 0).expect("a thing");
    }
    store.end_list(0, 0);
    let scrape = |gzip| {
        let mut out = Exposition::of(format, Wanted::default());
        store.snapshot().expect("it is listed").collect(&mut out);
        out.pieces(gzip).collect::<Vec<_>>().concat()
    };
    let plain = String::from_utf8(scrape(false)).expect("UTF-8");
    let compressed = scrape(true);
    assert!(compressed.len() < plain.len() / 10, "{} bytes", compressed.len());
    let mut text = String::new();
    flate2::read::GzDecoder::new(compressed.as_slice()).read_to_string(&mut text).expect("gzip");
    assert_eq!(text, plain);
    let of = match format {
        Format::Text => "# TYPE thing_info gauge",
        Format::OpenMetrics => "# TYPE thing info",
    };
    assert_eq!(plain.lines().filter(|line| *line == of).count(), 1);
    assert_eq!(plain.ends_with("# EOF\n"), format == Format::OpenMetrics);
}

#[test]
fn the_room_of_what_is_gone_is_given_back() {
    let things: Vec<_> = (0..20_000).map(|n| thing("shop", &n.to_string(), "uid")).collect();
    let mut rig = Rig::<Things>::synced(&things);
    let full = rig.store.entries.capacity();
    rig.list(&things[..100]);
    assert!(rig.store.entries.capacity() < 2 * ROOM && full >= 20_000, "of {full}");
    rig.list(&things);
    for thing in &things[100..] {
        rig.live(Op::Deleted, thing);
    }
    assert_eq!(rig.store.len(), 100);
    assert!(rig.store.entries.capacity() < 2 * ROOM);
}
