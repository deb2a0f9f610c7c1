//! Who may send audit events: TLS with a certificate of our own, and the sender's token, certificate
//! or both. Files are read again when they change.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use http::{HeaderMap, header::AUTHORIZATION};
use rustls::{
    ServerConfig,
    crypto::aws_lc_rs,
    pki_types::{PrivateKeyDer, pem::PemObject},
    server::WebPkiClientVerifier,
};
use subtle::{Choice, ConstantTimeEq};
use tokio_rustls::TlsAcceptor;

use crate::{
    api::{
        ReloadResult,
        source::Source,
        tls::{Leaf, Secret, TlsError, certificates, content, read, trusted},
    },
    config::settings::Audit,
};

/// A token that is shorter can be guessed.
const SHORTEST: usize = 16;
/// Tokens that are taken at a time: the old and the new while they are exchanged, and some more.
const TOKENS: usize = 16;

/// The gate as its files have it.
#[derive(Debug)]
pub struct Gate {
    files: Files,
    state: Mutex<State>,
}

/// Where everything is.
#[derive(Debug)]
struct Files {
    certificate: Source,
    key: Source,
    tokens: Option<Source>,
    client_ca: Option<Source>,
}

/// What the files hold.
#[derive(Debug, PartialEq, Eq)]
struct Material {
    certificate: Vec<u8>,
    key: Secret,
    tokens: Option<Secret>,
    client_ca: Option<Vec<u8>>,
}

#[derive(Debug)]
struct State {
    material: Material,
    config: Arc<ServerConfig>,
    /// The tokens of which one is wanted; `None` where the certificate is the only proof.
    tokens: Option<Vec<Secret>>,
    /// When our certificate ends, in seconds since 1970.
    not_after: Option<i64>,
}

impl Gate {
    /// The gate of these settings.
    ///
    /// # Errors
    /// Where a file cannot be read or holds nothing usable.
    pub fn new(settings: &Audit) -> Result<Self, TlsError> {
        let file = |path: &Option<_>| path.clone().map(Source::File);
        let files = Files {
            certificate: Source::File(settings.certificate.clone()),
            key: Source::File(settings.key.clone()),
            tokens: file(&settings.token_file),
            client_ca: file(&settings.client_ca),
        };
        let state = Mutex::new(State::new(&files, Material::read(&files)?)?);
        Ok(Self { files, state })
    }

    /// Reads the files again. What cannot be used changes nothing.
    ///
    /// # Errors
    /// Where a file holds nothing usable any more; all stays as it was.
    pub fn reload(&self) -> Result<ReloadResult, TlsError> {
        let material = Material::read(&self.files)?;
        if self.state().material == material {
            return Ok(ReloadResult::Unchanged);
        }
        let state = State::new(&self.files, material)?;
        *self.state() = state;
        Ok(ReloadResult::Rotated)
    }

    /// What to shake hands with: who has no certificate where one is wanted fails in it.
    #[must_use]
    pub fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(Arc::clone(&self.state().config))
    }

    /// Whether who sends these headers may send events, having shaken hands.
    #[must_use]
    pub fn admits(&self, headers: &HeaderMap) -> bool {
        let state = self.state();
        let Some(tokens) = &state.tokens else { return true };
        let given = headers.get(AUTHORIZATION).and_then(|value| bearer(value.as_bytes()));
        // Every one is compared, each in constant time: no answer's time tells how near it was.
        given.is_some_and(|given| {
            let same = tokens.iter().map(|token| token.0.ct_eq(given));
            same.fold(Choice::from(0), |any, same| any | same).into()
        })
    }

    /// When our certificate ends, in seconds since 1970.
    #[must_use]
    pub fn not_after(&self) -> Option<i64> {
        self.state().not_after
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Material {
    fn read(files: &Files) -> Result<Self, TlsError> {
        let tokens = files.tokens.as_ref().map(|tokens| read("the tokens", tokens)).transpose()?;
        let client_ca = files.client_ca.as_ref().map(|ca| read("the clients' CA", ca));
        Ok(Self {
            certificate: read("the certificate", &files.certificate)?,
            key: Secret(read("the key", &files.key)?),
            tokens: tokens.map(Secret),
            client_ca: client_ca.transpose()?,
        })
    }
}

impl State {
    fn new(files: &Files, material: Material) -> Result<Self, TlsError> {
        let unusable = |why| content("certificate", &files.certificate, why);
        let chain = certificates(&material.certificate).map_err(unusable)?;
        let not_after = chain.first().and_then(|leaf| Leaf::read(leaf)).map(|leaf| leaf.not_after);
        let key = PrivateKeyDer::from_pem_slice(&material.key.0)
            .map_err(|why| content("private key", &files.key, why.to_string()))?;
        let provider = Arc::new(aws_lc_rs::default_provider());
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()?;
        let builder = match (&files.client_ca, &material.client_ca) {
            (Some(source), Some(pem)) => {
                let roots = Arc::new(trusted("clients' CA", source, pem)?);
                let verifier = WebPkiClientVerifier::builder_with_provider(roots, provider).build();
                let verifier =
                    verifier.map_err(|why| content("clients' CA", source, why.to_string()))?;
                builder.with_client_cert_verifier(verifier)
            }
            _ => builder.with_no_client_auth(),
        };
        let mut config = builder
            .with_single_cert(chain, key)
            .map_err(|why| content("certificate and key", &files.certificate, why.to_string()))?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        let tokens = match (&files.tokens, &material.tokens) {
            (Some(source), Some(text)) => {
                Some(tokens(&text.0).map_err(|why| content("token", source, why))?)
            }
            _ => None,
        };
        Ok(Self { material, config: Arc::new(config), tokens, not_after })
    }
}

/// The tokens of a file, one a line.
fn tokens(text: &[u8]) -> Result<Vec<Secret>, String> {
    let lines = text.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii);
    let tokens: Vec<&[u8]> = lines.filter(|line| !line.is_empty()).collect();
    if tokens.is_empty() {
        return Err("it holds none".into());
    }
    if tokens.len() > TOKENS {
        return Err(format!("it holds more than {TOKENS}"));
    }
    for (at, token) in tokens.iter().enumerate() {
        if token.len() < SHORTEST || !token.iter().all(u8::is_ascii_graphic) {
            return Err(format!(
                "number {} has less than {SHORTEST} characters, or others than letters, digits and \
                 signs",
                at + 1
            ));
        }
    }
    Ok(tokens.into_iter().map(|token| Secret(token.to_vec())).collect())
}

/// The token of an `Authorization` header (RFC 6750, 2.1).
fn bearer(value: &[u8]) -> Option<&[u8]> {
    let (scheme, token) = value.split_at_checked(b"Bearer ".len())?;
    scheme.eq_ignore_ascii_case(b"Bearer ").then(|| token.trim_ascii())
}

#[cfg(all(test, feature = "demo"))]
mod tests;
