use super::*;

fn life(seed: u64, pods: u32, steps: u32) -> (Vec<Write>, Workload) {
    let start = SystemTime::UNIX_EPOCH + Duration::from_secs(1_795_454_721);
    let mut workload = Workload::new(seed, start);
    let mut writes = workload.populate(pods);
    for step in 0..steps {
        writes.extend(workload.step(start + Duration::from_millis(100) * step));
    }
    (writes, workload)
}

#[test]
fn the_seed_decides_everything() {
    let text = |seed| format!("{:?}", life(seed, 20, 200).0);
    assert_eq!(text(3), text(3));
    assert_ne!(text(3), text(4));
}

#[test]
fn everything_that_is_promised_happens() {
    let (writes, workload) = life(1, 50, 3_000);
    let text = format!("{writes:?}");
    for word in [
        "OOMKilled",
        "CrashLoopBackOff",
        "FailedScheduling",
        "Evicted",
        "Completed",
        "Scheduled",
        "Unhealthy",
        "deletionTimestamp",
        "Succeeded",
        "lastObservedTime",
    ] {
        assert!(text.contains(word), "no {word}");
    }
    assert!((50..70).contains(&workload.pods.len()), "{} pods", workload.pods.len());
}

#[test]
fn nothing_grows_without_a_bound() {
    let (_, late) = life(1, 50, 20_000);
    assert!(late.events.len() <= EVENTS + EXPIRE);
    assert_eq!(late.events.len(), late.repeating.len());
    assert!((50..70).contains(&late.pods.len()), "{} pods", late.pods.len());
    assert!(late.tasks.len() < 100, "{} tasks", late.tasks.len());
}

#[test]
fn what_makes_the_pods_says_how_they_stand() {
    let (writes, _) = life(1, 50, 3_000);
    let mut last = BTreeMap::new();
    let mut unready = 0;
    for write in &writes {
        if let Write::Put("deployments", object) = write {
            let status = &object["status"];
            unready += u32::from(status["readyReplicas"] != object["spec"]["replicas"]);
            last.insert(object["metadata"]["name"].to_string(), status["replicas"].clone());
        }
    }
    assert_eq!(last.len(), 8);
    assert!(last.values().all(|replicas| [5, 6].contains(&replicas.as_u64().unwrap_or(0))));
    assert!(unready > 0, "none ever rolls");
    let put = |table| writes.iter().filter(move |w| matches!(w, Write::Put(t, _) if *t == table));
    assert_eq!((put("nodes").count(), put("services").count()), (3, 8));
    for end in ["Complete", "Failed"] {
        assert!(put("jobs").any(|job| format!("{job:?}").contains(end)), "{end}");
    }
}

#[test]
fn every_namespace_is_made_once() {
    let (writes, _) = life(1, 0, 0);
    let names: Vec<_> = writes
        .iter()
        .filter_map(|write| match write {
            Write::Put("namespaces", object) => object["metadata"]["name"].as_str(),
            _ => None,
        })
        .collect();
    assert_eq!(names.len(), names.iter().collect::<BTreeSet<_>>().len());
    assert_eq!(names, ["shop", "billing", "media", "kube-system"]);
}
