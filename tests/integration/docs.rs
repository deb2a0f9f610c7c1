use std::{fs, path::Path};

use kubetally::{kinds, rbac};
use rstest::rstest;

use crate::binary::{ended, kubetally};

#[rstest]
#[case("docs/metrics.md", &["metrics", "--format", "markdown"])]
#[case("docs/configuration.md", &["config", "--format", "markdown"])]
fn a_page_is_what_its_command_prints(#[case] page: &str, #[case] arguments: &[&str]) {
    let printed = ended(&mut kubetally(arguments)).stdout;
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(page);
    let written = fs::read_to_string(path).unwrap_or_default();
    let command = arguments.join(" ");
    assert!(
        !printed.is_empty() && printed == written,
        "{page} is out of step; write it anew: cargo run -q -- {command} > {page}"
    );
}

#[test]
fn the_role_is_for_what_is_watched_by_default() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/base/rbac.yaml");
    let written = fs::read_to_string(path).expect("a manifest");
    let generated = rbac::manifest(&rbac::rules(kinds::defaults()));
    assert_eq!(
        written, generated,
        "deploy/base/rbac.yaml is out of step; write it anew: make docs"
    );
}
