//! Replica sets: how many there are.

use super::counted::Counted;
use crate::wire::{
    message::{message, object},
    meta::Meta,
};

/// Replica sets.
pub struct ReplicaSets;

message! {
    /// A replica set, as far as it is read.
    pub struct ReplicaSet<'a> {
        1 "metadata" metadata: Meta<'a>,
    }
}

object!(ReplicaSet);

impl Counted for ReplicaSets {
    type Object<'a> = ReplicaSet<'a>;
}
