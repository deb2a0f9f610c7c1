//! Any refusal is understood, in a bounded line without control characters.

#![no_main]

use std::time::Duration;

use http::{HeaderMap, HeaderValue, header::RETRY_AFTER};
use kubetally::api::status::refusal;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: (u16, &[u8], &[u8])| {
    let (http, retry_after, body) = data;
    let value = HeaderValue::from_bytes(retry_after).ok();
    let headers: HeaderMap = value.into_iter().map(|value| (RETRY_AFTER, value)).collect();
    let refusal = refusal(http, &headers, body);
    assert!(!refusal.message.is_empty() && refusal.message.chars().count() <= 400);
    assert!(!refusal.message.contains(char::is_control));
    assert!(refusal.failure.retry_after.is_none_or(|wait| wait <= Duration::from_secs(300)));
});
