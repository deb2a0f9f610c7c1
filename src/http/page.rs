//! GET / and what belongs to it: the page, its updates as server-sent events, its assets.
//!
//! Nothing is done where nobody looks, but for a step of the past every ten seconds. Who looks is
//! shown the page of one second, whoever asked for it first.

mod assets;
mod updates;

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use http::{
    HeaderMap, HeaderName, Response, StatusCode,
    header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, HeaderValue, REFERRER_POLICY, RETRY_AFTER},
};
use http_body_util::BodyExt;
use tokio::{
    sync::Semaphore,
    time::{Instant, MissedTickBehavior, interval},
};
use updates::Updates;

use super::{Body, health::Health, respond, respond_with};
use crate::{
    exposition::{Collect, Exposition, catalogue::Metric, readings::Readings},
    page::{
        self, Moment, Page,
        past::{self, Past},
    },
    shutdown::Stopping,
};

/// Streams of updates at a time. Each holds a connection for as long as somebody looks, and those
/// are for scrapes in the first place.
pub const STREAMS: usize = 16;
/// For how long a page is good.
const FRESH: Duration = Duration::from_secs(1);
/// What the page may load: what is here, and nothing that stands in the page itself.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
                      connect-src 'self'; base-uri 'none'; form-action 'none'; \
                      frame-ancestors 'none'";
/// By this nginx, in front of many a cluster, hands on what arrives when it arrives.
const UNBUFFERED: HeaderName = HeaderName::from_static("x-accel-buffering");

/// What makes the page.
pub struct Pages {
    /// What is shown.
    pub collectors: Vec<Arc<dyn Collect>>,
    /// How everything that is watched is.
    pub health: Arc<dyn Health>,
    /// Now by the server's clock, in microseconds since 1970.
    pub clock: Box<dyn Fn() -> i64 + Send + Sync>,
    /// What the page was written by.
    pub build: &'static str,
    /// Ends the streams.
    pub stopping: Stopping,
    /// What is remembered, and what was shown last.
    pub memory: Memory,
}

/// What pages keep from one to the next.
#[derive(Debug)]
pub struct Memory {
    past: Mutex<Past>,
    shown: Mutex<Option<(Instant, Arc<Page>)>>,
    streams: Arc<Semaphore>,
}

impl Default for Memory {
    fn default() -> Self {
        Self {
            past: Mutex::default(),
            shown: Mutex::default(),
            streams: Arc::new(Semaphore::new(STREAMS)),
        }
    }
}

impl Pages {
    /// Whether this is a path of the page.
    pub(super) fn has(path: &str) -> bool {
        ["/", "/updates"].contains(&path) || assets::find(path).is_some()
    }

    /// Answers one of these.
    pub(super) fn answer(self: &Arc<Self>, path: &str, headers: &HeaderMap) -> Response<Body> {
        match (path, assets::find(path)) {
            (_, Some(asset)) => asset.answer(headers),
            ("/updates", _) => self.updates(),
            _ => {
                let html = self.page().document(self.build);
                uncached(respond(StatusCode::OK, "text/html; charset=utf-8", html))
            }
        }
    }

    fn updates(self: &Arc<Self>) -> Response<Body> {
        let Ok(place) = Arc::clone(&self.memory.streams).try_acquire_owned() else {
            let why =
                format!("{STREAMS} others look at the page; it can be loaded, not followed\n");
            let mut response = super::text(StatusCode::SERVICE_UNAVAILABLE, why);
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("10"));
            return response;
        };
        let updates = Updates::new(Arc::clone(self), place).boxed_unsync();
        let mut response = uncached(respond_with(StatusCode::OK, "text/event-stream", updates));
        response.headers_mut().insert(UNBUFFERED, HeaderValue::from_static("no"));
        response
    }

    /// Takes the steps of the past, for ever.
    pub async fn remember(self: Arc<Self>) {
        let mut steps = interval(past::STEP);
        steps.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            steps.tick().await;
            let readings = self.read(past::FAMILIES);
            lock(&self.memory.past).step(self.now(), &readings);
        }
    }

    /// The page of now, or of a moment ago.
    fn page(&self) -> Arc<Page> {
        let mut shown = lock(&self.memory.shown);
        match &*shown {
            Some((at, page)) if at.elapsed() < FRESH => Arc::clone(page),
            _ => {
                let page = Arc::new(self.made());
                *shown = Some((Instant::now(), Arc::clone(&page)));
                page
            }
        }
    }

    fn made(&self) -> Page {
        let (checks, missing) = (self.health.ready(), self.health.missing());
        let readings = self.read(page::FAMILIES);
        let past = lock(&self.memory.past);
        Page::at(&Moment {
            now: self.now(),
            readings: &readings,
            checks: &checks,
            missing: &missing,
            past: &past,
        })
    }

    fn read(&self, families: &[&'static Metric]) -> Readings {
        let mut out = Exposition::reading(families);
        for collector in &self.collectors {
            collector.collect(&mut out);
        }
        out.readings()
    }

    /// In seconds since 1970.
    #[expect(clippy::cast_precision_loss, reason = "microseconds of this century fit")]
    fn now(&self) -> f64 {
        (self.clock)() as f64 / 1e6
    }
}

/// An answer of the page that is good for now only.
fn uncached(mut response: Response<Body>) -> Response<Body> {
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    response
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
