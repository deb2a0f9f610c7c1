use rstest::rstest;
use serde_json::{Value, json};

use crate::{
    exposition::detail::Extra,
    kinds::{
        counted::OnlyCounted,
        cronjob::CronJobs,
        shown::testing::{assert_as_recorded, shown_beside},
    },
};

type Kind = OnlyCounted<CronJobs>;

#[test]
fn every_series_is_that_of_kube_state_metrics() {
    assert_as_recorded::<Kind>(
        include_str!("../../../tests/data/ksm/cronjobs.json"),
        include_str!("../../../tests/data/ksm/cronjobs.txt"),
        &Extra::default(),
    );
}

/// What one shows of a family: the labels beside its own, and the value.
fn rest(created: Option<&str>, spec: &Value, status: &Value, family: &str) -> Vec<String> {
    let mut job =
        json!({"metadata": {"namespace": "shop", "name": "a"}, "spec": spec, "status": status});
    job["metadata"]["creationTimestamp"] = created.into();
    shown_beside::<Kind>(r#"namespace="shop",cronjob="a""#, &job, &format!("kube_cronjob_{family}"))
}

#[rstest]
#[case("info", &[r#"schedule="",concurrency_policy="",timezone="local" 1"#])]
#[case("created", &[])]
#[case("status_active", &[" 0"])]
#[case("status_last_schedule_time", &[])]
#[case("status_last_successful_time", &[])]
#[case("spec_suspend", &[])]
#[case("spec_starting_deadline_seconds", &[])]
#[case("next_schedule_time", &[])]
#[case("metadata_resource_version", &[])]
#[case("spec_successful_job_history_limit", &[])]
#[case("spec_failed_job_history_limit", &[])]
#[case("labels", &[" 1"])]
fn a_bare_one(#[case] family: &str, #[case] expected: &[&str]) {
    assert_eq!(rest(None, &Value::Null, &Value::Null, family), expected);
}

#[rstest]
#[case("spec_suspend", json!({"suspend": false}), " 0")]
#[case("spec_suspend", json!({"suspend": true}), " 1")]
#[case("spec_starting_deadline_seconds", json!({"startingDeadlineSeconds": 0}), " 0")]
#[case("spec_failed_job_history_limit", json!({"failedJobsHistoryLimit": 0}), " 0")]
#[case("info", json!({"timeZone": ""}), r#"schedule="",concurrency_policy="",timezone="" 1"#)]
fn what_is_said_is_shown(#[case] family: &str, #[case] spec: Value, #[case] expected: &str) {
    assert_eq!(rest(None, &spec, &json!({}), family), [expected]);
}

const CREATED: &str = "2026-11-23T17:25:21Z";

#[rstest]
#[case::after_creation(json!({"schedule": "0 * * * *"}), json!({}), Some(1_795_456_800))]
#[case::after_the_last(
    json!({"schedule": "0 * * * *", "suspend": false}),
    json!({"lastScheduleTime": "2026-11-23T18:00:00Z"}),
    Some(1_795_460_400),
)]
#[case::in_its_zone(
    json!({"schedule": "0 3 * * *", "timeZone": "Asia/Tokyo"}),
    json!({}),
    Some(1_795_456_800),
)]
#[case::never(json!({"schedule": "0 0 30 2 *"}), json!({}), Some(-62_135_596_800))]
#[case::suspended(json!({"schedule": "0 * * * *", "suspend": true}), json!({}), None)]
#[case::no_schedule(json!({"schedule": "hourly"}), json!({}), None)]
#[case::no_zone(json!({"schedule": "0 * * * *", "timeZone": "Middle/Earth"}), json!({}), None)]
#[case::two_zones(json!({"schedule": "TZ=UTC 0 * * * *", "timeZone": "UTC"}), json!({}), None)]
fn the_next_time(#[case] spec: Value, #[case] status: Value, #[case] expected: Option<i64>) {
    let expected: Vec<_> = expected.iter().map(|time| format!(" {time}")).collect();
    assert_eq!(rest(Some(CREATED), &spec, &status, "next_schedule_time"), expected);
}

#[test]
fn without_a_time_to_look_from_there_is_no_next_time() {
    let spec = json!({"schedule": "0 * * * *"});
    assert!(rest(None, &spec, &json!({}), "next_schedule_time").is_empty());
}
