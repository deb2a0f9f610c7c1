//! Stateful sets: how many there are.

use super::counted::Counted;
use crate::wire::{
    message::{message, object},
    meta::Meta,
};

/// Stateful sets.
pub struct StatefulSets;

message! {
    /// A stateful set, as far as it is read.
    pub struct StatefulSet<'a> {
        1 "metadata" metadata: Meta<'a>,
    }
}

object!(StatefulSet);

impl Counted for StatefulSets {
    type Object<'a> = StatefulSet<'a>;
}
