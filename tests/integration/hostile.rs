use std::{io::Write, sync::LazyLock};

use flate2::{Compression, write::GzEncoder};
use kubetally::sim::{
    Options,
    fault::{Fault, Rule},
};
use rstest::rstest;
use serde_json::{Map, Value, json};

use crate::{
    daemon::Daemon,
    eventually::eventually,
    fetch,
    rig::{Cluster, Scrape, pod},
};

/// What it may have in memory, whatever it is sent: 10 MiB are the largest object, of which a few
/// are on their way at a time.
const MEMORY: f64 = 128e6;
const MIB: usize = 1024 * 1024;

/// A megabyte of a header.
static LONG: LazyLock<String> = LazyLock::new(|| "x".repeat(MIB));

/// A daemon that shows a series a pod, and the pods that its cluster has.
struct Told {
    cluster: Cluster,
    daemon: Daemon,
}

impl Told {
    async fn start() -> Self {
        let cluster = Cluster::start(Options::default()).await;
        cluster.sim.put("pods", pod("shop", "a", "Running"));
        cluster.endpoint_by(&cluster.kubeconfig(&json!({"tokenFile": "token"})));
        let kubeconfig = cluster.account.path().join("config");
        let flags = ["--resources", "pods", "--detail", "pods", "--labels", "pods=[*]"];
        let more = ["--probe-interval", "0s", "--wire", "json"];
        let daemon = Daemon::watching(&kubeconfig, &[&flags[..], &more].concat());
        let this = Self { cluster, daemon };
        this.shows_all().await;
        this
    }

    /// The scrape that shows as many pods as there are.
    async fn shows_all(&self) -> Scrape {
        let there = self.cluster.sim.objects("pods").len() as f64;
        self.until(|scrape| scrape.is("kubetally_objects{resource=\"pods\"}", there)).await
    }

    async fn until(&self, holds: impl Fn(&Scrape) -> bool) -> Scrape {
        eventually("what it should show", async || {
            let (status, text) = fetch::get(self.daemon.address(), "/metrics").await?;
            assert_eq!(status, 200);
            assert!(!text.lines().any(|line| line == "# EOF"), "a line was broken");
            let scrape = Scrape::parse(&text);
            let resident = scrape.value("process_resident_memory_bytes");
            assert!(resident < MEMORY, "{resident} bytes in memory");
            if holds(&scrape) {
                return Ok(scrape);
            }
            Err(format!("{:#?}", scrape.starting("kubetally_watch")))
        })
        .await
    }
}

fn answer(headers: Vec<(&'static str, &'static str)>, body: impl Into<Vec<u8>>) -> Fault {
    let body = body.into().into();
    Fault::Answer { status: 200, content_type: "application/json", headers, body }
}

/// A notification of a pod of which this is the rest.
fn added(rest: &str) -> Fault {
    let metadata = "\"metadata\":{\"name\":\"b\",\"namespace\":\"shop\",\"resourceVersion\":\"";
    answer(vec![], format!("{{\"type\":\"ADDED\",\"object\":{{{metadata}{rest}\n"))
}

fn bomb() -> Vec<u8> {
    let mut compressed = GzEncoder::new(Vec::new(), Compression::best());
    for _ in 0..64 {
        compressed.write_all(&[b' '; MIB]).expect("written");
    }
    compressed.finish().expect("compressed")
}

#[rstest]
#[case::a_line_without_end(answer(vec![], "a".repeat(64 * MIB)))]
#[case::an_object_without_end(added(&"9".repeat(64 * MIB)))]
#[case::nesting_without_end(answer(vec![], "[".repeat(16 * MIB)))]
#[case::deep_nesting(added(&format!("9\"}},\"spec\":{}{}}}}}", "[".repeat(MIB), "]".repeat(MIB))))]
#[case::no_utf_8(answer(vec![], b"{\"type\":\"ADDED\",\"object\":{\"metadata\":{\"name\":\"\xff\xfe\"}}}\n"))]
#[case::nothing_but_nul(answer(vec![], vec![0; MIB]))]
#[case::a_version_out_of_range(added("99999999999999999999999999\"}}}"))]
#[case::a_negative_version(added("-5\"}}}"))]
#[case::a_key_twice(added("9\"},\"metadata\":{\"name\":\"c\"}}}"))]
#[case::a_bomb(answer(vec![("Content-Encoding", "gzip")], bomb()))]
#[case::many_headers(answer(vec![("X-Many", "x"); 5000], ""))]
#[case::a_long_header(answer(vec![("X-Long", LONG.as_str())], ""))]
#[tokio::test(flavor = "multi_thread")]
async fn bytes_of_a_server_that_lies_change_nothing(#[case] fault: Fault) {
    let told = Told::start().await;
    let sim = &told.cluster.sim;
    sim.inject(Rule { times: 2, ..Rule::once("watch", "pods", fault) });
    sim.put("pods", pod("shop", "before", "Running"));
    told.shows_all().await;
    sim.end_watches();
    sim.cut();
    told.until(|scrape| {
        scrape.sum("kubetally_watch_relists_total")
            + scrape.sum("kubetally_api_transport_errors_total")
            > 0.0
    })
    .await;
    sim.put("pods", pod("shop", "after", "Pending"));
    let scrape = told.shows_all().await;
    assert_eq!(scrape.starting("kube_pod_info{").len(), 3);
    let (status, _) = fetch::get(told.daemon.address(), "/livez").await.expect("an answer");
    assert_eq!(status, 200);
}

/// A pod in which something is as no API server would let it be.
fn odd(change: impl FnOnce(&mut Value)) -> Value {
    let mut object = pod("shop", "odd", "Running");
    change(&mut object);
    object
}

fn statuses(restarts: &str) -> Value {
    let text = format!(
        "[{{\"name\":\"app\",\"restartCount\":{restarts},\"ready\":true,\"state\":{{\"waiting\":\
         {{\"reason\":\"Odd\\u0000\\\"}}\\n\"}}}}}}]"
    );
    serde_json::from_str(&text).expect("JSON")
}

#[rstest]
#[case::many_labels(odd(|pod| {
    let labels = (0..200_000).map(|n| (format!("label{n}"), "x".into()));
    pod["metadata"]["labels"] = Value::Object(labels.collect::<Map<_, _>>());
}))]
#[case::a_long_label(odd(|pod| pod["metadata"]["labels"]["app"] = "x".repeat(4 * MIB).into()))]
#[case::a_long_name(odd(|pod| pod["metadata"]["name"] = "x".repeat(MIB).into()))]
#[case::a_name_to_break_lines_with(odd(|pod| pod["metadata"]["name"] = "a\n\"} 1\n# EOF\n\0".into()))]
#[case::a_negative_count(odd(|pod| pod["status"]["containerStatuses"] = statuses("-7")))]
#[case::a_count_out_of_range(odd(|pod| pod["status"]["containerStatuses"] = statuses("99999999999")))]
#[case::a_time_before_all(odd(|pod| pod["metadata"]["creationTimestamp"] = "0000-01-01T00:00:00Z".into()))]
#[case::a_time_after_all(odd(|pod| pod["metadata"]["creationTimestamp"] = "9999-12-31T23:59:59Z".into()))]
#[case::no_time(odd(|pod| pod["metadata"]["creationTimestamp"] = "tomorrow".into()))]
#[tokio::test(flavor = "multi_thread")]
async fn an_object_that_cannot_be_hides_no_other(#[case] object: Value) {
    let told = Told::start().await;
    told.cluster.sim.put("pods", object);
    told.cluster.sim.put("pods", pod("shop", "after", "Pending"));
    let after = "kubetally_pods{namespace=\"shop\",phase=\"Pending\"}";
    let scrape = told.until(|scrape| scrape.is(after, 1.0)).await;
    // What shows an object shows it as it is; what is counted over all is never below nothing.
    let negative = scrape.0.iter().find(|(series, value)| {
        series.starts_with("kubetally_") && !series.contains("clock_skew") && **value < 0.0
    });
    assert_eq!(negative, None);
    let series = scrape.0.len();
    assert!(series < 3000, "{series} series of three pods");
    let (status, _) = fetch::get(told.daemon.address(), "/livez").await.expect("an answer");
    assert_eq!(status, 200);
}
