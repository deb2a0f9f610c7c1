//! Cron jobs: how many there are.

use super::counted::Counted;
use crate::wire::{
    message::{message, object},
    meta::Meta,
};

/// Cron jobs.
pub struct CronJobs;

message! {
    /// A cron job, as far as it is read.
    pub struct CronJob<'a> {
        1 "metadata" metadata: Meta<'a>,
    }
}

object!(CronJob);

impl Counted for CronJobs {
    type Object<'a> = CronJob<'a>;
}
