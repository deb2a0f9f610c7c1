//! A simulated API server, the daemon that watches it, and what a scraper sees of it.

use std::{collections::BTreeMap, fs, net::SocketAddr, path::PathBuf, time::Duration};

use kubetally::{
    api::endpoint::{Endpoint, Lookup},
    app::Daemon,
    config::Sources,
    sim::{Options, Sim, auth::Right},
};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{eventually::eventually, fetch};

/// Whom the daemon is in these tests.
pub const USER: &str = "system:serviceaccount:kubetally:kubetally";

/// A cluster and a folder with a mounted service account.
pub struct Cluster {
    /// The API server.
    pub sim: Sim,
    /// The service account's files.
    pub account: TempDir,
}

/// A running daemon.
pub struct Watching {
    daemon: Daemon,
    /// Where it serves.
    pub address: SocketAddr,
    /// Where it takes audit events, if it does.
    pub audit: Option<SocketAddr>,
}

impl Cluster {
    /// With rights to pods and events.
    pub async fn start(options: Options) -> Self {
        let sim = Sim::start(options).await.expect("a server");
        sim.grant(USER, vec![Right::to_watch("", "pods"), Right::to_watch("", "events")]);
        let account = tempfile::tempdir().expect("a folder");
        let cluster = Self { sim, account };
        cluster.write("token", &cluster.token());
        cluster.write("ca.crt", cluster.sim.authority().pem());
        cluster.write("namespace", "kubetally");
        cluster
    }

    /// A token that is good for an hour.
    pub fn token(&self) -> String {
        self.sim.issue("kubetally", "kubetally", Duration::from_secs(3600))
    }

    /// Writes a file of the service account.
    pub fn write(&self, name: &str, text: &str) {
        fs::write(self.account.path().join(name), text).expect("written");
    }

    /// Finds the cluster as a pod does.
    pub fn endpoint(&self) -> Endpoint {
        let address = self.sim.address();
        let env = |name: &str| match name {
            "KUBERNETES_SERVICE_HOST" => Some(address.ip().to_string()),
            "KUBERNETES_SERVICE_PORT" => Some(address.port().to_string()),
            _ => None,
        };
        let service_account = self.account.path().into();
        let lookup = Lookup { kubeconfig: None, context: None, env: &env, service_account };
        Endpoint::find(&lookup).expect("a cluster")
    }

    /// Finds the cluster by this kubeconfig.
    pub fn endpoint_by(&self, kubeconfig: &Value) -> Endpoint {
        self.write("config", &kubeconfig.to_string());
        let kubeconfig: Option<PathBuf> = Some(self.account.path().join("config"));
        let lookup = Lookup {
            kubeconfig,
            context: None,
            env: &|_| None,
            service_account: PathBuf::from("/nowhere"),
        };
        Endpoint::find(&lookup).expect("a cluster")
    }

    /// A kubeconfig of this user; its cluster is this one.
    pub fn kubeconfig(&self, user: &Value) -> Value {
        json!({
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "here",
            "contexts": [{"name": "here", "context": {"cluster": "sim", "user": "me"}}],
            "clusters": [{"name": "sim", "cluster": {
                "server": format!("https://{}", self.sim.address()),
                "certificate-authority": "ca.crt",
            }}],
            "users": [{"name": "me", "user": user}],
        })
    }

    /// Starts the daemon as a pod would; without a setting it watches pods and events.
    pub async fn watch(&self, settings: &[(&str, &str)]) -> Watching {
        Watching::start(self.endpoint(), settings).await
    }

    /// How many requests of this verb came for a path that ends so.
    pub fn requests(&self, verb: &str, path: &str) -> usize {
        let all = self.sim.requests();
        all.iter().filter(|seen| seen.verb == verb && seen.path.ends_with(path)).count()
    }
}

impl Watching {
    /// Starts the daemon.
    pub async fn start(endpoint: Endpoint, settings: &[(&str, &str)]) -> Self {
        // Without probes what a test does not ask for is asked by nobody.
        let mut flags = vec![
            ("http.listen", "127.0.0.1:0"),
            ("watch.resources", "pods,events"),
            ("probe.interval", "0s"),
        ];
        flags.extend(settings);
        let owned = |(key, value): (&str, &str)| (key.to_owned(), value.to_owned());
        let sources =
            Sources { flags: flags.into_iter().map(owned).collect(), ..Sources::default() };
        let settings = sources.load().expect("settings").settings;
        let daemon = Daemon::start(&settings, endpoint).await.expect("a daemon");
        let (address, audit) = (daemon.address, daemon.audit);
        Self { daemon, address, audit }
    }

    /// GET: the status and the body.
    pub async fn get(&self, path: &str) -> (u16, String) {
        let (status, text) = fetch::get(self.address, path).await.expect("an answer");
        (status.as_u16(), text)
    }

    /// Every series of a scrape.
    pub async fn scrape(&self) -> Scrape {
        let (status, text) = self.get("/metrics").await;
        assert_eq!(status, 200, "{text}");
        Scrape::parse(&text)
    }

    /// Scrapes until this holds; gives that scrape.
    pub async fn until(&self, what: &str, holds: impl Fn(&Scrape) -> bool) -> Scrape {
        eventually(what, async || {
            let scrape = self.scrape().await;
            if holds(&scrape) { Ok(scrape) } else { Err(format!("{scrape:#?}")) }
        })
        .await
    }

    /// Waits until everything that can be watched is.
    pub async fn until_ready(&self) {
        eventually("everything to be ready", async || match self.get("/readyz?verbose").await {
            (200, _) => Ok(()),
            (_, text) => Err(text),
        })
        .await;
    }

    /// Stops the daemon.
    pub async fn stop(self) {
        self.daemon.stop().await;
    }
}

/// The series of a scrape and their values.
#[derive(Clone, Debug, PartialEq)]
pub struct Scrape(pub BTreeMap<String, f64>);

impl Scrape {
    pub fn parse(text: &str) -> Self {
        let samples = text.lines().filter(|line| !line.starts_with('#'));
        let parsed = samples.map(|line| {
            let (series, value) = line.rsplit_once(' ').expect("a sample");
            (series.to_owned(), value.parse().expect("a number"))
        });
        Self(parsed.collect())
    }

    /// The value of a series; 0 where there is none.
    pub fn value(&self, series: &str) -> f64 {
        self.0.get(series).copied().unwrap_or(0.0)
    }

    /// Whether a series has this value.
    pub fn is(&self, series: &str, value: f64) -> bool {
        self.0.get(series).is_some_and(|found| (found - value).abs() < 1e-9)
    }

    /// The series whose names begin so, without those that are 0.
    pub fn starting(&self, prefix: &str) -> BTreeMap<String, f64> {
        let ours =
            self.0.iter().filter(|(series, value)| series.starts_with(prefix) && **value != 0.0);
        ours.map(|(series, value)| (series.clone(), *value)).collect()
    }

    /// The sum of the series whose names begin so.
    pub fn sum(&self, prefix: &str) -> f64 {
        self.starting(prefix).values().sum()
    }
}

/// A pod of the shape that the tests need.
pub fn pod(namespace: &str, name: &str, phase: &str) -> Value {
    json!({
        "metadata": {"name": name, "namespace": namespace, "labels": {"app": name}},
        "spec": {"containers": [{"name": "app", "image": "app:v1"}]},
        "status": {"phase": phase, "qosClass": "BestEffort"},
    })
}

/// An event that has happened so often.
pub fn event(namespace: &str, name: &str, count: u32) -> Value {
    let now = humantime::format_rfc3339_seconds(std::time::SystemTime::now()).to_string();
    json!({
        "metadata": {"name": name, "namespace": namespace},
        "involvedObject": {"kind": "Pod", "namespace": namespace, "name": "a"},
        "reason": "BackOff",
        "message": "Back-off restarting failed container",
        "source": {"component": "kubelet"},
        "firstTimestamp": now,
        "lastTimestamp": now,
        "count": count,
        "type": "Warning",
        "eventTime": null,
        "reportingComponent": "kubelet",
        "reportingInstance": "node-a",
    })
}

/// The series of pods by phase as these objects have them, counted anew.
pub fn recount(pods: &[Value]) -> BTreeMap<String, f64> {
    let mut counted = BTreeMap::new();
    for pod in pods {
        let (namespace, phase) = (&pod["metadata"]["namespace"], &pod["status"]["phase"]);
        let series = format!("kubetally_pods{{namespace={namespace},phase={phase}}}");
        *counted.entry(series).or_default() += 1.0;
    }
    counted
}
