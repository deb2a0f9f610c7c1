//! What the daemon serves: scrapes, health, the page.

use std::sync::{Arc, PoisonError};

use tokio::net::TcpListener;

use super::{Daemon, Process};
use crate::{
    access::{Access, AllMissing},
    api::Certificate,
    cli::VERSION,
    config::{
        listeners::{Authorization, Http},
        settings::Settings,
    },
    exit::Exit,
    exposition::Collect,
    http::{
        self, Router,
        gate::Gate,
        guard::Guard,
        health::{Check, Health},
        page::{Memory, Pages},
        scrape::Scrapes,
    },
    probe,
    watch::board::Board,
};

/// Health, as the board, the rights and the process tell it.
struct Checks {
    board: Arc<Board>,
    access: Arc<Access>,
    probes: Arc<probe::board::Board>,
    process: Arc<Process>,
}

/// TLS of what is scraped, if the settings want it.
///
/// # Errors
/// Where a file is unusable.
pub(super) fn gate(settings: &Settings) -> Result<Option<Arc<Gate>>, Exit> {
    let gate = settings.http.files.as_ref().map(|files| Gate::new(Certificate::Listener, files));
    Ok(gate.transpose().map_err(Exit::usage)?.map(Arc::new))
}

impl Daemon {
    pub(super) fn serve(
        &mut self,
        listener: TcpListener,
        mut collectors: Vec<Arc<dyn Collect>>,
        settings: &Http,
        gate: Option<Arc<Gate>>,
    ) -> Result<(), Exit> {
        let guard = match settings.authorization {
            Authorization::None => None,
            Authorization::Cluster => {
                Some(Guard::new(Arc::clone(&self.client)).map_err(Exit::internal)?)
            }
        };
        collectors.push(Arc::clone(&self.board) as Arc<dyn Collect>);
        collectors.push(Arc::clone(&self.access) as Arc<dyn Collect>);
        collectors.push(Arc::clone(&self.probes) as Arc<dyn Collect>);
        collectors.push(Arc::clone(&self.client) as Arc<dyn Collect>);
        collectors.push(Arc::clone(&self.process) as Arc<dyn Collect>);
        collectors.push(Arc::new(self.telemetry.clone()));
        let health: Arc<dyn Health> = Arc::new(Checks {
            board: Arc::clone(&self.board),
            access: Arc::clone(&self.access),
            probes: Arc::clone(&self.probes),
            process: Arc::clone(&self.process),
        });
        let page = settings.page.then(|| self.paint(collectors.clone(), Arc::clone(&health)));
        collectors.extend(gate.iter().map(|gate| Arc::clone(gate) as Arc<dyn Collect>));
        let scrapes = Scrapes::new(collectors, self.telemetry.clone());
        self.keep_gate("the listener's certificate or key", gate.as_ref());
        let router = Arc::new(Router {
            scrapes,
            health,
            page,
            gate,
            guard,
            telemetry: self.telemetry.clone(),
        });
        let limits = self.limits.subscribe();
        self.spawn("the listener", |stopping| {
            http::serve(listener, router, limits, stopping.wait())
        });
        Ok(())
    }

    /// Makes the page, and what remembers for it.
    fn paint(&mut self, collectors: Vec<Arc<dyn Collect>>, health: Arc<dyn Health>) -> Arc<Pages> {
        let client = Arc::clone(&self.client);
        let pages = Arc::new(Pages {
            collectors,
            health,
            clock: Box::new(move || client.now()),
            build: VERSION,
            stopping: self.shutdown.stopping(),
            memory: Memory::default(),
        });
        let remembering = Arc::clone(&pages);
        self.spawn("the page's memory", |stopping| async move {
            tokio::select! {
                () = remembering.remember() => {}
                () = stopping.wait() => {}
            }
        });
        pages
    }
}

impl Health for Checks {
    fn live(&self) -> Result<(), String> {
        match *self.process.ended.lock().unwrap_or_else(PoisonError::into_inner) {
            Some(name) => Err(format!("{name} has ended")),
            None => Ok(()),
        }
    }

    fn ready(&self) -> Vec<Check> {
        let mut checks = self.board.checks(&self.access.missing());
        checks.extend(self.probes.checks());
        checks
    }

    fn missing(&self) -> AllMissing {
        self.access.missing()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_task_that_ended_ends_liveness() {
        let process = Arc::<Process>::default();
        let access = Arc::new(Access::new(Vec::new()));
        let (board, probes) = (Arc::default(), Arc::default());
        let checks = Checks { board, access, probes, process: Arc::clone(&process) };
        assert_eq!(checks.live(), Ok(()));
        *process.ended.lock().expect("no panic") = Some("a watcher");
        assert_eq!(checks.live(), Err("a watcher has ended".into()));
    }
}
