//! A failed handshake in words: what, with the names and dates, and what to do.

use std::{io, time::Duration};

use rustls::{AlertDescription, CertificateError, Error, pki_types::UnixTime};

use super::Leaf;
use crate::api::TlsFailure;

/// Why a handshake failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// As a label.
    pub failure: TlsFailure,
    /// For people.
    pub message: String,
}

/// Explains the error of a handshake; `seen` is the certificate the server showed, `trusted` are
/// the subjects of the CA certificates in use.
#[must_use]
pub fn explain(error: &io::Error, seen: Option<&Leaf>, trusted: &[String]) -> Problem {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<Error>());
    match inner {
        Some(Error::InvalidCertificate(error)) => certificate(error, seen, trusted),
        Some(Error::AlertReceived(alert)) => Problem {
            failure: TlsFailure::Protocol,
            message: format!(
                "the server ended the handshake with the alert {alert:?}{}",
                advice(*alert)
            ),
        },
        Some(other) => Problem { failure: TlsFailure::Protocol, message: other.to_string() },
        None => Problem { failure: TlsFailure::Io, message: error.to_string() },
    }
}

fn advice(alert: AlertDescription) -> &'static str {
    match alert {
        AlertDescription::CertificateRequired
        | AlertDescription::BadCertificate
        | AlertDescription::CertificateExpired
        | AlertDescription::CertificateUnknown
        | AlertDescription::UnknownCA => ": it does not accept our client certificate",
        _ => "",
    }
}

fn certificate(error: &CertificateError, seen: Option<&Leaf>, trusted: &[String]) -> Problem {
    let subject = seen.map_or("the server's certificate".to_owned(), |leaf| {
        format!("the server's certificate ({})", leaf.subject)
    });
    let (failure, message) = match error {
        CertificateError::ExpiredContext { time, not_after } => (
            TlsFailure::Expired,
            format!("{subject} expired at {}; it is now {}", date(*not_after), date(*time)),
        ),
        CertificateError::Expired => (TlsFailure::Expired, format!("{subject} is expired")),
        CertificateError::NotValidYetContext { time, not_before } => (
            TlsFailure::NotYetValid,
            format!(
                "{subject} is valid from {} only; it is now {} here: is a clock wrong?",
                date(*not_before),
                date(*time)
            ),
        ),
        CertificateError::NotValidYet => {
            (TlsFailure::NotYetValid, format!("{subject} is not valid yet"))
        }
        CertificateError::UnknownIssuer | CertificateError::BadSignature => (
            TlsFailure::UnknownIssuer,
            format!(
                "{subject} is signed by {}, which the CA in use does not vouch for; trusted: {}{}",
                seen.map_or("somebody", |leaf| &leaf.issuer),
                trusted.join("; "),
                match seen.is_some_and(|leaf| trusted.contains(&leaf.issuer)) {
                    true => " (of the same name, but with another key)",
                    false => "",
                }
            ),
        ),
        CertificateError::NotValidForNameContext { expected, presented } => (
            TlsFailure::NameMismatch,
            format!(
                "{subject} is not made for {}; it is made for {}. Dial a name it has, or set \
                 tls-server-name",
                expected.to_str(),
                presented.join(", ")
            ),
        ),
        CertificateError::NotValidForName => {
            (TlsFailure::NameMismatch, format!("{subject} is made for another name"))
        }
        other => (TlsFailure::Protocol, format!("{subject} is not acceptable: {other}")),
    };
    Problem { failure, message }
}

fn date(time: UnixTime) -> String {
    httpdate::fmt_http_date(std::time::UNIX_EPOCH + Duration::from_secs(time.as_secs()))
}
