//! A real Prometheus on loopback, with the configuration that is shipped.

use std::{
    collections::BTreeMap,
    fs,
    future::Future,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::Command,
};

use hyper::StatusCode;
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value, json};

use crate::{alerts::RULES, eventually::eventually, file, http, process::Process, read};

/// A running Prometheus.
pub struct Server {
    process: Process,
    address: SocketAddr,
}

/// One sample of an answer.
#[derive(Deserialize)]
pub struct Sample {
    /// The labels.
    pub metric: BTreeMap<String, String>,
    value: (f64, String),
}

impl Sample {
    /// Its value, which may be NaN.
    pub fn value(&self) -> f64 {
        self.value.1.parse().expect("Prometheus gives numbers")
    }
}

/// Runs a test that waits.
pub fn run(test: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime").block_on(test);
}

/// Writes the configuration that is shipped, with these changes: it scrapes and evaluates each
/// second, and in place of Kubernetes, which not every build of Prometheus can ask for its pods,
/// stands what Kubernetes would have told: Kubetally's pod, another of its ports, another pod.
pub fn configuration(dir: &Path, kubetally: SocketAddr) -> PathBuf {
    let mut config: Value =
        serde_saphyr::from_str(&read("deploy/monitoring/prometheus.yaml")).expect("YAML");
    for interval in ["scrape_interval", "evaluation_interval"] {
        config["global"][interval] = json!("1s");
    }
    assert_eq!(config["rule_files"], json!(RULES.map(|path| path.rsplit('/').next())));
    config["rule_files"] = json!(RULES.map(file));
    let scrapes = config["scrape_configs"].as_array_mut().expect("a list");
    let [scrape] = scrapes.as_mut_slice() else { panic!("one job, not {}", scrapes.len()) };
    let scrape = scrape.as_object_mut().expect("a job");
    assert_eq!(
        scrape.remove("kubernetes_sd_configs").expect("it asks Kubernetes")[0]["role"],
        "pod"
    );
    let pod = |name: &str, port: &str, pod: &str, address: &str| {
        json!({"targets": [address], "labels": {
            "__meta_kubernetes_namespace": "kubetally",
            "__meta_kubernetes_pod_label_app_kubernetes_io_name": name,
            "__meta_kubernetes_pod_container_port_name": port,
            "__meta_kubernetes_pod_name": pod,
            "__meta_kubernetes_pod_node_name": "node-1",
        }})
    };
    let address = kubetally.to_string();
    let pods = [
        pod("kubetally", "metrics", "kubetally-0", &address),
        pod("kubetally", "debug", "kubetally-0", "127.0.0.1:1"),
        pod("another", "metrics", "another-0", "127.0.0.1:1"),
    ];
    scrape.insert("static_configs".into(), json!(pods));
    // JSON is YAML.
    let path = dir.join("prometheus.yaml");
    fs::write(&path, config.to_string()).expect("written");
    path
}

impl Server {
    /// Starts one that keeps its data in `dir` and scrapes Kubetally at this address.
    pub async fn start(dir: &Path, kubetally: SocketAddr) -> Self {
        let mut command = Command::new("prometheus");
        command
            .arg("--config.file")
            .arg(configuration(dir, kubetally))
            .arg("--storage.tsdb.path")
            .arg(dir.join("data"))
            .args(["--web.listen-address", "127.0.0.1:0", "--log.format", "json"]);
        let mut process = Process::start(&mut command);
        let address = process.until_serving().await;
        eventually("Prometheus' readiness", async || {
            process.assert_running();
            match http::get(address, "/-/ready").await? {
                (StatusCode::OK, _) => Ok(()),
                (status, text) => Err(format!("{status}: {text}")),
            }
        })
        .await;
        Self { process, address }
    }

    /// Stops it; it must end well.
    pub async fn stop(mut self) {
        let status = self.process.stop("TERM").await;
        assert!(status.success(), "it ended with {status}:\n{}", self.process.log());
    }

    /// The `data` of an answer of its API.
    ///
    /// # Errors
    /// What it refused, and why.
    pub async fn api<T: DeserializeOwned>(
        &self,
        path: &str,
        parameter: Option<(&str, &str)>,
    ) -> Result<T, String> {
        let query = parameter.map(|(name, value)| format!("?{name}={}", percent(value)));
        let path = format!("/api/v1/{path}{}", query.unwrap_or_default());
        let (status, body) = http::get(self.address, &path).await?;
        if status != StatusCode::OK {
            return Err(format!("{path}: {status}: {body}"));
        }
        let mut answer: Value = serde_json::from_str(&body).map_err(|error| error.to_string())?;
        serde_json::from_value(answer["data"].take()).map_err(|error| format!("{error}: {body}"))
    }

    /// The samples that an expression gives now.
    ///
    /// # Errors
    /// Where it is none.
    pub async fn query(&self, expression: &str) -> Result<Vec<Sample>, String> {
        #[derive(Deserialize)]
        struct Data {
            result: Vec<Sample>,
        }
        let data: Data = self.api("query", Some(("query", expression))).await?;
        Ok(data.result)
    }
}

fn percent(text: &str) -> String {
    let byte = |byte: u8| match byte {
        b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    };
    text.bytes().map(byte).collect()
}
