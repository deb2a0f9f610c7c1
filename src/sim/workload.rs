//! What happens in the simulated cluster: deployments roll, containers crash and are killed for
//! want of memory, pods fit nowhere or are evicted, jobs finish, events repeat and expire.
//!
//! Pure: the seed decides everything, time comes in.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    time::{Duration, SystemTime},
};

use serde_json::Value;

use super::{
    objects::{self, Ended, Event, Pod, Stage},
    state::{Key, uuid},
    surroundings::{self, Replicas},
};

/// How many events there are before the oldest expire.
const EVENTS: usize = 1_000;
/// How many expire together.
const EXPIRE: usize = 20;
/// How many pods that have ended are kept.
const FINISHED: usize = 12;
/// How many nodes there are.
const NODES: u32 = 3;

/// One write to the cluster.
#[derive(Clone, Debug)]
pub enum Write {
    /// Create or replace, in this table.
    Put(&'static str, Value),
    /// Delete together, from this table.
    Delete(&'static str, Vec<Key>),
}

/// An application, with all its pods.
#[derive(Debug)]
struct App {
    namespace: &'static str,
    name: &'static str,
    temper: Temper,
    owner: (&'static str, String, String),
    /// As they were shown last.
    replicas: Replicas,
}

/// What becomes of an application's pods.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Temper {
    Steady,
    Crashing,
    Leaking,
    Huge,
    Batch,
}

const APPS: &[(&str, &str, Temper)] = &[
    ("shop", "web", Temper::Steady),
    ("shop", "cart", Temper::Steady),
    ("shop", "search", Temper::Leaking),
    ("billing", "invoices", Temper::Steady),
    ("billing", "ledger", Temper::Crashing),
    ("billing", "report", Temper::Batch),
    ("media", "thumbnails", Temper::Leaking),
    ("media", "transcode", Temper::Huge),
    ("kube-system", "dns", Temper::Steady),
];

type Id = u64;

/// What is due.
#[derive(Clone, Copy, Debug)]
enum Task {
    /// A pod comes a stage further.
    Advance(Id),
    /// A pod is gone.
    Remove(Id),
    /// A pod's container ends.
    Crash(Id),
    /// A pod's deletion is asked for, and it gets a successor.
    Replace(Id),
}

/// The cluster's life.
#[derive(Debug)]
pub struct Workload {
    random: fastrand::Rng,
    apps: Vec<App>,
    pods: BTreeMap<Id, (usize, Pod)>,
    next: Id,
    tasks: VecDeque<Task>,
    /// The pods that have ended, the oldest first.
    finished: VecDeque<Id>,
    /// The events that there are, the oldest first.
    events: VecDeque<Key>,
    repeating: BTreeMap<Key, Event>,
    /// The applications of which a pod has changed.
    changed: BTreeSet<usize>,
    /// When the cluster was made.
    began: SystemTime,
    now: SystemTime,
    writes: Vec<Write>,
}

impl Workload {
    /// A cluster of about so many pods, at `now`.
    #[must_use]
    pub fn new(seed: u64, now: SystemTime) -> Self {
        let mut random = fastrand::Rng::with_seed(seed);
        let apps = APPS
            .iter()
            .map(|&(namespace, name, temper)| {
                let kind = if temper == Temper::Batch { "Job" } else { "ReplicaSet" };
                let owner = (kind, format!("{name}-{}", hash(&mut random)), uuid(&mut random));
                let replicas = Replicas::default();
                App { namespace, name, temper, owner, replicas }
            })
            .collect();
        Self {
            random,
            apps,
            pods: BTreeMap::new(),
            next: 0,
            tasks: VecDeque::new(),
            finished: VecDeque::new(),
            events: VecDeque::new(),
            repeating: BTreeMap::new(),
            changed: BTreeSet::new(),
            began: now,
            now,
            writes: Vec::new(),
        }
    }

    /// What is there at the start: namespaces, nodes, services, and so many pods that have run for a
    /// while, with what makes them.
    pub fn populate(&mut self, pods: u32) -> Vec<Write> {
        let mut namespaces: Vec<_> = APPS.iter().map(|(namespace, ..)| *namespace).collect();
        namespaces.dedup();
        let namespaces = namespaces.into_iter().map(objects::namespace);
        self.writes.extend(namespaces.map(|namespace| Write::Put("namespaces", namespace)));
        let hour = Duration::from_secs(3600);
        for at in 0..pods {
            let app = usize::try_from(at).unwrap_or(0) % self.apps.len();
            let id = self.create(app, self.now - hour);
            let stage = match self.apps[app].temper {
                Temper::Huge => Stage::Unschedulable,
                _ => Stage::Ready,
            };
            self.settle(id, stage);
            self.apps[app].replicas.wanted += 1;
        }
        self.surround();
        self.changed.extend(0..self.apps.len());
        self.show_owners();
        std::mem::take(&mut self.writes)
    }

    /// What stands around the pods and does not change.
    fn surround(&mut self) {
        let since = self.began;
        for at in 1..=NODES {
            let node = surroundings::node(&format!("node-{at}"), since);
            self.writes.push(Write::Put("nodes", node));
        }
        for App { namespace, name, temper, owner, .. } in &self.apps {
            let kind = match (*name, temper) {
                ("web", _) => "LoadBalancer",
                (_, Temper::Batch) => {
                    for (run, end) in [("a", "Complete"), ("b", "Complete"), ("c", "Failed")] {
                        let name = format!("{}-{run}", owner.1);
                        let job = surroundings::job(namespace, &name, 0, Some(end), since);
                        self.writes.push(Write::Put("jobs", job));
                    }
                    continue;
                }
                _ => "ClusterIP",
            };
            let service = surroundings::service(namespace, name, kind, since);
            self.writes.push(Write::Put("services", service));
        }
    }

    /// Shows the deployments and jobs whose pods stand otherwise now.
    fn show_owners(&mut self) {
        for at in std::mem::take(&mut self.changed) {
            let pods = self.pods.values().filter(|(app, pod)| *app == at && pod.is_there());
            let (mut present, mut ready) = (0, 0);
            for (_, pod) in pods {
                present += 1;
                ready += u32::from(pod.stage == Stage::Ready);
            }
            let App { namespace, name, temper, owner, replicas } = &mut self.apps[at];
            *replicas = Replicas { present, ready, ..*replicas };
            self.writes.push(match temper {
                Temper::Batch => {
                    let job = surroundings::job(namespace, &owner.1, present, None, self.began);
                    Write::Put("jobs", job)
                }
                temper => {
                    let stuck = *temper == Temper::Huge;
                    let (replicas, since) = (*replicas, self.began);
                    let deployment =
                        surroundings::deployment(namespace, name, replicas, stuck, since);
                    Write::Put("deployments", deployment)
                }
            });
        }
    }

    /// The next thing that happens, at `now`.
    pub fn step(&mut self, now: SystemTime) -> Vec<Write> {
        self.now = now;
        if self.tasks.len() < 8 && self.random.u8(..) < 96 {
            self.begin();
        }
        match self.tasks.pop_front() {
            Some(task) => self.run(task),
            None => self.begin(),
        }
        self.expire();
        self.show_owners();
        std::mem::take(&mut self.writes)
    }

    /// Begins a new story.
    fn begin(&mut self) {
        let Some(id) = self.any() else { return };
        let temper = self.apps[self.pods[&id].0].temper;
        let stage = self.pods[&id].1.stage;
        match (temper, stage) {
            (Temper::Huge, Stage::Unschedulable) => self.retry_scheduling(id),
            (Temper::Crashing | Temper::Leaking, Stage::Ready) => {
                self.tasks.push_back(Task::Crash(id));
            }
            (Temper::Batch, Stage::Ready) => self.tasks.push_back(Task::Advance(id)),
            (Temper::Steady, Stage::Ready) => match self.random.u8(..) {
                0..40 => self.evict(id),
                40..150 => self.tasks.push_back(Task::Replace(id)),
                _ => self.tell(id, true, "Unhealthy", "Readiness probe failed", "kubelet"),
            },
            _ => {}
        }
    }

    fn any(&mut self) -> Option<Id> {
        let at = self.random.u64(..self.next.max(1));
        let later = self.pods.range(at..).next();
        later.or_else(|| self.pods.range(..at).next_back()).map(|(id, _)| *id)
    }

    fn run(&mut self, task: Task) {
        match task {
            Task::Advance(id) => self.advance(id),
            Task::Crash(id) => self.crash(id),
            Task::Replace(id) => self.replace(id),
            Task::Remove(id) => {
                if let Some((app, pod)) = self.pods.remove(&id) {
                    self.changed.insert(app);
                    let key = Key { namespace: pod.namespace.into(), name: pod.name };
                    self.writes.push(Write::Delete("pods", vec![key]));
                }
            }
        }
    }

    fn create(&mut self, app: usize, created: SystemTime) -> Id {
        let App { namespace, name, owner, .. } = &self.apps[app];
        let pod = Pod {
            namespace,
            name: format!("{}-{}", owner.1, hash(&mut self.random)),
            uid: uuid(&mut self.random),
            app: name,
            owner: owner.clone(),
            created,
            node: None,
            stage: Stage::Pending,
            since: created,
            restarts: 0,
            last: None,
            terminating: false,
        };
        let id = self.next;
        self.next += 1;
        self.pods.insert(id, (app, pod));
        id
    }

    /// Brings a pod to a stage, and shows it.
    fn settle(&mut self, id: Id, stage: Stage) {
        let node = format!("node-{}", self.random.u32(1..=NODES));
        let Some((_, pod)) = self.pods.get_mut(&id) else { return };
        pod.stage = stage;
        pod.since = pod.since.max(self.now);
        if !matches!(stage, Stage::Pending | Stage::Unschedulable) {
            pod.node.get_or_insert(node);
        }
        self.show(id);
    }

    fn show(&mut self, id: Id) {
        if let Some((app, pod)) = self.pods.get(&id) {
            self.changed.insert(*app);
            self.writes.push(Write::Put("pods", pod.json()));
        }
    }

    fn advance(&mut self, id: Id) {
        let Some((app, pod)) = self.pods.get(&id) else { return };
        let temper = self.apps[*app].temper;
        match pod.stage {
            Stage::Pending if temper == Temper::Huge => {
                self.settle(id, Stage::Unschedulable);
                return self.retry_scheduling(id);
            }
            Stage::Pending => {
                self.settle(id, Stage::Creating);
                self.tell(id, false, "Scheduled", "Successfully assigned", "default-scheduler");
            }
            Stage::Creating => {
                self.settle(id, Stage::Starting);
                self.tell(id, false, "Started", "Started container", "kubelet");
            }
            Stage::Starting => return self.settle(id, Stage::Ready),
            Stage::Stopped => {
                self.settle(id, Stage::BackOff);
                self.tell(id, true, "BackOff", "Back-off restarting failed container", "kubelet");
            }
            Stage::BackOff => {
                if let Some((_, pod)) = self.pods.get_mut(&id) {
                    pod.restarts += 1;
                }
                self.settle(id, Stage::Starting);
            }
            Stage::Ready if temper == Temper::Batch => {
                self.end(id, "Completed", 0);
                self.settle(id, Stage::Succeeded);
                self.tell(id, false, "Completed", "Job completed", "job-controller");
                self.succeed(id);
                return self.finish(id);
            }
            _ => return,
        }
        self.tasks.push_back(Task::Advance(id));
    }

    /// Notes how a pod's container ended.
    fn end(&mut self, id: Id, reason: &'static str, code: i32) {
        let now = self.now;
        if let Some((_, pod)) = self.pods.get_mut(&id) {
            let started = pod.since;
            pod.last = Some(Ended { reason, code, started, finished: now, run: pod.restarts });
        }
    }

    fn crash(&mut self, id: Id) {
        let Some((app, pod)) = self.pods.get(&id) else { return };
        if pod.stage != Stage::Ready {
            return;
        }
        match self.apps[*app].temper {
            Temper::Leaking => self.end(id, "OOMKilled", 137),
            _ => self.end(id, "Error", 1),
        }
        self.settle(id, Stage::Stopped);
        self.tasks.push_back(Task::Advance(id));
    }

    /// One step of a deployment's roll: an old pod goes, a new one comes up.
    fn replace(&mut self, id: Id) {
        let now = self.now;
        let Some((_, pod)) = self.pods.get_mut(&id) else { return };
        if pod.stage != Stage::Ready || pod.terminating {
            return;
        }
        (pod.terminating, pod.since) = (true, now);
        self.show(id);
        self.tell(id, false, "Killing", "Stopping container", "kubelet");
        self.tasks.push_back(Task::Remove(id));
        self.succeed(id);
    }

    fn evict(&mut self, id: Id) {
        self.settle(id, Stage::Evicted);
        self.tell(id, true, "Evicted", "The node was low on resource: memory.", "kubelet");
        self.succeed(id);
        self.finish(id);
    }

    /// Makes the successor of a pod.
    fn succeed(&mut self, id: Id) {
        let Some((app, _)) = self.pods.get(&id) else { return };
        let new = self.create(*app, self.now);
        self.show(new);
        self.tasks.push_back(Task::Advance(new));
    }

    /// Keeps a pod that has ended until there are too many of them, as the pod collector does.
    fn finish(&mut self, id: Id) {
        self.finished.push_back(id);
        if self.finished.len() > FINISHED
            && let Some(oldest) = self.finished.pop_front()
        {
            self.tasks.push_back(Task::Remove(oldest));
        }
    }

    fn retry_scheduling(&mut self, id: Id) {
        let message = "0/3 nodes are available: 3 Insufficient cpu.";
        self.tell(id, true, "FailedScheduling", message, "default-scheduler");
    }

    /// Records an event; the same of the same pod again counts up, as the recorders do.
    fn tell(
        &mut self,
        id: Id,
        warning: bool,
        reason: &'static str,
        message: &'static str,
        component: &'static str,
    ) {
        let Some((_, pod)) = self.pods.get(&id) else { return };
        let name = format!("{}.{}", pod.name, reason.to_lowercase());
        let key = Key { namespace: pod.namespace.into(), name: name.clone() };
        let event = self.repeating.entry(key.clone()).or_insert_with(|| Event {
            namespace: pod.namespace,
            name,
            about: ("Pod", pod.name.clone()),
            warning,
            reason,
            message,
            component,
            first: self.now,
            last: self.now,
            count: 0,
            series: component == "default-scheduler",
        });
        event.count += 1;
        event.last = self.now;
        if event.count == 1 {
            self.events.push_back(key);
        }
        self.writes.push(Write::Put("events", event.json()));
    }

    fn expire(&mut self) {
        if self.events.len() < EVENTS + EXPIRE {
            return;
        }
        let keys: Vec<Key> = self.events.drain(..EXPIRE).collect();
        for key in &keys {
            self.repeating.remove(key);
        }
        self.writes.push(Write::Delete("events", keys));
    }
}

/// Five letters, as generated names end.
fn hash(random: &mut fastrand::Rng) -> String {
    const LETTERS: &[u8] = b"bcdfghjklmnpqrstvwxz2456789";
    let letter = |_| char::from(LETTERS[random.usize(..LETTERS.len())]);
    (0..5).map(letter).collect()
}

#[cfg(test)]
mod tests;
