//! Several daemons that share the objects of an API server that cannot choose by shard: each takes
//! its own, and together they show what there is.

use std::collections::BTreeMap;

use kubetally::sim::{Options, state::Key};
use rstest::rstest;
use serde_json::json;

use crate::{
    binary::{Ended, ended, kubetally},
    eventually::eventually,
    rig::{Cluster, Watching, event, pod, recount},
};

const PODS: usize = 40;

async fn furnished(streaming_lists: bool) -> Cluster {
    let cluster = Cluster::start(Options { streaming_lists, ..Options::default() }).await;
    for n in 0..PODS {
        cluster.sim.put("pods", pod_number(n, ["Running", "Pending", "Succeeded"][n % 3]));
    }
    cluster
}

fn pod_number(n: usize, phase: &str) -> serde_json::Value {
    pod(["shop", "billing"][n % 2], &format!("pod-{n}"), phase)
}

async fn shard(cluster: &Cluster, count: usize, index: usize) -> Watching {
    let (count, index) = (count.to_string(), index.to_string());
    let shard = cluster.watch(&[("shard.count", &count), ("shard.index", &index)]).await;
    shard.until_ready().await;
    shard
}

async fn shards(cluster: &Cluster, count: usize) -> Vec<Watching> {
    let mut shards = Vec::new();
    for index in 0..count {
        shards.push(shard(cluster, count, index).await);
    }
    shards
}

/// What all of them show of series that begin so.
async fn together(shards: &[Watching], prefix: &str) -> BTreeMap<String, f64> {
    let mut together = BTreeMap::new();
    for shard in shards {
        for (series, n) in shard.scrape().await.starting(prefix) {
            *together.entry(series).or_default() += n;
        }
    }
    together
}

/// Whether they say that what they show adds up: `docs/sharding.md`.
async fn agree(shards: &[Watching]) -> bool {
    let mut counts = Vec::new();
    for shard in shards {
        counts.push(shard.scrape().await.value("kubetally_shard_count"));
    }
    counts.iter().all(|count| *count == shards.len() as f64)
}

async fn until_whole(cluster: &Cluster, shards: &[Watching]) {
    eventually("all pods", async || {
        let shown = together(shards, "kubetally_pods{").await;
        let there = recount(&cluster.sim.objects("pods"));
        if shown == there { Ok(()) } else { Err(format!("{shown:?}, not {there:?}")) }
    })
    .await;
}

#[rstest]
#[case::by_streaming_lists(true)]
#[case::by_pages(false)]
#[tokio::test]
async fn shards_add_up(#[case] streaming_lists: bool) {
    let cluster = furnished(streaming_lists).await;
    cluster.sim.put("events", event("shop", "old", 3));
    let shards = shards(&cluster, 3).await;
    until_whole(&cluster, &shards).await;
    // Additions, changes, deletions; and one in the place of another, whose UID is another's.
    for n in PODS..2 * PODS {
        cluster.sim.put("pods", pod_number(n, "Pending"));
    }
    for n in 0..10 {
        cluster.sim.put("pods", pod_number(n, "Failed"));
        let key = |n: usize| Key {
            namespace: ["shop", "billing"][n % 2].into(),
            name: format!("pod-{n}"),
        };
        cluster.sim.delete("pods", &[key(n + 10), key(n + 20)]);
        cluster.sim.put("pods", pod_number(n + 20, "Running"));
    }
    for n in 0..20 {
        cluster.sim.put("events", event("shop", &format!("event-{n}"), 2));
    }
    until_whole(&cluster, &shards).await;
    eventually("each occurrence once", async || {
        let occurrences = together(&shards, "kubetally_event_occurrences_total").await;
        let n: f64 = occurrences.values().sum();
        if n == 40.0 { Ok(()) } else { Err(format!("{occurrences:?}")) }
    })
    .await;
    // A server that cannot choose sends everything to everybody: two shares of three are another's.
    let foreign: f64 =
        together(&shards, "kubetally_watch_foreign_objects_total").await.values().sum();
    assert!(foreign >= 2.0 * (2 * PODS) as f64, "{foreign}");
    for shard in shards {
        shard.stop().await;
    }
}

/// As a StatefulSet does it: first the third pod, then the others in place of those that were there,
/// the last one first, each when the one before is ready.
#[tokio::test]
async fn two_become_three_one_by_one_and_say_when_they_are_whole() {
    let cluster = furnished(true).await;
    let mut shards = shards(&cluster, 2).await;
    assert!(agree(&shards).await);
    until_whole(&cluster, &shards).await;
    shards.push(shard(&cluster, 3, 2).await);
    for index in [1, 0] {
        assert!(!agree(&shards).await);
        let shown = together(&shards, "kubetally_pods{").await;
        assert_ne!(shown, recount(&cluster.sim.objects("pods")), "said to be off, and is not");
        shards.remove(index).stop().await;
        cluster.sim.put("pods", pod_number(PODS + index, "Pending"));
        shards.insert(index, shard(&cluster, 3, index).await);
    }
    assert!(agree(&shards).await);
    until_whole(&cluster, &shards).await;
    cluster.sim.put("events", event("shop", "now", 2));
    eventually("each occurrence once", async || {
        let occurrences = together(&shards, "kubetally_event_occurrences_total").await;
        let n: f64 = occurrences.values().sum();
        if n == 2.0 { Ok(()) } else { Err(format!("{occurrences:?}")) }
    })
    .await;
    for shard in shards {
        shard.stop().await;
    }
}

#[tokio::test]
async fn one_shard_is_everything_and_says_nothing_of_it() {
    let cluster = furnished(true).await;
    let one = cluster.watch(&[("shard.count", "1")]).await;
    one.until_ready().await;
    let scrape = one.scrape().await;
    assert_eq!(scrape.value("kubetally_objects{resource=\"pods\"}"), PODS as f64);
    assert!(!scrape.0.keys().any(|series| series.starts_with("kubetally_shard")), "{scrape:#?}");
    one.stop().await;
}

#[rstest]
#[case(&["--shards", "2", "--shard", "auto"], None, "$POD_NAME is not set")]
#[case(&["--shards", "2", "--shard", "auto"], Some("kubetally-2"), "a number below 2 (shard.count)")]
#[case(&["--shards", "2", "--shard", "2"], None, "shard.index")]
#[case(&["--shards", "0"], None, "shard.count")]
#[tokio::test]
async fn no_such_shard(#[case] flags: &[&str], #[case] pod: Option<&str>, #[case] told: &str) {
    let cluster = furnished(true).await;
    cluster.write("config", &cluster.kubeconfig(&json!({"tokenFile": "token"})).to_string());
    let mut command = kubetally(flags);
    command.env("KUBECONFIG", cluster.account.path().join("config"));
    command.envs(pod.map(|pod| ("POD_NAME", pod)));
    let Ended { code, stderr, .. } = ended(&mut command);
    assert_eq!(code, Some(64), "{stderr}");
    assert!(stderr.contains(told), "{stderr}");
}
