use std::{collections::BTreeMap, fs, io::Read, path::Path};

use flate2::read::GzDecoder;
use kubetally::sim::{Options, auth::Right};
use rstest::rstest;
use serde_json::Value;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::rig::{Cluster, USER, Watching, pod};

/// The kinds that are recorded.
const RECORDED: [&str; 12] = [
    "pods",
    "namespaces",
    "nodes",
    "services",
    "deployments",
    "jobs",
    "replicasets",
    "statefulsets",
    "daemonsets",
    "cronjobs",
    "persistentvolumeclaims",
    "configmaps",
];

/// Those whose labels are in the recordings.
const LABELLED: [&str; 4] = ["pods", "namespaces", "nodes", "deployments"];

pub fn recorded(file: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/ksm").join(file);
    fs::read_to_string(path).expect("a recording")
}

/// Name and labels in order, to the value; and each family's type.
fn parsed(text: &str) -> BTreeMap<String, String> {
    let mut series = BTreeMap::new();
    for line in text.lines().filter(|line| !line.starts_with("# HELP")) {
        let (name, value) = line.rsplit_once(' ').expect("a sample");
        let name = match name.split_once('{') {
            None => name.to_owned(),
            Some((name, labels)) => {
                let labels = labels.trim_end_matches('}');
                let mut labels: Vec<_> =
                    labels.split("\",").map(|l| l.trim_end_matches('"')).collect();
                labels.sort_unstable();
                format!("{name}{{{}}}", labels.join("|"))
            }
        };
        let value = value.parse::<f64>().map_or_else(|_| value.to_owned(), |n| n.to_string());
        assert!(series.insert(name.clone(), value).is_none(), "{name} twice");
    }
    series
}

/// A daemon that shows the recorded objects of a resource.
async fn watching(resource: &'static str) -> (Cluster, Watching) {
    watching_with(resource, &[]).await
}

async fn watching_with(resource: &'static str, settings: &[(&str, &str)]) -> (Cluster, Watching) {
    let cluster = Cluster::start(Options::default()).await;
    cluster.sim.grant(USER, vec![Right::to_anything()]);
    let list: Value = serde_json::from_str(&recorded(&format!("{resource}.json"))).expect("a list");
    cluster.sim.load(resource, list["items"].as_array().expect("items"), 100_000);
    let labels = LABELLED.contains(&resource).then(|| format!("{resource}=[*]"));
    let labels = labels.unwrap_or_default();
    let annotations = if resource == "deployments" { "deployments=[note]" } else { "" };
    let shown = [
        ("watch.resources", resource),
        ("detail.resources", resource),
        ("detail.labels", &labels),
        ("detail.annotations", annotations),
    ];
    let daemon = cluster.watch(&[&shown, settings].concat()).await;
    daemon.until_ready().await;
    (cluster, daemon)
}

#[tokio::test]
async fn a_scrape_has_what_kube_state_metrics_has() {
    for resource in RECORDED {
        let (_cluster, daemon) = watching(resource).await;
        let (status, text) = daemon.get(&format!("/metrics?resource[]={resource}")).await;
        assert_eq!(status, 200);
        let (ours, reference) = (parsed(&text), parsed(&recorded(&format!("{resource}.txt"))));
        assert!(reference.len() > 10);
        let differs: Vec<_> =
            reference.iter().filter(|(name, v)| ours.get(*name) != Some(v)).collect();
        assert!(
            differs.is_empty(),
            "{resource}: {} differ: {:#?}",
            differs.len(),
            &differs[..differs.len().min(5)]
        );
        let more: Vec<_> = ours.keys().filter(|name| !reference.contains_key(*name)).collect();
        assert!(more.is_empty(), "{resource}: {more:#?}");
    }
}

/// The families of a scrape that begin so.
fn families(text: &str, start: &str) -> Vec<String> {
    let types = text.lines().filter_map(|line| line.strip_prefix("# TYPE "));
    let names = types.filter_map(|line| line.split(' ').next());
    names.filter(|name| name.starts_with(start)).map(ToOwned::to_owned).collect()
}

#[rstest]
#[case::deny(("detail.deny", "kube_pod_[^i],_info$"), &["kube_pod_ips"])]
#[case::allow(("detail.allow", "^kube_pod_i,^kube_node_"), &["kube_pod_info", "kube_pod_ips"])]
#[tokio::test]
async fn families_are_allowed_and_denied(
    #[case] setting: (&'static str, &'static str),
    #[case] expected: &[&str],
) {
    let (_cluster, daemon) = watching_with("pods", &[setting]).await;
    let (_, text) = daemon.get("/metrics").await;
    let found = families(&text, "kube_");
    let found: Vec<_> = found.iter().filter(|name| !name.contains("_init_")).collect();
    assert_eq!(found, expected);
    assert!(text.contains("\nkube_pod_ips{"), "{text}");
    assert!(!families(&text, "kubetally_pods").is_empty(), "tallies are always there");
}

#[tokio::test]
async fn some_families_are_shown_only_where_they_are_asked_for() {
    let (_cluster, daemon) = watching_with("pods", &[("detail.opt_in", "kube_pod_n")]).await;
    let (_, text) = daemon.get("/metrics?resources=pods").await;
    assert_eq!(families(&text, "kube_pod_node"), ["kube_pod_nodeselectors"]);
    let every = text.matches("\nkube_pod_info{").count();
    assert_eq!(text.matches("\nkube_pod_nodeselectors{").count(), every);
    let (_, text) = daemon.get("/metrics?exclude_resources=pods").await;
    assert!(families(&text, "kube_").is_empty());
    assert!(!families(&text, "kubetally_pods").is_empty());
}

#[tokio::test]
async fn tallies_and_series_stand_in_one_scrape_and_follow_changes() {
    let (cluster, daemon) = watching("pods").await;
    const NEW: &str = "kube_pod_status_phase{namespace=\"shop\",pod=\"new\"";
    let before = daemon.scrape().await;
    assert!(before.starting(NEW).is_empty());
    assert!(before.value("kubetally_objects{resource=\"pods\"}") > 5.0);
    cluster.sim.put("pods", pod("shop", "new", "Running"));
    let running = |scrape: &crate::rig::Scrape, phase: &str| {
        let held = scrape.starting(NEW);
        held.len() == 1 && held.keys().all(|name| name.contains(&format!("phase=\"{phase}\"")))
    };
    daemon.until("the new pod", |scrape| running(scrape, "Running")).await;
    cluster.sim.put("pods", pod("shop", "new", "Succeeded"));
    daemon.until("its end", |scrape| running(scrape, "Succeeded")).await;
}

/// The body of an answer, asked for with one more header.
async fn body(daemon: &Watching, path: &str, header: &str) -> Vec<u8> {
    let mut stream = TcpStream::connect(daemon.address).await.expect("a connection");
    let request = format!("GET {path} HTTP/1.0\r\nHost: t\r\n{header}\r\n\r\n");
    stream.write_all(request.as_bytes()).await.expect("sent");
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.expect("an answer");
    let at = answer.windows(4).position(|w| w == b"\r\n\r\n").expect("a head") + 4;
    answer.split_off(at)
}

#[tokio::test]
async fn a_compressed_scrape_is_one_gzip_member_of_the_same_text() {
    for resource in RECORDED {
        let (_cluster, daemon) = watching(resource).await;
        let path = format!("/metrics?resource[]={resource}");
        let (_, plain) = daemon.get(&path).await;
        for round in ["first", "from what was compressed before"] {
            let compressed = body(&daemon, &path, "Accept-Encoding: gzip").await;
            let mut decoder = GzDecoder::new(&*compressed);
            let mut text = String::new();
            decoder.read_to_string(&mut text).expect("gzip");
            assert_eq!(text, plain, "{resource}, {round}");
            assert!(decoder.into_inner().is_empty(), "something follows the member");
        }
    }
}

#[tokio::test]
async fn openmetrics_has_a_type_for_what_is_always_1() {
    let (_cluster, daemon) = watching("pods").await;
    let text = body(&daemon, "/metrics", "Accept: application/openmetrics-text").await;
    let text = String::from_utf8(text).expect("UTF-8");
    assert!(text.ends_with("# EOF\n"));
    assert!(text.contains("# TYPE kube_pod info\nkube_pod_info{"), "{text}");
    assert!(text.contains("# TYPE kube_pod_status_phase gauge\n"));
    let mut kind = "";
    let mut looked_at = 0;
    for line in text.lines() {
        match line.strip_prefix("# TYPE ") {
            Some(of) => kind = of.rsplit_once(' ').expect("a type").1,
            None if kind == "info" && !line.starts_with('#') => {
                assert!(line.ends_with(" 1"), "{line}");
                looked_at += 1;
            }
            None => {}
        }
    }
    assert!(looked_at > 5, "{looked_at} samples of type info");
}
