//! What a pod takes of memory: with the fleet's pods in a store, for tallies only and with a series
//! an object, then after a plain and after a compressed scrape. Linux alone tells.

use std::{
    fs,
    sync::Arc,
    time::{Duration, UNIX_EPOCH},
};

use kubetally::{
    config::Sources,
    exposition::{Collect, Exposition, Format, detail::Extra},
    kinds,
    sim::fleet,
    store::{Shared, Shown},
    wire::{Encoding, Payload},
};

const PODS: u32 = 20_000;
/// In microseconds since 1970.
const NOW: i64 = 1_795_454_721_000_000;
/// What `statm` counts in, bytes: the size of a page wherever benches are run.
const PAGE: u64 = 4_096;

/// What is resident, in bytes.
fn resident() -> u64 {
    let statm = fs::read_to_string("/proc/self/statm").expect("Linux");
    let pages = statm.split(' ').nth(1).and_then(|pages| pages.parse::<u64>().ok());
    pages.expect("a number of pages") * PAGE
}

fn store(extra: Option<Extra>) -> Shared {
    let resource = kinds::find("pods").expect("pods are known");
    let settings = Sources::default().load().expect("the defaults are right").settings;
    let store = (resource.store)(&resource.name, &[], &settings.caps);
    if let Some(extra) = extra {
        store.lock().expect("nobody panics").show_details(extra);
    }
    store
}

/// Lists the fleet, pod by pod as a stream has it, so that nothing else is held.
fn list(store: &Shared) {
    let now = UNIX_EPOCH + Duration::from_micros(NOW.unsigned_abs());
    let mut store = store.lock().expect("nobody panics");
    store.begin_list(0);
    for at in 0..PODS {
        let mut pod = fleet::pod(at, 0, now);
        pod["metadata"]["resourceVersion"] = (at + 1).to_string().into();
        let text = pod.to_string();
        let bytes = text.as_bytes();
        let payload = Payload { encoding: Encoding::Json, event: false, bytes };
        store.list(0, payload, NOW).expect("a pod");
    }
    store.end_list(0, NOW);
}

fn scrape(store: &Shared, gzip: bool) -> usize {
    let mut out = Exposition::new(Format::Text, &[]);
    Shown(Arc::clone(store)).collect(&mut out);
    out.pieces(gzip).map(|piece| piece.len()).sum()
}

fn main() {
    let mut held = Vec::new();
    for (name, extra) in [("tallies", None), ("a series an object", Some(Extra::default()))] {
        let before = resident();
        let store = store(extra);
        list(&store);
        let each = || resident().saturating_sub(before) / u64::from(PODS);
        println!("{name}, {PODS} pods: {} bytes a pod", each());
        for (kind, gzip) in [("plain", false), ("gzip", true)] {
            let size = scrape(&store, gzip);
            println!("  after a {kind} scrape of {size} bytes: {} bytes a pod", each());
        }
        held.push(store);
    }
}
