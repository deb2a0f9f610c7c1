//! The way of an object as a whole: list a fleet, take a change, write a scrape. Each of its steps
//! alone is in `steps.rs`.

#[path = "support/pods.rs"]
mod pods;

use std::hint::black_box;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use kubetally::{
    exposition::Format,
    store::Shared,
    watch::Op,
    wire::{Encoding, Payload},
};
use pods::{NOW, json, list, pieces, scrape, store};

const PODS: u32 = 20_000;

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
        self.version += 1;
        json(at, self.restarts[at as usize], self.version)
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

fn apply(store: &Shared, changes: &[String]) {
    let mut store = store.lock().expect("nobody panics");
    for change in changes {
        let bytes = change.as_bytes();
        let payload = Payload { encoding: Encoding::Json, event: true, bytes };
        black_box(store.apply(Op::Modified, 0, payload, NOW)).expect("a pod");
    }
}

/// What is done with one pod.
fn one(criterion: &mut Criterion, pods: &mut Pods, listed: &[String]) {
    let mut group = criterion.benchmark_group("pod");
    group.throughput(Throughput::Elements(1));
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
    let mut group = criterion.benchmark_group("tallies");
    for (name, format) in [("text", Format::Text), ("openmetrics", Format::OpenMetrics)] {
        group.bench_function(name, |bench| {
            bench.iter(|| pieces(&filled, format, false).map(|piece| piece.len()).sum::<usize>());
        });
    }
    group.bench_function("gzip", |bench| bench.iter(|| scrape(&filled, true)));
    group.finish();
}

/// Scrapes with the series of every pod.
fn details(criterion: &mut Criterion, pods: &mut Pods, listed: &[String]) {
    let filled = store(true);
    list(&filled, listed);
    check_changes(&filled, pods);
    let mut group = criterion.benchmark_group("details");
    group.sample_size(10);
    group.bench_function("plain", |bench| bench.iter(|| scrape(&filled, false)));
    group.bench_function("gzip, nothing changed", |bench| bench.iter(|| scrape(&filled, true)));
    group.bench_function("gzip, 5 % changed", |bench| {
        let change = || apply(&filled, &pods.changes());
        bench.iter_batched(change, |()| scrape(&filled, true), BatchSize::PerIteration);
    });
    group.bench_function("gzip, all new", |bench| {
        let new = || {
            let store = store(true);
            list(&store, listed);
            store
        };
        bench.iter_batched(new, |new| scrape(&new, true), BatchSize::PerIteration);
    });
    group.finish();
}

/// So that what is measured as changed has changed: nearly every chunk of objects, in each family
/// that a restart touches.
fn check_changes(filled: &Shared, pods: &mut Pods) {
    let look = || pieces(filled, Format::Text, true).collect::<Vec<_>>();
    let before = look();
    assert_eq!(before.iter().zip(look()).filter(|(a, b)| **a != *b).count(), 0);
    apply(filled, &pods.changes());
    let after = look();
    let changed = before.iter().zip(&after).filter(|(a, b)| a != b).count();
    println!("5 % of the pods changed: {changed} of {} blocks are new", after.len());
    assert!(before.len() == after.len() && changed > after.len() / 10, "{changed} blocks changed");
}

fn benches(criterion: &mut Criterion) {
    let mut pods = Pods::new();
    let listed = pods.list();
    one(criterion, &mut pods, &listed);
    tallies(criterion, &listed);
    details(criterion, &mut pods, &listed);
}

criterion_group!(path, benches);
criterion_main!(path);
