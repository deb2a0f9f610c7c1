//! The way to the API server, step by step.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::Deserialize;
use tokio::time::{Instant, timeout};

use super::{
    finding::{Finding, Step},
    judge::{self, Session},
};
use crate::{
    api::{
        TlsFailure, TransportReason,
        client::{Client, Trouble},
        connection::{self, Connection, Secured, TransportError},
        endpoint::{Endpoint, FindError, Lookup},
        request::{Ask, Target},
        tls::{Leaf, Problem, Tls},
    },
    config::Loaded,
    rbac::{self, Permission},
    telemetry::Telemetry,
    watch::machine::{FailureKind, Request},
    wire::{
        Encoding, Notification, Wanted,
        stream::{Events, LARGEST, notification},
    },
};

/// Requests whose time is taken.
const REQUESTS: usize = 5;
/// How long a streaming list may take until its end is told.
const STREAM: Duration = Duration::from_secs(5);

/// Why nothing further can be looked at.
struct Stop(&'static str);

/// A check under way.
pub struct Examination<'a> {
    loaded: &'a Loaded,
    telemetry: Telemetry,
    tell: &'a mut dyn FnMut(Finding),
    /// What is being looked at.
    at: Step,
}

/// A connection, and how long each part of its dial took.
struct Dialled {
    connection: Connection,
    phases: Vec<(&'static str, Duration)>,
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
        Self { loaded, telemetry, tell, at: Step::Configuration }
    }

    /// Looks at everything that can be reached, and tells of the rest that it could not.
    pub async fn examine(&mut self, lookup: &Lookup<'_>) {
        if let Err(Stop(why)) = self.go(lookup).await {
            self.skip(why);
        }
    }

    /// The time is over.
    pub fn ran_out(&mut self, within: Duration) {
        let text = format!("not done within {} s", within.as_secs_f32());
        let remedy = "something on the way does not answer; --timeout gives it longer";
        (self.tell)(Finding::failed(self.at, text, remedy));
        self.skip("there was no time left");
    }

    fn skip(&mut self, why: &str) {
        for step in Step::ALL.iter().filter(|step| **step > self.at) {
            (self.tell)(Finding::skipped(*step, why));
        }
    }

    fn tell(&mut self, finding: Finding) {
        self.at = finding.step;
        (self.tell)(finding);
    }

    async fn go(&mut self, lookup: &Lookup<'_>) -> Result<(), Stop> {
        self.configuration();
        self.at = Step::Cluster;
        let endpoint = self.cluster(lookup).await?;
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

    fn configuration(&mut self) {
        let chosen = self.loaded.raw.chosen();
        let chosen: Vec<_> = chosen
            .map(|(key, written)| format!("{key} = {} ({})", written.text, written.origin))
            .collect();
        let text = match chosen.is_empty() {
            true => "the defaults: nothing else is set".into(),
            false => chosen.join("\n"),
        };
        self.tell(Finding::ok(Step::Configuration, text));
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

    async fn dial(&mut self, endpoint: &Endpoint) -> Result<Dialled, Stop> {
        const WHY: &str = "the API server was not reached";
        self.at = Step::Name;
        let mut phases = Vec::new();
        let (found, took) = timed(connection::resolve(endpoint)).await;
        let addresses = found.map_err(|error| self.stop(unresolved(&error, endpoint), WHY))?;
        phases.push(("name", took));
        let shown: Vec<_> = addresses.iter().map(|address| address.ip().to_string()).collect();
        let host = &endpoint.url.host;
        self.tell(Finding::ok(
            Step::Name,
            match shown.as_slice() {
                [only] if only == host => format!("{host} is an address"),
                _ => format!("{host} is {}", shown.join(", ")),
            },
        ));
        self.at = Step::Connect;
        let (connected, took) = timed(connection::connect(&addresses)).await;
        let stream = connected.map_err(|error| self.stop(unconnected(&error), WHY))?;
        phases.push(("TCP", took));
        let peer = stream.peer_addr().map_or_else(|_| endpoint.url.authority(), |a| a.to_string());
        self.tell(Finding::ok(Step::Connect, format!("{peer} in {}", judge::millis(took))));
        self.at = Step::Tls;
        let connection = match &endpoint.tls {
            None => {
                self.tell(Finding::skipped(Step::Tls, "plain http"));
                Connection::http1(stream).await
            }
            Some(tls) => {
                let (shaken, took) = timed(connection::handshake(stream, tls)).await;
                let stream = shaken.map_err(|problem| self.stop(unshaken(&problem), WHY))?;
                phases.push(("TLS", took));
                self.tell(judge::tls(&session(tls, &stream), now()));
                Connection::secure(stream).await
            }
        };
        let connection = connection.map_err(|error| self.stop(broken(&error), WHY))?;
        Ok(Dialled { connection, phases })
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

    /// Whether a list is streamed, and how its objects are encoded: of what is allowed and short.
    async fn lists(&mut self, client: &Client, allowed: &[Permission]) -> Result<(), Stop> {
        let watch = &self.loaded.settings.watch;
        let mut candidates: Vec<_> =
            watch.resources.iter().filter(|watched| !watched.resource.discovered).collect();
        candidates.sort_by_key(|watched| watched.resource.many);
        let found = candidates.iter().find_map(|watched| {
            let right = allowed.iter().find(|right| right.about == watched.resource.name)?;
            Some((*watched, right.namespace.clone()))
        });
        let Some((watched, namespace)) = found else {
            const WHY: &str = "nothing may be listed and watched";
            return Err(self.stop(Finding::skipped(Step::StreamingList, WHY), WHY));
        };
        let target = Target {
            resource: watched.resource.clone(),
            namespace,
            label_selector: watched.label_selector.clone(),
            field_selector: watched.field_selector.clone(),
            whole: watched.resource.extent.is_whole(false),
            wanted: watch.wire,
        };
        let of = watched.resource.name.clone();
        let began = Instant::now();
        let encoding = match streamed(client, &target).await {
            Ok((encoding, true)) => {
                let text = format!("of {of} in {}", judge::millis(began.elapsed()));
                self.tell(Finding::ok(Step::StreamingList, text));
                Some(encoding)
            }
            Ok((encoding, false)) => {
                self.tell(Finding::ok(Step::StreamingList, WITHOUT));
                Some(encoding)
            }
            Err(trouble) if trouble.failure.kind == FailureKind::Unsupported => {
                self.tell(Finding::ok(Step::StreamingList, WITHOUT));
                let page = Request::Page { limit: 1, next: None };
                client.open(&target, &page, None).await.ok().map(|answer| answer.encoding())
            }
            Err(trouble) => {
                self.refused(Step::StreamingList, &trouble)?;
                None
            }
        };
        self.tell(protobuf(watch.wire, encoding, &of));
        Ok(())
    }
}

const ANONYMOUS: &str = "system:anonymous";
const WITHOUT: &str = "not supported (the API server is older than 1.32, or has WatchList switched \
                       off): lists come by pages, which costs it more";

fn protobuf(wanted: Wanted, encoding: Option<Encoding>, of: &str) -> Finding {
    let step = Step::Protobuf;
    match (wanted, encoding) {
        (Wanted::Only(Encoding::Json), _) => Finding::skipped(step, "watch.wire is json"),
        (_, None) => Finding::skipped(step, "no list was answered"),
        (_, Some(Encoding::Protobuf)) => Finding::ok(step, format!("{of} come as protobuf")),
        (_, Some(Encoding::Json)) => Finding::ok(
            step,
            format!("not supported: {of} come as JSON, which costs the API server more"),
        ),
    }
}

/// Opens a streaming list: its encoding, and whether its end is told.
async fn streamed(client: &Client, target: &Target) -> Result<(Encoding, bool), Trouble> {
    let mut answer = client.open(target, &Request::Stream { timeout: STREAM }, None).await?;
    let encoding = answer.encoding();
    let mut events = Events::new(encoding, LARGEST);
    let ended = async {
        while let Ok(Some(bytes)) = answer.chunk().await {
            events.push(&bytes);
            while let Ok(Some(event)) = events.next_event() {
                let event = notification(event);
                if let Ok(Notification::Bookmark { initial_events_end: true, .. }) = event {
                    return true;
                }
            }
        }
        false
    };
    let ended = timeout(STREAM, ended).await.unwrap_or(false);
    Ok((encoding, ended))
}

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

fn session(tls: &Tls, stream: &Secured) -> Session {
    let (_, session) = stream.get_ref();
    let version = match session.protocol_version() {
        Some(rustls::ProtocolVersion::TLSv1_2) => "TLS 1.2",
        _ => "TLS 1.3",
    };
    let protocol = match session.alpn_protocol() {
        Some(b"h2") => "HTTP/2",
        _ => "HTTP/1.1",
    };
    let chain = session.peer_certificates().unwrap_or_default();
    Session {
        protocols: format!("{version}, {protocol}"),
        chain: chain.iter().filter_map(Leaf::read).collect(),
        ca_ends: tls.ca_not_after(),
        ours: tls.client_times(),
        insecure: tls.is_insecure(),
    }
}

fn unresolved(error: &TransportError, endpoint: &Endpoint) -> Finding {
    let remedy = format!("look at the name in {}, and at this machine's DNS", endpoint.origin);
    Finding::failed(Step::Name, &*error.message, remedy)
}

fn unconnected(error: &TransportError) -> Finding {
    let remedy = match error.reason {
        TransportReason::ConnectTimeout => {
            "what is sent there is lost: look at firewalls, security groups and network policies"
        }
        _ => "nothing listens there: look whether the API server runs, and at address and port",
    };
    Finding::failed(Step::Connect, &*error.message, remedy)
}

fn unshaken(problem: &Problem) -> Finding {
    let remedy = match problem.failure {
        TlsFailure::Expired => {
            "renew the API server's certificate; if it is good by its dates, this machine's clock \
             is wrong"
        }
        TlsFailure::NotYetValid => "set the clocks of this machine and of who signed it",
        TlsFailure::UnknownIssuer => {
            "give the CA that signed it: certificate-authority in the kubeconfig, ca.crt of the \
             service account; look at a proxy in between that signs by itself"
        }
        TlsFailure::NameMismatch => {
            "dial a name that the certificate has, or set tls-server-name in the kubeconfig"
        }
        TlsFailure::Protocol => "look at address and port: what answers may speak no such TLS",
        TlsFailure::Io => "look at what is in between: the connection broke in the handshake",
    };
    Finding::failed(Step::Tls, &*problem.message, remedy)
}

fn broken(error: &TransportError) -> Finding {
    let remedy = "look at address and port: what answers may be no API server";
    Finding::failed(Step::Tls, &*error.message, remedy)
}
