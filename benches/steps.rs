//! The steps of an object's way, each alone: decode, fold, render, compress, splice.

#[path = "support/pods.rs"]
mod pods;

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use kubetally::{
    config::Sources,
    exposition::{
        Format,
        deflate::deflate,
        detail::{Extra, Samples},
        gzip::{Block, Tail},
    },
    kinds::pod::{Pod, Pods},
    store::{Context, Key, Kind, Origin, Tally, intern::Interner},
    watch::Op,
    wire::{Decode, Encoding, Payload, list, protobuf},
};
use pods::{NOW, json, payload, pieces, store};

/// As many as one compressed block shows.
const PODS: u32 = 256;
/// More than any recorded answer.
const LIMIT: usize = 1 << 20;

/// Pods that a real API server sent, the same ones in both encodings.
fn decode(criterion: &mut Criterion) {
    let mut split = list::Items::new(LIMIT);
    split.push(include_bytes!("../tests/data/wire/list/pods.json"));
    let mut json = Vec::new();
    while let Some(item) = split.next_item().expect("a list") {
        json.push(item.to_vec());
    }
    let mut split = protobuf::Items::new(LIMIT);
    split.push(include_bytes!("../tests/data/wire/protobuf/pods.pb"));
    let mut protobuf = Vec::new();
    while let Some(item) = split.next_item().expect("a list") {
        protobuf.push(item.to_vec());
    }
    assert!(json.len() == protobuf.len() && !json.is_empty(), "the same pods");

    let mut group = criterion.benchmark_group("decode");
    group.throughput(Throughput::Elements(json.len() as u64));
    for (name, encoding, items) in
        [("json", Encoding::Json, &json), ("protobuf", Encoding::Protobuf, &protobuf)]
    {
        group.bench_function(name, |bench| {
            bench.iter(|| {
                for bytes in items {
                    let payload = Payload { encoding, event: false, bytes };
                    black_box(Pod::decode(payload).expect("a pod"));
                }
            });
        });
    }
    group.finish();
}

/// The fleet, restarted so many times, as JSON.
fn fleet(restarts: u32) -> Vec<String> {
    (0..PODS).map(|at| json(at, restarts, at + 1 + restarts * PODS)).collect()
}

fn decoded(fleet: &[String]) -> Vec<Pod<'_>> {
    fleet.iter().map(|pod| Pod::decode(payload(pod)).expect("a pod")).collect()
}

/// Changes that were decoded, into tallies and facts: each pod crashes and is started again.
fn fold(criterion: &mut Criterion) {
    let (before, after) = (fleet(0), fleet(1));
    let states = [decoded(&before), decoded(&after)];
    let caps = Sources::default().load().expect("the defaults are right").settings.caps;
    let mut tally = <Pods as Kind>::Tally::new(&caps);
    let mut intern = Interner::default();
    let keys: Vec<Key> = (0..PODS)
        .map(|at| Key { namespace: format!("ns-{}", at % 100).into(), name: "pod".into() })
        .collect();
    let mut fold = |at: usize, old: Option<&_>, pod: &Pod<'_>| {
        let origin = Origin::Live(Op::Modified);
        let mut context = Context { origin, now: NOW, began: 0, intern: &mut intern };
        Pods::fold(&mut tally, &keys[at], old, pod, &mut context)
    };
    let mut facts: Vec<_> =
        states[0].iter().enumerate().map(|(at, pod)| fold(at, None, pod)).collect();
    let mut group = criterion.benchmark_group("fold");
    group.throughput(Throughput::Elements(PODS.into()));
    let mut round = 0;
    group.bench_function("change", |bench| {
        bench.iter(|| {
            round += 1;
            for (at, pod) in states[round % 2].iter().enumerate() {
                facts[at] = fold(at, Some(&facts[at]), pod);
            }
        });
    });
    group.finish();
}

/// What a pod shows, as it is kept, and the text of it.
fn render(criterion: &mut Criterion) {
    let fleet = fleet(0);
    let decoded = decoded(&fleet);
    let filled = store(true);
    pods::list(&filled, &fleet);
    let mut group = criterion.benchmark_group("render");
    group.throughput(Throughput::Elements(PODS.into()));
    let (extra, mut samples) = (Extra::default(), Samples::default());
    group.bench_function("record", |bench| {
        bench.iter(|| {
            for pod in &decoded {
                Pods::detail(pod, &extra, &mut samples);
                black_box(samples.end());
            }
        });
    });
    group.bench_function("text", |bench| bench.iter(|| pods::scrape(&filled, false)));
    group.finish();
}

/// The compression of blocks, and putting them together.
fn compress_and_splice(criterion: &mut Criterion) {
    let filled = store(true);
    pods::list(&filled, fleet(0));
    let texts: Vec<_> = pieces(&filled, Format::Text, false).collect();
    let bytes = texts.iter().map(|text| text.len() as u64).sum();
    let mut group = criterion.benchmark_group("compress");
    group.throughput(Throughput::Bytes(bytes)).sample_size(20);
    group.bench_function("series", |bench| {
        bench.iter(|| texts.iter().map(|text| deflate(text).len()).sum::<usize>());
    });
    for level in [1, 2, 6] {
        group.bench_function(format!("zlib level {level}"), |bench| {
            bench.iter(|| {
                texts.iter().map(|text| Block::new(text, level).bytes.len()).sum::<usize>()
            });
        });
    }
    group.finish();

    let blocks: Vec<_> = texts.iter().map(|text| Block::series(text)).collect();
    let mut group = criterion.benchmark_group("splice");
    group.throughput(Throughput::Elements(blocks.len() as u64));
    group.bench_function("blocks", |bench| {
        bench.iter(|| {
            let mut tail = Tail::default();
            for block in &blocks {
                tail.add(block);
                drop(black_box(block.bytes.clone()));
            }
            black_box(tail.bytes())
        });
    });
    group.finish();
}

fn benches(criterion: &mut Criterion) {
    decode(criterion);
    fold(criterion);
    render(criterion);
    compress_and_splice(criterion);
}

criterion_group!(steps, benches);
criterion_main!(steps);
