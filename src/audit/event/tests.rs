use proptest::prelude::*;
use rstest::rstest;
use serde_json::{Value, json};

use super::*;
use crate::{
    audit::testing::{self, refused},
    wire::{Encoding, Payload, json::decode},
};

/// Reads an event and gives what `read` makes of it.
fn of<T>(event: &Value, read: impl Fn(&Event<'_>) -> T) -> T {
    let text = event.to_string();
    let payload = Payload { encoding: Encoding::Json, event: false, bytes: text.as_bytes() };
    read(&decode(payload).expect("an event"))
}

/// The event of a list of pods, with some of its fields as here.
fn with(changes: &Value) -> Value {
    let mut event = testing::event("a", "alice", 200);
    for (field, value) in changes.as_object().expect("fields") {
        event[field] = value.clone();
    }
    event
}

#[rstest]
#[case::node("system:node:worker-1", &["system:nodes", "system:authenticated"], User::Node)]
#[case::no_node_without_its_group("system:node:worker-1", &["system:authenticated"], User::System)]
#[case::no_name_of_a_node("system:node:", &["system:nodes"], User::System)]
#[case::in_the_group_by_another_name("alice", &["system:nodes"], User::Human)]
#[case::service_account("system:serviceaccount:shop:web", &["system:serviceaccounts"], User::ServiceAccount)]
#[case::half_a_service_account("system:serviceaccount:shop", &[], User::System)]
#[case::no_service_account("system:serviceaccount:shop:web:more", &[], User::System)]
#[case::controller_manager("system:kube-controller-manager", &[], User::System)]
#[case::scheduler("system:kube-scheduler", &[], User::System)]
#[case::itself("system:apiserver", &["system:masters"], User::System)]
#[case::bootstrap("system:bootstrap:07401b", &["system:bootstrappers"], User::System)]
#[case::anonymous("system:anonymous", &["system:unauthenticated"], User::Anonymous)]
#[case::refused("", &[], User::Unknown)]
#[case::admin("kubernetes-admin", &["system:masters"], User::Human)]
#[case::single_sign_on("oidc:alice@example.com", &["oidc:ops"], User::Human)]
#[case::near("systemd:node:a", &[], User::Human)]
fn users(#[case] name: &str, #[case] groups: &[&str], #[case] expected: User) {
    assert_eq!(user(name, groups.iter().copied()), expected);
}

#[rstest]
#[case("system:serviceaccount:shop:web", Some(("shop", "web")))]
#[case("system:serviceaccount::web", None)]
#[case("system:serviceaccount:shop:", None)]
#[case("system:serviceaccount:shop:web:x", None)]
#[case("serviceaccount:shop:web", None)]
fn service_accounts(#[case] name: &str, #[case] expected: Option<(&str, &str)>) {
    let found = service_account(name).map(|account| (account.namespace, account.name));
    assert_eq!(found, expected);
}

#[rstest]
#[case::begin("RequestReceived", "list", json!({"resource": "pods"}), false)]
#[case::end("ResponseComplete", "list", json!({"resource": "pods"}), true)]
#[case::panic("Panic", "list", json!({"resource": "pods"}), true)]
#[case::watch("ResponseStarted", "watch", json!({"resource": "pods"}), true)]
#[case::end_of_a_watch("ResponseComplete", "watch", json!({"resource": "pods"}), false)]
#[case::panic_of_a_watch("Panic", "watch", json!({"resource": "pods"}), false)]
#[case::log("ResponseComplete", "get", json!({"resource": "pods", "subresource": "log"}), false)]
#[case::exec("ResponseStarted", "create", json!({"resource": "pods", "subresource": "exec"}), true)]
#[case::status("ResponseComplete", "patch", json!({"resource": "pods", "subresource": "status"}), true)]
#[case::no_resource("ResponseComplete", "get", Value::Null, true)]
#[case::none("", "get", Value::Null, false)]
#[case::unheard_of("ResponseImagined", "get", Value::Null, false)]
fn one_stage_counts(
    #[case] stage: &str,
    #[case] verb: &str,
    #[case] object: Value,
    #[case] counts: bool,
) {
    let event = with(&json!({"stage": stage, "verb": verb, "objectRef": object}));
    assert_eq!(of(&event, |event| event.counts()), counts);
}

#[rstest]
#[case("/debug/pprof/profile?seconds=30", Value::Null, false)]
#[case("/debug/pprof", Value::Null, true)]
#[case("/debug/pprof/", json!({"resource": "pods"}), true)]
fn profiles_run_long(#[case] uri: &str, #[case] object: Value, #[case] by_its_end: bool) {
    let event = with(&json!({"requestURI": uri, "verb": "get", "objectRef": object}));
    assert_eq!(of(&event, |event| event.counts()), by_its_end);
}

#[test]
fn refused_credentials_have_no_name_and_count_by_their_only_stage() {
    let read = |event: &Event<'_>| {
        (event.counts(), event.user(), event.code(), event.decision(), event.verb())
    };
    let expected = (true, User::Unknown, Some(401), Decision::None, Verb::List);
    assert_eq!(of(&refused("a"), read), expected);
}

#[rstest]
#[case::core(json!({"resource": "pods", "apiVersion": "v1"}), "pods", "v1")]
#[case::sub(json!({"resource": "pods", "subresource": "log", "apiVersion": "v1"}), "pods/log", "v1")]
#[case::unknown_core(json!({"resource": "bindings", "apiVersion": "v1"}), "bindings", "v1")]
#[case::known(
    json!({"resource": "deployments", "apiGroup": "apps", "apiVersion": "v1", "subresource": "scale"}),
    "deployments/scale",
    "apps/v1"
)]
#[case::same_name(
    json!({"resource": "events", "apiGroup": "events.k8s.io", "apiVersion": "v1"}),
    "events.events.k8s.io",
    "events.k8s.io/v1"
)]
#[case::custom(
    json!({"resource": "widgets", "apiGroup": "example.com", "apiVersion": "v1", "subresource": "status"}),
    "widgets.example.com/status",
    "example.com/v1"
)]
#[case::path(Value::Null, "", "")]
fn resources(#[case] object: Value, #[case] resource: &str, #[case] api_version: &str) {
    let event = with(&json!({"objectRef": object}));
    let read =
        |event: &Event<'_>| (event.resource().into_owned(), event.api_version().into_owned());
    assert_eq!(of(&event, read), (resource.to_owned(), api_version.to_owned()));
}

#[rstest]
#[case("deletecollection", Verb::DeleteCollection)]
#[case("post", Verb::Other)]
#[case("LIST", Verb::Other)]
#[case("", Verb::Other)]
fn verbs(#[case] verb: &str, #[case] expected: Verb) {
    assert_eq!(of(&with(&json!({"verb": verb})), |event| event.verb()), expected);
}

#[rstest]
#[case(json!({"code": 200}), Some(200))]
#[case(json!({"code": 599}), Some(599))]
#[case(json!({"code": 0}), None)]
#[case(json!({"code": -403}), None)]
#[case(json!({"code": 65939}), None)]
#[case(json!({"status": "Failure"}), None)]
#[case(Value::Null, None)]
fn codes(#[case] status: Value, #[case] expected: Option<u16>) {
    assert_eq!(of(&with(&json!({"responseStatus": status})), |event| event.code()), expected);
}

#[rstest]
#[case(json!({}), (Decision::None, false, None))]
#[case(Value::Null, (Decision::None, false, None))]
#[case(json!({"authorization.k8s.io/decision": "forbid"}), (Decision::Forbid, false, None))]
#[case(
    json!({
        "authorization.k8s.io/decision": "allow",
        "authentication.k8s.io/stale-token":
            "subject: system:serviceaccount:shop:web, seconds after warning threshold: 41",
    }),
    (Decision::Allow, true, None)
)]
#[case(json!({"k8s.io/deprecated": "true"}), (Decision::None, false, Some("")))]
#[case(
    json!({"k8s.io/deprecated": "true", "k8s.io/removed-release": "1.32"}),
    (Decision::None, false, Some("1.32"))
)]
#[case(json!({"k8s.io/removed-release": "1.32"}), (Decision::None, false, None))]
fn what_annotations_say(
    #[case] annotations: Value,
    #[case] expected: (Decision, bool, Option<&'static str>),
) {
    let (decision, stale, deprecated) = expected;
    let event = with(&json!({"annotations": annotations}));
    let deprecated = deprecated.map(str::to_owned);
    let read = |event: &Event<'_>| {
        (event.decision(), event.has_stale_token(), event.deprecated().map(str::to_owned))
    };
    assert_eq!(of(&event, read), (decision, stale, deprecated));
}

proptest! {
    /// Whoever comes is of one kind, and a service account exactly where it can be named.
    #[test]
    fn any_user_is_of_a_kind(
        name in "(system:)?(node:|serviceaccount:|anonymous|)[a-z:]{0,12}",
        nodes in any::<bool>(),
    ) {
        let groups = nodes.then_some("system:nodes");
        let found = user(&name, groups);
        prop_assert_eq!(found == User::ServiceAccount, service_account(&name).is_some());
        prop_assert_eq!(found == User::Unknown, name.is_empty());
        prop_assert_eq!(found == User::Human, !name.is_empty() && !name.starts_with("system:"));
        prop_assert!(found != User::Node || nodes);
    }
}
