//! Serving certificates that cannot be trusted: told by what is wrong, and nothing is sent.

use std::path::PathBuf;

use kubetally::sim::pki::{Authority, Validity};
use serde_json::{Value, json};

use crate::{
    cluster::User,
    failures::check,
    suite::{Shared, Suite, kubetally, tests},
};

tests![a_certificate_that_cannot_be_trusted];

/// A kubeconfig whose cluster has this field as well, or another value of it.
fn kubeconfig(shared: &Shared, port: u16, field: &str, value: Value) -> PathBuf {
    let token = shared.cluster.dir().join("unsent");
    std::fs::write(&token, "never-sent").expect("a file");
    let path = shared.cluster.kubeconfig("trust.kubeconfig", port, &User::TokenFile(&token));
    let text = std::fs::read_to_string(&path).expect("a file");
    let mut config: Value = serde_json::from_str(&text).expect("JSON");
    config["clusters"][0]["cluster"][field] = value;
    std::fs::write(&path, config.to_string()).expect("a file");
    path
}

async fn a_certificate_that_cannot_be_trusted(suite: &Suite) {
    let (shared, _) = suite.fresh().await;
    let past = shared.cluster.shown_to("past.test", Validity::Past);
    let future = shared.cluster.shown_to("future.test", Validity::Future);
    let server = shared.cluster.api_server(&[&past, &future]).await;
    let other = Authority::new().expect("a CA");
    std::fs::write(shared.cluster.dir().join("other.crt"), other.pem()).expect("a file");
    for (reason, told, field, value) in [
        ("expired", "expired at", "tls-server-name", "past.test"),
        ("not_yet_valid", "is valid from", "tls-server-name", "future.test"),
        ("name_mismatch", "is not made for other.test", "tls-server-name", "other.test"),
        ("unknown_issuer", "does not vouch for", "certificate-authority", "other.crt"),
    ] {
        let kubeconfig = kubeconfig(shared, server.port, field, json!(value));
        let mut kubetally = kubetally(&kubeconfig, &["--resources", "pods"]).await;
        let series = format!("kubetally_tls_handshake_failures_total{{reason=\"{reason}\"}}");
        kubetally
            .until("a failed handshake", |scrape| match scrape.get(&series) {
                Some(n) if n > 0.0 => Ok(()),
                other => Err(format!("{other:?}")),
            })
            .await;
        let scrape = kubetally.scrape().await;
        let failures = scrape.sum("kubetally_tls_handshake_failures_total");
        assert_eq!(scrape.get(&series), Some(failures), "nothing but {reason}");
        // A token that had been sent would have been refused.
        assert_eq!(scrape.sum("kubetally_auth_failures_total"), 0.0, "{reason}");
        let (status, text) = kubetally.get("/readyz?verbose").await.expect("an answer");
        assert_eq!(status, 503, "{text}");
        assert!(text.contains("[-] pods: TLS: "), "{text}");
        kubetally.stop().await;
        check(&kubeconfig, &[]).await.finds("tls", "failed", told).unwrap();
    }
}
