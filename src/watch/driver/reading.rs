//! Reads what arrives: events of a watch, items of a list.

use std::{sync::Arc, time::Duration};

use super::{Reader, Stream, Watcher, lock};
use crate::{
    api::{TransportReason, status},
    store::Holder,
    watch::{
        Activity, Op,
        batch::Batch,
        machine::{FailureKind, Input},
    },
    wire::{
        Decode, DecodeError, Notification, Payload,
        meta::Partial,
        stream::{Events, Items, notification},
    },
};

impl Watcher {
    /// Reads what has arrived; whether the stream goes on.
    pub(super) fn read(&mut self, reader: &mut Reader, bytes: &[u8]) -> bool {
        let mut batch = self.batch();
        self.parts.row.active(Activity::Transport, batch.now);
        let store = Arc::clone(&self.parts.store);
        let mut store = lock(&store);
        self.step(Input::Bytes, batch.at, &mut *store);
        let read = match reader {
            Reader::Watch(events) => {
                events.push(bytes);
                self.read_events(events, &mut batch, &mut *store)
            }
            Reader::List(items) => {
                items.push(bytes);
                self.read_items(items, &batch, &mut *store)
            }
        };
        drop(store);
        self.intake.apply(self.epoch.elapsed().saturating_sub(batch.at));
        if self.machine.listing() {
            let Self { listing, parts, epoch, .. } = self;
            listing.tell(epoch.elapsed(), &parts.client, &parts.target, &parts.row);
        }
        read.unwrap_or_else(|error| {
            self.undecodable(&error);
            false
        })
    }

    fn batch(&self) -> Batch {
        Batch::new(self.epoch.elapsed(), self.parts.client.now())
    }

    fn read_events(
        &mut self,
        events: &mut Events,
        batch: &mut Batch,
        store: &mut dyn Holder,
    ) -> Result<bool, DecodeError> {
        let mut open = true;
        let read = loop {
            match events.next_event() {
                Ok(Some(event)) => match self.event(event, batch, store) {
                    Ok(goes_on) => open = goes_on,
                    Err(error) => break Err(error),
                },
                Ok(None) => break Ok(open),
                Err(error) => break Err(error),
            }
            if !open {
                break Ok(false);
            }
        };
        batch.tell(&self.intake);
        read
    }

    /// Takes one event of a watch; whether the stream goes on.
    fn event(
        &mut self,
        event: Payload<'_>,
        batch: &mut Batch,
        store: &mut dyn Holder,
    ) -> Result<bool, DecodeError> {
        let Batch { at, now, .. } = *batch;
        match notification(event)? {
            Notification::Object(op) => {
                batch.count(op);
                let resource_version = self.object(op, event, now, store)?;
                self.parts.row.active(Activity::Object, now);
                Ok(self.step(Input::Object { op, resource_version }, at, store))
            }
            Notification::Bookmark { resource_version, initial_events_end } => {
                batch.count(Op::Bookmark);
                self.parts.row.active(Activity::Bookmark, now);
                let input = Input::Bookmark { resource_version, initial_events_end };
                Ok(self.step(input, at, store))
            }
            Notification::Error(status) => {
                batch.count(Op::Error);
                let refusal = status::event(&status);
                self.parts.telemetry.refused(refusal.throttle, refusal.failure.retry_after);
                let open = self.step(Input::Failed(refusal.failure), at, store);
                self.tell(refusal.failure.kind, &refusal.message);
                Ok(open)
            }
        }
    }

    /// Gives an object to the store; its resourceVersion.
    fn object(
        &mut self,
        op: Op,
        payload: Payload<'_>,
        now: i64,
        store: &mut dyn Holder,
    ) -> Result<u64, DecodeError> {
        let listed = self.machine.listing() && op != Op::Deleted;
        if let Some(resource_version) = self.foreign(payload)? {
            return Ok(if listed { 0 } else { resource_version });
        }
        if listed {
            self.listing.progress.count();
            return store.list(self.parts.scope, payload, now).map(|()| 0);
        }
        let applied = store.apply(op, self.passed(), payload, now)?;
        // What a selector begins to select may be old.
        if op == Op::Added && applied.created > 0 && !self.parts.target.is_selective() {
            // Creation has whole seconds.
            let lag = (now - applied.created * 1_000_000).max(0).unsigned_abs();
            let lag = Duration::from_micros(lag).as_secs_f64();
            self.intake.delivery_lag(lag);
        }
        Ok(applied.resource_version)
    }

    /// Up to where all has arrived. A resource of which only the name is known may be of another
    /// server behind this one, whose versions need not grow from object to object.
    fn passed(&self) -> u64 {
        match self.parts.target.resource.discovered {
            true => 0,
            false => self.machine.passed(),
        }
    }

    /// The resourceVersion of an object that is another shard's: a server that cannot choose by
    /// shard sends them all, and does not say so on a watch (KEP-5866).
    fn foreign(&self, payload: Payload<'_>) -> Result<Option<u64>, DecodeError> {
        let Some(shard) = self.parts.target.shard else { return Ok(None) };
        let Partial { metadata } = Partial::decode(payload)?;
        if shard.holds(&metadata.uid) {
            return Ok(None);
        }
        self.parts.telemetry.foreign(self.resource());
        metadata.version().map(Some)
    }

    fn read_items(
        &mut self,
        items: &mut Items,
        batch: &Batch,
        store: &mut dyn Holder,
    ) -> Result<bool, DecodeError> {
        while let Some(payload) = items.next_item()? {
            if self.foreign(payload)?.is_some() {
                continue;
            }
            self.listing.progress.count();
            store.list(self.parts.scope, payload, batch.now)?;
        }
        Ok(true)
    }

    /// The body has ended as it should.
    pub(super) fn finish(&mut self, stream: Stream) {
        match stream.reader {
            Reader::Watch(events) => {
                // A last line without its newline counts; one that was cut off does not.
                let store = Arc::clone(&self.parts.store);
                let taken = events.rest().and_then(|rest| match rest {
                    Some(rest) => self.event(rest, &mut self.batch(), &mut *lock(&store)),
                    None => Ok(true),
                });
                match taken {
                    Ok(_) => self.input(Input::Ended(None)),
                    Err(_) => self.cut_off("the watch was cut off in the middle of an event"),
                }
            }
            Reader::List(items) => match items.finish() {
                Ok(page) => {
                    self.spare = Some(stream.answer.into_connection());
                    let resource_version = page.resource_version;
                    if let Some(remaining) = page.remaining {
                        self.listing.progress.expect(remaining);
                    }
                    self.input(Input::Page { resource_version, next: page.next });
                    if self.next.is_none() {
                        let kind = FailureKind::Transport(TransportReason::Decode);
                        self.tell(kind, "the list goes round: a continue token came again");
                    }
                }
                Err(DecodeError::CutOff) => self.cut_off("the list was cut off"),
                Err(error) => self.undecodable(&error),
            },
        }
    }

    /// The body ended as if it were whole, and is not.
    fn cut_off(&mut self, message: &str) {
        self.parts.telemetry.transport_error(TransportReason::Eof);
        self.input(Input::Ended(Some(TransportReason::Eof)));
        self.tell(FailureKind::Transport(TransportReason::Eof), message);
    }

    fn undecodable(&mut self, error: &DecodeError) {
        self.parts.telemetry.transport_error(TransportReason::Decode);
        self.input(Input::Undecodable);
        self.tell(FailureKind::Transport(TransportReason::Decode), &error.to_string());
    }
}
