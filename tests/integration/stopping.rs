//! A stop in the middle of anything: it ends in time and well, and loses no scrape.

use std::{
    io::{Read, Write},
    net::TcpStream,
    time::{Duration, SystemTime},
};

use flate2::read::GzDecoder;
use kubetally::sim::{
    Options,
    auth::Right,
    fault::{Fault, Gate, Rule},
    fleet,
};
use rstest::rstest;
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::{
    daemon::Daemon,
    eventually::eventually,
    get::{answer, connect},
    rig::{Cluster, USER},
};

/// How long a stop waits for answers in these tests.
const DRAIN: Duration = Duration::from_secs(1);
/// What a stop may take beside, on a machine that is busy.
const SLACK: Duration = Duration::from_secs(10);

/// What it is in the middle of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Middle {
    /// A first list that is not answered.
    List,
    /// Watches that are open and still.
    Watches,
    /// A server that takes connections and says nothing.
    Handshake,
    /// A plugin that does not come back.
    Plugin,
    /// A server that is down, and the wait for the next try.
    Backoff,
    /// A probe that is not answered.
    Probe,
    /// A write of the canary that is not answered.
    Canary,
    /// A review of its own rights that is not answered.
    Review,
    /// A scraper whose token is not reviewed.
    Scraper,
    /// Somebody who looks at the page.
    Page,
    /// A request of which half has come.
    Half,
}

impl Middle {
    fn flags(self) -> &'static [&'static str] {
        match self {
            Self::Probe => &["--probe-interval", "1s"],
            Self::Canary => &["--canary-namespace", "kubetally"],
            Self::Scraper => &["--authorization", "cluster"],
            _ => &["--probe-interval", "0s"],
        }
    }

    /// The request that is not answered: verb and resource.
    const fn unanswered(self) -> Option<(&'static str, &'static str)> {
        match self {
            Self::List => Some(("watch", "pods")),
            Self::Probe => Some(("get", "/readyz")),
            Self::Canary => Some(("patch", "leases")),
            Self::Review => Some(("create", "selfsubjectaccessreviews")),
            Self::Scraper => Some(("create", "tokenreviews")),
            _ => None,
        }
    }

    /// What is sent to its listener.
    const fn sent(self) -> Option<&'static str> {
        match self {
            Self::Scraper => {
                Some("GET /metrics HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer some-token\r\n\r\n")
            }
            Self::Page => Some("GET /updates HTTP/1.1\r\nHost: a\r\n\r\n"),
            Self::Half => Some("GET /metrics HTTP/1.1\r\nHost"),
            _ => None,
        }
    }

    fn user(self, cluster: &Cluster) -> Value {
        if self != Self::Plugin {
            return json!({"tokenFile": "token"});
        }
        // It tells that it was asked.
        cluster.write("plugin", "touch \"$(dirname \"$0\")/asked\"; exec sleep 600");
        json!({"exec": {
            "apiVersion": "client.authentication.k8s.io/v1",
            "command": "sh",
            "args": [cluster.account.path().join("plugin")],
            "interactiveMode": "Never",
        }})
    }

    /// Whether it is there.
    fn has_come(self, cluster: &Cluster, gate: &Gate, daemon: &Daemon) -> bool {
        let logged = |part| daemon.log().iter().any(|line| line.contains(part));
        match self {
            Self::Handshake => cluster.sim.connections() > 0,
            Self::Plugin => cluster.account.path().join("asked").exists(),
            Self::Backoff => logged("refused"),
            Self::Watches | Self::Page | Self::Half => logged("\"synced\""),
            _ => gate.waiting() > 0,
        }
    }
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_stop_ends_it_whatever_it_waits_for(
    #[values(
        Middle::List,
        Middle::Watches,
        Middle::Handshake,
        Middle::Plugin,
        Middle::Backoff,
        Middle::Probe,
        Middle::Canary,
        Middle::Review,
        Middle::Scraper,
        Middle::Page,
        Middle::Half
    )]
    middle: Middle,
) {
    let cluster = Cluster::start(Options::default()).await;
    cluster.sim.grant(USER, vec![Right::to_anything()]);
    cluster.sim.put("pods", fleet::pod(1, 0, SystemTime::now()));
    let gate = Gate::default();
    if let Some((verb, resource)) = middle.unanswered() {
        cluster.sim.inject(Rule {
            times: usize::MAX,
            ..Rule::once(verb, resource, Fault::Wait(gate.clone()))
        });
    }
    match middle {
        Middle::Handshake => cluster.sim.freeze(),
        Middle::Backoff => cluster.sim.fall(),
        _ => {}
    }
    cluster.endpoint_by(&cluster.kubeconfig(&middle.user(&cluster)));
    let kubeconfig = cluster.account.path().join("config");
    let drain = format!("{}s", DRAIN.as_secs());
    let flags = [&["--resources", "pods", "--drain", &drain], middle.flags()].concat();
    let mut daemon = Daemon::watching(&kubeconfig, &flags);
    let mut client = connect(daemon.address()).expect("a connection");
    client.write_all(middle.sent().unwrap_or_default().as_bytes()).expect("written");
    eventually("the middle of it", async || {
        let there = middle.has_come(&cluster, &gate, &daemon);
        if there { Ok(()) } else { Err(daemon.log().join("\n")) }
    })
    .await;
    if middle == Middle::Page {
        client.read_exact(&mut [0]).expect("the page has begun");
    }
    let began = Instant::now();
    daemon.signal("TERM");
    let status = daemon.ended();
    assert!(status.success(), "{status}: {}", daemon.log().join("\n"));
    let took = began.elapsed();
    assert!(took < DRAIN + SLACK, "it took {took:?}");
}

/// A scrape, and how its answer tells that it is whole.
const SCRAPES: [(&str, &str); 3] = [
    ("text/plain", "identity"),
    ("application/openmetrics-text; version=1.0.0", "identity"),
    ("application/openmetrics-text; version=1.0.0", "gzip"),
];

/// Asks for a scrape, and reads no more of it than its beginning.
fn begin(daemon: &Daemon, (accept, encoding): (&str, &str)) -> (TcpStream, Vec<u8>) {
    let mut stream = connect(daemon.address()).expect("a connection");
    let head = format!(
        "GET /metrics HTTP/1.1\r\nHost: a\r\nAccept: {accept}\r\nAccept-Encoding: {encoding}\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).expect("written");
    let mut bytes = vec![0; 16];
    stream.read_exact(&mut bytes).expect("the answer has begun");
    (stream, bytes)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_loses_no_scrape_under_way() {
    const PODS: usize = 2000;
    let cluster = Cluster::start(Options::default()).await;
    for at in 0..2000 {
        cluster.sim.put("pods", fleet::pod(at, 0, SystemTime::now()));
    }
    cluster.endpoint_by(&cluster.kubeconfig(&json!({"tokenFile": "token"})));
    let kubeconfig = cluster.account.path().join("config");
    let flags = ["--resources", "pods", "--detail", "pods", "--drain", "1m"];
    let mut daemon = Daemon::watching(&kubeconfig, &flags);
    daemon.logged("synced");
    let scrapes: Vec<_> = SCRAPES.iter().cycle().take(12).collect();
    let begun: Vec<_> = scrapes.iter().map(|scrape| begin(&daemon, **scrape)).collect();
    daemon.signal("TERM");
    daemon.logged("kubetally stops");
    for ((accept, encoding), (mut stream, mut bytes)) in scrapes.into_iter().zip(begun) {
        stream.read_to_end(&mut bytes).expect("the answer ends");
        let answer = answer(&bytes).expect("a head");
        assert_eq!(answer.header("transfer-encoding"), Some("chunked"));
        let body = dechunked(&answer.body);
        let text = match *encoding {
            "gzip" => {
                let mut text = String::new();
                GzDecoder::new(body.as_slice()).read_to_string(&mut text).expect("whole gzip");
                text
            }
            _ => String::from_utf8(body).expect("UTF-8"),
        };
        let pods = text.lines().filter(|line| line.starts_with("kube_pod_info{")).count();
        assert_eq!(pods, PODS, "{accept}, {encoding}");
        assert!(!accept.contains("openmetrics") || text.ends_with("# EOF\n"));
    }
    assert!(daemon.ended().success());
}

/// What chunks hold, up to the last one, which has to be there.
fn dechunked(mut body: &[u8]) -> Vec<u8> {
    let mut whole = Vec::new();
    loop {
        let end = body.windows(2).position(|two| two == b"\r\n").expect("a chunk's head");
        let size = std::str::from_utf8(&body[..end]).expect("a size");
        let size = usize::from_str_radix(size, 16).expect("a size");
        if size == 0 {
            return whole;
        }
        whole.extend_from_slice(&body[end + 2..end + 2 + size]);
        body = &body[end + 2 + size + 2..];
    }
}
