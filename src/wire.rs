//! Bytes to objects, with no I/O: frames, lists, the few fields that are kept.
//!
//! A [`Payload`] is one object's bytes and their [`Encoding`]; a kind's slim type takes from it what
//! it needs ([`Decode`]). Nothing else knows how an object was encoded.

pub mod frame;
pub mod json;
pub mod list;
pub mod message;
pub mod meta;
pub mod protobuf;
pub mod stream;
pub mod text;
pub mod time;
pub mod values;

use crate::watch::Op;

/// How objects are encoded on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// `application/json`: a document a list, a line a notification.
    Json,
    /// `application/vnd.kubernetes.protobuf`: an envelope a list, a frame a notification.
    Protobuf,
}

impl Encoding {
    /// The encoding of an answer, by its `Content-Type`.
    #[must_use]
    pub fn of(content_type: &str) -> Self {
        match content_type.starts_with("application/vnd.kubernetes.protobuf") {
            true => Self::Protobuf,
            false => Self::Json,
        }
    }
}

/// What to ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// Protobuf where there is one, else JSON: custom resources have none.
    Auto,
    /// This one only.
    Only(Encoding),
}

impl Wanted {
    /// As `Accept` has it.
    #[must_use]
    pub fn accept(self, shape: Shape) -> String {
        let offer = |media: &str| format!("{media}{}", shape.parameters());
        let [protobuf, json] = ["application/vnd.kubernetes.protobuf", "application/json"];
        match self {
            Self::Auto => format!("{},{}", offer(protobuf), offer(json)),
            Self::Only(Encoding::Json) => offer(json),
            Self::Only(Encoding::Protobuf) => offer(protobuf),
        }
    }
}

/// How much of the objects is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// The objects as they are.
    Whole,
    /// The metadata of a watch's objects.
    Metadata,
    /// The metadata of a list's objects.
    MetadataList,
}

impl Shape {
    /// What the media type is followed by (Kubernetes API concepts, "Metadata-only fetches").
    const fn parameters(self) -> &'static str {
        match self {
            Self::Whole => "",
            Self::Metadata => ";as=PartialObjectMetadata;g=meta.k8s.io;v=v1",
            Self::MetadataList => ";as=PartialObjectMetadataList;g=meta.k8s.io;v=v1",
        }
    }
}

/// The bytes of one object, alone (an item of a list) or inside its watch event.
#[derive(Clone, Copy, Debug)]
pub struct Payload<'a> {
    /// How `bytes` are encoded.
    pub encoding: Encoding,
    /// Whether `bytes` is the whole watch event around the object.
    pub event: bool,
    /// The bytes.
    pub bytes: &'a [u8],
}

/// An object that can be read from a payload, borrowing from it.
pub trait Decode<'a>: Sized {
    /// Reads the object.
    ///
    /// # Errors
    /// Where the bytes are not such an object.
    fn decode(payload: Payload<'a>) -> Result<Self, DecodeError>;
}

/// What a watch notification is, as far as that shows without its object.
#[derive(Debug, PartialEq, Eq)]
pub enum Notification {
    /// ADDED, MODIFIED or DELETED: the object is for the store.
    Object(Op),
    /// BOOKMARK.
    Bookmark {
        /// Everything up to this resourceVersion has been sent.
        resource_version: u64,
        /// The initial state of a streaming list ends here.
        initial_events_end: bool,
    },
    /// ERROR: the last event of a stream, its object a Status.
    Error(json::Status),
}

/// Why bytes are no object. Says where, never what stood there: objects can hold secrets.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum DecodeError {
    /// The JSON is broken, cut off, or of another shape.
    #[error("{what} at line {line}, column {column}")]
    Json {
        /// What kind of trouble.
        what: &'static str,
        /// Line of the trouble, from 1.
        line: usize,
        /// Column of the trouble, from 1.
        column: usize,
    },
    /// The protobuf is broken, cut off, or of another shape.
    #[error("broken protobuf: {what}")]
    Protobuf {
        /// What kind of trouble.
        what: &'static str,
    },
    /// Not UTF-8.
    #[error("not UTF-8 from byte {at} on")]
    Utf8 {
        /// The first bad byte.
        at: usize,
    },
    /// A required field is missing or unusable.
    #[error("no usable {field}")]
    Field {
        /// Its path.
        field: &'static str,
    },
    /// An event type that is not known.
    #[error("unknown event type")]
    UnknownType,
    /// More bytes than the bound.
    #[error("longer than {limit} bytes")]
    TooLong {
        /// The bound.
        limit: usize,
    },
    /// The document ended too early.
    #[error("cut off")]
    CutOff,
    /// Bytes after the end of the document.
    #[error("bytes after the end of the document")]
    Trailing,
}

impl From<serde_json::Error> for DecodeError {
    fn from(error: serde_json::Error) -> Self {
        use serde_json::error::Category;
        let what = match error.classify() {
            Category::Io => "unreadable",
            Category::Syntax => "broken JSON",
            Category::Data => "unexpected JSON",
            Category::Eof => "cut off JSON",
        };
        Self::Json { what, line: error.line(), column: error.column() }
    }
}
