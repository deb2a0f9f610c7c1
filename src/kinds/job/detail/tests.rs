use rstest::rstest;
use serde_json::{Value, json};

use crate::{
    exposition::detail::Extra,
    kinds::{
        job::Jobs,
        shown::testing::{assert_as_recorded, shown_beside},
        stated::OneState,
    },
};

type Kind = OneState<Jobs>;

#[test]
fn every_series_is_that_of_kube_state_metrics() {
    assert_as_recorded::<Kind>(
        include_str!("../../../../tests/data/ksm/jobs.json"),
        include_str!("../../../../tests/data/ksm/jobs.txt"),
        &Extra::default(),
    );
}

/// What a job shows of a family: the labels beside its own, and the value.
fn rest(spec: Value, status: Value, family: &str) -> Vec<String> {
    let job =
        json!({"metadata": {"namespace": "shop", "name": "a"}, "spec": spec, "status": status});
    shown_beside::<Kind>(r#"namespace="shop",job_name="a""#, &job, family)
}

#[rstest]
#[case("kube_job_info", &[" 1"])]
#[case("kube_job_created", &[])]
#[case("kube_job_spec_parallelism", &[])]
#[case("kube_job_spec_completions", &[])]
#[case("kube_job_spec_active_deadline_seconds", &[])]
#[case("kube_job_status_succeeded", &[" 0"])]
#[case("kube_job_status_active", &[" 0"])]
#[case("kube_job_status_ready", &[" 0"])]
#[case("kube_job_status_failed", &[" 0"])]
#[case("kube_job_status_suspended", &[])]
#[case("kube_job_complete", &[])]
#[case("kube_job_owner", &[r#"owner_kind="",owner_name="",owner_is_controller="" 1"#])]
fn a_bare_job(#[case] family: &str, #[case] expected: &[&str]) {
    assert_eq!(rest(Value::Null, Value::Null, family), expected);
}

#[test]
fn nothing_wanted_is_shown_as_nothing() {
    let spec = json!({"parallelism": 0, "completions": 0, "activeDeadlineSeconds": 0});
    for name in ["parallelism", "completions", "active_deadline_seconds"] {
        assert_eq!(rest(spec.clone(), json!({}), &format!("kube_job_spec_{name}")), [" 0"]);
    }
}

fn failed(reason: &str) -> Value {
    json!([{"type": "Failed", "status": "True", "reason": reason}])
}

#[rstest]
#[case::none_failed(0, failed("DeadlineExceeded"), &[" 0"])]
#[case::no_condition(3, json!([]), &[r#"reason="" 3"#])]
#[case::other_condition(3, json!([{"type": "Complete", "reason": "Evicted"}]), &[r#"reason="" 3"#])]
#[case::known(3, failed("DeadlineExceeded"), &[
    r#"reason="BackoffLimitExceeded" 0"#,
    r#"reason="DeadlineExceeded" 1"#,
    r#"reason="Evicted" 0"#,
])]
#[case::unknown(3, failed("PodFailurePolicy"), &[
    r#"reason="BackoffLimitExceeded" 0"#,
    r#"reason="DeadlineExceeded" 0"#,
    r#"reason="Evicted" 0"#,
    r#"reason="" 3"#,
])]
fn failures(#[case] pods: u32, #[case] conditions: Value, #[case] expected: &[&str]) {
    let status = json!({"failed": pods, "conditions": conditions});
    assert_eq!(rest(json!({}), status, "kube_job_status_failed"), expected);
}

#[rstest]
#[case("Complete", "True", "kube_job_complete", &[
    r#"condition="true" 1"#,
    r#"condition="false" 0"#,
    r#"condition="unknown" 0"#,
])]
#[case("Failed", "False", "kube_job_failed", &[
    r#"condition="true" 0"#,
    r#"condition="false" 1"#,
    r#"condition="unknown" 0"#,
])]
#[case("Suspended", "True", "kube_job_status_suspended", &[" 1"])]
#[case("Suspended", "False", "kube_job_status_suspended", &[" 0"])]
#[case("FailureTarget", "True", "kube_job_failed", &[])]
fn conditions(
    #[case] kind: &str,
    #[case] status: &str,
    #[case] family: &str,
    #[case] expected: &[&str],
) {
    let status = json!({"conditions": [{"type": kind, "status": status}]});
    assert_eq!(rest(json!({}), status, family), expected);
}
