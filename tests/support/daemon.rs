//! Kubetally as a user runs it: the binary, its log, its HTTP side.

use std::{collections::BTreeMap, ffi::OsStr, net::SocketAddr, ops::Deref, process::Command};

use hyper::StatusCode;

use super::{eventually::eventually, http, process::Process};

/// A running Kubetally.
pub struct Kubetally {
    process: Process,
    /// Where it serves.
    pub address: SocketAddr,
}

/// One scrape: every series with its value.
#[derive(Default)]
pub struct Scrape(BTreeMap<String, f64>);

impl Kubetally {
    /// Starts it with these arguments and nothing else in its environment than this.
    pub async fn start<'e>(
        args: &[&str],
        env: impl IntoIterator<Item = (&'e str, &'e OsStr)>,
    ) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_kubetally"));
        Self::spawn(command.args(args).env_clear().envs(env)).await
    }

    /// Starts it by a command that ends in it, and that tells it to listen on port 0 and to log
    /// JSON.
    pub async fn spawn(command: &mut Command) -> Self {
        let mut process = Process::start(command);
        let address = process.until_serving().await;
        Self { process, address }
    }

    /// Asks for a path: status and body.
    ///
    /// # Errors
    /// Where there is no whole answer.
    pub async fn get(&self, path: &str) -> Result<(StatusCode, String), String> {
        http::get(self.address, path).await
    }

    /// Scrapes it.
    ///
    /// # Panics
    /// Where it cannot be scraped.
    pub async fn scrape(&self) -> Scrape {
        match self.get("/metrics").await {
            Ok((StatusCode::OK, text)) => Scrape::parse(&text),
            other => panic!("/metrics: {other:?}; its log:\n{}", self.process.log()),
        }
    }

    /// Scrapes until `probe` has its value; until then it tells how things stand.
    pub async fn until<T>(
        &mut self,
        what: &str,
        probe: impl Fn(&Scrape) -> Result<T, String>,
    ) -> T {
        eventually(what, async || {
            self.process.assert_running();
            let scrape = self.scrape().await;
            probe(&scrape).map_err(|stands| format!("{stands}; its log:\n{}", self.process.log()))
        })
        .await
    }

    /// Scrapes until these series have these values.
    pub async fn until_values(&mut self, what: &str, expected: &[(&str, f64)]) {
        self.until(what, |scrape| scrape.expect(expected)).await;
    }

    /// Waits until every kind that may be watched has synced.
    pub async fn until_ready(&mut self) {
        eventually("readiness", async || {
            self.process.assert_running();
            match self.get("/readyz?verbose").await? {
                (StatusCode::OK, _) => Ok(()),
                (_, text) => Err(format!("{text}; its log:\n{}", self.process.log())),
            }
        })
        .await;
    }

    /// Stops it as Kubernetes does; it must end well.
    pub async fn stop(mut self) {
        let status = self.process.stop("TERM").await;
        assert!(status.success(), "it ended with {status}; its log:\n{}", self.process.log());
    }
}

impl Deref for Kubetally {
    type Target = Process;

    fn deref(&self) -> &Process {
        &self.process
    }
}

impl Scrape {
    /// Reads Prometheus' text format.
    ///
    /// # Panics
    /// Where a line is none, or a series stands there twice.
    pub fn parse(text: &str) -> Self {
        let mut series = BTreeMap::new();
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            let sample =
                line.rsplit_once(' ').and_then(|(name, value)| Some((name, value.parse().ok()?)));
            let (name, value) = sample.unwrap_or_else(|| panic!("no sample: {line:?}"));
            assert!(series.insert(name.to_owned(), value).is_none(), "twice: {line:?}");
        }
        Self(series)
    }

    /// Adds another one: what both show is the sum.
    pub fn add(&mut self, other: Self) {
        for (series, value) in other.0 {
            *self.0.entry(series).or_default() += value;
        }
    }

    /// The value of a series, as it is written in the exposition: `name{label="value"}`.
    pub fn get(&self, series: &str) -> Option<f64> {
        self.0.get(series).copied()
    }

    /// The series of a family with their values: what stands in the braces, and the value.
    pub fn family<'s>(&'s self, name: &'s str) -> impl Iterator<Item = (&'s str, f64)> {
        self.0.iter().filter_map(move |(series, value)| {
            let labels = series.strip_prefix(name)?;
            let labels = match labels {
                "" => "",
                _ => labels.strip_prefix('{')?.strip_suffix('}')?,
            };
            Some((labels, *value))
        })
    }

    /// The sum over a family's series.
    pub fn sum(&self, name: &str) -> f64 {
        self.family(name).map(|(_, value)| value).sum()
    }

    /// Whether these series have these values.
    ///
    /// # Errors
    /// Those that do not.
    pub fn expect(&self, expected: &[(&str, f64)]) -> Result<(), String> {
        let wrong: Vec<_> = expected
            .iter()
            .filter(|(series, value)| self.get(series) != Some(*value))
            .map(|(series, value)| format!("{series} is {:?}, not {value}", self.get(series)))
            .collect();
        if wrong.is_empty() { Ok(()) } else { Err(wrong.join("; ")) }
    }
}
