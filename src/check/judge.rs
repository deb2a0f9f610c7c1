//! What is found means: facts in, findings out. No sockets and no clocks.

use std::{fmt::Write, time::Duration};

use jiff::Timestamp;

use super::finding::{Finding, Step};
use crate::{
    api::{TransportReason, UnauthorizedCause, jwt::TokenTimes, skew::Estimate, tls::Leaf},
    rbac::{self, Permission},
    watch::machine::FailureKind,
};

/// A certificate that ends sooner is warned of, in seconds.
const SOON: i64 = 7 * 86_400;
/// How much too early the API server still takes a token, in seconds (go-jose's `DefaultLeeway`).
const LEEWAY: i64 = 60;
/// Clocks that are further apart are warned of, in microseconds.
const APART: i64 = 1_000_000;

/// A TLS session: its version and protocol, the chain shown, what is trusted and when that ends,
/// the client certificate's begin and end. Times are in seconds since 1970.
#[derive(Clone, Debug, Default)]
pub struct Session {
    /// Such as `TLS 1.3, HTTP/2`.
    pub protocols: String,
    /// The server's certificate first, then who signed it.
    pub chain: Vec<Leaf>,
    /// When the first of the CA's certificates ends.
    pub ca_ends: Option<i64>,
    /// Our certificate's begin and end.
    pub ours: Option<(i64, i64)>,
    /// Whether nothing was verified.
    pub insecure: bool,
}

/// The certificates of a session that could be made.
#[must_use]
pub fn tls(session: &Session, now: i64) -> Finding {
    let mut text = session.protocols.clone();
    let mut add = |line: String| {
        // Writing to a String cannot fail.
        write!(text, "\n{line}").unwrap_or_default();
    };
    let mut ends: Vec<(&str, i64)> = Vec::new();
    for (at, Leaf { subject, issuer, not_after, .. }) in session.chain.iter().enumerate() {
        let ending = time(*not_after, now);
        match at {
            0 => add(format!("the server's {subject}, signed by {issuer}, ends {ending}")),
            _ => add(format!("sent along: {subject}, signed by {issuer}, ends {ending}")),
        }
        ends.push(("the server's certificate", *not_after));
    }
    if let Some(end) = session.ca_ends {
        add(format!("the CA in use ends {}", time(end, now)));
        ends.push(("the CA's certificate", end));
    }
    if let Some((_, end)) = session.ours {
        add(format!("our certificate ends {}", time(end, now)));
        ends.push(("our certificate", end));
    }
    if session.insecure {
        let remedy = "give the cluster's CA (certificate-authority) and take \
                      insecure-skip-tls-verify away: anybody in between can read the token";
        return Finding::warning(Step::Tls, format!("NOT VERIFIED: {text}"), remedy);
    }
    match ends.into_iter().min_by_key(|(_, end)| *end) {
        Some((what, end)) if end - now < SOON => {
            Finding::warning(Step::Tls, text, format!("renew {what}: it ends {}", time(end, now)))
        }
        _ => Finding::ok(Step::Tls, text),
    }
}

/// The times of the token in use, at `now` by the server's clock in seconds since 1970; `none`
/// says what stands in for a token that is not there.
#[must_use]
pub fn token(times: &TokenTimes, now: i64, none: &str) -> Finding {
    let TokenTimes { issued, not_before, warn_after, expires } = *times;
    let known = [
        ("issued", issued),
        ("good from", not_before.filter(|begin| Some(*begin) != issued)),
        ("to be replaced", warn_after),
        ("expires", expires),
    ];
    let shown = known.iter().filter_map(|(what, at)| Some(format!("{what} {}", time((*at)?, now))));
    let text = shown.collect::<Vec<_>>().join("\n");
    let past = |at: Option<i64>| at.is_some_and(|at| at <= now);
    match () {
        () if text.is_empty() => Finding::skipped(Step::Token, none),
        () if past(expires) => Finding::failed(Step::Token, text, EXPIRED),
        () if not_before.is_some_and(|begin| begin > now + LEEWAY) => {
            Finding::failed(Step::Token, text, NOT_YET)
        }
        () if past(warn_after) => Finding::warning(
            Step::Token,
            text,
            "it should have been replaced by now: look at the kubelet of this pod's node, or mint \
             a new one; it works until it expires",
        ),
        () => Finding::ok(Step::Token, text),
    }
}

const EXPIRED: &str = "the token has expired: in a pod look at the kubelet of its node, which \
                       should have replaced it; elsewhere log in again or mint a new one (kubectl \
                       create token)";
const NOT_YET: &str = "the token's time has not come: compare the clocks of this machine, of the \
                       API server and of whoever issued the token";

/// A 401 of who said so and why it may be.
#[must_use]
pub fn unauthorized(message: &str, cause: UnauthorizedCause) -> Finding {
    let remedy = match cause {
        UnauthorizedCause::Expired => EXPIRED,
        UnauthorizedCause::NotYetValid => NOT_YET,
        UnauthorizedCause::StaleFile => {
            "the token in its file is past the time at which it should have been replaced: look at \
             the kubelet of this pod's node"
        }
        UnauthorizedCause::Rotated => "the token was just replaced: check again",
        UnauthorizedCause::Unknown => {
            "nothing here explains it: the token may have been revoked (its pod, secret or service \
             account deleted), made for another cluster or audience, or be no token at all"
        }
    };
    Finding::failed(Step::Identity, format!("401: {message}"), remedy)
}

/// The server's clock against ours.
#[must_use]
pub fn clock(estimate: Option<Estimate>) -> Finding {
    let Some(Estimate { skew, error }) = estimate else {
        return Finding::skipped(Step::Clock, "no answer had a Date");
    };
    let text = match skew.abs() > error {
        true => format!(
            "the API server's is {:.1} s {} ours, give or take {:.1} s",
            seconds(skew.abs()),
            if skew > 0 { "ahead of" } else { "behind" },
            seconds(error)
        ),
        false => format!("the same, give or take {:.1} s", seconds(error)),
    };
    if skew.abs() - error > APART {
        return Finding::warning(
            Step::Clock,
            text,
            "set both by NTP: lags are corrected for it here, tokens and certificates are not",
        );
    }
    Finding::ok(Step::Clock, text)
}

/// What of a resource is allowed in a scope: each right with its answer, where there is one.
#[must_use]
pub fn permissions(answers: &[(&Permission, Option<bool>)]) -> Finding {
    let named = |wanted: Option<bool>| {
        let chosen = answers.iter().filter(|(_, allowed)| *allowed == wanted);
        chosen.map(|(permission, _)| *permission).collect::<Vec<_>>()
    };
    let verbs = |permissions: &[&Permission]| {
        permissions.iter().map(|permission| permission.verb.as_str()).collect::<Vec<_>>().join(", ")
    };
    let (allowed, denied, unknown) = (named(Some(true)), named(Some(false)), named(None));
    let Some((first, _)) = answers.first() else {
        return Finding::skipped(Step::Permission, "nothing is needed");
    };
    let place = first.namespace.as_ref().map(|namespace| format!(" in {namespace}"));
    let of = format!("{}{}", first.about, place.unwrap_or_default());
    if !denied.is_empty() {
        let role = match &first.namespace {
            Some(namespace) => format!("a Role in {namespace}"),
            None => "a ClusterRole".into(),
        };
        let rules: Vec<_> =
            rbac::rules(denied.iter().copied()).iter().map(ToString::to_string).collect();
        return Finding::failed(
            Step::Permission,
            format!("{of}: may not {}", verbs(&denied)),
            format!(
                "add to {role} bound to this account: {}\n`kubetally rbac`, with the same \
                 settings, prints all that is needed",
                rules.join(", ")
            ),
        );
    }
    if !unknown.is_empty() {
        let text = format!("{of}: it is not known whether it may {}", verbs(&unknown));
        return Finding::warning(Step::Permission, text, "an authorizer of the API server failed");
    }
    Finding::ok(Step::Permission, format!("{of}: may {}", verbs(&allowed)))
}

/// What to do about a request that was not answered as it should be.
#[must_use]
pub fn refused(step: Step, kind: FailureKind, message: &str) -> Finding {
    let remedy = match kind {
        FailureKind::Forbidden => "this account may not ask it: look at its roles",
        FailureKind::Throttled => {
            "the API server has too much to do for clients of this kind: look at its \
             FlowSchemas and PriorityLevelConfigurations (API priority and fairness)"
        }
        FailureKind::Server => "look at the API server's own log, and at etcd",
        FailureKind::Transport(TransportReason::Refused) => {
            "nothing listens there: look whether the API server runs, and at address and port"
        }
        FailureKind::Transport(TransportReason::ConnectTimeout | TransportReason::ReadTimeout) => {
            "what is sent there is lost, or nobody answers: look at firewalls, network policies \
             and the machine it is on"
        }
        FailureKind::Transport(TransportReason::Tls) => {
            "the certificate is not one to trust: look at its names and at the CA"
        }
        FailureKind::Transport(_) => {
            "the connection broke: look at what is in between, such as a load balancer, a proxy or \
             a network policy"
        }
        _ => "whatever answers may be no API server: look at the address",
    };
    Finding::failed(step, message, remedy)
}

/// How long a dial and the requests after it took.
#[must_use]
pub fn latency(dial: &[(&str, Duration)], requests: &[Duration]) -> Finding {
    let phases: Vec<_> =
        dial.iter().map(|(phase, took)| format!("{phase} {}", millis(*took))).collect();
    let total: Duration = dial.iter().map(|(_, took)| *took).sum();
    let mut sorted = requests.to_vec();
    sorted.sort_unstable();
    let median = sorted.get(sorted.len() / 2).copied().unwrap_or_default();
    let slowest = sorted.last().copied().unwrap_or_default();
    let text = format!(
        "a dial {} ({}); then a request {}, the slowest of {} {}",
        millis(total),
        phases.join(", "),
        millis(median),
        sorted.len(),
        millis(slowest)
    );
    if slowest > Duration::from_secs(1) {
        let remedy = "a single GET should take less than 1 s (Kubernetes' service level \
                      objective): look at the API server's load and at the network to it";
        return Finding::warning(Step::Latency, text, remedy);
    }
    Finding::ok(Step::Latency, text)
}

/// Milliseconds with what of a fraction matters.
#[must_use]
pub fn millis(took: Duration) -> String {
    let millis = took.as_secs_f64() * 1000.0;
    if millis < 10.0 { format!("{millis:.1} ms") } else { format!("{millis:.0} ms") }
}

/// A time, and how far from now: `2026-11-25T12:00:00Z (in 3 days)`.
fn time(at: i64, now: i64) -> String {
    let away = at.saturating_sub(now);
    let distance = match away.unsigned_abs() {
        secs @ 0..120 => format!("{secs} s"),
        secs @ 120..7_200 => format!("{} min", secs / 60),
        secs @ 7_200..172_800 => format!("{} h", secs / 3_600),
        secs => format!("{} days", secs / 86_400),
    };
    let stamp = Timestamp::from_second(at).map_or_else(|_| at.to_string(), |at| at.to_string());
    if away < 0 { format!("{stamp} ({distance} ago)") } else { format!("{stamp} (in {distance})") }
}

fn seconds(micros: i64) -> f64 {
    micros as f64 / 1e6
}

#[cfg(test)]
mod tests;
