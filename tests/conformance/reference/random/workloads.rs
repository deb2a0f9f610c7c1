//! What makes pods.

use serde_json::{Map, Value, json};

use super::Random;

impl Random {
    fn counts<const N: usize>(&mut self, names: [&'static str; N]) -> Map<String, Value> {
        let fields = names.map(|name| (name, self.int32().into()));
        let Value::Object(counts) = self.some(fields) else { unreachable!("an object was made") };
        counts
    }

    pub(super) fn deployment(&mut self) -> Value {
        let strategy = match self.chance(3) {
            true => json!({"type": "Recreate"}),
            false => json!({"rollingUpdate": {
                "maxUnavailable": self.limit(),
                "maxSurge": self.limit(),
            }}),
        };
        let paused = self.0.bool();
        let mut spec = self.some([("paused", paused.into()), ("strategy", strategy)]);
        spec["replicas"] = self.int32().into();
        let mut status = self.counts([
            "replicas",
            "updatedReplicas",
            "readyReplicas",
            "availableReplicas",
            "unavailableReplicas",
            "terminatingReplicas",
            "observedGeneration",
        ]);
        let conditions = self.conditions(&["Available", "Progressing", "ReplicaFailure", "x\"y"]);
        status.insert("conditions".into(), conditions);
        self.object(spec, status.into())
    }

    fn limit(&mut self) -> Value {
        match self.0.bool() {
            true => self.int32().into(),
            false => format!("{}%", self.0.i32(-5..=250)).into(),
        }
    }

    pub(super) fn job(&mut self) -> Value {
        let spec = [
            ("parallelism", self.int32().into()),
            ("completions", self.int32().into()),
            ("activeDeadlineSeconds", self.int64().into()),
            ("suspend", self.0.bool().into()),
        ];
        let spec = self.some(spec);
        let mut status = self.counts(["active", "succeeded", "failed", "ready"]);
        let kinds = ["Complete", "Failed", "Suspended", "FailureTarget"];
        status.insert("conditions".into(), self.conditions(&kinds));
        status.insert("startTime".into(), self.time());
        status.insert("completionTime".into(), self.time());
        self.object(spec, status.into())
    }

    pub(super) fn replica_set(&mut self) -> Value {
        let spec = self.counts(["replicas"]);
        let status = self.counts([
            "replicas",
            "fullyLabeledReplicas",
            "readyReplicas",
            "terminatingReplicas",
            "observedGeneration",
        ]);
        self.object(spec.into(), status.into())
    }

    pub(super) fn stateful_set(&mut self) -> Value {
        let retention = [("whenDeleted", self.word().into()), ("whenScaled", self.word().into())];
        let spec = [
            ("replicas", self.int32().into()),
            ("persistentVolumeClaimRetentionPolicy", self.some(retention)),
            ("ordinals", self.counts(["start"]).into()),
        ];
        let spec = self.some(spec);
        let mut status = self.counts([
            "observedGeneration",
            "replicas",
            "readyReplicas",
            "currentReplicas",
            "updatedReplicas",
            "availableReplicas",
        ]);
        for revision in ["currentRevision", "updateRevision"] {
            status.insert(revision.into(), self.word().into());
        }
        self.object(spec, status.into())
    }

    pub(super) fn daemon_set(&mut self) -> Value {
        let status = self.counts([
            "currentNumberScheduled",
            "numberMisscheduled",
            "desiredNumberScheduled",
            "numberReady",
            "observedGeneration",
            "updatedNumberScheduled",
            "numberAvailable",
            "numberUnavailable",
        ]);
        self.object(json!({}), status.into())
    }

    pub(super) fn cron_job(&mut self) -> Value {
        let spec = [
            ("startingDeadlineSeconds", self.int64().into()),
            ("concurrencyPolicy", self.word().into()),
            ("successfulJobsHistoryLimit", self.int32().into()),
            ("failedJobsHistoryLimit", self.int32().into()),
        ];
        let mut spec = self.some(spec);
        spec["suspend"] = self.0.bool().into();
        spec["schedule"] = self.schedule().into();
        // Of zones whose rules have been still for long; which database has them does not matter.
        let zones = ["Europe/Berlin", "Asia/Kolkata", "America/New_York", "Etc/UTC", "UTC"];
        if self.chance(2) {
            spec["timeZone"] = self.pick(&zones).into();
        }
        let active = self.many(3, |_, at| json!({"kind": "Job", "name": format!("job-{at}")}));
        let status = [
            ("active", active),
            ("lastScheduleTime", self.time()),
            ("lastSuccessfulTime", self.time()),
        ];
        let status = self.some(status);
        let mut job = self.object(spec, status);
        while job["metadata"]["creationTimestamp"].is_null() {
            job["metadata"]["creationTimestamp"] = self.time();
        }
        job
    }

    fn schedule(&mut self) -> String {
        const WORDS: [&str; 7] =
            ["@hourly", "@daily", "@weekly", "@monthly", "@yearly", "@every 1h30m", "0 0 30 2 *"];
        if self.chance(4) {
            return self.pick(&WORDS).to_owned();
        }
        let mut field = |low: u8, high: u8| match self.0.u8(0..5) {
            0 | 1 => "*".to_owned(),
            2 => format!("*/{}", self.0.u8(1..=high)),
            3 => format!("{low}-{}", self.0.u8(low..=high)),
            _ => format!("{},{}", self.0.u8(low..=high), self.0.u8(low..=high)),
        };
        [field(0, 59), field(0, 23), field(1, 31), field(1, 12), field(0, 6)].join(" ")
    }
}
