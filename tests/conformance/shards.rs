//! Several Kubetallys that share the objects: what they show adds up to what there is, whether the
//! API server chooses by shard or sends everything.

use std::{collections::BTreeMap, path::Path};

use crate::{
    api::Api,
    cluster::Cluster,
    daemon::{Kubetally, Scrape},
    eventually::eventually,
    recount::Recount,
    scale::{PODS, change, furnish},
    suite::{Suite, kubetally, tests},
};

tests![three_shards_of_a_server_that_chooses, three_shards_of_a_server_that_does_not];

const CHOOSES: &str = "--feature-gates=ShardedListAndWatch=true";
const FOREIGN: &str = "kubetally_watch_foreign_objects_total";

async fn three_shards_of_a_server_that_chooses(suite: &Suite) {
    let foreign = shards_add_up(suite, &[CHOOSES]).await;
    // Of what it keeps no cache of it watches etcd without this choice (kube-apiserver 1.36).
    let (events, cached): (Vec<_>, Vec<_>) =
        foreign.iter().partition(|(labels, _)| *labels == "resource=\"events\"");
    assert!(cached.iter().all(|(_, n)| **n == 0.0), "another's came: {cached:?}");
    assert_eq!(events.len(), 1, "{events:?}");
}

async fn three_shards_of_a_server_that_does_not(suite: &Suite) {
    let foreign = shards_add_up(suite, &[]).await;
    let pods = foreign["resource=\"pods\""];
    assert!(pods >= 2.0 * PODS as f64, "two shards of three are another's: {pods}");
}

/// Starts as many shards, and waits until each is ready.
async fn start(kubeconfig: &Path, shards: usize) -> Vec<Kubetally> {
    let mut started = Vec::new();
    for shard in 0..shards {
        let (shards, shard) = (shards.to_string(), shard.to_string());
        let flags = ["--shards", &shards, "--shard", &shard, "--detail", "pods"];
        started.push(kubetally(kubeconfig, &flags).await);
    }
    for kubetally in &mut started {
        kubetally.until_ready().await;
    }
    started
}

/// What all of them show together.
async fn together(shards: &[Kubetally]) -> Scrape {
    let mut together = Scrape::default();
    for shard in shards {
        together.add(shard.scrape().await);
    }
    together
}

/// Three shards show what there is, at the start, after changes, and when there were two before;
/// how many objects came that are another's, by resource.
async fn shards_add_up(suite: &Suite, flags: &[&str]) -> BTreeMap<String, f64> {
    let cluster = Cluster::start(&suite.assets).await;
    let server = cluster.api_server(flags).await;
    let api = server.admin();
    furnish(&api).await;
    let kubeconfig = cluster.admin_kubeconfig(server.port);
    let two = start(&kubeconfig, 2).await;
    whole(&api, &together(&two).await).await.unwrap();
    for shard in two {
        shard.stop().await;
    }

    let three = start(&kubeconfig, 3).await;
    whole(&api, &together(&three).await).await.unwrap();
    let counted = change(&api).await;
    eventually("all that has changed", async || {
        let together = together(&three).await;
        counted.equals(&together)?;
        whole(&api, &together).await
    })
    .await;
    let mut foreign = BTreeMap::<_, f64>::new();
    for (index, shard) in three.into_iter().enumerate() {
        let scrape = shard.scrape().await;
        let own = [("kubetally_shard_index", index as f64), ("kubetally_shard_count", 3.0)];
        scrape.expect(&own).unwrap();
        let pods = scrape.get("kubetally_objects{resource=\"pods\"}").expect("pods");
        assert!(pods > 0.2 * PODS as f64 && pods < 0.5 * PODS as f64, "{pods} of {PODS}");
        for (labels, n) in scrape.family(FOREIGN) {
            *foreign.entry(labels.to_owned()).or_default() += n;
        }
        shard.stop().await;
    }
    foreign
}

/// Whether every tally is that of all objects, and every pod is shown once.
async fn whole(api: &Api, together: &Scrape) -> Result<(), String> {
    Recount::of(api).await.equals(together)?;
    let twice = together.family("kube_pod_info").find(|(_, n)| *n != 1.0);
    match twice {
        Some((labels, n)) => Err(format!("{labels} is there {n} times")),
        None => Ok(()),
    }
}
