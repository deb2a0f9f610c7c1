use std::{fs, panic, path::Path};

#[path = "../../fuzz/src/lib.rs"]
mod targets;

use targets::TARGETS;

/// The inputs of a target that are kept: what the fuzzer came upon, and what was found.
fn kept(target: &str) -> Vec<(String, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/fuzz").join(target);
    let files = fs::read_dir(folder).unwrap_or_else(|error| panic!("{target}: {error}"));
    let paths = files.map(|file| file.expect("a file").path());
    paths.map(|path| (path.display().to_string(), fs::read(&path).expect("a file"))).collect()
}

#[test]
fn whatever_was_fuzzed_is_still_taken() {
    for (target, run) in TARGETS {
        let inputs = kept(target);
        assert!(inputs.len() >= 10, "{target}: {} inputs", inputs.len());
        for (path, bytes) in inputs {
            assert!(panic::catch_unwind(|| run(&bytes)).is_ok(), "{path}");
        }
    }
}
