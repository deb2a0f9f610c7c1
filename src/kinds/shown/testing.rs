//! For the tests of kinds: objects in, series out, against what kube-state-metrics 2.18 said.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::{
    exposition::detail::{Extra, Family, Names, Record, Samples},
    store::Kind,
    wire::{Decode, Encoding, Payload, protobuf},
};

/// The objects of a list.
pub(in crate::kinds) fn items(list: &str) -> Vec<Value> {
    let list: Value = serde_json::from_str(list).expect("a list");
    list["items"].as_array().expect("items").clone()
}

/// All labels, no annotations.
pub(in crate::kinds) fn all_labels() -> Extra {
    Extra { labels: Names::All, ..Extra::default() }
}

/// What one object shows.
pub(in crate::kinds) fn record<K: Kind>(encoding: Encoding, bytes: &[u8], extra: &Extra) -> Record {
    let mut samples = Samples::of(extra.families.of(K::FAMILIES));
    let object = K::Object::decode(Payload { encoding, event: false, bytes }).expect("an object");
    K::detail(&object, extra, &mut samples);
    samples.end()
}

/// What objects show, family by family; a family that has to be asked for only where it was.
pub(in crate::kinds) fn text<K: Kind>(records: &[Record]) -> String {
    let mut out = Vec::new();
    for (family, number) in K::FAMILIES.iter().zip(0..) {
        let Family { name, opt_in, .. } = family;
        let mut samples = Vec::new();
        for record in records {
            record.write(number, name, record.find(number, 0), &[], &mut samples);
        }
        if !opt_in || !samples.is_empty() {
            out.extend_from_slice(format!("# TYPE {name} {}\n", family.kind()).as_bytes());
            out.append(&mut samples);
        }
    }
    String::from_utf8(out).expect("UTF-8")
}

/// The same of objects as JSON.
pub(in crate::kinds) fn scrape<K: Kind>(objects: &[Value], extra: &Extra) -> String {
    let bytes = objects.iter().map(|object| object.to_string().into_bytes());
    let records: Vec<_> = bytes.map(|bytes| record::<K>(Encoding::Json, &bytes, extra)).collect();
    text::<K>(&records)
}

/// What one object shows of a family: labels, and the value behind a blank.
pub(in crate::kinds) fn shown<K: Kind>(object: &Value, family: &str) -> Vec<String> {
    assert!(K::FAMILIES.iter().any(|known| known.name == family), "{family} is no family");
    let text = scrape::<K>(std::slice::from_ref(object), &all_labels());
    let start = format!("{family}{{");
    let rest = text.lines().filter_map(|line| line.strip_prefix(&start));
    rest.map(|rest| rest.replacen('}', "", 1)).collect()
}

/// The same without its own labels, with which each of its series begins.
pub(in crate::kinds) fn shown_beside<K: Kind>(
    own: &str,
    object: &Value,
    family: &str,
) -> Vec<String> {
    let lines = shown::<K>(object, family);
    let rest = lines.iter().map(|line| line.strip_prefix(own).expect("its own labels"));
    rest.map(|rest| rest.trim_start_matches(',').to_owned()).collect()
}

/// That no series stands twice.
fn assert_once(text: &str) {
    let samples = || text.lines().filter(|line| !line.starts_with('#'));
    let names: BTreeSet<_> =
        samples().filter_map(|line| line.rsplit_once(' ')).map(|s| s.0).collect();
    assert_eq!(names.len(), samples().count());
}

/// That the objects show exactly the recorded series, with the types and in the order of families
/// of the recording.
pub(in crate::kinds) fn assert_as_recorded<K: Kind>(objects: &str, reference: &str, extra: &Extra) {
    let text = scrape::<K>(&items(objects), extra);
    assert_once(&text);
    let (ours, theirs) = (series(&text), series(reference));
    assert!(!theirs.is_empty());
    let missing: Vec<_> = theirs.difference(&ours).take(5).collect();
    let more: Vec<_> = ours.difference(&theirs).take(5).collect();
    assert!(missing.is_empty() && more.is_empty(), "missing {missing:#?}, more {more:#?}");
    assert_eq!(types(&text), types(reference));
}

/// That the objects of a list show the same from both encodings.
pub(in crate::kinds) fn assert_alike<K: Kind>(json: &str, protobuf: &'static [u8]) {
    let extra = Extra { annotations: Names::All, ..all_labels() };
    // Maps have no order.
    let sorted = |record| {
        let text = text::<K>(&[record]);
        let mut lines: Vec<_> = text.lines().map(ToOwned::to_owned).collect();
        lines.sort();
        lines
    };
    let mut list = protobuf::Items::new(1 << 20);
    list.push(protobuf);
    let mut seen = Vec::new();
    while let Some(item) = list.next_item().expect("an item") {
        seen.push(sorted(record::<K>(Encoding::Protobuf, item, &extra)));
    }
    let json = items(json).into_iter().map(|item| item.to_string().into_bytes());
    let json: Vec<_> =
        json.map(|item| sorted(record::<K>(Encoding::Json, &item, &extra))).collect();
    assert!(!seen.is_empty());
    assert_eq!(seen, json);
}

/// Series and their values' bits.
fn series(text: &str) -> BTreeSet<(&str, u64)> {
    let samples = text.lines().filter(|line| !line.starts_with('#'));
    let parts = samples.map(|line| line.rsplit_once(' ').expect("a value"));
    parts.map(|(name, value)| (name, value.parse::<f64>().expect("a number").to_bits())).collect()
}

fn types(text: &str) -> Vec<&str> {
    text.lines().filter(|line| line.starts_with("# TYPE ")).collect()
}
