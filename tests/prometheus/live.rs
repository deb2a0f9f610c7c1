//! The demo, as a real Prometheus sees it, and the dashboards on top.

use std::{collections::BTreeSet, process::Command};

use serde_json::{Value, json};

use crate::{
    Test,
    alerts::{alerts, recorded},
    dashboard::Dashboard,
    eventually::eventually,
    http,
    names::label_values,
    process::Process,
    promtool::check_metrics,
    runbooks::sections,
    server::{Server, run},
};

pub const TESTS: &[(&str, Test)] =
    &[("prometheus_and_the_dashboards_show_the_demo", || run(prometheus_shows_the_demo()))];

async fn prometheus_shows_the_demo() {
    let mut demo = Process::start(Command::new(env!("CARGO_BIN_EXE_kubetally")).args([
        "demo",
        "--listen",
        "127.0.0.1:0",
        "--log-level",
        "info",
    ]));
    let address = demo.until_serving().await;
    let dir = tempfile::tempdir().expect("a folder");
    let server = Server::start(dir.path(), address).await;

    its_target_is_up(&server, &address.to_string()).await;
    the_rules_are_healthy(&server).await;
    every_query_returns_data(&server).await;
    a_scrape_is_consistent(&server).await;
    what_is_forbidden_is_the_only_trouble_of_ours(&server).await;
    an_oom_kill_is_told_of_at_once(&server).await;
    the_runbooks_can_be_asked(&server).await;

    let (_, scrape) = http::get(address, "/metrics").await.expect("a scrape");
    check_metrics(&scrape);
    assert!(scrape.contains("\nkubetally_objects{resource=\"pods\"} "), "{scrape}");
    server.stop().await;
    assert!(demo.stop("TERM").await.success(), "{}", demo.log());
}

/// The relabelling keeps Kubetally's port alone, and names its pod.
async fn its_target_is_up(server: &Server, address: &str) {
    eventually("the target to be up", async || {
        let targets: Value = server.api("targets", None).await?;
        let active = targets["activeTargets"].as_array().cloned().unwrap_or_default();
        let labels = json!({"job": "kubetally", "instance": address, "pod": "kubetally-0"});
        let up = |target: &Value| target["labels"] == labels && target["health"] == "up";
        match active.as_slice() {
            [target] if up(target) => Ok(()),
            _ => Err(targets.to_string()),
        }
    })
    .await;
}

async fn the_rules_are_healthy(server: &Server) {
    let alerts = alerts().into_iter().map(|alert| alert.name);
    let expected: BTreeSet<_> =
        alerts.chain(recorded().into_iter().map(|recorded| recorded.name)).collect();
    eventually("the rules to be evaluated", async || {
        let rules: Value = server.api("rules", None).await?;
        let groups = rules["groups"].as_array().cloned().unwrap_or_default();
        let rules: Vec<_> =
            groups.iter().filter_map(|group| group["rules"].as_array()).flatten().collect();
        let healthy = rules.iter().filter(|rule| rule["health"] == "ok");
        let names: BTreeSet<_> = healthy.filter_map(|rule| rule["name"].as_str()).collect();
        if names.iter().eq(&expected) { Ok(()) } else { Err(format!("{rules:#?}")) }
    })
    .await;
}

/// What is rightly empty in the demo, or may be, and why. Prometheus answers it all the same.
const EMPTY: &[(&str, &str)] = &[
    ("annotation Reloads", "the configuration is not read again"),
    ("annotation Relists", "no watch fails"),
    ("api: Asked to wait", "nobody is throttled"),
    ("api: Why probes failed", "every probe is answered"),
    ("api: Refused", "what is refused is known before it is asked for"),
    ("api: By user", "there is no audit webhook"),
    ("api: By resource", "there is no audit webhook"),
    ("api: 401 and 403 of service accounts", "there is no audit webhook"),
    ("api: Stale tokens", "there is no audit webhook"),
    ("api: Deprecated APIs", "there is no audit webhook"),
    ("api: What the webhook sent", "there is no audit webhook"),
    ("watches: Time to open a watch, p99", "no watch is opened after the first scrape"),
    ("watches: Shards missing", "one has everything"),
    ("watches: Another shard's objects", "one has everything"),
    ("watches: There and back", "the canary is off"),
    ("watches: Not back", "the canary is off"),
    ("workloads: Why they wait", "containers wait for a moment only"),
];

/// What Grafana does: the variables are asked for their values, and All stands for each of them.
async fn every_query_returns_data(server: &Server) {
    let dashboards = Dashboard::all();
    let mut pending: Vec<_> = Vec::new();
    for dashboard in &dashboards {
        let filled = variables(server, dashboard).await;
        pending.extend(dashboard.queries().map(|(at, expr)| (at, fill(expr, &filled))));
    }
    assert!(pending.iter().all(|(_, expression)| !expression.contains('$')), "{pending:#?}");
    for (empty, _) in EMPTY {
        assert!(pending.iter().any(|(at, _)| at == empty), "nothing is called {empty}");
    }
    eventually("data for every panel", async || {
        let mut left = Vec::new();
        for query in &pending {
            let (at, expression) = query;
            let samples = server.query(expression).await?;
            let data = samples.iter().any(|sample| !sample.value().is_nan());
            if !data && EMPTY.iter().all(|(empty, _)| empty != at) {
                left.push(query.clone());
            }
        }
        pending = left;
        if pending.is_empty() { Ok(()) } else { Err(format!("{pending:#?}")) }
    })
    .await;
}

/// What stands for the variables of a dashboard, once those that are asked for have values.
async fn variables(server: &Server, dashboard: &Dashboard) -> Vec<(String, String)> {
    let interval = ["$__rate_interval", "$__range"].map(|name| (name.to_owned(), "15s".to_owned()));
    let mut filled = Vec::from(interval);
    for variable in dashboard.queried() {
        let what = format!("values of ${} of {}", variable.name, dashboard.name);
        eventually(&what, async || {
            let definition = fill(&variable.definition, &filled);
            let (selector, label) = label_values(&definition);
            let path = format!("label/{label}/values");
            let values: Vec<String> = server.api(&path, Some(("match[]", selector))).await?;
            // This Prometheus has one cluster, and does not name it.
            let expected = variable.name != "cluster";
            if values.is_empty() == expected { Err(definition) } else { Ok(()) }
        })
        .await;
        filled.push((format!("${}", variable.name), variable.all_value.clone()));
    }
    filled
}

fn fill(expression: &str, variables: &[(String, String)]) -> String {
    variables.iter().fold(expression.to_owned(), |text, (name, value)| text.replace(name, value))
}

/// The phases of the pods add up to the pods, in any scrape.
async fn a_scrape_is_consistent(server: &Server) {
    let difference = r#"sum(kubetally_pods) - sum(kubetally_objects{resource="pods"})"#;
    let samples = server.query(difference).await.expect("an answer");
    let values: Vec<_> = samples.iter().map(|sample| sample.value()).collect();
    assert_eq!(values, [0.0], "{difference}");
}

/// The demo may not read secrets; nothing else of it is amiss but what it plays: a cluster with
/// troubles of its own. How quick it is depends on the machine.
async fn what_is_forbidden_is_the_only_trouble_of_ours(server: &Server) {
    let ours = r#"ALERTS{alertname=~"Kubetally.+", alertname!~".+(LatencyHigh|Burn|Late)"}"#;
    eventually("the one alert of the demo", async || {
        let samples = server.query(ours).await?;
        let alerts: Vec<_> = samples.iter().map(|sample| &sample.metric).collect();
        match alerts.as_slice() {
            [labels]
                if labels["alertname"] == "KubetallyPermissionMissing"
                    && labels["resource"] == "secrets" =>
            {
                Ok(())
            }
            _ => Err(format!("{alerts:#?}")),
        }
    })
    .await;
}

/// It need not last, and the first of a namespace tells, as its series started at 0.
async fn an_oom_kill_is_told_of_at_once(server: &Server) {
    let firing = r#"ALERTS{alertname="ContainersOOMKilled", alertstate="firing"}"#;
    eventually("an OOM kill to be told of", async || {
        let samples = server.query(firing).await?;
        let told = samples.iter().any(|sample| sample.metric.contains_key("namespace"));
        if told { Ok(()) } else { Err(format!("{} alerts", samples.len())) }
    })
    .await;
}

async fn the_runbooks_can_be_asked(server: &Server) {
    for section in sections() {
        for query in &section.queries {
            let answer = server.query(query).await;
            answer.unwrap_or_else(|error| panic!("{}: {query}: {error}", section.title));
        }
    }
}
