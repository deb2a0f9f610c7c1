//! Liveness and readiness, as Kubernetes asks for them.

use http::{Response, StatusCode};

use crate::access::AllMissing;

/// Whoever knows how the daemon is.
pub trait Health: Send + Sync {
    /// Whether the process does its work, whatever the API server does.
    ///
    /// # Errors
    /// What has stopped working.
    fn live(&self) -> Result<(), String>;

    /// One check for each thing that is watched.
    fn ready(&self) -> Vec<Check>;

    /// The rights that are missing.
    fn missing(&self) -> AllMissing;
}

/// The state of one thing that is watched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// What it is.
    pub name: String,
    /// The resource, where it is one that is watched.
    pub resource: Option<String>,
    /// How it is.
    pub verdict: Verdict,
    /// For people: why.
    pub detail: String,
}

/// How a thing that is watched is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Its first list is complete.
    Ready,
    /// Its first list is not complete yet.
    NotReady,
    /// It is not as it should be, and nothing to wait for: it cannot be watched, for want of rights
    /// or of the resource, or an API server does not answer a probe.
    Excused,
}

pub(super) fn livez(health: &dyn Health) -> Response<super::Body> {
    match health.live() {
        Ok(()) => super::text(StatusCode::OK, "ok\n"),
        Err(what) => super::text(StatusCode::INTERNAL_SERVER_ERROR, format!("{what}\n")),
    }
}

/// `told`: whether what is not ready is named, too.
pub(super) fn readyz(health: &dyn Health, query: &str, told: bool) -> Response<super::Body> {
    let checks = health.ready();
    let waiting = checks.iter().any(|check| check.verdict == Verdict::NotReady);
    let verbose = query.split('&').any(|part| part == "verbose" || part.starts_with("verbose="));
    let mut body = String::new();
    let shown = |check: &&Check| told && (verbose || check.verdict == Verdict::NotReady);
    for check in checks.iter().filter(shown) {
        let mark = match check.verdict {
            Verdict::Ready => "[+]",
            Verdict::NotReady => "[-]",
            Verdict::Excused => "[!]",
        };
        body.push_str(&format!("{mark} {}: {}\n", check.name, check.detail));
    }
    body.push_str(if waiting { "not ready\n" } else { "ready\n" });
    let status = if waiting { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::OK };
    super::text(status, body)
}
