//! Cron jobs: how many there are.

mod schedule;

use schedule::Schedule;

use super::{
    counted::Counted,
    shown::{self, number},
};
use crate::{
    exposition::detail::{Extra, Family, Samples, families},
    wire::{
        message::{message, object},
        meta::Meta,
        text::Text,
        values::Time,
    },
};

/// Cron jobs.
pub struct CronJobs;

message! {
    /// A cron job, as far as it is read.
    pub struct CronJob<'a> {
        1 "metadata" metadata: Meta<'a>,
        2 "spec" spec: Spec<'a>,
        3 "status" status: Status,
    }
}

object!(CronJob);

message! {
    struct Spec<'a> {
        1 "schedule" schedule: Text<'a>,
        2 "startingDeadlineSeconds" starting_deadline: Option<i64>,
        3 "concurrencyPolicy" concurrency_policy: Text<'a>,
        4 "suspend" suspend: Option<bool>,
        6 "successfulJobsHistoryLimit" successful_limit: Option<i64>,
        7 "failedJobsHistoryLimit" failed_limit: Option<i64>,
        8 "timeZone" time_zone: Option<Text<'a>>,
    }
}

message! {
    struct Status {
        1 "active" active: Vec<Active>,
        4 "lastScheduleTime" last_schedule_time: Time,
        5 "lastSuccessfulTime" last_successful_time: Time,
    }
}

message! {
    /// A reference to a job: that there is one is enough.
    struct Active {}
}

families! {
    /// The families of a cron job.
    pub enum Series {
        Annotations = "kube_cronjob_annotations", gauge, Experimental,
            "The cron job's annotations that are asked for, 1.";
        Labels = "kube_cronjob_labels", gauge, Stable,
            "The cron job's labels that are asked for, 1.";
        Info = "kube_cronjob_info", gauge, Stable,
            "Schedule and time zone of the cron job, and what it does where a job still runs, 1.";
        Created = "kube_cronjob_created", gauge, Stable,
            "When the cron job was created, in seconds since 1970.";
        Active = "kube_cronjob_status_active", gauge, Stable,
            "Jobs of the cron job that run.";
        LastScheduleTime = "kube_cronjob_status_last_schedule_time", gauge, Stable,
            "The time for which the cron job last made a job, in seconds since 1970.";
        LastSuccessfulTime = "kube_cronjob_status_last_successful_time", gauge, Stable,
            "When a job of the cron job last succeeded, in seconds since 1970.";
        Suspend = "kube_cronjob_spec_suspend", gauge, Stable,
            "Whether the cron job is told to make no more jobs.";
        StartingDeadline = "kube_cronjob_spec_starting_deadline_seconds", gauge, Stable,
            "How late the cron job may still make a job, in seconds.";
        NextScheduleTime = "kube_cronjob_next_schedule_time", gauge, Stable,
            "When the schedule comes round after the last job, or after the cron job was created, in seconds since 1970; in the past, the job is late.";
        ResourceVersion = "kube_cronjob_metadata_resource_version", gauge, Stable,
            "The cron job's resourceVersion: grows with each change.";
        SuccessfulLimit = "kube_cronjob_spec_successful_job_history_limit", gauge, Experimental,
            "How many jobs that succeeded the cron job keeps.";
        FailedLimit = "kube_cronjob_spec_failed_job_history_limit", gauge, Experimental,
            "How many jobs that failed the cron job keeps.";
    }
}

impl Counted for CronJobs {
    type Object<'a> = CronJob<'a>;
    const FAMILIES: &'static [Family] = Series::FAMILIES;

    /// The families of kube-state-metrics, 2.18. Where it cannot go on (a schedule that is none, no
    /// time from which to look), we leave the next time out.
    fn detail(job: &CronJob<'_>, extra: &Extra, out: &mut Samples) {
        let CronJob { metadata: meta, spec, status } = job;
        out.begin(&[("namespace", &meta.namespace), ("cronjob", &meta.name)]);
        out.maybe(Series::Created, meta.creation_timestamp.sample());
        out.maybe(Series::ResourceVersion, meta.resource_version.parse().ok());
        shown::names(meta, extra, Series::Labels, Series::Annotations, out);
        spec.detail(out);
        out.add(Series::Active, &[], status.active.len() as f64);
        out.maybe(Series::LastScheduleTime, status.last_schedule_time.sample());
        out.maybe(Series::LastSuccessfulTime, status.last_successful_time.sample());
        out.maybe(Series::NextScheduleTime, job.next());
    }
}

impl Spec<'_> {
    fn detail(&self, out: &mut Samples) {
        let labels = [
            ("schedule", &*self.schedule),
            ("concurrency_policy", &*self.concurrency_policy),
            ("timezone", self.time_zone.as_deref().unwrap_or("local")),
        ];
        out.add(Series::Info, &labels, 1.0);
        out.maybe(Series::Suspend, self.suspend.map(f64::from));
        out.maybe(Series::StartingDeadline, self.starting_deadline.map(number));
        out.maybe(Series::SuccessfulLimit, self.successful_limit.map(number));
        out.maybe(Series::FailedLimit, self.failed_limit.map(number));
    }

    fn schedule(&self) -> Option<Schedule> {
        match &self.time_zone {
            None => Schedule::parse(&self.schedule),
            Some(zone) => Schedule::parse(&format!("CRON_TZ={} {}", &**zone, &*self.schedule)),
        }
    }
}

impl CronJob<'_> {
    /// When the next job is due; a schedule that never comes round is due at no time.
    fn next(&self) -> Option<f64> {
        if self.spec.suspend == Some(true) {
            return None;
        }
        let created = self.metadata.creation_timestamp;
        let since = self.status.last_schedule_time.seconds().or(created.seconds())?;
        let next = self.spec.schedule()?.next(since);
        Some(Time(next.and_then(|seconds| seconds.checked_mul(1_000_000))).unix())
    }
}

#[cfg(test)]
mod tests;
