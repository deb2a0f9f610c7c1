//! The way of an object, piece by piece: decode and fold a list, a change, write a scrape.

use std::{
    hint::black_box,
    sync::Arc,
    time::{Duration, UNIX_EPOCH},
};

use bytes::Bytes;
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use kubetally::{
    config::Sources,
    exposition::{Collect, Exposition, Format, deflate::deflate, detail::Extra, gzip::Block},
    kinds,
    sim::fleet,
    store::{Shared, Shown},
    watch::Op,
    wire::{Decode, Encoding, Payload},
};

const PODS: u32 = 20_000;
/// In microseconds since 1970.
const NOW: i64 = 1_795_454_721_000_000;

/// The fleet, and what becomes of it.
struct Pods {
    restarts: Vec<u32>,
    version: u32,
    random: fastrand::Rng,
}

impl Pods {
    fn new() -> Self {
        Self { restarts: vec![0; PODS as usize], version: 0, random: fastrand::Rng::with_seed(1) }
    }

    fn json(&mut self, at: u32) -> String {
        let now = UNIX_EPOCH + Duration::from_micros(NOW.unsigned_abs());
        let mut pod = fleet::pod(at, self.restarts[at as usize], now);
        self.version += 1;
        pod["metadata"]["resourceVersion"] = self.version.to_string().into();
        pod.to_string()
    }

    /// All of them.
    fn list(&mut self) -> Vec<String> {
        (0..PODS).map(|at| self.json(at)).collect()
    }

    /// A pod of a random number crashes or is started again, as a watch tells it.
    fn change(&mut self) -> String {
        let at = self.random.u32(..PODS);
        self.restarts[at as usize] += 1;
        format!("{{\"type\":\"MODIFIED\",\"object\":{}}}", self.json(at))
    }

    /// One pod in twenty does.
    fn changes(&mut self) -> Vec<String> {
        (0..PODS / 20).map(|_| self.change()).collect()
    }
}

fn payload(text: &str, event: bool) -> Payload<'_> {
    Payload { encoding: Encoding::Json, event, bytes: text.as_bytes() }
}

fn store(detailed: bool) -> Shared {
    let resource = kinds::find("pods").expect("pods are known");
    let settings = Sources::default().load().expect("the defaults are right").settings;
    let store = (resource.store)(&resource.name, &[], &settings.caps);
    if detailed {
        store.lock().expect("nobody panics").show_details(Extra::default());
    }
    store
}

fn list(store: &Shared, pods: &[String]) {
    let mut store = store.lock().expect("nobody panics");
    store.begin_list(0);
    for pod in pods {
        store.list(0, payload(pod, false), NOW).expect("a pod");
    }
    store.end_list(0, NOW);
}

fn apply(store: &Shared, changes: &[String]) {
    let mut store = store.lock().expect("nobody panics");
    for change in changes {
        black_box(store.apply(Op::Modified, payload(change, true), NOW)).expect("a pod");
    }
}

/// A scrape, piece by piece, as it is written.
fn pieces(shown: &Shown, format: Format, gzip: bool) -> impl Iterator<Item = Bytes> {
    let mut out = Exposition::new(format, &[]);
    shown.collect(&mut out);
    out.pieces(gzip)
}

fn scrape(shown: &Shown, gzip: bool) -> usize {
    pieces(shown, Format::Text, gzip).map(|piece| piece.len()).sum()
}

/// What is done with one pod.
fn one(criterion: &mut Criterion, pods: &mut Pods, listed: &[String]) {
    let mut group = criterion.benchmark_group("pod");
    group.throughput(Throughput::Elements(1));
    group.bench_function("decode", |bench| {
        let mut at = 0;
        bench.iter(|| {
            at = (at + 1) % listed.len();
            black_box(kinds::pod::Pod::decode(payload(&listed[at], false))).map(|_| ())
        });
    });
    for (name, detailed) in [("change", false), ("change, with a series an object", true)] {
        let filled = store(detailed);
        list(&filled, listed);
        group.bench_function(name, |bench| {
            bench.iter_batched(
                || pods.change(),
                |change| apply(&filled, &[change]),
                BatchSize::LargeInput,
            );
        });
    }
    group.throughput(Throughput::Elements(PODS.into())).sample_size(10);
    for (name, detailed) in [("list", false), ("list, with a series an object", true)] {
        group.bench_function(name, |bench| {
            let empty = || store(detailed);
            bench.iter_batched(empty, |store| list(&store, listed), BatchSize::PerIteration);
        });
    }
    group.finish();
}

/// Scrapes of tallies alone.
fn tallies(criterion: &mut Criterion, listed: &[String]) {
    let filled = store(false);
    list(&filled, listed);
    let shown = Shown(filled);
    let mut group = criterion.benchmark_group("tallies");
    for (name, format) in [("text", Format::Text), ("openmetrics", Format::OpenMetrics)] {
        group.bench_function(name, |bench| {
            bench.iter(|| pieces(&shown, format, false).map(|piece| piece.len()).sum::<usize>());
        });
    }
    group.bench_function("gzip", |bench| bench.iter(|| scrape(&shown, true)));
    group.finish();
}

/// Scrapes with the series of every pod.
fn details(criterion: &mut Criterion, pods: &mut Pods, listed: &[String]) {
    let filled = store(true);
    list(&filled, listed);
    let shown = Shown(Arc::clone(&filled));
    check_changes(&shown, &filled, pods);
    let mut group = criterion.benchmark_group("details");
    group.sample_size(10);
    group.bench_function("plain", |bench| bench.iter(|| scrape(&shown, false)));
    group.bench_function("gzip, nothing changed", |bench| bench.iter(|| scrape(&shown, true)));
    group.bench_function("gzip, 5 % changed", |bench| {
        let change = || apply(&filled, &pods.changes());
        bench.iter_batched(change, |()| scrape(&shown, true), BatchSize::PerIteration);
    });
    group.bench_function("gzip, all new", |bench| {
        let new = || {
            let store = store(true);
            list(&store, listed);
            Shown(store)
        };
        bench.iter_batched(new, |new| scrape(&new, true), BatchSize::PerIteration);
    });
    group.finish();
}

/// So that what is measured as changed has changed: nearly every chunk of objects, in each family
/// that a restart touches.
fn check_changes(shown: &Shown, filled: &Shared, pods: &mut Pods) {
    let look = || pieces(shown, Format::Text, true).collect::<Vec<_>>();
    let before = look();
    assert_eq!(before.iter().zip(look()).filter(|(a, b)| **a != *b).count(), 0);
    apply(filled, &pods.changes());
    let after = look();
    let changed = before.iter().zip(&after).filter(|(a, b)| a != b).count();
    println!("5 % of the pods changed: {changed} of {} blocks are new", after.len());
    assert!(before.len() == after.len() && changed > after.len() / 10, "{changed} blocks changed");
}

/// The compression of one block, and putting blocks together.
fn blocks(criterion: &mut Criterion, listed: &[String]) {
    let filled = store(true);
    list(&filled, &listed[..256]);
    let texts: Vec<_> = pieces(&Shown(filled), Format::Text, false).collect();
    let bytes = texts.iter().map(|text| text.len() as u64).sum();
    let mut group = criterion.benchmark_group("block");
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
}

fn benches(criterion: &mut Criterion) {
    let mut pods = Pods::new();
    let listed = pods.list();
    one(criterion, &mut pods, &listed);
    tallies(criterion, &listed);
    details(criterion, &mut pods, &listed);
    blocks(criterion, &listed);
}

criterion_group!(path, benches);
criterion_main!(path);
