//! The kinds of apps/v1 and batch/v1, as prost writes and reads them.

use super::{
    core::{ObjectReference, PersistentVolumeClaim},
    messages::{Condition, Meta, Selector, messages},
    values::{IntOrString, Time},
};

messages! {
    Deployment {
        "1" metadata: [message, optional] Option<Meta>,
        "2" spec: [message, optional] Option<DeploymentSpec>,
        "3" status: [message, optional] Option<DeploymentStatus>,
    }
    DeploymentSpec {
        "1" replicas: [int32, optional] Option<i32>,
        "2" selector: [message, optional] Option<Selector>,
        "4" strategy: [message, optional] Option<DeploymentStrategy>,
        "5" min_ready_seconds: [int32] i32,
        "7" paused: [bool] bool,
        "9" progress_deadline_seconds: [int32, optional] Option<i32>,
    }
    DeploymentStrategy {
        "1" kind: [string] String as "type",
        "2" rolling_update: [message, optional] Option<RollingUpdate>,
    }
    RollingUpdate {
        "1" max_unavailable: [message, optional] Option<IntOrString>,
        "2" max_surge: [message, optional] Option<IntOrString>,
    }
    DeploymentStatus {
        "1" observed_generation: [int64] i64,
        "2" replicas: [int32] i32,
        "3" updated_replicas: [int32] i32,
        "4" available_replicas: [int32] i32,
        "5" unavailable_replicas: [int32] i32,
        "6" conditions: [message, repeated] Vec<DeploymentCondition>,
        "7" ready_replicas: [int32] i32,
        "8" collision_count: [int32, optional] Option<i32>,
        "9" terminating_replicas: [int32, optional] Option<i32>,
    }
    DeploymentCondition {
        "1" kind: [string] String as "type",
        "2" status: [string] String,
        "4" reason: [string] String,
        "5" message: [string] String,
        "6" last_update_time: [message, optional] Option<Time>,
        "7" last_transition_time: [message, optional] Option<Time>,
    }
    ReplicaSet {
        "1" metadata: [message, optional] Option<Meta>,
        "2" spec: [message, optional] Option<ReplicaSetSpec>,
        "3" status: [message, optional] Option<ReplicaSetStatus>,
    }
    ReplicaSetSpec {
        "1" replicas: [int32, optional] Option<i32>,
        "2" selector: [message, optional] Option<Selector>,
        "4" min_ready_seconds: [int32] i32,
    }
    ReplicaSetStatus {
        "1" replicas: [int32] i32,
        "2" fully_labeled_replicas: [int32] i32,
        "3" observed_generation: [int64] i64,
        "4" ready_replicas: [int32] i32,
        "5" available_replicas: [int32] i32,
        "7" terminating_replicas: [int32, optional] Option<i32>,
    }
    StatefulSet {
        "1" metadata: [message, optional] Option<Meta>,
        "2" spec: [message, optional] Option<StatefulSetSpec>,
        "3" status: [message, optional] Option<StatefulSetStatus>,
    }
    StatefulSetSpec {
        "1" replicas: [int32, optional] Option<i32>,
        "2" selector: [message, optional] Option<Selector>,
        "4" volume_claim_templates: [message, repeated] Vec<PersistentVolumeClaim>,
        "5" service_name: [string] String,
        "6" pod_management_policy: [string] String,
        "10" persistent_volume_claim_retention_policy: [message, optional] Option<Retention>,
        "11" ordinals: [message, optional] Option<Ordinals>,
    }
    Retention {
        "1" when_deleted: [string] String,
        "2" when_scaled: [string] String,
    }
    Ordinals {
        "1" start: [int32] i32,
    }
    StatefulSetStatus {
        "1" observed_generation: [int64] i64,
        "2" replicas: [int32] i32,
        "3" ready_replicas: [int32] i32,
        "4" current_replicas: [int32] i32,
        "5" updated_replicas: [int32] i32,
        "6" current_revision: [string] String,
        "7" update_revision: [string] String,
        "9" collision_count: [int32, optional] Option<i32>,
        "11" available_replicas: [int32] i32,
    }
    DaemonSet {
        "1" metadata: [message, optional] Option<Meta>,
        "2" spec: [message, optional] Option<DaemonSetSpec>,
        "3" status: [message, optional] Option<DaemonSetStatus>,
    }
    DaemonSetSpec {
        "1" selector: [message, optional] Option<Selector>,
        "4" min_ready_seconds: [int32] i32,
    }
    DaemonSetStatus {
        "1" current_number_scheduled: [int32] i32,
        "2" number_misscheduled: [int32] i32,
        "3" desired_number_scheduled: [int32] i32,
        "4" number_ready: [int32] i32,
        "5" observed_generation: [int64] i64,
        "6" updated_number_scheduled: [int32] i32,
        "7" number_available: [int32] i32,
        "8" number_unavailable: [int32] i32,
        "9" collision_count: [int32, optional] Option<i32>,
    }
    Job {
        "1" metadata: [message, optional] Option<Meta>,
        "2" spec: [message, optional] Option<JobSpec>,
        "3" status: [message, optional] Option<JobStatus>,
    }
    JobSpec {
        "1" parallelism: [int32, optional] Option<i32>,
        "2" completions: [int32, optional] Option<i32>,
        "3" active_deadline_seconds: [int64, optional] Option<i64>,
        "4" selector: [message, optional] Option<Selector>,
        "7" backoff_limit: [int32, optional] Option<i32>,
        "9" completion_mode: [string, optional] Option<String>,
        "10" suspend: [bool, optional] Option<bool>,
    }
    JobStatus {
        "1" conditions: [message, repeated] Vec<Condition>,
        "2" start_time: [message, optional] Option<Time>,
        "3" completion_time: [message, optional] Option<Time>,
        "4" active: [int32] i32,
        "5" succeeded: [int32] i32,
        "6" failed: [int32] i32,
        "7" completed_indexes: [string] String,
        "9" ready: [int32, optional] Option<i32>,
        "11" terminating: [int32, optional] Option<i32>,
    }
    CronJob {
        "1" metadata: [message, optional] Option<Meta>,
        "2" spec: [message, optional] Option<CronJobSpec>,
        "3" status: [message, optional] Option<CronJobStatus>,
    }
    CronJobSpec {
        "1" schedule: [string] String,
        "2" starting_deadline_seconds: [int64, optional] Option<i64>,
        "3" concurrency_policy: [string] String,
        "4" suspend: [bool, optional] Option<bool>,
        "5" job_template: [message, optional] Option<JobTemplate>,
        "6" successful_jobs_history_limit: [int32, optional] Option<i32>,
        "7" failed_jobs_history_limit: [int32, optional] Option<i32>,
        "8" time_zone: [string, optional] Option<String>,
    }
    JobTemplate {
        "1" metadata: [message, optional] Option<Meta>,
        "2" spec: [message, optional] Option<JobSpec>,
    }
    CronJobStatus {
        "1" active: [message, repeated] Vec<ObjectReference>,
        "4" last_schedule_time: [message, optional] Option<Time>,
        "5" last_successful_time: [message, optional] Option<Time>,
    }
}
