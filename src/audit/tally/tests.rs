use proptest::prelude::*;
use rstest::rstest;
use serde_json::{Value, json};

use super::*;
use crate::{
    audit::{
        batch::Batch,
        testing::{event, list, refused},
    },
    exposition::Format,
    store::testing::{assert_sound, family},
};

const CAPS: Caps = Caps { namespaces: 2, reasons: 2, nodes: 2 };

fn tally(events: &[Value]) -> Tally {
    let mut tally = Tally::new(&CAPS);
    take(&mut tally, events);
    tally
}

fn take(tally: &mut Tally, events: &[Value]) {
    let mut batch = Batch::default();
    batch.push(list(events).as_bytes());
    while let Some(event) = batch.next_event().expect("events") {
        tally.take(&event);
    }
    batch.finish().expect("a list");
}

fn text(tally: &Tally) -> String {
    let mut out = Exposition::new(Format::Text, &[]);
    tally.collect(&mut out);
    String::from_utf8(out.finish().to_vec()).expect("UTF-8")
}

/// The samples of a family without its name.
fn shown(tally: &Tally, name: &str) -> Vec<String> {
    let samples = family(&text(tally), name);
    samples.iter().map(|sample| sample.replace(name, "")).collect()
}

/// An event at another time, so that it is another one.
fn later(mut event: Value, micros: u32) -> Value {
    event["stageTimestamp"] = json!(format!("2026-11-23T12:00:01.{micros:06}Z"));
    event
}

#[test]
fn requests_by_user_verb_code_and_decision() {
    let tally = tally(&[
        event("a", "alice", 200),
        event("b", "system:serviceaccount:shop:web", 403),
        event("c", "system:node:n1", 200),
        event("d", "system:kube-scheduler", 500),
        refused("e"),
    ]);
    assert_eq!(
        shown(&tally, "kubetally_audit_requests_total"),
        [
            r#"{user="human",verb="list",code="200",decision="allow"} 1"#,
            r#"{user="node",verb="list",code="200",decision="allow"} 1"#,
            r#"{user="service_account",verb="list",code="403",decision="forbid"} 1"#,
            r#"{user="system",verb="list",code="500",decision="allow"} 1"#,
            r#"{user="unknown",verb="list",code="401",decision="none"} 1"#,
        ]
    );
    assert_eq!(
        shown(&tally, "kubetally_audit_resource_requests_total"),
        [
            r#"{verb="list",resource="pods",code="200"} 2"#,
            r#"{verb="list",resource="pods",code="401"} 1"#,
            r#"{verb="list",resource="pods",code="403"} 1"#,
            r#"{verb="list",resource="pods",code="500"} 1"#,
        ]
    );
    assert_eq!(
        shown(&tally, "kubetally_audit_auth_failures_total"),
        [r#"{code="403",decision="forbid",namespace="shop",service_account="web"} 1"#]
    );
}

#[test]
fn a_403_of_admission_is_not_one_of_authorization() {
    let mut quota = event("a", "system:serviceaccount:shop:web", 403);
    quota["annotations"] = json!({"authorization.k8s.io/decision": "allow"});
    assert_eq!(
        shown(&tally(&[quota]), "kubetally_audit_auth_failures_total"),
        [r#"{code="403",decision="allow",namespace="shop",service_account="web"} 1"#]
    );
}

#[test]
fn service_accounts_beyond_the_cap_are_other() {
    let failures: Vec<_> = ["shop:a", "shop:b", "billing:a", "shop:a", "billing:b"]
        .iter()
        .enumerate()
        .map(|(n, name)| event(&n.to_string(), &format!("system:serviceaccount:{name}"), 403))
        .collect();
    let tally = tally(&failures);
    let rest = r#"code="403",decision="forbid",namespace="#;
    assert_eq!(
        shown(&tally, "kubetally_audit_auth_failures_total"),
        [
            format!(r#"{{{rest}"_other",service_account="_other"}} 2"#),
            format!(r#"{{{rest}"shop",service_account="a"}} 2"#),
            format!(r#"{{{rest}"shop",service_account="b"}} 1"#),
        ]
    );
    let overflow = shown(&tally, "kubetally_label_overflow_total");
    assert!(overflow.contains(&r#"{metric="kubetally_audit_auth_failures_total"} 2"#.into()));
    assert!(overflow.contains(&r#"{metric="kubetally_audit_resource_requests_total"} 0"#.into()));
}

#[test]
fn stale_tokens_and_deprecated_apis() {
    let mut stale = event("a", "system:serviceaccount:shop:web", 200);
    stale["annotations"] = json!({"authentication.k8s.io/stale-token": "subject: …"});
    let mut old = event("b", "alice", 200);
    old["annotations"] = json!({"k8s.io/deprecated": "true", "k8s.io/removed-release": "1.32"});
    old["objectRef"] = json!({
        "resource": "flowschemas", "apiVersion": "v1beta3",
        "apiGroup": "flowcontrol.apiserver.k8s.io", "subresource": "status",
    });
    let tally = tally(&[stale, old]);
    assert_eq!(
        shown(&tally, "kubetally_audit_stale_token_requests_total"),
        [r#"{namespace="shop",service_account="web"} 1"#]
    );
    let api = r#"api_version="flowcontrol.apiserver.k8s.io/v1beta3",resource="flowschemas""#;
    assert_eq!(
        shown(&tally, "kubetally_audit_deprecated_requests_total"),
        [format!(r#"{{user="human",{api},removed_release="1.32"}} 1"#)]
    );
}

/// What a real API server sent, by the policy that is shipped.
#[test]
fn what_was_recorded() {
    let mut tally = Tally::new(&Caps { namespaces: 9, reasons: 99, nodes: 9 });
    for body in [
        include_bytes!("../../../tests/data/wire/audit/refused.json").as_slice(),
        include_bytes!("../../../tests/data/wire/audit/answered.json"),
        include_bytes!("../../../tests/data/wire/audit/paths.json"),
    ] {
        let mut batch = Batch::default();
        batch.push(body);
        while let Some(event) = batch.next_event().expect("an event") {
            tally.take(&event);
        }
        batch.finish().expect("a batch");
    }
    let expected = [
        ("events", r#"{result="counted"} 20"#),
        ("events", r#"{result="other_stage"} 2"#),
        ("requests", r#"{user="unknown",verb="list",code="401",decision="none"} 1"#),
        ("requests", r#"{user="unknown",verb="watch",code="401",decision="none"} 1"#),
        ("requests", r#"{user="service_account",verb="get",code="403",decision="forbid"} 1"#),
        ("requests", r#"{user="service_account",verb="list",code="403",decision="forbid"} 1"#),
        ("requests", r#"{user="service_account",verb="watch",code="403",decision="forbid"} 1"#),
        ("requests", r#"{user="anonymous",verb="list",code="403",decision="forbid"} 1"#),
        ("requests", r#"{user="node",verb="list",code="403",decision="forbid"} 1"#),
        ("requests", r#"{user="node",verb="watch",code="200",decision="allow"} 1"#),
        // Alice, and the admin in the name of somebody who may not.
        ("requests", r#"{user="human",verb="list",code="403",decision="forbid"} 2"#),
        ("requests", r#"{user="human",verb="patch",code="404",decision="allow"} 1"#),
        ("requests", r#"{user="human",verb="other",code="200",decision="allow"} 1"#),
        ("resource_requests", r#"{verb="create",resource="serviceaccounts/token",code="201"} 1"#),
        ("resource_requests", r#"{verb="patch",resource="deployments/scale",code="404"} 1"#),
        ("resource_requests", r#"{verb="get",resource="",code="200"} 1"#),
        (
            "auth_failures",
            r#"{code="403",decision="forbid",namespace="shop",service_account="web"} 3"#,
        ),
        ("stale_token_requests", r#"{namespace="shop",service_account="web"} 1"#),
        (
            "deprecated_requests",
            r#"{user="human",api_version="v1",resource="endpoints",removed_release=""} 1"#,
        ),
    ];
    for (family, sample) in expected {
        let shown = shown(&tally, &format!("kubetally_audit_{family}_total"));
        assert!(shown.contains(&sample.to_owned()), "no {sample} in {shown:#?}");
    }
}

#[rstest]
#[case::counted(event("a", "alice", 200), "counted")]
#[case::begun({ let mut e = event("a", "alice", 200); e["stage"] = json!("RequestReceived"); e }, "other_stage")]
#[case::no_id(event("", "alice", 200), "unusable")]
#[case::no_code(event("a", "alice", 0), "unusable")]
#[case::empty(json!({}), "unusable")]
fn what_became_of_an_event(#[case] event: Value, #[case] result: &str) {
    let events = shown(&tally(&[event]), "kubetally_audit_events_total");
    let expected = ["counted", "other_stage", "repeated", "unusable"]
        .map(|known| format!("{{result=\"{known}\"}} {}", u8::from(known == result)));
    assert_eq!(events, expected);
}

#[test]
fn a_batch_that_is_sent_again_counts_once() {
    let batch = [event("a", "alice", 200), refused("b")];
    let mut tally = tally(&batch);
    let before = shown(&tally, "kubetally_audit_requests_total");
    take(&mut tally, &batch);
    assert_eq!(shown(&tally, "kubetally_audit_requests_total"), before);
    assert!(text(&tally).contains("kubetally_audit_events_total{result=\"repeated\"} 2\n"));
}

#[test]
fn a_client_that_calls_every_request_the_same_is_counted_all_the_same() {
    let mut tally = Tally::new(&CAPS);
    for n in 0..5 {
        take(&mut tally, &[later(event("same", "alice", 403), n)]);
    }
    assert_eq!(
        shown(&tally, "kubetally_audit_requests_total"),
        [r#"{user="human",verb="list",code="403",decision="forbid"} 5"#]
    );
}

#[test]
fn batches_start_at_zero() {
    let mut tally = Tally::new(&CAPS);
    tally.batch(BatchResult::Accepted);
    let batches = shown(&tally, "kubetally_audit_batches_total");
    assert_eq!(batches.len(), BatchResult::ALL.len());
    assert_eq!(batches.iter().filter(|sample| sample.ends_with(" 1")).count(), 1);
}

#[test]
fn a_memory_has_a_bound() {
    let mut memory = Memory::new(100);
    for key in 0..10_000 {
        assert!(memory.is_new(&key));
        assert!(!memory.is_new(&key));
        assert!(memory.young.len() + memory.old.len() <= 200);
    }
    assert!((9_900..10_000).all(|key| !memory.is_new(&key)), "the last hundred are known");
    assert!(memory.is_new(&0), "what was long ago is not");
}

proptest! {
    /// Whatever events come: each is told once, each counted one is one request, and what is shown
    /// stays within the bounds of the catalogue.
    #[test]
    fn nothing_is_lost_and_all_is_bounded(
        events in prop::collection::vec(
            (0u8..20, "(system:)?(serviceaccount:|node:)?[ab:]{0,4}", 0u16..600, "[a-c]{0,2}", "[a-z]{0,3}"),
            0..60,
        ),
    ) {
        let written: Vec<_> = events
            .iter()
            .map(|(id, user, code, resource, verb)| {
                let mut event = event(&id.to_string(), user, *code);
                event["objectRef"] = json!({"resource": resource, "subresource": verb});
                event["verb"] = json!(verb);
                event["annotations"]["k8s.io/deprecated"] = json!("true");
                event
            })
            .collect();
        let tally = tally(&written);
        let text = text(&tally);
        assert_sound(&text);
        let sum = |name: &str| -> u64 {
            let values = family(&text, name).into_iter();
            values.filter_map(|sample| sample.rsplit_once(' ')?.1.parse::<u64>().ok()).sum()
        };
        prop_assert_eq!(sum("kubetally_audit_events_total"), events.len() as u64);
        let counted = tally.events[EventResult::Counted as usize];
        for name in ["requests", "resource_requests", "deprecated_requests"] {
            prop_assert_eq!(sum(&format!("kubetally_audit_{name}_total")), counted);
        }
        for metric in crate::exposition::catalogue::ALL {
            let series = family(&text, metric.name).len();
            prop_assert!(series <= metric.bound(&CAPS, 0), "{}: {series}", metric.name);
        }
    }
}
