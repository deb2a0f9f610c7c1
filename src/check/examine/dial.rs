//! The dial: name, TCP, TLS, each told by itself.

use std::time::Duration;

use super::{Examination, Stop, now, timed};
use crate::{
    api::{
        TlsFailure, TransportReason,
        connection::{self, Connection, Secured, TransportError},
        endpoint::Endpoint,
        tls::{Leaf, Problem, Tls},
    },
    check::{
        finding::{Finding, Step},
        judge::{self, Session},
    },
};

/// A connection, and how long each part of its dial took.
pub(super) struct Dialled {
    pub connection: Connection,
    pub phases: Vec<(&'static str, Duration)>,
}

impl Examination<'_> {
    pub(super) async fn dial(&mut self, endpoint: &Endpoint) -> Result<Dialled, Stop> {
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
