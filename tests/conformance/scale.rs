//! 2,000 pods and 1,000 events, by streaming list and by pages, and 1,000 random changes after.

use std::collections::BTreeMap;

use fastrand::Rng;
use serde_json::json;
use tokio::time::Instant;

use crate::{
    api::{Api, Call},
    daemon::Scrape,
    objects::{
        container, event, events, new_event, new_events, phase, pod, pods, series, terminated,
        waiting,
    },
    recount::Recount,
    suite::{Shared, Suite, kubetally, namespace, tests},
};

tests![two_thousand_pods_and_a_thousand_changes];

const NAMESPACES: [&str; 5] = ["shop", "billing", "search", "mail", "batch"];
pub const PODS: usize = 2_000;
const EVENTS: usize = 1_000;
const CHANGES: usize = 1_000;

async fn two_thousand_pods_and_a_thousand_changes(suite: &Suite) {
    let (shared, api) = suite.fresh().await;
    furnish(&api).await;
    // One API server that streams lists, and one on the same etcd that does not know how.
    let paged = shared.cluster.api_server(&["--feature-gates=WatchList=false"]).await;
    let mut watching = Vec::new();
    for (port, mode) in [(shared.server.port, "stream"), (paged.port, "list")] {
        let kubeconfig = shared.cluster.admin_kubeconfig(port);
        let began = Instant::now();
        let mut kubetally = kubetally(&kubeconfig, &[]).await;
        kubetally.until_ready().await;
        let ready = began.elapsed();
        let scrape = kubetally.scrape().await;
        eprintln!("{PODS} pods and {EVENTS} events, {mode}: ready in {ready:?}");
        synced_by(&scrape, mode);
        scrape.expect(&[("kubetally_objects{resource=\"pods\"}", kubectl_count(shared))]).unwrap();
        Recount::of(&api).await.equals(&scrape).unwrap();
        watching.push(kubetally);
    }

    let counted = change(&api).await;
    let recount = Recount::of(&api).await;
    for mut kubetally in watching {
        kubetally.until("a recount after the changes", |scrape| recount.equals(scrape)).await;
        kubetally.until("all that was counted", |scrape| counted.equals(scrape)).await;
        kubetally.stop().await;
    }
}

/// Makes pods and events in several namespaces.
pub async fn furnish(api: &Api) {
    for name in NAMESPACES {
        namespace(api, name).await;
    }
    let namespace = |n: usize| NAMESPACES[n % NAMESPACES.len()];
    let node = |n: usize| (!n.is_multiple_of(10)).then(|| format!("node-{}", n % 50));
    let pod = |n: usize| {
        let pod = pod(&format!("pod-{n}"), node(n).as_deref());
        Call::create(pods(namespace(n)), pod)
    };
    let event = |n: usize| {
        let (namespace, name) = (namespace(n), format!("event-{n}"));
        Call::create(events(namespace), event(namespace, &name, "Warning", "BackOff", 5))
    };
    api.all((0..PODS).map(pod).chain((0..EVENTS).map(event))).await;
}

/// How many pods kubectl shows.
fn kubectl_count(shared: &Shared) -> f64 {
    let args = ["get", "pods", "--all-namespaces", "--no-headers"];
    let lines = shared.cluster.kubectl(shared.server.port, &args).lines().count();
    f64::from(u32::try_from(lines).expect("not that many"))
}

/// The first list came in this mode, and where it came by pages, by several.
fn synced_by(scrape: &Scrape, mode: &str) {
    for resource in ["pods", "events"] {
        let labels = format!("resource=\"{resource}\",mode=\"{mode}\"");
        let synced = format!("kubetally_watch_sync_duration_seconds_count{{{labels}}}");
        scrape.expect(&[(&synced, 1.0)]).unwrap();
    }
    let labels = "verb=\"list\",resource=\"pods\",code=\"200\"";
    let pages = scrape.get(&format!("kubetally_api_requests_total{{{labels}}}"));
    assert_eq!(pages, (mode == "list").then_some(4.0));
}

/// What the changes must have counted.
#[derive(Default)]
pub struct Counted {
    restarts: BTreeMap<String, f64>,
    terminations: BTreeMap<String, f64>,
    occurrences: BTreeMap<String, f64>,
}

impl Counted {
    /// Whether a scrape shows just this.
    ///
    /// # Errors
    /// What differs.
    pub fn equals(&self, scrape: &Scrape) -> Result<(), String> {
        for (family, expected) in [
            ("kubetally_container_restarts_total", &self.restarts),
            ("kubetally_container_terminations_total", &self.terminations),
            ("kubetally_event_occurrences_total", &self.occurrences),
        ] {
            let shown: BTreeMap<_, _> = scrape
                .family(family)
                .filter(|(_, n)| *n > 0.0)
                .map(|(labels, n)| (labels.to_owned(), n))
                .collect();
            if shown != *expected {
                return Err(format!("{family} is {shown:?}, not {expected:?}"));
            }
        }
        Ok(())
    }
}

/// One pod or event as the changes know it.
struct Known {
    namespace: &'static str,
    name: String,
    /// A container's restarts, or an event's count.
    count: u32,
}

/// Changes pods and events at random, one after the other.
pub async fn change(api: &Api) -> Counted {
    let mut changes = Changes {
        api,
        random: Rng::with_seed(7),
        pods: known("pod", PODS, 0),
        events: known("event", EVENTS, 5),
        made: 0,
        counted: Counted::default(),
    };
    for _ in 0..CHANGES {
        changes.one().await;
    }
    changes.counted
}

fn known(what: &str, n: usize, count: u32) -> Vec<Known> {
    let known = |n: usize| Known {
        namespace: NAMESPACES[n % NAMESPACES.len()],
        name: format!("{what}-{n}"),
        count,
    };
    (0..n).map(known).collect()
}

struct Changes<'a> {
    api: &'a Api,
    random: Rng,
    pods: Vec<Known>,
    events: Vec<Known>,
    made: usize,
    counted: Counted,
}

impl Changes<'_> {
    async fn one(&mut self) {
        match self.random.u8(0..10) {
            0 => self.create_pod().await,
            1 => self.delete_pod().await,
            2..=4 => self.change_phase().await,
            5 | 6 => self.restart().await,
            7 => self.create_event().await,
            8 => self.repeat_event().await,
            _ => self.delete_event().await,
        }
    }

    fn next(&mut self, what: &str) -> Known {
        self.made += 1;
        let namespace = NAMESPACES[self.random.usize(..NAMESPACES.len())];
        Known { namespace, name: format!("new-{what}-{}", self.made), count: 0 }
    }

    async fn create_pod(&mut self) {
        let known = self.next("pod");
        let mut pod = pod(&known.name, Some("node-new"));
        if self.random.bool() {
            let uid = "9b2f0c0e-5b1a-4c6e-8f5e-0a1b2c3d4e5f";
            pod["metadata"]["ownerReferences"] = json!([{
                "apiVersion": "batch/v1", "kind": "Job", "name": "job", "uid": uid, "controller": true,
            }]);
        }
        self.api.must(Call::create(pods(known.namespace), pod)).await;
        self.pods.push(known);
    }

    /// At once, or as a user does: what is bound to a node and has not ended stays and is
    /// terminating, as there is no kubelet.
    async fn delete_pod(&mut self) {
        let at = self.random.usize(..self.pods.len());
        let Known { namespace, name, .. } = self.pods.swap_remove(at);
        let path = format!("{}/{name}", pods(namespace));
        let delete = match self.random.bool() {
            true => Call::delete(path),
            false => Call { path, ..Call::delete("") },
        };
        self.api.must(delete).await;
    }

    async fn change_phase(&mut self) {
        let Known { namespace, name, .. } = &self.pods[self.random.usize(..self.pods.len())];
        let names = ["Pending", "Running", "Running", "Succeeded", "Failed", "Unknown"];
        let phase = phase(names[self.random.usize(..names.len())], self.random.bool());
        self.api.must(Call::patch(format!("{}/{name}/status", pods(namespace)), phase)).await;
    }

    async fn restart(&mut self) {
        let at = self.random.usize(..self.pods.len());
        let known = &mut self.pods[at];
        let growth = self.random.u32(1..4);
        known.count += growth;
        let reason = ["OOMKilled", "Error", "Completed"][self.random.usize(..3)];
        self.made += 1;
        let last = terminated(reason, self.made as u64);
        let patch = container(known.count.into(), waiting("CrashLoopBackOff"), last);
        let (namespace, path) = (known.namespace, pods(known.namespace));
        self.api.must(Call::patch(format!("{path}/{}/status", known.name), patch)).await;
        let labels = format!("namespace=\"{namespace}\"");
        let ended = format!("{labels},reason=\"{reason}\"");
        *self.counted.restarts.entry(labels).or_default() += f64::from(growth);
        *self.counted.terminations.entry(ended).or_default() += 1.0;
    }

    async fn create_event(&mut self) {
        let known = self.next("event");
        let Known { namespace, name, .. } = &known;
        if self.random.bool() {
            let event = event(namespace, name, "Warning", "BackOff", 3);
            self.api.must(Call::create(events(namespace), event)).await;
            self.occurred(3);
            self.events.push(Known { count: 3, ..known });
        } else {
            let path = new_events(namespace);
            let event = new_event(namespace, name, "Warning", "BackOff");
            self.api.must(Call::create(&path, event)).await;
            self.api.must(Call::patch(format!("{path}/{name}"), series(4))).await;
            self.occurred(4);
        }
    }

    async fn repeat_event(&mut self) {
        let at = self.random.usize(..self.events.len());
        let known = &mut self.events[at];
        let growth = self.random.u32(1..6);
        known.count += growth;
        let path = format!("{}/{}", events(known.namespace), known.name);
        self.api.must(Call::patch(path, json!({"count": known.count}))).await;
        self.occurred(growth);
    }

    async fn delete_event(&mut self) {
        let at = self.random.usize(..self.events.len());
        let Known { namespace, name, .. } = self.events.swap_remove(at);
        self.api.must(Call::delete(format!("{}/{name}", events(namespace)))).await;
    }

    fn occurred(&mut self, n: u32) {
        let labels = "type=\"Warning\",kind=\"Pod\",reason=\"BackOff\"".to_owned();
        *self.counted.occurrences.entry(labels).or_default() += f64::from(n);
    }
}
