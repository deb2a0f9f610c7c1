//! Kubetally from outside: each module is a concern.

/// Tokens, certificates, rights.
mod identity;
/// The simulated server says what a real one says.
mod recordings;
/// A cluster, a daemon, a scraper.
mod rig;
/// Lists, watches, counts.
mod watching;
