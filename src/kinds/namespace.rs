//! Namespaces: how many there are in which phase.

use super::stated::{Stated, place};
use crate::{
    exposition::catalogue::{self, Metric},
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
    }
}

impl Stated for Namespaces {
    type Object<'a> = Namespace<'a>;
    const METRIC: &'static Metric = &catalogue::NAMESPACES;
    const STATES: &'static [&'static str] = Phase::VALUES;

    /// A namespace without a phase is one that was just made.
    fn state(namespace: &Namespace<'_>) -> usize {
        place(Self::STATES, &namespace.status.phase, Phase::Active as usize)
    }
}
