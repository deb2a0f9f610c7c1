//! `kubetally demo`: a simulated API server with a life of its own, and the daemon that watches it
//! as it would from a pod: with a mounted token, which rotates, and a mounted CA.

use std::{
    fs, io,
    os::unix::fs::symlink,
    path::Path,
    time::{Duration, SystemTime},
};

use anyhow::Context;
use tokio::time::{Instant, interval};

use crate::{
    api::endpoint::{Endpoint, Lookup},
    app::{self, Daemon},
    cli::Demo,
    config::{Sources, settings::Settings},
    exit::Exit,
    http::health::Verdict,
    kinds, logging,
    shutdown::Signals,
    sim::{
        self, Sim,
        auth::Right,
        workload::{Workload, Write},
    },
};

/// The service account of the demo: namespace and name.
const ACCOUNT: (&str, &str) = ("kubetally", "kubetally");
/// What it asks for and may not see.
const FORBIDDEN: &str = "secrets";
/// How often the token is replaced…
const ROTATION: Duration = Duration::from_secs(60);
/// …and how long each one is good for.
const LIFETIME: Duration = Duration::from_secs(100);
/// How often what has become due is written to the simulated cluster.
const TICK: Duration = Duration::from_millis(20);

/// Runs until a signal.
///
/// # Errors
/// Where the address cannot be listened on, or a flag says what cannot be.
pub fn run(demo: &Demo) -> Result<(), Exit> {
    let settings = sources(demo).load().map_err(Exit::usage)?.settings;
    logging::start(&settings.log).map_err(Exit::internal)?;
    println!(
        "kubetally demo: a simulated cluster of {} pods, {} changes a second (seed {})",
        demo.pods, demo.rate, demo.seed
    );
    app::block_on(watched(demo, &settings))
}

fn sources(demo: &Demo) -> Sources {
    let watched: Vec<&str> = kinds::defaults().map(|resource| &*resource.name).collect();
    let resources = format!("{},{FORBIDDEN}", watched.join(","));
    let flags = [
        ("http.listen", demo.listen.as_str()),
        ("log.level", &demo.log_level),
        ("watch.resources", &resources),
    ];
    let owned = flags.map(|(key, value)| (key.to_owned(), value.to_owned()));
    Sources { flags: owned.to_vec(), ..Sources::default() }
}

async fn watched(demo: &Demo, settings: &Settings) -> Result<(), Exit> {
    let started = Instant::now();
    let signals = Signals::install().map_err(Exit::internal)?;
    let sim = cluster(demo).await.map_err(Exit::internal)?;
    let mut workload = Workload::new(demo.seed, SystemTime::now());
    apply(&sim, workload.populate(demo.pods));
    let mount = tempfile::tempdir().map_err(Exit::internal)?;
    mount_account(&sim, mount.path()).map_err(Exit::internal)?;
    let endpoint = endpoint(&sim, mount.path()).map_err(Exit::internal)?;
    let daemon = Daemon::start(settings, endpoint).await?;
    announce(&daemon);
    let synced = async {
        let mut look = interval(TICK);
        while daemon.checks().iter().any(|check| check.verdict == Verdict::NotReady) {
            look.tick().await;
        }
        println!("Synced after {:.1} s.", started.elapsed().as_secs_f32());
    };
    synced.await;
    tokio::select! {
        stopped = daemon.until_stopped(signals, None) => stopped,
        () = live(&sim, &mut workload, demo.rate) => Ok(()),
        error = rotate(&sim, mount.path()) => Err(Exit::internal(error)),
    }
}

/// The API server, with an account that may watch what is watched by default, and nothing else.
async fn cluster(demo: &Demo) -> anyhow::Result<Sim> {
    let options = sim::Options { seed: demo.seed, ..sim::Options::default() };
    let sim = Sim::start(options).await?;
    let user = format!("system:serviceaccount:{}:{}", ACCOUNT.0, ACCOUNT.1);
    let rights = kinds::defaults().map(|of| Right::to_watch(of.group(), of.plural()));
    sim.grant(&user, rights.collect());
    Ok(sim)
}

fn apply(sim: &Sim, writes: Vec<Write>) {
    for write in writes {
        match write {
            Write::Put(table, object) => {
                sim.put(table, object);
            }
            Write::Delete(table, keys) => {
                sim.delete(table, &keys);
            }
        }
    }
}

/// Lets things happen, `rate` a second.
async fn live(sim: &Sim, workload: &mut Workload, rate: u32) {
    let mut ticks = interval(TICK);
    let mut due = 0.0;
    loop {
        ticks.tick().await;
        due += f64::from(rate) * TICK.as_secs_f64();
        while due >= 1.0 {
            apply(sim, workload.step(SystemTime::now()));
            due -= 1.0;
        }
    }
}

/// Writes the account's files as the kubelet does: a folder of the present state, a symlink to it
/// that is swapped, and links through it.
fn mount_account(sim: &Sim, folder: &Path) -> io::Result<()> {
    write_state(sim, folder)?;
    for name in ["token", "ca.crt", "namespace"] {
        symlink(Path::new("..data").join(name), folder.join(name))?;
    }
    Ok(())
}

fn write_state(sim: &Sim, folder: &Path) -> io::Result<()> {
    let token = sim.issue(ACCOUNT.0, ACCOUNT.1, LIFETIME);
    let state = tempfile::Builder::new().prefix("..").tempdir_in(folder)?.keep();
    fs::write(state.join("token"), token)?;
    fs::write(state.join("ca.crt"), sim.authority().pem())?;
    fs::write(state.join("namespace"), ACCOUNT.0)?;
    let (data, swapped) = (folder.join("..data"), folder.join("..data_tmp"));
    let before = fs::read_link(&data).ok();
    symlink(&state, &swapped)?;
    fs::rename(&swapped, &data)?;
    before.map_or(Ok(()), fs::remove_dir_all)
}

/// Replaces the token again and again; ends only where that fails.
async fn rotate(sim: &Sim, folder: &Path) -> anyhow::Error {
    let mut rotations = interval(ROTATION);
    rotations.tick().await;
    loop {
        rotations.tick().await;
        if let Err(error) = write_state(sim, folder).context("the demo's token cannot be rotated") {
            return error;
        }
    }
}

fn endpoint(sim: &Sim, folder: &Path) -> anyhow::Result<Endpoint> {
    let address = sim.address();
    let env = |name: &str| match name {
        "KUBERNETES_SERVICE_HOST" => Some(address.ip().to_string()),
        "KUBERNETES_SERVICE_PORT" => Some(address.port().to_string()),
        _ => None,
    };
    let lookup =
        Lookup { kubeconfig: None, context: None, env: &env, service_account: folder.into() };
    Ok(Endpoint::find(&lookup)?)
}

fn announce(daemon: &Daemon) {
    let url = format!("http://{}", daemon.address);
    println!(
        "
  the page   {url}/
  metrics    {url}/metrics
  readiness  {url}/readyz?verbose

Deployments roll, containers crash and are killed for want of memory, pods fit nowhere or are
evicted, jobs finish, events repeat. The token rotates every minute. Secrets are forbidden on
purpose, to show what Kubetally does then. Ctrl-C stops it.
"
    );
}
