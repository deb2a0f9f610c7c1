//! How lists come: streamed or by pages, as protobuf or as JSON.

use std::time::Duration;

use tokio::time::{Instant, timeout};

use super::{Examination, Stop};
use crate::{
    api::{
        client::{Client, Trouble},
        request::Target,
    },
    check::{
        finding::{Finding, Step},
        judge,
    },
    rbac::Permission,
    watch::machine::{FailureKind, Request},
    wire::{
        Encoding, Notification, Wanted,
        stream::{Events, LARGEST, notification},
    },
};

/// How long a streaming list may take until its end is told.
const STREAM: Duration = Duration::from_secs(5);
const WITHOUT: &str = "not supported (the API server is older than 1.32, or has WatchList switched \
                       off): lists come by pages, which costs it more";

impl Examination<'_> {
    /// Whether a list is streamed, and how its objects are encoded: of what is allowed and short.
    pub(super) async fn lists(
        &mut self,
        client: &Client,
        allowed: &[Permission],
    ) -> Result<(), Stop> {
        let watch = &self.loaded.settings.watch;
        let mut candidates: Vec<_> =
            watch.resources.iter().filter(|watched| !watched.resource.discovered).collect();
        candidates.sort_by_key(|watched| watched.resource.many);
        let found = candidates.iter().find_map(|watched| {
            let right = allowed.iter().find(|right| right.about == watched.resource.name)?;
            Some((*watched, right.namespace.clone()))
        });
        let Some((watched, namespace)) = found else {
            const WHY: &str = "nothing may be listed and watched";
            return Err(self.stop(Finding::skipped(Step::StreamingList, WHY), WHY));
        };
        let target = Target {
            resource: watched.resource.clone(),
            namespace,
            label_selector: watched.label_selector.clone(),
            field_selector: watched.field_selector.clone(),
            shard: None,
            whole: watched.resource.extent.is_whole(false),
            wanted: watch.wire,
        };
        let of = watched.resource.name.clone();
        let began = Instant::now();
        let encoding = match streamed(client, &target).await {
            Ok((encoding, true)) => {
                let text = format!("of {of} in {}", judge::millis(began.elapsed()));
                self.tell(Finding::ok(Step::StreamingList, text));
                Some(encoding)
            }
            Ok((encoding, false)) => {
                self.tell(Finding::ok(Step::StreamingList, WITHOUT));
                Some(encoding)
            }
            Err(trouble) if trouble.failure.kind == FailureKind::Unsupported => {
                self.tell(Finding::ok(Step::StreamingList, WITHOUT));
                let page = Request::Page { limit: 1, next: None };
                client.open(&target, &page, None).await.ok().map(|answer| answer.encoding())
            }
            Err(trouble) => {
                self.refused(Step::StreamingList, &trouble)?;
                None
            }
        };
        self.tell(protobuf(watch.wire, encoding, &of));
        Ok(())
    }
}

fn protobuf(wanted: Wanted, encoding: Option<Encoding>, of: &str) -> Finding {
    let step = Step::Protobuf;
    match (wanted, encoding) {
        (Wanted::Only(Encoding::Json), _) => Finding::skipped(step, "watch.wire is json"),
        (_, None) => Finding::skipped(step, "no list was answered"),
        (_, Some(Encoding::Protobuf)) => Finding::ok(step, format!("{of} come as protobuf")),
        (_, Some(Encoding::Json)) => Finding::ok(
            step,
            format!("not supported: {of} come as JSON, which costs the API server more"),
        ),
    }
}

/// Opens a streaming list: its encoding, and whether its end is told.
async fn streamed(client: &Client, target: &Target) -> Result<(Encoding, bool), Trouble> {
    let mut answer = client.open(target, &Request::Stream { timeout: STREAM }, None).await?;
    let encoding = answer.encoding();
    let mut events = Events::new(encoding, LARGEST);
    let ended = async {
        while let Ok(Some(bytes)) = answer.chunk().await {
            events.push(&bytes);
            while let Ok(Some(event)) = events.next_event() {
                let event = notification(event);
                if let Ok(Notification::Bookmark { initial_events_end: true, .. }) = event {
                    return true;
                }
            }
        }
        false
    };
    let ended = timeout(STREAM, ended).await.unwrap_or(false);
    Ok((encoding, ended))
}
