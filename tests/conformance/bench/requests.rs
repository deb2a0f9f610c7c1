//! What Kubetally asks of the API server beside its watches, in the default settings.

use std::{collections::BTreeMap, fmt, path::Path, time::Duration};

use tokio::time::{Instant, sleep_until};

use crate::{
    cluster::ApiServer,
    daemon::{Kubetally, Scrape},
    suite::namespace,
};

/// The namespace of the canary's Lease.
const CANARY: &str = "kubetally-canary";
const REQUESTS: &str = "kubetally_api_requests_total";

/// How many requests a minute there were, by verb and what was asked for.
pub struct Requests {
    over: Duration,
    a_minute: BTreeMap<String, f64>,
}

/// Counts for a time, with probes, reviews and a canary.
pub async fn count(
    program: &Path,
    server: &ApiServer,
    kubeconfig: &Path,
    over: Duration,
) -> Requests {
    namespace(&server.admin(), CANARY).await;
    let mut command = std::process::Command::new(program);
    command.arg("--kubeconfig").arg(kubeconfig);
    command.args(["--listen", "127.0.0.1:0", "--log-format", "json"]);
    command.args(["--canary-namespace", CANARY]);
    let mut kubetally = Kubetally::spawn(&mut command).await;
    kubetally.until_ready().await;
    let began = Instant::now();
    let before = requests(&kubetally.scrape().await);
    sleep_until(began + over).await;
    let after = requests(&kubetally.scrape().await);
    kubetally.stop().await;
    let minutes = over.as_secs_f64() / 60.0;
    let a_minute = after.into_iter().map(|(what, n)| {
        let grown = n - before.get(&what).unwrap_or(&0.0);
        (what, grown / minutes)
    });
    Requests { over, a_minute: a_minute.filter(|(_, n)| *n > 0.0).collect() }
}

/// All but watches, by their labels without the code.
fn requests(scrape: &Scrape) -> BTreeMap<String, f64> {
    let mut requests = BTreeMap::new();
    for (labels, n) in scrape.family(REQUESTS) {
        let (what, _) = labels.split_once(",code=").expect("a code comes last");
        if !what.starts_with("verb=\"watch\"") {
            *requests.entry(what.to_owned()).or_default() += n;
        }
    }
    requests
}

impl fmt::Display for Requests {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let minutes = self.over.as_secs_f64() / 60.0;
        writeln!(f, "\n### Requests a minute beside the watches, over {minutes} minutes\n")?;
        writeln!(f, "| what | a minute |\n| --- | --- |")?;
        for (what, n) in &self.a_minute {
            writeln!(f, "| {what} | {n:.2} |")?;
        }
        writeln!(f, "| together | {:.2} |", self.a_minute.values().sum::<f64>())
    }
}
