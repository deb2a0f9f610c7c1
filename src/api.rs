//! The API server's client: where it is, who we are, connections, requests, what its answers mean.

pub mod answer;
pub mod client;
pub mod connection;
pub mod count;
pub mod credentials;
pub mod discovery;
pub mod document;
pub mod endpoint;
pub mod exec;
pub mod flow;
pub mod jwt;
pub mod kubeconfig;
pub mod pulse;
pub mod request;
pub mod review;
pub mod skew;
pub mod source;
pub mod status;
pub mod tls;

use http::Method;

use crate::label::label;

label! {
    /// Why an attempt ended without an HTTP status.
    pub enum TransportReason {
        /// The name did not resolve.
        Dns = "dns",
        /// The connection was refused.
        Refused = "refused",
        /// No connection within the deadline.
        ConnectTimeout = "connect_timeout",
        /// The TLS handshake failed.
        Tls = "tls",
        /// The peer reset the connection or stream.
        Reset = "reset",
        /// The peer is going away.
        Goaway = "goaway",
        /// An HTTP/2 ping stayed unanswered, or over HTTP/1.1 what was asked in its place.
        PingTimeout = "ping_timeout",
        /// Nothing arrived within the deadline.
        ReadTimeout = "read_timeout",
        /// The connection ended in the middle of an answer.
        Eof = "eof",
        /// The answer could not be decoded.
        Decode = "decode",
    }
}

label! {
    /// What a request does.
    pub enum Verb {
        /// LIST.
        List = "list",
        /// WATCH.
        Watch = "watch",
        /// GET of one object or of a path that is no resource.
        Get = "get",
        /// POST.
        Create = "create",
        /// PATCH, by a JSON merge patch (RFC 7386).
        Patch = "patch",
    }
}

impl Verb {
    /// The method of its requests.
    #[must_use]
    pub const fn method(self) -> Method {
        match self {
            Self::List | Self::Watch | Self::Get => Method::GET,
            Self::Create => Method::POST,
            Self::Patch => Method::PATCH,
        }
    }

    /// The media type of what its requests send.
    #[must_use]
    pub const fn content_type(self) -> &'static str {
        match self {
            Self::Patch => "application/merge-patch+json",
            Self::List | Self::Watch | Self::Get | Self::Create => request::JSON,
        }
    }
}

/// What is asked for beside resources that are watched, as our `resource` label shows it.
pub const ASKED: &[&str] = &[
    "selfsubjectreviews",
    "selfsubjectaccessreviews",
    "selfsubjectrulesreviews",
    "tokenreviews",
    "subjectaccessreviews",
    "leases",
    "livez",
    "readyz",
    "version",
];

label! {
    /// The part of an attempt that was timed.
    pub enum Phase {
        /// Resolving the name.
        Dns = "dns",
        /// The TCP handshake.
        Connect = "connect",
        /// The TLS handshake.
        Tls = "tls",
        /// From the request to the first byte of its answer.
        FirstByte = "first_byte",
        /// From the first byte of the answer to its last.
        Body = "body",
    }
}

label! {
    /// Who answered 429.
    pub enum ThrottleSource {
        /// The API server's priority and fairness.
        PriorityAndFairness = "priority_and_fairness",
        /// The API server's limit on requests at a time, where it has no priority and fairness.
        MaxInFlight = "max_in_flight",
        /// A watch cache that is not ready yet.
        WatchCacheInit = "watch_cache_init",
        /// Somebody else, a proxy perhaps.
        Unknown = "unknown",
    }
}

label! {
    /// Why credentials were read again.
    pub enum ReloadTrigger {
        /// The periodic look.
        Timer = "timer",
        /// A 401.
        Unauthorized = "unauthorized",
    }
}

label! {
    /// What reading credentials again gave.
    pub enum ReloadResult {
        /// Something else than before.
        Rotated = "rotated",
        /// The same.
        Unchanged = "unchanged",
        /// Nothing usable: the last good one stays.
        Error = "error",
    }
}

label! {
    /// Why a TLS handshake failed.
    pub enum TlsFailure {
        /// The certificate is past its end.
        Expired = "expired",
        /// The certificate's time has not come.
        NotYetValid = "not_yet_valid",
        /// Signed by nobody we trust.
        UnknownIssuer = "unknown_issuer",
        /// Made for another name.
        NameMismatch = "name_mismatch",
        /// Not TLS as we speak it.
        Protocol = "protocol",
        /// The connection broke.
        Io = "io",
    }
}

label! {
    /// A certificate whose end is watched.
    pub enum Certificate {
        /// The API server's.
        Server = "server",
        /// The cluster's CA.
        Ca = "ca",
        /// Ours.
        Client = "client",
        /// The audit receiver's.
        Audit = "audit",
        /// That of what is scraped.
        Listener = "listener",
    }
}

label! {
    /// What an access review came to.
    pub enum Reviewed {
        /// We may.
        Allowed = "allowed",
        /// We may not.
        Denied = "denied",
        /// Nobody knows: it failed, which is no denial.
        Error = "error",
    }
}

label! {
    /// What a 401 is explained by, from what is known here.
    pub enum UnauthorizedCause {
        /// The token is past its end.
        Expired = "expired",
        /// The token's time has not come.
        NotYetValid = "not_yet_valid",
        /// The token in use was not the one in its file, which had nothing better.
        StaleFile = "stale_file",
        /// The token was replaced meanwhile.
        Rotated = "rotated",
        /// Nothing here explains it.
        Unknown = "unknown",
    }
}
