//! What a step of `kubetally check` found.

use serde::Serialize;

use crate::label::label;

label! {
    /// What is looked at, in this order.
    pub enum Step {
        /// What was set, and where.
        Configuration = "configuration",
        /// Where the API server is, and who says so.
        Cluster = "cluster",
        /// Its name, resolved.
        Name = "name",
        /// A TCP connection.
        Connect = "connect",
        /// A TLS session, and the certificates.
        Tls = "tls",
        /// Whom it takes us for.
        Identity = "identity",
        /// The times of our token.
        Token = "token",
        /// Its clock against ours.
        Clock = "clock",
        /// Whether it says that it is ready.
        Ready = "ready",
        /// What it is.
        Version = "version",
        /// What we may.
        Permission = "permission",
        /// How long requests take.
        Latency = "latency",
        /// Whether a list can be streamed.
        StreamingList = "streaming list",
        /// Whether objects come as protobuf.
        Protobuf = "protobuf",
        /// The servers that are probed beside this one.
        Endpoints = "endpoints",
    }
}

label! {
    /// How it is, from best to worst.
    pub enum Status {
        /// As it should be.
        Ok = "ok",
        /// Not looked at, or not to be known.
        Skipped = "skipped",
        /// It works, and will not always.
        Warning = "warning",
        /// It does not work.
        Failed = "failed",
    }
}

/// What was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Where.
    pub step: Step,
    /// How it is.
    pub status: Status,
    /// In words.
    pub text: String,
    /// What to do about it.
    pub remedy: Option<String>,
}

impl Finding {
    /// It is as it should be.
    pub fn ok(step: Step, text: impl Into<String>) -> Self {
        Self { step, status: Status::Ok, text: text.into(), remedy: None }
    }

    /// It was not looked at, or cannot be known.
    pub fn skipped(step: Step, why: impl Into<String>) -> Self {
        Self { status: Status::Skipped, ..Self::ok(step, why) }
    }

    /// It works, and will not always.
    pub fn warning(step: Step, text: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { status: Status::Warning, remedy: Some(remedy.into()), ..Self::ok(step, text) }
    }

    /// It does not work.
    pub fn failed(step: Step, text: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { status: Status::Failed, remedy: Some(remedy.into()), ..Self::ok(step, text) }
    }
}

/// As `--output json` has it.
impl Serialize for Finding {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeStruct;
        let mut finding = serializer.serialize_struct("Finding", 4)?;
        finding.serialize_field("step", self.step.as_str())?;
        finding.serialize_field("status", self.status.as_str())?;
        finding.serialize_field("text", &self.text)?;
        finding.serialize_field("remedy", &self.remedy)?;
        finding.end()
    }
}
