//! Stateful sets: how many there are.

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
    },
};

/// Stateful sets.
pub struct StatefulSets;

message! {
    /// A stateful set, as far as it is read.
    pub struct StatefulSet<'a> {
        1 "metadata" metadata: Meta<'a>,
        2 "spec" spec: Spec<'a>,
        3 "status" status: Status<'a>,
    }
}

object!(StatefulSet);

message! {
    struct Spec<'a> {
        1 "replicas" replicas: Option<i64>,
        10 "persistentVolumeClaimRetentionPolicy" retention: Retention<'a>,
        11 "ordinals" ordinals: Option<Ordinals>,
    }
}

message! {
    struct Retention<'a> {
        1 "whenDeleted" when_deleted: Text<'a>,
        2 "whenScaled" when_scaled: Text<'a>,
    }
}

message! {
    struct Ordinals {
        1 "start" start: i64,
    }
}

message! {
    struct Status<'a> {
        1 "observedGeneration" observed_generation: i64,
        2 "replicas" replicas: i64,
        3 "readyReplicas" ready: i64,
        4 "currentReplicas" current: i64,
        5 "updatedReplicas" updated: i64,
        6 "currentRevision" current_revision: Text<'a>,
        7 "updateRevision" update_revision: Text<'a>,
        11 "availableReplicas" available: i64,
    }
}

families! {
    /// The families of a stateful set.
    pub enum Series {
        Created = "kube_statefulset_created", gauge, Stable,
            "When the stateful set was created, in seconds since 1970.";
        Replicas = "kube_statefulset_status_replicas", gauge, Stable,
            "Pods that the stateful set has.";
        Available = "kube_statefulset_status_replicas_available", gauge, Stable,
            "Pods of the stateful set that have been ready for as long as it asks for.";
        Current = "kube_statefulset_status_replicas_current", gauge, Stable,
            "Pods of the stateful set that are of its current revision.";
        Ready = "kube_statefulset_status_replicas_ready", gauge, Stable,
            "Pods of the stateful set that are ready.";
        Updated = "kube_statefulset_status_replicas_updated", gauge, Stable,
            "Pods of the stateful set that are of its newest revision.";
        ObservedGeneration = "kube_statefulset_status_observed_generation", gauge, Stable,
            "The generation of the stateful set that its status speaks of.";
        Wanted = "kube_statefulset_replicas", gauge, Stable,
            "Pods that the stateful set is to have.";
        OrdinalsStart = "kube_statefulset_ordinals_start", gauge, Stable,
            "The number of the stateful set's first pod.";
        Generation = "kube_statefulset_metadata_generation", gauge, Stable,
            "The generation of the stateful set: how often what is wanted has changed.";
        Retention = "kube_statefulset_persistentvolumeclaim_retention_policy", gauge, Stable,
            "What becomes of the claims of the stateful set's pods, 1.";
        Annotations = "kube_statefulset_annotations", gauge, Stable,
            "The stateful set's annotations that are asked for, 1.";
        Labels = "kube_statefulset_labels", gauge, Stable,
            "The stateful set's labels that are asked for, 1.";
        CurrentRevision = "kube_statefulset_status_current_revision", gauge, Stable,
            "The revision from which the stateful set is updated, 1.";
        UpdateRevision = "kube_statefulset_status_update_revision", gauge, Stable,
            "The revision to which the stateful set is updated, 1.";
        DeletionTimestamp = "kube_statefulset_deletion_timestamp", gauge, Stable,
            "When the stateful set is to be gone, once its deletion was asked for, in seconds since 1970.";
    }
}

impl Counted for StatefulSets {
    type Object<'a> = StatefulSet<'a>;
    const FAMILIES: &'static [Family] = Series::FAMILIES;

    /// The families of kube-state-metrics, 2.18.
    fn detail(set: &StatefulSet<'_>, extra: &Extra, out: &mut Samples) {
        let StatefulSet { metadata: meta, spec, status } = set;
        out.begin(&[("namespace", &meta.namespace), ("statefulset", &meta.name)]);
        out.maybe(Series::Created, meta.creation_timestamp.sample());
        out.maybe(Series::DeletionTimestamp, meta.deletion_timestamp.sample());
        out.add(Series::Generation, &[], number(meta.generation));
        shown::names(meta, extra, Series::Labels, Series::Annotations, out);
        spec.detail(out);
        status.detail(out);
    }
}

impl Spec<'_> {
    fn detail(&self, out: &mut Samples) {
        out.maybe(Series::Wanted, self.replicas.map(number));
        out.maybe(Series::OrdinalsStart, self.ordinals.as_ref().map(|from| number(from.start)));
        let Retention { when_deleted, when_scaled } = &self.retention;
        if !(when_deleted.is_empty() && when_scaled.is_empty()) {
            let labels = [("when_deleted", &**when_deleted), ("when_scaled", &**when_scaled)];
            out.add(Series::Retention, &labels, 1.0);
        }
    }
}

impl Status<'_> {
    fn detail(&self, out: &mut Samples) {
        let numbers = [
            (Series::Replicas, self.replicas),
            (Series::Available, self.available),
            (Series::Current, self.current),
            (Series::Ready, self.ready),
            (Series::Updated, self.updated),
            (Series::ObservedGeneration, self.observed_generation),
        ];
        shown::numbers(numbers, out);
        out.add(Series::CurrentRevision, &[("revision", &self.current_revision)], 1.0);
        out.add(Series::UpdateRevision, &[("revision", &self.update_revision)], 1.0);
    }
}

#[cfg(test)]
mod tests;
