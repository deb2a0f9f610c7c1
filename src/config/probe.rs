//! How the API server is probed, and the canary.

use std::time::Duration;

use rustls::pki_types::ServerName;

use super::{
    ConfigError,
    raw::Written,
    settings::{Reader, duration, list, wrong},
};
use crate::{
    api::endpoint::{DEFAULT, Url, without_password},
    exposition::catalogue::ENDPOINTS,
    kinds,
};

/// The table of endpoints.
const TABLE: &str = "probe.endpoints";
/// The shortest and the longest time between two rounds.
const INTERVALS: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(3600)];

/// The probes of the API server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Probe {
    /// How often; `None` is never.
    pub interval: Option<Duration>,
    /// How long one request may take.
    pub timeout: Duration,
    /// Servers to probe beside the one that is watched.
    pub endpoints: Vec<Named>,
}

/// An API server that is probed by a name of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named {
    /// Its name in labels.
    pub name: String,
    /// Its address.
    pub url: Url,
    /// What its certificate has to be for, where it is not what that of the watched one has to.
    pub server_name: Option<String>,
}

/// The write that is looked for on its watch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Canary {
    /// The namespace of its Lease.
    pub namespace: String,
    /// The Lease.
    pub lease: String,
    /// How often it is written.
    pub interval: Duration,
}

impl Reader<'_> {
    pub(super) fn probe(&self) -> Result<Probe, ConfigError> {
        let interval = |text: &str| match duration(text)? {
            Duration::ZERO => Some(None),
            time => (INTERVALS[0]..=INTERVALS[1]).contains(&time).then_some(Some(time)),
        };
        Ok(Probe {
            interval: self.parsed("probe.interval", interval)?,
            timeout: self.time("probe.timeout", 1..=60)?,
            endpoints: self.endpoints()?,
        })
    }

    fn endpoints(&self) -> Result<Vec<Named>, ConfigError> {
        let mut endpoints = Vec::new();
        for (name, written) in self.0.entries(TABLE) {
            let few = endpoints.len() < ENDPOINTS - 1;
            let endpoint = Named::read(name, &written.text).filter(|_| few);
            let refused = || {
                let text = without_password(&written.text);
                wrong(&format!("{TABLE}.{name}"), &Written { text, origin: written.origin.clone() })
            };
            endpoints.push(endpoint.ok_or_else(refused)?);
        }
        Ok(endpoints)
    }

    pub(super) fn canary(&self) -> Result<Option<Canary>, ConfigError> {
        let name = |text: &str| kinds::is_label(text).then(|| text.to_owned());
        let off = |text: &str| if text.is_empty() { Some(None) } else { name(text).map(Some) };
        let namespace = self.parsed("canary.namespace", off)?;
        let lease = self.parsed("canary.lease", name)?;
        let interval = self.time("canary.interval", 1..=3600)?;
        Ok(namespace.map(|namespace| Canary { namespace, lease, interval }))
    }
}

impl Named {
    fn read(name: &str, text: &str) -> Option<Self> {
        let mut parts = list(text);
        let url = Url::parse(parts.next()?).ok()?;
        let server_name = parts.next().map(str::to_owned);
        let is_name = |name: &String| ServerName::try_from(name.as_str()).is_ok();
        let right = kinds::is_label(name)
            && name != DEFAULT
            && parts.next().is_none()
            && server_name.as_ref().is_none_or(is_name);
        right.then(|| Self { name: name.to_owned(), url, server_name })
    }
}
