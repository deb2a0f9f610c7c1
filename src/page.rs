//! The page that people look at: what a scrape shows, in words and tables. Pure: what is known at a
//! moment comes in, HTML goes out.
//!
//! ```text
//!   Exposition::reading ──▶ Readings ─┐
//!   checks, missing rights ───────────┼─▶ Moment ──▶ sections ──▶ parts ─┬▶ document: GET /
//!   Past: growth, latency ────────────┘                                  └▶ news: GET /updates
//! ```
//!
//! There is one way to write it: what a browser is sent later are the same parts, those that have
//! changed since. So it can be read without scripts, and the script knows nothing of what it shows.

pub mod html;
pub mod latency;
pub mod past;
pub mod recent;
pub mod sections;

use html::Html;
use past::Past;
use sections::{
    figures::Figures, identity::Identity, objects::Objects, pods::Pods, process::Process,
    refusals::Refusals, requests::Requests, restarts::Restarts, rights::Rights, verdict::Verdict,
    warnings::Warnings, watches::Watches,
};

use crate::{
    access::AllMissing,
    exposition::{
        catalogue::{self, Metric},
        readings::Readings,
    },
    http::health::Check,
};

/// How many rows a table has at most; where there is more to show, the page says so.
pub const ROWS: usize = 10;

/// The families that the page shows something of.
pub const FAMILIES: &[&Metric] = &[
    &catalogue::OBJECTS,
    &catalogue::NAMESPACE_OBJECTS,
    &catalogue::PODS,
    &catalogue::PODS_READY,
    &catalogue::PODS_UNSCHEDULABLE,
    &catalogue::PODS_TERMINATING,
    &catalogue::CONTAINERS_WAITING,
    &catalogue::CONTAINER_RESTARTS_TOTAL,
    &catalogue::CONTAINER_TERMINATIONS_TOTAL,
    &catalogue::NODES,
    &catalogue::EVENT_OCCURRENCES_TOTAL,
    &catalogue::API_REQUEST_DURATION_SECONDS,
    &catalogue::API_CLOCK_SKEW_SECONDS,
    &catalogue::API_UP,
    &catalogue::WATCH_CONNECTED,
    &catalogue::WATCH_SYNCED,
    &catalogue::WATCH_LAST_ACTIVITY_TIMESTAMP_SECONDS,
    &catalogue::AUTH_FAILURES_TOTAL,
    &catalogue::AUTH_UNAUTHORIZED_TOTAL,
    &catalogue::TOKEN_ISSUED_TIMESTAMP_SECONDS,
    &catalogue::TOKEN_WARN_AFTER_TIMESTAMP_SECONDS,
    &catalogue::TOKEN_EXPIRATION_TIMESTAMP_SECONDS,
    &catalogue::PERMISSION_ALLOWED,
    &catalogue::IDENTITY_INFO,
    &catalogue::TLS_NOT_AFTER_TIMESTAMP_SECONDS,
    &catalogue::BUILD_INFO,
    &catalogue::PROCESS_RESIDENT_MEMORY_BYTES,
    &catalogue::PROCESS_START_TIME_SECONDS,
];

/// What is known at one moment.
#[derive(Clone, Copy, Debug)]
pub struct Moment<'a> {
    /// Now by the server's clock, in seconds since 1970.
    pub now: f64,
    /// A scrape of [`FAMILIES`].
    pub readings: &'a Readings,
    /// How everything that is watched or probed is.
    pub checks: &'a [Check],
    /// The rights that are missing.
    pub missing: &'a AllMissing,
    /// What was before.
    pub past: &'a Past,
}

/// The page at one moment.
#[derive(Debug, PartialEq, Eq)]
pub struct Page {
    parts: Vec<Part>,
}

/// A part of it, which changes as a whole.
#[derive(Debug, PartialEq, Eq)]
struct Part {
    /// The `id` of its element.
    id: &'static str,
    html: Html,
}

impl Page {
    /// The page of a moment.
    #[must_use]
    pub fn at(moment: &Moment<'_>) -> Self {
        let watches = Watches::at(moment);
        let identity = Identity::at(moment);
        let rights = Rights::at(moment);
        let requests = Requests::at(moment);
        let verdict = Verdict::of(&watches, &identity, &rights, &requests);
        let part = |id, html| Part { id, html };
        let parts = vec![
            part("verdict", verdict.html()),
            part("figures", Figures::at(moment).html()),
            part("watches", watches.html()),
            part("pods", Pods::at(moment).html()),
            part("latency", requests.html()),
            part("warnings", Warnings::at(moment).html()),
            part("restarts", Restarts::at(moment).html()),
            part("objects", Objects::at(moment).html()),
            part("identity", identity.html()),
            part("rights", rights.html()),
            part("refusals", Refusals::at(moment).html()),
            part("process", Process::at(moment).html()),
        ];
        Self { parts }
    }

    /// The whole of it; `build` names what wrote it.
    #[must_use]
    pub fn document(&self, build: &str) -> String {
        let [verdict, figures, cards @ .., process] = &*self.parts else { return String::new() };
        let mut out = Html::default();
        out.put(include_str!("page/head.html"), &[&build]);
        out.put("<div id=\"verdict\" role=\"status\" aria-label=\"Verdict\">", &[]);
        out.add(&verdict.html);
        out.put("</div><section id=\"figures\" aria-label=\"At a glance\">", &[]);
        out.add(&figures.html).put("</section><div class=\"cards\">", &[]);
        for Part { id, html } in cards {
            out.put("<section id=\"{}\" aria-labelledby=\"{}-title\">", &[id, id]);
            out.add(html).put("</section>", &[]);
        }
        out.put("</div></main><footer><div id=\"process\">", &[]);
        out.add(&process.html);
        out.put(include_str!("page/foot.html"), &[]);
        out.as_str().into()
    }

    /// What has changed since, as one event of a stream of server-sent events (HTML, 9.2); everything
    /// where nothing is known yet, and nothing where nothing has changed.
    #[must_use]
    pub fn news(&self, build: &str, since: Option<&Self>) -> String {
        let known = |part: &Part| since.is_some_and(|since| since.parts.contains(part));
        let changed: serde_json::Map<_, _> = self
            .parts
            .iter()
            .filter(|part| !known(part))
            .map(|part| (part.id.to_owned(), part.html.as_str().into()))
            .collect();
        if changed.is_empty() {
            return String::new();
        }
        // JSON has no raw line breaks, which would end the event.
        format!("data: {}\n\n", serde_json::json!({"build": build, "parts": changed}))
    }
}

#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
