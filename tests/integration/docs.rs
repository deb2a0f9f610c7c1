use std::{collections::BTreeSet, fs, path::Path};

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
fn the_troubleshooting_page_names_metrics_and_label_values_that_there_are() {
    let page = read("docs/troubleshooting.md");
    let named: Vec<_> = page.split('`').filter(|part| part.starts_with("kubetally_")).collect();
    assert!(named.len() > 15, "{named:?}");
    for series in named {
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
}
