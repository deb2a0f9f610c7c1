//! Watching: a pure machine that decides, and a driver that does.

pub mod alarm;
pub mod backoff;
pub mod batch;
pub mod board;
pub mod driver;
pub mod listing;
pub mod machine;
pub mod notice;
pub mod progress;
pub mod trouble;

use crate::label::label;

/// What stands in the words on a watch that has failed, between why and when it is tried again.
pub const NEXT_TRY: &str = "; next try in";

label! {
    /// Why a watch ended.
    pub enum EndCause {
        /// The server closed it at its deadline.
        ServerTimeout = "server_timeout",
        /// 410: the resourceVersion is too old.
        Expired = "expired",
        /// 200 and the end at once.
        EmptyClose = "empty_close",
        /// Silent beyond its deadline.
        IdleTimeout = "idle_timeout",
        /// An HTTP/2 ping stayed unanswered, or over HTTP/1.1 what was asked in its place.
        PingTimeout = "ping_timeout",
        /// The server is going away.
        Goaway = "goaway",
        /// 401.
        Unauthorized = "unauthorized",
        /// 403.
        Forbidden = "forbidden",
        /// 429.
        Throttled = "throttled",
        /// Any other failure of the transport or the server.
        Io = "io",
        /// Something that could not be decoded.
        Decode = "decode",
        /// Our certificate was replaced.
        Rotated = "rotated",
        /// We stopped it.
        Shutdown = "shutdown",
    }
}

/// Why something cannot be watched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Denial {
    /// We may not.
    Forbidden,
    /// There is no such resource, or none any more.
    Absent,
}

label! {
    /// Why everything was listed again.
    pub enum RelistCause {
        /// 410: the resourceVersion is too old.
        Expired = "expired",
        /// Ended at once, with nothing.
        EmptyClose = "empty_close",
        /// Something that could not be decoded.
        Decode = "decode",
        /// An answer of the server that is no 410.
        ServerError = "server_error",
        /// Silence beyond what bookmarks allow.
        Watchdog = "watchdog",
        /// The server's resourceVersions went back: etcd was restored from a backup.
        Rewound = "rewound",
        /// The list before this one broke off.
        Incomplete = "incomplete",
    }
}

label! {
    /// How a state was got.
    pub enum SyncMode {
        /// A paged LIST.
        List = "list",
        /// A streaming list.
        Stream = "stream",
    }
}

label! {
    /// A notification of a watch stream.
    pub enum Op {
        /// ADDED.
        Added = "added",
        /// MODIFIED.
        Modified = "modified",
        /// DELETED.
        Deleted = "deleted",
        /// BOOKMARK.
        Bookmark = "bookmark",
        /// ERROR.
        Error = "error",
    }
}

label! {
    /// A sign of life.
    pub enum Activity {
        /// An object arrived.
        Object = "object",
        /// A bookmark arrived.
        Bookmark = "bookmark",
        /// Bytes arrived.
        Transport = "transport",
    }
}
