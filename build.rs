//! Tells the build its revision: `KUBETALLY_REVISION` where it is set, else git's, else `unknown`.

use std::{env, path::Path, process::Command};

fn main() {
    println!("cargo::rerun-if-env-changed=KUBETALLY_REVISION");
    for path in [".git/HEAD", ".git/refs/heads"] {
        if Path::new(path).exists() {
            println!("cargo::rerun-if-changed={path}");
        }
    }
    let revision = env::var("KUBETALLY_REVISION").ok().or_else(git);
    println!("cargo::rustc-env=KUBETALLY_REVISION={}", revision.as_deref().unwrap_or("unknown"));
}

fn git() -> Option<String> {
    let output = Command::new("git").args(["rev-parse", "--short=12", "HEAD"]).output().ok()?;
    let revision = String::from_utf8(output.stdout).ok()?.trim().to_owned();
    (output.status.success() && !revision.is_empty()).then_some(revision)
}
