//! A simulated API server: the base of the demo, the tests and the benches.
//!
//! Real TLS under a CA made at the start, bearer tokens with claims and an end, client
//! certificates, rights, LIST with pages, WATCH with bookmarks and streaming lists, a history with
//! a floor, and the words of a real kube-apiserver 1.36, to which tests hold it by recordings. It
//! serves any number of clients; whoever holds the [`Sim`] writes objects and injects faults.
//!
//! ```text
//!   Sim ── put, delete, compact ──▶ state ──▶ list, watch ──▶ server ── TLS ──▶ clients
//!    └──── grant, issue, inject ──▶ accounts, faults ───────────┘
//! ```

pub mod answer;
pub mod auth;
pub mod body;
pub mod events;
pub mod fault;
pub mod fleet;
pub mod ice;
pub mod kinds;
pub mod list;
pub mod objects;
pub mod options;
pub mod pki;
pub mod protobuf;
pub mod review;
pub mod selector;
mod server;
pub mod state;
pub mod surroundings;
pub mod watch;
pub mod workload;
mod write;

use std::{
    collections::{BTreeSet, VecDeque},
    net::SocketAddr,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicI64, AtomicU64, Ordering},
    },
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use auth::{Accounts, Right};
use fault::{Fault, Faults, Rule};
use kinds::{Offer, SERVED, Served};
use pki::{Authority, Identity, Validity};
use rustls::ServerConfig;
use serde_json::Value;
use state::{Compacted, Key, State};
use tokio::{
    net::TcpListener,
    sync::watch as channel,
    task::{JoinHandle, JoinSet},
};

/// How many requests are remembered.
const REMEMBERED: usize = 10_000;
/// The names a client can reach it by.
const NAMES: &[&str] = &["localhost", "127.0.0.1", "::1"];

/// What the server is like.
#[derive(Clone, Debug)]
pub struct Options {
    /// What decides UIDs and tokens.
    pub seed: u64,
    /// The protocols it offers, the best one first.
    pub alpn: Vec<&'static str>,
    /// Whether it knows streaming lists (the feature gate WatchList).
    pub streaming_lists: bool,
    /// Whether it classifies requests by priority and fairness.
    pub priority_and_fairness: bool,
    /// How often a watch of a cached resource gets a bookmark.
    pub bookmark_period: Duration,
    /// How many streams a connection may have at a time (`MAX_CONCURRENT_STREAMS` of HTTP/2).
    pub streams: u32,
    /// What writes objects as protobuf, where it speaks that.
    pub protobuf: Option<protobuf::Encode>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            seed: 1,
            alpn: vec!["h2", "http/1.1"],
            streaming_lists: true,
            priority_and_fairness: true,
            bookmark_period: Duration::from_secs(60),
            streams: 100,
            protobuf: None,
        }
    }
}

/// A request that came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// As RBAC has it: `list`, `watch`, `get`, `create` or `patch`.
    pub verb: &'static str,
    /// Its path.
    pub path: String,
    /// Its query, as it came.
    pub query: String,
    /// What it accepts.
    pub accept: String,
    /// Whether it accepts a compressed answer.
    pub compressed: bool,
    /// The connection that it came on, by its number from 1.
    pub connection: u64,
}

/// What connections and the holder share.
#[derive(Debug)]
pub struct Shared {
    options: Options,
    state: Mutex<State>,
    accounts: Mutex<Accounts>,
    faults: Mutex<Faults>,
    seen: Mutex<VecDeque<Seen>>,
    /// The groups of custom resources that are defined.
    defined: Mutex<BTreeSet<&'static str>>,
    random: Mutex<fastrand::Rng>,
    tls: Mutex<Arc<ServerConfig>>,
    /// The resourceVersion of now, for whoever waits for the next.
    revision: channel::Sender<u64>,
    /// How many connections there were.
    connections: AtomicU64,
    /// Connections up to this number are frozen.
    frozen: channel::Sender<u64>,
    /// Changes when every connection should say GOAWAY.
    goaway: channel::Sender<()>,
    /// Changes when every watch should end, as it does at its deadline.
    ends: channel::Sender<()>,
    /// The server's clock minus ours, in seconds.
    skew: AtomicI64,
}

/// A running server; it stops when this is dropped.
#[derive(Debug)]
pub struct Sim {
    shared: Arc<Shared>,
    authority: Authority,
    address: SocketAddr,
    /// Grows with each cut; while it is odd, nobody is let in.
    cuts: channel::Sender<u64>,
    task: JoinHandle<()>,
}

impl Drop for Sim {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Sim {
    /// Starts one on a free port of the loopback.
    ///
    /// # Errors
    /// Where no certificate can be made or no port be had.
    pub async fn start(options: Options) -> anyhow::Result<Self> {
        let authority = Authority::new()?;
        let identity = authority.server(NAMES, Validity::Now)?;
        let tls = authority.server_config(&identity, &options.alpn)?;
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared {
            state: Mutex::new(State::new(options.seed)),
            accounts: Mutex::new(Accounts::new(options.seed)),
            faults: Mutex::default(),
            seen: Mutex::default(),
            defined: Mutex::default(),
            random: Mutex::new(fastrand::Rng::with_seed(options.seed)),
            tls: Mutex::new(Arc::new(tls)),
            revision: channel::Sender::new(0),
            connections: AtomicU64::new(0),
            frozen: channel::Sender::new(0),
            goaway: channel::Sender::new(()),
            ends: channel::Sender::new(()),
            skew: AtomicI64::new(0),
            options,
        });
        let cuts = channel::Sender::new(0);
        let task = tokio::spawn(serve(listener, address, Arc::clone(&shared), cuts.subscribe()));
        Ok(Self { shared, authority, address, cuts, task })
    }

    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// What signs its certificates.
    #[must_use]
    pub const fn authority(&self) -> &Authority {
        &self.authority
    }

    // --- objects -----------------------------------------------------------------------------

    /// Creates or replaces an object of a table (a plural, such as `pods`); gives its
    /// resourceVersion.
    pub fn put(&self, table: &'static str, object: Value) -> u64 {
        self.shared.put(table, object)
    }

    /// Deletes objects, all at one resourceVersion; gives how many there were.
    pub fn delete(&self, table: &'static str, keys: &[Key]) -> usize {
        self.shared.write(|state| state.delete(table, keys))
    }

    /// Takes objects with their resourceVersions, and moves to this revision, back too.
    pub fn load(&self, table: &'static str, items: &[Value], revision: u64) {
        self.shared.write(|state| state.load(table, items, revision));
    }

    /// Goes back to how everything was at this resourceVersion, as from a backup of etcd.
    ///
    /// # Errors
    /// Where that is forgotten.
    pub fn restore(&self, revision: u64) -> Result<(), Compacted> {
        self.shared.write(|state| state.restore(revision))
    }

    /// Its watch caches are so many resourceVersions behind, as those of a replica may be.
    pub fn lag(&self, versions: u64) {
        self.shared.write(|state| state.lag(versions));
    }

    /// The resourceVersion of now.
    #[must_use]
    pub fn revision(&self) -> u64 {
        self.shared.state().revision()
    }

    /// Forgets all history up to now.
    pub fn compact(&self) {
        self.shared.write(State::compact);
    }

    /// The JSON of all objects of a table.
    #[must_use]
    pub fn objects(&self, table: &str) -> Vec<Value> {
        let snapshot = self.shared.state().snapshot(table, None).unwrap_or_default();
        snapshot.values().filter_map(|object| serde_json::from_str(&object.body).ok()).collect()
    }

    /// Serves the custom resources of a group from now on.
    pub fn define(&self, group: &'static str) {
        lock(&self.shared.defined).insert(group);
    }

    /// Serves the custom resources of a group no more; watches under way end with [`Sim::cut`].
    pub fn withdraw(&self, group: &str) {
        lock(&self.shared.defined).remove(group);
    }

    // --- accounts ----------------------------------------------------------------------------

    /// A token of a service account, for so long.
    #[must_use]
    pub fn issue(&self, namespace: &str, account: &str, lifetime: Duration) -> String {
        let now = self.shared.now_seconds().cast_signed();
        let lifetime = lifetime.as_secs().cast_signed();
        self.shared.accounts().issue(namespace, account, now, lifetime)
    }

    /// Takes every token back.
    pub fn revoke_tokens(&self) {
        self.shared.accounts().revoke_all();
    }

    /// Gives a user exactly these rights.
    pub fn grant(&self, user: &str, rights: Vec<Right>) {
        self.shared.accounts().grant(user, rights);
    }

    /// Gives a user exactly these rights beside, as a webhook does: no rules review lists them.
    pub fn grant_unlisted(&self, user: &str, rights: Vec<Right>) {
        self.shared.accounts().grant_unlisted(user, rights);
    }

    /// Lets a user get these paths that are no resources, such as `/metrics`.
    pub fn grant_paths(&self, user: &str, paths: &[&str]) {
        let paths = paths.iter().map(|path| (*path).to_owned()).collect();
        self.shared.accounts().grant_paths(user, paths);
    }

    // --- bad days ----------------------------------------------------------------------------

    /// Adds a fault.
    pub fn inject(&self, rule: Rule) {
        lock(&self.shared.faults).add(rule);
    }

    /// Takes all faults back.
    pub fn heal(&self) {
        lock(&self.shared.faults).clear();
    }

    /// Breaks every connection, and lets nobody in until [`Sim::rise`].
    pub fn fall(&self) {
        self.cuts.send_modify(|cuts| *cuts |= 1);
    }

    /// Lets clients in again, at the same address.
    pub fn rise(&self) {
        self.cuts.send_modify(|cuts| *cuts = (*cuts | 1) + 1);
    }

    /// Breaks every connection; new ones are taken.
    pub fn cut(&self) {
        self.cuts.send_modify(|cuts| *cuts += 2);
    }

    /// Freezes every connection, and those that come, until [`Sim::thaw`]: they are open, and nothing
    /// is read or written.
    pub fn freeze(&self) {
        self.shared.frozen.send_replace(u64::MAX);
    }

    /// Freezes every connection that there is; those that come are served.
    pub fn strand(&self) {
        self.shared.frozen.send_replace(self.connections());
    }

    /// What is frozen goes on.
    pub fn thaw(&self) {
        self.shared.frozen.send_replace(0);
    }

    /// Ends every watch, as its deadline does.
    pub fn end_watches(&self) {
        self.shared.ends.send_replace(());
    }

    /// Says GOAWAY on every connection; streams under way go on.
    pub fn go_away(&self) {
        self.shared.goaway.send_replace(());
    }

    /// Serves this certificate from the next connection on.
    ///
    /// # Errors
    /// Where it is unusable.
    pub fn serve_as(&self, identity: &Identity) -> anyhow::Result<()> {
        let config = self.authority.server_config(identity, &self.shared.options.alpn)?;
        *lock(&self.shared.tls) = Arc::new(config);
        Ok(())
    }

    /// Sets its clock ahead of ours, or behind.
    pub fn skew(&self, seconds: i64) {
        self.shared.skew.store(seconds, Ordering::Relaxed);
    }

    /// How many connections there were.
    #[must_use]
    pub fn connections(&self) -> u64 {
        self.shared.connections.load(Ordering::Relaxed)
    }

    /// The requests that came, the oldest first.
    #[must_use]
    pub fn requests(&self) -> Vec<Seen> {
        lock(&self.shared.seen).iter().cloned().collect()
    }
}

impl Shared {
    fn put(&self, table: &'static str, object: Value) -> u64 {
        let now = humantime::format_rfc3339_seconds(self.now()).to_string();
        self.write(|state| state.put(table, object, &now))
    }

    fn write<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let mut state = self.state();
        let result = change(&mut state);
        self.revision.send_replace(state.revision());
        result
    }

    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }

    fn accounts(&self) -> MutexGuard<'_, Accounts> {
        lock(&self.accounts)
    }

    fn random(&self) -> MutexGuard<'_, fastrand::Rng> {
        lock(&self.random)
    }

    fn tls(&self) -> Arc<ServerConfig> {
        Arc::clone(&lock(&self.tls))
    }

    fn befall(&self, verb: &str, resource: &str) -> Option<Fault> {
        lock(&self.faults).befall(verb, resource)
    }

    fn number_connection(&self) -> u64 {
        self.connections.fetch_add(1, Ordering::Relaxed) + 1
    }

    fn offer(&self) -> Offer {
        let defined = lock(&self.defined);
        let is_there = |served: &&Served| !served.custom || defined.contains(served.group);
        Offer(SERVED.iter().filter(is_there).collect())
    }

    fn note(&self, seen: Seen) {
        let mut all = lock(&self.seen);
        if all.len() == REMEMBERED {
            all.pop_front();
        }
        all.push_back(seen);
    }

    /// Now by the server's clock.
    fn now(&self) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(self.now_seconds())
    }

    /// Now by the server's clock, in seconds since 1970.
    fn now_seconds(&self) -> u64 {
        let ours = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        ours.saturating_add_signed(self.skew.load(Ordering::Relaxed))
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Serves; a cut drops every connection, and while nobody is let in the port is closed.
async fn serve(
    listener: TcpListener,
    address: SocketAddr,
    shared: Arc<Shared>,
    mut cuts: channel::Receiver<u64>,
) {
    let mut open = Some(listener);
    loop {
        let mut connections = JoinSet::new();
        let fallen = *cuts.borrow_and_update() % 2 == 1;
        if fallen {
            open = None;
        } else if open.is_none() {
            open = TcpListener::bind(address).await.ok();
        }
        let changed = tokio::select! {
            changed = cuts.changed() => changed,
            () = accepting(open.as_ref(), &shared, &mut connections) => Ok(()),
        };
        if changed.is_err() {
            return;
        }
    }
}

async fn accepting(
    listener: Option<&TcpListener>,
    shared: &Arc<Shared>,
    connections: &mut JoinSet<()>,
) {
    match listener {
        Some(listener) => server::accept(listener, shared, connections).await,
        None => std::future::pending().await,
    }
}
