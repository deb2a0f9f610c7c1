//! A cluster in which nothing is as it was: every pod, event, reason and namespace has a name that
//! there never was. How many there are at a time, and how long their names are, stays the same.

use std::{collections::VecDeque, time::SystemTime};

use kubetally::sim::{Sim, fleet, objects, state::Key};
use serde_json::{Value, json};

/// Pods at a time.
const PODS: usize = 2_000;
/// Events at a time.
const EVENTS: usize = 1_000;
/// Steps for which a namespace gets pods, and events their reason.
const FASHION: u64 = 100;

/// How far it is, and what is there.
pub struct Churn {
    step: u64,
    pods: VecDeque<(String, u32)>,
    events: VecDeque<(String, String)>,
    /// With the pods that are left in each.
    namespaces: VecDeque<(String, usize)>,
    made: u32,
}

impl Churn {
    /// An empty cluster.
    pub fn new() -> Self {
        Self {
            step: 0,
            pods: VecDeque::new(),
            events: VecDeque::new(),
            namespaces: VecDeque::new(),
            made: 0,
        }
    }

    /// Changes something, mostly one thing.
    pub fn step(&mut self, sim: &Sim) {
        self.step += 1;
        if self.step % FASHION == 1 {
            return self.found(sim);
        }
        match self.step % 10 {
            0..2 => self.create(sim),
            2..4 => self.crash(sim),
            4..6 => self.remove(sim),
            6..8 => self.warn(sim),
            _ if self.events.len() > EVENTS => self.forget(sim),
            _ => self.crash(sim),
        }
    }

    /// An event comes, and the oldest one of too many goes.
    pub fn flicker(&mut self, sim: &Sim) {
        self.step += 1;
        self.warn(sim);
        if self.events.len() > EVENTS {
            self.forget(sim);
        }
    }

    /// A new namespace, for the pods that come.
    fn found(&mut self, sim: &Sim) {
        let name = format!("namespace-{:08}", self.step);
        sim.put("namespaces", json!({"metadata": {"name": name}, "status": {"phase": "Active"}}));
        self.namespaces.push_back((name, 0));
    }

    fn create(&mut self, sim: &Sim) {
        let Some((namespace, pods)) = self.namespaces.back_mut() else { return };
        *pods += 1;
        self.made += 1;
        self.pods.push_back((namespace.clone(), self.made));
        sim.put("pods", pod(namespace, self.made, 0));
    }

    /// One of the pods was restarted.
    fn crash(&self, sim: &Sim) {
        let at = usize::try_from(self.step).unwrap_or(0) * 7919 % self.pods.len().max(1);
        if let Some((namespace, number)) = self.pods.get(at) {
            let restarts = u32::try_from(self.step / 1000 % 1000).unwrap_or(0);
            sim.put("pods", pod(namespace, *number, restarts));
        }
    }

    /// The oldest pods go, and with its last one a namespace.
    fn remove(&mut self, sim: &Sim) {
        while self.pods.len() > PODS {
            let Some((namespace, number)) = self.pods.pop_front() else { return };
            sim.delete("pods", &[key(&namespace, name(number))]);
            let Some((_, left)) = self.namespaces.front_mut() else { return };
            *left -= 1;
            if *left == 0 && self.namespaces.len() > 1 {
                sim.delete("namespaces", &[key("", namespace)]);
                self.namespaces.pop_front();
            }
        }
    }

    fn warn(&mut self, sim: &Sim) {
        let Some((namespace, number)) = self.pods.back() else { return };
        let now = objects::seconds(SystemTime::now());
        let event = format!("{}.{:08}", name(*number), self.step);
        let reason = format!("Reason{:06}", self.step / FASHION);
        sim.put(
            "events",
            json!({
                "metadata": {"name": event, "namespace": namespace},
                "involvedObject": {"kind": "Pod", "namespace": namespace, "name": name(*number)},
                "reason": reason, "type": "Warning", "count": 1, "message": "as it happens",
                "firstTimestamp": now, "lastTimestamp": now, "eventTime": null,
                "source": {"component": "kubelet"},
                "reportingComponent": "kubelet", "reportingInstance": "node-a",
            }),
        );
        self.events.push_back((namespace.clone(), event));
    }

    fn forget(&mut self, sim: &Sim) {
        if let Some(event) = self.events.pop_front() {
            sim.delete("events", &[key(&event.0, event.1)]);
        }
    }
}

fn name(number: u32) -> String {
    format!("pod-{number:07}")
}

/// A pod of a large cluster, under a name of its own.
fn pod(namespace: &str, number: u32, restarts: u32) -> Value {
    let mut pod = fleet::pod(number, restarts, SystemTime::now());
    pod["metadata"]["namespace"] = namespace.into();
    pod["metadata"]["name"] = name(number).into();
    pod
}

fn key(namespace: &str, name: String) -> Key {
    Key { namespace: namespace.into(), name }
}
