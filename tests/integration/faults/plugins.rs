//! Exec plugins of a kubeconfig that go bad under way.

use kubetally::sim::Options;
use rstest::rstest;
use serde_json::json;

use super::{PODS, WARNINGS, later, until_true, with_an_event};
use crate::{
    eventually::eventually,
    rig::{Cluster, Scrape, Watching, event, pod},
};

/// What a plugin does that is asked: a script.
fn write(cluster: &Cluster, script: &str) {
    cluster.write("plugin", script);
}

/// A script that gives a token, until then.
fn gives(token: &str, until: &str) -> String {
    let status = json!({"token": token, "expirationTimestamp": until});
    let (version, kind) = ("client.authentication.k8s.io/v1", "ExecCredential");
    let credential = json!({"apiVersion": version, "kind": kind, "status": status});
    format!("echo '{credential}'")
}

#[rstest]
#[case::hangs("exec sleep 600", "gave no answer within 30 s")]
#[case::prints_garbage("echo garbage", "gave no ExecCredential")]
#[case::fails("echo no luck >&2; exit 1", "failed with exit status: 1: no luck")]
#[case::has_ended("expired", "Unauthorized")]
#[tokio::test]
async fn fault_46_a_plugin_that_goes_bad_is_told_and_nothing_else_stalls(
    #[case] script: &str,
    #[case] told: &str,
) {
    let cluster = Cluster::start(Options::default()).await;
    cluster.sim.put("pods", pod("shop", "a", "Running"));
    write(&cluster, &gives(&cluster.token(), "2100-01-01T00:00:00Z"));
    let file = cluster.account.path().join("plugin");
    let user = json!({"exec": {
        "apiVersion": "client.authentication.k8s.io/v1",
        "command": "sh",
        "args": [file],
        "interactiveMode": "Never",
    }});
    let daemon = Watching::start(cluster.endpoint_by(&cluster.kubeconfig(&user)), &[]).await;
    daemon.until_ready().await;
    with_an_event(&cluster, &daemon).await;
    match script {
        "expired" => write(&cluster, &gives("made-up", "2020-01-01T00:00:00Z")),
        script => write(&cluster, script),
    }
    // What was given is good no more: the plugin is asked again.
    cluster.sim.revoke_tokens();
    cluster.sim.cut();
    eventually("its words", async || {
        // What was scraped shows that nothing else waits for it.
        let scrape = daemon.scrape().await;
        assert!(scrape.is(PODS, 1.0), "what is known is shown on: {scrape:?}");
        assert_eq!(daemon.get("/livez").await.0, 200);
        let (_, text) = daemon.get("/readyz?verbose").await;
        if text.lines().any(|line| line.contains(" pods: ") && line.contains(told)) {
            return Ok(());
        }
        later(1).await;
        Err(text)
    })
    .await;
    let scrape = daemon.scrape().await;
    assert!(scrape.is("kubetally_watch_connected{resource=\"pods\"}", 0.0), "{scrape:?}");
    let shown = |scrape: &Scrape| match script {
        "expired" => scrape.sum("kubetally_auth_failures_total{code=\"401\"") >= 1.0,
        _ => scrape.sum("kubetally_token_reloads_total") >= 1.0,
    };
    assert!(shown(&scrape), "{scrape:?}");
    write(&cluster, &gives(&cluster.token(), "2100-01-01T00:00:00Z"));
    cluster.sim.put("pods", pod("shop", "b", "Pending"));
    cluster.sim.put("events", event("shop", "e", 3));
    let scrape = until_true(&cluster, &daemon, 3.0).await;
    assert!(scrape.is(WARNINGS, 3.0), "none twice: {scrape:?}");
    assert_eq!(scrape.sum("kubetally_watch_relists_total"), 0.0, "{scrape:?}");
}
