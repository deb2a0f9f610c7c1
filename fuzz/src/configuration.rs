//! Any file, environment and flags are settings or a clear error; what is in force, printed as a
//! file, says the same again.

use std::{fs, path::Path};

use kubetally::config::{Loaded, Sources, raw::Form};

/// Runs it: file, environment and flags are parted by NUL, the lines of the latter two by `=`.
pub fn run(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let mut parts = text.splitn(3, '\0');
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("settings.toml");
    let file = Some(write(&path, parts.next().unwrap_or_default()));
    let mut pairs = || -> Vec<(String, String)> {
        let lines = parts.next().unwrap_or_default().lines();
        lines.filter_map(|line| line.split_once('=')).map(|(a, b)| (a.into(), b.into())).collect()
    };
    let (environment, flags) = (pairs(), pairs());
    match (Sources { file, environment, flags }).load() {
        Ok(loaded) => assert_again(&path, &loaded),
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}

fn write(path: &Path, text: &str) -> std::path::PathBuf {
    fs::write(path, text).expect("written");
    path.into()
}

fn assert_again(path: &Path, loaded: &Loaded) {
    let printed = loaded.raw.print(Form::Toml);
    let file = Some(write(path, &printed));
    let again = Sources { file, ..Sources::default() }.load();
    let again = again.unwrap_or_else(|error| panic!("{error}:\n{printed}"));
    let changes = loaded.raw.changes(&again.raw);
    assert!(changes.in_place.is_empty() && changes.restart.is_empty(), "{changes:?}:\n{printed}");
}
