//! Kubetally's per-object series and those of kube-state-metrics, of the same random objects: once
//! from the simulated server, in JSON, and once from a real one, in protobuf.

mod exposition;
mod random;

use std::{
    env, fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use exposition::Exposition;
use kubetally::sim::{Options, Sim, auth::Right, kinds::SERVED, state::key_of};
use libtest_mimic::Completion;
use random::{KINDS, Maker, Random};
use serde_json::{Value, json};

use crate::{
    cluster::{Assets, Cluster, free_ports},
    daemon::Kubetally,
    eventually::eventually,
    http,
    process::Process,
    suite::{Suite, kubetally, tests},
};

tests![simulated_objects_are_shown_alike, real_objects_are_shown_alike];

/// How many objects of each kind.
const OBJECTS: usize = 60;
/// Decides the objects; random where it is not set.
const SEED: &str = "KUBETALLY_SEED";
/// The families that are shown where they are asked for.
const OPT_IN: &str = "kube_pod_nodeselectors";
/// Whom the simulated server lets do everything.
const USER: &str = "system:serviceaccount:kubetally:reference";

async fn simulated_objects_are_shown_alike(suite: &Suite) -> Completion {
    let Some(program) = program(&suite.assets) else { return ignored(&suite.assets) };
    let mut random = Random::new(seed());
    let sim = Sim::start(Options::default()).await.expect("a server");
    for maker in KINDS {
        let objects: Vec<_> = (0..OBJECTS).map(|at| made(maker, &mut random, at)).collect();
        sim.load(maker.0, &objects, 1_000_000);
    }
    let dir = tempfile::tempdir().expect("a folder");
    let mut both = Both::start(&program, &kubeconfig(&sim, dir.path())).await;
    both.until_alike().await;
    for (table, make) in KINDS {
        for at in 0..OBJECTS {
            let object = made((table, make), &mut random, at);
            match at % 3 {
                0 => drop(sim.put(table, object)),
                1 => drop(sim.delete(table, &[key_of(&object)])),
                _ => {}
            }
        }
    }
    both.until_alike().await;
    both.ours.stop().await;
    Completion::Completed
}

async fn real_objects_are_shown_alike(suite: &Suite) -> Completion {
    let Some(program) = program(&suite.assets) else { return ignored(&suite.assets) };
    let mut random = Random::new(seed());
    let cluster = Cluster::start(&suite.assets).await;
    let server = cluster.api_server(&[]).await;
    for maker in KINDS {
        let objects = (0..OBJECTS).map(|at| made(maker, &mut random, at));
        cluster.store(objects.map(|object| (path(maker.0, &object), Some(object)))).await;
    }
    let mut both = Both::start(&program, &cluster.admin_kubeconfig(server.port)).await;
    both.until_alike().await;
    for maker in KINDS {
        let changes = (0..OBJECTS).filter(|at| at % 3 < 2).map(|at| {
            let object = made(maker, &mut random, at);
            (path(maker.0, &object), (at % 3 == 0).then_some(object))
        });
        cluster.store(changes.collect::<Vec<_>>()).await;
    }
    both.until_alike().await;
    both.ours.stop().await;
    Completion::Completed
}

fn seed() -> u64 {
    let seed = env::var(SEED).ok().and_then(|seed| seed.parse().ok());
    let seed = seed.unwrap_or_else(|| fastrand::u64(0..1 << 32));
    eprintln!("{SEED}={seed}");
    seed
}

/// kube-state-metrics, where it was built.
fn program(assets: &Assets) -> Option<PathBuf> {
    Some(assets.program("kube-state-metrics")).filter(|program| program.is_file())
}

fn ignored(assets: &Assets) -> Completion {
    let program = assets.program("kube-state-metrics");
    Completion::ignored_with(format!(
        "{} is not there to compare with; tests/kube-state-metrics/build builds it",
        program.display()
    ))
}

/// Both programs, told to show all that they can of every kind.
struct Both {
    ours: Kubetally,
    theirs: Process,
    /// Where kube-state-metrics serves.
    address: SocketAddr,
}

impl Both {
    async fn start(program: &Path, kubeconfig: &Path) -> Self {
        let resources = KINDS.map(|(table, _)| table).join(",");
        let [port, telemetry] = free_ports();
        let mut command = Command::new(program);
        command.env_clear().env("TZ", "UTC").arg("--kubeconfig").arg(kubeconfig).args([
            "--host=127.0.0.1",
            "--telemetry-host=127.0.0.1",
            &format!("--port={port}"),
            &format!("--telemetry-port={telemetry}"),
            &format!("--resources={resources}"),
            "--metric-labels-allowlist=*=[*]",
            "--metric-annotations-allowlist=*=[*]",
            &format!("--metric-opt-in-list={OPT_IN}"),
        ]);
        let theirs = Process::start(&mut command);
        let flags = ["--detail", "all", "--labels", "*=[*]", "--annotations", "*=[*]"];
        let more = ["--detail-opt-in", OPT_IN, "--resources", &resources];
        let mut ours = kubetally(kubeconfig, &[&flags[..], &more].concat()).await;
        ours.until_ready().await;
        Self { ours, theirs, address: SocketAddr::from(([127, 0, 0, 1], port)) }
    }

    async fn until_alike(&mut self) {
        let series = eventually("the same series", async || {
            self.theirs.assert_running();
            let (_, theirs) = http::get(self.address, "/metrics").await?;
            let (_, ours) = self.ours.get("/metrics").await?;
            let ours = Exposition::parse(&ours);
            ours.assert_once();
            ours.equals(&Exposition::parse(&theirs))
        })
        .await;
        // Of each pod alone there are more than ten.
        assert!(series > KINDS.len() * OBJECTS / 2 * 10, "only {series} series");
        eprintln!("{series} series are alike");
    }
}

/// A random object, under the name and in the namespace of its number.
fn made((table, make): Maker, random: &mut Random, at: usize) -> Value {
    let served = SERVED.iter().find(|served| served.plural == table).expect("a known kind");
    let mut object = json!({"kind": served.kind, "apiVersion": served.api_version()});
    let Value::Object(made) = make(random) else { unreachable!("an object is made") };
    object.as_object_mut().expect("an object").extend(made);
    let metadata = &mut object["metadata"];
    metadata["name"] = format!("object-{at}").into();
    if served.namespaced {
        metadata["namespace"] = format!("ns-{}", at % 3).into();
    }
    metadata["uid"] = format!("00000000-0000-4000-8000-{at:012}").into();
    metadata["resourceVersion"] = (1_000 + at).to_string().into();
    object
}

/// Where a real API server keeps an object.
fn path(table: &str, object: &Value) -> String {
    let table = match table {
        "nodes" => "minions",
        "services" => "services/specs",
        other => other,
    };
    let text = |field: &str| object["metadata"][field].as_str();
    let place = text("namespace").into_iter().chain(text("name")).collect::<Vec<_>>().join("/");
    format!("/registry/{table}/{place}")
}

/// Writes a kubeconfig of the simulated server for somebody who may do everything.
fn kubeconfig(sim: &Sim, dir: &Path) -> PathBuf {
    sim.grant(USER, vec![Right::to_anything()]);
    let token = sim.issue("kubetally", "reference", Duration::from_secs(3600));
    fs::write(dir.join("ca.crt"), sim.authority().pem()).expect("a file");
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
    fs::write(&path, text.to_string()).expect("a file");
    path
}
