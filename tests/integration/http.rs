use std::{
    io::{Read, Write},
    net::SocketAddr,
    sync::Arc,
    time::Duration,
};

use flate2::read::GzDecoder;
use kubetally::{
    access::AllMissing,
    exposition::{Collect, Exposition, catalogue::NAMESPACE_OBJECTS},
    http::{
        Limits, Router,
        health::{Check, Health, Verdict},
        scrape::Scrapes,
        serve,
    },
    shutdown::Shutdown,
    telemetry::Telemetry,
};
use rstest::rstest;
use tokio::{net::TcpListener, runtime::Runtime, sync::watch, task::JoinHandle, time::timeout};

use crate::get::{answer, connect, get, request};

const SOON: Duration = Duration::from_millis(200);
const LATE: Duration = Duration::from_secs(60);

const LIMITS: Limits =
    Limits { connections: 8, header_timeout: LATE, write_timeout: LATE, drain: LATE };

/// A server on loopback, stopped when dropped.
struct Server {
    runtime: Runtime,
    address: SocketAddr,
    shutdown: Shutdown,
    served: Option<JoinHandle<()>>,
}

/// Health as a test wants it.
#[derive(Default)]
struct Told {
    ended: Option<&'static str>,
    checks: Vec<(&'static str, Verdict)>,
}

/// A family whose one series is this long.
struct Filler(usize);

impl Health for Told {
    fn live(&self) -> Result<(), String> {
        self.ended.map_or(Ok(()), |what| Err(what.into()))
    }

    fn ready(&self) -> Vec<Check> {
        let check = |(name, verdict): &(&str, Verdict)| Check {
            name: (*name).into(),
            resource: None,
            verdict: *verdict,
            detail: format!("{name} is told"),
        };
        self.checks.iter().map(check).collect()
    }

    fn missing(&self) -> AllMissing {
        AllMissing::new()
    }
}

impl Collect for Filler {
    fn collect(&self, out: &mut Exposition) {
        out.sample(&NAMESPACE_OBJECTS, &[&"n".repeat(self.0), "pods"], 3_u64);
    }
}

impl Server {
    fn start(limits: Limits, size: usize, health: Told) -> Self {
        let runtime = Runtime::new().expect("a runtime");
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).expect("a listener");
        let address = listener.local_addr().expect("an address");
        let telemetry = Telemetry::new(&["pods"]).expect("the catalogue is sound");
        let collectors: Vec<Arc<dyn Collect>> =
            vec![Arc::new(Filler(size)), Arc::new(telemetry.clone())];
        let scrapes = Scrapes::new(collectors, telemetry.clone());
        let router = Arc::new(Router {
            scrapes,
            health: Arc::new(health),
            page: None,
            gate: None,
            guard: None,
            telemetry,
        });
        let shutdown = Shutdown::default();
        let limits = watch::Sender::new(limits).subscribe();
        let stopping = shutdown.stopping().wait();
        let served = Some(runtime.spawn(serve(listener, router, limits, stopping)));
        Self { runtime, address, shutdown, served }
    }

    fn simple() -> Self {
        Self::start(LIMITS, 1, Told::default())
    }

    /// Waits until it serves no more.
    fn ended(&mut self) {
        let served = self.served.take().expect("it is waited for once");
        let ended = self.runtime.block_on(async { timeout(LATE, served).await });
        ended.expect("it ends").expect("it does not panic");
    }
}

#[rstest]
#[case("GET", "/", 404, "text/plain; charset=utf-8", "not found; try /metrics")]
#[case(
    "GET",
    "/metrics",
    200,
    "text/plain; version=0.0.4; charset=utf-8; escaping=values",
    "# TYPE "
)]
#[case("GET", "/livez", 200, "text/plain; charset=utf-8", "ok\n")]
#[case("GET", "/readyz", 200, "text/plain; charset=utf-8", "ready\n")]
#[case("GET", "/readyz?verbose", 200, "text/plain; charset=utf-8", "ready\n")]
#[case("GET", "/metrics/", 404, "text/plain; charset=utf-8", "not found; try /metrics")]
#[case("GET", "/../etc/passwd", 404, "text/plain; charset=utf-8", "not found")]
#[case("POST", "/nowhere", 404, "text/plain; charset=utf-8", "not found")]
#[case("POST", "/metrics", 405, "text/plain; charset=utf-8", "only GET and HEAD\n")]
#[case("DELETE", "/livez", 405, "text/plain; charset=utf-8", "only GET and HEAD\n")]
#[case("GET", "/metrics?name[]=nonesuch", 400, "text/plain; charset=utf-8", "nonesuch")]
fn routes(
    #[case] method: &str,
    #[case] path: &str,
    #[case] status: u16,
    #[case] content_type: &str,
    #[case] part: &str,
) {
    let server = Server::simple();
    let answer = request(server.address, method, path, &[]).expect("an answer");
    assert_eq!((answer.status, answer.header("content-type")), (status, Some(content_type)));
    assert!(answer.text().contains(part), "{}", answer.text());
    assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
    assert_eq!(answer.header("allow"), (status == 405).then_some("GET, HEAD"));
    if status >= 400 {
        assert!(answer.body.len() < 200, "{}", answer.text());
    }
}

#[test]
fn a_head_has_no_body() {
    let server = Server::simple();
    let answer = request(server.address, "HEAD", "/livez", &[]).expect("an answer");
    assert_eq!((answer.status, answer.body.as_slice()), (200, &b""[..]));
    assert_eq!(answer.header("content-length"), Some("3"));
}

#[test]
fn formats_and_encodings_are_negotiated() {
    let server = Server::simple();
    let path = "/metrics?name[]=kubetally_namespace_objects";
    let scrape = |headers: &[_]| request(server.address, "GET", path, headers).expect("an answer");
    let sample = "kubetally_namespace_objects{namespace=\"n\",resource=\"pods\"} 3\n";
    let head = "# HELP kubetally_namespace_objects Objects held, by namespace.\n\
                # TYPE kubetally_namespace_objects gauge\n";
    let plain = scrape(&[]);
    assert_eq!(plain.text(), format!("{head}{sample}"));
    assert_eq!(plain.header("content-encoding"), None);
    assert_eq!(plain.header("vary"), Some("accept, accept-encoding"));

    let open = scrape(&[("Accept", "application/openmetrics-text;version=1.0.0,text/plain;q=0.5")]);
    let content_type = open.header("content-type").expect("a type");
    assert!(content_type.starts_with("application/openmetrics-text; version=1.0.0"));
    assert_eq!(open.text(), format!("{head}{sample}# EOF\n"));

    let packed = scrape(&[("Accept-Encoding", "gzip")]);
    assert_eq!(packed.header("content-encoding"), Some("gzip"));
    let mut text = String::new();
    GzDecoder::new(packed.body.as_slice()).read_to_string(&mut text).expect("gzip");
    assert_eq!(text, plain.text());
}

#[test]
fn what_has_ended_ends_liveness() {
    let health = Told { ended: Some("a watcher has ended"), ..Told::default() };
    let server = Server::start(LIMITS, 1, health);
    let live = get(server.address, "/livez").expect("an answer");
    assert_eq!((live.status, live.text()), (500, "a watcher has ended\n"));
}

#[rstest]
#[case::all(
    Verdict::Ready,
    200,
    "ready\n",
    "[+] pods: pods is told\n[+] events: events is told\nready\n"
)]
#[case::not_yet(
    Verdict::NotReady,
    503,
    "[-] events: events is told\nnot ready\n",
    "[+] pods: pods is told\n[-] events: events is told\nnot ready\n"
)]
#[case::denied(
    Verdict::Excused,
    200,
    "ready\n",
    "[+] pods: pods is told\n[!] events: events is told\nready\n"
)]
fn readiness(
    #[case] events: Verdict,
    #[case] status: u16,
    #[case] short: &str,
    #[case] verbose: &str,
) {
    let checks = vec![("pods", Verdict::Ready), ("events", events)];
    let server = Server::start(LIMITS, 1, Told { checks, ..Told::default() });
    for (path, expected) in [("/readyz", short), ("/readyz?verbose", verbose)] {
        let ready = get(server.address, path).expect("an answer");
        assert_eq!((ready.status, ready.text()), (status, expected));
    }
}

#[test]
fn a_head_that_is_too_large_is_refused() {
    let server = Server::simple();
    let large = "x".repeat(64 * 1024);
    let refused = request(server.address, "GET", "/livez", &[("X-Large", &large)]);
    // The rest of the head is not read, so that the answer may be lost to a reset.
    assert!(refused.is_err() || refused.is_ok_and(|answer| answer.status == 431));
    assert_eq!(get(server.address, "/livez").expect("an answer").status, 200);
}

#[test]
fn half_a_head_is_not_waited_for() {
    let limits = Limits { header_timeout: SOON, ..LIMITS };
    let server = Server::start(limits, 1, Told::default());
    let mut half = connect(server.address).expect("a connection");
    half.write_all(b"GET /livez HTTP/1.1\r\nHost:").expect("written");
    let mut bytes = Vec::new();
    half.read_to_end(&mut bytes).expect("it ends");
    assert!(!bytes.starts_with(b"HTTP/1.1 200"), "{bytes:?}");
}

#[test]
fn an_idle_connection_is_closed() {
    let limits = Limits { header_timeout: SOON, ..LIMITS };
    let server = Server::start(limits, 1, Told::default());
    let mut idle = connect(server.address).expect("a connection");
    idle.write_all(b"GET /livez HTTP/1.1\r\nHost: a\r\n\r\n").expect("written");
    let mut bytes = Vec::new();
    idle.read_to_end(&mut bytes).expect("it was answered, then closed");
    assert_eq!(answer(&bytes).expect("an answer").status, 200);
}

#[test]
fn a_reader_that_takes_nothing_frees_its_place() {
    let limits = Limits { connections: 1, write_timeout: SOON, ..LIMITS };
    let server = Server::start(limits, 64 * 1024 * 1024, Told::default());
    let mut slow = connect(server.address).expect("a connection");
    slow.write_all(b"GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n").expect("written");
    slow.read_exact(&mut [0]).expect("the answer has begun");
    // From its own address nothing takes its place before it is given up.
    let taken = (0..100_000).any(|_| get(server.address, "/livez").is_ok());
    assert!(taken, "it is never given up");
}

#[test]
fn one_connection_too_many_takes_the_place_of_the_idle_one() {
    let server = Server::start(Limits { connections: 1, ..LIMITS }, 1, Told::default());
    let mut first = connect(server.address).expect("a connection");
    first.write_all(b"GET /livez HTTP/1.1\r\nHost: a\r\n\r\n").expect("written");
    let mut bytes = [0; 12];
    first.read_exact(&mut bytes).expect("the first one is answered");
    assert_eq!(&bytes, b"HTTP/1.1 200");
    let answer = get(server.address, "/metrics").expect("the second one is answered");
    let counted = "kubetally_http_refusals_total{reason=\"crowded\"} 1\n";
    assert!(answer.text().contains(counted), "{}", answer.text());
    let mut rest = Vec::new();
    // However it ends: nothing follows its answer.
    let _ended = first.read_to_end(&mut rest);
    assert!(rest.ends_with(b"ok\n"), "{rest:?}");
}

#[test]
fn a_stop_lets_an_answer_under_way_end_and_takes_no_other() {
    let size = 32 * 1024 * 1024;
    let mut server = Server::start(LIMITS, size, Told::default());
    let mut reader = connect(server.address).expect("a connection");
    reader.write_all(b"GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n").expect("written");
    let mut bytes = vec![0; 1];
    reader.read_exact(&mut bytes).expect("the answer has begun");
    server.shutdown.trigger();
    let refused = || get(server.address, "/livez").is_err();
    assert!((0..1000).any(|_| refused()), "the listener is closed");
    reader.read_to_end(&mut bytes).expect("the answer ends");
    let answer = answer(&bytes).expect("a whole answer");
    let length = answer.header("content-length").map(|length| length.parse::<usize>());
    assert_eq!(length, Some(Ok(answer.body.len())));
    assert!(answer.body.len() > size);
    server.ended();
}

#[test]
fn a_stop_waits_no_longer_than_the_drain_time() {
    let limits = Limits { drain: SOON, ..LIMITS };
    let mut server = Server::start(limits, 64 * 1024 * 1024, Told::default());
    let mut slow = connect(server.address).expect("a connection");
    slow.write_all(b"GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n").expect("written");
    slow.read_exact(&mut [0]).expect("the answer has begun");
    server.shutdown.trigger();
    server.ended();
}
