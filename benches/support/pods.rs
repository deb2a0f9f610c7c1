//! The fleet's pods, stores that hold them, scrapes of these: what all benches do.

use std::{
    hint::black_box,
    sync::Arc,
    time::{Duration, UNIX_EPOCH},
};

use bytes::Bytes;
use kubetally::{
    config::Sources,
    exposition::{Collect, Exposition, Format, detail::Extra},
    kinds,
    sim::fleet,
    store::{Shared, Shown},
    wire::{Encoding, Payload},
};

/// In microseconds since 1970.
pub const NOW: i64 = 1_795_454_721_000_000;

/// A pod of the fleet, restarted so many times, at this resourceVersion.
pub fn json(at: u32, restarts: u32, version: u32) -> String {
    let now = UNIX_EPOCH + Duration::from_micros(NOW.unsigned_abs());
    let mut pod = fleet::pod(at, restarts, now);
    pod["metadata"]["resourceVersion"] = version.to_string().into();
    pod.to_string()
}

/// A pod in JSON.
pub fn payload(text: &str) -> Payload<'_> {
    Payload { encoding: Encoding::Json, event: false, bytes: text.as_bytes() }
}

/// An empty store of pods, with a series an object or not.
pub fn store(detailed: bool) -> Shared {
    let resource = kinds::find("pods").expect("pods are known");
    let settings = Sources::default().load().expect("the defaults are right").settings;
    let store = (resource.store)(&resource.name, &[], &settings.caps);
    if detailed {
        store.lock().expect("nobody panics").show_details(Extra::default());
    }
    store
}

/// Lists pods, one by one as a stream has them.
pub fn list<P: AsRef<str>>(store: &Shared, pods: impl IntoIterator<Item = P>) {
    let mut store = store.lock().expect("nobody panics");
    store.begin_list(0);
    for pod in pods {
        store.list(0, payload(pod.as_ref()), NOW).expect("a pod");
    }
    store.end_list(0, NOW);
}

/// A scrape, piece by piece, as it is written.
pub fn pieces(store: &Shared, format: Format, gzip: bool) -> impl Iterator<Item = Bytes> {
    let mut out = Exposition::new(format, &[]);
    Shown(Arc::clone(store)).collect(&mut out);
    out.pieces(gzip)
}

/// A whole scrape in the text format: its bytes.
pub fn scrape(store: &Shared, gzip: bool) -> usize {
    pieces(store, Format::Text, gzip).map(|piece| black_box(piece).len()).sum()
}
