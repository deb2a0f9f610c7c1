//! Daemon sets: how many there are.

use super::{counted::Counted, shown};

use crate::{
    exposition::detail::{Extra, Family, Samples, families},
    wire::{
        message::{message, object},
        meta::Meta,
    },
};

/// Daemon sets.
pub struct DaemonSets;

message! {
    /// A daemon set, as far as it is read.
    pub struct DaemonSet<'a> {
        1 "metadata" metadata: Meta<'a>,
        3 "status" status: Status,
    }
}

object!(DaemonSet);

message! {
    struct Status {
        1 "currentNumberScheduled" current: i64,
        2 "numberMisscheduled" misscheduled: i64,
        3 "desiredNumberScheduled" desired: i64,
        4 "numberReady" ready: i64,
        5 "observedGeneration" observed_generation: i64,
        6 "updatedNumberScheduled" updated: i64,
        7 "numberAvailable" available: i64,
        8 "numberUnavailable" unavailable: i64,
    }
}

families! {
    /// The families of a daemon set.
    pub enum Series {
        Created = "kube_daemonset_created", gauge, Stable,
            "When the daemon set was created, in seconds since 1970.";
        Current = "kube_daemonset_status_current_number_scheduled", gauge, Stable,
            "Nodes that run a pod of the daemon set and are to.";
        Desired = "kube_daemonset_status_desired_number_scheduled", gauge, Stable,
            "Nodes that are to run a pod of the daemon set.";
        Available = "kube_daemonset_status_number_available", gauge, Stable,
            "Nodes that are to run a pod of the daemon set and have one that is available.";
        Misscheduled = "kube_daemonset_status_number_misscheduled", gauge, Stable,
            "Nodes that run a pod of the daemon set and are not to.";
        Ready = "kube_daemonset_status_number_ready", gauge, Stable,
            "Nodes that are to run a pod of the daemon set and have one that is ready.";
        Unavailable = "kube_daemonset_status_number_unavailable", gauge, Stable,
            "Nodes that are to run a pod of the daemon set and have none that is available.";
        ObservedGeneration = "kube_daemonset_status_observed_generation", gauge, Stable,
            "The generation of the daemon set that its status speaks of.";
        Updated = "kube_daemonset_status_updated_number_scheduled", gauge, Stable,
            "Nodes that run a pod of the daemon set's newest revision.";
        Generation = "kube_daemonset_metadata_generation", gauge, Stable,
            "The generation of the daemon set: how often what is wanted has changed.";
        DeletionTimestamp = "kube_daemonset_deletion_timestamp", gauge, Experimental,
            "When the daemon set is to be gone, once its deletion was asked for, in seconds since 1970.";
        Annotations = "kube_daemonset_annotations", gauge, Experimental,
            "The daemon set's annotations that are asked for, 1.";
        Labels = "kube_daemonset_labels", gauge, Stable,
            "The daemon set's labels that are asked for, 1.";
    }
}

impl Counted for DaemonSets {
    type Object<'a> = DaemonSet<'a>;
    const FAMILIES: &'static [Family] = Series::FAMILIES;

    /// The families of kube-state-metrics, 2.18.
    fn detail(set: &DaemonSet<'_>, extra: &Extra, out: &mut Samples) {
        let DaemonSet { metadata: meta, status } = set;
        out.begin(&[("namespace", &meta.namespace), ("daemonset", &meta.name)]);
        out.maybe(Series::Created, meta.creation_timestamp.sample());
        out.maybe(Series::DeletionTimestamp, meta.deletion_timestamp.sample());
        shown::names(meta, extra, Series::Labels, Series::Annotations, out);
        let numbers = [
            (Series::Current, status.current),
            (Series::Desired, status.desired),
            (Series::Available, status.available),
            (Series::Misscheduled, status.misscheduled),
            (Series::Ready, status.ready),
            (Series::Unavailable, status.unavailable),
            (Series::ObservedGeneration, status.observed_generation),
            (Series::Updated, status.updated),
            (Series::Generation, meta.generation),
        ];
        shown::numbers(numbers, out);
    }
}

#[cfg(test)]
mod tests;
