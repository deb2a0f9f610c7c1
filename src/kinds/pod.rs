//! Pods: phases, readiness, scheduling, containers that wait, restart and terminate.

mod detail;
mod object;

use std::{
    hash::{BuildHasher, Hash, Hasher},
    sync::Arc,
};

use hashbrown::DefaultHashBuilder;
pub use object::Pod;
use object::{ContainerStatus, Terminated};

use crate::{
    config::settings::Caps,
    exposition::{
        Collect, Exposition, catalogue,
        detail::{Extra, Family, Samples},
    },
    label::label,
    store::{
        Context, Key, Kind, Origin, Tally,
        tally::{Cap, Counters, Histogram, Nothing, Table},
    },
    wire::meta::Meta,
};

label! {
    /// Where a pod is in its life (Kubernetes, "Pod Lifecycle").
    pub enum Phase {
        /// Accepted, not all containers run yet.
        Pending = "Pending",
        /// Bound to a node, at least one container runs.
        Running = "Running",
        /// All containers ended well, for good.
        Succeeded = "Succeeded",
        /// All containers ended, one of them badly.
        Failed = "Failed",
        /// The node is not heard of, or the phase is none we know.
        Unknown = "Unknown",
    }
}

label! {
    /// A pod's quality of service class.
    pub enum Qos {
        /// Requests equal limits, for all resources.
        Guaranteed = "Guaranteed",
        /// Some requests or limits.
        Burstable = "Burstable",
        /// None.
        BestEffort = "BestEffort",
        /// The server did not say.
        Unknown = "Unknown",
    }
}

/// Pods.
pub struct Pods;

/// What is kept of a pod.
#[derive(Debug)]
pub struct Facts {
    phase: Phase,
    qos: Qos,
    ready: bool,
    unschedulable: bool,
    terminating: bool,
    /// Whether its start was observed, or happened before we watched.
    started: bool,
    owner: Arc<str>,
    node: Option<Arc<str>>,
    containers: Box<[Container]>,
}

#[derive(Debug)]
struct Container {
    name: Arc<str>,
    restarts: u32,
    waiting: Option<Arc<str>>,
    /// The termination counted last.
    ended: Option<Termination>,
}

/// Tells one termination of a container from another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Termination {
    identity: u64,
    /// Seconds since 1970, or [`UNKNOWN`].
    finished: i64,
}

/// The reason of a container that was killed for want of memory.
const OOM_KILLED: &str = "OOMKilled";

/// The end of a termination that does not say when it was.
const UNKNOWN: i64 = i64::MIN;

/// A namespace's gauges.
#[derive(Clone, Debug, Default)]
pub struct Row {
    phases: [u64; Phase::ALL.len()],
    ready: u64,
    unschedulable: u64,
    terminating: u64,
    waiting: Vec<(Arc<str>, u64)>,
}

/// What is counted over all pods.
#[derive(Clone, Debug)]
pub struct Counted {
    namespaces: Table<Row>,
    nodes: Table<Nothing>,
    owners: Table<Nothing>,
    qos: [u64; Qos::ALL.len()],
    waiting_reasons: Cap,
    waiting_overflow: u64,
    restarts: Counters<1>,
    terminations: Counters<2>,
    oom_killed: Arc<str>,
    transitions: [[u64; Phase::ALL.len()]; Phase::ALL.len()],
    start: Histogram,
    hasher: DefaultHashBuilder,
}

impl Kind for Pods {
    type Object<'a> = Pod<'a>;
    type Facts = Facts;
    type Tally = Counted;
    const FAMILIES: &'static [Family] = detail::Series::FAMILIES;

    fn detail(pod: &Pod<'_>, extra: &Extra, out: &mut Samples) {
        detail::detail(pod, extra, out);
    }

    fn fold(
        tally: &mut Counted,
        key: &Key,
        old: Option<&Facts>,
        pod: &Pod<'_>,
        context: &mut Context<'_>,
    ) -> Facts {
        // What a pod has behind it when it is first seen counts only where all of its life was
        // after watching began.
        let ours = old.is_some()
            || (context.origin != Origin::Baseline && pod.metadata.created() >= context.began);
        if old.is_none() {
            tally.start(&key.namespace);
        }
        let facts = tally.facts(old, pod, ours, key, context);
        tally.enter(&key.namespace, &facts);
        if let Some(old) = old {
            tally.leave(&key.namespace, old);
            if old.phase != facts.phase {
                tally.transitions[old.phase as usize][facts.phase as usize] += 1;
            }
        }
        facts
    }

    fn forget(tally: &mut Counted, key: &Key, facts: &Facts, _: &Context<'_>) {
        tally.leave(&key.namespace, facts);
    }
}

impl Counted {
    fn facts(
        &mut self,
        old: Option<&Facts>,
        pod: &Pod<'_>,
        ours: bool,
        key: &Key,
        context: &mut Context<'_>,
    ) -> Facts {
        let status = &pod.status;
        let ready = status.condition("Ready").is_some_and(|ready| &*ready.status == "True");
        let node = Some(&*pod.spec.node_name).filter(|node| !node.is_empty());
        Facts {
            phase: phase(&status.phase),
            qos: qos(&status.qos_class),
            ready,
            unschedulable: status.condition("PodScheduled").is_some_and(|scheduled| {
                &*scheduled.status == "False" && &*scheduled.reason == "Unschedulable"
            }),
            terminating: pod.metadata.deletion_timestamp.is_set(),
            started: self.started(old, pod, ready, ours),
            owner: context.intern.intern(owner(&pod.metadata)),
            node: node.map(|node| context.intern.intern(node)),
            containers: status
                .container_statuses
                .iter()
                .chain(&status.init_container_statuses)
                .map(|status| self.container(old, status, ours, key, context))
                .collect(),
        }
    }

    fn started(&mut self, old: Option<&Facts>, pod: &Pod<'_>, ready: bool, ours: bool) -> bool {
        let before = old.map_or(!ours, |old| old.started);
        if ready && !before {
            let since = pod.status.condition("Ready").map(|ready| ready.last_transition_time);
            if let Some(since) = since.and_then(|since| since.0) {
                let took = since - pod.metadata.created() * 1_000_000;
                self.start.observe(
                    std::time::Duration::from_micros(took.max(0).cast_unsigned()).as_secs_f64(),
                );
            }
        }
        before || ready
    }

    fn container(
        &mut self,
        old: Option<&Facts>,
        status: &ContainerStatus<'_>,
        ours: bool,
        key: &Key,
        context: &mut Context<'_>,
    ) -> Container {
        let old = old.and_then(|facts| facts.containers.iter().find(|c| *c.name == *status.name));
        // A kubelet that lost its containers may report fewer for a while.
        let seen = old.map_or(0, |old| old.restarts);
        let restarts = u32::try_from(status.restart_count.max(0)).unwrap_or(u32::MAX).max(seen);
        if ours {
            self.restarts.add([&key.namespace], (restarts - seen).into());
        }
        let ended = self.terminations(old.and_then(|old| old.ended), status, ours, key, context);
        let waiting = status.state.waiting.as_ref().map(|waiting| {
            let reason = context.intern.intern(&waiting.reason);
            self.waiting_reasons.admit(&reason).unwrap_or_else(|| {
                self.waiting_overflow += 1;
                self.waiting_reasons.other()
            })
        });
        let name = context.intern.intern(&status.name);
        Container { name, restarts, waiting, ended }
    }

    /// A container that ends and starts again shows its end in `state` and later in `lastState`;
    /// between two looks either may have been missed. What is not older than the one counted last
    /// and not that one is counted. A kubelet that lost sight of a container does not say when it
    /// ended.
    fn terminations(
        &mut self,
        mut counted: Option<Termination>,
        status: &ContainerStatus<'_>,
        ours: bool,
        key: &Key,
        context: &mut Context<'_>,
    ) -> Option<Termination> {
        let now = status.state.terminated.as_ref();
        if now.is_some_and(|now| counted == Some(self.identify(now))) {
            return counted;
        }
        for terminated in status.last_state.terminated.iter().chain(now) {
            let this = self.identify(terminated);
            let older = counted.is_some_and(|last| this.finished < last.finished)
                && this.finished != UNKNOWN;
            if counted == Some(this) || older {
                continue;
            }
            if ours {
                let reason = context.intern.intern(&terminated.reason);
                self.terminations.add([&key.namespace, &reason], 1);
            }
            counted = Some(this);
        }
        counted
    }

    fn identify(&self, terminated: &Terminated<'_>) -> Termination {
        let mut hasher = self.hasher.build_hasher();
        terminated.container_id.hash(&mut hasher);
        terminated.started_at.hash(&mut hasher);
        terminated.exit_code.hash(&mut hasher);
        let finished = terminated.finished_at.seconds().unwrap_or(UNKNOWN);
        Termination { identity: hasher.finish(), finished }
    }

    /// Starts the series of a namespace of which the first increase has to show as one: that of
    /// restarts, that of OOM kills.
    fn start(&mut self, namespace: &Arc<str>) {
        self.restarts.add([namespace], 0);
        self.terminations.add([namespace, &self.oom_killed], 0);
    }

    fn enter(&mut self, namespace: &Arc<str>, facts: &Facts) {
        self.namespaces.enter(namespace).add(facts);
        if let Some(node) = &facts.node {
            self.nodes.enter(node);
        }
        self.owners.enter(&facts.owner);
        self.qos[facts.qos as usize] += 1;
    }

    fn leave(&mut self, namespace: &str, facts: &Facts) {
        self.namespaces.leave(namespace, |row| row.remove(facts));
        if let Some(node) = &facts.node {
            self.nodes.leave(node, |_| {});
        }
        self.owners.leave(&facts.owner, |_| {});
        self.qos[facts.qos as usize] -= 1;
    }
}

impl Tally for Counted {
    type Shown = Self;

    fn new(caps: &Caps) -> Self {
        Self {
            namespaces: Table::new(caps.namespaces),
            nodes: Table::new(caps.nodes),
            owners: Table::new(caps.reasons),
            qos: [0; Qos::ALL.len()],
            waiting_reasons: Cap::new(caps.reasons),
            waiting_overflow: 0,
            restarts: Counters::new([caps.namespaces]),
            terminations: Counters::new([caps.namespaces, caps.reasons]),
            oom_killed: OOM_KILLED.into(),
            transitions: Default::default(),
            start: match catalogue::POD_START_DURATION_SECONDS.kind {
                catalogue::Type::Histogram(bounds) => Histogram::new(bounds),
                _ => Histogram::new(&[]),
            },
            hasher: DefaultHashBuilder::default(),
        }
    }

    fn shown(&self) -> Self {
        self.clone()
    }
}

impl Collect for Counted {
    fn collect(&self, out: &mut Exposition) {
        self.namespaces.each(|namespace, _, row| row.collect(namespace, out));
        self.nodes.each(|node, n, _| out.sample(&catalogue::NODE_PODS, &[node], n));
        self.owners.each(|kind, n, _| out.sample(&catalogue::PODS_BY_OWNER, &[kind], n));
        for (qos, n) in Qos::VALUES.iter().zip(self.qos) {
            out.sample(&catalogue::PODS_BY_QOS, &[qos], n);
        }
        for (from, row) in Phase::VALUES.iter().zip(self.transitions) {
            for (to, n) in Phase::VALUES.iter().zip(row).filter(|(to, _)| *to != from) {
                out.sample(&catalogue::POD_PHASE_TRANSITIONS_TOTAL, &[from, to], n);
            }
        }
        self.restarts.collect(&catalogue::CONTAINER_RESTARTS_TOTAL, out);
        self.terminations.collect(&catalogue::CONTAINER_TERMINATIONS_TOTAL, out);
        self.start.collect(&catalogue::POD_START_DURATION_SECONDS, &[], out);
        self.namespaces.overflow(&catalogue::PODS, out);
        self.nodes.overflow(&catalogue::NODE_PODS, out);
        self.owners.overflow(&catalogue::PODS_BY_OWNER, out);
        out.overflow(&catalogue::CONTAINERS_WAITING, self.waiting_overflow);
    }
}

impl Row {
    fn add(&mut self, facts: &Facts) {
        self.phases[facts.phase as usize] += 1;
        self.ready += u64::from(facts.ready);
        self.unschedulable += u64::from(facts.unschedulable);
        self.terminating += u64::from(facts.terminating);
        for reason in facts.waiting() {
            *self.waiting(reason) += 1;
        }
    }

    fn remove(&mut self, facts: &Facts) {
        self.phases[facts.phase as usize] -= 1;
        self.ready -= u64::from(facts.ready);
        self.unschedulable -= u64::from(facts.unschedulable);
        self.terminating -= u64::from(facts.terminating);
        for reason in facts.waiting() {
            *self.waiting(reason) -= 1;
        }
        self.waiting.retain(|(_, n)| *n > 0);
    }

    fn waiting(&mut self, reason: &Arc<str>) -> &mut u64 {
        let at = self.waiting.iter().position(|(known, _)| known == reason);
        let at = at.unwrap_or_else(|| {
            self.waiting.push((Arc::clone(reason), 0));
            self.waiting.len() - 1
        });
        &mut self.waiting[at].1
    }

    fn collect(&self, namespace: &str, out: &mut Exposition) {
        for (phase, n) in Phase::VALUES.iter().zip(self.phases) {
            out.sample(&catalogue::PODS, &[namespace, phase], n);
        }
        out.sample(&catalogue::PODS_READY, &[namespace], self.ready);
        out.sample(&catalogue::PODS_UNSCHEDULABLE, &[namespace], self.unschedulable);
        out.sample(&catalogue::PODS_TERMINATING, &[namespace], self.terminating);
        let mut waiting: Vec<_> = self.waiting.iter().collect();
        waiting.sort_unstable();
        for (reason, n) in waiting {
            out.sample(&catalogue::CONTAINERS_WAITING, &[namespace, reason], *n);
        }
    }
}

impl std::ops::AddAssign<&Self> for Row {
    fn add_assign(&mut self, other: &Self) {
        for (n, more) in self.phases.iter_mut().zip(other.phases) {
            *n += more;
        }
        self.ready += other.ready;
        self.unschedulable += other.unschedulable;
        self.terminating += other.terminating;
        for (reason, n) in &other.waiting {
            *self.waiting(reason) += n;
        }
    }
}

impl Facts {
    fn waiting(&self) -> impl Iterator<Item = &Arc<str>> {
        self.containers.iter().filter_map(|container| container.waiting.as_ref())
    }
}

fn phase(text: &str) -> Phase {
    let known = Phase::ALL.iter().find(|phase| phase.as_str() == text);
    known.copied().unwrap_or(Phase::Unknown)
}

fn qos(text: &str) -> Qos {
    Qos::ALL.iter().find(|qos| qos.as_str() == text).copied().unwrap_or(Qos::Unknown)
}

/// The kind of the owner that manages the pod, `none` without.
fn owner<'o>(meta: &'o Meta<'_>) -> &'o str {
    meta.controller().map_or("none", |owner| &owner.kind)
}

#[cfg(test)]
mod tests;
