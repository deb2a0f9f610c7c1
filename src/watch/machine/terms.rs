//! What goes into the machine and what comes out of it.

use std::time::Duration;

use crate::{
    api::{TransportReason, Verb},
    watch::{EndCause, Op, RelistCause, SyncMode},
};

/// What can be chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// Whether the server keeps a watch cache of the resource and so sends bookmarks.
    pub cached: bool,
    /// What is asked for as `timeoutSeconds`, before jitter (from this to twice this).
    pub timeout: Duration,
    /// Objects a page of a paged LIST.
    pub page_size: u32,
}

/// A request to the API server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    /// A streaming list at the newest state, which goes on as a watch.
    Stream {
        /// `timeoutSeconds`.
        timeout: Duration,
    },
    /// A page of a LIST at the newest state.
    Page {
        /// `limit`; 0 for all at once.
        limit: u32,
        /// `continue`, from the page before.
        next: Option<String>,
    },
    /// A watch from where we are.
    Watch {
        /// `resourceVersion`.
        resource_version: u64,
        /// `timeoutSeconds`.
        timeout: Duration,
    },
}

impl Request {
    /// Whether a list begins with it.
    #[must_use]
    pub const fn begins_list(&self) -> bool {
        matches!(self, Self::Stream { .. } | Self::Page { next: None, .. })
    }

    /// The verb, as RBAC and the metrics have it.
    #[must_use]
    pub const fn verb(&self) -> Verb {
        match self {
            Self::Page { .. } => Verb::List,
            Self::Stream { .. } | Self::Watch { .. } => Verb::Watch,
        }
    }
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// The time of [`Machine::deadline`](super::Machine::deadline) has come.
    Timer,
    /// The request was answered with 200.
    Opened,
    /// The request was not answered with 200, or an ERROR event came.
    Failed(Failure),
    /// Bytes arrived.
    Bytes,
    /// An object was given to the store.
    Object {
        /// What its notification was.
        op: Op,
        /// Its resourceVersion.
        resource_version: u64,
    },
    /// A bookmark.
    Bookmark {
        /// Everything up to this resourceVersion has been sent.
        resource_version: u64,
        /// The initial state of a streaming list ends here.
        initial_events_end: bool,
    },
    /// Something arrived that could not be decoded.
    Undecodable,
    /// A page of a LIST ended well.
    Page {
        /// The state of the list.
        resource_version: u64,
        /// The token of the next page.
        next: Option<String>,
    },
    /// The body ended: as it should (`None`) or broken off.
    Ended(Option<TransportReason>),
    /// Our certificate is another one: a connection made with the old one should go.
    Rotated,
    /// The server's resourceVersions went back: what is watched from ours on is not all there is.
    Rewound,
    /// A right that was missing is there: whoever waits for it need wait no longer.
    Granted,
}

/// Why a request failed, as far as it decides what to do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Failure {
    /// What it was.
    pub kind: FailureKind,
    /// What the server asked for, bounded by whoever read it.
    pub retry_after: Option<Duration>,
}

/// What a failure was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FailureKind {
    /// 410: the resourceVersion or the continue token is too old.
    Expired,
    /// 504 with the cause ResourceVersionTooLarge: the server is behind.
    TooLarge,
    /// 401.
    Unauthorized,
    /// 403.
    Forbidden,
    /// 404: no such resource.
    NotFound,
    /// 429, whoever said it.
    Throttled,
    /// 400, 406, 415, 422: not in this form.
    Unsupported,
    /// Anything else the server said.
    Server,
    /// No HTTP status at all.
    Transport(TransportReason),
}

/// What to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Send this; whatever was open is closed.
    Open(Request),
    /// Close what is open.
    Close,
    /// What comes is a list: mark what is seen.
    BeginList,
    /// The list ended well: remove what was not seen.
    EndList(SyncMode),
    /// A watch ended, or could not be opened. For the metrics.
    Ended(EndCause),
    /// Everything will be listed again. For the metrics.
    Relist(RelistCause),
    /// The next request is one more try after a failure. For the metrics.
    Retry(Verb),
}

impl FailureKind {
    pub(super) const fn end_cause(self) -> EndCause {
        match self {
            Self::Expired => EndCause::Expired,
            Self::Unauthorized => EndCause::Unauthorized,
            Self::Forbidden => EndCause::Forbidden,
            Self::Throttled => EndCause::Throttled,
            Self::TooLarge | Self::NotFound | Self::Unsupported | Self::Server => EndCause::Io,
            Self::Transport(reason) => transport_cause(reason),
        }
    }
}

/// Why a watch ended whose body ended so.
pub(super) fn end_cause(reason: Option<TransportReason>) -> EndCause {
    reason.map_or(EndCause::ServerTimeout, transport_cause)
}

const fn transport_cause(reason: TransportReason) -> EndCause {
    match reason {
        TransportReason::Goaway => EndCause::Goaway,
        TransportReason::PingTimeout => EndCause::PingTimeout,
        TransportReason::ReadTimeout => EndCause::IdleTimeout,
        TransportReason::Decode => EndCause::Decode,
        TransportReason::Dns
        | TransportReason::Refused
        | TransportReason::ConnectTimeout
        | TransportReason::Tls
        | TransportReason::Reset
        | TransportReason::Eof => EndCause::Io,
    }
}
