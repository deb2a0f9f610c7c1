//! The way to the API server, step by step.

mod dial;
mod endpoints;
mod lists;

use std::{
    future::Future,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use dial::Dialled;
use serde::Deserialize;
use tokio::time::Instant;

use super::{
    finding::{Finding, Step},
    judge,
};
use crate::{
    api::{
        client::{Client, Trouble},
        connection::Connection,
        endpoint::{Endpoint, FindError, Lookup},
        request::Ask,
        tls::Tls,
    },
    config::Loaded,
    rbac::{self, Permission},
    telemetry::Telemetry,
    watch::machine::FailureKind,
};

/// Requests whose time is taken.
const REQUESTS: usize = 5;

/// Why nothing further can be looked at.
struct Stop(&'static str);

/// A check under way.
pub struct Examination<'a> {
    loaded: &'a Loaded,
    telemetry: Telemetry,
    tell: &'a mut dyn FnMut(Finding),
    /// What is being looked at.
    at: Step,
    /// The servers that are probed beside the one that is watched, once it is known.
    beside: Vec<Endpoint>,
}

/// What `/version` says, as far as it is read.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Version {
    git_version: String,
    #[serde(default)]
    platform: String,
}

impl<'a> Examination<'a> {
    pub fn new(loaded: &'a Loaded, telemetry: Telemetry, tell: &'a mut dyn FnMut(Finding)) -> Self {
        Self { loaded, telemetry, tell, at: Step::Configuration, beside: Vec::new() }
    }

    /// Looks at everything that can be reached, and tells of the rest that it could not. The
    /// servers beside are looked at whatever is the matter with the one that is watched.
    pub async fn examine(&mut self, lookup: &Lookup<'_>) {
        if let Err(Stop(why)) = self.go(lookup).await {
            self.skip(why, Step::Endpoints);
            if self.beside.is_empty() {
                self.tell(Finding::skipped(Step::Endpoints, why));
                return;
            }
        }
        self.endpoints().await;
    }

    /// The time is over.
    pub fn ran_out(&mut self, within: Duration) {
        let text = format!("not done within {} s", within.as_secs_f32());
        let remedy = "something on the way does not answer; --timeout gives it longer";
        (self.tell)(Finding::failed(self.at, text, remedy));
        const WHY: &str = "there was no time left";
        self.skip(WHY, Step::Endpoints);
        if self.at < Step::Endpoints {
            (self.tell)(Finding::skipped(Step::Endpoints, WHY));
        }
    }

    /// Tells that the steps from here up to another were not looked at.
    fn skip(&mut self, why: &str, until: Step) {
        for step in Step::ALL.iter().filter(|step| (self.at..until).contains(step)).skip(1) {
            (self.tell)(Finding::skipped(*step, why));
        }
    }

    fn tell(&mut self, finding: Finding) {
        self.at = finding.step;
        (self.tell)(finding);
    }

    async fn go(&mut self, lookup: &Lookup<'_>) -> Result<(), Stop> {
        self.configuration(lookup)?;
        self.at = Step::Cluster;
        let endpoint = self.cluster(lookup).await?;
        self.beside = self.named(&endpoint)?;
        let Dialled { connection, phases } = self.dial(&endpoint).await?;
        let client = Client::new(endpoint, self.telemetry.clone());
        let identified = self.identity(&client).await;
        self.token(&client);
        self.tell(judge::clock(client.skew()));
        identified?;
        self.at = Step::Ready;
        self.ready(&client).await?;
        self.at = Step::Version;
        let connection = self.version(&client, connection).await?;
        self.at = Step::Permission;
        let allowed = self.permissions(&client).await?;
        self.at = Step::Latency;
        self.latency(&client, connection, &phases).await?;
        self.at = Step::StreamingList;
        self.lists(&client, &allowed).await
    }

    fn configuration(&mut self, lookup: &Lookup<'_>) -> Result<(), Stop> {
        let chosen = self.loaded.raw.chosen();
        let chosen: Vec<_> = chosen
            .map(|(key, written)| format!("{key} = {} ({})", written.text, written.origin))
            .collect();
        let text = match chosen.is_empty() {
            true => "the defaults: nothing else is set".into(),
            false => chosen.join("\n"),
        };
        let shard = self.loaded.settings.sharding.shard((lookup.env)("POD_NAME").as_deref());
        if let Err(error) = shard {
            let remedy = "give the pod its name, or shard.index a number";
            let finding = Finding::failed(Step::Configuration, error.to_string(), remedy);
            return Err(self.stop(finding, "the settings cannot be used"));
        }
        self.tell(Finding::ok(Step::Configuration, text));
        Ok(())
    }

    async fn cluster(&mut self, lookup: &Lookup<'_>) -> Result<Endpoint, Stop> {
        let found = Endpoint::find(lookup).map_err(|error| match error {
            FindError::Nothing { looked } => Finding::failed(
                Step::Cluster,
                format!("none found. Looked for:\n{looked}"),
                "in a pod, keep its service account token mounted (automountServiceAccountToken); \
                 elsewhere give a kubeconfig with --kubeconfig FILE or $KUBECONFIG",
            ),
            other => Finding::failed(Step::Cluster, other.to_string(), "mend it where it says so"),
        });
        let endpoint = found.map_err(|finding| self.stop(finding, "there is no cluster to ask"))?;
        // A plugin may give the certificate for the dial.
        let now = now();
        let given = endpoint.credentials.authorization(endpoint.tls.as_ref(), now).await;
        if let Err(error) = given {
            let remedy = "run the plugin by hand, as the kubeconfig names it";
            let finding = Finding::failed(Step::Cluster, error.to_string(), remedy);
            return Err(self.stop(finding, "there are no credentials"));
        }
        let text = format!("{}, from {}", endpoint.url, endpoint.origin);
        self.tell(Finding::ok(Step::Cluster, text));
        Ok(endpoint)
    }

    fn stop(&mut self, finding: Finding, why: &'static str) -> Stop {
        self.tell(finding);
        Stop(why)
    }

    async fn identity(&mut self, client: &Client) -> Result<(), Stop> {
        self.at = Step::Identity;
        let said = client.endpoint.identity();
        let finding = match client.reviews().identity().await {
            Ok(Some(name)) if name == ANONYMOUS => Finding::warning(
                Step::Identity,
                name,
                "no credentials were sent: give a token or a client certificate",
            ),
            Ok(Some(name)) => Finding::ok(Step::Identity, name),
            Ok(None) => Finding::skipped(
                Step::Identity,
                format!("the API server does not say; our credentials say {said}"),
            ),
            Err(Trouble { failure, message }) if failure.kind == FailureKind::Unauthorized => {
                let ours = client.endpoint.tls.as_ref().and_then(Tls::client_times);
                let now = client.now() / 1_000_000;
                let cause = client.endpoint.credentials.explain(now, ours, false, None);
                let finding = judge::unauthorized(&message, cause);
                return Err(self.stop(finding, "the API server does not accept our credentials"));
            }
            Err(trouble) => return self.refused(Step::Identity, &trouble),
        };
        self.tell(finding);
        Ok(())
    }

    /// Tells of a refusal; without a connection nothing further can be looked at.
    fn refused(&mut self, step: Step, trouble: &Trouble) -> Result<(), Stop> {
        let kind = trouble.failure.kind;
        self.tell(judge::refused(step, kind, &trouble.message));
        match kind {
            FailureKind::Transport(_) => Err(Stop("the API server was not reached again")),
            _ => Ok(()),
        }
    }

    fn token(&mut self, client: &Client) {
        let Endpoint { credentials, tls, .. } = &client.endpoint;
        let none = match credentials.current() {
            None if tls.as_ref().is_some_and(|tls| tls.client_times().is_some()) => {
                "there is none: a certificate says who we are"
            }
            None => "there is none",
            Some(_) => "it tells no times",
        };
        self.tell(judge::token(&credentials.times(), client.now() / 1_000_000, none));
    }

    async fn ready(&mut self, client: &Client) -> Result<(), Stop> {
        match client.ask(&Ask::get("readyz", "/readyz"), None).await {
            Ok(_) => self.tell(Finding::ok(Step::Ready, "/readyz says ok")),
            Err(trouble) => self.refused(Step::Ready, &trouble)?,
        }
        Ok(())
    }

    /// The connection, where it can be used again.
    async fn version(
        &mut self,
        client: &Client,
        connection: Connection,
    ) -> Result<Option<Connection>, Stop> {
        match client.document(&Ask::get("version", "/version"), Some(connection)).await {
            Ok((Version { git_version, platform }, connection)) => {
                let clean = |text: String| -> String {
                    text.chars().filter(|c| !c.is_control()).take(64).collect()
                };
                let text = format!("{} on {}", clean(git_version), clean(platform));
                self.tell(Finding::ok(Step::Version, text));
                Ok(Some(connection))
            }
            Err(trouble) => self.refused(Step::Version, &trouble).map(|()| None),
        }
    }

    /// What of the rights needed is allowed.
    async fn permissions(&mut self, client: &Client) -> Result<Vec<Permission>, Stop> {
        let needed = rbac::needed(&self.loaded.settings);
        let mut reviews = client.reviews();
        let mut allowed = Vec::new();
        let together = |a: &Permission, b: &Permission| {
            (&a.about, &a.namespace, &a.name) == (&b.about, &b.namespace, &b.name)
        };
        for group in needed.chunk_by(together) {
            let mut answers = Vec::new();
            for permission in group {
                match reviews.allowed(permission).await {
                    Ok(answer) => answers.push((permission, answer)),
                    Err(trouble) => {
                        self.refused(Step::Permission, &trouble)?;
                        return Ok(allowed);
                    }
                }
            }
            self.tell(judge::permissions(&answers));
            if answers.iter().all(|(_, answer)| *answer == Some(true)) {
                allowed.extend(group.iter().cloned());
            }
        }
        Ok(allowed)
    }

    async fn latency(
        &mut self,
        client: &Client,
        mut connection: Option<Connection>,
        dial: &[(&'static str, Duration)],
    ) -> Result<(), Stop> {
        let mut took = Vec::new();
        while took.len() < REQUESTS && connection.is_some() {
            let began = Instant::now();
            let ask = Ask::get("version", "/version");
            let answer: Result<(Version, _), _> = client.document(&ask, connection.take()).await;
            match answer {
                Ok((_, again)) => connection = Some(again),
                Err(trouble) => return self.refused(Step::Latency, &trouble),
            }
            took.push(began.elapsed());
        }
        self.tell(match took.is_empty() {
            true => Finding::skipped(Step::Latency, "/version was not answered"),
            false => judge::latency(dial, &took),
        });
        Ok(())
    }
}

const ANONYMOUS: &str = "system:anonymous";

/// By our clock, in seconds since 1970.
fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    since.as_secs().cast_signed()
}

async fn timed<T>(work: impl Future<Output = T>) -> (T, Duration) {
    let began = Instant::now();
    let done = work.await;
    (done, began.elapsed())
}
