//! What the API server's refusals mean: by reason, then by code, then by HTTP status, as some are
//! plain text and some a Status without a kind.

use std::time::Duration;

use http::{HeaderMap, header::RETRY_AFTER};

use super::{ThrottleSource, flow::Flow};
use crate::{
    watch::machine::{Failure, FailureKind},
    wire::{
        json::{self, Status},
        protobuf,
    },
};

/// The longest `Retry-After` that is obeyed.
const LONGEST_WAIT: Duration = Duration::from_secs(300);
/// How much of a message is kept.
const MESSAGE: usize = 400;

/// A refusal, understood.
#[derive(Debug, PartialEq, Eq)]
pub struct Refusal {
    /// What to do about it.
    pub failure: Failure,
    /// For people: what the server said.
    pub message: String,
    /// Who throttled us, if it is that.
    pub throttle: Option<ThrottleSource>,
}

/// Understands an answer that is no 200.
#[must_use]
pub fn refusal(http: u16, headers: &HeaderMap, body: &[u8]) -> Refusal {
    let status = protobuf::status(body).or_else(|| json::status(body));
    let status =
        status.unwrap_or_else(|| Status { message: text(body), code: http, ..Status::default() });
    let header = headers.get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
    let mut refusal =
        event(&Status { code: if status.code == 0 { http } else { status.code }, ..status });
    // The API server has the same words for both, but only one of them classifies requests.
    if refusal.throttle == Some(ThrottleSource::PriorityAndFairness) && Flow::of(headers).is_none()
    {
        refusal.throttle = Some(ThrottleSource::MaxInFlight);
    }
    if let Some(seconds) = header {
        refusal.failure.retry_after = Some(Duration::from_secs(seconds).min(LONGEST_WAIT));
    }
    if refusal.message.is_empty() {
        refusal.message = format!("HTTP status {http}");
    }
    refusal
}

/// Understands the Status of an ERROR event.
#[must_use]
pub fn event(status: &Status) -> Refusal {
    let kind = kind(status);
    let wait = Duration::from_secs(status.details.retry_after_seconds.into()).min(LONGEST_WAIT);
    Refusal {
        failure: Failure { kind, retry_after: Some(wait).filter(|wait| !wait.is_zero()) },
        message: text(status.message.as_bytes()),
        throttle: (kind == FailureKind::Throttled).then(|| throttle(&status.message)),
    }
}

fn kind(status: &Status) -> FailureKind {
    let too_large = |cause: &json::Cause| cause.reason == "ResourceVersionTooLarge";
    match (status.reason.as_str(), status.code) {
        ("Timeout", _) if status.details.causes.iter().any(too_large) => FailureKind::TooLarge,
        ("Expired" | "Gone", _) => FailureKind::Expired,
        ("Unauthorized", _) => FailureKind::Unauthorized,
        ("Forbidden", _) => FailureKind::Forbidden,
        ("NotFound", _) => FailureKind::NotFound,
        ("TooManyRequests", _) => FailureKind::Throttled,
        ("BadRequest" | "Invalid" | "NotAcceptable" | "UnsupportedMediaType", _) => {
            FailureKind::Unsupported
        }
        (_, 410) => FailureKind::Expired,
        (_, 401) => FailureKind::Unauthorized,
        (_, 403) => FailureKind::Forbidden,
        (_, 404) => FailureKind::NotFound,
        (_, 429) => FailureKind::Throttled,
        (_, 400 | 406 | 415 | 422) => FailureKind::Unsupported,
        _ => FailureKind::Server,
    }
}

fn throttle(message: &str) -> ThrottleSource {
    if message.contains("(re)initializing") {
        ThrottleSource::WatchCacheInit
    } else if message.starts_with("Too many requests") {
        ThrottleSource::PriorityAndFairness
    } else {
        ThrottleSource::Unknown
    }
}

/// A bounded line of text, safe to log.
pub(super) fn text(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(&bytes[..bytes.len().min(4 * MESSAGE)]);
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    line.chars().filter(|c| !c.is_control()).take(MESSAGE).collect()
}

#[cfg(test)]
mod tests {
    use http::{HeaderName, HeaderValue};
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case(
        401,
        r#"{"kind":"Status","message":"Unauthorized","reason":"Unauthorized","code":401}"#,
        FailureKind::Unauthorized
    )]
    #[case(403, r#"{"kind":"Status","reason":"Forbidden","code":403}"#, FailureKind::Forbidden)]
    #[case(404, "404 page not found\n", FailureKind::NotFound)]
    #[case(
        410,
        r#"{"kind":"Status","metadata":{"continue":"x"},"reason":"Expired","code":410}"#,
        FailureKind::Expired
    )]
    #[case(200, r#"{"kind":"Status","reason":"Gone","code":410}"#, FailureKind::Expired)]
    #[case(504, r#"{"kind":"Status","reason":"Timeout","details":{"causes":[{"reason":"ResourceVersionTooLarge"}]},"code":504}"#, FailureKind::TooLarge)]
    #[case(504, r#"{"metadata":{},"status":"Failure","message":"Timeout: request did not complete","reason":"Timeout","code":504}"#, FailureKind::Server)]
    #[case(500, "<html><body>proxy</body></html>", FailureKind::Server)]
    #[case(422, r#"{"kind":"Status","reason":"Invalid","code":422}"#, FailureKind::Unsupported)]
    #[case(429, "Too many requests, please try again later.\n", FailureKind::Throttled)]
    #[case(503, "", FailureKind::Server)]
    #[case(418, r#"{"code":0}"#, FailureKind::Server)]
    fn kinds(#[case] http: u16, #[case] body: &str, #[case] expected: FailureKind) {
        let refusal = refusal(http, &HeaderMap::new(), body.as_bytes());
        assert_eq!(refusal.failure.kind, expected);
        assert!(!refusal.message.is_empty());
    }

    #[rstest]
    #[case("7", Some(7))]
    #[case("100000", Some(300))]
    #[case("Mon, 23 Nov 2026 17:27:23 GMT", None)]
    #[case("-1", None)]
    fn retry_after(#[case] header: &'static str, #[case] expected: Option<u64>) {
        let headers = HeaderMap::from_iter([(RETRY_AFTER, HeaderValue::from_static(header))]);
        let refusal = refusal(429, &headers, b"");
        assert_eq!(refusal.failure.retry_after, expected.map(Duration::from_secs));
    }

    /// Those of an answer to a request that priority and fairness has classified.
    fn classified() -> HeaderMap {
        let flow = ["x-kubernetes-pf-flowschema-uid", "x-kubernetes-pf-prioritylevel-uid"];
        flow.map(|name| (HeaderName::from_static(name), HeaderValue::from_static("1")))
            .into_iter()
            .collect()
    }

    #[rstest]
    #[case("Too many requests, please try again later.", ThrottleSource::PriorityAndFairness)]
    #[case(r#"{"kind":"Status","message":"storage is (re)initializing","reason":"TooManyRequests","details":{"retryAfterSeconds":9},"code":429}"#, ThrottleSource::WatchCacheInit)]
    #[case("slow down", ThrottleSource::Unknown)]
    fn throttlers(#[case] body: &str, #[case] expected: ThrottleSource) {
        assert_eq!(refusal(429, &classified(), body.as_bytes()).throttle, Some(expected));
    }

    #[test]
    fn what_nobody_classified_is_not_throttled_by_priority_and_fairness() {
        let body = b"Too many requests, please try again later.";
        let refusal = refusal(429, &HeaderMap::new(), body);
        assert_eq!(refusal.throttle, Some(ThrottleSource::MaxInFlight));
    }

    #[test]
    fn messages_are_one_bounded_line() {
        let body = format!("a\nb\u{7}{}", "x".repeat(10_000));
        let refusal = refusal(500, &HeaderMap::new(), body.as_bytes());
        assert!(refusal.message.starts_with("a bx") && refusal.message.len() <= MESSAGE);
    }
}
