use std::{net::SocketAddr, time::Duration};

use kubetally::sim::{
    Options,
    auth::Right,
    fault::{Fault, Rule},
    pki::Authority,
};
use rstest::rstest;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    task::JoinSet,
    time::timeout,
};

use crate::{
    eventually::{DEADLINE, eventually},
    get::Answer,
    rig::{Cluster, USER, Watching},
    sender::{Client, Files},
};

/// Whom the cluster lets scrape in these tests.
const SCRAPER: &str = "system:serviceaccount:monitoring:prometheus";
/// What a scrape shows, and a refusal does not.
const SHOWN: &str = "kubetally_objects{";

/// A daemon that serves by HTTPS, perhaps only to whom the cluster allows it.
struct Guarded {
    cluster: Cluster,
    watching: Watching,
    files: Files,
    client: Client,
}

impl Guarded {
    async fn start(authorization: &str) -> Self {
        let cluster = Cluster::start(Options::default()).await;
        let reviews = [
            Right::to_watch("authentication.k8s.io", "tokenreviews"),
            Right::to_watch("authorization.k8s.io", "subjectaccessreviews"),
        ];
        let rights = ["pods", "events"].map(|plural| Right::to_watch("", plural));
        cluster.sim.grant(USER, rights.into_iter().chain(reviews).collect());
        cluster.sim.grant_paths(SCRAPER, &["/metrics"]);
        let files = Files::new();
        let [certificate, key] = ["tls.crt", "tls.key"].map(|name| files.at(name));
        let settings = [
            ("http.certificate", certificate.to_str().expect("UTF-8")),
            ("http.key", key.to_str().expect("UTF-8")),
            ("http.authorization", authorization),
        ];
        let watching = cluster.watch(&settings).await;
        let client = files.client(watching.address, None);
        Self { cluster, watching, files, client }
    }

    async fn get(&self, path: &str, token: Option<&str>) -> Answer {
        self.client.get(path, token).await.expect("an answer")
    }

    /// A token of an account of the namespace `monitoring`.
    fn token(&self, account: &str) -> String {
        self.cluster.sim.issue("monitoring", account, Duration::from_secs(3600))
    }

    fn reviews(&self) -> (usize, usize) {
        let seen = |path| self.cluster.requests("create", path);
        (seen("/tokenreviews"), seen("/subjectaccessreviews"))
    }

    /// Waits until its watches are ready.
    async fn ready(&self) {
        eventually("readiness", async || match self.get("/readyz", None).await {
            answer if answer.status == 200 => Ok(()),
            answer => Err(format!("{answer:?}")),
        })
        .await;
    }
}

/// Sends this without TLS; what comes back.
async fn in_plain_text(address: SocketAddr, text: &str) -> Vec<u8> {
    let mut stream = TcpStream::connect(address).await.expect("a connection");
    stream.write_all(text.as_bytes()).await.expect("written");
    let mut bytes = Vec::new();
    // An alert, perhaps, or nothing.
    let _ended = timeout(DEADLINE, stream.read_to_end(&mut bytes)).await.expect("in time");
    bytes
}

#[tokio::test(flavor = "multi_thread")]
async fn with_a_certificate_it_is_https_only() {
    let guarded = Guarded::start("none").await;
    guarded.ready().await;
    let answer = guarded.get("/metrics", None).await;
    assert_eq!(answer.status, 200);
    let shown = "kubetally_tls_not_after_timestamp_seconds{certificate=\"listener\"} ";
    assert!(answer.text().contains(SHOWN) && answer.text().contains(shown), "{}", answer.text());
    assert_eq!(guarded.get("/", None).await.status, 200);
    let bytes = in_plain_text(guarded.watching.address, "GET /metrics HTTP/1.1\r\n\r\n").await;
    assert!(!bytes.starts_with(b"HTTP"), "{bytes:?}");
    let refused = "kubetally_http_refusals_total{reason=\"handshake\"} 1\n";
    let answer = guarded.get("/metrics", None).await;
    assert!(answer.text().contains(refused), "{}", answer.text());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rotated_certificate_is_taken_over() {
    let mut guarded = Guarded::start("none").await;
    assert_eq!(guarded.get("/livez", None).await.status, 200);
    guarded.files.server = Authority::new().expect("a CA");
    guarded.files.certify(&guarded.files.server);
    let new = guarded.files.client(guarded.watching.address, None);
    eventually("the new certificate", async || match new.get("/livez", None).await {
        Ok(answer) if answer.status == 200 => Ok(()),
        other => Err(format!("{other:?}")),
    })
    .await;
    assert!(guarded.client.get("/livez", None).await.is_err(), "the old CA signs nothing any more");
}

#[rstest]
#[case("/metrics")]
#[case("/metrics?name[]=kubetally_objects")]
#[case("/")]
#[case("/updates")]
#[tokio::test(flavor = "multi_thread")]
async fn without_a_right_nothing_is_told(#[case] path: &str) {
    let guarded = Guarded::start("cluster").await;
    guarded.ready().await;
    let expired = guarded.cluster.sim.issue("monitoring", "prometheus", Duration::ZERO);
    let other = guarded.token("somebody");
    for (token, status) in [
        (None, 401),
        (Some(""), 401),
        (Some("made-up"), 401),
        (Some(expired.as_str()), 401),
        (Some(other.as_str()), 403),
    ] {
        let answer = guarded.get(path, token).await;
        assert_eq!(answer.status, status, "{token:?}");
        assert_eq!(answer.header("www-authenticate"), (status == 401).then_some("Bearer"));
        let text = answer.text();
        assert!(text.len() < 60 && !text.contains("kubetally_"), "{text}");
    }
    let (tokens, accesses) = guarded.reviews();
    assert_eq!((tokens, accesses), (3, 1), "only what may be a token is asked for");
}

#[tokio::test(flavor = "multi_thread")]
async fn whom_the_cluster_allows_may_read_and_is_asked_for_once_a_minute() {
    let guarded = Guarded::start("cluster").await;
    guarded.ready().await;
    let token = guarded.token("prometheus");
    for path in ["/metrics", "/metrics", "/", "/page.css", "/metrics"] {
        let status = guarded.get(path, Some(&token)).await.status;
        assert!([200, 404].contains(&status), "{path}: {status}");
    }
    assert!(guarded.get("/metrics", Some(&token)).await.text().contains(SHOWN));
    assert_eq!(guarded.reviews(), (1, 1));
    assert_eq!(guarded.get("/metrics", None).await.status, 401);
    let text = guarded.get("/metrics", Some(&token)).await;
    for (reason, count) in [("unauthorized", 1), ("forbidden", 0), ("unanswered", 0)] {
        let series = format!("kubetally_http_refusals_total{{reason=\"{reason}\"}} {count}\n");
        assert!(text.text().contains(&series), "{}", text.text());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn probes_need_no_token_and_learn_nothing_but_the_verdict() {
    let guarded = Guarded::start("cluster").await;
    guarded.ready().await;
    assert_eq!(guarded.get("/livez", None).await.text(), "ok\n");
    assert_eq!(guarded.get("/readyz?verbose", None).await.text(), "ready\n");
    let token = guarded.token("prometheus");
    let answer = guarded.get("/readyz?verbose", Some(&token)).await;
    assert!(answer.text().contains("[+] "), "{}", answer.text());
}

#[tokio::test(flavor = "multi_thread")]
async fn many_at_once_with_one_token_are_one_review() {
    let guarded = Guarded::start("cluster").await;
    let token = guarded.token("prometheus");
    let mut asking = JoinSet::new();
    for _ in 0..8 {
        let client = guarded.files.client(guarded.watching.address, None);
        let token = token.clone();
        asking.spawn(async move { client.get("/metrics", Some(&token)).await });
    }
    for answer in asking.join_all().await {
        assert_eq!(answer.expect("an answer").status, 200);
    }
    assert_eq!(guarded.reviews(), (1, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scraper_goes_on_while_the_api_server_does_not_answer() {
    let guarded = Guarded::start("cluster").await;
    let token = guarded.token("prometheus");
    assert_eq!(guarded.get("/metrics", Some(&token)).await.status, 200);
    let throttled = Rule::once("create", "tokenreviews", Fault::too_many_requests());
    guarded.cluster.sim.inject(Rule { times: usize::MAX, ..throttled });
    let stranger = guarded.token("prometheus");
    let answer = guarded.get("/metrics", Some(&stranger)).await;
    assert_eq!((answer.status, answer.header("retry-after")), (503, Some("5")));
    assert!(!answer.text().contains("kubetally_"), "{}", answer.text());
    let answer = guarded.get("/metrics", Some(&token)).await;
    let refused = "kubetally_http_refusals_total{reason=\"unanswered\"} 1\n";
    assert!(answer.text().contains(refused), "{}", answer.text());
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_right_to_ask_it_says_so_and_lets_nobody_in() {
    let guarded = Guarded::start("cluster").await;
    guarded.cluster.sim.grant(USER, vec![Right::to_watch("", "pods")]);
    let token = guarded.token("prometheus");
    assert_eq!(guarded.get("/metrics", Some(&token)).await.status, 503);
}
