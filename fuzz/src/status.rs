//! Any refusal is understood, in a bounded line without control characters.

use std::time::Duration;

use http::{HeaderMap, HeaderValue, header::RETRY_AFTER};
use kubetally::api::status::refusal;

/// Runs it; two bytes are the HTTP status, the rest of their line is `Retry-After`.
pub fn run(data: &[u8]) {
    let Some((http, rest)) = data.split_first_chunk() else { return };
    let http = u16::from_be_bytes(*http);
    let mut parts = rest.splitn(2, |byte| *byte == b'\n');
    let retry_after = parts.next().unwrap_or_default();
    let body = parts.next().unwrap_or_default();
    let value = HeaderValue::from_bytes(retry_after).ok();
    let headers: HeaderMap = value.into_iter().map(|value| (RETRY_AFTER, value)).collect();
    let refusal = refusal(http, &headers, body);
    assert!(!refusal.message.is_empty() && refusal.message.chars().count() <= 400);
    assert!(!refusal.message.contains(char::is_control));
    assert!(refusal.failure.retry_after.is_none_or(|wait| wait <= Duration::from_secs(300)));
}
