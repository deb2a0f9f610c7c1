//! Kubetally against a real API server, which is started from the programs in the folder that
//! `KUBEBUILDER_ASSETS` names; `tests/apiserver` builds them. Without the variable these tests are
//! reported as ignored, not as passed. Two run at a time: those with an API server of their own side
//! by side, and then, one after the other, those that share one.

use std::process::ExitCode;

use libtest_mimic::{Arguments, Completion, Trial};

mod access;
mod alike;
mod api;
mod audit;
mod bench;
mod chart;
mod cluster;
mod counting;
#[path = "../support/daemon.rs"]
mod daemon;
mod deploy;
#[path = "../support/eventually.rs"]
mod eventually;
mod failures;
mod faults;
#[path = "../support/http.rs"]
mod http;
mod kinds;
mod objects;
mod outages;
mod probes;
#[path = "../support/process.rs"]
mod process;
mod proxy;
mod recount;
mod reference;
mod render;
mod rights;
mod scale;
mod scrapers;
mod shards;
mod suite;
mod travels;
mod trust;

use cluster::{Assets, VARIABLE};
use suite::{Suite, Test};

fn main() -> ExitCode {
    if bench::is_wanted() {
        return bench::run();
    }
    let mut arguments = Arguments::from_args();
    arguments.test_threads.get_or_insert(2);
    let against = [
        shards::TESTS,
        failures::TESTS,
        outages::TESTS,
        reference::TESTS,
        faults::TESTS,
        probes::TESTS,
        audit::TESTS,
        deploy::TESTS,
        chart::TESTS,
        access::TESTS,
        rights::TESTS,
        scrapers::TESTS,
        trust::TESTS,
        counting::TESTS,
        kinds::TESTS,
        travels::TESTS,
        scale::TESTS,
        alike::TESTS,
    ];
    let trials: Vec<_> = match Assets::find() {
        Some(Ok(assets)) => {
            let suite = Suite::new(assets);
            let trial = |name, test| {
                let suite = suite.another();
                Trial::ignorable_test(name, move || Ok(suite.run(test)))
            };
            trials_of(&against, trial).collect()
        }
        Some(Err(missing)) => {
            let trial = |name, _| {
                let missing = missing.clone();
                Trial::test(name, move || Err(missing.into()))
            };
            trials_of(&against, trial).collect()
        }
        None => {
            let reason = format!("{VARIABLE} is not set: there is no API server to test against");
            let trial = |name, _| {
                let reason = reason.clone();
                Trial::ignorable_test(name, move || Ok(Completion::ignored_with(reason)))
            };
            trials_of(&against, trial).collect()
        }
    };
    libtest_mimic::run(&arguments, trials).exit_code()
}

fn trials_of<'t>(
    modules: &'t [&[(&'static str, Test)]],
    trial: impl Fn(&'static str, Test) -> Trial + 't,
) -> impl Iterator<Item = Trial> + 't {
    modules.iter().copied().flatten().map(move |(name, test)| trial(name, *test))
}
