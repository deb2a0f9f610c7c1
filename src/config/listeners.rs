//! The listeners: the one that is scraped, and the receiver of audit events.

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use super::{
    ConfigError,
    settings::{Reader, wrong},
};

/// The listener that Prometheus scrapes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Http {
    /// Address to listen on.
    pub listen: SocketAddr,
    /// How long a stop waits for scrapes under way.
    pub drain: Duration,
    /// Connections at a time.
    pub max_connections: usize,
    /// How long a reader may take nothing of an answer.
    pub write_timeout: Duration,
    /// Whether there is a page for people.
    pub page: bool,
    /// Its certificate; without one it is in plain text.
    pub files: Option<Files>,
    /// Who may read what it tells.
    pub authorization: Authorization,
}

/// Who may read metrics and the page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Authorization {
    /// Whoever reaches the listener.
    None,
    /// Whoever the cluster allows to get `/metrics`.
    Cluster,
}

/// The files of a listener with TLS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Files {
    /// Its certificate chain, PEM.
    pub certificate: PathBuf,
    /// The key of it, PEM.
    pub key: PathBuf,
    /// Tokens, one a line, of which its clients show one.
    pub tokens: Option<PathBuf>,
    /// The CA of the certificates that its clients show, PEM.
    pub client_ca: Option<PathBuf>,
}

/// The receiver of audit events. Who sends them shows a token, a certificate or both: settings with
/// neither are refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Audit {
    /// Address to listen on.
    pub listen: SocketAddr,
    /// Its certificate, and its senders' proofs.
    pub files: Files,
}

impl Reader<'_> {
    pub(super) fn http(&self) -> Result<Http, ConfigError> {
        let http = Http {
            listen: self.parsed("http.listen", |text| text.parse().ok())?,
            drain: self.time("http.drain", 0..=300)?,
            max_connections: self.number("http.max_connections", 1..=10_000)?,
            write_timeout: self.time("http.write_timeout", 1..=600)?,
            page: self.parsed("http.page", |text| text.parse().ok())?,
            files: self.certified()?,
            authorization: self.parsed("http.authorization", authorization)?,
        };
        // Tokens would be read on their way.
        let open = http.files.is_none() && !http.listen.ip().is_loopback();
        match self.0.written("http.authorization") {
            Some(written) if open && http.authorization == Authorization::Cluster => {
                Err(wrong("http.authorization", written))
            }
            _ => Ok(http),
        }
    }

    /// Both the certificate and its key, or neither.
    fn certified(&self) -> Result<Option<Files>, ConfigError> {
        let [certificate, key] = ["http.certificate", "http.key"];
        if [certificate, key].iter().all(|name| self.optional(name).is_none()) {
            return Ok(None);
        }
        Ok(Some(Files {
            certificate: self.parsed(certificate, file)?,
            key: self.parsed(key, file)?,
            tokens: None,
            client_ca: None,
        }))
    }

    pub(super) fn audit(&self) -> Result<Option<Audit>, ConfigError> {
        let Some(_) = self.0.get("audit.listen") else { return Ok(None) };
        let listen = self.parsed("audit.listen", |text| text.parse().ok())?;
        let files = Files {
            certificate: self.parsed("audit.certificate", file)?,
            key: self.parsed("audit.key", file)?,
            tokens: self.optional("audit.token_file"),
            client_ca: self.optional("audit.client_ca"),
        };
        if files.client_ca.is_none() {
            self.parsed("audit.token_file", file)?;
        }
        Ok(Some(Audit { listen, files }))
    }
}

fn authorization(text: &str) -> Option<Authorization> {
    match text {
        "none" => Some(Authorization::None),
        "cluster" => Some(Authorization::Cluster),
        _ => None,
    }
}

/// A file that is named.
pub(super) fn file(text: &str) -> Option<PathBuf> {
    (!text.is_empty()).then(|| text.into())
}
