//! Deployments: how they are doing, by namespace.

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
        values::Word,
    },
};

label! {
    /// How a deployment is doing (Kubernetes, "Deployment status"): the first that holds of
    /// paused, degraded, available, progressing.
    pub enum State {
        /// Every replica that is wanted is up to date and available.
        Available = "available",
        /// On its way there.
        Progressing = "progressing",
        /// Its deadline is exceeded, or replicas cannot be made.
        Degraded = "degraded",
        /// Its rollout is paused.
        Paused = "paused",
    }
}

/// Deployments.
pub struct Deployments;

message! {
    /// A deployment, as far as it is read.
    pub struct Deployment<'a> {
        1 "metadata" metadata: Meta<'a>,
        2 "spec" spec: Spec<'a>,
        3 "status" status: Status<'a>,
    }
}

object!(Deployment);

message! {
    struct Spec<'a> {
        1 "replicas" replicas: Option<i64>,
        4 "strategy" strategy: Strategy<'a>,
        7 "paused" paused: bool,
    }
}

message! {
    struct Strategy<'a> {
        2 "rollingUpdate" rolling_update: RollingUpdate<'a>,
    }
}

message! {
    struct RollingUpdate<'a> {
        1 "maxUnavailable" max_unavailable: Option<Word<'a>>,
        2 "maxSurge" max_surge: Option<Word<'a>>,
    }
}

message! {
    struct Status<'a> {
        1 "observedGeneration" observed_generation: i64,
        2 "replicas" replicas: i64,
        3 "updatedReplicas" updated: i64,
        4 "availableReplicas" available: i64,
        5 "unavailableReplicas" unavailable: i64,
        6 "conditions" conditions: Vec<Condition<'a>>,
        7 "readyReplicas" ready: i64,
        9 "terminatingReplicas" terminating: Option<i64>,
    }
}

message! {
    struct Condition<'a> {
        1 "type" kind: Text<'a>,
        2 "status" status: Text<'a>,
        4 "reason" reason: Text<'a>,
    }
}

impl Stated for Deployments {
    type Object<'a> = Deployment<'a>;
    const METRIC: &'static Metric = &catalogue::DEPLOYMENTS;
    const STATES: &'static [&'static str] = State::VALUES;
    const FAMILIES: &'static [Family] = detail::Series::FAMILIES;

    fn detail(deployment: &Deployment<'_>, extra: &Extra, out: &mut Samples) {
        detail::detail(deployment, extra, out);
    }

    fn state(deployment: &Deployment<'_>) -> usize {
        let state = match () {
            () if deployment.spec.paused => State::Paused,
            () if deployment.status.is_degraded() => State::Degraded,
            () if deployment.is_available() => State::Available,
            () => State::Progressing,
        };
        state as usize
    }
}

impl Deployment<'_> {
    fn is_available(&self) -> bool {
        let wanted = self.spec.wanted();
        let Status { observed_generation, replicas, updated, available, .. } = self.status;
        observed_generation >= self.metadata.generation
            && [replicas, updated, available] == [wanted; 3]
    }
}

impl Spec<'_> {
    /// One, where it is not said (Kubernetes, "Deployment spec").
    fn wanted(&self) -> i64 {
        self.replicas.unwrap_or(1)
    }
}

impl Status<'_> {
    fn is_degraded(&self) -> bool {
        self.conditions.iter().any(|Condition { kind, status, reason }| {
            match (&**kind, &**status) {
                ("Progressing", "False") => &**reason == "ProgressDeadlineExceeded",
                ("ReplicaFailure", "True") => true,
                _ => false,
            }
        })
    }
}
