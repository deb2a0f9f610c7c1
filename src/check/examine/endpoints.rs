//! The servers that are probed beside the one that is watched.

use tokio::time::timeout;

use super::{Examination, Stop, timed};
use crate::{
    api::{
        client::{Client, Trouble, silent},
        endpoint::Endpoint,
        request::Ask,
    },
    check::{
        finding::{Finding, Step},
        judge,
    },
    config::probe::Named,
};

impl Examination<'_> {
    /// The servers that are named for probes.
    pub(super) fn named(&mut self, endpoint: &Endpoint) -> Result<Vec<Endpoint>, Stop> {
        let named = self.loaded.settings.probe.endpoints.iter();
        let beside = named.map(|Named { name, url, server_name }| {
            endpoint.beside(name, url.clone(), server_name.as_deref())
        });
        beside.collect::<Result<_, _>>().map_err(|error| {
            let remedy = "mend probe.endpoints";
            let finding = Finding::failed(Step::Cluster, error.to_string(), remedy);
            self.stop(finding, "a server is named that cannot be one")
        })
    }

    /// Whether each server that is named for probes says that it is ready.
    pub(super) async fn endpoints(&mut self) {
        self.at = Step::Endpoints;
        let beside = std::mem::take(&mut self.beside);
        if beside.is_empty() {
            let text = "none is named beside the one that is watched (probe.endpoints)";
            self.tell(Finding::ok(Step::Endpoints, text));
        }
        let (ask, within) = (Ask::get("readyz", "/readyz"), self.loaded.settings.probe.timeout);
        for endpoint in beside {
            let named = format!("{}, {}", endpoint.name, endpoint.url);
            let client = Client::new(endpoint, self.telemetry.clone());
            let asked = async {
                let answer = client.ask(&ask, None);
                timeout(within, answer).await.unwrap_or_else(|_| Err(silent().into()))
            };
            let finding = match timed(asked).await {
                (Ok(_), took) => {
                    let took = judge::millis(took);
                    Finding::ok(Step::Endpoints, format!("{named}: ok in {took}, dial included"))
                }
                (Err(Trouble { failure, message }), _) => {
                    judge::refused(Step::Endpoints, failure.kind, &format!("{named}: {message}"))
                }
            };
            self.tell(finding);
        }
    }
}
