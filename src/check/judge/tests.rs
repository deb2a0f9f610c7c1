use rstest::rstest;

use super::{super::finding::Status, *};
use crate::api::Verb;

const NOW: i64 = 1_795_608_000;

fn leaf(subject: &str, not_after: i64) -> Leaf {
    let (subject, issuer) = (subject.into(), "CN=ca".into());
    Leaf { subject, issuer, not_before: 0, not_after }
}

fn session(server: i64, ca: i64) -> Session {
    Session {
        protocols: "TLS 1.3, HTTP/2".into(),
        chain: vec![leaf("CN=api", NOW + server)],
        ca_ends: Some(NOW + ca),
        ..Session::default()
    }
}

#[test]
fn a_session_tells_its_chain() {
    let found = tls(&session(30 * 86_400, 3650 * 86_400), NOW);
    assert_eq!(found.status, Status::Ok);
    assert_eq!(
        found.text,
        "TLS 1.3, HTTP/2\n\
         the server's CN=api, signed by CN=ca, ends 2026-12-25T12:00:00Z (in 30 days)\n\
         the CA in use ends 2036-11-22T12:00:00Z (in 3650 days)"
    );
}

#[rstest]
#[case::server(session(86_400, SOON), "renew the server's certificate")]
#[case::ca(session(30 * 86_400, 3_600), "renew the CA's certificate")]
#[case::ours(Session { ours: Some((0, NOW + 60)), ..session(SOON, SOON) }, "renew our certificate")]
#[case::insecure(Session { insecure: true, ..session(SOON, SOON) }, "give the cluster's CA")]
fn what_ends_soon_or_is_not_verified_is_warned_of(#[case] session: Session, #[case] remedy: &str) {
    let found = tls(&session, NOW);
    assert_eq!(found.status, Status::Warning);
    assert!(found.remedy.as_deref().is_some_and(|text| text.starts_with(remedy)), "{found:?}");
}

fn times(issued: i64, warn_after: i64, expires: i64) -> TokenTimes {
    TokenTimes {
        issued: Some(NOW + issued),
        not_before: Some(NOW + issued),
        warn_after: Some(NOW + warn_after),
        expires: Some(NOW + expires),
    }
}

#[rstest]
#[case(times(-60, 3_540, 86_400), Status::Ok)]
#[case(times(-7_200, -60, 86_400), Status::Warning)]
#[case(times(-7_200, -60, -1), Status::Failed)]
#[case(times(LEEWAY, 3_600, 7_200), Status::Ok)]
#[case(times(LEEWAY + 1, 3_600, 7_200), Status::Failed)]
#[case(TokenTimes::default(), Status::Skipped)]
#[case(TokenTimes { expires: Some(NOW + 1), ..TokenTimes::default() }, Status::Ok)]
fn tokens(#[case] times: TokenTimes, #[case] expected: Status) {
    assert_eq!(token(&times, NOW, "none").status, expected);
}

#[test]
fn the_times_of_a_token_are_told() {
    let found = token(&times(-60, 3_540, 31_536_000), NOW, "none");
    assert_eq!(
        found.text,
        "issued 2026-11-25T11:59:00Z (60 s ago)\n\
         to be replaced 2026-11-25T12:59:00Z (in 59 min)\n\
         expires 2027-11-25T12:00:00Z (in 365 days)"
    );
}

#[rstest]
#[case(None, Status::Skipped, "no answer")]
#[case(Some((300_000, 400_000)), Status::Ok, "the same, give or take 0.4 s")]
#[case(Some((900_000, 400_000)), Status::Ok, "the API server's is 0.9 s ahead of ours")]
#[case(Some((5_000_000, 400_000)), Status::Warning, "the API server's is 5.0 s ahead of ours")]
#[case(Some((-5_000_000, 400_000)), Status::Warning, "the API server's is 5.0 s behind ours")]
fn clocks(#[case] estimate: Option<(i64, i64)>, #[case] status: Status, #[case] text: &str) {
    let found = clock(estimate.map(|(skew, error)| Estimate { skew, error }));
    assert_eq!(found.status, status);
    assert!(found.text.starts_with(text), "{found:?}");
}

fn permission(verb: Verb, namespace: Option<&str>) -> Permission {
    Permission {
        verb,
        group: String::new(),
        resource: "pods".into(),
        about: "pods".into(),
        namespace: namespace.map(str::to_owned),
        name: None,
    }
}

#[rstest]
#[case(None, Some(true), Status::Ok, "pods: may list, watch", "")]
#[case(None, Some(false), Status::Failed, "pods: may not watch",
    r#"add to a ClusterRole bound to this account: {apiGroups: [""], resources: [pods], verbs: [watch]}"#)]
#[case(
    Some("shop"),
    Some(false),
    Status::Failed,
    "pods in shop: may not watch",
    "add to a Role in shop"
)]
#[case(None, None, Status::Warning, "pods: it is not known whether it may watch", "an authorizer")]
fn rights(
    #[case] namespace: Option<&str>,
    #[case] watch: Option<bool>,
    #[case] status: Status,
    #[case] text: &str,
    #[case] remedy: &str,
) {
    let [first, second] = [Verb::List, Verb::Watch].map(|verb| permission(verb, namespace));
    let found = permissions(&[(&first, Some(true)), (&second, watch)]);
    assert_eq!((found.status, &*found.text), (status, text));
    assert!(found.remedy.unwrap_or_default().starts_with(remedy));
}

#[test]
fn each_cause_of_a_401_has_its_remedy() {
    let mut remedies: Vec<_> = UnauthorizedCause::ALL
        .iter()
        .map(|cause| unauthorized("Unauthorized", *cause).remedy.expect("a remedy"))
        .collect();
    remedies.sort_unstable();
    remedies.dedup();
    assert_eq!(remedies.len(), UnauthorizedCause::ALL.len());
}

#[test]
fn latencies() {
    let [dial, fast, slow] = [3, 1, 1_500].map(Duration::from_millis);
    let found = latency(&[("tls", dial), ("tcp", fast)], &[fast, dial, fast]);
    assert_eq!(found.status, Status::Ok);
    assert_eq!(
        found.text,
        "a dial 4.0 ms (tls 3.0 ms, tcp 1.0 ms); then a request 1.0 ms, the slowest of 3 3.0 ms"
    );
    assert_eq!(latency(&[], &[fast, slow]).status, Status::Warning);
}
