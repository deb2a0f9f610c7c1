//! What the targets share: whatever events come, stores hold on and show sound text.

use std::collections::HashSet;

use kubetally::{
    config::settings::Caps,
    exposition::{Collect, Exposition, Format},
    kinds,
    store::{Holder, Shown},
    wire::{
        Encoding, Notification,
        stream::{Events, notification},
    },
};

/// Caps so low that they are reached.
pub const CAPS: Caps = Caps { namespaces: 2, reasons: 2, nodes: 2 };
const LIMIT: usize = 1 << 20;

/// Gives each kind's store the events of a watch.
pub fn watch(encoding: Encoding, stream: &[u8]) {
    for resource in kinds::TABLE {
        let store = (resource.store)(&resource.name, &[], &CAPS);
        fill(&mut *store.lock().expect("nobody panicked"), encoding, stream);
        let mut out = Exposition::new(Format::Text, &[]);
        Shown(store).collect(&mut out);
        assert_sound(&out.finish());
    }
}

fn fill(store: &mut dyn Holder, encoding: Encoding, stream: &[u8]) {
    let mut events = Events::new(encoding, LIMIT);
    let (mut listing, mut now) = (true, 0);
    store.begin_list(0);
    events.push(stream);
    while let Ok(Some(event)) = events.next_event() {
        now += 1_000_000;
        match notification(event) {
            Ok(Notification::Object(_)) if listing => {
                let _ = store.list(0, event, now);
            }
            Ok(Notification::Object(op)) => {
                let _ = store.apply(op, 0, event, now);
            }
            Ok(Notification::Bookmark { .. }) => {
                store.end_list(0, now);
                listing = false;
            }
            Ok(Notification::Error(_)) | Err(_) => {}
        }
    }
    store.end_list(0, now);
}

/// Whether a text is one of samples, each of which stands there once.
pub fn assert_sound(text: &[u8]) {
    let text = std::str::from_utf8(text).expect("UTF-8");
    let mut series = HashSet::new();
    for line in text.split('\n').filter(|line| !line.starts_with('#') && !line.is_empty()) {
        let (name, value) = line.rsplit_once(' ').expect("a sample");
        assert!(value.parse::<f64>().is_ok_and(|value| value >= 0.0), "{line}");
        assert!(series.insert(name), "{name} twice");
    }
}
