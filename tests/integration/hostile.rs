use std::{io::Write, sync::LazyLock};

use base64::{Engine, engine::general_purpose::STANDARD};
use flate2::{Compression, write::GzEncoder};
use kubetally::sim::{
    Options,
    fault::{Fault, Rule},
};
use prost::encoding::encode_varint;
use rstest::rstest;
use serde_json::{Map, Value, json};

use crate::{
    daemon::Daemon,
    eventually::eventually,
    fetch, oracle,
    rig::{Cluster, Scrape, pod},
};

/// What it may have in memory, whatever it is sent: 10 MiB are the largest object, of which a few
/// are on their way at a time.
const MEMORY: f64 = 128e6;
const MIB: usize = 1024 * 1024;
/// More than it may have.
const ENDLESS: usize = 256 * MIB;

/// A megabyte of a header.
static LONG: LazyLock<String> = LazyLock::new(|| "x".repeat(MIB));

/// A daemon that shows a series a pod, and the pods that its cluster has.
struct Told {
    cluster: Cluster,
    daemon: Daemon,
}

impl Told {
    async fn start(wire: &str) -> Self {
        let options = Options { protobuf: Some(with_raw), ..Options::default() };
        let cluster = Cluster::start(options).await;
        cluster.sim.put("pods", pod("shop", "a", "Running"));
        cluster.endpoint_by(&cluster.kubeconfig(&json!({"tokenFile": "token"})));
        let kubeconfig = cluster.account.path().join("config");
        let flags = ["--resources", "pods", "--detail", "pods", "--labels", "pods=[*]"];
        let more = ["--probe-interval", "0s", "--wire", wire];
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

/// A watch in protobuf.
fn frames(body: impl Into<Vec<u8>>) -> Fault {
    let content_type = "application/vnd.kubernetes.protobuf;stream=watch";
    Fault::Answer { status: 200, content_type, headers: vec![], body: body.into().into() }
}

/// A frame in which the notification of a pod has this object.
fn frame(object: &[u8]) -> Fault {
    let kind = [field(1, b"v1"), field(2, b"Pod")].concat();
    let object = [b"k8s\0".to_vec(), field(1, &kind), field(2, object)].concat();
    let event = [field(1, b"ADDED"), field(2, &field(1, &object))].concat();
    let length = u32::try_from(event.len()).expect("a short one").to_be_bytes();
    frames([&length, event.as_slice()].concat())
}

fn field(field: u64, bytes: &[u8]) -> Vec<u8> {
    let mut out = number(field << 3 | 2);
    encode_varint(bytes.len() as u64, &mut out);
    [out.as_slice(), bytes].concat()
}

fn number(number: u64) -> Vec<u8> {
    let mut out = Vec::new();
    encode_varint(number, &mut out);
    out
}

/// An object as the API server writes it, and what stands in `raw`, which merges into it.
fn with_raw(kind: &str, object: &Value) -> Option<Vec<u8>> {
    let mut bytes = oracle::protobuf(kind, object)?;
    if let Some(raw) = object["raw"].as_str() {
        bytes.extend(STANDARD.decode(raw).expect("base64"));
    }
    Some(bytes)
}

/// A notification of a pod of which this is the rest.
fn added(rest: &str) -> Fault {
    let metadata = "\"metadata\":{\"name\":\"b\",\"namespace\":\"shop\",\"resourceVersion\":\"";
    answer(vec![], format!("{{\"type\":\"ADDED\",\"object\":{{{metadata}{rest}\n"))
}

/// Members of a megabyte each, of which a gzip may have any number.
fn bomb() -> Vec<u8> {
    let mut compressed = GzEncoder::new(Vec::new(), Compression::fast());
    compressed.write_all(&[b' '; MIB]).expect("written");
    compressed.finish().expect("compressed").repeat(ENDLESS / MIB)
}

#[rstest]
#[case::a_frame_without_end("protobuf", frames([&[0xff; 4], vec![b'a'; ENDLESS].as_slice()].concat()))]
#[case::a_field_without_end("protobuf", frame(&[1 << 3 | 2, 0xff, 0xff, 0xff, 0xff, 0x0f]))]
#[case::a_number_without_end("protobuf", frame(&[0xff; 64]))]
#[case::an_unknown_wire_type("protobuf", frame(&[1 << 3 | 6; 64]))]
#[case::no_version("protobuf", frame(&field(1, &field(1, b"b"))))]
#[case::a_version_of_bytes("protobuf", frame(&field(1, &[field(1, b"b"), field(6, b"\xff\xfe")].concat())))]
#[case::a_line_without_end("json", answer(vec![], "a".repeat(ENDLESS)))]
#[case::an_object_without_end("json", added(&"9".repeat(ENDLESS)))]
#[case::nesting_without_end("json", answer(vec![], "[".repeat(16 * MIB)))]
#[case::deep_nesting("json", added(&format!("9\"}},\"spec\":{}{}}}}}", "[".repeat(MIB), "]".repeat(MIB))))]
#[case::no_utf_8("json", answer(vec![], b"{\"type\":\"ADDED\",\"object\":{\"metadata\":{\"name\":\"\xff\xfe\"}}}\n"))]
#[case::nothing_but_nul("json", answer(vec![], vec![0; MIB]))]
#[case::a_version_out_of_range("json", added("99999999999999999999999999\"}}}"))]
#[case::a_negative_version("json", added("-5\"}}}"))]
#[case::a_key_twice("json", added("9\"},\"metadata\":{\"name\":\"c\"}}}"))]
#[case::a_bomb("json", answer(vec![("Content-Encoding", "gzip")], bomb()))]
#[case::many_headers("json", answer(vec![("X-Many", "x"); 5000], ""))]
#[case::a_long_header("json", answer(vec![("X-Long", LONG.as_str())], ""))]
#[tokio::test(flavor = "multi_thread")]
async fn bytes_of_a_server_that_lies_change_nothing(#[case] wire: &str, #[case] fault: Fault) {
    let told = Told::start(wire).await;
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
    hides_no_other("json", object).await;
}

/// A pod into which this is merged, in protobuf.
fn raw(bytes: &[u8]) -> Value {
    odd(|pod| pod["raw"] = STANDARD.encode(bytes).into())
}

fn label(key: &[u8], value: &[u8]) -> Vec<u8> {
    field(1, &field(11, &[field(1, key), field(2, value)].concat()))
}

/// When it was created, in seconds since 1970.
fn created(seconds: i64) -> Vec<u8> {
    field(1, &field(8, &[vec![1 << 3], number(seconds.cast_unsigned())].concat()))
}

/// A container that was restarted so often.
fn restarted(times: i64) -> Vec<u8> {
    let restarts = [vec![5 << 3], number(times.cast_unsigned())].concat();
    field(3, &field(8, &[field(1, b"app"), restarts].concat()))
}

#[rstest]
#[case::many_labels((0..200_000).flat_map(|n| label(format!("label{n}").as_bytes(), b"x")).collect())]
#[case::a_long_label(label(b"app", &vec![b'x'; 4 * MIB]))]
#[case::a_label_that_is_no_text(label(b"\xc3\x28", b"\xff\n\"\0\xfe"))]
#[case::a_long_name(field(1, &field(1, &vec![b'x'; MIB])))]
#[case::a_name_that_is_no_text(field(1, &field(1, b"\xf0\x9f\n\"} 1\n# EOF\n\0")))]
#[case::a_negative_count(restarted(-7))]
#[case::a_count_out_of_range(restarted(i64::MAX))]
#[case::a_time_before_all(created(i64::MIN))]
#[case::a_time_after_all(created(i64::MAX))]
#[tokio::test(flavor = "multi_thread")]
async fn an_object_that_cannot_be_hides_no_other_in_protobuf(#[case] bytes: Vec<u8>) {
    hides_no_other("protobuf", raw(&bytes)).await;
}

async fn hides_no_other(wire: &str, object: Value) {
    let told = Told::start(wire).await;
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
