//! Exit codes, after BSD's sysexits.

/// The command line or the configuration is wrong.
pub const USAGE: i32 = 64;
/// The cluster cannot be reached, and it was required.
pub const UNAVAILABLE: i32 = 69;
/// A defect of ours, or the machine refuses something we need.
pub const INTERNAL: i32 = 70;

/// An error with the exit code it ends the process with.
#[derive(Debug, thiserror::Error)]
#[error("{error:#}")]
pub struct Exit {
    /// The code.
    pub code: i32,
    /// What happened.
    pub error: anyhow::Error,
}

impl Exit {
    /// The command line or the configuration is wrong.
    pub fn usage(error: impl Into<anyhow::Error>) -> Self {
        Self { code: USAGE, error: error.into() }
    }

    /// The cluster cannot be reached.
    pub fn unavailable(error: impl Into<anyhow::Error>) -> Self {
        Self { code: UNAVAILABLE, error: error.into() }
    }

    /// What was looked for was found, and is told already.
    #[must_use]
    pub fn found(code: i32, summary: String) -> Self {
        Self { code, error: anyhow::anyhow!(summary) }
    }

    /// Anything else.
    pub fn internal(error: impl Into<anyhow::Error>) -> Self {
        Self { code: INTERNAL, error: error.into() }
    }
}
