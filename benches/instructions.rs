//! The instructions that the way of an object takes, as valgrind counts them: the same on a busy
//! machine as on an idle one, so that a regression shows where times would only waver.
//!
//! `cargo bench --bench instructions` compares with `benches/instructions.txt` and fails where a
//! case takes a tenth more; `-- --write` writes the file anew.

#[path = "support/pods.rs"]
mod pods;

use std::{
    collections::BTreeMap,
    fs,
    hint::black_box,
    path::PathBuf,
    process::{Command, ExitCode},
    thread::{self, ScopedJoinHandle},
};

use kubetally::{store::Shared, watch::Op};
use pods::{NOW, json, list, payload, scrape, store};

/// In each case; what is printed is the share of one.
const PODS: u32 = 500;
/// How often a case does its work at most.
const MOST: u32 = 4;
/// How many hundredths more fail.
const MORE: u64 = 10;

/// What is counted: it does its work so many times.
type Case = fn(&[String], u32);

const CASES: &[(&str, Case)] = &[
    ("list", |pods, times| {
        (0..times).for_each(|_| list(&store(false), pods));
    }),
    ("list, with a series an object", |pods, times| {
        (0..times).for_each(|_| list(&store(true), pods));
    }),
    ("list, then a first scrape by gzip", |pods, times| {
        for _ in 0..times {
            let store = store(true);
            list(&store, pods);
            scrape(&store, true);
        }
    }),
    ("change, with a series an object", |pods, times| {
        let store = store(true);
        list(&store, pods);
        // All that are ever made, so that to make them is in both numbers.
        let rounds: Vec<Vec<String>> =
            (1..=MOST).map(|restarts| (0..PODS).map(|at| pod(at, restarts)).collect()).collect();
        rounds[..times as usize].iter().for_each(|round| change(&store, round));
    }),
    ("plain scrape", |pods, times| {
        let store = store(true);
        list(&store, pods);
        for _ in 0..times {
            scrape(&store, false);
        }
    }),
];

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [word, case, times] = arguments.as_slice()
        && word == "run"
    {
        let case = CASES.iter().find(|(name, _)| name == case).expect("a case").1;
        let pods: Vec<String> = (0..PODS).map(|at| pod(at, 0)).collect();
        case(&pods, times.parse().expect("a number"));
        return ExitCode::SUCCESS;
    }
    match count_all() {
        Ok(counted) if arguments.iter().any(|argument| argument == "--write") => write(&counted),
        Ok(counted) => compare(&counted),
        Err(error) => {
            eprintln!("instructions: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Instructions a pod of each case, in the order of the cases.
type Counted = Vec<(&'static str, u64)>;

/// Side by side: that takes less time, and as many instructions.
fn count_all() -> Result<Counted, String> {
    thread::scope(|scope| {
        let count = |(name, _): &(&'static str, Case)| (*name, scope.spawn(|| count(name)));
        let counts: Vec<_> = CASES.iter().map(count).collect();
        let each =
            |(name, n): (_, ScopedJoinHandle<'_, _>)| Ok((name, n.join().expect("a count")?));
        counts.into_iter().map(each).collect()
    })
}

/// The difference between doing it once and most often: what comes before and after is in both.
fn count(case: &str) -> Result<u64, String> {
    let (once, most) = (valgrind(case, 1)?, valgrind(case, MOST)?);
    Ok(most.saturating_sub(once) / u64::from((MOST - 1) * PODS))
}

fn valgrind(case: &str, times: u32) -> Result<u64, String> {
    let this = std::env::current_exe().map_err(|error| error.to_string())?;
    let output = Command::new("valgrind")
        .args(["--tool=cachegrind", "--cache-sim=no", "--cachegrind-out-file=/dev/null"])
        .arg(this)
        .args(["run", case, &times.to_string()])
        .output()
        .map_err(|error| {
            format!("valgrind cannot be run: {error}; `make instructions` fetches it")
        })?;
    let text = String::from_utf8_lossy(&output.stderr);
    let line = text
        .lines()
        .find_map(|line| line.split_once("refs:"))
        .filter(|(head, _)| output.status.success() && head.trim_end().ends_with('I'));
    let digits = line.map(|(_, number)| number.replace(',', ""));
    digits
        .and_then(|digits| digits.trim().parse().ok())
        .ok_or_else(|| format!("valgrind counted nothing of {case:?}: {text}"))
}

fn file() -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "benches", "instructions.txt"].iter().collect()
}

fn write(counted: &Counted) -> ExitCode {
    let lines = counted.iter().map(|(name, n)| format!("{n}\t{name}\n"));
    let text = format!(
        "# Instructions a pod; `make instructions-write` writes this.\n{}",
        lines.collect::<String>()
    );
    match fs::write(file(), text) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("instructions: {}: {error}", file().display());
            ExitCode::FAILURE
        }
    }
}

fn compare(counted: &Counted) -> ExitCode {
    let known = fs::read_to_string(file()).unwrap_or_default();
    let known: BTreeMap<&str, u64> = known
        .lines()
        .filter_map(|line| line.split_once('\t'))
        .filter_map(|(n, name)| Some((name, n.parse().ok()?)))
        .collect();
    let mut worse = false;
    for (name, n) in counted {
        let before = known.get(name).copied();
        let is_worse = before.is_none_or(|before| n * 100 > before * (100 + MORE));
        worse |= is_worse;
        let before = before.map_or("not in the file".into(), |before| format!("{before} before"));
        println!(
            "{n:>9} instructions a pod, {before}: {name}{}",
            if is_worse { "  <== WORSE" } else { "" }
        );
    }
    if worse {
        eprintln!(
            "instructions: more than {MORE} % worse; where that is right: make instructions-write"
        );
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}

fn pod(at: u32, restarts: u32) -> String {
    json(at, restarts, at + 1 + restarts * PODS)
}

fn change(store: &Shared, pods: &[String]) {
    let mut store = store.lock().expect("nobody panics");
    for pod in pods {
        black_box(store.apply(Op::Modified, 0, payload(pod), NOW)).expect("a pod");
    }
}
