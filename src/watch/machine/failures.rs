//! What a failure leads to: another try, another list, another way of listing.

use std::time::Duration;

use super::{Action, Failure, FailureKind, Machine, PATIENCE, Phase, Plan, RESUME_JITTER};
use crate::watch::{Denial, EndCause, RelistCause};

impl Machine {
    pub(super) fn undecodable(&mut self, now: Duration, out: &mut Vec<Action>) {
        out.push(Action::Close);
        if !matches!(self.plan, Plan::Page(_)) {
            out.push(Action::Ended(EndCause::Decode));
        }
        self.early_ends = self.early_ends.saturating_add(1);
        self.relist(RelistCause::Decode, true, now, out);
    }

    /// `event`: said by an ERROR event, so the stream is over and its resourceVersion in doubt.
    pub(super) fn failed(
        &mut self,
        failure: Failure,
        event: bool,
        now: Duration,
        out: &mut Vec<Action>,
    ) {
        out.push(Action::Close);
        if !matches!(self.plan, Plan::Page(_)) {
            out.push(Action::Ended(failure.kind.end_cause()));
        }
        self.denied = match failure.kind {
            FailureKind::Forbidden => Some(Denial::Forbidden),
            FailureKind::NotFound => Some(Denial::Absent),
            // Whoever cannot answer says nothing of it.
            FailureKind::Throttled | FailureKind::Server | FailureKind::Transport(_) => self.denied,
            _ => None,
        };
        match failure.kind {
            FailureKind::Expired => {
                self.whole |= matches!(self.plan, Plan::Page(Some(_)));
                self.relist(RelistCause::Expired, true, now, out);
            }
            FailureKind::TooLarge => self.relist(RelistCause::ServerError, true, now, out),
            FailureKind::Forbidden => self.wait_denied(now),
            FailureKind::NotFound => {
                self.gone = true;
                self.plan = self.list_plan();
                self.wait_denied(now);
            }
            FailureKind::Unsupported => self.unsupported(now, out),
            FailureKind::Server => self.server_failed(failure, event, now, out),
            FailureKind::Unauthorized | FailureKind::Throttled | FailureKind::Transport(_) => {
                self.retry(failure.retry_after, now);
            }
        }
    }

    pub(super) fn server_failed(
        &mut self,
        failure: Failure,
        event: bool,
        now: Duration,
        out: &mut Vec<Action>,
    ) {
        self.server_failures = self.server_failures.saturating_add(1);
        if self.plan == Plan::Stream {
            self.early_ends = self.early_ends.saturating_add(1);
        }
        self.retry(failure.retry_after, now);
        if event || self.server_failures >= PATIENCE {
            self.server_failures = 0;
            let waiting = self.phase.clone();
            self.relist(RelistCause::ServerError, false, now, out);
            self.phase = waiting;
        }
    }

    /// A streaming list that is refused means a server without it; anything else refused will be
    /// refused again.
    pub(super) fn unsupported(&mut self, now: Duration, out: &mut Vec<Action>) {
        if self.plan == Plan::Stream && self.streaming {
            self.streaming = false;
            self.plan = self.list_plan();
            self.phase = Phase::Waiting { until: now };
            return self.open(now, out);
        }
        self.plan = self.list_plan();
        self.wait_denied(now);
    }

    pub(super) fn relist(
        &mut self,
        cause: RelistCause,
        wait: bool,
        now: Duration,
        out: &mut Vec<Action>,
    ) {
        out.push(Action::Relist(cause));
        self.empty_closes = 0;
        self.plan = self.list_plan();
        match wait {
            true => self.retry(None, now),
            false => {
                let jitter = RESUME_JITTER.mul_f64(self.random.f64());
                self.phase = Phase::Waiting { until: now + jitter };
            }
        }
    }

    pub(super) const fn list_plan(&self) -> Plan {
        match self.streaming && self.early_ends < PATIENCE {
            true => Plan::Stream,
            false => Plan::Page(None),
        }
    }

    pub(super) fn retry(&mut self, floor: Option<Duration>, now: Duration) {
        self.retrying = true;
        self.well = None;
        let delay = self.backoff.failed(now, self.random.f64(), floor);
        self.phase = Phase::Waiting { until: now + delay };
    }

    pub(super) fn wait_denied(&mut self, now: Duration) {
        self.retrying = true;
        self.well = None;
        let delay = self.denial.failed(now, self.random.f64(), None);
        self.phase = Phase::Waiting { until: now + delay };
    }
}
