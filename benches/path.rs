//! The way of an object, piece by piece: decode and fold a list, a change, write a scrape.

use std::{
    hint::black_box,
    io::Write,
    sync::Arc,
    time::{Duration, UNIX_EPOCH},
};

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use flate2::{Compression, write::GzEncoder};
use kubetally::{
    config::Sources,
    exposition::{Collect, Exposition, Format, detail::Extra},
    kinds,
    sim::workload::{Workload, Write as Change},
    store::{Shared, Shown},
    watch::Op,
    wire::{Encoding, Payload},
};

const PODS: u32 = 10_000;
/// In microseconds since 1970.
const NOW: i64 = 1_795_454_721_000_000;

/// Pods as a list has them.
fn pods() -> Vec<String> {
    let mut workload = Workload::new(1, UNIX_EPOCH + Duration::from_micros(NOW.unsigned_abs()));
    let writes = workload.populate(PODS).into_iter().enumerate();
    writes
        .filter_map(|(at, write)| match write {
            Change::Put("pods", mut pod) => {
                pod["metadata"]["resourceVersion"] = (at + 1).to_string().into();
                Some(pod.to_string())
            }
            _ => None,
        })
        .collect()
}

fn store() -> Shared {
    let resource = kinds::find("pods").expect("pods are known");
    let settings = Sources::default().load().expect("the defaults are right").settings;
    (resource.store)(&resource.name, &[], &settings.caps)
}

fn list(store: &Shared, pods: &[String]) {
    let mut store = store.lock().expect("nobody panics");
    store.begin_list(0);
    for pod in pods {
        let payload = Payload { encoding: Encoding::Json, event: false, bytes: pod.as_bytes() };
        store.list(0, payload, NOW).expect("a pod");
    }
    store.end_list(0, NOW);
}

/// A store that shows a series an object.
fn detailed(pods: &[String]) -> Shared {
    let store = store();
    store.lock().expect("nobody panics").show_details(Extra::default());
    list(&store, pods);
    store
}

/// The scrape of every pod's series, written piece by piece; gives its size.
fn details(shown: &Shown, gzip: bool) -> usize {
    let mut out = Exposition::new(Format::Text, &[]);
    shown.collect(&mut out);
    out.pieces(gzip).map(|piece| piece.len()).sum()
}

fn per_object(criterion: &mut Criterion, pods: &[String]) {
    let store = detailed(pods);
    let shown = Shown(Arc::clone(&store));
    let mut group = criterion.benchmark_group("details");
    group.sample_size(10).throughput(Throughput::Elements(u64::from(PODS)));
    group.bench_function("plain", |bench| bench.iter(|| details(&shown, false)));
    group.bench_function("gzip, nothing changed", |bench| bench.iter(|| details(&shown, true)));
    group.finish();
}

fn benches(criterion: &mut Criterion) {
    let pods = pods();
    let filled = store();
    list(&filled, &pods);

    let mut group = criterion.benchmark_group("pod");
    group.throughput(Throughput::Elements(u64::from(PODS))).sample_size(20);
    group.bench_function("list", |bench| {
        bench.iter_batched(store, |store| list(&store, &pods), BatchSize::LargeInput);
    });
    group.throughput(Throughput::Elements(1));
    group.bench_function("change", |bench| {
        let mut version = 1_000_000;
        bench.iter_batched(
            || {
                version += 1;
                let at = version % pods.len();
                let marker = format!("\"resourceVersion\":\"{}\"", at + pods_before(&pods));
                let changed = format!("\"resourceVersion\":\"{version}\"");
                format!(
                    "{{\"type\":\"MODIFIED\",\"object\":{}}}",
                    pods[at].replace(&marker, &changed)
                )
            },
            |event| {
                let bytes = event.as_bytes();
                let payload = Payload { encoding: Encoding::Json, event: true, bytes };
                let mut store = filled.lock().expect("nobody panics");
                black_box(store.apply(Op::Modified, payload, NOW)).expect("a pod");
            },
            BatchSize::SmallInput,
        );
    });
    group.finish();

    per_object(criterion, &pods);

    let shown = Shown(Arc::clone(&filled));
    let mut group = criterion.benchmark_group("scrape");
    for (name, format) in [("text", Format::Text), ("openmetrics", Format::OpenMetrics)] {
        group.bench_function(name, |bench| bench.iter(|| scrape(&shown, format)));
    }
    group.bench_function("gzip", |bench| {
        bench.iter(|| {
            let mut gzip = GzEncoder::new(Vec::new(), Compression::new(6));
            gzip.write_all(&scrape(&shown, Format::Text)).expect("memory does not fail");
            black_box(gzip.finish())
        });
    });
    group.finish();
}

/// The resourceVersion of the first pod: what was written before it has lower ones.
fn pods_before(pods: &[String]) -> usize {
    let (_, rest) = pods[0].split_once("\"resourceVersion\":\"").expect("a version");
    rest.split('"').next().and_then(|version| version.parse().ok()).expect("a number")
}

fn scrape(shown: &Shown, format: Format) -> bytes::Bytes {
    let mut out = Exposition::new(format, &[]);
    shown.collect(&mut out);
    out.finish()
}

criterion_group!(path, benches);
criterion_main!(path);
