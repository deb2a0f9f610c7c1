//! The audit receiver: what the API server's audit webhook tells of all its clients, counted.
//!
//! ```text
//!  kube-apiserver ──POST /audit, TLS──▶ receiver ──chunks──▶ batch ──events──▶ tally ──▶ exposition
//!                                         gate: who may send
//! ```
//!
//! `event`, `batch` and `tally` are pure. An event is read where it stands in the body, counted, and
//! forgotten: neither bodies nor the objects in them are kept.

pub mod batch;
pub mod event;
pub mod receiver;
pub mod tally;
#[cfg(test)]
pub(crate) mod testing;

use crate::label::label;

label! {
    /// Who asked.
    pub enum User {
        /// A kubelet.
        Node = "node",
        /// A service account.
        ServiceAccount = "service_account",
        /// A component of Kubernetes.
        System = "system",
        /// Anybody else whose name the API server knows, a person mostly.
        Human = "human",
        /// Somebody without credentials.
        Anonymous = "anonymous",
        /// Somebody whose credentials were refused, so that their name is not known.
        Unknown = "unknown",
    }
}

label! {
    /// What was asked for.
    pub enum Verb {
        /// GET of one object, or of a path that is no resource.
        Get = "get",
        /// LIST.
        List = "list",
        /// WATCH.
        Watch = "watch",
        /// POST of an object.
        Create = "create",
        /// PUT of an object.
        Update = "update",
        /// PATCH.
        Patch = "patch",
        /// DELETE of one object.
        Delete = "delete",
        /// DELETE of a selection.
        DeleteCollection = "deletecollection",
        /// Anything else, such as POST of a path that is no resource.
        Other = "other",
    }
}

label! {
    /// What authorization said.
    pub enum Decision {
        /// Yes.
        Allow = "allow",
        /// No.
        Forbid = "forbid",
        /// It was not asked: the request ended before.
        None = "none",
    }
}

label! {
    /// What became of what was sent to the receiver.
    pub enum BatchResult {
        /// Counted.
        Accepted = "accepted",
        /// The TLS handshake failed: there was no batch.
        Handshake = "handshake",
        /// Another connection got the place.
        Crowded = "crowded",
        /// No token, or a wrong one.
        Unauthorized = "unauthorized",
        /// Another path or method.
        Misdirected = "misdirected",
        /// Compressed.
        Encoded = "encoded",
        /// The body or an event in it is too large.
        TooLarge = "too_large",
        /// No list of events.
        Undecodable = "undecodable",
        /// The connection broke in the middle of the body.
        CutOff = "cut_off",
        /// The body took too long.
        Slow = "slow",
    }
}

label! {
    /// What became of an event.
    pub enum EventResult {
        /// Its request was counted by it.
        Counted = "counted",
        /// Its batch was sent before.
        Repeated = "repeated",
        /// Its request is counted by another of its events.
        OtherStage = "other_stage",
        /// It does not say what happened.
        Unusable = "unusable",
    }
}
