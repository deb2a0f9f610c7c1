//! Namespaces: how many there are in which phase.

use super::{
    shown,
    stated::{Stated, place},
};
use crate::{
    exposition::{
        catalogue::{self, Metric},
        detail::{Extra, Family, Samples, families},
    },
    label::label,
    wire::{
        message::{message, object},
        meta::Meta,
        text::Text,
    },
};

label! {
    /// Where a namespace is in its life (Kubernetes, "Namespaces").
    pub enum Phase {
        /// In use.
        Active = "Active",
        /// Being emptied, to be deleted.
        Terminating = "Terminating",
    }
}

/// Namespaces.
pub struct Namespaces;

message! {
    /// A namespace, as far as it is read.
    pub struct Namespace<'a> {
        1 "metadata" metadata: Meta<'a>,
        3 "status" status: Status<'a>,
    }
}

object!(Namespace);

message! {
    struct Status<'a> {
        1 "phase" phase: Text<'a>,
        2 "conditions" conditions: Vec<Condition<'a>>,
    }
}

message! {
    struct Condition<'a> {
        1 "type" kind: Text<'a>,
        2 "status" status: Text<'a>,
    }
}

families! {
    /// The families of a namespace, as kube-state-metrics 2.18 has them.
    pub enum Series {
        Created = "kube_namespace_created", gauge, Stable,
            "When the namespace was created, in seconds since 1970.";
        Annotations = "kube_namespace_annotations", gauge, Experimental,
            "The namespace's annotations that are asked for, 1.";
        Labels = "kube_namespace_labels", gauge, Stable,
            "The namespace's labels that are asked for, 1.";
        StatusPhase = "kube_namespace_status_phase", gauge, Stable,
            "Whether the namespace is in this phase.";
        StatusCondition = "kube_namespace_status_condition", gauge, Experimental,
            "Whether this is the status of a condition of the namespace.";
    }
}

impl Stated for Namespaces {
    type Object<'a> = Namespace<'a>;
    const METRIC: &'static Metric = &catalogue::NAMESPACES;
    const STATES: &'static [&'static str] = Phase::VALUES;
    const FAMILIES: &'static [Family] = Series::FAMILIES;

    fn detail(namespace: &Namespace<'_>, extra: &Extra, out: &mut Samples) {
        let Namespace { metadata, status } = namespace;
        out.begin(&[("namespace", &metadata.name)]);
        out.maybe(Series::Created, metadata.creation_timestamp.sample());
        shown::names(metadata, extra, Series::Labels, Series::Annotations, out);
        for phase in Phase::VALUES {
            out.add(Series::StatusPhase, &[("phase", phase)], (*phase == &*status.phase).into());
        }
        for condition in &status.conditions {
            let labels = [("condition", &*condition.kind)];
            shown::condition(Series::StatusCondition, &labels, "status", &condition.status, out);
        }
    }

    /// A namespace without a phase is one that was just made.
    fn state(namespace: &Namespace<'_>) -> usize {
        place(Self::STATES, &namespace.status.phase, Phase::Active as usize)
    }
}

#[cfg(test)]
mod tests;
