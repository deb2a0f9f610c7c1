//! Where the API server is and who we are to it.

use std::{
    fmt,
    path::{Path, PathBuf},
    sync::Arc,
};

use super::{
    credentials::{CredentialError, Credentials, Origin},
    kubeconfig::{self, KubeconfigError, Resolved},
    source::Source,
    tls::{self, Tls, TlsError},
};

/// Where a pod finds its service account.
pub const SERVICE_ACCOUNT: &str = "/var/run/secrets/kubernetes.io/serviceaccount";

/// The name of the API server that is watched.
pub const DEFAULT: &str = "default";

/// Why there is no API server to talk to.
#[derive(Debug, thiserror::Error)]
pub enum FindError {
    /// Nothing says where one is.
    #[error(
        "no cluster found. Looked for:\n\
         {looked}\n\
         What to do: in a pod, keep its service account token mounted \
         (automountServiceAccountToken); elsewhere give a kubeconfig with --kubeconfig FILE or \
         $KUBECONFIG. To see Kubetally without a cluster: kubetally demo"
    )]
    Nothing {
        /// A line for each place.
        looked: String,
    },
    /// A kubeconfig that should be used cannot be.
    #[error(transparent)]
    Kubeconfig(#[from] KubeconfigError),
    /// The address is none.
    #[error("the server {url:?} of {origin} is no address: {why}")]
    Address {
        /// The address.
        url: String,
        /// Who says so.
        origin: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// Credentials would travel in the clear.
    #[error(
        "{origin} would send credentials over plain http to {url}; use https, or a user without \
         credentials"
    )]
    PlainHttp {
        /// The address.
        url: String,
        /// Who says so.
        origin: String,
    },
    /// One server of the cluster would be spoken to as the other is not.
    #[error(
        "{origin}: {url} and the API server that is watched have to be both https or both http, as \
         they share credentials and CA"
    )]
    OtherScheme {
        /// The address.
        url: String,
        /// Who says so.
        origin: String,
    },
    /// TLS cannot be set up.
    #[error("{origin}: {error}")]
    Tls {
        /// Who says so.
        origin: String,
        /// Why not.
        error: TlsError,
    },
    /// There is no token.
    #[error("{origin}: {error}")]
    Credentials {
        /// Who says so.
        origin: String,
        /// Why not.
        error: CredentialError,
    },
}

/// Where to look for a cluster.
#[derive(Clone)]
pub struct Lookup<'a> {
    /// A kubeconfig named explicitly.
    pub kubeconfig: Option<PathBuf>,
    /// The context of the kubeconfig.
    pub context: Option<String>,
    /// The environment.
    pub env: &'a dyn Fn(&str) -> Option<String>,
    /// The mounted service account.
    pub service_account: PathBuf,
}

/// An address of an API server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Url {
    /// Whether it speaks TLS.
    pub tls: bool,
    /// Name or address, an IPv6 address without brackets.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// A path before every request's, without a slash at its end; mostly empty.
    pub path: String,
}

/// An API server and our credentials for it.
#[derive(Debug)]
pub struct Endpoint {
    /// Its name among those of the cluster, as a label shows it: `default` of the one that is
    /// watched.
    pub name: String,
    /// Its address.
    pub url: Url,
    /// For people: who told us.
    pub origin: String,
    /// Our own namespace, where it is known.
    pub namespace: Option<String>,
    /// The kubeconfig's name for us.
    pub user: Option<String>,
    /// Our token.
    pub credentials: Arc<Credentials>,
    /// How to speak TLS; `None` for plain http.
    pub tls: Option<Tls>,
}

impl Endpoint {
    /// Looks for a cluster as client-go does: the kubeconfig named, `$KUBECONFIG`,
    /// `~/.kube/config`, the pod's service account.
    ///
    /// # Errors
    /// Where there is none, or it cannot be used.
    pub fn find(lookup: &Lookup<'_>) -> Result<Self, FindError> {
        let mut looked = Vec::new();
        match lookup.kubeconfigs(&mut looked) {
            Some(paths) => {
                Self::from_kubeconfig(kubeconfig::load(&paths, lookup.context.as_deref())?)
            }
            None => match lookup.in_cluster(&mut looked) {
                Some(url) => Self::in_cluster(url, &lookup.service_account),
                None => Err(FindError::Nothing { looked: looked.join("\n") }),
            },
        }
    }

    fn from_kubeconfig(resolved: Resolved) -> Result<Self, FindError> {
        let Resolved { server, origin, namespace, user, tls, token } = resolved;
        let url = Url::parse(&server).map_err(|why| FindError::Address {
            url: without_password(&server),
            origin: origin.clone(),
            why,
        })?;
        Self::new(url, origin, namespace, Some(user), tls, token)
    }

    fn in_cluster(url: Url, service_account: &Path) -> Result<Self, FindError> {
        let namespace = std::fs::read_to_string(service_account.join("namespace")).ok();
        let namespace = namespace.map(|name| name.trim().to_owned()).filter(|n| !n.is_empty());
        let token = Origin::Source(Source::File(service_account.join("token")));
        let ca = Some(Source::File(service_account.join("ca.crt")));
        let tls = tls::Options { ca, ..tls::Options::default() };
        let origin = format!("the service account in {}", service_account.display());
        Self::new(url, origin, namespace, None, tls, token)
    }

    fn new(
        url: Url,
        origin: String,
        namespace: Option<String>,
        user: Option<String>,
        options: tls::Options,
        token: Origin,
    ) -> Result<Self, FindError> {
        let secret = options.client.is_some() || !matches!(token, Origin::None);
        if !url.tls && secret {
            return Err(FindError::PlainHttp { url: url.to_string(), origin });
        }
        let credentials = Credentials::new(token)
            .map_err(|error| FindError::Credentials { origin: origin.clone(), error })?;
        let tls = url.tls.then(|| Tls::new(options, &url.host)).transpose();
        let tls = tls.map_err(|error| FindError::Tls { origin: origin.clone(), error })?;
        let (name, credentials) = (DEFAULT.into(), Arc::new(credentials));
        Ok(Self { name, url, origin, namespace, user, credentials, tls })
    }

    /// Another server of the same cluster, with the same credentials; its certificate is verified
    /// by the name given, or by the one that this one's is.
    ///
    /// # Errors
    /// Where the credentials would travel in the clear, or the name is none.
    pub fn beside(
        &self,
        name: &str,
        url: Url,
        server_name: Option<&str>,
    ) -> Result<Self, FindError> {
        let origin = format!("the endpoint {name}");
        if url.tls != self.tls.is_some() {
            return Err(FindError::OtherScheme { url: url.to_string(), origin });
        }
        let tls = self.tls.as_ref().map(|tls| tls.beside(server_name)).transpose();
        let tls = tls.map_err(|error| FindError::Tls { origin: origin.clone(), error })?;
        let (namespace, user) = (self.namespace.clone(), self.user.clone());
        let credentials = Arc::clone(&self.credentials);
        Ok(Self { name: name.into(), url, origin, namespace, user, credentials, tls })
    }

    /// Whom our credentials say we are, without asking the server.
    #[must_use]
    pub fn identity(&self) -> String {
        let certificate = || self.tls.as_ref().and_then(Tls::client_name);
        let named = || self.user.clone().filter(|user| !user.is_empty());
        self.credentials
            .subject()
            .or_else(certificate)
            .or_else(named)
            .unwrap_or_else(|| "anonymous".into())
    }
}

/// An address, to be shown: what stands before an @ may be a password.
#[must_use]
pub fn without_password(address: &str) -> String {
    address.rsplit_once('@').map_or(address.into(), |(_, rest)| format!("***@{rest}"))
}

impl Lookup<'_> {
    /// The kubeconfig files to merge, or `None` with what was looked for.
    fn kubeconfigs(&self, looked: &mut Vec<String>) -> Option<Vec<PathBuf>> {
        if let Some(path) = &self.kubeconfig {
            return Some(vec![path.clone()]);
        }
        looked.push("  --kubeconfig: not given".into());
        let env = |name: &str| (self.env)(name).filter(|value| !value.is_empty());
        match env("KUBECONFIG") {
            None => looked.push("  $KUBECONFIG: not set".into()),
            Some(list) => {
                let named =
                    std::env::split_paths(&list).filter(|path| !path.as_os_str().is_empty());
                let there: Vec<PathBuf> = named.filter(|path| path.exists()).collect();
                if !there.is_empty() {
                    return Some(there);
                }
                // As in client-go: whoever sets it does not mean ~/.kube/config.
                looked.push(format!("  $KUBECONFIG: none of {list} exists"));
                return None;
            }
        }
        match env("HOME").map(|home| Path::new(&home).join(".kube/config")) {
            None => looked.push("  ~/.kube/config: $HOME is not set".into()),
            Some(path) if path.exists() => return Some(vec![path]),
            Some(path) => looked.push(format!("  {}: does not exist", path.display())),
        }
        None
    }

    /// The address that Kubernetes tells every pod, or `None` with what was looked for.
    fn in_cluster(&self, looked: &mut Vec<String>) -> Option<Url> {
        let env = |name: &str| (self.env)(name).filter(|value| !value.is_empty());
        if let Some(context) = &self.context {
            looked.push(format!("  in a pod: has no context {context:?}, as a kubeconfig has"));
            return None;
        }
        let host = env("KUBERNETES_SERVICE_HOST");
        let port = env("KUBERNETES_SERVICE_PORT");
        let token = self.service_account.join("token");
        let Some((host, port)) = host.zip(port) else {
            looked.push(
                "  in a pod: $KUBERNETES_SERVICE_HOST and $KUBERNETES_SERVICE_PORT are not set"
                    .into(),
            );
            return None;
        };
        let Ok(port) = port.parse() else {
            looked.push(format!("  in a pod: $KUBERNETES_SERVICE_PORT is {port:?}, no port"));
            return None;
        };
        if !token.exists() {
            looked.push(format!("  in a pod: {} does not exist", token.display()));
            return None;
        }
        let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        Some(Url { tls: true, host, port, path: String::new() })
    }
}

impl Url {
    /// Reads `https://host:port/path`; without a scheme it is http for client-go, and here an
    /// error, as nobody means that.
    ///
    /// # Errors
    /// Why it is no address.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        let (tls, rest) = match text.split_once("://") {
            Some(("https", rest)) => (true, rest),
            Some(("http", rest)) => (false, rest),
            Some(_) => return Err("its scheme is neither https nor http"),
            None => return Err("it does not begin with https://"),
        };
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        if authority.contains('@') {
            return Err("it has credentials in it");
        }
        if path.contains(['?', '#']) || authority.contains(['?', '#']) {
            return Err("it has a query or a fragment");
        }
        let (host, port) = match authority.strip_prefix('[') {
            Some(rest) => rest.split_once(']').ok_or("its [ is not closed")?,
            None => authority.split_at(authority.find(':').unwrap_or(authority.len())),
        };
        if host.is_empty() {
            return Err("it has no host");
        }
        let port = match port.strip_prefix(':') {
            Some(port) => port.parse().map_err(|_| "its port is none")?,
            None if port.is_empty() => {
                if tls {
                    443
                } else {
                    80
                }
            }
            None => return Err("its port is none"),
        };
        let path = match path.trim_end_matches('/') {
            "" => String::new(),
            path => format!("/{path}"),
        };
        Ok(Self { tls, host: host.into(), port, path })
    }

    /// Host and port, an IPv6 address in brackets.
    #[must_use]
    pub fn authority(&self) -> String {
        match self.host.contains(':') {
            true => format!("[{}]:{}", self.host, self.port),
            false => format!("{}:{}", self.host, self.port),
        }
    }
}

impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.tls { "https" } else { "http" };
        write!(f, "{scheme}://{}{}", self.authority(), self.path)
    }
}

#[cfg(all(test, feature = "demo"))]
mod tests;
