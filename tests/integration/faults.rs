//! The bad days that a watcher has to survive: each test is named after its number in the table of
//! `docs/reliability.md`, injects its fault into a simulated API server over real sockets and TLS,
//! and compares what a scrape shows with what the server holds.

/// Connections that are refused, told to go away, or of another protocol.
mod connections;
/// Tokens, certificates and rights that change under way.
mod credentials;
/// Errors that the server states, and how often it is asked again.
mod errors;
/// Versions that expire or go back, objects that go while nobody looks.
mod history;
/// Lists: broken, cut off, page by page, streamed.
mod lists;
/// Slow readers, storms, clocks that jump.
mod pressure;
/// Servers and networks that fall silent.
mod silence;
/// Bytes of a watch: pieces, garbage, ends.
mod streams;
