//! What belongs to lists alone: their turn, and what is told of their progress.

use std::{
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, Waker},
    time::Duration,
};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::{
    board::Row,
    progress::{Due, Progress},
};
use crate::api::{client::Client, request::Target};

/// The lists of one watcher.
pub struct Listing {
    /// Lists take turns: so many of all watchers at a time.
    turns: Arc<Semaphore>,
    turn: Option<OwnedSemaphorePermit>,
    /// Its place among those that wait for theirs.
    asking: Option<Asking>,
    /// How far the list is.
    pub progress: Progress,
    /// The answer to how many objects there are.
    counting: Option<Counting>,
}

type Asking = Pin<Box<dyn Future<Output = Option<OwnedSemaphorePermit>> + Send>>;
type Counting = Pin<Box<dyn Future<Output = Option<u64>> + Send>>;

impl Listing {
    /// Lists that share these turns with others. It asks for its first turn at once: who is made
    /// first lists first, whenever its task comes to run.
    #[must_use]
    pub fn new(turns: Arc<Semaphore>) -> Self {
        let mut asking = ask(&turns);
        let (turn, asking) = match asking.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(turn) => (turn, None),
            Poll::Pending => (None, Some(asking)),
        };
        Self { turns, turn, asking, progress: Progress::default(), counting: None }
    }

    /// Waits until it is this watcher's turn, in the order of asking.
    pub async fn wait_for_turn(&mut self, row: &Row) {
        if self.turn.is_none() {
            row.describe("waiting for its turn to be listed");
            let asking = self.asking.take().unwrap_or_else(|| ask(&self.turns));
            self.turn = asking.await;
        }
    }

    /// Gives its turn to the next.
    pub fn end_turn(&mut self) {
        self.turn = None;
        self.counting = None;
    }

    /// Says how far the list is. A streaming list does not say how many objects there will be:
    /// where it takes long, that is asked.
    pub fn tell(&mut self, now: Duration, client: &Arc<Client>, target: &Target, row: &Row) {
        let Due { log, ask } = self.progress.due(now);
        if log {
            let (resource, namespace) = (&*target.resource.name, &target.namespace);
            tracing::info!(resource, namespace, "listing: {}", self.progress);
        }
        row.describe(format!("listing: {}", self.progress));
        if ask {
            let (client, target) = (Arc::clone(client), target.clone());
            self.counting = Some(Box::pin(async move { client.count(&target).await }));
        }
    }

    /// Waits for the number of objects, where it was asked for, and for ever where it was not.
    pub async fn counted(&mut self) {
        let Some(counting) = &mut self.counting else { return std::future::pending().await };
        if let Some(objects) = counting.await {
            self.progress.expect_in_all(objects);
        }
        self.counting = None;
    }
}

fn ask(turns: &Arc<Semaphore>) -> Asking {
    let turns = Arc::clone(turns);
    Box::pin(async move { turns.acquire_owned().await.ok() })
}
