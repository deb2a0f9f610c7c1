//! Active probes: what each API server is like for whoever asks it now, on connections of their own.
//!
//! ```text
//!   plan ──▶ prober ──▶ api::Client ──▶ an API server, by its name or by the load balancer's
//!              ├──▶ telemetry: durations, failures by reason
//!              └──▶ board: whether it answered last, for a scrape and for /readyz?verbose
//! ```

pub mod board;
pub mod plan;
pub mod prober;

use crate::{api::TransportReason, label::label, watch::machine::FailureKind};

label! {
    /// What is asked.
    pub enum Question {
        /// `/readyz`: whether the server says that it can serve.
        Readyz = "readyz",
        /// `/version`: an answer that costs the server nothing.
        Version = "version",
        /// A LIST of one object of a resource that may be listed: the way to etcd or its cache.
        List = "list",
    }
}

label! {
    /// On which connection.
    pub enum Way {
        /// One that is kept from round to round.
        Kept = "kept",
        /// A new one, whose dial counts.
        Fresh = "fresh",
    }
}

label! {
    /// Why a probe failed.
    pub enum Failed {
        /// The name did not resolve.
        Dns = "dns",
        /// Nobody listens.
        Refused = "refused",
        /// No answer in time, of whatever part.
        Timeout = "timeout",
        /// The TLS handshake failed; `kubetally_tls_handshake_failures_total` says why.
        Tls = "tls",
        /// The connection broke, or what came on it could not be read.
        Broken = "broken",
        /// 401.
        Unauthorized = "unauthorized",
        /// 403.
        Forbidden = "forbidden",
        /// 429.
        Throttled = "throttled",
        /// 5xx: of `/readyz`, that the server is not ready.
        ServerError = "server_error",
        /// Any other answer.
        Unexpected = "unexpected",
    }
}

impl Failed {
    /// Whether the server has answered, though not as it should.
    #[must_use]
    pub const fn is_answer(self) -> bool {
        match self {
            Self::Unauthorized
            | Self::Forbidden
            | Self::Throttled
            | Self::ServerError
            | Self::Unexpected => true,
            Self::Dns | Self::Refused | Self::Timeout | Self::Tls | Self::Broken => false,
        }
    }
}

impl From<FailureKind> for Failed {
    fn from(kind: FailureKind) -> Self {
        match kind {
            FailureKind::Unauthorized => Self::Unauthorized,
            FailureKind::Forbidden => Self::Forbidden,
            FailureKind::Throttled => Self::Throttled,
            FailureKind::Server | FailureKind::TooLarge => Self::ServerError,
            FailureKind::Expired | FailureKind::NotFound | FailureKind::Unsupported => {
                Self::Unexpected
            }
            FailureKind::Transport(reason) => reason.into(),
        }
    }
}

impl From<TransportReason> for Failed {
    fn from(reason: TransportReason) -> Self {
        match reason {
            TransportReason::Dns => Self::Dns,
            TransportReason::Refused => Self::Refused,
            TransportReason::ConnectTimeout
            | TransportReason::PingTimeout
            | TransportReason::ReadTimeout => Self::Timeout,
            TransportReason::Tls => Self::Tls,
            TransportReason::Reset
            | TransportReason::Goaway
            | TransportReason::Eof
            | TransportReason::Decode => Self::Broken,
        }
    }
}
