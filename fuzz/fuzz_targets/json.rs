//! Whatever notifications come, stores hold on and show sound text.

#![no_main]

use std::collections::HashSet;

use kubetally::{
    config::settings::Caps,
    exposition::{Collect, Exposition, Format},
    kinds,
    store::Shown,
    wire::{Encoding, Notification, Payload, json},
};
use libfuzzer_sys::fuzz_target;

const CAPS: Caps = Caps { namespaces: 2, reasons: 2, nodes: 2 };

fuzz_target!(|stream: &[u8]| {
    for resource in kinds::TABLE {
        let store = (resource.store)(resource.name, &[], &CAPS);
        {
            let mut store = store.lock().expect("nobody panicked");
            store.begin_list(0);
            let mut listing = true;
            for (at, line) in (0_i64..).zip(stream.split(|byte| *byte == b'\n')) {
                let now = at * 1_000_000;
                let payload = Payload { encoding: Encoding::Json, event: true, bytes: line };
                match json::notification(line) {
                    Ok(Notification::Object(_)) if listing => {
                        let _ = store.list(0, payload, now);
                    }
                    Ok(Notification::Object(op)) => {
                        let _ = store.apply(op, payload, now);
                    }
                    Ok(Notification::Bookmark { .. }) => {
                        store.end_list(0, now);
                        listing = false;
                    }
                    Ok(Notification::Error(_)) | Err(_) => {}
                }
            }
            store.end_list(0, 0);
        }
        let mut out = Exposition::new(Format::Text, &[]);
        Shown(store).collect(&mut out);
        let text = out.finish();
        let text = std::str::from_utf8(&text).expect("UTF-8");
        let mut series = HashSet::new();
        for line in text.split('\n').filter(|line| !line.starts_with('#') && !line.is_empty()) {
            let (name, value) = line.rsplit_once(' ').expect("a sample");
            assert!(value.parse::<f64>().is_ok_and(|value| value >= 0.0), "{line}");
            assert!(series.insert(name), "{name} twice");
        }
    }
});
