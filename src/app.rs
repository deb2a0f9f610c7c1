//! The wiring: the one place where the daemon's tasks are made.

mod audit;
mod credentials;
mod probes;
mod serving;

use std::{
    future::Future,
    net::SocketAddr,
    path::PathBuf,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering},
    },
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use anyhow::Context;
use tokio::{
    net::TcpListener,
    sync::{Semaphore, watch},
    task::JoinSet,
    time::timeout,
};

use crate::{
    access::{Access, keeper::Keeper},
    api::{
        client::Client,
        connection::Connection,
        endpoint::{Endpoint, Lookup, SERVICE_ACCOUNT},
        request::Target,
    },
    cli::{REVISION, VERSION},
    config::{Loaded, Sources, raw::Raw, settings::Settings},
    exit::Exit,
    exposition::{
        Collect, Exposition,
        catalogue::{
            BUILD_INFO, CONFIG_LAST_RELOAD_SUCCESS_TIMESTAMP_SECONDS,
            CONFIG_LAST_RELOAD_SUCCESSFUL, CONFIG_RELOADS_TOTAL,
        },
    },
    http::{Limits, health::Check},
    logging::Level,
    probe::{self, prober::Candidate},
    rbac,
    shard::Shard,
    shutdown::{Shutdown, Signal, Signals, Stopping},
    store::Shown,
    telemetry::Telemetry,
    watch::{
        board::Board,
        driver::{Parts, Tuning, Watcher},
        notice::Notices,
    },
};

/// How long a scraper may take for its request's head.
const HEAD: Duration = Duration::from_secs(10);
/// Lists at a time: what each asks of the server and of us is bounded, their number has to be too.
const LISTS: usize = 4;
/// How long a required cluster may take to answer at the start.
const REQUIRED: Duration = Duration::from_secs(15);

/// Runs on a runtime of two threads: one that watches and one that serves find each a core.
///
/// # Errors
/// Where the runtime cannot be made, or the work fails.
pub fn block_on(work: impl Future<Output = Result<(), Exit>>) -> Result<(), Exit> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(Exit::internal)?;
    let ended = runtime.block_on(work);
    // A look-up of a name cannot be broken off, and nobody needs it any more.
    runtime.shutdown_background();
    ended
}

/// `kubetally run`: finds the cluster, then watches it until a signal.
///
/// # Errors
/// Where there is no cluster to be found, the address cannot be listened on, or the cluster is
/// required and cannot be reached.
pub async fn run(loaded: Loaded, sources: Sources, level: Level) -> Result<(), Exit> {
    let mut signals = Signals::install().map_err(Exit::internal)?;
    let endpoint = Endpoint::find(&lookup(&loaded.settings)).map_err(Exit::usage)?;
    let daemon = Daemon::start(&loaded.settings, endpoint).await?;
    if loaded.settings.cluster.require {
        tokio::select! {
            reached = daemon.require() => reached?,
            () = signals.stop() => {
                daemon.stop().await;
                return Ok(());
            }
        }
    }
    daemon.until_stopped(signals, Some(Reloads { sources, raw: loaded.raw, level })).await
}

/// Where to look for the cluster.
#[must_use]
pub fn lookup(settings: &Settings) -> Lookup<'static> {
    Lookup {
        kubeconfig: settings.cluster.kubeconfig.clone(),
        context: settings.cluster.context.clone(),
        env: &|name| std::env::var(name).ok(),
        service_account: PathBuf::from(SERVICE_ACCOUNT),
    }
}

/// The share of the objects that is ours, or `None` where all are.
///
/// # Errors
/// Where the pod's name does not tell.
pub fn shard(settings: &Settings) -> Result<Option<Shard>, Exit> {
    settings.sharding.shard(std::env::var("POD_NAME").ok().as_deref()).map_err(Exit::usage)
}

/// The daemon at work.
pub struct Daemon {
    client: Arc<Client>,
    telemetry: Telemetry,
    process: Arc<Process>,
    board: Arc<Board>,
    access: Arc<Access>,
    probes: Arc<probe::board::Board>,
    tuning: watch::Sender<Tuning>,
    limits: watch::Sender<Limits>,
    shutdown: Shutdown,
    tasks: JoinSet<&'static str>,
    /// Where it serves.
    pub address: SocketAddr,
    /// Where it takes audit events, if it does.
    pub audit: Option<SocketAddr>,
}

/// What a reload works with.
pub(crate) struct Reloads {
    sources: Sources,
    /// What is in force.
    raw: Raw,
    level: Level,
}

/// The state of the process itself.
#[derive(Debug, Default)]
struct Process {
    reload_failed: AtomicBool,
    /// Reloads of the configuration that went well, and those that did not.
    reloads: [AtomicU64; 2],
    /// In seconds since 1970.
    reloaded: AtomicI64,
    /// A task that ended though nobody stopped it.
    ended: Mutex<Option<&'static str>>,
}

impl Daemon {
    /// Listens first, then watches: liveness does not wait for the API server.
    ///
    /// # Errors
    /// Where the address cannot be listened on.
    pub async fn start(settings: &Settings, endpoint: Endpoint) -> Result<Self, Exit> {
        let shard = shard(settings)?;
        let (listener, address) = listen(settings.http.listen).await?;
        let gate = serving::gate(settings)?;
        let receiving = audit::Receiving::start(settings).await?;
        let resources: Vec<_> =
            settings.watch.resources.iter().map(|watched| &*watched.resource.name).collect();
        let telemetry = Telemetry::new(&resources).map_err(Exit::internal)?;
        tracing::info!(
            version = VERSION,
            endpoint = %endpoint.url,
            origin = endpoint.origin,
            identity = endpoint.identity(),
            resources = resources.join(","),
            namespaces = if settings.watch.namespaces.is_empty() { "all".into() } else { settings.watch.namespaces.join(",") },
            shard = shard.map(tracing::field::display),
            %address,
            "kubetally starts"
        );
        let client = Arc::new(Client::new(endpoint, telemetry.clone()));
        let process = Arc::<Process>::default();
        process.reloaded.store(unix_now(), Ordering::Relaxed);
        let mut daemon = Self {
            client,
            telemetry,
            process,
            board: Arc::default(),
            access: Arc::new(Access::new(rbac::needed(settings))),
            probes: Arc::default(),
            tuning: watch::Sender::new(tuning(settings)),
            limits: watch::Sender::new(limits(settings)),
            shutdown: Shutdown::default(),
            tasks: JoinSet::new(),
            address,
            audit: receiving.as_ref().map(|receiving| receiving.address),
        };
        let (mut collectors, candidates, notices) = daemon.watch(settings, shard);
        if let Some(shard) = shard {
            collectors.push(Arc::new(shard));
        }
        daemon.feel_pulse();
        daemon.probe(settings, &candidates, &notices)?;
        daemon.fly(settings.canary.clone());
        collectors.extend(receiving.map(|receiving| daemon.receive(receiving)));
        daemon.serve(listener, collectors, &settings.http, gate)?;
        Ok(daemon)
    }

    /// Makes the stores, their watchers, and what keeps their rights in view; gives the stores,
    /// what probes may list, and whom to tell what watchers should know.
    fn watch(
        &mut self,
        settings: &Settings,
        shard: Option<Shard>,
    ) -> (Vec<Arc<dyn Collect>>, Vec<Candidate>, Arc<Notices>) {
        let mut board = Board::default();
        let mut collectors: Vec<Arc<dyn Collect>> = Vec::new();
        let mut notices = Notices::default();
        let turns = Arc::new(Semaphore::new(LISTS));
        let mut watchers = Vec::new();
        for watched in &settings.watch.resources {
            let resource = &watched.resource;
            let namespaces = settings.watch.namespaces_of(resource);
            let store = (resource.store)(&resource.name, namespaces, &settings.caps);
            let extra = settings.detail.of(&resource.name);
            let whole = resource.extent.is_whole(extra.is_some());
            if let Some(extra) = extra {
                store.lock().unwrap_or_else(PoisonError::into_inner).show_details(extra);
            }
            collectors.push(Arc::new(Shown(Arc::clone(&store))));
            for (scope, namespace) in settings.watch.scopes(resource).into_iter().enumerate() {
                let parts = Parts {
                    client: Arc::clone(&self.client),
                    target: Target {
                        resource: Arc::clone(resource),
                        namespace: namespace.clone(),
                        label_selector: watched.label_selector.clone(),
                        field_selector: watched.field_selector.clone(),
                        shard,
                        whole,
                        wanted: settings.watch.wire,
                    },
                    store: Arc::clone(&store),
                    scope,
                    telemetry: self.telemetry.clone(),
                    notices: notices.add(&resource.name, namespace.clone()),
                    row: board.add(&resource.name, namespace),
                    turns: Arc::clone(&turns),
                    tuning: self.tuning.subscribe(),
                    seed: fastrand::u64(..),
                };
                watchers.push((resource.many, parts));
            }
        }
        // Who comes first lists first: what is soon done does not wait for what is long.
        watchers.sort_by_key(|(many, _)| *many);
        let mut candidates = Vec::new();
        for (_, parts) in watchers {
            let (target, row) = (parts.target.clone(), Arc::clone(&parts.row));
            candidates.push(Candidate { target, row });
            let watcher = Watcher::new(parts);
            self.spawn("a watcher", |stopping| watcher.run(stopping.wait()));
        }
        self.board = Arc::new(board);
        let notices = Arc::new(notices);
        self.keep_access(Arc::clone(&notices));
        (collectors, candidates, notices)
    }

    /// Keeps credentials fresh and rights in view, and tells watchers of both.
    fn keep_access(&mut self, notices: Arc<Notices>) {
        let (client, telemetry) = (Arc::clone(&self.client), self.telemetry.clone());
        let proofs = watch::Sender::new(client.proof());
        let keeper = Keeper {
            client: Arc::clone(&client),
            access: Arc::clone(&self.access),
            telemetry: telemetry.clone(),
            notices: Arc::clone(&notices),
            proofs: proofs.subscribe(),
            seed: fastrand::u64(..),
        };
        self.spawn("the keeper of rights", |stopping| async move {
            tokio::select! {
                () = keeper.keep() => {}
                () = stopping.wait() => {}
            }
        });
        self.spawn("the credentials' reader", |stopping| async move {
            tokio::select! {
                () = credentials::reload(&client, &telemetry, &notices, &proofs) => {}
                () = stopping.wait() => {}
            }
        });
    }

    fn spawn<F>(&mut self, name: &'static str, work: impl FnOnce(Stopping) -> F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let work = work(self.shutdown.stopping());
        self.tasks.spawn(async move {
            work.await;
            name
        });
    }

    /// Whether the cluster can be reached at all.
    async fn require(&self) -> Result<(), Exit> {
        let dial = Connection::dial(&self.client.endpoint, &self.telemetry);
        let url = &self.client.endpoint.url;
        match timeout(REQUIRED, dial).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => {
                Err(Exit::unavailable(anyhow::anyhow!("{url} cannot be reached: {error}")))
            }
            Err(_) => Err(Exit::unavailable(anyhow::anyhow!(
                "{url} cannot be reached within {} s",
                REQUIRED.as_secs()
            ))),
        }
    }

    /// Works until a signal to stop, then lets every task end.
    pub(crate) async fn until_stopped(
        mut self,
        mut signals: Signals,
        mut reloads: Option<Reloads>,
    ) -> Result<(), Exit> {
        loop {
            tokio::select! {
                signal = signals.next() => match signal {
                    Signal::Stop => break,
                    Signal::Reload => self.reload(reloads.as_mut()),
                },
                Some(ended) = self.tasks.join_next() => self.note_end(ended),
            }
        }
        self.stop().await;
        Ok(())
    }

    /// One check for each watcher, as `/readyz` shows them.
    #[must_use]
    pub fn checks(&self) -> Vec<Check> {
        self.board.checks(&self.access.missing())
    }

    /// Stops: watches end, scrapes under way are answered.
    pub async fn stop(mut self) {
        tracing::info!("kubetally stops");
        self.shutdown.trigger();
        while self.tasks.join_next().await.is_some() {}
    }

    /// No task ends before its time but by a defect, which liveness tells.
    fn note_end(&self, ended: Result<&'static str, tokio::task::JoinError>) {
        let name = ended.unwrap_or("a task that panicked");
        tracing::error!("{name} has ended; this is a defect of Kubetally");
        *self.process.ended.lock().unwrap_or_else(PoisonError::into_inner) = Some(name);
    }

    /// SIGHUP: takes over what can change while running, and names what cannot.
    fn reload(&self, reloads: Option<&mut Reloads>) {
        let Some(reloads) = reloads else { return };
        let loaded = reloads.sources.load();
        self.process.reload_failed.store(loaded.is_err(), Ordering::Relaxed);
        self.process.reloads[usize::from(loaded.is_err())].fetch_add(1, Ordering::Relaxed);
        let Loaded { raw, settings: new } = match loaded {
            Ok(loaded) => loaded,
            Err(error) => {
                tracing::error!(%error, "the configuration stays as it was");
                return;
            }
        };
        if let Err(error) = reloads.level.set(&new.log.level) {
            tracing::error!(%error, "the log level stays as it was");
        }
        self.tuning.send_replace(tuning(&new));
        self.limits.send_replace(limits(&new));
        self.process.reloaded.store(unix_now(), Ordering::Relaxed);
        let changes = reloads.raw.changes(&raw);
        tracing::info!(changed = changes.in_place.join(","), "the configuration was read again");
        if !changes.restart.is_empty() {
            tracing::warn!(keys = changes.restart.join(","), "these changes need a restart");
        }
        reloads.raw.take_over(&raw);
    }
}

async fn listen(address: SocketAddr) -> Result<(TcpListener, SocketAddr), Exit> {
    let listener = TcpListener::bind(address)
        .await
        .with_context(|| format!("cannot listen on {address}"))
        .map_err(Exit::usage)?;
    let address = listener.local_addr().map_err(Exit::internal)?;
    Ok((listener, address))
}

const fn tuning(settings: &Settings) -> Tuning {
    Tuning { timeout: settings.watch.timeout, page_size: settings.watch.page_size }
}

const fn limits(settings: &Settings) -> Limits {
    Limits {
        connections: settings.http.max_connections,
        header_timeout: HEAD,
        write_timeout: settings.http.write_timeout,
        drain: settings.http.drain,
    }
}

impl Collect for Process {
    fn collect(&self, out: &mut Exposition) {
        out.sample(&BUILD_INFO, &[env!("CARGO_PKG_VERSION"), REVISION], 1_u64);
        let successful = !self.reload_failed.load(Ordering::Relaxed);
        out.sample(&CONFIG_LAST_RELOAD_SUCCESSFUL, &[], successful);
        for (result, reloads) in ["success", "error"].iter().zip(&self.reloads) {
            out.sample(&CONFIG_RELOADS_TOTAL, &[result], reloads.load(Ordering::Relaxed));
        }
        let reloaded = self.reloaded.load(Ordering::Relaxed).unsigned_abs();
        out.sample(&CONFIG_LAST_RELOAD_SUCCESS_TIMESTAMP_SECONDS, &[], reloaded);
    }
}

fn unix_now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::sync_channel;

    use super::*;

    #[test]
    fn the_end_waits_for_nothing_that_cannot_be_broken_off() {
        let (resolver, answer) = sync_channel::<()>(1);
        let ended = block_on(async {
            // As a look-up is that hangs: it ends with the other side of the channel.
            tokio::task::spawn_blocking(move || answer.recv());
            Ok(())
        });
        assert!(ended.is_ok());
        drop(resolver);
    }
}
