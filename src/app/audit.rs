//! The audit receiver's tasks.

use std::{net::SocketAddr, sync::Arc};

use tokio::net::TcpListener;

use super::{Daemon, listen};
use crate::{
    audit::receiver::Receiver,
    config::settings::Settings,
    exit::Exit,
    exposition::Collect,
    http::{self, Serve},
};

/// A receiver that listens, and is not served yet.
pub(super) struct Receiving {
    receiver: Arc<Receiver>,
    listener: TcpListener,
    /// Where it listens.
    pub(super) address: SocketAddr,
}

impl Receiving {
    /// Listens, if the settings want a receiver.
    ///
    /// # Errors
    /// Where a file of the settings is unusable, or the address cannot be listened on.
    pub(super) async fn start(settings: &Settings) -> Result<Option<Self>, Exit> {
        let Some(audit) = &settings.audit else { return Ok(None) };
        let receiver = Receiver::new(&audit.files, &settings.caps);
        let receiver = Arc::new(receiver.map_err(Exit::usage)?);
        let (listener, address) = listen(audit.listen).await?;
        Ok(Some(Self { receiver, listener, address }))
    }
}

impl Daemon {
    /// Serves the receiver; what it counts is shown by what is given back.
    pub(super) fn receive(&mut self, receiving: Receiving) -> Arc<dyn Collect> {
        let Receiving { receiver, listener, address } = receiving;
        tracing::info!(%address, "audit events are taken");
        let (served, limits) = (Arc::clone(&receiver), self.limits.subscribe());
        self.spawn("the audit receiver", |stopping| {
            http::serve(listener, served, limits, stopping.wait())
        });
        self.keep_gate("the audit receiver's certificate, key, tokens or CA", receiver.gate());
        receiver
    }
}
