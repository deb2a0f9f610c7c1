//! What holds for one holds for all: a kind of each sort in either encoding, and whatever is asked
//! beside the watches.

use std::collections::BTreeMap;

use kubetally::sim::{
    Options,
    auth::Right,
    body::BodyFault,
    fault::{Fault, Rule},
};
use rstest::rstest;
use serde_json::{Value, json};

use super::{
    WARNINGS, ends, in_protobuf, key, later, over_http1, relists,
    silence::{NOTICED, seconds_until},
    soon, versions,
};
use crate::{
    eventually::eventually,
    rig::{Cluster, Scrape, USER, Watching, event, pod},
};

/// How many there are of a kind at first.
const MANY: usize = 20;
/// May watch everything of these, and do what the canary does.
const GROUPS: [&str; 4] = ["", "apps", "example.com", "coordination.k8s.io"];

/// A kind, as it is asked for and shown.
#[derive(Clone, Copy)]
struct Kind {
    settings: &'static [(&'static str, &'static str)],
    plural: &'static str,
    /// Our `resource` label.
    resource: &'static str,
    /// One of this name, in a state that is told by a number.
    object: fn(&str, u32) -> Value,
    /// The family that shows these objects…
    family: &'static str,
    /// …and the series of one of them, with what it adds to it.
    series: fn(&Value) -> (String, f64),
}

const PODS: Kind = Kind {
    settings: &[("watch.resources", "pods")],
    plural: "pods",
    resource: "pods",
    object: |name, state| pod("shop", name, ["Pending", "Running", "Failed"][state as usize - 1]),
    family: "kubetally_pods{",
    series: |pod| (format!("namespace=\"shop\",phase={}}}", pod["status"]["phase"]), 1.0),
};

const EVENTS: Kind = Kind {
    settings: &[("watch.resources", "events")],
    plural: "events",
    resource: "events",
    object: |name, state| event("shop", name, state),
    ..COUNTED
};

/// With a series an object.
const DEPLOYMENTS: Kind = Kind {
    settings: &[("watch.resources", "deployments"), ("detail.resources", "deployments")],
    plural: "deployments",
    resource: "deployments",
    object: |name, state| {
        json!({
            "metadata": {"name": name, "namespace": "shop"},
            "spec": {"replicas": state, "selector": {}},
        })
    },
    family: "kube_deployment_spec_replicas{",
    series: |deployment| {
        let name = &deployment["metadata"]["name"];
        let replicas = deployment["spec"]["replicas"].as_f64().unwrap_or_default();
        (format!("namespace=\"shop\",deployment={name}}}"), replicas)
    },
};

/// Of which nothing but the metadata is asked for.
const COUNTED: Kind = Kind {
    settings: &[("watch.resources", "configmaps")],
    plural: "configmaps",
    resource: "configmaps",
    object: |name, state| {
        let data = json!({"state": state.to_string()});
        json!({"metadata": {"name": name, "namespace": "shop"}, "data": data})
    },
    family: "kubetally_namespace_objects{",
    series: |_| ("namespace=\"shop\",resource=\"configmaps\"}".into(), 1.0),
};

/// Of which only the name is known.
const CUSTOM: Kind = Kind {
    settings: &[("watch.resources", "example.com/v1/widgets")],
    plural: "widgets",
    resource: "widgets.example.com",
    ..COUNTED
};

impl Kind {
    async fn cluster(&self, options: Options) -> Cluster {
        let cluster = Cluster::start(options).await;
        cluster.sim.grant(USER, GROUPS.map(|group| Right::to_watch(group, "*")).into());
        cluster.sim.define("example.com");
        for at in 0..MANY {
            self.put(&cluster, &format!("n-{at:02}"), 1);
        }
        cluster
    }

    async fn watched(&self, cluster: &Cluster) -> Watching {
        let daemon = cluster.watch(self.settings).await;
        daemon.until_ready().await;
        daemon
    }

    fn put(&self, cluster: &Cluster, name: &str, state: u32) {
        cluster.sim.put(self.plural, (self.object)(name, state));
    }

    fn delete(&self, cluster: &Cluster, name: &str) {
        assert_eq!(cluster.sim.delete(self.plural, &[key("shop", name)]), 1);
    }

    /// While the daemon is away one goes, one comes back as another, one changes and three come.
    fn meanwhile(&self, cluster: &Cluster, compacted: bool) {
        self.delete(cluster, "n-00");
        self.delete(cluster, "n-01");
        self.put(cluster, "n-01", 2);
        self.put(cluster, "n-02", 3);
        for name in ["new-a", "new-b", "new-c"] {
            self.put(cluster, name, 1);
        }
        if compacted {
            cluster.sim.compact();
        }
    }

    /// Waits until a scrape shows what the server holds.
    async fn until_true(&self, cluster: &Cluster, daemon: &Watching) -> Scrape {
        let objects = cluster.sim.objects(self.plural);
        let mut expected = BTreeMap::<_, f64>::new();
        for object in &objects {
            let (labels, n) = (self.series)(object);
            let labels = labels.replace("configmaps", self.resource);
            *expected.entry(format!("{}{labels}", self.family)).or_default() += n;
        }
        let held = format!("kubetally_objects{{resource=\"{}\"}}", self.resource);
        soon(daemon, "what the server holds", |scrape| {
            scrape.starting(self.family) == expected && scrape.is(&held, objects.len() as f64)
        })
        .await
    }

    /// What has happened while the daemon was away is counted once, where it is counted.
    fn happened(&self, scrape: &Scrape, times: usize) {
        let counted = if self.plural == "events" { times as f64 } else { 0.0 };
        assert_eq!(scrape.value(WARNINGS), counted, "{scrape:?}");
    }
}

#[rstest]
#[tokio::test]
async fn fault_07_every_kind_goes_on_where_its_watch_ended(
    #[values(PODS, EVENTS, DEPLOYMENTS, COUNTED, CUSTOM)] kind: Kind,
    #[values(Options::default(), in_protobuf(Options::default()))] options: Options,
) {
    let cluster = kind.cluster(options).await;
    let settings = [kind.settings, &[("watch.timeout", "30s")]].concat();
    let daemon = cluster.watch(&settings).await;
    daemon.until_ready().await;
    kind.put(&cluster, "new", 1);
    kind.until_true(&cluster, &daemon).await;
    let version = cluster.sim.revision().to_string();
    later(60).await;
    eventually("the next watch", async || match versions(&cluster, kind.plural).len() {
        0 => Err(format!("{:#?}", daemon.scrape().await)),
        _ => Ok(()),
    })
    .await;
    kind.put(&cluster, "newer", 1);
    let scrape = kind.until_true(&cluster, &daemon).await;
    assert_eq!(versions(&cluster, kind.plural), [version]);
    assert_eq!(scrape.sum("kubetally_watch_relists_total"), 0.0);
    assert_eq!(cluster.requests("list", kind.plural), 0);
}

#[rstest]
#[tokio::test]
async fn fault_09_every_kind_is_listed_once_where_its_version_expired(
    #[values(PODS, EVENTS, DEPLOYMENTS, COUNTED, CUSTOM)] kind: Kind,
    #[values(Options::default(), in_protobuf(Options::default()))] options: Options,
) {
    let cluster = kind.cluster(options).await;
    let daemon = kind.watched(&cluster).await;
    cluster.sim.fall();
    kind.meanwhile(&cluster, true);
    cluster.sim.rise();
    let scrape = kind.until_true(&cluster, &daemon).await;
    assert!(scrape.is(&relists(kind.resource, "expired"), 1.0));
    assert_eq!(scrape.sum("kubetally_watch_relists_total"), 1.0);
    kind.happened(&scrape, 6);
}

#[rstest]
#[tokio::test]
async fn fault_19_every_kind_is_whole_where_its_list_is_reset(
    #[values(PODS, EVENTS, DEPLOYMENTS, COUNTED, CUSTOM)] kind: Kind,
    #[values(Options::default(), in_protobuf(Options::default()))] options: Options,
) {
    let cluster = kind.cluster(options).await;
    let daemon = kind.watched(&cluster).await;
    cluster.sim.fall();
    kind.meanwhile(&cluster, true);
    let reset = Rule::once("watch", kind.plural, Fault::Body(BodyFault::Break(1_500)));
    cluster.sim.inject(Rule { skip: 1, ..reset });
    cluster.sim.rise();
    let held = format!("kubetally_objects{{resource=\"{}\"}}", kind.resource);
    let again = relists(kind.resource, "incomplete");
    let scrape = soon(&daemon, "the reset", |scrape| scrape.is(&again, 1.0)).await;
    assert!(scrape.value(&held) >= MANY as f64, "it was swept: {scrape:?}");
    let scrape = kind.until_true(&cluster, &daemon).await;
    kind.happened(&scrape, 6);
}

#[rstest]
#[tokio::test]
async fn fault_25_every_kind_loses_what_was_deleted_during_a_disconnect(
    #[values(PODS, EVENTS, DEPLOYMENTS, COUNTED, CUSTOM)] kind: Kind,
    #[values(Options::default(), in_protobuf(Options::default()))] options: Options,
    #[values(false, true)] compacted: bool,
) {
    let cluster = kind.cluster(options).await;
    let daemon = kind.watched(&cluster).await;
    cluster.sim.fall();
    kind.meanwhile(&cluster, compacted);
    kind.delete(&cluster, "n-19");
    cluster.sim.rise();
    kind.until_true(&cluster, &daemon).await;
    // A deletion was the last that was heard: it is sent once more.
    cluster.sim.cut();
    kind.put(&cluster, "last", 1);
    let scrape = kind.until_true(&cluster, &daemon).await;
    kind.happened(&scrape, 7);
    let lists = if compacted { 1.0 } else { 0.0 };
    assert!(scrape.is(&relists(kind.resource, "expired"), lists));
    assert_eq!(scrape.sum("kubetally_watch_relists_total"), lists);
}

#[rstest]
#[tokio::test]
async fn fault_31_every_kind_notices_a_black_hole(
    #[values(PODS, EVENTS, DEPLOYMENTS, COUNTED, CUSTOM)] kind: Kind,
    #[values(Options::default(), over_http1(Options::default()))] options: Options,
) {
    let cluster = kind.cluster(options).await;
    let daemon = kind.watched(&cluster).await;
    cluster.sim.freeze();
    let ended = ends(kind.resource, "ping_timeout");
    let noticed = |scrape: &Scrape| scrape.is(&ended, 1.0);
    let took = seconds_until(&daemon, "the black hole", noticed).await;
    assert!(took <= NOTICED, "{took} s");
    kind.meanwhile(&cluster, false);
    cluster.sim.thaw();
    let scrape = kind.until_true(&cluster, &daemon).await;
    assert_eq!(scrape.sum("kubetally_watch_relists_total"), 0.0);
    kind.happened(&scrape, 6);
}

#[rstest]
#[tokio::test]
async fn fault_26_every_kind_takes_what_comes_back_for_another(
    #[values(PODS, EVENTS, DEPLOYMENTS, COUNTED, CUSTOM)] kind: Kind,
    #[values(Options::default(), in_protobuf(Options::default()))] options: Options,
    #[values(false, true)] compacted: bool,
) {
    let cluster = kind.cluster(options).await;
    let daemon = kind.watched(&cluster).await;
    cluster.sim.fall();
    for at in 0..MANY {
        let name = format!("n-{at:02}");
        kind.delete(&cluster, &name);
        kind.put(&cluster, &name, 2);
    }
    kind.put(&cluster, "last", 1);
    if compacted {
        cluster.sim.compact();
    }
    cluster.sim.rise();
    let scrape = kind.until_true(&cluster, &daemon).await;
    assert_eq!(scrape.sum("kubetally_pod_phase_transitions_total"), 0.0, "none has changed");
    kind.happened(&scrape, MANY + 1);
}

// --- whatever is asked beside the watches ----------------------------------------------------

/// Something that asks again and again.
#[derive(Clone, Copy)]
struct Asker {
    settings: &'static [(&'static str, &'static str)],
    verb: &'static str,
    resource: &'static str,
    /// The series that begin so count what failed…
    failed: &'static str,
    /// …and these what was answered.
    answered: &'static str,
    /// How many requests a minute are many enough, while they fail.
    most: usize,
}

const PROBES: Asker = Asker {
    settings: &[("probe.interval", "10s"), ("probe.timeout", "10s")],
    verb: "get",
    resource: "/version",
    failed: "kubetally_api_probe_failures_total{endpoint=\"default\",probe=\"version\"",
    answered: "kubetally_api_probe_duration_seconds_count{endpoint=\"default\",probe=\"version\"",
    most: 20,
};

const REVIEWS: Asker = Asker {
    settings: &[],
    verb: "create",
    resource: "selfsubjectrulesreviews",
    failed: "kubetally_permission_checks_total{result=\"error\"}",
    answered: "kubetally_api_requests_total{verb=\"create\",resource=\"selfsubjectrulesreviews\",code=\"201\"}",
    most: 12,
};

const CANARY: Asker = Asker {
    settings: &[("canary.namespace", "canaries"), ("canary.interval", "10s")],
    verb: "patch",
    resource: "leases",
    failed: "kubetally_watch_canary_failures_total{cause=\"write\"}",
    answered: "kubetally_watch_canary_roundtrip_seconds_count",
    most: 8,
};

impl Asker {
    /// Lets time pass second by second until more than this was counted.
    async fn until_more(&self, daemon: &Watching, counts: &str, than: f64) -> Scrape {
        eventually(counts, async || {
            later(1).await;
            let scrape = daemon.scrape().await;
            if scrape.sum(counts) > than { Ok(scrape) } else { Err(format!("{scrape:#?}")) }
        })
        .await
    }

    fn asked(&self, cluster: &Cluster) -> usize {
        let all = cluster.sim.requests();
        all.iter()
            .filter(|seen| seen.verb == self.verb && seen.path.contains(self.resource))
            .count()
    }
}

fn refused(status: u16) -> Fault {
    let body = "no luck\n".into();
    Fault::Answer { status, content_type: "text/plain; charset=utf-8", headers: vec![], body }
}

#[rstest]
#[case::not_believed(refused(401), false)]
#[case::throttled(Fault::too_many_requests(), false)]
#[case::failing(refused(503), false)]
#[case::hanging(Fault::Silence, false)]
#[case::cut(Fault::Silence, true)]
#[tokio::test]
async fn whatever_is_asked_beside_the_watches_fails_alone_and_goes_on(
    #[case] fault: Fault,
    #[case] cut: bool,
    #[values(PROBES, REVIEWS, CANARY)] asker: Asker,
) {
    let cluster = PODS.cluster(Options::default()).await;
    cluster.sim.grant(USER, vec![Right::to_anything()]);
    let daemon = cluster.watch(&[PODS.settings, asker.settings].concat()).await;
    daemon.until_ready().await;
    asker.until_more(&daemon, asker.answered, 0.0).await;
    let before = daemon.scrape().await;
    let rule = Rule::once(asker.verb, asker.resource, fault);
    cluster.sim.inject(Rule { times: usize::MAX, ..rule });
    if cut {
        let asked = asker.asked(&cluster);
        eventually("a request that hangs", async || {
            later(1).await;
            daemon.scrape().await;
            if asker.asked(&cluster) > asked { Ok(()) } else { Err("none".into()) }
        })
        .await;
        cluster.sim.cut();
    }
    let failed = asker.until_more(&daemon, asker.failed, before.sum(asker.failed)).await;
    // It goes on failing, is asked rarely, and disturbs nobody.
    let asked = asker.asked(&cluster);
    for _ in 0..60 {
        later(1).await;
        daemon.scrape().await;
    }
    let asked = asker.asked(&cluster) - asked;
    assert!((1..=asker.most).contains(&asked), "{asked} requests in a minute");
    PODS.put(&cluster, "new", 1);
    let scrape = PODS.until_true(&cluster, &daemon).await;
    assert!(scrape.sum(asker.failed) >= failed.sum(asker.failed));
    assert_eq!(scrape.sum("kubetally_watch_relists_total"), 0.0);
    let rights = |scrape: &Scrape| scrape.starting("kubetally_permission_allowed");
    assert_eq!(rights(&scrape), rights(&before), "a failure is no denial");
    daemon.until_ready().await;
    cluster.sim.heal();
    asker.until_more(&daemon, asker.answered, scrape.sum(asker.answered)).await;
}
