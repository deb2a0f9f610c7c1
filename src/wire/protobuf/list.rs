//! Takes a LIST body apart as it arrives: each item as soon as it is whole, the rest at the end.

use super::{Fields, MAGIC, Value, varint};
use crate::wire::{DecodeError, list::Page, meta::version};

/// Takes the body's bytes and gives items. Holds the field under way, at most `limit` bytes.
#[derive(Debug)]
pub struct Items {
    buffer: Vec<u8>,
    /// Bytes of `buffer` that were given out.
    start: usize,
    place: Place,
    kind: Option<bool>,
    page: Page,
    versioned: bool,
    limit: usize,
}

/// How far the body was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Prefix,
    /// In the envelope (`runtime.Unknown`).
    Envelope,
    /// In the list itself, of which so many bytes are to come.
    List(u64),
}

impl Items {
    /// Items of at most `limit` bytes each.
    #[must_use]
    pub const fn new(limit: usize) -> Self {
        Self {
            buffer: Vec::new(),
            start: 0,
            place: Place::Prefix,
            kind: None,
            page: Page { resource_version: 0, next: None, remaining: None },
            versioned: false,
            limit,
        }
    }

    /// Adds what arrived.
    pub fn push(&mut self, chunk: &[u8]) {
        self.buffer.drain(..self.start);
        self.start = 0;
        self.buffer.extend_from_slice(chunk);
    }

    /// The next whole item.
    ///
    /// # Errors
    /// Where a field passes the limit, or the body is no list.
    pub fn next_item(&mut self) -> Result<Option<&[u8]>, DecodeError> {
        loop {
            match self.place {
                Place::Prefix => {
                    let Some(prefix) = self.buffer.get(..MAGIC.len()) else { return Ok(None) };
                    if prefix != MAGIC {
                        return Err(DecodeError::Protobuf { what: "no k8s prefix" });
                    }
                    self.start = MAGIC.len();
                    self.place = Place::Envelope;
                }
                Place::Envelope => {
                    if !self.envelope()? {
                        return Ok(None);
                    }
                }
                Place::List(0) => self.place = Place::Envelope,
                Place::List(left) => {
                    let Some((field, from, to)) = self.next_field()? else { return Ok(None) };
                    let size = (to - self.start) as u64;
                    self.start = to;
                    let left = left.checked_sub(size);
                    let left = left.ok_or(DecodeError::Protobuf { what: "an item too long" })?;
                    self.place = Place::List(left);
                    match field {
                        1 => self.metadata(from, to)?,
                        2 => return Ok(Some(&self.buffer[from..to])),
                        _ => {}
                    }
                }
            }
        }
    }

    /// Reads one field of the envelope; whether there was one.
    fn envelope(&mut self) -> Result<bool, DecodeError> {
        let rest = &self.buffer[self.start..];
        let Some((tag, after)) = varint(rest)? else { return Ok(false) };
        if tag == (2 << 3) | 2 {
            let Some((length, after)) = varint(after)? else { return Ok(false) };
            self.start = self.buffer.len() - after.len();
            self.place = Place::List(length);
            return Ok(true);
        }
        let Some((field, from, to)) = self.next_field()? else { return Ok(false) };
        self.start = to;
        if field == 1 {
            let kind = kind(&self.buffer[from..to])?;
            self.kind = Some(kind.ends_with("List"));
        }
        Ok(true)
    }

    /// Number, begin and end of the field at `start`, once it is whole. Every field here is one
    /// of bytes.
    fn next_field(&self) -> Result<Option<(u64, usize, usize)>, DecodeError> {
        let rest = &self.buffer[self.start..];
        let Some((tag, after)) = varint(rest)? else { return Ok(None) };
        if tag & 7 != 2 {
            return Err(DecodeError::Protobuf { what: "a number where bytes belong" });
        }
        let Some((length, after)) = varint(after)? else { return Ok(None) };
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        if length > self.limit {
            return Err(DecodeError::TooLong { limit: self.limit });
        }
        let from = self.buffer.len() - after.len();
        Ok((after.len() >= length).then_some((tag >> 3, from, from + length)))
    }

    fn metadata(&mut self, from: usize, to: usize) -> Result<(), DecodeError> {
        for field in Fields::new(&self.buffer[from..to]) {
            match field? {
                (2, value) => {
                    self.page.resource_version = version(&text(value)?)?;
                    self.versioned = true;
                }
                (3, value) => self.page.next = Some(text(value)?).filter(|next| !next.is_empty()),
                (4, value) => self.page.remaining = Some(value.varint()?),
                _ => {}
            }
        }
        Ok(())
    }

    /// The page's own data, once the body has ended.
    ///
    /// # Errors
    /// Where the body is cut off, or is no list.
    pub fn finish(self) -> Result<Page, DecodeError> {
        let whole = matches!(self.place, Place::Envelope | Place::List(0));
        if !whole || self.start < self.buffer.len() {
            return Err(DecodeError::CutOff);
        }
        if self.kind != Some(true) {
            return Err(DecodeError::Field { field: "kind" });
        }
        if !self.versioned {
            return Err(DecodeError::Field { field: "metadata.resourceVersion" });
        }
        Ok(self.page)
    }
}

fn text(value: Value<'_>) -> Result<String, DecodeError> {
    let text = std::str::from_utf8(value.bytes()?);
    text.map(str::to_owned).map_err(|error| DecodeError::Utf8 { at: error.valid_up_to() })
}

/// The kind of a type.
fn kind(bytes: &[u8]) -> Result<String, DecodeError> {
    let mut kind = String::new();
    for field in Fields::new(bytes) {
        if let (2, value) = field? {
            kind = text(value)?;
        }
    }
    Ok(kind)
}
