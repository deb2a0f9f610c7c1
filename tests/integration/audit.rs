use std::{net::SocketAddr, sync::Arc};

use kubetally::{
    audit::receiver::Receiver,
    config::{listeners::Files as Paths, settings::Caps},
    exposition::{Collect, Exposition, Format},
    http::{Limits, serve},
    shutdown::Shutdown,
    sim::{Options, pki::Authority},
};
use rstest::rstest;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinHandle,
    time::timeout,
};

use crate::{
    eventually::{DEADLINE, eventually},
    get::answer,
    rig::{Cluster, Watching},
    sender::{Client, Files, TOKEN, read},
};

const LIMITS: Limits =
    Limits { connections: 8, header_timeout: DEADLINE, write_timeout: DEADLINE, drain: DEADLINE };

/// A daemon with a receiver.
struct Receiving {
    watching: Watching,
    files: Files,
    _cluster: Cluster,
}

impl Receiving {
    /// By the proofs that these settings want, each of a file.
    async fn start(proofs: &[(&str, &str)]) -> Self {
        let (cluster, files) = (Cluster::start(Options::default()).await, Files::new());
        let own = [("audit.certificate", "tls.crt"), ("audit.key", "tls.key")];
        let paths = own.iter().chain(proofs).map(|(key, name)| (*key, files.at(name)));
        let texts: Vec<_> = paths.map(|(key, path)| (key, path.display().to_string())).collect();
        let mut settings: Vec<_> = texts.iter().map(|(key, path)| (*key, path.as_str())).collect();
        settings.push(("audit.listen", "127.0.0.1:0"));
        let watching = cluster.watch(&settings).await;
        Self { watching, files, _cluster: cluster }
    }

    async fn by_token() -> Self {
        Self::start(&[("audit.token_file", "token")]).await
    }

    fn address(&self) -> SocketAddr {
        self.watching.audit.expect("a receiver")
    }

    /// A client without a certificate.
    fn client(&self) -> Client {
        self.files.client(self.address(), None)
    }
}

fn batch(events: &[Value]) -> String {
    let (kind, version) = ("EventList", "audit.k8s.io/v1");
    json!({"kind": kind, "apiVersion": version, "metadata": {}, "items": events}).to_string()
}

fn event(id: &str, user: &str, code: u16) -> Value {
    let decision = if code == 403 { "forbid" } else { "allow" };
    json!({
        "level": "Metadata", "auditID": id, "stage": "ResponseComplete",
        "requestURI": "/api/v1/secrets", "verb": "list", "user": {"username": user},
        "objectRef": {"resource": "secrets", "apiVersion": "v1"},
        "responseStatus": {"metadata": {}, "code": code},
        "stageTimestamp": "2026-11-23T12:00:00.125000Z",
        "annotations": {"authorization.k8s.io/decision": decision},
    })
}

fn batches(result: &str) -> String {
    format!("kubetally_audit_batches_total{{result=\"{result}\"}}")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_is_counted_and_one_that_is_sent_again_is_not() {
    let receiving = Receiving::by_token().await;
    let (client, watching) = (receiving.client(), receiving.watching);
    let web = "system:serviceaccount:shop:web";
    let text = batch(&[event("a", web, 403), event("b", web, 403), event("c", "alice", 200)]);
    for _ in 0..2 {
        let answer = client.post(TOKEN, &text).await.expect("an answer");
        assert_eq!((answer.status, answer.text()), (200, ""));
    }
    let scrape = watching.scrape().await;
    for (series, value) in [
        (batches("accepted").as_str(), 2.0),
        ("kubetally_audit_events_total{result=\"counted\"}", 3.0),
        ("kubetally_audit_events_total{result=\"repeated\"}", 3.0),
        (
            "kubetally_audit_requests_total{user=\"service_account\",verb=\"list\",code=\"403\",decision=\"forbid\"}",
            2.0,
        ),
        (
            "kubetally_audit_resource_requests_total{verb=\"list\",resource=\"secrets\",code=\"200\"}",
            1.0,
        ),
        (
            "kubetally_audit_auth_failures_total{code=\"403\",decision=\"forbid\",namespace=\"shop\",service_account=\"web\"}",
            2.0,
        ),
    ] {
        assert!(scrape.is(series, value), "{series} is not {value}: {scrape:#?}");
    }
    let ends = "kubetally_tls_not_after_timestamp_seconds{certificate=\"audit\"}";
    assert!(scrape.value(ends) > 1.7e9, "{scrape:#?}");
    watching.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_setting_there_is_no_receiver() {
    let cluster = Cluster::start(Options::default()).await;
    let watching = cluster.watch(&[]).await;
    assert_eq!(watching.audit, None);
    let scrape = watching.scrape().await;
    assert!(scrape.0.keys().all(|series| !series.contains("audit")), "{scrape:#?}");
    watching.stop().await;
}

const GOOD: &str = "POST /audit HTTP/1.1\r\nAuthorization: Bearer the-token-of-this-test";

#[rstest]
#[case::no_token("POST /audit HTTP/1.1", "", 401, "unauthorized", "no token")]
#[case::wrong_token(
    "POST /audit HTTP/1.1\r\nAuthorization: Bearer the-token-of-that-test",
    "",
    401,
    "unauthorized",
    "audit.token_file"
)]
#[case::not_even_the_path_without_a_token("GET / HTTP/1.1", "", 401, "unauthorized", "no token")]
#[case::path(
    "POST / HTTP/1.1\r\nAuthorization: Bearer the-token-of-this-test",
    "",
    404,
    "misdirected",
    "taken at /audit"
)]
#[case::method(
    "GET /audit HTTP/1.1\r\nAuthorization: Bearer the-token-of-this-test",
    "",
    405,
    "misdirected",
    "only POST"
)]
#[case::compressed(
    &format!("{GOOD}\r\nContent-Encoding: gzip"), "\u{1f}", 415, "encoded", "no compressed body"
)]
#[case::no_json(GOOD, "level=Metadata", 400, "undecodable", "no EventList of audit.k8s.io/v1")]
#[case::empty(GOOD, "", 400, "undecodable", "cut off")]
#[case::truncated(
    GOOD,
    r#"{"kind":"EventList","apiVersion":"audit.k8s.io/v1","items":[{"auditID":"a"}"#,
    400,
    "undecodable",
    "cut off"
)]
#[case::another_list(
    GOOD,
    r#"{"kind":"PodList","apiVersion":"v1","items":[{"metadata":{}}]}"#,
    400,
    "undecodable",
    "no usable apiVersion"
)]
#[case::no_event(
    GOOD,
    r#"{"kind":"EventList","apiVersion":"audit.k8s.io/v1","items":[{"auditID":7}]}"#,
    400,
    "undecodable",
    "unexpected JSON"
)]
#[case::large_event(
    GOOD,
    &format!(r#"{{"kind":"EventList","items":[{{"userAgent":"{}"#, "x".repeat(2 << 20)),
    413,
    "too_large",
    "an event has more than 1048576 bytes"
)]
#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_batch_is_refused_and_told(
    #[case] head: &str,
    #[case] body: &str,
    #[case] status: u16,
    #[case] result: &str,
    #[case] part: &str,
) {
    let receiving = Receiving::by_token().await;
    let (client, watching) = (receiving.client(), receiving.watching);
    let answer = client.send(head, body.as_bytes()).await.expect("an answer");
    assert_eq!(answer.status, status, "{}", answer.text());
    assert!(answer.text().contains(part) && answer.body.len() < 200, "{}", answer.text());
    assert!(!answer.text().contains(TOKEN));
    assert_eq!(answer.header("www-authenticate"), (status == 401).then_some("Bearer"));
    assert_eq!(answer.header("allow"), (status == 405).then_some("POST"));
    let scrape = watching.scrape().await;
    assert_eq!(scrape.sum("kubetally_audit_batches_total"), 1.0);
    assert!(scrape.is(&batches(result), 1.0), "{scrape:#?}");
    assert_eq!(scrape.sum("kubetally_audit_requests_total"), 0.0);
    let text = batch(&[event("a", "alice", 200)]);
    let next = client.post(TOKEN, &text).await.expect("an answer");
    assert_eq!(next.status, 200, "the next batch is taken");
    watching.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_is_too_large_is_refused_by_its_length() {
    let receiving = Receiving::by_token().await;
    let (client, watching) = (receiving.client(), receiving.watching);
    let mut stream = client.dial().await.expect("a connection");
    let head = format!(
        "{GOOD}\r\nHost: localhost\r\nConnection: close\r\nContent-Length: {}\r\n\r\n",
        1_u64 << 40
    );
    stream.write_all(head.as_bytes()).await.expect("written");
    let bytes = timeout(DEADLINE, read(&mut stream)).await.expect("in time").expect("an answer");
    let answer = answer(&bytes).expect("a whole answer");
    assert_eq!(answer.status, 413);
    assert!(answer.text().contains("--audit-webhook-truncate-enabled"), "{}", answer.text());
    assert!(watching.scrape().await.is(&batches("too_large"), 1.0));
    watching.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_that_breaks_off_counts_what_was_whole_in_it() {
    let receiving = Receiving::by_token().await;
    let (client, watching) = (receiving.client(), receiving.watching);
    let text = batch(&[event("first", "alice", 200), event("second", "alice", 200)]);
    let half = &text[..text.find("second").expect("the second event")];
    let mut stream = client.dial().await.expect("a connection");
    let head = format!("{GOOD}\r\nHost: localhost\r\nContent-Length: {}\r\n\r\n", text.len());
    stream.write_all(head.as_bytes()).await.expect("written");
    stream.write_all(half.as_bytes()).await.expect("written");
    stream.flush().await.expect("written");
    let counted = "kubetally_audit_events_total{result=\"counted\"}";
    watching.until("the first event", |scrape| scrape.is(counted, 1.0)).await;
    drop(stream);
    watching.until("the end of it", |scrape| scrape.is(&batches("cut_off"), 1.0)).await;
    // Sent again, only what is new of it counts.
    assert_eq!(client.post(TOKEN, &text).await.expect("an answer").status, 200);
    let scrape = watching.scrape().await;
    assert!(scrape.is(counted, 2.0), "{scrape:#?}");
    assert!(scrape.is("kubetally_audit_events_total{result=\"repeated\"}", 1.0), "{scrape:#?}");
    watching.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_is_proof_where_a_ca_is_set() {
    let receiving = Receiving::start(&[("audit.client_ca", "ca.crt")]).await;
    let (address, Receiving { watching, files, .. }) = (receiving.address(), receiving);
    let identity = |authority: &Authority| authority.client("api", &[]).expect("a certificate");
    let text = batch(&[event("a", "alice", 200)]);
    let (ours, theirs) = (identity(&files.clients), identity(&files.server));
    let good = files.client(address, Some(&ours));
    assert_eq!(good.post("", &text).await.expect("an answer").status, 200);
    for identity in [None, Some(&theirs)] {
        let refused = files.client(address, identity).post(TOKEN, &text).await;
        assert!(refused.is_err(), "{refused:?}");
    }
    watching.until("two refusals", |scrape| scrape.is(&batches("handshake"), 2.0)).await;
    watching.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn token_and_certificate_are_both_wanted_where_both_are_set() {
    let proofs = [("audit.token_file", "token"), ("audit.client_ca", "ca.crt")];
    let receiving = Receiving::start(&proofs).await;
    let (address, Receiving { watching, files, .. }) = (receiving.address(), receiving);
    let text = batch(&[event("a", "alice", 200)]);
    let identity = files.clients.client("api", &[]).expect("a certificate");
    let with = files.client(address, Some(&identity));
    assert_eq!(with.post("not-the-right-token", &text).await.expect("an answer").status, 401);
    assert_eq!(with.post(TOKEN, &text).await.expect("an answer").status, 200);
    assert!(files.client(address, None).post(TOKEN, &text).await.is_err());
    watching.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_taken_without_tls() {
    let receiving = Receiving::by_token().await;
    let mut stream = TcpStream::connect(receiving.address()).await.expect("a connection");
    let watching = receiving.watching;
    stream.write_all(format!("{GOOD}\r\n\r\n").as_bytes()).await.expect("written");
    let mut bytes = Vec::new();
    // An alert, perhaps, or nothing.
    let _ended = timeout(DEADLINE, stream.read_to_end(&mut bytes)).await.expect("in time");
    assert!(!bytes.starts_with(b"HTTP"), "{bytes:?}");
    watching.until("the refusal", |scrape| scrape.is(&batches("handshake"), 1.0)).await;
    watching.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rotated_files_are_taken_over() {
    let receiving = Receiving::by_token().await;
    let (address, old) = (receiving.address(), receiving.client());
    let Receiving { watching, mut files, .. } = receiving;
    let text = batch(&[event("a", "alice", 200)]);
    assert_eq!(old.post(TOKEN, &text).await.expect("an answer").status, 200);
    files.server = Authority::new().expect("a CA");
    files.certify(&files.server);
    files.write("token", "another-token-of-this-test");
    let new = files.client(address, None);
    eventually("the new certificate and token", async || {
        match new.post("another-token-of-this-test", &text).await {
            Ok(answer) if answer.status == 200 => Ok(()),
            other => Err(format!("{other:?}")),
        }
    })
    .await;
    assert_eq!(new.post(TOKEN, &text).await.expect("an answer").status, 401);
    assert!(old.post(TOKEN, &text).await.is_err(), "the old CA signs nothing any more");
    watching.stop().await;
}

/// A receiver alone, of these limits.
async fn alone(
    files: &Files,
    limits: Limits,
) -> (SocketAddr, Arc<Receiver>, Shutdown, JoinHandle<()>) {
    let paths = Paths {
        certificate: files.at("tls.crt"),
        key: files.at("tls.key"),
        tokens: Some(files.at("token")),
        client_ca: None,
    };
    let caps = Caps { namespaces: 2, reasons: 2, nodes: 2 };
    let receiver = Arc::new(Receiver::new(&paths, &caps).expect("usable files"));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a listener");
    let address = listener.local_addr().expect("an address");
    let shutdown = Shutdown::default();
    let limits = watch::Sender::new(limits).subscribe();
    let served = serve(listener, Arc::clone(&receiver), limits, shutdown.stopping().wait());
    (address, receiver, shutdown, tokio::spawn(served))
}

#[tokio::test(flavor = "multi_thread")]
async fn one_connection_too_many_takes_the_place_of_the_idle_one() {
    let files = Files::new();
    let (address, receiver, _shutdown, _served) =
        alone(&files, Limits { connections: 1, ..LIMITS }).await;
    let mut first = files.client(address, None).dial().await.expect("a connection");
    let text = batch(&[]);
    let head = format!("{GOOD}\r\nHost: localhost\r\nContent-Length: {}\r\n\r\n", text.len());
    first.write_all(format!("{head}{text}").as_bytes()).await.expect("written");
    let mut bytes = [0; 12];
    first.read_exact(&mut bytes).await.expect("the first one is answered");
    assert_eq!(&bytes, b"HTTP/1.1 200");
    let second = files.client(address, None).post(TOKEN, &text).await.expect("an answer");
    assert_eq!(second.status, 200);
    let mut out = Exposition::new(Format::Text, &[]);
    receiver.collect(&mut out);
    let shown = String::from_utf8_lossy(&out.finish()).into_owned();
    assert!(shown.contains("kubetally_audit_batches_total{result=\"crowded\"} 1\n"), "{shown}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_lets_a_batch_under_way_end() {
    let files = Files::new();
    let (address, receiver, shutdown, served) = alone(&files, LIMITS).await;
    let text = batch(&[event("first", "alice", 200), event("second", "alice", 200)]);
    let (begin, end) = text.split_at(text.find("second").expect("the second event"));
    let mut stream = files.client(address, None).dial().await.expect("a connection");
    let head = format!("{GOOD}\r\nHost: localhost\r\nContent-Length: {}\r\n\r\n", text.len());
    stream.write_all(head.as_bytes()).await.expect("written");
    stream.write_all(begin.as_bytes()).await.expect("written");
    stream.flush().await.expect("written");
    eventually("the first event", async || {
        let mut out = Exposition::new(Format::Text, &[]);
        receiver.collect(&mut out);
        let text = String::from_utf8_lossy(&out.finish()).into_owned();
        let counted = "kubetally_audit_events_total{result=\"counted\"} 1\n";
        if text.contains(counted) { Ok(()) } else { Err(text) }
    })
    .await;
    shutdown.trigger();
    eventually("the listener to close", async || match TcpStream::connect(address).await {
        Ok(_) => Err("it takes connections".into()),
        Err(_) => Ok(()),
    })
    .await;
    stream.write_all(end.as_bytes()).await.expect("written");
    let bytes = timeout(DEADLINE, read(&mut stream)).await.expect("in time").expect("an answer");
    assert_eq!(answer(&bytes).expect("a whole answer").status, 200);
    timeout(DEADLINE, served).await.expect("it ends").expect("it does not panic");
}
