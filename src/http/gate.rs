//! The way in where not everybody may: TLS with a certificate of our own, and the client's token,
//! certificate or both, where files say which. Files are read again when they change.

use std::{
    io,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use http::{HeaderMap, header::AUTHORIZATION};
use rustls::{
    ServerConfig,
    crypto::aws_lc_rs,
    pki_types::{PrivateKeyDer, pem::PemObject},
    server::WebPkiClientVerifier,
};
use subtle::{Choice, ConstantTimeEq};
use tokio::{net::TcpStream, time::timeout};
use tokio_rustls::{TlsAcceptor, server::TlsStream};

use crate::{
    api::{
        Certificate, ReloadResult,
        source::Source,
        tls::{Leaf, Secret, TlsError, certificates, content, read, trusted},
    },
    config::listeners::Files,
    exposition::{Collect, Exposition, catalogue::TLS_NOT_AFTER_TIMESTAMP_SECONDS},
};

/// How long a handshake may take.
const HANDSHAKE: Duration = Duration::from_secs(10);

/// A token that is shorter can be guessed.
const SHORTEST: usize = 16;
/// Tokens that are taken at a time: the old and the new while they are exchanged, and some more.
const TOKENS: usize = 16;

/// The gate as its files have it.
#[derive(Debug)]
pub struct Gate {
    of: Certificate,
    files: Sources,
    state: Mutex<State>,
}

/// Where everything is.
#[derive(Debug)]
struct Sources {
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
    /// The gate of these files; `of` is what its certificate is called.
    ///
    /// # Errors
    /// Where a file cannot be read or holds nothing usable.
    pub fn new(of: Certificate, files: &Files) -> Result<Self, TlsError> {
        let file = |path: &Option<_>| path.clone().map(Source::File);
        let files = Sources {
            certificate: Source::File(files.certificate.clone()),
            key: Source::File(files.key.clone()),
            tokens: file(&files.tokens),
            client_ca: file(&files.client_ca),
        };
        let state = Mutex::new(State::new(&files, Material::read(&files)?)?);
        Ok(Self { of, files, state })
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

    /// Shakes hands, in a time that is bounded.
    ///
    /// # Errors
    /// Where the other side speaks no TLS, is too slow, or has no certificate where one is wanted.
    pub async fn shake(&self, stream: TcpStream) -> io::Result<TlsStream<TcpStream>> {
        let acceptor = TlsAcceptor::from(Arc::clone(&self.state().config));
        let shaken = timeout(HANDSHAKE, acceptor.accept(stream)).await;
        shaken.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
    }

    /// Whether who sends these headers may come in, having shaken hands.
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

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Collect for Gate {
    fn collect(&self, out: &mut Exposition) {
        // Held for some steps in memory only.
        if let Some(time) = self.state().not_after {
            let labels = [self.of.as_str()];
            out.sample(&TLS_NOT_AFTER_TIMESTAMP_SECONDS, &labels, time.unsigned_abs());
        }
    }
}

impl Material {
    fn read(files: &Sources) -> Result<Self, TlsError> {
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
    fn new(files: &Sources, material: Material) -> Result<Self, TlsError> {
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
pub(super) fn bearer(value: &[u8]) -> Option<&[u8]> {
    let (scheme, token) = value.split_at_checked(b"Bearer ".len())?;
    scheme.eq_ignore_ascii_case(b"Bearer ").then(|| token.trim_ascii())
}

#[cfg(all(test, feature = "demo"))]
mod tests;
