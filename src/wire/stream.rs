//! Bodies as they arrive, whatever their encoding: the notifications of a watch, the items of a
//! list.

use super::{
    DecodeError, Encoding, Notification, Payload,
    frame::Lines,
    json,
    list::{self, Page},
    protobuf,
};

/// The largest event of a watch, and the largest item of a list: etcd takes objects of 1.5 MiB, and
/// escapes can make six bytes of one.
pub const LARGEST: usize = 10 * 1024 * 1024;

/// Takes the bytes of a watch and gives its events.
#[derive(Debug)]
pub enum Events {
    /// A line an event.
    Json(Lines),
    /// A frame an event.
    Protobuf(protobuf::Frames),
}

impl Events {
    /// Events of at most `limit` bytes each.
    #[must_use]
    pub const fn new(encoding: Encoding, limit: usize) -> Self {
        match encoding {
            Encoding::Json => Self::Json(Lines::new(limit)),
            Encoding::Protobuf => Self::Protobuf(protobuf::Frames::new(limit)),
        }
    }

    /// Adds what arrived.
    pub fn push(&mut self, chunk: &[u8]) {
        match self {
            Self::Json(lines) => lines.push(chunk),
            Self::Protobuf(frames) => frames.push(chunk),
        }
    }

    /// The next whole event.
    ///
    /// # Errors
    /// Where one is longer than the limit.
    pub fn next_event(&mut self) -> Result<Option<Payload<'_>>, DecodeError> {
        Ok(match self {
            Self::Json(lines) => event(Encoding::Json, lines.next_line()?),
            Self::Protobuf(frames) => event(Encoding::Protobuf, frames.next_frame()?),
        })
    }

    /// What may be a last event when the stream has ended: a line without its newline.
    ///
    /// # Errors
    /// Where a frame was cut off.
    pub fn rest(&self) -> Result<Option<Payload<'_>>, DecodeError> {
        match self {
            Self::Json(lines) => {
                let rest = Some(lines.rest()).filter(|rest| !rest.is_empty());
                Ok(event(Encoding::Json, rest))
            }
            Self::Protobuf(frames) if frames.is_cut() => Err(DecodeError::CutOff),
            Self::Protobuf(_) => Ok(None),
        }
    }
}

fn event(encoding: Encoding, bytes: Option<&[u8]>) -> Option<Payload<'_>> {
    bytes.map(|bytes| Payload { encoding, event: true, bytes })
}

/// Takes the body of a list and gives its items.
#[derive(Debug)]
pub enum Items {
    /// A document.
    Json(list::Items),
    /// An envelope.
    Protobuf(protobuf::Items),
}

impl Items {
    /// Items of at most `limit` bytes each.
    #[must_use]
    pub const fn new(encoding: Encoding, limit: usize) -> Self {
        match encoding {
            Encoding::Json => Self::Json(list::Items::new(limit)),
            Encoding::Protobuf => Self::Protobuf(protobuf::Items::new(limit)),
        }
    }

    /// Adds what arrived.
    pub fn push(&mut self, chunk: &[u8]) {
        match self {
            Self::Json(items) => items.push(chunk),
            Self::Protobuf(items) => items.push(chunk),
        }
    }

    /// The next whole item.
    ///
    /// # Errors
    /// Where one is longer than the limit, or the body is no list.
    pub fn next_item(&mut self) -> Result<Option<Payload<'_>>, DecodeError> {
        let (encoding, bytes) = match self {
            Self::Json(items) => (Encoding::Json, items.next_item()?),
            Self::Protobuf(items) => (Encoding::Protobuf, items.next_item()?),
        };
        Ok(bytes.map(|bytes| Payload { encoding, event: false, bytes }))
    }

    /// The page's own data, once the body has ended.
    ///
    /// # Errors
    /// Where the body is cut off, has something after its end, or is no list.
    pub fn finish(self) -> Result<Page, DecodeError> {
        match self {
            Self::Json(items) => items.finish(),
            Self::Protobuf(items) => items.finish(),
        }
    }
}

/// Says what an event of a watch is, and reads it where it is not an object for the store.
///
/// # Errors
/// Where it is no event, of an unknown type, or a bookmark without resourceVersion.
pub fn notification(event: Payload<'_>) -> Result<Notification, DecodeError> {
    match event.encoding {
        Encoding::Json => json::notification(event.bytes),
        Encoding::Protobuf => protobuf::notification(event.bytes),
    }
}
