//! Credentials whose files are replaced while the daemon runs.

use std::{sync::Arc, time::Duration};

use tokio::{
    sync::watch,
    time::{Instant, interval},
};

use super::Daemon;
use crate::{
    api::{ReloadResult, ReloadTrigger, client::Client, endpoint::Endpoint, tls::Tls},
    http::gate::Gate,
    telemetry::Telemetry,
    watch::{notice::Notices, trouble::Trouble},
};

/// How often credentials' files are read again.
const RELOAD: Duration = Duration::from_secs(5);
/// How often an unverified server is warned of.
const INSECURE: Duration = Duration::from_secs(60);

/// Reads token, CA and certificate files again and again: the kubelet swaps a symlink, which no
/// notification of the file tells. Warns of a server that is not verified.
pub async fn reload(
    client: &Client,
    telemetry: &Telemetry,
    notices: &Notices,
    proofs: &watch::Sender<u64>,
) {
    let Endpoint { credentials, tls, .. } = &client.endpoint;
    let tls = tls.as_ref();
    let (mut token, mut certificates) =
        (Reread::new("the token"), Reread::new("the CA or client certificate"));
    let mut files = interval(RELOAD);
    let mut insecure = interval(INSECURE);
    loop {
        tokio::select! {
            _ = files.tick() => {}
            _ = insecure.tick() => {
                if tls.is_some_and(Tls::is_insecure) {
                    tracing::warn!(
                        "insecure-skip-tls-verify: anybody in between can read the token and \
                         make up the cluster"
                    );
                }
                continue;
            }
        }
        if let Some(reloaded) = credentials.reload().await {
            telemetry.token_reload(ReloadTrigger::Timer, token.tell(reloaded));
        }
        if let Some(reloaded) = tls.and_then(Tls::reload) {
            telemetry.ca_reload(certificates.tell(reloaded));
        }
        notices.rotate(tls.map_or(0, Tls::generation));
        let proof = client.proof();
        proofs.send_if_modified(|seen| std::mem::replace(seen, proof) != proof);
    }
}

impl Daemon {
    /// Reads the files of a gate, if there is one, again and again.
    pub(super) fn keep_gate(&mut self, what: &'static str, gate: Option<&Arc<Gate>>) {
        let Some(gate) = gate.map(Arc::clone) else { return };
        self.spawn("the reader of a listener's files", |stopping| async move {
            tokio::select! {
                () = reread(what, &gate) => {}
                () = stopping.wait() => {}
            }
        });
    }
}

async fn reread(what: &'static str, gate: &Gate) {
    let mut told = Reread::new(what);
    let mut files = interval(RELOAD);
    loop {
        files.tick().await;
        told.tell(gate.reload());
    }
}

/// What to log of a file that is read again and again.
struct Reread {
    what: &'static str,
    began: Instant,
    trouble: Trouble,
}

impl Reread {
    fn new(what: &'static str) -> Self {
        Self { what, began: Instant::now(), trouble: Trouble::default() }
    }

    fn tell(&mut self, reloaded: Result<ReloadResult, impl std::fmt::Display>) -> ReloadResult {
        let (what, now) = (self.what, self.began.elapsed());
        let result = match reloaded {
            Ok(result) => result,
            Err(error) => {
                if self.trouble.failed(&error.to_string(), now).is_some() {
                    tracing::warn!(%error, "{what} cannot be read again; the last good one stays");
                }
                return ReloadResult::Error;
            }
        };
        if let Some((failures, lasted)) = self.trouble.recovered(now) {
            tracing::info!(failures, ?lasted, "{what} can be read again");
        }
        if result == ReloadResult::Rotated {
            tracing::info!("{what} was rotated");
        }
        result
    }
}

#[cfg(test)]
mod tests;
