//! What Prometheus and Grafana make of Kubetally: the dashboards, the alerts and the scrape
//! configuration that are shipped, by themselves and with a real Prometheus that scrapes the demo;
//! and what other readers of gzip make of a compressed scrape.
//!
//! The tests that need a program on the PATH are reported as ignored where it is missing, unless
//! `KUBETALLY_REQUIRE` names it, as in `prometheus,promtool,go`: then they fail.

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
#[path = "../../benches/support/pods.rs"]
#[expect(dead_code, reason = "benches do more with them")]
mod pods;
#[path = "../support/process.rs"]
mod process;
mod promql;
mod promtool;
mod provision;
mod queries;
mod readers;
mod runbooks;
mod server;

/// Names the programs of which a missing one is a failure.
const REQUIRE: &str = "KUBETALLY_REQUIRE";

/// A test.
type Test = fn();

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let files = [
        promql::TESTS,
        dashboard::TESTS,
        queries::TESTS,
        provision::TESTS,
        alerts::TESTS,
        runbooks::TESTS,
        names::TESTS,
    ];
    let mut trials: Vec<_> = flat(&files)
        .map(|(name, test)| {
            Trial::test(name, move || {
                test();
                Ok(())
            })
        })
        .collect();
    let with_prometheus = flat(&[promtool::TESTS, live::TESTS]);
    trials.extend(with_prometheus.map(|test| needing(&["prometheus", "promtool"], test)));
    for (program, tests) in readers::TESTS {
        trials.extend(tests.iter().map(|test| needing(std::slice::from_ref(program), *test)));
    }
    libtest_mimic::run(&arguments, trials).exit_code()
}

fn flat(modules: &[&[(&'static str, Test)]]) -> impl Iterator<Item = (&'static str, Test)> {
    modules.concat().into_iter()
}

/// A test that these programs are needed for.
fn needing(programs: &'static [&'static str], (name, test): (&'static str, Test)) -> Trial {
    Trial::ignorable_test(name, move || {
        let Some(missing) = programs.iter().find(|program| !is_there(program)) else {
            test();
            return Ok(Completion::Completed);
        };
        let reason = format!("{missing} is not on the PATH");
        let required = env::var(REQUIRE).unwrap_or_default();
        match required.split(',').any(|program| program == *missing) {
            true => Err(Failed::from(reason)),
            false => Ok(Completion::ignored_with(reason)),
        }
    })
}

fn is_there(program: &str) -> bool {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path).any(|dir| dir.join(program).is_file())
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
