//! The tasks that ask beside the watches: the pulse, probes and the canary.

use std::sync::Arc;

use super::Daemon;
use crate::{
    api::client::Client,
    canary::{self, Canary},
    config::{probe, settings::Settings},
    exit::Exit,
    probe::{
        board::Board,
        prober::{self, Candidate, Prober},
    },
    watch::notice::Notices,
};

impl Daemon {
    /// Asks whether the server is alive for whoever waits for it on HTTP/1.1.
    pub(super) fn feel_pulse(&mut self) {
        let client = Arc::clone(&self.client);
        self.spawn("the pulse", |stopping| async move {
            tokio::select! {
                () = client.pulse() => {}
                () = stopping.wait() => {}
            }
        });
    }

    /// Makes a prober for the API server that is watched, and one for each that is named.
    ///
    /// # Errors
    /// Where one that is named cannot be one.
    pub(super) fn probe(
        &mut self,
        settings: &Settings,
        candidates: &[Candidate],
        notices: &Arc<Notices>,
    ) -> Result<(), Exit> {
        let probe::Probe { interval, timeout, endpoints } = &settings.probe;
        let Some(interval) = *interval else { return Ok(()) };
        let mut clients = vec![Arc::clone(&self.client)];
        for probe::Named { name, url, server_name } in endpoints {
            let endpoint = self.client.endpoint.beside(name, url.clone(), server_name.as_deref());
            let endpoint = endpoint.map_err(Exit::usage)?;
            clients.push(Arc::new(Client::new(endpoint, self.telemetry.clone())));
        }
        let mut board = Board::default();
        let mut notices = Some(Arc::clone(notices));
        for client in clients {
            let prober = Prober::new(prober::Parts {
                row: board.add(Arc::clone(&client)),
                client,
                candidates: candidates.to_vec(),
                telemetry: self.telemetry.clone(),
                interval,
                timeout: *timeout,
                // The first is the one that is watched.
                notices: notices.take(),
                seed: fastrand::u64(..),
            });
            self.spawn("a prober", |stopping| prober.run(stopping.wait()));
        }
        self.probes = Arc::new(board);
        Ok(())
    }

    /// Lets the canary fly, where there is one.
    pub(super) fn fly(&mut self, settings: Option<probe::Canary>) {
        let Some(settings) = settings else { return };
        let (client, telemetry) = (Arc::clone(&self.client), self.telemetry.clone());
        let canary =
            Canary::new(canary::Parts { client, settings, telemetry, id: fastrand::u64(..) });
        self.spawn("the canary", |stopping| canary.run(stopping.wait()));
    }
}
