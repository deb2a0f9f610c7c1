//! What happens through the API ends up in the metrics, exactly.

use serde_json::json;

use crate::{
    api::Call,
    deploy::apply,
    objects::{
        container, event, events, new_event, new_events, phase, pod, pods, raw_event, series,
        terminated, waiting,
    },
    recount::Recount,
    suite::{Suite, kubetally, namespace, tests},
};

tests![
    pods_are_counted,
    pods_are_counted_in_json,
    events_are_counted,
    events_are_counted_in_json,
    events_that_are_no_text_are_counted_alike,
    pods_are_counted_over_http1,
    other_kinds_are_counted,
];

async fn pods_are_counted(suite: &Suite) {
    count_pods(suite, "protobuf").await;
}

async fn pods_are_counted_in_json(suite: &Suite) {
    count_pods(suite, "json").await;
}

async fn events_are_counted(suite: &Suite) {
    count_events(suite, "protobuf").await;
}

async fn events_are_counted_in_json(suite: &Suite) {
    count_events(suite, "json").await;
}

async fn count_pods(suite: &Suite, wire: &str) {
    let (shared, api) = suite.fresh().await;
    namespace(&api, "shop").await;
    let path = pods("shop");
    api.must(Call::create(&path, pod("before", None))).await;
    let kubeconfig = shared.cluster.admin_kubeconfig(shared.server.port);
    let mut kubetally = kubetally(&kubeconfig, &["--wire", wire]).await;
    kubetally.until_ready().await;
    kubetally.scrape().await.expect(&[("kubetally_objects{resource=\"pods\"}", 1.0)]).unwrap();

    for (name, node) in [("a", Some("node-1")), ("b", Some("node-1")), ("c", Some("node-2"))] {
        api.must(Call::create(&path, pod(name, node))).await;
    }
    let status = |name: &str, patch| Call::patch(format!("{path}/{name}/status"), patch);
    api.must(status("a", phase("Running", true))).await;
    api.must(status("b", phase("Running", false))).await;
    api.must(status("c", phase("Failed", false))).await;
    let killed = terminated("OOMKilled", 1);
    api.must(status("b", container(1, waiting("CrashLoopBackOff"), killed.clone()))).await;
    let unschedulable =
        json!({"type": "PodScheduled", "status": "False", "reason": "Unschedulable"});
    api.must(status("before", json!({"status": {"conditions": [unschedulable]}}))).await;
    // Nobody ends the pod on its node, so that it stays.
    let graceful = Call { path: format!("{path}/a?gracePeriodSeconds=30"), ..Call::delete("") };
    api.must(graceful).await;
    let expected = [
        ("kubetally_objects{resource=\"pods\"}", 4.0),
        ("kubetally_namespace_objects{namespace=\"shop\",resource=\"pods\"}", 4.0),
        ("kubetally_pods{namespace=\"shop\",phase=\"Pending\"}", 1.0),
        ("kubetally_pods{namespace=\"shop\",phase=\"Running\"}", 2.0),
        ("kubetally_pods{namespace=\"shop\",phase=\"Failed\"}", 1.0),
        ("kubetally_pods_ready{namespace=\"shop\"}", 1.0),
        ("kubetally_pods_unschedulable{namespace=\"shop\"}", 1.0),
        ("kubetally_pods_terminating{namespace=\"shop\"}", 1.0),
        ("kubetally_pods_by_owner{kind=\"none\"}", 4.0),
        ("kubetally_pods_by_qos{qos_class=\"BestEffort\"}", 4.0),
        ("kubetally_node_pods{node=\"node-1\"}", 2.0),
        ("kubetally_containers_waiting{namespace=\"shop\",reason=\"CrashLoopBackOff\"}", 1.0),
        ("kubetally_container_restarts_total{namespace=\"shop\"}", 1.0),
        ("kubetally_container_terminations_total{namespace=\"shop\",reason=\"OOMKilled\"}", 1.0),
        ("kubetally_pod_phase_transitions_total{from=\"Pending\",to=\"Running\"}", 2.0),
        ("kubetally_pod_phase_transitions_total{from=\"Pending\",to=\"Failed\"}", 1.0),
        ("kubetally_pod_start_duration_seconds_count", 1.0),
    ];
    kubetally.until_values("pods that were created and changed", &expected).await;

    // It runs again, ends again and is gone: each restart and each end counts once.
    api.must(status("b", container(1, json!({"running": {}}), killed))).await;
    api.must(status("b", container(3, waiting("CrashLoopBackOff"), terminated("Error", 2)))).await;
    for name in ["a", "b"] {
        api.must(Call::delete(format!("{path}/{name}"))).await;
    }
    let expected = [
        ("kubetally_objects{resource=\"pods\"}", 2.0),
        ("kubetally_pods{namespace=\"shop\",phase=\"Running\"}", 0.0),
        ("kubetally_node_pods{node=\"node-2\"}", 1.0),
        ("kubetally_container_restarts_total{namespace=\"shop\"}", 3.0),
        ("kubetally_container_terminations_total{namespace=\"shop\",reason=\"OOMKilled\"}", 1.0),
        ("kubetally_container_terminations_total{namespace=\"shop\",reason=\"Error\"}", 1.0),
    ];
    kubetally.until_values("pods that were deleted", &expected).await;
    let recount = Recount::of(&api).await;
    kubetally.until("a recount", |scrape| recount.equals(scrape)).await;
    kubetally.stop().await;
}

async fn count_events(suite: &Suite, wire: &str) {
    let (shared, api) = suite.fresh().await;
    namespace(&api, "shop").await;
    let (path, new_path) = (events("shop"), new_events("shop"));
    api.must(Call::create(&path, event("shop", "before", "Warning", "BackOff", 40))).await;
    let kubeconfig = shared.cluster.admin_kubeconfig(shared.server.port);
    let mut kubetally = kubetally(&kubeconfig, &["--wire", wire]).await;
    kubetally.until_ready().await;
    assert_eq!(kubetally.scrape().await.sum("kubetally_event_occurrences_total"), 0.0);

    // The legacy recorder: a count that grows.
    api.must(Call::patch(format!("{path}/before"), json!({"count": 42}))).await;
    api.must(Call::create(&path, event("shop", "pulled", "Normal", "Pulled", 1))).await;
    api.must(Call::create(&path, event("shop", "failed", "Warning", "Failed", 3))).await;
    api.must(Call::patch(format!("{path}/failed"), json!({"count": 7}))).await;
    api.must(Call::patch(format!("{path}/failed"), json!({"message": "no news"}))).await;
    // Its event expires, and it counts on under the same name.
    api.must(Call::delete(format!("{path}/failed"))).await;
    api.must(Call::create(&path, event("shop", "failed", "Warning", "Failed", 9))).await;
    // The new recorder: once, and later a series.
    let new = new_event("shop", "scheduled", "Warning", "FailedScheduling");
    api.must(Call::create(&new_path, new)).await;
    api.must(Call::patch(format!("{new_path}/scheduled"), series(2))).await;
    api.must(Call::patch(format!("{new_path}/scheduled"), series(30))).await;
    let occurrences = |kind: &str, reason: &str| {
        let labels = format!("type=\"{kind}\",kind=\"Pod\",reason=\"{reason}\"");
        format!("kubetally_event_occurrences_total{{{labels}}}")
    };
    let observations = |op: &str| format!("kubetally_event_observations_total{{op=\"{op}\"}}");
    let expected = [
        (occurrences("Warning", "BackOff"), 2.0),
        (occurrences("Normal", "Pulled"), 1.0),
        (occurrences("Warning", "Failed"), 9.0),
        (occurrences("Warning", "FailedScheduling"), 30.0),
        ("kubetally_event_warnings_total{namespace=\"shop\"}".into(), 41.0),
        ("kubetally_objects{resource=\"events\"}".into(), 4.0),
        (observations("replayed"), 1.0),
        (observations("added"), 4.0),
        (observations("modified"), 5.0),
        (observations("deleted"), 1.0),
        ("kubetally_event_suppressed_total{cause=\"baseline\"}".into(), 1.0),
        ("kubetally_event_suppressed_total{cause=\"duplicate\"}".into(), 1.0),
    ];
    let expected: Vec<_> = expected.iter().map(|(series, n)| (series.as_str(), *n)).collect();
    kubetally.until_values("events", &expected).await;
    assert_eq!(kubetally.scrape().await.sum("kubetally_event_occurrences_total"), 42.0);
    kubetally.stop().await;
}

/// Whoever may write events can write what is no text into them, and the server keeps it.
async fn events_that_are_no_text_are_counted_alike(suite: &Suite) {
    let (shared, api) = suite.fresh().await;
    namespace(&api, "shop").await;
    let kubeconfig = shared.cluster.admin_kubeconfig(shared.server.port);
    let create = async |name: &str| {
        let event = raw_event("shop", name, b"Cut\xe2\x82");
        let answer = api.create_protobuf(&events("shop"), event).await.expect("an answer");
        assert_eq!(answer.status, 201, "{answer:?}");
    };
    create("before").await;
    let mut watchers = Vec::new();
    for wire in ["protobuf", "json"] {
        let mut kubetally = kubetally(&kubeconfig, &["--wire", wire]).await;
        kubetally.until_ready().await;
        watchers.push(kubetally);
    }
    create("after").await;
    let reason = "type=\"Warning\",kind=\"Pod\",reason=\"Cut\u{fffd}\u{fffd}\"";
    let expected = [
        (&*format!("kubetally_event_occurrences_total{{{reason}}}"), 1.0),
        ("kubetally_objects{resource=\"events\"}", 2.0),
    ];
    for mut kubetally in watchers {
        kubetally.until_values("events that are no text", &expected).await;
        let relists = kubetally.scrape().await.sum("kubetally_watch_relists_total");
        assert_eq!(relists, 0.0, "{}", kubetally.log());
        kubetally.stop().await;
    }
}

async fn pods_are_counted_over_http1(suite: &Suite) {
    let (shared, api) = suite.fresh().await;
    namespace(&api, "shop").await;
    let server = shared.cluster.api_server(&["--disable-http2-serving"]).await;
    assert!(server.admin().get("/readyz").await.is_err(), "it speaks HTTP/2");
    let kubeconfig = shared.cluster.admin_kubeconfig(server.port);
    let mut kubetally = kubetally(&kubeconfig, &[]).await;
    kubetally.until_ready().await;
    for name in ["a", "b", "c"] {
        api.must(Call::create(pods("shop"), pod(name, None))).await;
    }
    api.must(Call::delete(format!("{}/a", pods("shop")))).await;
    api.must(Call::create(events("shop"), event("shop", "a", "Warning", "BackOff", 2))).await;
    let expected = [
        ("kubetally_objects{resource=\"pods\"}", 2.0),
        ("kubetally_event_warnings_total{namespace=\"shop\"}", 2.0),
        ("kubetally_watch_notifications_total{resource=\"pods\",op=\"added\"}", 3.0),
        ("kubetally_watch_notifications_total{resource=\"pods\",op=\"deleted\"}", 1.0),
    ];
    kubetally.until_values("pods over HTTP/1.1", &expected).await;
    kubetally.stop().await;
}

async fn other_kinds_are_counted(suite: &Suite) {
    let (shared, api) = suite.fresh().await;
    apply(shared);
    api.must(Call::create(
        "/apis/batch/v1/namespaces/kubetally/jobs",
        json!({
            "metadata": {"name": "waits"},
            "spec": {"suspend": true, "template": {"spec": {
                "restartPolicy": "Never",
                "containers": [{"name": "a", "image": "a:v1"}],
            }}},
        }),
    ))
    .await;
    api.must(Call::create("/api/v1/nodes", json!({"metadata": {"name": "node-1"}}))).await;
    let ready = json!({"status": {"conditions": [{"type": "Ready", "status": "True"}]}});
    api.must(Call::patch("/api/v1/nodes/node-1/status", ready)).await;
    let held = async |path: &str| {
        let list = api.list(path).await;
        f64::from(u32::try_from(list["items"].as_array().map_or(0, Vec::len)).unwrap_or(0))
    };
    let kubeconfig = shared.cluster.admin_kubeconfig(shared.server.port);
    let resources = "namespaces,nodes,services,deployments,jobs";
    let mut kubetally = kubetally(&kubeconfig, &["--resources", resources]).await;
    kubetally.until_ready().await;
    let expected = [
        ("kubetally_objects{resource=\"namespaces\"}", held("/api/v1/namespaces").await),
        ("kubetally_namespaces{phase=\"Active\"}", held("/api/v1/namespaces").await),
        ("kubetally_services{type=\"ClusterIP\"}", held("/api/v1/services").await),
        ("kubetally_deployments{namespace=\"kubetally\",state=\"progressing\"}", 1.0),
        ("kubetally_jobs{namespace=\"kubetally\",state=\"suspended\"}", 1.0),
        ("kubetally_nodes{condition=\"Ready\",status=\"True\"}", 1.0),
        ("kubetally_nodes{condition=\"Unschedulable\",status=\"False\"}", 1.0),
    ];
    kubetally.until_values("kinds beside pods and events", &expected).await;
    let cordon = json!({"spec": {"unschedulable": true}});
    api.must(Call::patch("/api/v1/nodes/node-1", cordon)).await;
    let cordoned = [("kubetally_nodes{condition=\"Unschedulable\",status=\"True\"}", 1.0)];
    kubetally.until_values("a cordoned node", &cordoned).await;
    api.must(Call::delete("/api/v1/nodes/node-1")).await;
    kubetally.stop().await;
}
