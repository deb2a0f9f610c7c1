//! Claims to volumes: how many there are.

use super::counted::Counted;
use crate::wire::{
    message::{message, object},
    meta::Meta,
};

/// Claims to volumes.
pub struct PersistentVolumeClaims;

message! {
    /// A claim to a volume, as far as it is read.
    pub struct PersistentVolumeClaim<'a> {
        1 "metadata" metadata: Meta<'a>,
    }
}

object!(PersistentVolumeClaim);

impl Counted for PersistentVolumeClaims {
    type Object<'a> = PersistentVolumeClaim<'a>;
}
