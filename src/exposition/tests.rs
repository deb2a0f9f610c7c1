//! What is written is what was given, read back by a small parser of our own.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::{
    catalogue::{API_RETRY_AFTER_SECONDS, CONTAINER_RESTARTS_TOTAL, NAMESPACE_OBJECTS, PODS},
    *,
};

fn text(out: Exposition) -> String {
    String::from_utf8(out.finish().to_vec()).expect("UTF-8")
}

/// Name, labels, value of a sample line.
fn parse(line: &str) -> (String, BTreeMap<String, String>, String) {
    let Some((name, mut rest)) = line.split_once('{') else {
        let (name, value) = line.split_once(' ').expect("a value");
        return (name.into(), BTreeMap::new(), value.into());
    };
    let mut labels = BTreeMap::new();
    while let Some((label, after)) = rest.split_once("=\"") {
        let mut value = String::new();
        let mut chars = after.char_indices();
        let end = loop {
            match chars.next().expect("a closing quote") {
                (at, '"') => break at,
                (_, '\\') => match chars.next().expect("an escape").1 {
                    'n' => value.push('\n'),
                    other => value.push(other),
                },
                (_, other) => value.push(other),
            }
        };
        labels.insert(label.trim_start_matches(',').to_owned(), value);
        rest = &after[end + 1..];
    }
    (name.into(), labels, rest.trim_start_matches("} ").into())
}

proptest! {
    #[test]
    fn any_label_value_survives(namespace in ".*", n in any::<u64>()) {
        let mut out = Exposition::new(Format::Text, &[]);
        out.sample(&NAMESPACE_OBJECTS, &[&namespace, "pods"], n);
        let text = text(out);
        let (header, sample) = text.trim_end_matches('\n').split_at(
            text.find("\nkubetally_namespace_objects{").expect("a sample") + 1,
        );
        prop_assert_eq!(header.lines().count(), 2);
        let (name, labels, value) = parse(sample);
        prop_assert_eq!(name, "kubetally_namespace_objects");
        prop_assert_eq!(&labels["namespace"], &namespace);
        prop_assert_eq!(&labels["resource"], "pods");
        prop_assert_eq!(value, n.to_string());
    }

    #[test]
    fn floats_survive(value in any::<f64>()) {
        let mut out = Vec::new();
        number(&mut out, Value::Float(value));
        let read: f64 = std::str::from_utf8(&out).expect("UTF-8").parse().expect("a number");
        prop_assert!(read == value || (read.is_nan() && value.is_nan()));
    }
}

#[test]
fn a_family_stands_together_though_two_add_to_it() {
    let mut out = Exposition::new(Format::Text, &[]);
    out.sample(&NAMESPACE_OBJECTS, &["a", "pods"], 1_u64);
    out.sample(&PODS, &["a", "Running"], 1_u64);
    out.sample(&NAMESPACE_OBJECTS, &["a", "events"], 2_u64);
    insta::assert_snapshot!(text(out), @r##"
    # HELP kubetally_namespace_objects Objects held, by namespace.
    # TYPE kubetally_namespace_objects gauge
    kubetally_namespace_objects{namespace="a",resource="pods"} 1
    kubetally_namespace_objects{namespace="a",resource="events"} 2
    # HELP kubetally_pods Pods by phase.
    # TYPE kubetally_pods gauge
    kubetally_pods{namespace="a",phase="Running"} 1
    "##);
}

#[test]
fn openmetrics_differs_where_it_must() {
    let mut out = Exposition::new(Format::OpenMetrics, &[]);
    out.sample(&CONTAINER_RESTARTS_TOTAL, &["a"], 7_u64);
    out.histogram(&API_RETRY_AFTER_SECONDS, &[], &[0; 15], 1.5, 1);
    let text = text(out);
    assert!(text.contains("# TYPE kubetally_container_restarts counter\n"), "{text}");
    assert!(text.contains("\nkubetally_container_restarts_total{namespace=\"a\"} 7\n"), "{text}");
    assert!(text.contains("_bucket{le=\"1.0\"} 0\n"), "{text}");
    assert!(text.contains("_bucket{le=\"+Inf\"} 1\n"), "{text}");
    assert!(text.contains("_sum 1.5\n") && text.ends_with("# EOF\n"), "{text}");
}

#[test]
fn only_what_is_named_is_written() {
    let mut out = Exposition::new(Format::Text, &[PODS.name.to_owned()]);
    out.sample(&PODS, &["a", "Running"], 1_u64);
    out.sample(&NAMESPACE_OBJECTS, &["a", "pods"], 1_u64);
    let text = text(out);
    assert_eq!(text.lines().filter(|line| !line.starts_with('#')).count(), 1);
}

/// Family names as OpenMetrics has them, with every name that samples of such a family can have: no
/// reader could tell two families of which those are the same.
#[test]
fn no_two_families_clash_in_openmetrics() {
    let tallies = catalogue::ALL.iter().map(|metric| (metric.name, metric.kind.as_str()));
    let details = crate::kinds::TABLE.iter().flat_map(|resource| resource.families);
    let details = details.map(|family| (family.name, family.kind()));
    let mut names = BTreeMap::new();
    let mut info = 0;
    for (family, of) in tallies.chain(details) {
        let (name, kind) = Format::OpenMetrics.family(family, of);
        assert_eq!(Format::Text.family(family, of), (family, of));
        let suffixes: &[&str] = match kind {
            "counter" => &["_total", "_created"],
            "histogram" => &["_bucket", "_count", "_sum", "_created"],
            "info" => &["_info"],
            _ => &[],
        };
        info += usize::from(kind == "info");
        for suffix in suffixes.iter().chain(&[""]) {
            let other = names.insert(format!("{name}{suffix}"), family);
            assert_eq!(other, None, "of {family}: {name}{suffix}");
        }
    }
    assert!(info > 5, "{info} families are of type info");
}
