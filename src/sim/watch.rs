//! WATCH: the initial state where it is asked for, then every change, with bookmarks.

use std::{fmt::Write, sync::Arc, time::Duration};

use tokio::time::{Instant, sleep_until};

use super::{
    Shared,
    answer::Failure,
    body::{Over, Writer},
    fault::WatchFault,
    kinds::Served,
    list,
    options::Options,
    protobuf::{self, Encode},
    selector::Selector,
    state::{Change, Object},
};

/// How long a watch lasts that does not say how long.
const DEFAULT: Duration = Duration::from_secs(1800);
/// How long one lasts that does not end.
const ENDLESS: Duration = Duration::from_secs(1_000_000);
/// How long before its end a watch of a cached resource gets a last bookmark.
const LAST_BOOKMARK: Duration = Duration::from_secs(2);

/// A watch that was granted.
#[derive(Debug)]
pub struct Watch {
    served: Served,
    namespace: Option<String>,
    selector: Selector,
    bookmarks: bool,
    /// `None`: from the present state, which comes first.
    from: Option<u64>,
    /// As it was written.
    asked: String,
    lasts: Duration,
    encode: Option<Encode>,
    fault: Option<WatchFault>,
}

impl Watch {
    /// Checks what is asked for.
    ///
    /// # Errors
    /// What the server refuses, as it words it.
    pub fn new(
        served: Served,
        namespace: Option<String>,
        options: &Options,
        encode: Option<Encode>,
        fault: Option<WatchFault>,
    ) -> Result<Self, Failure> {
        // A real server has no better status for it either.
        let version = options.version().map_err(|message| Failure::new(500, "", message))?;
        let initial = version == 0 || options.send_initial_events == Some(true);
        let from = match fault {
            Some(WatchFault::From(version)) => Some(version),
            _ => (!initial).then_some(version),
        };
        Ok(Self {
            served,
            namespace,
            selector: list::selector(&served, options)?,
            bookmarks: options.allow_bookmarks,
            from,
            asked: options.resource_version.clone(),
            lasts: match (&fault, options.timeout) {
                (Some(WatchFault::Endless), _) => ENDLESS,
                (_, timeout) => timeout.map_or(DEFAULT, Duration::from_secs),
            },
            encode,
            fault,
        })
    }

    /// Writes until the end of the watch, or until nobody reads any more.
    pub async fn run(self, shared: Arc<Shared>, mut writer: Writer) {
        // Either end is the end of the body; there is nothing left to do.
        if self.write(&shared, &mut writer).await.is_ok() {
            let _over = writer.end().await;
        }
    }

    async fn write(&self, shared: &Shared, writer: &mut Writer) -> Result<(), Over> {
        let end = Instant::now() + self.lasts;
        let (mut revision, mut ends) = (shared.revision.subscribe(), shared.ends.subscribe());
        let mut sent = match self.from {
            Some(version) => version,
            None => self.initial(shared, writer).await?,
        };
        let mut bookmark = Instant::now() + shared.options.bookmark_period;
        let mut last_bookmark = (self.lasts > LAST_BOOKMARK).then(|| end - LAST_BOOKMARK);
        loop {
            revision.mark_unchanged();
            let (changes, now) = {
                let state = shared.state();
                let now = if self.served.cached { state.cached() } else { state.revision() };
                (state.since(self.served.table, sent), now)
            };
            let Ok(mut changes) = changes else {
                return self.expired(shared, sent, writer).await;
            };
            changes.retain(|change| change.object.version <= now);
            // Whoever has heard of everything misses nothing when it is forgotten.
            sent = sent.max(now);
            self.send(writer, self.events(&changes)).await?;
            let cached = self.served.cached && self.bookmarks;
            let due = last_bookmark.map_or(bookmark, |last| last.min(bookmark)).min(end);
            tokio::select! {
                () = writer.closed() => return Err(Over),
                () = sleep_until(end) => return Ok(()),
                _ = ends.changed() => return Ok(()),
                () = sleep_until(due), if cached && due < end => {
                    bookmark = Instant::now() + shared.options.bookmark_period;
                    last_bookmark = last_bookmark.filter(|last| *last > Instant::now());
                    if now >= sent {
                        self.send(writer, self.bookmark(now, false)).await?;
                    }
                }
                _ = revision.changed() => {}
            }
        }
    }

    /// Writes these lines, or what they are in protobuf.
    async fn send(&self, writer: &mut Writer, lines: String) -> Result<(), Over> {
        match self.encode {
            Some(encode) => writer.write(protobuf::events(encode, &lines)).await,
            None => writer.write(lines).await,
        }
    }

    /// The present state; gives its resourceVersion.
    async fn initial(&self, shared: &Shared, writer: &mut Writer) -> Result<u64, Over> {
        let (snapshot, mut version) = {
            let state = shared.state();
            let version = list::present(&state, &self.served, &self.asked);
            let at = (version < state.revision()).then_some(version);
            (state.snapshot(self.served.table, at).unwrap_or_default(), version)
        };
        for object in snapshot.values().filter(|object| self.selects(object)) {
            self.send(writer, self.event("ADDED", object)).await?;
        }
        if let Some(WatchFault::Marker(gate)) = &self.fault {
            tokio::select! {
                () = writer.closed() => return Err(Over),
                () = gate.pass() => {}
            }
            let (changes, now) = {
                let state = shared.state();
                (state.since(self.served.table, version).unwrap_or_default(), state.revision())
            };
            self.send(writer, self.events(&changes)).await?;
            version = now;
        }
        if self.bookmarks && shared.options.streaming_lists {
            self.send(writer, self.bookmark(version, true)).await?;
        }
        Ok(version)
    }

    async fn expired(&self, shared: &Shared, from: u64, writer: &mut Writer) -> Result<(), Over> {
        let floor = shared.state().floor(self.served.table);
        let message = match self.served.cached {
            true => format!("too old resource version: {from} ({floor})"),
            false => "The resourceVersion for the provided watch is too old.".into(),
        };
        let status = Failure::new(410, "Expired", message).status();
        self.send(writer, format!("{{\"type\":\"ERROR\",\"object\":{status}}}\n")).await
    }

    /// Entering the selection is an addition, leaving it a deletion.
    fn events(&self, changes: &[Change]) -> String {
        let mut out = String::new();
        for Change { before, object, deleted } in changes {
            let was = before.as_ref().is_some_and(|before| self.selects(before));
            let is = !deleted && self.selects(object);
            let event = match (before.as_ref().filter(|_| was), is) {
                (None, false) => continue,
                (None, true) => self.event("ADDED", object),
                (Some(_), true) => self.event("MODIFIED", object),
                // What it was when it was last in the selection.
                (Some(before), false) => self.event("DELETED", &before.at(object.version)),
            };
            out.push_str(&event);
        }
        out
    }

    fn event(&self, kind: &str, object: &Object) -> String {
        let object = list::typed(&self.served, &(self.served.view)(&object.body));
        format!("{{\"type\":\"{kind}\",\"object\":{object}}}\n")
    }

    fn bookmark(&self, version: u64, initial_events_end: bool) -> String {
        let Served { kind, empty, annotations, .. } = self.served;
        let mut out = String::new();
        let end = if initial_events_end { r#""k8s.io/initial-events-end":"true""# } else { "" };
        let annotations = match (annotations, end) {
            ("", "") => String::new(),
            ("", only) | (only, "") => format!(r#","annotations":{{{only}}}"#),
            (own, end) => format!(r#","annotations":{{{own},{end}}}"#),
        };
        // Writing to a String cannot fail.
        writeln!(
            out,
            r#"{{"type":"BOOKMARK","object":{{"kind":"{kind}","apiVersion":"{}","metadata":{{"resourceVersion":"{version}"{annotations}}}{empty}}}}}"#,
            self.served.api_version()
        )
        .unwrap_or_default();
        out
    }

    fn selects(&self, object: &Object) -> bool {
        self.namespace.as_ref().is_none_or(|namespace| object.key.namespace == *namespace)
            && self.selector.matches(&object.body)
    }
}
