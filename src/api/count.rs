//! How many objects there are, by the smallest list that says so.

use std::time::Duration;

use tokio::time::timeout;

use super::{client::Client, request::Target};
use crate::{
    watch::machine::Request,
    wire::stream::{Items, LARGEST},
};

/// How long the answer may take.
const PATIENCE: Duration = Duration::from_secs(30);

impl Client {
    /// About how many objects of a target there are: those of a page of one, and what the server
    /// says remains ("API concepts", `remainingItemCount`). `None` where it does not say, as it
    /// does not of a selection, or where there is no such answer in time.
    pub async fn count(&self, target: &Target) -> Option<u64> {
        timeout(PATIENCE, self.page_of_one(target)).await.ok().flatten()
    }

    async fn page_of_one(&self, target: &Target) -> Option<u64> {
        let request = Request::Page { limit: 1, next: None };
        let mut answer = self.open(target, &request, None).await.ok()?;
        let mut items = Items::new(answer.encoding(), LARGEST);
        let mut given = 0;
        while let Some(bytes) = answer.chunk().await.ok()? {
            items.push(&bytes);
            while items.next_item().ok()?.is_some() {
                given += 1;
            }
        }
        let page = items.finish().ok()?;
        match page.next {
            Some(_) => page.remaining.map(|remaining| remaining + given),
            None => Some(given),
        }
    }
}
