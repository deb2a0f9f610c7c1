//! What is fuzzed, apart from the fuzzer: `cargo test` puts what was found through it again.

use std::collections::HashSet;

use kubetally::config::settings::Caps;

pub mod audit;
pub mod configuration;
pub mod frames;
pub mod kubeconfig;
pub mod list;
pub mod protobuf;
pub mod requests;
pub mod status;
pub mod token;
pub mod watch;

/// Caps so low that they are reached.
pub const CAPS: Caps = Caps { namespaces: 2, reasons: 2, nodes: 2 };

/// Takes one input; what is wrong panics.
pub type Target = fn(&[u8]);

/// Each target by its name.
pub const TARGETS: [(&str, Target); 10] = [
    ("audit", audit::run),
    ("configuration", configuration::run),
    ("frames", frames::run),
    ("json", watch::run),
    ("kubeconfig", kubeconfig::run),
    ("list", list::run),
    ("protobuf", protobuf::run),
    ("requests", requests::run),
    ("status", status::run),
    ("token", token::run),
];

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
