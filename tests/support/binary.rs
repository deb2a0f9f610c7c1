//! The binary, run to its end in an environment of nothing but what a test gives it.

use std::process::{Command, Stdio};

/// How the binary ended, and what it said.
pub struct Ended {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

/// A command of the binary on a machine where no cluster is to be found.
pub fn kubetally(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_kubetally"));
    command.args(arguments).env_clear().env("HOME", "/nonexistent").stdin(Stdio::null());
    command
}

/// Runs it to its end.
pub fn ended(command: &mut Command) -> Ended {
    let output = command.output().expect("the binary starts");
    let text = |bytes| String::from_utf8(bytes).expect("what it says is UTF-8");
    Ended { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
}
