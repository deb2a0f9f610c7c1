//! The protobuf encoding: a reader that borrows what it needs and skips the rest.
//!
//! Kubernetes wraps an object into `k8s\0` and a `runtime.Unknown` of type and bytes
//! (Kubernetes API concepts, "Kubernetes Protobuf encoding"); fields are those of the generated
//! `.proto` files of k8s.io/api and k8s.io/apimachinery. A slim type names the numbers of the few
//! fields that it takes ([`Message`]); what it does not name is skipped, unread.

mod frame;
mod list;

use super::{DecodeError, Notification, Payload, json::Status, text::Text};
use crate::watch::Op;

pub use frame::Frames;
pub use list::Items;

/// What stands before every object.
const MAGIC: &[u8] = b"k8s\0";

/// A type that is filled from the fields of a message. A field that is missing keeps its default.
pub trait Message<'a>: Default {
    /// Takes one field of the message, or leaves it.
    ///
    /// # Errors
    /// Where the field is of another shape.
    fn merge(&mut self, field: u32, value: Value<'a>) -> Result<(), DecodeError>;
}

/// A type of a field.
pub trait Field<'a> {
    /// Takes the value: the last one counts, a repeated field gathers them, a message merges them.
    ///
    /// # Errors
    /// Where the value is of another shape.
    fn take(&mut self, value: Value<'a>) -> Result<(), DecodeError>;
}

/// The value of a field, as far as the wire tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Value<'a> {
    /// An integer, boolean or enum.
    Varint(u64),
    /// A `fixed64` or `double`.
    Fixed64(u64),
    /// A `fixed32` or `float`.
    Fixed32(u32),
    /// A string, bytes or message.
    Bytes(&'a [u8]),
}

impl<'a> Value<'a> {
    /// Its bytes.
    ///
    /// # Errors
    /// Where it is a number.
    pub const fn bytes(self) -> Result<&'a [u8], DecodeError> {
        match self {
            Self::Bytes(bytes) => Ok(bytes),
            _ => Err(DecodeError::Protobuf { what: "a number where bytes belong" }),
        }
    }

    /// Its number.
    ///
    /// # Errors
    /// Where it is no varint.
    pub const fn varint(self) -> Result<u64, DecodeError> {
        match self {
            Self::Varint(number) => Ok(number),
            _ => Err(DecodeError::Protobuf { what: "bytes where a number belongs" }),
        }
    }
}

/// The fields of a message, in the order in which they stand there.
#[derive(Clone, Copy, Debug)]
pub struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    /// Those of these bytes.
    #[must_use]
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    fn field(&mut self) -> Result<(u32, Value<'a>), DecodeError> {
        let (tag, rest) = varint(self.0)?.ok_or(CUT)?;
        let field = u32::try_from(tag >> 3).ok().filter(|field| *field > 0);
        let field = field.ok_or(DecodeError::Protobuf { what: "no field number" })?;
        let (value, rest) = match tag & 7 {
            0 => {
                let (number, rest) = varint(rest)?.ok_or(CUT)?;
                (Value::Varint(number), rest)
            }
            1 => {
                let (bytes, rest) = rest.split_first_chunk().ok_or(CUT)?;
                (Value::Fixed64(u64::from_le_bytes(*bytes)), rest)
            }
            2 => {
                let (length, rest) = varint(rest)?.ok_or(CUT)?;
                let length = usize::try_from(length).map_err(|_| CUT)?;
                let (bytes, rest) = rest.split_at_checked(length).ok_or(CUT)?;
                (Value::Bytes(bytes), rest)
            }
            5 => {
                let (bytes, rest) = rest.split_first_chunk().ok_or(CUT)?;
                (Value::Fixed32(u32::from_le_bytes(*bytes)), rest)
            }
            _ => return Err(DecodeError::Protobuf { what: "an unknown wire type" }),
        };
        self.0 = rest;
        Ok((field, value))
    }
}

const CUT: DecodeError = DecodeError::Protobuf { what: "cut off" };

impl<'a> Iterator for Fields<'a> {
    type Item = Result<(u32, Value<'a>), DecodeError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let field = self.field();
        if field.is_err() {
            self.0 = &[];
        }
        Some(field)
    }
}

/// A varint and what follows it; `None` where it is not whole yet.
fn varint(bytes: &[u8]) -> Result<Option<(u64, &[u8])>, DecodeError> {
    let mut value = 0_u64;
    for (at, byte) in bytes.iter().take(10).enumerate() {
        value |= u64::from(byte & 0x7f) << (7 * at);
        if byte & 0x80 == 0 {
            return Ok(Some((value, &bytes[at + 1..])));
        }
    }
    match bytes.len() < 10 {
        true => Ok(None),
        false => Err(DecodeError::Protobuf { what: "a number that does not end" }),
    }
}

/// Reads a message.
///
/// # Errors
/// Where the bytes are none.
pub fn message<'a, T: Message<'a>>(bytes: &'a [u8]) -> Result<T, DecodeError> {
    let mut message = T::default();
    merge(&mut message, bytes)?;
    Ok(message)
}

fn merge<'a, T: Message<'a>>(message: &mut T, bytes: &'a [u8]) -> Result<(), DecodeError> {
    for field in Fields::new(bytes) {
        let (field, value) = field?;
        message.merge(field, value)?;
    }
    Ok(())
}

impl<'a, T: Message<'a>> Field<'a> for T {
    fn take(&mut self, value: Value<'a>) -> Result<(), DecodeError> {
        merge(self, value.bytes()?)
    }
}

impl<'a, T: Field<'a> + Default> Field<'a> for Option<T> {
    fn take(&mut self, value: Value<'a>) -> Result<(), DecodeError> {
        self.get_or_insert_default().take(value)
    }
}

impl<'a, T: Field<'a> + Default> Field<'a> for Vec<T> {
    fn take(&mut self, value: Value<'a>) -> Result<(), DecodeError> {
        let mut element = T::default();
        element.take(value)?;
        self.push(element);
        Ok(())
    }
}

impl<'a> Field<'a> for Text<'a> {
    fn take(&mut self, value: Value<'a>) -> Result<(), DecodeError> {
        *self = Text::of_bytes(value.bytes()?);
        Ok(())
    }
}

impl Field<'_> for bool {
    fn take(&mut self, value: Value<'_>) -> Result<(), DecodeError> {
        *self = value.varint()? != 0;
        Ok(())
    }
}

impl Field<'_> for i64 {
    fn take(&mut self, value: Value<'_>) -> Result<(), DecodeError> {
        *self = value.varint()?.cast_signed();
        Ok(())
    }
}

/// `runtime.Unknown`: what an object is, and its bytes.
#[derive(Debug, Default)]
struct Unknown<'a> {
    kind: Text<'a>,
    raw: Raw<'a>,
}

/// Bytes, taken as they are.
#[derive(Debug, Default)]
struct Raw<'a>(&'a [u8]);

impl<'a> Field<'a> for Raw<'a> {
    fn take(&mut self, value: Value<'a>) -> Result<(), DecodeError> {
        self.0 = value.bytes()?;
        Ok(())
    }
}

impl<'a> Message<'a> for Unknown<'a> {
    fn merge(&mut self, field: u32, value: Value<'a>) -> Result<(), DecodeError> {
        match field {
            1 => {
                for field in Fields::new(value.bytes()?) {
                    if let (2, kind) = field? {
                        self.kind.take(kind)?;
                    }
                }
                Ok(())
            }
            2 => self.raw.take(value),
            _ => Ok(()),
        }
    }
}

/// `WatchEvent`: its type, and its object inside a `RawExtension`.
#[derive(Debug, Default)]
struct WatchEvent<'a> {
    kind: Text<'a>,
    object: RawExtension<'a>,
}

impl<'a> Message<'a> for WatchEvent<'a> {
    fn merge(&mut self, field: u32, value: Value<'a>) -> Result<(), DecodeError> {
        match field {
            1 => self.kind.take(value),
            2 => self.object.take(value),
            _ => Ok(()),
        }
    }
}

#[derive(Debug, Default)]
struct RawExtension<'a>(Raw<'a>);

impl<'a> Message<'a> for RawExtension<'a> {
    fn merge(&mut self, field: u32, value: Value<'a>) -> Result<(), DecodeError> {
        if field == 1 { self.0.take(value) } else { Ok(()) }
    }
}

/// Reads a slim type: alone, as the items of a list are, or inside its watch event.
///
/// # Errors
/// Where the bytes are not such an object.
pub fn decode<'a, T: Message<'a>>(payload: Payload<'a>) -> Result<T, DecodeError> {
    if !payload.event {
        return message(payload.bytes);
    }
    let event: WatchEvent<'a> = message(payload.bytes)?;
    message(unwrap(event.object.0.0)?.raw.0)
}

fn unwrap(bytes: &[u8]) -> Result<Unknown<'_>, DecodeError> {
    let wrapped = bytes.strip_prefix(MAGIC);
    message(wrapped.ok_or(DecodeError::Protobuf { what: "no k8s prefix" })?)
}

/// Says what a frame of a watch stream is, and reads it where it is not an object for the store.
///
/// # Errors
/// Where the frame is no watch event, of an unknown type, or a bookmark without resourceVersion.
pub fn notification(frame: &[u8]) -> Result<Notification, DecodeError> {
    let event: WatchEvent<'_> = message(frame)?;
    match &*event.kind {
        "ADDED" => Ok(Notification::Object(Op::Added)),
        "MODIFIED" => Ok(Notification::Object(Op::Modified)),
        "DELETED" => Ok(Notification::Object(Op::Deleted)),
        "BOOKMARK" => {
            let partial: Partial<'_> = message(unwrap(event.object.0.0)?.raw.0)?;
            let meta = partial.0;
            Ok(Notification::Bookmark {
                resource_version: super::meta::version(&meta.resource_version)?,
                initial_events_end: meta.initial_events_end,
            })
        }
        // An ERROR whose object is no Status is an error all the same, one without a reason.
        "ERROR" => Ok(Notification::Error(status(event.object.0.0).unwrap_or_default())),
        _ => Err(DecodeError::UnknownType),
    }
}

/// Any object, reduced to what a bookmark says.
#[derive(Debug, Default)]
struct Partial<'a>(BookmarkMeta<'a>);

impl<'a> Message<'a> for Partial<'a> {
    fn merge(&mut self, field: u32, value: Value<'a>) -> Result<(), DecodeError> {
        if field == 1 { self.0.take(value) } else { Ok(()) }
    }
}

#[derive(Debug, Default)]
struct BookmarkMeta<'a> {
    resource_version: Text<'a>,
    initial_events_end: bool,
}

impl<'a> Message<'a> for BookmarkMeta<'a> {
    fn merge(&mut self, field: u32, value: Value<'a>) -> Result<(), DecodeError> {
        match field {
            6 => self.resource_version.take(value),
            12 => {
                let entry: Entry<'_> = message(value.bytes()?)?;
                self.initial_events_end |=
                    &*entry.key == "k8s.io/initial-events-end" && &*entry.value == "true";
                Ok(())
            }
            _ => Ok(()),
        }
    }
}

/// An entry of a map of strings.
#[derive(Clone, Debug, Default, serde::Deserialize)]
#[serde(default)]
pub struct Entry<'a> {
    /// Its key.
    #[serde(borrow)]
    pub key: Text<'a>,
    /// Its value.
    #[serde(borrow)]
    pub value: Text<'a>,
}

impl<'a> Message<'a> for Entry<'a> {
    fn merge(&mut self, field: u32, value: Value<'a>) -> Result<(), DecodeError> {
        match field {
            1 => self.key.take(value),
            2 => self.value.take(value),
            _ => Ok(()),
        }
    }
}

/// Reads the Status in the body of a failed request; `None` where there is none.
#[must_use]
pub fn status(body: &[u8]) -> Option<Status> {
    let unknown = unwrap(body).ok().filter(|unknown| &*unknown.kind == "Status")?;
    let mut status = Status { kind: "Status".into(), ..Status::default() };
    for field in Fields::new(unknown.raw.0) {
        let text = |value: Value<'_>| {
            value.bytes().map(|bytes| String::from_utf8_lossy(bytes).into_owned())
        };
        match field.ok()? {
            (3, value) => status.message = text(value).ok()?,
            (4, value) => status.reason = text(value).ok()?,
            (5, value) => details(&mut status, value.bytes().ok()?)?,
            (6, value) => status.code = u16::try_from(value.varint().ok()?).ok()?,
            _ => {}
        }
    }
    Some(status)
}

fn details(status: &mut Status, bytes: &[u8]) -> Option<()> {
    for field in Fields::new(bytes) {
        match field.ok()? {
            (4, value) => {
                for field in Fields::new(value.bytes().ok()?) {
                    if let (1, reason) = field.ok()? {
                        let reason = String::from_utf8_lossy(reason.bytes().ok()?).into_owned();
                        status.details.causes.push(super::json::Cause { reason });
                    }
                }
            }
            (5, value) => {
                let seconds = value.varint().ok()?.cast_signed().max(0);
                status.details.retry_after_seconds = u32::try_from(seconds).unwrap_or(u32::MAX);
            }
            _ => {}
        }
    }
    Some(())
}

#[cfg(test)]
mod tests;
