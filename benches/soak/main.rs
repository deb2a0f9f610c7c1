//! Hours of heavy churn over a Kubetally of its own: `make soak`. It prints what the daemon has in
//! memory, and ends badly where that goes on growing, where the daemon shows other than what there
//! is and does not say that it is not watching, or in the end, or where it was not alive all the
//! time.
//!
//! `SOAK_SECONDS` says how long it lasts, an hour where it does not, and `SOAK_PROGRAM` which program
//! it is of, that of this build where it does not.

mod churn;
#[expect(dead_code, reason = "tests need more of it")]
#[path = "../../tests/support/daemon.rs"]
mod daemon;
#[path = "../../tests/support/eventually.rs"]
mod eventually;
#[path = "../../tests/support/http.rs"]
mod http;
#[path = "../../tests/support/process.rs"]
mod process;

use std::{env, fs, path::PathBuf, process::Command, time::Duration};

use churn::Churn;
use daemon::{Kubetally, Scrape};
use kubetally::{
    kinds::event::GENERATION,
    sim::{Options, Sim, auth::Right},
};
use serde_json::json;
use tempfile::TempDir;
use tokio::{
    net::TcpStream,
    time::{Instant, MissedTickBehavior, interval},
};

/// Changes a second.
const RATE: u64 = 2_000;
/// How often some of them are made.
const TICK: Duration = Duration::from_millis(20);
/// How often it is scraped.
const SCRAPE: Duration = Duration::from_secs(5);
/// How often something breaks.
const FAULT: Duration = Duration::from_secs(15);
/// How many events come and go before: twice the names of gone events that the daemon remembers at
/// least, so that it has forgotten some before the time begins.
const GONE: usize = 2 * GENERATION;
/// How many of them in a tick, and after how many ticks something breaks.
const GOING: usize = 50;
const BREAKING: usize = 100;
/// The share of the time, and at most so much of it, after which memory has to be flat: caps and
/// tables are full then, and the allocator has what it needs.
const WARM: (u32, Duration) = (3, Duration::from_secs(300));
/// By how much what is in memory in the end may be above what was there when it was warm: what an
/// allocator leaves unused is not the same at every moment.
const GROWTH: (f64, f64) = (1.05, 2e6);

/// By how many pods what is shown may differ from what there is while it is watched: there are as
/// many at any time, but for those of a few ticks.
const BEHIND: f64 = 100.0;

const PODS: &str = r#"kubetally_objects{resource="pods"}"#;
const EVENTS: &str = r#"kubetally_objects{resource="events"}"#;
const NAMESPACES: &str = r#"kubetally_objects{resource="namespaces"}"#;
const WATCHED: &str = r#"kubetally_watch_connected{resource="pods"}"#;

/// A moment of it.
struct Sample {
    at: Duration,
    /// In bytes.
    resident: f64,
    series: usize,
    /// How many are shown.
    pods: f64,
    /// Whether they are watched: what is shown is what there is.
    watched: bool,
    relists: f64,
}

/// The simulated API server, the daemon, and what is seen of it.
struct Soak {
    sim: Sim,
    kubetally: Kubetally,
    churn: Churn,
    samples: Vec<Sample>,
    began: Instant,
    /// Where the server's changes began.
    revision: u64,
    _account: TempDir,
}

fn main() {
    let length = env::var("SOAK_SECONDS").ok();
    let length = length.map_or(3600, |text| text.parse().expect("SOAK_SECONDS is a number"));
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let mut soak = Soak::start().await;
        soak.fill().await;
        soak.go_on(Duration::from_secs(length)).await;
        soak.conclude().await;
    });
}

impl Soak {
    async fn start() -> Self {
        const USER: &str = "system:serviceaccount:kubetally:kubetally";
        let sim = Sim::start(Options::default()).await.expect("a server");
        sim.grant(USER, vec![Right::to_anything()]);
        let account = tempfile::tempdir().expect("a folder");
        let kubeconfig = kubeconfig(&sim, &account);
        let kubeconfig = kubeconfig.to_str().expect("UTF-8");
        let flags = ["--resources", "pods,events,namespaces", "--detail", "pods"];
        let own = ["--kubeconfig", kubeconfig, "--listen", "127.0.0.1:0", "--log-format", "json"];
        let program = env::var_os("SOAK_PROGRAM");
        let program = program.unwrap_or_else(|| env!("CARGO_BIN_EXE_kubetally").into());
        let mut command = Command::new(program);
        let mut kubetally = Kubetally::spawn(command.args(own).args(flags).env_clear()).await;
        kubetally.until_ready().await;
        let (churn, samples, began) = (Churn::new(), Vec::new(), Instant::now());
        Self { sim, kubetally, churn, samples, began, revision: 0, _account: account }
    }

    /// What such an hour has in its first minutes, in less than one: as many events that are gone as
    /// the daemon remembers, and as many faults.
    async fn fill(&mut self) {
        let mut ticks = interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        for tick in 0..GONE / GOING {
            ticks.tick().await;
            self.change();
            (0..GOING).for_each(|_| self.churn.flicker(&self.sim));
            if tick % BREAKING == 0 {
                self.hurt(tick / BREAKING);
            }
        }
        println!("{GONE} events have come and gone after {} s", self.began.elapsed().as_secs());
        (self.began, self.revision) = (Instant::now(), self.sim.revision());
    }

    /// Changes, scrapes, breaks and looks, for so long.
    async fn go_on(&mut self, length: Duration) {
        let [mut ticks, mut scrapes, mut faults] = [TICK, SCRAPE, FAULT].map(interval);
        let mut broken = 0;
        println!(
            "{:>8} {:>12} {:>10} {:>10} {:>8} {:>8} {:>8}",
            "seconds", "changes", "MB", "series", "pods", "watched", "relists"
        );
        while self.began.elapsed() < length {
            tokio::select! {
                _ = ticks.tick() => self.change(),
                _ = scrapes.tick() => self.look().await,
                _ = faults.tick() => {
                    self.hurt(broken);
                    broken += 1;
                }
            }
        }
    }

    fn change(&mut self) {
        let ticks = u64::try_from(TICK.as_millis()).unwrap_or(u64::MAX);
        for _ in 0..RATE * ticks / 1000 {
            self.churn.step(&self.sim);
        }
    }

    /// What it can take without a trace: watches end, connections break, history is forgotten.
    fn hurt(&mut self, turn: usize) {
        match turn % 4 {
            0 => self.sim.end_watches(),
            1 => self.sim.cut(),
            2 => self.sim.go_away(),
            _ => self.forget(),
        }
    }

    /// What was missed by watches that are cut off is no history any more: everything is listed.
    fn forget(&mut self) {
        self.sim.cut();
        self.change();
        self.sim.compact();
    }

    /// Scrapes it both ways, leaves a connection open for it to close, and notes how it is.
    async fn look(&mut self) {
        let (status, text) = self.kubetally.get("/livez").await.expect("an answer");
        assert_eq!((status.as_u16(), text.as_str()), (200, "ok\n"));
        let address = self.kubetally.address;
        let gzip = http::ask(address, "/metrics", &[("accept-encoding", "gzip")]).await;
        gzip.expect("a scrape");
        let _left = TcpStream::connect(address).await.expect("a connection");
        let (_, text) = self.kubetally.get("/metrics").await.expect("a scrape");
        let scrape = Scrape::parse(&text);
        let sample = Sample {
            at: self.began.elapsed(),
            resident: self.resident(),
            series: text.lines().filter(|line| !line.starts_with('#')).count(),
            pods: scrape.get(PODS).expect("pods are shown"),
            watched: scrape.get(WATCHED) == Some(1.0),
            relists: scrape.sum("kubetally_watch_relists_total"),
        };
        self.tell(&sample);
        let off = (sample.pods - self.there("pods")).abs();
        let log = || self.kubetally.log();
        assert!(!sample.watched || off <= BEHIND, "watched, and wrong by {off}:\n{}", log());
        self.samples.push(sample);
    }

    fn tell(&self, sample: &Sample) {
        let Sample { at, resident, series, pods, watched, relists } = sample;
        let (seconds, megabytes) = (at.as_secs(), resident / 1e6);
        let changes = self.sim.revision() - self.revision;
        println!(
            "{seconds:>8} {changes:>12} {megabytes:>10.1} {series:>10} {pods:>8} {watched:>8} {relists:>8}"
        );
    }

    /// How many objects of a table there are.
    fn there(&self, table: &str) -> f64 {
        self.sim.objects(table).len() as f64
    }

    fn resident(&self) -> f64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.kubetally.id()));
        let status = status.expect("a running program");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("a line");
        let kilobytes: f64 = line.trim().trim_end_matches(" kB").parse().expect("a number");
        kilobytes * 1024.0
    }

    /// Whether all was well.
    async fn conclude(mut self) {
        let length = self.began.elapsed();
        let rate = (self.sim.revision() - self.revision) as f64 / length.as_secs_f64();
        println!("{rate:.0} changes a second");
        let [pods, events, namespaces] = ["pods", "events", "namespaces"].map(|t| self.there(t));
        self.kubetally
            .until("what there is", |scrape| {
                let all = [PODS, EVENTS, NAMESPACES].map(|series| scrape.get(series));
                let by_phase = scrape.sum("kubetally_pods");
                let each = scrape.family("kube_pod_info").count() as f64;
                let exact = all == [Some(pods), Some(events), Some(namespaces)]
                    && [by_phase, each] == [pods, pods];
                let stands = format!("{all:?}, {by_phase} by phase, {each} one by one");
                if exact { Ok(()) } else { Err(stands) }
            })
            .await;
        println!("all {pods} pods, {events} events and {namespaces} namespaces are shown");
        let unwatched = self.samples.iter().filter(|sample| !sample.watched).count();
        println!("pods were not watched at {unwatched} of {} scrapes", self.samples.len());
        let warm = (length / WARM.0).min(WARM.1);
        let tenth = (length - warm) / 10;
        let warmed = self.median(|at| at >= warm && at < warm + tenth);
        let last = self.median(|at| at >= length - tenth);
        println!(
            "in memory: {:.1} MB when it was warm, {:.1} MB in the end",
            warmed / 1e6,
            last / 1e6
        );
        self.kubetally.stop().await;
        assert!(last <= warmed * GROWTH.0 + GROWTH.1, "memory goes on growing");
        assert!(rate >= 0.9 * RATE as f64, "there were too few changes to tell");
    }

    /// What was in memory at these times, in the middle.
    fn median(&self, times: impl Fn(Duration) -> bool) -> f64 {
        let samples = self.samples.iter().filter(|sample| times(sample.at));
        let mut resident: Vec<f64> = samples.map(|sample| sample.resident).collect();
        resident.sort_by(f64::total_cmp);
        *resident.get(resident.len() / 2).expect("it lasts long enough for some scrapes")
    }
}

/// A kubeconfig for the simulated API server.
fn kubeconfig(sim: &Sim, account: &TempDir) -> PathBuf {
    let write = |name: &str, text: &str| {
        let path = account.path().join(name);
        fs::write(&path, text).expect("written");
        path
    };
    let token = sim.issue("kubetally", "kubetally", Duration::from_secs(24 * 3600));
    write("token", &token);
    write("ca.crt", sim.authority().pem());
    let cluster = json!({
        "server": format!("https://{}", sim.address()),
        "certificate-authority": "ca.crt",
    });
    let config = json!({
        "apiVersion": "v1", "kind": "Config", "current-context": "soak",
        "contexts": [{"name": "soak", "context": {"cluster": "sim", "user": "me"}}],
        "clusters": [{"name": "sim", "cluster": cluster}],
        "users": [{"name": "me", "user": {"tokenFile": "token"}}],
    });
    write("config", &config.to_string())
}
