//! Kubetally watches a Kubernetes cluster and keeps the tally.
//!
//! ```text
//!  kube-apiserver                                                            Prometheus, a person
//!       │ bytes                                                                        ▲ text, gzip
//!       ▼                                                                              │
//!   api::Connection ──▶ wire (frames → objects) ──▶ watch::Machine ──▶ store ──▶ exposition ──▶ http
//!    TLS, token,          JSON, no I/O                list, watch,      facts,
//!    timings                                          resume, relist    tallies
//!       │                                                 │
//!       └──────── telemetry: latency, failures, freshness ┴──▶ prometheus registry ──▶ exposition
//! ```
//!
//! Data goes one way: nothing downstream calls back upstream. `wire`, `kinds`, `watch::machine`,
//! `watch::backoff`, `store`, `exposition`, `page`, `rbac` and what decides in `access` are pure: no
//! sockets, files or clocks; time and randomness come in as arguments.
//!
//! Beside the watches `access` asks who we are and what we may, `probe` asks the API servers how
//! they are, and `canary` how late a watch is; [`audit`] counts what the API server sends by itself,
//! where it is asked to.

pub mod access;
pub mod api;
pub mod app;
pub mod audit;
pub mod canary;
pub mod check;
pub mod cli;
pub mod config;
#[cfg(feature = "demo")]
pub mod demo;
pub mod exit;
pub mod exposition;
pub mod http;
pub mod kinds;
mod label;
pub mod logging;
pub mod page;
pub mod probe;
pub mod rbac;
pub mod shard;
pub mod shutdown;
#[cfg(feature = "demo")]
pub mod sim;
pub mod store;
pub mod telemetry;
pub mod watch;
pub mod wire;
pub mod words;
