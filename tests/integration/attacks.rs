use std::{net::SocketAddr, time::SystemTime};

use kubetally::sim::{Options, fleet};
use rstest::rstest;
use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpSocket, TcpStream},
    runtime::{Builder, Runtime},
    sync::mpsc,
};

use crate::{
    daemon::Daemon,
    eventually::eventually,
    fetch,
    rig::{Cluster, Scrape},
};

/// Pods, each with its series; `make attack` has more.
fn pods() -> u32 {
    let set = std::env::var("KUBETALLY_ATTACK_PODS").ok();
    set.map_or(500, |text| text.parse().expect("a number of pods"))
}

/// Changes that have to be scraped while it is attacked.
const ROUNDS: u32 = 20;
/// What it may have in memory then; before it is some 35 MB.
const MEMORY: f64 = 128e6;

/// What somebody does to the listener.
#[derive(Clone, Copy, Debug)]
enum Attack {
    /// Connections without a request.
    Idle,
    /// Requests that never end.
    Half,
    /// Scrapes that are not read.
    Unread,
    /// Scrapes that are read byte by byte.
    Drip,
    /// Many scrapes at once on each connection, all read.
    Pipelined,
    /// Heads, paths and queries that are far too large.
    Oversized,
    /// No attack: many who scrape all the time.
    Crowd,
}

impl Attack {
    /// So many connections at a time.
    const fn connections(self) -> usize {
        match self {
            Self::Idle | Self::Half => 2000,
            Self::Unread | Self::Drip => 300,
            Self::Pipelined | Self::Oversized => 100,
            Self::Crowd => 40,
        }
    }

    /// What it sends on a connection.
    fn request(self) -> Vec<u8> {
        const SCRAPE: &str = "GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n";
        match self {
            Self::Idle => Vec::new(),
            Self::Half => b"GET /metrics HTTP/1.1\r\nHost: a\r\nX-Half".into(),
            Self::Unread | Self::Drip => SCRAPE.into(),
            Self::Pipelined => SCRAPE.repeat(50).into(),
            Self::Oversized => {
                let query = "&name[]=kubetally_objects".repeat(40_000);
                format!("GET /metrics?{query} HTTP/1.1\r\nHost: a\r\n\r\n").into()
            }
            Self::Crowd => b"GET /metrics HTTP/1.1\r\nHost: a\r\nAccept-Encoding: gzip\r\n\
                             Connection: close\r\n\r\n"
                .into(),
        }
    }

    /// One connection, from another address than that of the scraper, until the listener ends it.
    async fn connection(self, address: SocketAddr, open: &mpsc::Sender<()>) -> std::io::Result<()> {
        let socket = TcpSocket::new_v4()?;
        socket.bind(([127, 0, 0, 2], 0).into())?;
        socket.set_recv_buffer_size(4096)?;
        let mut stream = socket.connect(address).await?;
        stream.write_all(&self.request()).await?;
        // Nobody listens any more when the attack is over.
        let _told = open.try_send(());
        match self {
            Self::Idle | Self::Half | Self::Unread => until_closed(&stream).await,
            Self::Drip => while stream.read(&mut [0]).await? > 0 {},
            Self::Pipelined | Self::Oversized | Self::Crowd => {
                stream.read_to_end(&mut Vec::new()).await?;
            }
        }
        Ok(())
    }

    /// Connects again and again.
    async fn go_on(self, address: SocketAddr, open: mpsc::Sender<()>) {
        loop {
            // However it ends, there is a next one.
            let _ended = self.connection(address, &open).await;
            tokio::task::yield_now().await;
        }
    }
}

/// Waits until there is nobody at the other end, and reads nothing.
async fn until_closed(stream: &TcpStream) {
    let _closed = stream.ready(tokio::io::Interest::ERROR).await;
}

/// Where those who attack take no turn of those who serve the daemon, until this is dropped.
struct Attackers(Option<Runtime>);

impl Attackers {
    fn new() -> Self {
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build();
        Self(Some(runtime.expect("a runtime")))
    }

    fn spawn(&self, attacker: impl Future<Output = ()> + Send + 'static) {
        self.0.as_ref().expect("not dropped").spawn(attacker);
    }
}

impl Drop for Attackers {
    fn drop(&mut self) {
        // One that waits for its end may not be dropped where others run.
        self.0.take().expect("not dropped").shutdown_background();
    }
}

/// A daemon whose cluster changes, and its scraper.
struct Besieged {
    cluster: Cluster,
    daemon: Daemon,
    address: SocketAddr,
    pods: u32,
}

impl Besieged {
    async fn start() -> Self {
        let cluster = Cluster::start(Options::default()).await;
        for at in 0..pods() {
            cluster.sim.put("pods", fleet::pod(at, 0, SystemTime::now()));
        }
        cluster.endpoint_by(&cluster.kubeconfig(&json!({"tokenFile": "token"})));
        let kubeconfig = cluster.account.path().join("config");
        let flags = ["--resources", "pods,events", "--detail", "pods", "--probe-interval", "0s"];
        let daemon = Daemon::watching(&kubeconfig, &flags);
        let address = daemon.address();
        let this = Self { cluster, daemon, address, pods: pods() };
        this.shows_all().await;
        this
    }

    /// Scrapes, which has to succeed each time, until what is there is shown; the last scrape.
    async fn shows_all(&self) -> Scrape {
        let series = "kubetally_objects{resource=\"pods\"}";
        eventually("all pods to be shown", async || {
            let (status, text) = fetch::get(self.address, "/metrics").await.expect("a scrape");
            assert_eq!(status, 200);
            let scrape = Scrape::parse(&text);
            match scrape.value(series) {
                shown if (shown - f64::from(self.pods)).abs() < 0.5 => Ok(scrape),
                shown => Err(format!("{shown} of {}", self.pods)),
            }
        })
        .await
    }

    /// One more pod, shown while all goes on.
    async fn change(&mut self) -> Scrape {
        self.cluster.sim.put("pods", fleet::pod(self.pods, 0, SystemTime::now()));
        self.pods += 1;
        let (status, text) = fetch::get(self.address, "/livez").await.expect("an answer");
        assert_eq!((status.as_u16(), text.as_str()), (200, "ok\n"));
        self.shows_all().await
    }
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn scrapes_and_watches_go_on(
    #[values(
        Attack::Idle,
        Attack::Half,
        Attack::Unread,
        Attack::Drip,
        Attack::Pipelined,
        Attack::Oversized,
        Attack::Crowd
    )]
    attack: Attack,
) {
    let mut besieged = Besieged::start().await;
    let before = besieged.change().await;
    let (open, mut opened) = mpsc::channel(attack.connections());
    let attackers = Attackers::new();
    for _ in 0..attack.connections() {
        attackers.spawn(attack.go_on(besieged.address, open.clone()));
    }
    for _ in 0..attack.connections() {
        opened.recv().await.expect("a connection");
    }
    let resident = "process_resident_memory_bytes";
    let mut most = 0.0_f64;
    let mut scrape = before.clone();
    for _ in 0..ROUNDS {
        scrape = besieged.change().await;
        most = most.max(scrape.value(resident));
    }
    drop(attackers);
    let crowded = scrape.value("kubetally_http_refusals_total{reason=\"crowded\"}");
    println!(
        "{attack:?}: {} connections at a time, {crowded} of them lost their place; memory {:.1} MB, before {:.1} MB",
        attack.connections(),
        most / 1e6,
        before.value(resident) / 1e6,
    );
    assert!(most < MEMORY, "{most} bytes in memory");
    for disturbed in ["kubetally_watch_ends_total", "kubetally_watch_relists_total"] {
        assert_eq!(scrape.starting(disturbed), [].into(), "the watches were disturbed");
    }
    let too_many = attack.connections() > 64;
    assert!(!too_many || crowded > 0.0, "none of too many connections lost its place");
    drop(besieged.daemon);
}
