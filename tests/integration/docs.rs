use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use clap::Parser;
use kubetally::exposition::catalogue::{ALL, Values};
use rstest::rstest;

use crate::binary::{ended, kubetally};

#[rstest]
#[case("docs/metrics.md", &["metrics", "--format", "markdown"])]
#[case("docs/configuration.md", &["config", "--format", "markdown"])]
fn a_page_is_what_its_command_prints(#[case] page: &str, #[case] arguments: &[&str]) {
    let printed = ended(&mut kubetally(arguments)).stdout;
    let written = read(page);
    let command = arguments.join(" ");
    assert!(
        !printed.is_empty() && printed == written,
        "{page} is out of step; write it anew: cargo run -q -- {command} > {page}"
    );
}

fn read(page: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(page);
    fs::read_to_string(path).unwrap_or_default()
}

/// The flags in a text: `--` and what follows, where a word begins.
fn flags(text: &str) -> BTreeSet<&str> {
    let inner = |c: char| c.is_ascii_alphanumeric() || "-_".contains(c);
    let words = text.split(|c: char| !inner(c)).filter(|word| word.starts_with("--"));
    words.filter(|word| word.len() > 2 && !word.ends_with('-')).collect()
}

#[test]
fn the_migration_page_has_every_flag_of_kube_state_metrics_and_names_only_flags_of_ours() {
    let page = read("docs/migration.md");
    let (mut theirs, mut ours) = (BTreeSet::new(), BTreeSet::new());
    for row in page.lines().filter(|line| line.starts_with("| `-")) {
        let mut columns = row.split(" | ").map(flags);
        theirs.extend(columns.next().unwrap_or_default());
        ours.extend(columns.next().unwrap_or_default());
    }
    let missing: Vec<_> = include_str!("../data/ksm/flags.txt")
        .lines()
        .filter(|flag| !theirs.contains(flag))
        .collect();
    assert!(missing.is_empty(), "{missing:?}");
    let help = ended(&mut kubetally(&["run", "--help"])).stdout
        + &ended(&mut kubetally(&["--help"])).stdout;
    let unknown: Vec<_> = ours.difference(&flags(&help)).copied().collect();
    assert!(ours.len() > 10 && unknown.is_empty(), "{unknown:?}");
}

#[test]
fn pages_name_metrics_and_label_values_that_there_are() {
    for (page, at_least) in [("docs/troubleshooting.md", 15), ("docs/reliability.md", 15)] {
        let page = read(page);
        let named: Vec<_> = page.split('`').filter(|part| part.starts_with("kubetally_")).collect();
        assert!(named.len() > at_least, "{named:?}");
        named.into_iter().for_each(is_of_the_catalogue);
    }
}

/// A metric, with labels or without, is declared, and so is each label and its value.
fn is_of_the_catalogue(series: &str) {
    let (name, labels) = series.split_once('{').unwrap_or((series, "}"));
    let metric = ALL.iter().find(|metric| metric.name == name);
    let metric = metric.unwrap_or_else(|| panic!("there is no {name}"));
    for pair in labels.trim_end_matches('}').split(',').filter(|pair| !pair.is_empty()) {
        let (label, value) = pair.split_once('=').expect("a label and its value");
        let label = metric.labels.iter().find(|known| known.name == label);
        let label = label.unwrap_or_else(|| panic!("{series}: no such label"));
        let Values::Fixed(values) = label.values else { panic!("{series}: any value") };
        assert!(values.contains(&value.trim_matches('"')), "{series}: not one of {values:?}");
    }
}

/// The tests of the fault matrix, by the number that each is named after.
fn fault_tests() -> BTreeMap<u8, BTreeSet<String>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/integration/faults");
    let mut tests = BTreeMap::<u8, BTreeSet<String>>::new();
    for entry in fs::read_dir(folder).expect("a folder") {
        let text = fs::read_to_string(entry.expect("an entry").path()).expect("a file");
        for name in text.split("fn fault_").skip(1) {
            let (name, _) = name.split_once('(').expect("a function");
            let (number, _) = name.split_once('_').expect("a number and what it does");
            let number = number.parse().expect("a number");
            tests.entry(number).or_default().insert(format!("fault_{name}"));
        }
    }
    tests
}

#[test]
fn the_reliability_page_has_every_fault_with_its_tests_and_no_other() {
    let page = read("docs/reliability.md");
    let mut told = BTreeMap::new();
    let of_fault = |line: &&str| line.starts_with("| ") && line.contains("`fault_");
    for row in page.lines().filter(of_fault) {
        let columns: Vec<_> = row.trim_matches('|').split(" | ").map(str::trim).collect();
        let [number, scenario, tests, seen] = columns[..] else { panic!("four columns: {row}") };
        assert!(!scenario.is_empty() && !seen.is_empty(), "{row}");
        let tests = tests.split('`').filter(|part| part.starts_with("fault_"));
        told.insert(number.parse().expect("a number"), tests.map(str::to_owned).collect());
    }
    assert_eq!(told.keys().copied().collect::<Vec<u8>>(), (1..=56).collect::<Vec<_>>());
    assert_eq!(told, fault_tests());
}

/// The pages for users and developers, by their paths.
fn pages() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let files = |folder: &str| fs::read_dir(root.join(folder)).expect("a folder");
    let paths = ["", "docs"].into_iter().flat_map(files).map(|entry| entry.expect("one").path());
    let others = ["deploy/chart/README.md", "dashboards/README.md"].map(|page| root.join(page));
    let is_page = |path: &PathBuf| path.extension().is_some_and(|ending| ending == "md");
    paths.filter(is_page).chain(others).collect()
}

/// What a heading is linked by: its letters and digits, lower case, spaces as dashes.
fn anchor(heading: &str) -> String {
    let kept = heading.to_lowercase();
    let kept = kept.trim().chars().filter(|c| c.is_alphanumeric() || " -_".contains(*c));
    kept.map(|c| if c == ' ' { '-' } else { c }).collect()
}

#[test]
fn every_link_leads_to_a_file_and_a_heading_that_are_there() {
    let mut followed = 0;
    for page in pages() {
        let text = fs::read_to_string(&page).expect("a page");
        let targets = text.split("](").skip(1).filter_map(|rest| rest.split_once(')'));
        for (target, _) in targets.filter(|(target, _)| !target.starts_with("http")) {
            let (path, heading) = target.split_once('#').unwrap_or((target, ""));
            let to = match path {
                "" => page.clone(),
                path => page.parent().expect("a folder").join(path),
            };
            assert!(to.exists(), "{}: {target} leads nowhere", page.display());
            if !heading.is_empty() {
                let text = fs::read_to_string(&to).expect("a page");
                let mut headings = text.lines().filter(|line| line.starts_with('#'));
                let there = headings.any(|line| anchor(line.trim_start_matches('#')) == heading);
                assert!(there, "{}: no heading {target}", page.display());
            }
            followed += 1;
        }
    }
    assert!(followed > 60, "{followed}");
}

/// The commands of a page: of blocks for the shell the lines that run Kubetally, up to what ends
/// them, and what stands in a line of text as code.
fn commands(text: &str) -> Vec<String> {
    let blocks = text.split("```sh\n").skip(1).filter_map(|rest| rest.split_once("```"));
    let lines = blocks.flat_map(|(block, _)| block.lines()).map(|line| {
        let command = line.trim().trim_start_matches("target/release/");
        command.split(['|', '#', '>', '&', ';']).next().unwrap_or_default()
    });
    let spans = text.split('`').filter(|span| !span.contains('\n'));
    let ours = lines.chain(spans).filter(|command| command.starts_with("kubetally "));
    ours.filter(|command| !command.contains(['$', '|', '…'])).map(|c| c.trim().into()).collect()
}

#[test]
fn the_commands_of_the_pages_are_ones_that_it_takes() {
    let mut taken = BTreeSet::new();
    for page in pages() {
        for command in commands(&fs::read_to_string(&page).expect("a page")) {
            let words: Vec<_> =
                command.split_whitespace().map(|word| word.trim_matches('\'')).collect();
            let refused = kubetally::cli::Cli::try_parse_from(&words).err();
            // Help is an error to the parser, of which nothing comes.
            let refused = refused.filter(|error| error.exit_code() != 0);
            assert!(refused.is_none(), "{}: {command}: {refused:?}", page.display());
            taken.insert(command);
        }
    }
    assert!(taken.len() > 12, "{taken:?}");
}
