use std::{collections::BTreeSet, io::Read};

use flate2::read::GzDecoder;
use proptest::prelude::*;

use super::*;
use crate::exposition::{
    Exposition, Wanted,
    blocks::{Details, Slot},
    catalogue::Stability,
    detail::{Samples, choice::Chosen},
};

const fn family(name: &'static str) -> Family {
    Family { name, counter: false, help: "Help.", stability: Stability::Stable, opt_in: false }
}

static RESOURCES: [(&str, &[Family]); 2] = [
    ("pods", &[family("pods0"), family("pods1"), family("pods2")]),
    ("nodes", &[family("nodes0"), family("nodes1"), family("nodes2")]),
];

/// The objects of a resource, each with one value in all of its families.
struct Objects {
    details: Details,
    slots: Vec<Slot>,
}

impl Objects {
    fn new(families: &'static [Family], count: usize) -> Self {
        let mut details = Details::new(families, Chosen::default());
        let slots = (0..count).map(|name| details.insert(record(name, 0))).collect();
        Self { details, slots }
    }

    fn change(&mut self, at: usize, value: u32) {
        if !self.slots.is_empty() {
            let name = at % self.slots.len();
            self.details.replace(self.slots[name], record(name, value));
        }
    }
}

/// Longer in its first families, so that those of two resources stand at different places.
fn record(name: usize, value: u32) -> super::super::detail::Record {
    let mut samples = Samples::default();
    samples.begin(&[("name", &name.to_string())]);
    for family in 0..3_u8 {
        let label = "x".repeat(name % 7 + usize::from(family));
        samples.add(family, &[("label", &label)], value.into());
    }
    samples.end()
}

fn pieces(resources: &[Objects], families: &[String], gzip: bool) -> Pieces {
    let wanted = Wanted { families: families.to_vec(), ..Wanted::default() };
    let mut out = Exposition::of(Format::Text, wanted);
    for ((name, _), objects) in RESOURCES.iter().zip(resources) {
        out.details(name, &objects.details.snapshot());
    }
    out.pieces(gzip)
}

fn text(pieces: Vec<Bytes>, gzip: bool) -> String {
    let bytes = pieces.concat();
    let mut text = String::new();
    match gzip {
        true => GzDecoder::new(&*bytes).read_to_string(&mut text).expect("a member"),
        false => (&*bytes).read_to_string(&mut text).expect("UTF-8"),
    };
    text
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever changes while a scrape is read, and whichever families it asks for, it shows every
    /// object in all of them as it was when the scrape began.
    #[test]
    fn a_scrape_is_of_one_moment(
        counts in [0_usize..600, 0_usize..600],
        changes in prop::collection::vec((0_usize..2, any::<usize>()), 1..60),
        before in any::<u8>(),
        shown in prop::sample::subsequence((0..6_usize).collect::<Vec<_>>(), 1..=6),
        gzip in any::<bool>(),
    ) {
        let mut resources = [0, 1].map(|at| Objects::new(RESOURCES[at].1, counts[at]));
        let names: Vec<_> = RESOURCES.iter().flat_map(|(_, all)| *all).map(|of| of.name).collect();
        let wanted: Vec<String> = shown.iter().map(|at| names[*at].to_owned()).collect();
        for (resource, at) in changes.iter().take(before.into()) {
            resources[*resource].change(*at, 1);
        }
        // Fills blocks, which have to be void after changes.
        let expected = text(pieces(&resources, &wanted, false).collect(), false);
        prop_assert_eq!(&text(pieces(&resources, &wanted, true).collect(), true), &expected);
        let mut found = Vec::new();
        let mut scrape = pieces(&resources, &wanted, gzip);
        for at in 0.. {
            let Some(piece) = scrape.next() else { break };
            found.push(piece);
            let (resource, object) = changes[at % changes.len()];
            resources[resource].change(object, 2 + at as u32);
        }
        prop_assert_eq!(&text(found, gzip), &expected);
        let samples = |name: &str| {
            expected.lines().filter(|line| line.starts_with(&format!("{name}{{"))).count()
        };
        for name in &wanted {
            let count = counts[usize::from(name.starts_with("nodes"))];
            prop_assert_eq!(samples(name), count, "{}", name);
        }
    }
}

/// Compressed blocks stand in memory once, however many readers have got how far with them.
#[test]
fn slow_readers_share_what_they_read() {
    let resources = [Objects::new(RESOURCES[0].1, 2_000), Objects::new(RESOURCES[1].1, 0)];
    let mut readers: Vec<_> = (0..50).map(|_| pieces(&resources, &[], true)).collect();
    let held: Vec<Vec<Bytes>> =
        readers.iter_mut().map(|reader| reader.take(15).collect()).collect();
    let large = |pieces: &Vec<Bytes>| {
        let large = pieces.iter().filter(|piece| piece.len() > 500);
        large.map(|piece| (piece.as_ptr(), piece.len())).collect::<BTreeSet<_>>()
    };
    assert!(large(&held[0]).len() > 8, "{} blocks", large(&held[0]).len());
    let all: BTreeSet<_> = held.iter().flat_map(large).collect();
    assert_eq!(all, large(&held[0]), "a block stands in memory twice");
    for (begun, rest) in held.into_iter().zip(readers) {
        let whole = text(begun.into_iter().chain(rest).collect(), true);
        assert_eq!(whole.lines().filter(|line| !line.starts_with('#')).count(), 6_000);
    }
}
