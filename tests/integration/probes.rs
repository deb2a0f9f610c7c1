use kubetally::sim::{Options, answer::FLOW};
use rstest::rstest;
use serde_json::json;

use crate::rig::{Cluster, pod};

#[rstest]
#[case(5)]
#[case(-5)]
#[case(0)]
#[tokio::test]
async fn a_clock_that_differs_shows_with_its_error(#[case] ahead: i64) {
    let cluster = Cluster::start(Options::default()).await;
    cluster.sim.skew(ahead);
    cluster.write("token", &cluster.sim.issue("kubetally", "kubetally", LIFETIME));
    let daemon = cluster.watch(&[]).await;
    daemon.until_ready().await;
    let of =
        |name: &str, endpoint: &str| format!("kubetally_api_{name}{{endpoint=\"{endpoint}\"}}");
    for endpoint in ["default"] {
        let scrape = daemon
            .until("an estimate", |scrape| {
                let error = scrape.0.get(&of("clock_skew_error_seconds", endpoint));
                error.is_some_and(|error| *error <= 1.0)
            })
            .await;
        let skew = scrape.value(&of("clock_skew_seconds", endpoint));
        let error = scrape.value(&of("clock_skew_error_seconds", endpoint));
        let expected = f64::from(i32::try_from(ahead).expect("small"));
        assert!((skew - expected).abs() <= error + 0.001, "{endpoint}: {skew} ± {error}");
    }
    // The lag of what is made now is small, whatever the server's clock.
    cluster.sim.put("pods", pod("shop", "a", "Running"));
    let count = "kubetally_watch_delivery_lag_seconds_count{resource=\"pods\"}";
    let scrape = daemon.until("the pod", |scrape| scrape.is(count, 1.0)).await;
    let lag = scrape.value("kubetally_watch_delivery_lag_seconds_sum{resource=\"pods\"}");
    assert!(lag < 3.0, "{lag}");
}

/// Longer than any skew of these tests.
const LIFETIME: std::time::Duration = std::time::Duration::from_secs(3600);

#[tokio::test]
async fn what_a_selector_begins_to_select_has_no_delivery_lag() {
    let cluster = Cluster::start(Options::default()).await;
    let daemon = cluster.watch(&[("watch.label_selectors.pods", "app=b")]).await;
    daemon.until_ready().await;
    let mut pod = pod("shop", "a", "Running");
    pod["metadata"]["creationTimestamp"] = json!("2020-01-01T00:00:00Z");
    cluster.sim.put("pods", pod.clone());
    pod["metadata"]["labels"]["app"] = json!("b");
    cluster.sim.put("pods", pod);
    let scrape = daemon
        .until("the pod", |scrape| scrape.is("kubetally_objects{resource=\"pods\"}", 1.0))
        .await;
    assert_eq!(scrape.sum("kubetally_watch_delivery_lag_seconds_count{resource=\"pods\"}"), 0.0);
}

#[rstest]
#[case(true)]
#[case(false)]
#[tokio::test]
async fn flows_are_counted_where_there_are_some(#[case] priority_and_fairness: bool) {
    let options = Options { priority_and_fairness, ..Options::default() };
    let cluster = Cluster::start(options).await;
    let daemon = cluster.watch(&[]).await;
    daemon.until_ready().await;
    let [schema, level] = FLOW;
    let labels = format!("flow_schema=\"{schema}\",priority_level=\"{level}\"");
    let flow =
        daemon.scrape().await.value(&format!("kubetally_api_flow_requests_total{{{labels}}}"));
    let expected = if priority_and_fairness { 2.0 } else { 0.0 };
    assert_eq!(flow, expected, "the two watches");
}
