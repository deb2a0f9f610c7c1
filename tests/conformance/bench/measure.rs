//! The figures of one program.

use std::{collections::BTreeMap, path::Path, time::Duration};

use kubetally::{
    watch::{Op, machine::Request},
    wire::{
        Encoding, Notification,
        stream::{Events, LARGEST, notification},
    },
};
use tokio::time::{Instant, interval};

use super::{
    fleet::{Change, Fleet},
    program::{Kind, Program},
    server,
};
use crate::cluster::Cluster;

/// How often a scrape of an unchanged cluster is measured; the median counts.
const SCRAPES: usize = 7;
/// How often a scrape after many changes is.
const ROUNDS: usize = 5;
/// One pod of so many is changed between two of those.
const SHARE: u32 = 20;
/// How many single changes are timed.
const TIMED: usize = 200;
/// Between two changes that are not timed.
const PACE: Duration = Duration::from_millis(2);
/// How long anything may take.
const DEADLINE: Duration = Duration::from_secs(300);

/// What was measured of one program.
#[derive(Default)]
pub struct Figures {
    /// From its start until every pod was in a scrape.
    pub start: Duration,
    /// The CPU it used for that.
    pub start_cpu: Duration,
    /// Bytes of memory before any scrape by gzip, after all of them, and at most.
    pub memory: [u64; 3],
    /// The series of a scrape.
    pub series: usize,
    /// The bytes of a scrape, plain and by gzip.
    pub bytes: [usize; 2],
    /// A scrape of an unchanged cluster, plain and by gzip.
    pub unchanged: [Duration; 2],
    /// A scrape by gzip, one pod of twenty changed since the one before.
    pub changed: Duration,
    /// The CPU used for one change.
    pub change: Duration,
    /// From the frame of a change, read here, until a scrape shows it: the median, the
    /// ninety-ninth of a hundred.
    pub visible: Option<[Duration; 2]>,
}

/// Measures everything of a program that has just been started.
pub async fn all(
    mut program: Program,
    began: Instant,
    cluster: &Cluster,
    kubeconfig: &Path,
    fleet: &mut Fleet,
    changes: u32,
) -> Figures {
    let mut figures = Figures::default();
    until_complete(&mut program, fleet.pods()).await;
    figures.start = began.elapsed();
    figures.start_cpu = program.cpu();
    until_idle(&program).await;
    figures.memory[0] = program.memory().0;
    for (at, gzip) in [(0, false), (1, true)] {
        (figures.bytes[at], figures.unchanged[at]) = scrapes(&mut program, gzip).await;
    }
    figures.series = series(&mut program).await;
    figures.changed = changed(&mut program, cluster, fleet).await;
    figures.change = change(&program, cluster, fleet, changes).await;
    let last = fleet.change(cluster).await;
    until_shown(&mut program, &last).await;
    if program.kind != Kind::KubeStateMetrics {
        figures.visible = Some(visible(&mut program, cluster, kubeconfig, fleet).await);
    }
    until_idle(&program).await;
    let (now, peak) = program.memory();
    figures.memory = [figures.memory[0], now, peak];
    figures
}

/// The text of a scrape, or nothing where there is none yet.
async fn text(program: &mut Program, path: &str) -> String {
    let got = program.get(path, false).await;
    got.map(|(body, _)| String::from_utf8_lossy(&body).into_owned()).unwrap_or_default()
}

/// Waits for what a path shows.
pub async fn until(program: &mut Program, path: &str, holds: impl Fn(&str) -> bool) {
    let end = Instant::now() + DEADLINE;
    let mut ticks = interval(program.kind.patience());
    loop {
        ticks.tick().await;
        if holds(&text(program, path).await) {
            return;
        }
        assert!(Instant::now() < end, "{}: {path} does not show it in time", program.kind);
    }
}

async fn until_complete(program: &mut Program, pods: u32) {
    let (path, line) = match program.kind {
        Kind::KubeStateMetrics => ("/metrics", "kube_pod_info{".to_owned()),
        Kind::Details => ("/metrics?name[]=kube_pod_info", "kube_pod_info{".to_owned()),
        Kind::Tallies => ("/metrics", format!("kubetally_objects{{resource=\"pods\"}} {pods}\n")),
    };
    let wanted = if program.kind == Kind::Tallies { 1 } else { pods as usize };
    until(program, path, |text| text.matches(&line).count() == wanted).await;
}

/// Waits until a pod's restarts are shown, so that nothing was measured of a program that has
/// stopped watching.
async fn until_shown(program: &mut Program, change: &Change) {
    let Change { namespace, name, restarts } = change;
    if program.kind == Kind::Tallies {
        return;
    }
    let start = format!(
        "kube_pod_container_status_restarts_total{{namespace=\"{namespace}\",pod=\"{name}\","
    );
    let end = format!(" {restarts}");
    until(program, "/metrics?name[]=kube_pod_container_status_restarts_total", |text| {
        let mut lines = text.lines().filter(|line| line.starts_with(&start));
        lines.any(|line| line.contains("container=\"app\"") && line.ends_with(&end))
    })
    .await;
}

/// Waits until it has used next to no CPU for half a second.
pub async fn until_idle(program: &Program) {
    let (window, little) = (Duration::from_millis(500), Duration::from_millis(10));
    let end = Instant::now() + DEADLINE;
    let mut ticks = interval(window);
    ticks.tick().await;
    let mut before = program.cpu();
    loop {
        ticks.tick().await;
        let now = program.cpu();
        if now.saturating_sub(before) < little || Instant::now() > end {
            return;
        }
        before = now;
    }
}

async fn scrapes(program: &mut Program, gzip: bool) -> (usize, Duration) {
    // The first fills what is kept between scrapes.
    let (bytes, _) = program.scrape(gzip).await;
    until_idle(program).await;
    let mut took = Vec::new();
    for _ in 0..SCRAPES {
        took.push(program.scrape(gzip).await.1);
    }
    (bytes, median(&mut took))
}

/// The samples of a scrape.
async fn series(program: &mut Program) -> usize {
    let text = text(program, "/metrics").await;
    text.lines().filter(|line| !line.starts_with('#')).count()
}

/// The first scrape after many pods have changed.
async fn changed(program: &mut Program, cluster: &Cluster, fleet: &mut Fleet) -> Duration {
    let mut took = Vec::new();
    for _ in 0..ROUNDS {
        let seen = notifications(program).await;
        let (pods, _) = fleet.change_one_of(cluster, SHARE).await;
        match seen {
            Some(seen) => until_notified(program, seen + f64::from(pods)).await,
            None => until_idle(program).await,
        }
        took.push(program.scrape(true).await.1);
    }
    median(&mut took)
}

/// How many changes Kubetally has read; the other does not say.
async fn notifications(program: &mut Program) -> Option<f64> {
    if program.kind == Kind::KubeStateMetrics {
        return None;
    }
    notified(&text(program, NOTIFICATIONS).await)
}

const NOTIFICATIONS: &str = "/metrics?name[]=kubetally_watch_notifications_total";

fn notified(text: &str) -> Option<f64> {
    let labels = format!("{{resource=\"pods\",op=\"{}\"}} ", Op::Modified);
    let line = text.lines().find_map(|line| {
        line.strip_prefix("kubetally_watch_notifications_total")?.strip_prefix(&labels)
    });
    line.and_then(|value| value.parse().ok())
}

async fn until_notified(program: &mut Program, n: f64) {
    until(program, NOTIFICATIONS, |text| notified(text).is_some_and(|seen| seen >= n)).await;
}

/// The CPU for one change, of those that come one after the other while nobody scrapes.
pub async fn change(program: &Program, cluster: &Cluster, fleet: &mut Fleet, n: u32) -> Duration {
    until_idle(program).await;
    let before = program.cpu();
    let mut ticks = interval(PACE);
    for _ in 0..n {
        ticks.tick().await;
        fleet.change(cluster).await;
    }
    until_idle(program).await;
    program.cpu().saturating_sub(before) / n.max(1)
}

/// How long after its frame was read here a change is in a scrape.
async fn visible(
    program: &mut Program,
    cluster: &Cluster,
    kubeconfig: &Path,
    fleet: &mut Fleet,
) -> [Duration; 2] {
    let client = server::client(kubeconfig);
    let request = Request::Stream { timeout: Duration::from_secs(300) };
    let answer = client.open(&server::pods(Encoding::Protobuf), &request, None).await;
    let mut answer = answer.unwrap_or_else(|trouble| panic!("{}", trouble.message));
    let mut events = Events::new(answer.encoding(), LARGEST);
    let mut seen = BTreeMap::from([("bookmarks", 0), ("objects", 0)]);
    let mut took = Vec::new();
    let mut known = f64::NAN;
    while took.len() < TIMED {
        let chunk = answer.chunk().await.expect("a stream").expect("no end");
        events.push(&chunk);
        let mut live = 0;
        while let Some(event) = events.next_event().expect("an event") {
            match notification(event).expect("a notification") {
                Notification::Bookmark { .. } => *seen.entry("bookmarks").or_default() += 1,
                _ if seen["bookmarks"] > 0 => live += 1,
                _ => {}
            }
        }
        let read = Instant::now();
        if seen["bookmarks"] == 0 {
            continue;
        }
        if live > 0 {
            until_notified(program, known + 1.0).await;
            took.push(read.elapsed());
        }
        known = notifications(program).await.expect("Kubetally says how many");
        fleet.change(cluster).await;
    }
    took.sort_unstable();
    [took[took.len() / 2], took[took.len() * 99 / 100]]
}

fn median(took: &mut [Duration]) -> Duration {
    took.sort_unstable();
    took[took.len() / 2]
}
