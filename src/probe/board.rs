//! How the API servers that are probed are, for the gauges of a scrape and for `/readyz?verbose`.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::{
    api::{client::Client, endpoint::DEFAULT},
    exposition::{Collect, Exposition, catalogue::API_UP},
    http::health::{Check, Verdict},
};

/// All servers that are probed.
#[derive(Debug, Default)]
pub struct Board(Vec<(Arc<Client>, Arc<Row>)>);

/// One server's state: its prober writes, scrapes read.
#[derive(Debug, Default)]
pub struct Row(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    /// Whether the last probe was answered; `None` before the first.
    up: Option<bool>,
    /// For people: the last round.
    detail: String,
}

impl Board {
    /// Adds a row for a prober.
    pub fn add(&mut self, client: Arc<Client>) -> Arc<Row> {
        let row = Arc::<Row>::default();
        row.describe("not probed yet");
        self.0.push((client, Arc::clone(&row)));
        row
    }

    /// One check for each server. None is one to wait for: who reads our metrics should do so most
    /// of all while a server is down.
    #[must_use]
    pub fn checks(&self) -> Vec<Check> {
        let check = |(client, row): &(Arc<Client>, Arc<Row>)| {
            let State { up, detail } = &*row.state();
            let verdict = if *up == Some(false) { Verdict::Excused } else { Verdict::Ready };
            let Client { endpoint, .. } = &**client;
            let name = format!("probe of {} ({})", endpoint.name, endpoint.url);
            Check { name, resource: None, verdict, detail: detail.clone() }
        };
        self.0.iter().map(check).collect()
    }
}

impl Collect for Board {
    fn collect(&self, out: &mut Exposition) {
        for (client, row) in &self.0 {
            let name = client.endpoint.name.as_str();
            if let Some(up) = row.state().up {
                out.sample(&API_UP, &[name], up);
            }
            // The one that is watched shows its own.
            if name != DEFAULT {
                client.show_skew(out);
            }
        }
    }
}

impl Row {
    /// Notes whether a probe was answered.
    pub fn set(&self, up: bool) {
        self.state().up = Some(up);
    }

    /// Notes, for people, how a round went.
    pub fn describe(&self, detail: impl Into<String>) {
        self.state().detail = detail.into();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
