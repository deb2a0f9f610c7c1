//! Whatever events come, stores hold on and show sound text.

use kubetally::{
    exposition::{Collect, Exposition, Format},
    kinds,
    store::{Holder, Shown},
    wire::{
        Encoding, Notification,
        stream::{Events, notification},
    },
};

use super::{CAPS, assert_sound};

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
                let _taken_or_not = store.list(0, event, now);
            }
            Ok(Notification::Object(op)) => {
                let _taken_or_not = store.apply(op, 0, event, now);
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

/// Runs it with JSON.
pub fn run(stream: &[u8]) {
    watch(Encoding::Json, stream);
}
