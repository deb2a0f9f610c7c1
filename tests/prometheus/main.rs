//! What Prometheus and Grafana make of Kubetally: the dashboard, the alerts and the scrape
//! configuration that are shipped, by themselves and with a real Prometheus that scrapes the demo.
//!
//! The tests that need `prometheus` and `promtool` on the PATH are reported as ignored where those
//! are missing, unless `KUBETALLY_REQUIRE_PROMETHEUS` is set: then they fail.

use std::{env, path::PathBuf, process::ExitCode};

use libtest_mimic::{Arguments, Completion, Failed, Trial};

mod alerts;
mod dashboard;
#[path = "../support/eventually.rs"]
mod eventually;
#[path = "../support/http.rs"]
mod http;
mod live;
mod names;
#[path = "../support/process.rs"]
mod process;
mod promql;
mod promtool;
mod server;

/// Set where a missing Prometheus is a failure.
const REQUIRE: &str = "KUBETALLY_REQUIRE_PROMETHEUS";

/// A test.
type Test = fn();

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let files = [promql::TESTS, dashboard::TESTS, alerts::TESTS, names::TESTS];
    let mut trials: Vec<_> = flat(&files)
        .map(|(name, test)| {
            Trial::test(name, move || {
                test();
                Ok(())
            })
        })
        .collect();
    trials.extend(flat(&[promtool::TESTS, live::TESTS]).map(|(name, test)| {
        Trial::ignorable_test(name, move || match missing() {
            None => {
                test();
                Ok(Completion::Completed)
            }
            Some(program) if env::var_os(REQUIRE).is_some() => {
                Err(Failed::from(format!("{program} is not on the PATH")))
            }
            Some(program) => Ok(Completion::ignored_with(format!("{program} is not on the PATH"))),
        })
    }));
    libtest_mimic::run(&arguments, trials).exit_code()
}

fn flat(modules: &[&[(&'static str, Test)]]) -> impl Iterator<Item = (&'static str, Test)> {
    modules.concat().into_iter()
}

/// A program that these tests need and that is not there.
fn missing() -> Option<&'static str> {
    let path = env::var_os("PATH").unwrap_or_default();
    let there = |program: &&str| env::split_paths(&path).any(|dir| dir.join(program).is_file());
    ["prometheus", "promtool"].into_iter().find(|program| !there(program))
}

/// A file of the project.
fn file(path: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// A file of the project, read.
fn read(path: &str) -> String {
    let path = file(path);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}
