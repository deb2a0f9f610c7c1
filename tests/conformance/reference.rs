//! Kubetally's per-object series and those of kube-state-metrics, of the same objects.

mod exposition;
mod random;

use std::{env, net::SocketAddr, path::Path, process::Command, time::Duration};

use exposition::Exposition;
use kubetally::sim::{Options, Sim, auth::Right, state::key_of};
use libtest_mimic::Completion;
use random::{KINDS, Random};
use serde_json::{Value, json};

use crate::{
    cluster::{Assets, free_ports},
    eventually::eventually,
    http,
    process::Process,
    suite::{Suite, kubetally, tests},
};

tests![random_objects_are_shown_alike];

/// How many objects of each kind.
const OBJECTS: usize = 60;
/// Decides the objects; random where it is not set.
const SEED: &str = "KUBETALLY_SEED";
/// Whom the simulated server lets do everything.
const USER: &str = "system:serviceaccount:kubetally:reference";

/// kube-state-metrics, told to show all that it can.
struct Reference {
    process: Process,
    address: SocketAddr,
}

impl Reference {
    fn start(program: &Path, kubeconfig: &Path, resources: &str) -> Self {
        let [port, telemetry] = free_ports();
        let mut command = Command::new(program);
        command.arg("--kubeconfig").arg(kubeconfig).args([
            "--host=127.0.0.1",
            "--telemetry-host=127.0.0.1",
            &format!("--port={port}"),
            &format!("--telemetry-port={telemetry}"),
            &format!("--resources={resources}"),
            "--metric-labels-allowlist=*=[*]",
            "--metric-annotations-allowlist=*=[*]",
        ]);
        let process = Process::start(command.env_clear().env("TZ", "UTC"));
        Self { process, address: SocketAddr::from(([127, 0, 0, 1], port)) }
    }

    /// What it shows, once it answers.
    async fn scrape(&mut self) -> Result<Exposition, String> {
        self.process.assert_running();
        let (_, text) = http::get(self.address, "/metrics").await?;
        Ok(Exposition::parse(&text))
    }
}

/// The program, where it was built.
fn program(assets: &Assets) -> Result<std::path::PathBuf, Completion> {
    let program = assets.program("kube-state-metrics");
    if program.is_file() {
        return Ok(program);
    }
    let reason = format!(
        "{} is not there to compare with; tests/kube-state-metrics/build builds it",
        program.display()
    );
    Err(Completion::ignored_with(reason))
}

async fn random_objects_are_shown_alike(suite: &Suite) -> Completion {
    let program = match program(&suite.assets) {
        Ok(program) => program,
        Err(ignored) => return ignored,
    };
    let seed = env::var(SEED).ok().and_then(|seed| seed.parse().ok());
    let seed = seed.unwrap_or_else(|| fastrand::u64(0..1 << 32));
    eprintln!("{SEED}={seed}");
    let mut random = Random::new(seed);
    let sim = Sim::start(Options::default()).await.expect("a server");
    for (table, make) in KINDS {
        let objects: Vec<_> = (0..OBJECTS).map(|at| named(table, make(&mut random), at)).collect();
        sim.load(table, &objects, 1_000_000);
    }
    let dir = tempfile::tempdir().expect("a folder");
    let kubeconfig = kubeconfig(&sim, dir.path());
    let resources = KINDS.map(|(table, _)| table).join(",");
    let mut reference = Reference::start(&program, &kubeconfig, &resources);
    let flags = ["--labels", "*=[*]", "--annotations", "*=[*]", "--detail", "all"];
    let mut ours =
        kubetally(&kubeconfig, &[&flags[..], &["--resources", &resources]].concat()).await;
    ours.until_ready().await;

    let mut alike = async |what: &str| {
        eventually(&format!("{what} of {SEED}={seed}"), async || {
            let theirs = reference.scrape().await?;
            let (_, text) = ours.get("/metrics").await?;
            let ours = Exposition::parse(&text);
            ours.assert_once();
            ours.equals(&theirs)
        })
        .await;
    };
    alike("the first objects").await;
    for (table, make) in KINDS {
        for at in 0..OBJECTS {
            match at % 3 {
                0 => {
                    sim.put(table, named(table, make(&mut random), at));
                }
                1 => {
                    sim.delete(table, &[key_of(&named(table, json!({}), at))]);
                }
                _ => {}
            }
        }
    }
    alike("the changed objects").await;
    ours.stop().await;
    Completion::Completed
}

/// The object under the name and in the namespace of its number.
fn named(table: &str, mut object: Value, at: usize) -> Value {
    let metadata = &mut object["metadata"];
    metadata["name"] = format!("object-{at}").into();
    if !["namespaces", "nodes"].contains(&table) {
        metadata["namespace"] = format!("ns-{}", at % 3).into();
    }
    metadata["uid"] = format!("00000000-0000-4000-8000-{at:012}").into();
    metadata["resourceVersion"] = (1_000 + at).to_string().into();
    object
}

fn kubeconfig(sim: &Sim, dir: &Path) -> std::path::PathBuf {
    sim.grant(USER, vec![Right::to_anything()]);
    let token = sim.issue("kubetally", "reference", Duration::from_secs(3600));
    std::fs::write(dir.join("ca.crt"), sim.authority().pem()).expect("a file");
    let text = json!({
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "sim", "cluster": {
            "server": format!("https://{}", sim.address()),
            "certificate-authority": "ca.crt",
        }}],
        "users": [{"name": "user", "user": {"token": token}}],
        "contexts": [{"name": "it", "context": {"cluster": "sim", "user": "user"}}],
        "current-context": "it",
    });
    let path = dir.join("kubeconfig");
    std::fs::write(&path, text.to_string()).expect("a file");
    path
}
