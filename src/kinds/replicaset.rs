//! Replica sets: how many there are.

use super::{
    counted::Counted,
    shown::{self, number},
};
use crate::{
    exposition::detail::{Extra, Family, Samples, families},
    wire::{
        message::{message, object},
        meta::Meta,
    },
};

/// Replica sets.
pub struct ReplicaSets;

message! {
    /// A replica set, as far as it is read.
    pub struct ReplicaSet<'a> {
        1 "metadata" metadata: Meta<'a>,
        2 "spec" spec: Spec,
        3 "status" status: Status,
    }
}

object!(ReplicaSet);

message! {
    struct Spec {
        1 "replicas" replicas: Option<i64>,
    }
}

message! {
    struct Status {
        1 "replicas" replicas: i64,
        2 "fullyLabeledReplicas" fully_labeled: i64,
        3 "observedGeneration" observed_generation: i64,
        4 "readyReplicas" ready: i64,
        7 "terminatingReplicas" terminating: Option<i64>,
    }
}

families! {
    /// The families of a replica set.
    pub enum Series {
        Created = "kube_replicaset_created", gauge, Stable,
            "When the replica set was created, in seconds since 1970.";
        Replicas = "kube_replicaset_status_replicas", gauge, Stable,
            "Pods that the replica set has.";
        FullyLabeled = "kube_replicaset_status_fully_labeled_replicas", gauge, Stable,
            "Pods of the replica set that have all labels of its template.";
        Ready = "kube_replicaset_status_ready_replicas", gauge, Stable,
            "Pods of the replica set that are ready.";
        Terminating = "kube_replicaset_status_terminating_replicas", gauge, Experimental,
            "Pods of the replica set that are being deleted.";
        ObservedGeneration = "kube_replicaset_status_observed_generation", gauge, Stable,
            "The generation of the replica set that its status speaks of.";
        Wanted = "kube_replicaset_spec_replicas", gauge, Stable,
            "Pods that the replica set is to have.";
        Generation = "kube_replicaset_metadata_generation", gauge, Stable,
            "The generation of the replica set: how often what is wanted has changed.";
        Owner = "kube_replicaset_owner", gauge, Stable,
            "An owner of the replica set, 1; with empty labels where it has none.";
        Annotations = "kube_replicaset_annotations", gauge, Experimental,
            "The replica set's annotations that are asked for, 1.";
        Labels = "kube_replicaset_labels", gauge, Stable,
            "The replica set's labels that are asked for, 1.";
    }
}

impl Counted for ReplicaSets {
    type Object<'a> = ReplicaSet<'a>;
    const FAMILIES: &'static [Family] = Series::FAMILIES;

    /// The families of kube-state-metrics, 2.18.
    fn detail(set: &ReplicaSet<'_>, extra: &Extra, out: &mut Samples) {
        let ReplicaSet { metadata: meta, spec, status } = set;
        out.begin(&[("namespace", &meta.namespace), ("replicaset", &meta.name)]);
        out.maybe(Series::Created, meta.creation_timestamp.sample());
        shown::names(meta, extra, Series::Labels, Series::Annotations, out);
        shown::owners(Series::Owner, meta, out);
        let numbers = [
            (Series::Replicas, status.replicas),
            (Series::FullyLabeled, status.fully_labeled),
            (Series::Ready, status.ready),
            (Series::ObservedGeneration, status.observed_generation),
            (Series::Generation, meta.generation),
        ];
        shown::numbers(numbers, out);
        out.maybe(Series::Terminating, status.terminating.map(number));
        out.maybe(Series::Wanted, spec.replicas.map(number));
    }
}

#[cfg(test)]
mod tests;
