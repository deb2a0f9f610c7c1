//! What a service account's token says of itself. Its signature is the server's to verify; here
//! only times and the name are read, and nothing of it is logged.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::Deserialize;

/// The times of a token, in seconds since 1970.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TokenTimes {
    /// `iat`.
    pub issued: Option<i64>,
    /// `nbf`.
    pub not_before: Option<i64>,
    /// `kubernetes.io.warnafter`: with the server's default extension of expiry, `exp` is a year
    /// away and this is when the token should have been replaced.
    pub warn_after: Option<i64>,
    /// `exp`.
    pub expires: Option<i64>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Claims {
    iat: Option<i64>,
    nbf: Option<i64>,
    exp: Option<i64>,
    sub: Option<String>,
    #[serde(rename = "kubernetes.io")]
    kubernetes: Kubernetes,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Kubernetes {
    warnafter: Option<i64>,
}

/// The times and the subject of a token, where it is a JWT.
#[must_use]
pub fn read(token: &str) -> (TokenTimes, Option<String>) {
    let claims = claims(token).unwrap_or_default();
    let times = TokenTimes {
        issued: claims.iat,
        not_before: claims.nbf,
        warn_after: claims.kubernetes.warnafter,
        expires: claims.exp,
    };
    (times, claims.sub.filter(|subject| subject.len() <= 256))
}

fn claims(token: &str) -> Option<Claims> {
    let mut parts = token.split('.');
    let (_, payload, _) = (parts.next()?, parts.next()?, parts.next()?);
    let json = URL_SAFE_NO_PAD.decode(payload.trim_end_matches('=')).ok()?;
    serde_json::from_slice(&json).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn token(claims: &str) -> String {
        format!("e30.{}.c2ln", URL_SAFE_NO_PAD.encode(claims))
    }

    #[test]
    fn a_bound_token() {
        let token = token(
            r#"{"aud":["x"],"exp":1795458332,"iat":1795454725,"nbf":1795454725,"kubernetes.io":{"namespace":"shop","warnafter":1795458332},"sub":"system:serviceaccount:shop:watcher"}"#,
        );
        let (times, subject) = read(&token);
        assert_eq!(
            times,
            TokenTimes {
                issued: Some(1_795_454_725),
                not_before: Some(1_795_454_725),
                warn_after: Some(1_795_458_332),
                expires: Some(1_795_458_332),
            }
        );
        assert_eq!(subject.as_deref(), Some("system:serviceaccount:shop:watcher"));
    }

    #[test]
    fn a_legacy_token_has_no_times() {
        let (times, subject) = read(&token(
            r#"{"iss":"kubernetes/serviceaccount","sub":"system:serviceaccount:a:b"}"#,
        ));
        assert_eq!(times, TokenTimes::default());
        assert!(subject.is_some());
    }

    proptest! {
        #[test]
        fn anything_else_says_nothing(token in ".*") {
            prop_assert!(token.contains('.') || read(&token) == (TokenTimes::default(), None));
        }

        #[test]
        fn any_payload_is_survived(payload in prop::collection::vec(any::<u8>(), 0..200)) {
            let (_, subject) = read(&format!("a.{}.b", URL_SAFE_NO_PAD.encode(payload)));
            prop_assert!(subject.is_none_or(|subject| subject.len() <= 256));
        }
    }
}
