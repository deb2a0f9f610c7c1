//! Jobs: how they ended, or that they have not, by namespace.

mod detail;

use super::stated::Stated;
use crate::{
    exposition::{
        catalogue::{self, Metric},
        detail::{Extra, Family, Samples},
    },
    label::label,
    wire::{
        message::{message, object},
        meta::Meta,
        text::Text,
        values::Time,
    },
};

label! {
    /// Where a job is in its life (Kubernetes, "Jobs").
    pub enum State {
        /// Neither ended nor suspended.
        Active = "active",
        /// Its condition Complete is True.
        Complete = "complete",
        /// Its condition Failed is True.
        Failed = "failed",
        /// Told to wait.
        Suspended = "suspended",
    }
}

/// Jobs.
pub struct Jobs;

message! {
    /// A job, as far as it is read.
    pub struct Job<'a> {
        1 "metadata" metadata: Meta<'a>,
        2 "spec" spec: Spec,
        3 "status" status: Status<'a>,
    }
}

object!(Job);

message! {
    struct Spec {
        1 "parallelism" parallelism: Option<i64>,
        2 "completions" completions: Option<i64>,
        3 "activeDeadlineSeconds" active_deadline_seconds: Option<i64>,
        10 "suspend" suspend: bool,
    }
}

message! {
    struct Status<'a> {
        1 "conditions" conditions: Vec<Condition<'a>>,
        2 "startTime" start_time: Time,
        3 "completionTime" completion_time: Time,
        4 "active" active: i64,
        5 "succeeded" succeeded: i64,
        6 "failed" failed: i64,
        9 "ready" ready: i64,
    }
}

message! {
    struct Condition<'a> {
        1 "type" kind: Text<'a>,
        2 "status" status: Text<'a>,
        5 "reason" reason: Text<'a>,
    }
}

impl Stated for Jobs {
    type Object<'a> = Job<'a>;
    const METRIC: &'static Metric = &catalogue::JOBS;
    const STATES: &'static [&'static str] = State::VALUES;
    const FAMILIES: &'static [Family] = detail::Series::FAMILIES;

    fn detail(job: &Job<'_>, extra: &Extra, out: &mut Samples) {
        detail::detail(job, extra, out);
    }

    fn state(job: &Job<'_>) -> usize {
        let holds = |wanted: &str| {
            let mut conditions = job.status.conditions.iter();
            conditions.any(|condition| &*condition.kind == wanted && &*condition.status == "True")
        };
        let state = match () {
            () if holds("Complete") => State::Complete,
            () if holds("Failed") => State::Failed,
            () if job.spec.suspend => State::Suspended,
            () => State::Active,
        };
        state as usize
    }
}
