//! The pods, in etcd: stored as an API server stores them, but for the encoding.

use std::time::SystemTime;

use fastrand::Rng;
use kubetally::sim::fleet;
use serde_json::{Value, json};

use crate::cluster::Cluster;

/// Objects a transaction.
const BATCH: usize = 100;

/// What is stored, and how often each pod was restarted since.
pub struct Fleet {
    restarts: Vec<u32>,
    random: Rng,
    now: SystemTime,
    bytes: usize,
}

/// A change that was stored.
pub struct Change {
    /// The namespace of the pod.
    pub namespace: String,
    /// The name of the pod.
    pub name: String,
    /// How often its first container was restarted.
    pub restarts: u32,
}

impl Fleet {
    /// Stores so many pods, and their namespaces.
    pub async fn store(cluster: &Cluster, pods: u32) -> Self {
        let now = SystemTime::now();
        let mut fleet = Self { restarts: Vec::new(), random: Rng::with_seed(7), now, bytes: 0 };
        let mut namespaces = std::collections::BTreeSet::new();
        let mut batch = Vec::new();
        for at in 0..pods {
            let pod = fleet::pod(at, 0, now);
            fleet.bytes += pod.to_string().len();
            fleet.restarts.push(0);
            let namespace = pod["metadata"]["namespace"].as_str().unwrap_or_default().to_owned();
            if namespaces.insert(namespace.clone()) {
                batch.push((
                    format!("/registry/namespaces/{namespace}"),
                    Some(namespace_of(&namespace)),
                ));
            }
            batch.push((key(&pod), Some(pod)));
            if batch.len() >= BATCH {
                cluster.store(std::mem::take(&mut batch)).await;
            }
        }
        cluster.store(batch).await;
        fleet
    }

    /// How many pods there are.
    pub fn pods(&self) -> u32 {
        u32::try_from(self.restarts.len()).unwrap_or(u32::MAX)
    }

    /// The bytes of one pod's JSON, on average.
    pub fn bytes(&self) -> usize {
        self.bytes / self.restarts.len().max(1)
    }

    /// Changes one pod, any of them: its first container was restarted, and crashed or came back.
    pub async fn change(&mut self, cluster: &Cluster) -> Change {
        let at = self.random.u32(..self.pods());
        let (pod, change) = self.restart(at);
        cluster.store([(key(&pod), Some(pod))]).await;
        change
    }

    /// Changes one pod of so many, at random; gives how many, and one of them.
    pub async fn change_one_of(&mut self, cluster: &Cluster, of: u32) -> (u32, Change) {
        let mut all: Vec<u32> = (0..self.pods()).collect();
        self.random.shuffle(&mut all);
        all.truncate((self.pods() / of).max(1) as usize);
        let mut last = None;
        for some in all.chunks(BATCH) {
            let changed = some.iter().map(|at| {
                let (pod, change) = self.restart(*at);
                last = Some(change);
                (key(&pod), Some(pod))
            });
            cluster.store(changed).await;
        }
        let n = u32::try_from(all.len()).unwrap_or(u32::MAX);
        (n, last.expect("one at least"))
    }

    fn restart(&mut self, at: u32) -> (Value, Change) {
        let restarts = &mut self.restarts[at as usize];
        *restarts += 1;
        let pod = fleet::pod(at, *restarts, self.now);
        let text = |field: &str| pod["metadata"][field].as_str().unwrap_or_default().to_owned();
        let change =
            Change { namespace: text("namespace"), name: text("name"), restarts: *restarts };
        (pod, change)
    }
}

fn key(pod: &Value) -> String {
    let text = |field: &str| pod["metadata"][field].as_str().unwrap_or_default();
    format!("/registry/pods/{}/{}", text("namespace"), text("name"))
}

fn namespace_of(name: &str) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {"name": name, "uid": "00000000-0000-4000-8000-000000000000"},
        "spec": {"finalizers": ["kubernetes"]},
        "status": {"phase": "Active"},
    })
}
