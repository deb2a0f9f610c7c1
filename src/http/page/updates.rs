//! The updates of a page: once a second what has changed, until its reader goes or we stop.

use std::{
    convert::Infallible,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use hyper::body::{Body, Frame};
use tokio::{
    sync::OwnedSemaphorePermit,
    time::{Interval, MissedTickBehavior, interval},
};

use super::{FRESH, Pages};
use crate::page::Page;

/// A stream of server-sent events.
pub struct Updates {
    pages: Arc<Pages>,
    ticks: Interval,
    stopping: Pin<Box<dyn Future<Output = ()> + Send>>,
    /// What its reader has.
    shown: Option<Arc<Page>>,
    /// Goes back when this is dropped.
    _place: OwnedSemaphorePermit,
}

impl Updates {
    /// For a reader who has nothing yet.
    pub fn new(pages: Arc<Pages>, place: OwnedSemaphorePermit) -> Self {
        let mut ticks = interval(FRESH);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let stopping = Box::pin(pages.stopping.clone().wait());
        Self { pages, ticks, stopping, shown: None, _place: place }
    }

    /// What its reader has not; empty where that is nothing.
    fn news(&mut self) -> String {
        let page = self.pages.page();
        let news = page.news(self.pages.build, self.shown.as_deref());
        self.shown = Some(page);
        news
    }
}

impl Body for Updates {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if self.stopping.as_mut().poll(context).is_ready() {
            return Poll::Ready(None);
        }
        loop {
            ready!(self.ticks.poll_tick(context));
            let news = self.news();
            if !news.is_empty() {
                return Poll::Ready(Some(Ok(Frame::data(news.into()))));
            }
        }
    }
}
