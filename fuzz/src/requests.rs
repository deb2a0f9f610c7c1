//! Whatever a client sends to the listener, each answer is sound and the connection ends.

use std::{sync::Arc, time::Duration};

use kubetally::{
    access::AllMissing,
    http::{
        Limits, Router, converse,
        health::{Check, Health},
        scrape::Scrapes,
    },
    telemetry::Telemetry,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, duplex, split},
    runtime,
};

const LATE: Duration = Duration::from_secs(60);
const LIMITS: Limits =
    Limits { connections: 1, header_timeout: LATE, write_timeout: LATE, drain: LATE };
/// What is in flight between client and listener: less than an answer.
const PIPE: usize = 512;

struct Well;

impl Health for Well {
    fn live(&self) -> Result<(), String> {
        Ok(())
    }

    fn ready(&self) -> Vec<Check> {
        Vec::new()
    }

    fn missing(&self) -> AllMissing {
        AllMissing::new()
    }
}

/// Runs it: the bytes come at once, and then the client sends no more.
pub fn run(bytes: &[u8]) {
    let runtime = runtime::Builder::new_current_thread().enable_time().build();
    let answers = runtime.expect("a runtime").block_on(converse_with(bytes));
    assert!(answers.is_empty() || answers.starts_with(b"HTTP/1."), "no answer");
    let text = String::from_utf8_lossy(&answers);
    for line in text.split("HTTP/1.1 ").skip(1) {
        let status = line.split(' ').next().unwrap_or_default();
        assert!(KNOWN.contains(&status), "HTTP status {status}");
    }
}

const KNOWN: [&str; 8] = ["100", "200", "400", "404", "405", "414", "431", "503"];

async fn converse_with(bytes: &[u8]) -> Vec<u8> {
    let telemetry = Telemetry::new(&["pods"]).expect("the catalogue is sound");
    let scrapes = Scrapes::new(vec![Arc::new(telemetry.clone())], telemetry.clone());
    let router = Arc::new(Router {
        scrapes,
        health: Arc::new(Well),
        page: None,
        gate: None,
        guard: None,
        telemetry,
    });
    let (ours, theirs) = duplex(PIPE);
    let served = async {
        let _ended_well_or_not = converse(theirs, router, LIMITS).await;
    };
    let (mut reader, mut writer) = split(ours);
    let asked = async {
        // Refused requests are not read to their end.
        let _written = writer.write_all(bytes).await;
        let _closed = writer.shutdown().await;
    };
    let mut answers = Vec::new();
    let (_, _, read) = tokio::join!(served, asked, reader.read_to_end(&mut answers));
    read.expect("a pipe can be read");
    answers
}
