//! Kubetally from outside: each module is a concern.

/// Who we are and what we may: reviewed, and kept true.
mod access;
/// The serving side under attack.
mod attacks;
/// The audit receiver over TLS: who may send, what is refused, what is counted.
mod audit;
#[path = "../support/binary.rs"]
mod binary;
/// The command line: what each command prints, how it ends, and how the daemon takes signals.
mod check;
mod cli;
/// The daemon as a process, for as long as a test needs it.
mod daemon;
/// What is shipped under `deploy/` fits the binary, and its parts fit each other.
mod deploy;
/// A series an object, as kube-state-metrics has it.
mod detail;
/// The pages under `docs/` say what the binary does.
mod docs;
#[path = "../support/eventually.rs"]
mod eventually;
/// The fault matrix, test by test.
mod faults;
#[path = "../support/http.rs"]
mod fetch;
/// What is fuzzed, by the inputs that are kept.
mod fuzz;
#[path = "../support/get.rs"]
mod get;
/// A whole scrape.
mod golden;
/// HTTPS, and who may scrape.
mod guarded;
/// What a server or a tenant may send to do harm.
mod hostile;
/// The HTTP side on real sockets: routes, formats, limits, drain.
mod http;
/// Tokens, certificates, rights.
mod identity;
/// Kinds that are only counted, and resources that are not in the table.
mod kinds;
/// What is pure stays pure.
mod layering;
/// The rules of the kubernetes-mixin go on working.
mod mixin;
/// Any history against a naive API server.
mod model;
mod oracle;
/// The page on real sockets: what it says, its updates, their cap and their end.
mod page;
/// What is asked beside the watches: probes, the canary, the server's clock.
mod probes;
/// The simulated server says what a real one says.
mod recordings;
/// What a real API server said is read as it should be.
mod replay;
/// A cluster, a daemon, a scraper.
mod rig;
/// A client of our listeners, over TLS.
mod sender;
/// Several daemons that share the objects.
mod sharding;
mod stopping;
/// Lists, watches, counts.
mod watching;
