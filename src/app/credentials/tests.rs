//! What happens by itself, minute by minute, in paused time.

use std::{
    fs::{self, File},
    path::Path,
    sync::Arc,
};

use tempfile::TempDir;
use tokio::time::timeout;

use super::*;
use crate::{
    api::endpoint::Lookup,
    exposition::{Collect, Exposition, Format, catalogue::TOKEN_RELOADS_TOTAL},
};

/// A client of a server that is not verified, with a token in a file.
fn client(dir: &TempDir) -> Client {
    let at = |name: &str| dir.path().join(name);
    let config = "current-context: c\n\
         clusters: [{name: c, cluster: {server: 'https://a.test', insecure-skip-tls-verify: true}}]\n\
         users: [{name: u, user: {tokenFile: token}}]\n\
         contexts: [{name: c, context: {cluster: c, user: u}}]\n";
    fs::write(at("config"), config).expect("written");
    fs::write(at("token"), "hunter2").expect("written");
    let lookup = Lookup {
        kubeconfig: Some(at("config")),
        context: None,
        env: &|_| None,
        service_account: at("none"),
    };
    let endpoint = Endpoint::find(&lookup).expect("a cluster");
    Client::new(endpoint, Telemetry::new(&["pods"]).expect("the catalogue is sound"))
}

/// Lets credentials be reloaded for so long, and gives what was logged.
async fn log_of(client: &Client, telemetry: &Telemetry, path: &Path, time: Duration) -> String {
    let log = Arc::new(File::create(path).expect("a file"));
    let subscriber = tracing_subscriber::fmt().with_ansi(false).with_writer(log).finish();
    let guard = tracing::subscriber::set_default(subscriber);
    let (notices, proofs) = (Notices::default(), watch::Sender::new(0));
    let ended = timeout(time, reload(client, telemetry, &notices, &proofs)).await;
    assert!(ended.is_err(), "it never ends by itself");
    drop(guard);
    fs::read_to_string(path).expect("a log")
}

fn reloads(telemetry: &Telemetry, result: &str) -> u64 {
    let mut out = Exposition::new(Format::Text, &[TOKEN_RELOADS_TOTAL.name.to_owned()]);
    telemetry.collect(&mut out);
    let text = String::from_utf8(out.finish().to_vec()).expect("UTF-8");
    let series = format!("{}{{trigger=\"timer\",result=\"{result}\"}} ", TOKEN_RELOADS_TOTAL.name);
    let sample = text.lines().find_map(|line| line.strip_prefix(series.as_str()));
    sample.expect("it starts at 0").parse().expect("a number")
}

#[tokio::test(start_paused = true)]
async fn a_server_that_is_not_verified_is_warned_of_each_minute() {
    let dir = tempfile::tempdir().expect("a folder");
    let client = client(&dir);
    let telemetry = Telemetry::new(&["pods"]).expect("the catalogue is sound");
    let time = Duration::from_secs(181);
    let log = log_of(&client, &telemetry, &dir.path().join("log"), time).await;
    assert_eq!(log.matches("insecure-skip-tls-verify: anybody in between").count(), 4, "{log}");
    assert_eq!(reloads(&telemetry, "unchanged"), 37);
}

#[tokio::test(start_paused = true)]
async fn a_token_that_is_gone_is_counted_each_time_and_told_each_minute() {
    let dir = tempfile::tempdir().expect("a folder");
    let client = client(&dir);
    let telemetry = Telemetry::new(&["pods"]).expect("the catalogue is sound");
    fs::remove_file(dir.path().join("token")).expect("removed");
    let time = Duration::from_secs(181);
    let log = log_of(&client, &telemetry, &dir.path().join("log"), time).await;
    assert_eq!(
        log.matches("the token cannot be read again; the last good one").count(),
        4,
        "{log}"
    );
    assert_eq!(reloads(&telemetry, "error"), 37);
}
