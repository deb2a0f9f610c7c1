//! What `promtool` says of the files that are shipped and of what is scraped.

use std::{
    fs,
    io::Write,
    path::Path,
    process::{Command, Stdio},
};

use hyper::StatusCode;

use crate::{
    Test,
    alerts::{RULES, cases},
    file, http,
    process::Process,
    server::{self, run},
};

pub const TESTS: &[(&str, Test)] = &[
    ("rules_are_valid", || rules_pass("check", &RULES.map(String::from))),
    ("rules_fire_when_they_should", || rules_pass("test", &cases())),
    ("scrape_configuration_is_valid", scrape_configuration_is_valid),
    ("scrape_without_a_cluster_is_valid", || run(scrape_without_a_cluster_is_valid())),
];

fn rules_pass(what: &str, files: &[String]) {
    let files: Vec<_> = files.iter().map(|path| file(path).display().to_string()).collect();
    let files = files.iter().map(String::as_str);
    promtool(&[what, "rules"].into_iter().chain(files).collect::<Vec<_>>(), "");
}

/// Runs promtool, which must find nothing wrong.
///
/// # Panics
/// With what it found.
fn promtool(args: &[&str], input: &str) {
    let mut command = Command::new("promtool");
    command.args(args).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("promtool can be run");
    let mut stdin = child.stdin.take().expect("a pipe");
    stdin.write_all(input.as_bytes()).expect("promtool reads all");
    drop(stdin);
    let output = child.wait_with_output().expect("promtool ends");
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    assert!(output.status.success(), "promtool {args:?}: {}\n{said}", output.status);
}

/// Checks a scrape: its format, and the conventions for names, units and help.
///
/// # Panics
/// With what is wrong.
pub fn check_metrics(scrape: &str) {
    assert!(scrape.contains("kubetally_build_info{"), "no scrape: {scrape}");
    promtool(&["check", "metrics"], scrape);
}

fn scrape_configuration_is_valid() {
    let dir = tempfile::tempdir().expect("a folder");
    let config = server::configuration(dir.path(), "127.0.0.1:8080".parse().expect("an address"));
    promtool(&["check", "config", &config.display().to_string()], "");
}

async fn scrape_without_a_cluster_is_valid() {
    let dir = tempfile::tempdir().expect("a folder");
    let kubeconfig = dir.path().join("config");
    fs::write(&kubeconfig, UNREACHABLE).expect("written");
    let mut kubetally = Process::start(&mut kubetally(&kubeconfig));
    let address = kubetally.until_serving().await;
    let (status, scrape) = http::get(address, "/metrics").await.expect("an answer");
    assert_eq!(status, StatusCode::OK);
    assert!(!scrape.contains("\nkubetally_objects"), "a count of nothing: {scrape}");
    check_metrics(&scrape);
    assert!(kubetally.stop("TERM").await.success(), "{}", kubetally.log());
}

fn kubetally(kubeconfig: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_kubetally"));
    command.args(["run", "--listen", "127.0.0.1:0", "--log-format", "json", "--kubeconfig"]);
    command.arg(kubeconfig).env_clear();
    command
}

/// Nothing listens on port 1.
const UNREACHABLE: &str = "
apiVersion: v1
kind: Config
current-context: nowhere
contexts: [{name: nowhere, context: {cluster: nowhere, user: nobody}}]
clusters: [{name: nowhere, cluster: {server: 'http://127.0.0.1:1'}}]
users: [{name: nobody, user: {}}]
";
