//! Daemon sets: how many there are.

use super::counted::Counted;
use crate::wire::{
    message::{message, object},
    meta::Meta,
};

/// Daemon sets.
pub struct DaemonSets;

message! {
    /// A daemon set, as far as it is read.
    pub struct DaemonSet<'a> {
        1 "metadata" metadata: Meta<'a>,
    }
}

object!(DaemonSet);

impl Counted for DaemonSets {
    type Object<'a> = DaemonSet<'a>;
}
