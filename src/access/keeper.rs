//! Asks the API server who we are and what we may, again and again, and tells whoever waits for it.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use tokio::{
    sync::watch,
    time::{Instant, sleep_until},
};

use super::{
    Access,
    matrix::{Question, Scope},
    pace::{Pace, Step},
};
use crate::{
    api::{
        Reviewed,
        client::{Client, Trouble},
        review::Reviews,
    },
    rbac::{self, Permission},
    telemetry::Telemetry,
    watch::{notice::Notices, trouble::Trouble as Lasting},
};

/// By resource and whether that is allowed now: the rights of which it was not so before.
type Changes<'q> = BTreeMap<(&'q str, bool), Vec<&'q Permission>>;

/// What keeps the permission matrix true.
pub struct Keeper {
    /// The API server.
    pub client: Arc<Client>,
    /// What is known.
    pub access: Arc<Access>,
    /// Where reviews are counted.
    pub telemetry: Telemetry,
    /// The watchers, some of which may wait for a right.
    pub notices: Arc<Notices>,
    /// Changes when there is other proof of who we are.
    pub proofs: watch::Receiver<u64>,
    /// Decides all jitter.
    pub seed: u64,
}

impl Keeper {
    /// Keeps it true until this is dropped.
    pub async fn keep(mut self) {
        let epoch = Instant::now();
        let mut pace = Pace::new(Duration::ZERO, self.seed);
        let mut identified = false;
        let mut trouble = Lasting::default();
        loop {
            let waiting = self.access.matrix().waiting();
            tokio::select! {
                () = sleep_until(epoch + pace.deadline(!waiting.is_empty())) => {}
                Ok(()) = self.proofs.changed() => {
                    identified = false;
                    pace.hurry(epoch.elapsed());
                }
            }
            let Some(step) = pace.step(epoch.elapsed(), waiting.len()) else { continue };
            let reviewed = self.review(step, &waiting, &mut identified).await;
            let now = epoch.elapsed();
            match reviewed {
                Ok(()) => {
                    if let Some((failures, lasted)) = trouble.recovered(now) {
                        tracing::info!(failures, ?lasted, "rights can be reviewed again");
                    }
                }
                Err(Trouble { failure, message }) => {
                    pace.failed(now, failure.retry_after);
                    if trouble.failed(&format!("{:?}", failure.kind), now).is_some() {
                        tracing::warn!("rights cannot be reviewed, what is known stays: {message}");
                    }
                }
            }
        }
    }

    async fn review(
        &self,
        step: Step,
        waiting: &[Scope],
        identified: &mut bool,
    ) -> Result<(), Trouble> {
        let mut reviews = self.client.reviews();
        let mut identity = Ok(());
        if !*identified {
            identity = self.identify(&mut reviews).await;
            *identified = identity.is_ok();
        }
        match step {
            Step::Round => {
                let scopes = self.access.matrix().scopes();
                for scope in &scopes {
                    self.review_scope(&mut reviews, scope, true).await?;
                }
            }
            Step::Look(at) => {
                if let Some(scope) = waiting.get(at) {
                    self.review_scope(&mut reviews, scope, false).await?;
                }
            }
        }
        identity
    }

    async fn identify(&self, reviews: &mut Reviews<'_>) -> Result<(), Trouble> {
        let username = reviews.identity().await?;
        if self.access.identify(username.clone()) {
            let username = username.as_deref().unwrap_or("somebody it does not name");
            tracing::info!(username, "the API server takes us for");
        }
        Ok(())
    }

    async fn review_scope(
        &self,
        reviews: &mut Reviews<'_>,
        scope: &Scope,
        thorough: bool,
    ) -> Result<(), Trouble> {
        let rules = self.counted(reviews.rules(scope.as_deref()).await)?;
        let questions = self.access.matrix().doubtful(scope.as_deref(), &rules, thorough);
        let mut changes = Changes::new();
        let mut asked = Ok(());
        for question in &questions {
            match self.counted(reviews.allowed(&question.permission).await) {
                Ok(Some(allowed)) => self.learn(question, allowed, &mut changes),
                Ok(None) => self.telemetry.permission_check(Reviewed::Error),
                Err(trouble) => {
                    asked = Err(trouble);
                    break;
                }
            }
        }
        self.tell(scope, changes);
        asked
    }

    /// Counts a review that failed.
    fn counted<T>(&self, reviewed: Result<T, Trouble>) -> Result<T, Trouble> {
        reviewed.inspect_err(|_| self.telemetry.permission_check(Reviewed::Error))
    }

    /// Takes an answer.
    fn learn<'q>(&self, question: &'q Question, allowed: bool, changes: &mut Changes<'q>) {
        let reviewed = if allowed { Reviewed::Allowed } else { Reviewed::Denied };
        self.telemetry.permission_check(reviewed);
        let before = self.access.matrix().learn(question, allowed);
        if before != Some(allowed) {
            let permission = &question.permission;
            let about = changes.entry((&*permission.about, allowed)).or_default();
            // That there is a right from the start is not worth a line.
            about.extend((before.is_some() || !allowed).then_some(permission));
        }
    }

    /// Tells of what has changed: whoever waits for a right, and people.
    fn tell(&self, scope: &Scope, changes: Changes<'_>) {
        for ((resource, allowed), permissions) in changes {
            if allowed {
                self.notices.grant(resource, scope.as_deref());
            }
            for rule in rbac::rules(permissions) {
                match allowed {
                    true => {
                        tracing::info!(resource, namespace = scope, %rule, "a right was granted")
                    }
                    false => {
                        tracing::warn!(resource, namespace = scope, %rule, "a right is missing")
                    }
                }
            }
        }
    }
}
