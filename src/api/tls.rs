//! TLS to the API server: whom we trust, who we are, and what went wrong in words.

mod explain;
mod verify;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

pub use explain::{Problem, explain};
use rustls::{
    ClientConfig, RootCertStore,
    client::{Resumption, WebPkiServerVerifier, danger::ServerCertVerifier},
    crypto::CryptoProvider,
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject},
};
use verify::{Recording, Unverified};
use x509_cert::{Certificate, der::Decode};

use super::{ReloadResult, source::Source};

/// Why TLS cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read.
    #[error("cannot read {what} from {source_of}: {error}")]
    Read {
        /// What it holds.
        what: &'static str,
        /// Where it is.
        source_of: String,
        /// Why not.
        error: std::io::Error,
    },
    /// Not what it should hold.
    #[error("no usable {what} in {source_of}: {why}")]
    Content {
        /// What it should hold.
        what: &'static str,
        /// Where it is.
        source_of: String,
        /// Why it is none.
        why: String,
    },
    /// The name to verify is no name.
    #[error("{0:?} is neither a DNS name nor an IP address to verify a certificate against")]
    Name(String),
    /// rustls refuses.
    #[error("TLS: {0}")]
    Rustls(#[from] rustls::Error),
}

/// How TLS is set up.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// The cluster's CA; the system's roots where it is missing.
    pub ca: Option<Source>,
    /// Our certificate chain and key.
    pub client: Option<(Source, Source)>,
    /// The name to verify, where it is not the host dialled.
    pub server_name: Option<String>,
    /// Whether the server's certificate is believed unseen.
    pub insecure: bool,
}

/// TLS as it is in force; files are read again by [`Tls::reload`].
#[derive(Debug)]
pub struct Tls {
    shared: Arc<Shared>,
    name: ServerName<'static>,
    seen: Arc<verify::Seen>,
}

/// What several servers of one cluster have in common.
#[derive(Debug)]
struct Shared {
    options: Options,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    config: Arc<Verified>,
    /// What the files held, to tell a change.
    material: Material,
    generation: u64,
}

/// What to shake hands with, and the verifier in it.
#[derive(Clone, Debug)]
struct Verified {
    config: ClientConfig,
    verifier: Arc<dyn ServerCertVerifier>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Material {
    ca: Option<Vec<u8>>,
    client: Option<(Vec<u8>, Secret)>,
}

/// A private key, or another secret: never printed.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Secret(pub(crate) Vec<u8>);

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("***")
    }
}

impl Tls {
    /// Sets TLS up to verify `host`, or the server name of the options.
    ///
    /// # Errors
    /// Where a file cannot be read or holds nothing usable.
    pub fn new(options: Options, host: &str) -> Result<Self, TlsError> {
        let name = server_name(options.server_name.as_deref().unwrap_or(host))?;
        let material = Material::read(&options)?;
        let config = Arc::new(config(&options, &material)?);
        let state = Mutex::new(State { config, material, generation: 0 });
        Ok(Self { shared: Arc::new(Shared { options, state }), name, seen: Arc::default() })
    }

    /// TLS to another server of the same cluster: the same CA and client certificate, also after
    /// they are read again. It is verified by this name, or by the one that this one is.
    ///
    /// # Errors
    /// Where that is no name.
    pub fn beside(&self, name: Option<&str>) -> Result<Self, TlsError> {
        let name = name.map(server_name).transpose()?.unwrap_or_else(|| self.name.clone());
        Ok(Self { shared: Arc::clone(&self.shared), name, seen: Arc::default() })
    }

    /// What to shake hands with, and the name to verify.
    #[must_use]
    pub fn connector(&self) -> (Arc<ClientConfig>, ServerName<'static>) {
        let Verified { mut config, verifier } = Verified::clone(&self.state().config);
        let recording = Recording::new(verifier, Arc::clone(&self.seen));
        config.dangerous().set_certificate_verifier(Arc::new(recording));
        (Arc::new(config), self.name.clone())
    }

    /// Reads the files again; `None` where there is none to read. What cannot be used changes
    /// nothing, and keeps nothing else from changing.
    ///
    /// # Errors
    /// Where a file holds nothing usable any more; the last good one stays.
    pub fn reload(&self) -> Option<Result<ReloadResult, TlsError>> {
        let Options { ca, client, .. } = &self.shared.options;
        let mut sources = ca.iter().chain(client.iter().flat_map(|(cert, key)| [cert, key]));
        if !sources.any(Source::changes) {
            return None;
        }
        let ca = self.reload_ca();
        let client = self.reload_client();
        Some(ca.and_then(|ca| {
            client.map(|client| if ca == ReloadResult::Rotated { ca } else { client })
        }))
    }

    fn reload_ca(&self) -> Result<ReloadResult, TlsError> {
        let Some(source) = &self.shared.options.ca else { return Ok(ReloadResult::Unchanged) };
        let ca = read("the CA", source)?;
        self.replace(|material| material.ca = Some(ca))
    }

    fn reload_client(&self) -> Result<ReloadResult, TlsError> {
        let Some(sources) = &self.shared.options.client else { return Ok(ReloadResult::Unchanged) };
        let client = read_client(sources)?;
        self.replace(|material| material.client = Some(client))
    }

    /// Takes another client certificate chain and key, both PEM: an exec plugin's.
    ///
    /// # Errors
    /// Where they are unusable.
    pub fn set_client(&self, chain: &[u8], key: &[u8]) -> Result<ReloadResult, TlsError> {
        let client = (chain.to_vec(), Secret(key.to_vec()));
        self.replace(|material| material.client = Some(client))
    }

    fn replace(&self, change: impl FnOnce(&mut Material)) -> Result<ReloadResult, TlsError> {
        let mut state = self.state();
        let mut material = state.material.clone();
        change(&mut material);
        if state.material == material {
            return Ok(ReloadResult::Unchanged);
        }
        let config = Arc::new(config(&self.shared.options, &material)?);
        *state = State { config, material, generation: state.generation + 1 };
        Ok(ReloadResult::Rotated)
    }

    /// Grows with each change: connections of an older generation should be closed.
    #[must_use]
    pub fn generation(&self) -> u64 {
        self.state().generation
    }

    /// Whether the server's certificate is believed unseen.
    #[must_use]
    pub fn is_insecure(&self) -> bool {
        self.shared.options.insecure
    }

    /// When the server's certificate ends, in seconds since 1970, once one was seen.
    #[must_use]
    pub fn server_not_after(&self) -> Option<i64> {
        self.seen.get().map(|leaf| leaf.not_after)
    }

    /// When the first of the CA's certificates ends, in seconds since 1970.
    #[must_use]
    pub fn ca_not_after(&self) -> Option<i64> {
        let state = self.state();
        let certificates = certificates(state.material.ca.as_deref()?).ok()?;
        certificates.iter().filter_map(|der| Leaf::read(der)).map(|leaf| leaf.not_after).min()
    }

    /// When our certificate ends, in seconds since 1970.
    #[must_use]
    pub fn client_not_after(&self) -> Option<i64> {
        self.client_leaf().map(|leaf| leaf.not_after)
    }

    /// When our certificate begins and ends, in seconds since 1970.
    #[must_use]
    pub fn client_times(&self) -> Option<(i64, i64)> {
        self.client_leaf().map(|leaf| (leaf.not_before, leaf.not_after))
    }

    /// The common name of our certificate: the user it says we are.
    #[must_use]
    pub fn client_name(&self) -> Option<String> {
        self.client_leaf().and_then(|leaf| leaf.common_name())
    }

    /// What went wrong in a handshake.
    #[must_use]
    pub fn explain(&self, error: &std::io::Error) -> Problem {
        explain(error, self.seen.get().as_ref(), &self.trusted())
    }

    fn client_leaf(&self) -> Option<Leaf> {
        let state = self.state();
        let (chain, _) = state.material.client.as_ref()?;
        Leaf::read(certificates(chain).ok()?.first()?)
    }

    /// The subjects of the CA's certificates.
    fn trusted(&self) -> Vec<String> {
        let state = self.state();
        let ca = state.material.ca.as_deref().map(certificates);
        let Some(Ok(certificates)) = ca else {
            return vec!["the system's roots".into()];
        };
        certificates.iter().filter_map(|der| Leaf::read(der)).map(|leaf| leaf.subject).collect()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.shared.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What is told of a certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leaf {
    /// Whose it is.
    pub subject: String,
    /// Who signed it.
    pub issuer: String,
    /// When it begins, in seconds since 1970.
    pub not_before: i64,
    /// When it ends, in seconds since 1970.
    pub not_after: i64,
}

impl Leaf {
    /// Reads a certificate; `None` where it is none.
    #[must_use]
    pub fn read(der: &CertificateDer<'_>) -> Option<Self> {
        let certificate = Certificate::from_der(der).ok()?;
        let tbs = certificate.tbs_certificate();
        let seconds =
            |time: &x509_cert::time::Time| time.to_unix_duration().as_secs().cast_signed();
        Some(Self {
            subject: tbs.subject().to_string(),
            issuer: tbs.issuer().to_string(),
            not_before: seconds(&tbs.validity().not_before),
            not_after: seconds(&tbs.validity().not_after),
        })
    }

    /// The common name of its subject.
    #[must_use]
    pub fn common_name(&self) -> Option<String> {
        let parts = self.subject.split([',', '+']);
        parts.into_iter().find_map(|part| part.trim().strip_prefix("CN=")).map(str::to_owned)
    }
}

impl Material {
    fn read(options: &Options) -> Result<Self, TlsError> {
        let ca = options.ca.as_ref().map(|ca| read("the CA", ca)).transpose()?;
        let client = options.client.as_ref().map(read_client).transpose()?;
        Ok(Self { ca, client })
    }
}

fn read_client((certificate, key): &(Source, Source)) -> Result<(Vec<u8>, Secret), TlsError> {
    let certificate = read("the client certificate", certificate)?;
    Ok((certificate, Secret(read("the client key", key)?)))
}

pub(crate) fn read(what: &'static str, source: &Source) -> Result<Vec<u8>, TlsError> {
    source.read().map_err(|error| TlsError::Read { what, source_of: source.to_string(), error })
}

fn server_name(name: &str) -> Result<ServerName<'static>, TlsError> {
    ServerName::try_from(name.to_owned()).map_err(|_| TlsError::Name(name.into()))
}

fn config(options: &Options, material: &Material) -> Result<Verified, TlsError> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let verifier = verifier(options, material, Arc::clone(&provider))?;
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .dangerous()
        .with_custom_certificate_verifier(Arc::clone(&verifier));
    let mut config = match &material.client {
        Some((chain, secret)) => {
            let given = Source::Data(Vec::new());
            let (certificate, key) =
                options.client.as_ref().map_or((&given, &given), |(chain, key)| (chain, key));
            let chain = certificates(chain)
                .map_err(|why| content("client certificate", certificate, why))?;
            let secret = PrivateKeyDer::from_pem_slice(&secret.0)
                .map_err(|why| content("private key", key, why.to_string()))?;
            let refused = |why: rustls::Error| {
                content("client certificate and key", certificate, why.to_string())
            };
            builder.with_client_auth_cert(chain, secret).map_err(refused)?
        }
        None => builder.with_no_client_auth(),
    };
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    // A resumed session shows no certificate: one that has expired since would go unseen. Dials
    // are rare enough for a whole handshake each.
    config.resumption = Resumption::disabled();
    Ok(Verified { config, verifier })
}

/// The verifier: webpki against the cluster's CA alone.
fn verifier(
    options: &Options,
    material: &Material,
    provider: Arc<CryptoProvider>,
) -> Result<Arc<dyn ServerCertVerifier>, TlsError> {
    if options.insecure {
        return Ok(Arc::new(Unverified::new(provider)));
    }
    let roots = Arc::new(roots(options, material)?);
    let verifier = WebPkiServerVerifier::builder_with_provider(roots, provider).build();
    Ok(verifier.map_err(|why| rustls::Error::General(why.to_string()))?)
}

fn roots(options: &Options, material: &Material) -> Result<RootCertStore, TlsError> {
    if let (Some(source), Some(pem)) = (&options.ca, &material.ca) {
        return trusted("CA", source, pem);
    }
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    Ok(roots)
}

/// The certificates of a CA, PEM, and nobody else's.
pub(crate) fn trusted(
    what: &'static str,
    source: &Source,
    pem: &[u8],
) -> Result<RootCertStore, TlsError> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(pem).map_err(|why| content(what, source, why))? {
        roots.add(certificate).map_err(|why| content(what, source, why.to_string()))?;
    }
    Ok(roots)
}

pub(crate) fn certificates(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, String> {
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    match certificates {
        Ok(certificates) if certificates.is_empty() => Err("it holds no PEM certificate".into()),
        Ok(certificates) => Ok(certificates),
        Err(error) => Err(error.to_string()),
    }
}

pub(crate) fn content(what: &'static str, source: &Source, why: String) -> TlsError {
    TlsError::Content { what, source_of: source.to_string(), why }
}

#[cfg(all(test, feature = "demo"))]
mod tests;
