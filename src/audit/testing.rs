//! For the tests of the receiver: events as the API server writes them, and its files.

use serde_json::{Value, json};

#[cfg(feature = "demo")]
pub use gate::{TOKEN, certify, files};

/// A user's groups, as the API server adds them.
fn groups(user: &str) -> Value {
    match user.split(':').nth(1) {
        Some("node") => json!(["system:nodes", "system:authenticated"]),
        Some("serviceaccount") => json!(["system:serviceaccounts", "system:authenticated"]),
        Some("anonymous") => json!(["system:unauthenticated"]),
        _ => json!(["system:authenticated"]),
    }
}

/// An event of level Metadata: this user has asked for pods of a namespace, and was answered.
pub fn event(id: &str, user: &str, code: u16) -> Value {
    let forbidden = code == 403;
    json!({
        "level": "Metadata",
        "auditID": id,
        "stage": "ResponseComplete",
        "requestURI": "/api/v1/namespaces/shop/pods?limit=500",
        "verb": "list",
        "user": {"username": user, "groups": groups(user)},
        "sourceIPs": ["10.0.0.7"],
        "userAgent": "kubectl/v1.36.0 (linux/amd64) kubernetes/0000000",
        "objectRef": {"resource": "pods", "namespace": "shop", "apiVersion": "v1"},
        "responseStatus": {"metadata": {}, "code": code},
        "requestReceivedTimestamp": "2026-11-23T12:00:00.123456Z",
        "stageTimestamp": "2026-11-23T12:00:00.125000Z",
        "annotations": {
            "authorization.k8s.io/decision": if forbidden { "forbid" } else { "allow" },
            "authorization.k8s.io/reason": "",
        },
    })
}

/// An event of credentials that were refused.
pub fn refused(id: &str) -> Value {
    let mut event = event(id, "", 401);
    event["stage"] = json!("ResponseStarted");
    event["user"] = json!({});
    event["annotations"] = Value::Null;
    event
}

/// A batch of these events.
pub fn list(events: &[Value]) -> String {
    json!({
        "kind": "EventList",
        "apiVersion": "audit.k8s.io/v1",
        "metadata": {},
        "items": events,
    })
    .to_string()
        + "\n"
}

#[cfg(feature = "demo")]
mod gate {
    use std::fs;

    use tempfile::TempDir;

    use crate::{
        config::listeners::Files,
        sim::pki::{Authority, Validity},
    };

    /// What the file of tokens holds.
    pub const TOKEN: &str = "a-token-of-the-audit-webhook";

    /// A folder with all files of a gate, and settings that name them.
    pub fn files() -> (TempDir, Files) {
        let dir = tempfile::tempdir().expect("a folder");
        let authority = Authority::new().expect("a CA");
        certify(&dir, &authority);
        let at = |name: &str| dir.path().join(name);
        fs::write(at("ca.crt"), authority.pem()).expect("written");
        fs::write(at("token"), format!("{TOKEN}\n")).expect("written");
        let settings = Files {
            certificate: at("tls.crt"),
            key: at("tls.key"),
            tokens: Some(at("token")),
            client_ca: Some(at("ca.crt")),
        };
        (dir, settings)
    }

    /// Writes a new certificate and its key.
    pub fn certify(dir: &TempDir, authority: &Authority) {
        let identity = authority.server(&["localhost"], Validity::Now).expect("a certificate");
        fs::write(dir.path().join("tls.crt"), identity.certificate).expect("written");
        fs::write(dir.path().join("tls.key"), identity.key).expect("written");
    }
}
