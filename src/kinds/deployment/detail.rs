//! What one deployment shows: the families of kube-state-metrics, 2.18.
//!
//! Where it cannot go on (no number of replicas, a limit of a rolling update that is none), we show
//! what the API takes for it, or leave the series out.

use super::{Deployment, Spec, Status};
use crate::{
    exposition::detail::{Extra, Samples, families},
    kinds::shown::{self, number},
    wire::values::Word,
};

families! {
    /// The families of a deployment.
    pub enum Series {
        Owner = "kube_deployment_owner", gauge, Experimental,
            "An owner of the deployment, 1; with empty labels where it has none.";
        Created = "kube_deployment_created", gauge, Stable,
            "When the deployment was created, in seconds since 1970.";
        Replicas = "kube_deployment_status_replicas", gauge, Stable,
            "Pods that the deployment has, of any revision.";
        Ready = "kube_deployment_status_replicas_ready", gauge, Stable,
            "Pods of the deployment that are ready.";
        Available = "kube_deployment_status_replicas_available", gauge, Stable,
            "Pods of the deployment that have been ready for as long as it asks for.";
        Unavailable = "kube_deployment_status_replicas_unavailable", gauge, Stable,
            "Pods that the deployment lacks until all that it wants are available.";
        Updated = "kube_deployment_status_replicas_updated", gauge, Stable,
            "Pods of the deployment that are of its newest revision.";
        Terminating = "kube_deployment_status_terminating_replicas", gauge, Experimental,
            "Pods of the deployment that are being deleted.";
        ObservedGeneration = "kube_deployment_status_observed_generation", gauge, Stable,
            "The generation of the deployment that its status speaks of.";
        Condition = "kube_deployment_status_condition", gauge, Stable,
            "Whether this is the status of a condition of the deployment.";
        Wanted = "kube_deployment_spec_replicas", gauge, Stable,
            "Pods that the deployment is to have.";
        Paused = "kube_deployment_spec_paused", gauge, Stable,
            "Whether the deployment's rollout is paused.";
        MaxUnavailable = "kube_deployment_spec_strategy_rollingupdate_max_unavailable", gauge, Stable,
            "How many of the wanted pods may be missing while the deployment is updated.";
        MaxSurge = "kube_deployment_spec_strategy_rollingupdate_max_surge", gauge, Stable,
            "How many pods more than wanted there may be while the deployment is updated.";
        Generation = "kube_deployment_metadata_generation", gauge, Stable,
            "The generation of the deployment: how often what is wanted has changed.";
        DeletionTimestamp = "kube_deployment_deletion_timestamp", gauge, Experimental,
            "When the deployment is to be gone, once its deletion was asked for, in seconds since 1970.";
        Annotations = "kube_deployment_annotations", gauge, Experimental,
            "The deployment's annotations that are asked for, 1.";
        Labels = "kube_deployment_labels", gauge, Stable,
            "The deployment's labels that are asked for, 1.";
    }
}

/// The reasons that are shown as they are; every other one is `unknown`.
const REASONS: [&str; 11] = [
    "",
    "DeploymentPaused",
    "DeploymentResumed",
    "FoundNewReplicaSet",
    "MinimumReplicasAvailable",
    "MinimumReplicasUnavailable",
    "NewReplicaSetAvailable",
    "NewReplicaSetCreated",
    "ProgressDeadlineExceeded",
    "ReplicaSetCreateError",
    "ReplicaSetUpdated",
];

/// Says what a deployment shows.
pub(super) fn detail(deployment: &Deployment<'_>, extra: &Extra, out: &mut Samples) {
    let meta = &deployment.metadata;
    out.begin(&[("namespace", &meta.namespace), ("deployment", &meta.name)]);
    out.maybe(Series::Created, meta.creation_timestamp.sample());
    out.maybe(Series::DeletionTimestamp, meta.deletion_timestamp.sample());
    out.add(Series::Generation, &[], number(meta.generation));
    shown::names(meta, extra, Series::Labels, Series::Annotations, out);
    owners(deployment, out);
    spec(&deployment.spec, out);
    status(&deployment.status, out);
}

/// Without a word on which of them is the controller, as other kinds have it.
fn owners(deployment: &Deployment<'_>, out: &mut Samples) {
    let owners = &deployment.metadata.owner_references;
    let mut owner = |kind, name| {
        out.add(Series::Owner, &[("owner_kind", kind), ("owner_name", name)], 1.0);
    };
    if owners.is_empty() {
        owner("", "");
    }
    for one in owners {
        owner(&one.kind, &one.name);
    }
}

fn spec(spec: &Spec<'_>, out: &mut Samples) {
    let wanted = number(spec.wanted());
    out.add(Series::Wanted, &[], wanted);
    out.add(Series::Paused, &[], f64::from(spec.paused));
    let update = &spec.strategy.rolling_update;
    let scaled = |limit: &Option<Word<'_>>, round: fn(f64) -> f64| {
        limit.as_ref().and_then(|limit| scaled(limit, wanted, round))
    };
    out.maybe(Series::MaxUnavailable, scaled(&update.max_unavailable, f64::floor));
    out.maybe(Series::MaxSurge, scaled(&update.max_surge, f64::ceil));
}

/// A number, or a percentage of the wanted pods (apimachinery, `GetScaledValueFromIntOrPercent`).
fn scaled(limit: &Word<'_>, wanted: f64, round: fn(f64) -> f64) -> Option<f64> {
    match limit.0.strip_suffix('%') {
        None => limit.0.parse().ok().map(number),
        Some(percent) => {
            // Whole numbers have no negative zero.
            percent.parse().ok().map(|percent| round(number(percent) * wanted / 100.0) + 0.0)
        }
    }
}

fn status(status: &Status<'_>, out: &mut Samples) {
    let numbers = [
        (Series::Replicas, status.replicas),
        (Series::Ready, status.ready),
        (Series::Available, status.available),
        (Series::Unavailable, status.unavailable),
        (Series::Updated, status.updated),
        (Series::ObservedGeneration, status.observed_generation),
    ];
    shown::numbers(numbers, out);
    out.maybe(Series::Terminating, status.terminating.map(number));
    for condition in &status.conditions {
        let known = REASONS.contains(&&*condition.reason);
        let reason = if known { &*condition.reason } else { "unknown" };
        let labels = [("reason", reason), ("condition", &*condition.kind)];
        shown::condition(Series::Condition, &labels, "status", &condition.status, out);
    }
}

#[cfg(test)]
mod tests;
