//! Tokens, and rights, that change under way.

use std::{fs, os::unix::fs::symlink};

use kubetally::sim::{Options, auth::Right, objects};
use rstest::rstest;

use super::{PODS, WARNINGS, ends, later, over_http1, soon, until_true, with_an_event};
use crate::{
    eventually::eventually,
    rig::{Cluster, Scrape, USER, Watching, event, pod},
};

const UNKNOWN: &str = "kubetally_auth_unauthorized_total{cause=\"unknown\"}";

/// Mounts the token as the kubelet does: a link to a folder that is itself a link.
fn mount(cluster: &Cluster, folder: &str) {
    let root = cluster.account.path();
    fs::create_dir(root.join(folder)).expect("a folder");
    fs::write(root.join(folder).join("token"), cluster.token()).expect("written");
    symlink(folder, root.join("..new")).expect("a link");
    fs::rename(root.join("..new"), root.join("..data")).expect("renamed");
    if folder == "..1" {
        fs::remove_file(root.join("token")).expect("removed");
        symlink("..data/token", root.join("token")).expect("a link");
    }
}

async fn watching(options: Options) -> (Cluster, Watching) {
    let cluster = Cluster::start(options).await;
    mount(&cluster, "..1");
    cluster.sim.put("pods", pod("shop", "a", "Running"));
    let daemon = cluster.watch(&[]).await;
    daemon.until_ready().await;
    with_an_event(&cluster, &daemon).await;
    (cluster, daemon)
}

/// What happens while all connections are cut is found with whatever token is in use.
async fn goes_on(cluster: &Cluster, daemon: &Watching) -> Scrape {
    cluster.sim.put("pods", pod("shop", "b", "Pending"));
    cluster.sim.put("events", event("shop", "e", 3));
    let scrape = until_true(cluster, daemon, 3.0).await;
    assert!(scrape.is(WARNINGS, 3.0), "none twice: {scrape:?}");
    assert_eq!(scrape.sum("kubetally_watch_relists_total"), 0.0, "{scrape:?}");
    scrape
}

#[rstest]
#[case::over_http2(Options::default())]
#[case::over_http1(over_http1(Options::default()))]
#[tokio::test]
async fn fault_40_a_token_that_was_replaced_is_read_again_on_a_401(#[case] options: Options) {
    let (cluster, daemon) = watching(options).await;
    cluster.sim.revoke_tokens();
    mount(&cluster, "..2");
    cluster.sim.cut();
    let scrape = goes_on(&cluster, &daemon).await;
    // One failed request a watch at most, and no wait: none counts as a watch that could not be
    // opened.
    let refused = scrape.sum("kubetally_auth_failures_total{code=\"401\",verb=\"watch\"");
    assert!((1.0..=2.0).contains(&refused), "{scrape:?}");
    assert!(scrape.is(&ends("pods", "unauthorized"), 0.0), "{scrape:?}");
    assert!(scrape.sum("kubetally_token_reloads_total{trigger=\"unauthorized\"") >= 1.0);
    assert!(scrape.value("kubetally_auth_unauthorized_total{cause=\"rotated\"}") >= 1.0);
}

#[rstest]
#[case::emptied(Some(&b""[..]))]
#[case::garbled(Some(&b"two words\0"[..]))]
#[case::no_text(Some(&b"\xff\xfe\x00"[..]))]
#[case::removed(None)]
#[tokio::test]
async fn fault_41_a_token_file_that_is_no_good_keeps_the_last_token(
    #[case] content: Option<&[u8]>,
) {
    let (cluster, daemon) = watching(Options::default()).await;
    let file = cluster.account.path().join("..1/token");
    match content {
        Some(content) => fs::write(file, content).expect("written"),
        None => fs::remove_file(file).expect("removed"),
    }
    later(6).await;
    const FAILED: &str = "kubetally_token_reloads_total{trigger=\"timer\",result=\"error\"}";
    daemon.until("a failed reload", |scrape| scrape.value(FAILED) >= 1.0).await;
    cluster.sim.cut();
    let scrape = goes_on(&cluster, &daemon).await;
    assert_eq!(scrape.sum("kubetally_auth_failures_total"), 0.0, "{scrape:?}");
    // And a good one is taken again.
    cluster.sim.revoke_tokens();
    mount(&cluster, "..2");
    cluster.sim.cut();
    cluster.sim.put("pods", pod("shop", "c", "Pending"));
    until_true(&cluster, &daemon, 3.0).await;
}

#[tokio::test]
async fn fault_42_a_token_that_was_never_good_is_no_hot_loop_and_shows() {
    let cluster = Cluster::start(Options::default()).await;
    cluster.write("token", "made-up");
    let daemon = cluster.watch(&[("watch.resources", "pods")]).await;
    const REFUSED: &str =
        "kubetally_auth_failures_total{code=\"401\",verb=\"watch\",resource=\"pods\"}";
    // Reviews are refused as well.
    let refused = |scrape: &Scrape| scrape.sum("kubetally_auth_failures_total{code=\"401\"");
    let tries = |s: &Scrape| s.value(REFUSED) >= 2.0 && s.is(UNKNOWN, refused(s));
    daemon.until("two tries, each 401 explained", tries).await;
    assert_eq!(cluster.requests("watch", "/pods"), 2, "one request a try");
    assert_eq!(daemon.get("/readyz").await.0, 503);
    assert_eq!(daemon.get("/livez").await.0, 200);
    cluster.write("token", &cluster.token());
    soon(&daemon, "a good token", |scrape| scrape.0.contains_key(PODS)).await;
}

#[tokio::test]
async fn fault_42_a_token_that_is_revoked_under_way_shows_and_loses_nothing() {
    let (cluster, daemon) = watching(Options::default()).await;
    cluster.sim.revoke_tokens();
    cluster.sim.cut();
    let refused = |scrape: &Scrape| {
        scrape.value(&ends("pods", "unauthorized")) >= 4.0 && scrape.value(UNKNOWN) >= 4.0
    };
    let scrape = soon(&daemon, "tries that are refused", refused).await;
    assert!(scrape.is("kubetally_watch_connected{resource=\"pods\"}", 0.0), "{scrape:?}");
    assert!(scrape.is(PODS, 1.0), "what is known is shown on");
    let (_, text) = daemon.get("/readyz?verbose").await;
    assert!(text.contains("pods: Unauthorized; next try in"), "{text}");
    mount(&cluster, "..2");
    goes_on(&cluster, &daemon).await;
}

/// Lists may work where watches do not: a streaming list is a watch, and what cannot be watched is
/// not shown as if it were.
#[rstest]
#[case::no_right(None)]
#[case::only_to_list(Some("list"))]
#[tokio::test]
async fn fault_43_a_kind_that_may_not_be_watched_degrades_alone_and_recovers(
    #[case] verb: Option<&str>,
) {
    const FORBIDDEN: &str =
        "kubetally_auth_failures_total{code=\"403\",verb=\"watch\",resource=\"namespaces\"}";
    let cluster = Cluster::start(Options::default()).await;
    cluster.sim.put("pods", pod("shop", "a", "Running"));
    cluster.sim.put("namespaces", objects::namespace("shop"));
    let watched = ["pods", "events"].map(|plural| Right::to_watch("", plural));
    let some = verb.map(|verb| Right { verb: verb.into(), ..Right::to_watch("", "namespaces") });
    cluster.sim.grant(USER, watched.into_iter().chain(some).collect());
    let daemon = cluster.watch(&[("watch.resources", "pods,events,namespaces")]).await;
    daemon.until_ready().await;
    let scrape = daemon.until("forbidden", |scrape| scrape.value(FORBIDDEN) >= 1.0).await;
    assert!(scrape.is(PODS, 1.0));
    assert!(scrape.is("kubetally_watch_synced{resource=\"namespaces\"}", 0.0));
    assert!(scrape.starting("kubetally_namespaces").is_empty());
    let (_, text) = daemon.get("/readyz?verbose").await;
    assert!(text.contains("[!] namespaces: namespaces is forbidden"), "{text}");
    let rights = ["pods", "events", "namespaces"].map(|plural| Right::to_watch("", plural));
    cluster.sim.grant(USER, rights.to_vec());
    daemon
        .until("granted", |scrape| scrape.is("kubetally_namespaces{phase=\"Active\"}", 1.0))
        .await;
}

#[tokio::test]
async fn fault_43_a_right_that_is_revoked_shows_and_is_no_loss_when_it_is_granted_again() {
    let (cluster, daemon) = watching(Options::default()).await;
    cluster.sim.grant(USER, vec![Right::to_watch("", "events")]);
    // The server lets the open watch go on.
    cluster.sim.put("pods", pod("shop", "b", "Running"));
    daemon.until("both", |scrape| scrape.is(PODS, 2.0)).await;
    cluster.sim.cut();
    let forbidden = |scrape: &Scrape| scrape.value(&ends("pods", "forbidden")) >= 1.0;
    let scrape = soon(&daemon, "the next open", forbidden).await;
    assert!(scrape.is("kubetally_watch_connected{resource=\"pods\"}", 0.0), "{scrape:?}");
    cluster.sim.put("pods", pod("shop", "c", "Pending"));
    cluster.sim.put("events", event("shop", "e", 3));
    daemon.until("events go on", |scrape| scrape.is(WARNINGS, 3.0)).await;
    eventually("the right that is missing", async || {
        let (_, text) = daemon.get("/readyz?verbose").await;
        if text.contains("pods: pods is forbidden") { Ok(()) } else { Err(text) }
    })
    .await;
    let rights = ["pods", "events"].map(|plural| Right::to_watch("", plural));
    cluster.sim.grant(USER, rights.to_vec());
    let scrape = until_true(&cluster, &daemon, 3.0).await;
    assert_eq!(scrape.sum("kubetally_watch_relists_total"), 0.0, "{scrape:?}");
}
