//! Hours of a watcher's life, from one seed: spells in which everything happens that the model
//! knows, between them quiet times after which what is shown has to be what there is.

use std::{
    collections::{BTreeMap, BTreeSet},
    env,
    panic::{AssertUnwindSafe, catch_unwind},
    time::Duration,
};

use kubetally::watch::{EndCause, RelistCause};
use proptest::{
    prelude::*,
    strategy::ValueTree,
    test_runner::{Config, RngAlgorithm, TestRng, TestRunner},
};

use super::{Step, World, server::NAMES, step};

/// How long a life lasts at least.
const LIFE: Duration = Duration::from_secs(2 * 3600);
/// Lives in `cargo test`; `make simulate` has more.
const LIVES: u64 = 2000;
/// The longest quiet time after which all has arrived: the longest wait between two tries, a
/// refusal's, and what a list takes.
const QUIET: Duration = Duration::from_secs(5 * 60);
/// Requests in any minute, at most: those of the worst storm (`fault_54`).
const REQUESTS: usize = 15;

/// What happened over all lives.
#[derive(Default)]
struct Chronicle {
    lived: Duration,
    steps: BTreeMap<String, u64>,
    causes: BTreeSet<&'static str>,
    quiet_times: u64,
    most_requests: usize,
}

impl Step {
    fn kind(&self) -> String {
        let text = format!("{self:?}");
        text.split(|c: char| !c.is_alphanumeric()).next().unwrap_or_default().to_owned()
    }
}

/// Draws what a seed decides.
fn drawing(seed: u64) -> TestRunner {
    // Mixed, as xorshift remembers a seed of few bits for long.
    let mut mixed = fastrand::Rng::with_seed(seed);
    let bytes: [u8; 16] = std::array::from_fn(|_| mixed.u8(..));
    let random = TestRng::from_seed(RngAlgorithm::XorShift, &bytes);
    TestRunner::new_with_rng(Config::default(), random)
}

fn draw<S: Strategy>(from: &S, runner: &mut TestRunner) -> Result<S::Value, TestCaseError> {
    Ok(from.new_tree(runner).map_err(TestCaseError::fail)?.current())
}

/// Lives through one seed.
fn live(seed: u64, chronicle: &mut Chronicle) -> Result<(), TestCaseError> {
    let mut runner = drawing(seed);
    let (of, jitter, before) = draw(&(any::<bool>(), any::<u64>(), 0..NAMES), &mut runner)?;
    let mut world = World::new(if of { "pods" } else { "events" }, jitter, before);
    let (spell, step) = (1_usize..60, step());
    world.step(&Step::Tick(0));
    while world.client.now < LIFE {
        for at in 0..draw(&spell, &mut runner)? {
            let step = draw(&step, &mut runner)?;
            *chronicle.steps.entry(step.kind()).or_default() += 1;
            world.step(&step);
            // To look costs more than to live.
            if at % 8 == 0 {
                world.check()?;
            }
        }
        quiet(&mut world)?;
        world.check()?;
        chronicle.quiet_times += 1;
    }
    let most = most_a_minute(&world.client.asked);
    chronicle.most_requests = chronicle.most_requests.max(most);
    chronicle.lived += world.client.now;
    chronicle.causes.extend(&world.client.causes);
    if most > REQUESTS {
        return Err(TestCaseError::fail(format!("{most} requests within a minute")));
    }
    Ok(())
}

/// Nothing goes wrong any more, bookmarks come, and a probe notices a server that went back: a
/// little later all has arrived.
fn quiet(world: &mut World) -> Result<(), TestCaseError> {
    world.client.heal();
    let until = world.client.now + QUIET;
    while world.client.now < until {
        if world.client.epoch.is_some_and(|epoch| epoch != world.server.epoch) {
            world.step(&Step::Rewind);
        }
        // A page a round.
        for _ in 0..NAMES {
            world.step(&Step::ReceiveAll);
        }
        if world.settled() {
            return Ok(());
        }
        world.step(&Step::Bookmark);
        world.step(&Step::Tick(5));
    }
    Err(TestCaseError::fail(format!("nothing settles within {QUIET:?}")))
}

/// The most of these times that are within a minute.
fn most_a_minute(times: &[Duration]) -> usize {
    let minute = Duration::from_secs(60);
    let within =
        |(at, from): (usize, &Duration)| times[at..].partition_point(|time| *time < *from + minute);
    times.iter().enumerate().map(within).max().unwrap_or(0)
}

/// A number in the environment.
fn number(variable: &str) -> Option<u64> {
    let text = env::var(variable).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{variable} is no number: {text:?}")))
}

#[test]
fn hours_of_faults_leave_what_there_is() {
    let chosen = number("KUBETALLY_SEED");
    let seeds = chosen.map_or(0..number("KUBETALLY_LIVES").unwrap_or(LIVES), |seed| seed..seed + 1);
    let lives = seeds.end - seeds.start;
    let mut chronicle = Chronicle::default();
    for seed in seeds {
        let lived = catch_unwind(AssertUnwindSafe(|| live(seed, &mut chronicle)));
        let why = match lived {
            Ok(Ok(())) => continue,
            Ok(Err(why)) => why.to_string(),
            Err(_) => "it panicked, as told above".to_owned(),
        };
        panic!(
            "seed {seed}: {why}\nonce more: KUBETALLY_SEED={seed} cargo test --test integration \
             hours_of_faults"
        );
    }
    let Chronicle { lived, steps, causes, quiet_times, most_requests } = chronicle;
    println!(
        "{lives} lives, {} hours, {quiet_times} quiet times, at most {most_requests} requests a \
         minute; {steps:?}",
        lived.as_secs() / 3600
    );
    if chosen.is_some() {
        return;
    }
    // What never came about was not tested. Nobody shuts down here.
    let ends = EndCause::VALUES.iter().filter(|cause| **cause != EndCause::Shutdown.as_str());
    let missing: Vec<_> =
        ends.chain(RelistCause::VALUES).filter(|cause| !causes.contains(*cause)).collect();
    assert!(missing.is_empty(), "{missing:?} never came about");
    assert_eq!(steps.len(), 17, "some steps were never taken: {steps:?}");
}

#[test]
fn a_minute_is_counted_from_each_request() {
    let at = |seconds: &[u64]| -> Vec<Duration> {
        seconds.iter().map(|seconds| Duration::from_secs(*seconds)).collect()
    };
    assert_eq!(most_a_minute(&at(&[])), 0);
    assert_eq!(most_a_minute(&at(&[0, 59, 60, 119, 200])), 2);
    assert_eq!(most_a_minute(&at(&[0, 30, 40, 50, 95])), 4);
}
