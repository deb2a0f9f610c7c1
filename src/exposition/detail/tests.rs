use proptest::prelude::*;

use super::{
    record::{pack, unpack},
    texts::Texts,
    *,
};

fn text(record: &Record, families: u8) -> String {
    let mut out = Vec::new();
    let mut at = 0;
    for family in 0..families {
        at = record.write(family, &format!("f{family}"), record.find(family, at), &[], &mut out);
    }
    String::from_utf8(out).expect("UTF-8")
}

#[test]
fn an_object_is_written_family_by_family() {
    let mut samples = Samples::default();
    samples.begin(&[("namespace", "shop"), ("pod", "a\"b")]);
    samples.add(1, &[("container", "app")], 1.0);
    samples.add(0, &[], 1_795_454_721.0);
    samples.add(1, &[("container", "log")], 0.25);
    samples.add(1, &[("container", "app")], 7.0);
    samples.maybe(2, None);
    let record = samples.end();
    assert_eq!(
        text(&record, 3),
        "f0{namespace=\"shop\",pod=\"a\\\"b\"} 1795454721\n\
         f1{namespace=\"shop\",pod=\"a\\\"b\",container=\"app\"} 1\n\
         f1{namespace=\"shop\",pod=\"a\\\"b\",container=\"log\"} 0.25\n"
    );
}

#[test]
fn of_families_that_are_not_chosen_nothing_is_kept() {
    let families = [true, false, true].map(|opt_in| Family {
        name: "f",
        counter: false,
        help: "Help.",
        stability: Stability::Stable,
        opt_in,
    });
    let record = |mut samples: Samples| {
        samples.begin(&[("pod", "a")]);
        for family in 0..3_u8 {
            samples.add(family, &[("l", "x")], 1.0);
            samples.names(family, "label", [("b", "2")].into_iter(), &Names::All);
        }
        samples.end()
    };
    let (all, some) =
        (record(Samples::default()), record(Samples::of(Choice::default().of(&families))));
    assert_eq!(text(&some, 3), "f1{pod=\"a\",l=\"x\"} 1\nf1{pod=\"a\",label_b=\"2\"} 1\n");
    assert!(some.size() < all.size());
}

#[test]
fn an_object_without_labels_has_those_of_its_samples() {
    let mut samples = Samples::default();
    samples.begin(&[]);
    samples.add(0, &[("a", "b")], -1.0);
    assert_eq!(text(&samples.end(), 1), "f0{a=\"b\"} -1\n");
}

fn record(samples: &[(u8, String, f64)]) -> Record {
    let mut out = Samples::default();
    out.begin(&[("pod", "a")]);
    for (family, label, value) in samples {
        out.add(*family, &[("l", label)], *value);
    }
    out.end()
}

prop_compose! {
    fn sample()(family in 0_u8..6, label in ".{0,200}", value in prop_oneof![
        Just(0.0), Just(253.0), Just(254.0), Just(f64::MAX), (0_u32..).prop_map(f64::from), any::<f64>(),
    ]) -> (u8, String, f64) {
        (family, label, value)
    }
}

proptest! {
    #[test]
    fn every_value_comes_back(value in any::<f64>()) {
        let mut bytes = Vec::new();
        pack(&mut bytes, value);
        let (back, at) = unpack(&bytes, 0);
        prop_assert_eq!(back.to_bits(), value.to_bits());
        prop_assert_eq!(at, bytes.len());
    }

    /// Whatever an object showed and shows, and whatever others share with it.
    #[test]
    fn what_has_changed_is_what_reads_otherwise(
        a in prop::collection::vec(sample(), 0..12),
        b in prop::collection::vec((any::<bool>(), sample()), 0..12),
        others in prop::collection::vec(prop::collection::vec(sample(), 0..4), 0..4),
    ) {
        // Some are those of before, with another value or not.
        let mut before = a.iter().cloned();
        let b: Vec<_> = b
            .into_iter()
            .filter_map(|(new, sample)| if new { Some(sample) } else { before.next() })
            .collect();
        let mut texts = Texts::default();
        for other in others.iter().chain([&a]) {
            texts.exchange(None, Some(&record(other)));
        }
        let (a, b) = (record(&a), record(&b));
        let held = texts.exchange(None, Some(&a)).0.expect("a record");
        let (now, changed) = texts.exchange(Some(&held), Some(&b));
        let now = now.expect("a record");
        for family in 0..6 {
            let one = |record: &Record| {
                let mut out = Vec::new();
                record.write(family, "f", record.find(family, 0), texts.all(), &mut out);
                String::from_utf8(out).expect("UTF-8")
            };
            prop_assert_eq!(one(&now), one(&b));
            prop_assert_eq!(changed & (1 << family) != 0, one(&a) != one(&b));
        }
    }
}
