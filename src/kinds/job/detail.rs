//! What one job shows: the families of kube-state-metrics, 2.18.

use super::{Job, Status};
use crate::{
    exposition::detail::{Extra, Samples, families},
    kinds::shown::{self, number},
};

families! {
    /// The families of a job.
    pub enum Series {
        Annotations = "kube_job_annotations", gauge, Experimental,
            "The job's annotations that are asked for, 1.";
        Labels = "kube_job_labels", gauge, Stable,
            "The job's labels that are asked for, 1.";
        Info = "kube_job_info", gauge, Stable,
            "The job is there, 1.";
        Created = "kube_job_created", gauge, Stable,
            "When the job was created, in seconds since 1970.";
        Parallelism = "kube_job_spec_parallelism", gauge, Stable,
            "How many of the job's pods may run at once.";
        Completions = "kube_job_spec_completions", gauge, Stable,
            "How many of the job's pods are to succeed.";
        ActiveDeadline = "kube_job_spec_active_deadline_seconds", gauge, Stable,
            "How long the job may be active before it is ended, in seconds.";
        Succeeded = "kube_job_status_succeeded", gauge, Stable,
            "Pods of the job that succeeded.";
        PodsFailed = "kube_job_status_failed", gauge, Stable,
            "Pods of the job that failed; where a reason is known why the job failed, 1 for that one.";
        Active = "kube_job_status_active", gauge, Stable,
            "Pods of the job that are pending or run and are not being deleted.";
        Ready = "kube_job_status_ready", gauge, Experimental,
            "Pods of the job that are active and ready.";
        Complete = "kube_job_complete", gauge, Stable,
            "Whether this is the status of the job's Complete condition.";
        Failed = "kube_job_failed", gauge, Stable,
            "Whether this is the status of the job's Failed condition.";
        StartTime = "kube_job_status_start_time", gauge, Stable,
            "When work on the job began, in seconds since 1970.";
        CompletionTime = "kube_job_status_completion_time", gauge, Stable,
            "When the job was complete, in seconds since 1970.";
        Suspended = "kube_job_status_suspended", gauge, Experimental,
            "Whether the job's Suspended condition is True.";
        Owner = "kube_job_owner", gauge, Stable,
            "An owner of the job, 1; with empty labels where it has none.";
    }
}

/// Why a job may have failed; other reasons are not told apart.
const FAILURE_REASONS: [&str; 3] = ["BackoffLimitExceeded", "DeadlineExceeded", "Evicted"];

/// Says what a job shows.
pub(super) fn detail(job: &Job<'_>, extra: &Extra, out: &mut Samples) {
    let Job { metadata: meta, spec, status } = job;
    out.begin(&[("namespace", &meta.namespace), ("job_name", &meta.name)]);
    out.add(Series::Info, &[], 1.0);
    out.maybe(Series::Created, meta.creation_timestamp.sample());
    shown::names(meta, extra, Series::Labels, Series::Annotations, out);
    shown::owners(Series::Owner, meta, out);
    out.maybe(Series::Parallelism, spec.parallelism.map(number));
    out.maybe(Series::Completions, spec.completions.map(number));
    out.maybe(Series::ActiveDeadline, spec.active_deadline_seconds.map(number));
    out.maybe(Series::StartTime, status.start_time.sample());
    out.maybe(Series::CompletionTime, status.completion_time.sample());
    let numbers = [
        (Series::Succeeded, status.succeeded),
        (Series::Active, status.active),
        (Series::Ready, status.ready),
    ];
    shown::numbers(numbers, out);
    failures(status, out);
    conditions(status, out);
}

/// How many pods failed, or which of the known reasons it was that the job failed.
fn failures(status: &Status<'_>, out: &mut Samples) {
    if status.failed == 0 {
        return out.add(Series::PodsFailed, &[], 0.0);
    }
    let mut known = false;
    for condition in status.conditions.iter().filter(|condition| &*condition.kind == "Failed") {
        for reason in FAILURE_REASONS {
            let is = *condition.reason == *reason;
            known |= is;
            out.add(Series::PodsFailed, &[("reason", reason)], f64::from(is));
        }
    }
    if !known {
        out.add(Series::PodsFailed, &[("reason", "")], number(status.failed));
    }
}

fn conditions(status: &Status<'_>, out: &mut Samples) {
    for condition in &status.conditions {
        let is = &*condition.status;
        match &*condition.kind {
            "Complete" => shown::condition(Series::Complete, &[], "condition", is, out),
            "Failed" => shown::condition(Series::Failed, &[], "condition", is, out),
            "Suspended" => out.add(Series::Suspended, &[], f64::from(is == "True")),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests;
