//! A batch of the webhook, taken apart as it arrives: an `EventList` of `audit.k8s.io/v1`, event by
//! event.

use super::event::Event;
use crate::wire::{DecodeError, Encoding, Payload, json, list::Items};

/// The largest event. With the policy that is shipped one has a few kilobytes; one that holds an
/// object twice, as it was sent and as it was answered, has as much as both.
pub const LARGEST: usize = 1 << 20;

/// The events of a body whose bytes are still arriving. Holds the event under way, and nothing of
/// those before it.
#[derive(Debug)]
pub struct Batch(Items);

impl Default for Batch {
    fn default() -> Self {
        Self(Items::new(LARGEST))
    }
}

impl Batch {
    /// Adds what arrived.
    pub fn push(&mut self, chunk: &[u8]) {
        self.0.push(chunk);
    }

    /// The next whole event.
    ///
    /// # Errors
    /// Where it is too long or no event, or the body no list.
    pub fn next_event(&mut self) -> Result<Option<Event<'_>>, DecodeError> {
        let Some(bytes) = self.0.next_item()? else { return Ok(None) };
        json::decode(Payload { encoding: Encoding::Json, event: false, bytes }).map(Some)
    }

    /// The end of the body.
    ///
    /// # Errors
    /// Where the list is cut off, has something after its end, or is none of audit events.
    pub fn finish(self) -> Result<(), DecodeError> {
        self.0.finish_batch("audit.k8s.io/v1", "EventList")
    }
}

#[cfg(test)]
mod tests;
