//! Tells the build its revision: `KUBETALLY_REVISION` where it is set, else git's, else `unknown`.

use std::{env, path::Path, process::Command};

fn main() {
    println!("cargo::rerun-if-env-changed=KUBETALLY_REVISION");
    for name in ["HEAD", "refs/heads"] {
        // In a worktree they are elsewhere than in .git.
        let path = git(&["rev-parse", "--git-path", name]);
        if let Some(path) = path.filter(|path| Path::new(path).exists()) {
            println!("cargo::rerun-if-changed={path}");
        }
    }
    let head = || git(&["rev-parse", "--short=12", "HEAD"]);
    let revision = env::var("KUBETALLY_REVISION").ok().or_else(head);
    println!("cargo::rustc-env=KUBETALLY_REVISION={}", revision.as_deref().unwrap_or("unknown"));
}

fn git(args: &[&str]) -> Option<String> {
    let output = Command::new("git").args(args).output().ok()?;
    let said = String::from_utf8(output.stdout).ok()?.trim().to_owned();
    (output.status.success() && !said.is_empty()).then_some(said)
}
