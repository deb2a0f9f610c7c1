//! Kubeconfig files: read, merged as client-go merges them, resolved to one context.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use base64::{Engine, engine::general_purpose::STANDARD};
use serde::{Deserialize, de::IgnoredAny};
use serde_json::json;

use super::{
    credentials::Origin,
    exec::Exec,
    source::{Source, read_bounded},
    tls,
};

/// The largest kubeconfig that is read.
const LARGEST: u64 = 4 * 1024 * 1024;

/// Why a kubeconfig cannot be used. Says which file, context, user or cluster.
#[derive(Debug, thiserror::Error)]
pub enum KubeconfigError {
    /// It cannot be read.
    #[error("cannot read the kubeconfig {}: {error}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why not.
        error: std::io::Error,
    },
    /// It is no kubeconfig.
    #[error("{} is no kubeconfig: {why}", path.display())]
    Parse {
        /// The file.
        path: PathBuf,
        /// Where and why not.
        why: String,
    },
    /// It does not say what to use.
    #[error("the kubeconfig {from} has no {what} {name:?}{known}")]
    Missing {
        /// The file or files.
        from: String,
        /// Context, cluster or user.
        what: &'static str,
        /// Its name.
        name: String,
        /// Those that there are.
        known: String,
    },
    /// Neither the file nor we were told a context.
    #[error("the kubeconfig {from} has no current-context; choose one with --context{known}")]
    NoContext {
        /// The file or files.
        from: String,
        /// Those that there are.
        known: String,
    },
    /// A field is unusable.
    #[error("the kubeconfig {from}, {of}: {why}")]
    Field {
        /// The file.
        from: String,
        /// Which cluster or user.
        of: String,
        /// What is wrong, and what to do.
        why: String,
    },
}

/// One context of a kubeconfig, resolved.
#[derive(Debug)]
pub struct Resolved {
    /// The server's address.
    pub server: String,
    /// For people: which file, context and user.
    pub origin: String,
    /// The context's namespace.
    pub namespace: Option<String>,
    /// The user's name in the kubeconfig.
    pub user: String,
    /// How to speak TLS.
    pub tls: tls::Options,
    /// Where the token comes from.
    pub token: Origin,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
struct File {
    current_context: Option<String>,
    clusters: Option<Vec<NamedCluster>>,
    users: Option<Vec<NamedUser>>,
    contexts: Option<Vec<NamedContext>>,
}

#[derive(Deserialize)]
struct NamedCluster {
    name: String,
    #[serde(default)]
    cluster: Cluster,
}

#[derive(Deserialize)]
struct NamedUser {
    name: String,
    #[serde(default)]
    user: Option<User>,
}

#[derive(Deserialize)]
struct NamedContext {
    name: String,
    #[serde(default)]
    context: Context,
}

#[derive(Clone, Default, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
struct Cluster {
    server: Option<String>,
    certificate_authority: Option<String>,
    certificate_authority_data: Option<String>,
    tls_server_name: Option<String>,
    insecure_skip_tls_verify: bool,
    proxy_url: Option<String>,
}

#[derive(Clone, Default, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
struct User {
    token: Option<String>,
    #[serde(rename = "tokenFile")]
    token_file: Option<String>,
    client_certificate: Option<String>,
    client_certificate_data: Option<String>,
    client_key: Option<String>,
    client_key_data: Option<String>,
    username: Option<String>,
    auth_provider: Option<IgnoredAny>,
    #[serde(rename = "as")]
    impersonate: Option<IgnoredAny>,
    as_uid: Option<IgnoredAny>,
    as_groups: Option<IgnoredAny>,
    as_user_extra: Option<IgnoredAny>,
    exec: Option<Exec>,
}

#[derive(Clone, Default, Deserialize)]
#[serde(default)]
struct Context {
    cluster: String,
    user: String,
    namespace: Option<String>,
}

/// Several files as one: of each name the first one counts.
#[derive(Default)]
struct Merged {
    files: Vec<String>,
    current_context: Option<String>,
    clusters: BTreeMap<String, (PathBuf, Cluster)>,
    users: BTreeMap<String, (PathBuf, User)>,
    contexts: BTreeMap<String, Context>,
}

/// Reads these files, the first one winning where two say something of the same name, and resolves
/// the context that is asked for, or the current one.
///
/// # Errors
/// Where a file cannot be read or used, or says nothing of what is needed.
pub fn load(paths: &[PathBuf], context: Option<&str>) -> Result<Resolved, KubeconfigError> {
    let mut merged = Merged::default();
    for path in paths {
        let bytes = read_bounded(path, LARGEST)
            .map_err(|error| KubeconfigError::Read { path: path.clone(), error })?;
        merged.add(path, parse(path, &bytes)?);
    }
    merged.resolve(context)
}

fn parse(path: &Path, bytes: &[u8]) -> Result<File, KubeconfigError> {
    let wrong = |why| KubeconfigError::Parse { path: path.into(), why };
    let text = std::str::from_utf8(bytes).map_err(|error| wrong(error.to_string()))?;
    // Only where, not what: the text around an error may be a token.
    serde_saphyr::from_str::<Option<File>>(text).map(Option::unwrap_or_default).map_err(|error| {
        wrong(match error.location() {
            Some(at) => format!("unusable YAML at line {}, column {}", at.line(), at.column()),
            None => "unusable YAML".into(),
        })
    })
}

/// Whether bytes are a kubeconfig; for fuzzing.
#[must_use]
pub fn is_valid(bytes: &[u8]) -> bool {
    parse(Path::new("-"), bytes).is_ok()
}

impl Merged {
    fn add(&mut self, path: &Path, file: File) {
        self.files.push(path.display().to_string());
        let folder = path.parent().unwrap_or(Path::new(""));
        self.current_context =
            self.current_context.take().or(file.current_context.filter(|name| !name.is_empty()));
        for NamedCluster { name, cluster } in file.clusters.into_iter().flatten() {
            self.clusters.entry(name).or_insert_with(|| (folder.into(), cluster));
        }
        for NamedUser { name, user } in file.users.into_iter().flatten() {
            self.users.entry(name).or_insert_with(|| (folder.into(), user.unwrap_or_default()));
        }
        for NamedContext { name, context } in file.contexts.into_iter().flatten() {
            self.contexts.entry(name).or_insert(context);
        }
    }

    fn resolve(&self, context: Option<&str>) -> Result<Resolved, KubeconfigError> {
        let from = self.files.join(":");
        let name = context.or(self.current_context.as_deref()).ok_or_else(|| {
            KubeconfigError::NoContext { from: from.clone(), known: known(&self.contexts) }
        })?;
        let context = self.find("context", name, &self.contexts)?;
        let (folder, cluster) = self.find("cluster", &context.cluster, &self.clusters)?;
        let empty = (PathBuf::new(), User::default());
        let (user_folder, user) = match context.user.as_str() {
            "" => &empty,
            name => self.find("user", name, &self.users)?,
        };
        let of_cluster = Place { from: &from, what: "cluster", name: &context.cluster, folder };
        let of_user = Place { from: &from, what: "user", name: &context.user, folder: user_folder };
        let server = cluster.server(&of_cluster)?;
        let ca = cluster.ca(&of_cluster)?;
        Ok(Resolved {
            token: user.token(&of_user, cluster, ca.as_ref())?,
            tls: tls::Options {
                ca,
                client: user.client(&of_user)?,
                server_name: cluster.tls_server_name.clone().filter(|name| !name.is_empty()),
                insecure: cluster.insecure_skip_tls_verify,
            },
            origin: format!("kubeconfig {from}, context {name}, user {}", context.user),
            namespace: context.namespace.clone().filter(|name| !name.is_empty()),
            user: context.user.clone(),
            server,
        })
    }

    fn find<'a, T>(
        &self,
        what: &'static str,
        name: &str,
        all: &'a BTreeMap<String, T>,
    ) -> Result<&'a T, KubeconfigError> {
        all.get(name).ok_or_else(|| KubeconfigError::Missing {
            from: self.files.join(":"),
            what,
            name: name.to_owned(),
            known: known(all),
        })
    }
}

fn known<T>(all: &BTreeMap<String, T>) -> String {
    match all.is_empty() {
        true => String::new(),
        false => format!("; there is {}", all.keys().cloned().collect::<Vec<_>>().join(", ")),
    }
}

/// Where something stands, for errors and relative paths.
struct Place<'a> {
    from: &'a str,
    what: &'static str,
    name: &'a str,
    folder: &'a Path,
}

impl Place<'_> {
    fn wrong(&self, why: impl Into<String>) -> KubeconfigError {
        let of = format!("{} {:?}", self.what, self.name);
        KubeconfigError::Field { from: self.from.into(), of, why: why.into() }
    }

    /// Data wins over a file, as in client-go; a relative path is relative to the kubeconfig.
    fn source(
        &self,
        field: &str,
        data: Option<&str>,
        file: Option<&str>,
    ) -> Result<Option<Source>, KubeconfigError> {
        if let Some(data) = data.filter(|data| !data.is_empty()) {
            let compact: String = data.split_whitespace().collect();
            let bytes = STANDARD
                .decode(compact)
                .map_err(|_| self.wrong(format!("{field} is not base64")))?;
            return Ok(Some(Source::Data(bytes)));
        }
        Ok(file.filter(|file| !file.is_empty()).map(|file| Source::File(self.folder.join(file))))
    }
}

impl Cluster {
    fn server(&self, place: &Place<'_>) -> Result<String, KubeconfigError> {
        if self.proxy_url.as_deref().is_some_and(|url| !url.is_empty()) {
            return Err(place.wrong(
                "proxy-url is not supported; point server at an address that can be reached \
                 without a proxy",
            ));
        }
        let server = self.server.clone().filter(|server| !server.is_empty());
        server.ok_or_else(|| place.wrong("it has no server"))
    }

    fn ca(&self, place: &Place<'_>) -> Result<Option<Source>, KubeconfigError> {
        let ca = place.source(
            "certificate-authority-data",
            self.certificate_authority_data.as_deref(),
            self.certificate_authority.as_deref(),
        )?;
        match ca {
            // As in client-go: who gives a CA wants it used.
            Some(_) if self.insecure_skip_tls_verify => Err(place.wrong(
                "it has a certificate-authority and insecure-skip-tls-verify, which ignores it; \
                 remove one",
            )),
            ca => Ok(ca),
        }
    }
}

impl User {
    fn client(&self, place: &Place<'_>) -> Result<Option<(Source, Source)>, KubeconfigError> {
        let certificate = place.source(
            "client-certificate-data",
            self.client_certificate_data.as_deref(),
            self.client_certificate.as_deref(),
        )?;
        let key = place.source(
            "client-key-data",
            self.client_key_data.as_deref(),
            self.client_key.as_deref(),
        )?;
        match (certificate, key) {
            (Some(certificate), Some(key)) => Ok(Some((certificate, key))),
            (None, None) => Ok(None),
            (Some(_), None) => Err(place.wrong("it has a client certificate and no client-key")),
            (None, Some(_)) => Err(place.wrong("it has a client key and no client-certificate")),
        }
    }

    fn token(
        &self,
        place: &Place<'_>,
        cluster: &Cluster,
        ca: Option<&Source>,
    ) -> Result<Origin, KubeconfigError> {
        let impersonation = [&self.impersonate, &self.as_uid, &self.as_groups, &self.as_user_extra];
        if impersonation.iter().any(|field| field.is_some()) {
            return Err(place.wrong(
                "impersonation (as, as-groups, as-uid, as-user-extra) is not supported; use \
                 credentials of the account itself",
            ));
        }
        if self.username.as_deref().is_some_and(|name| !name.is_empty()) {
            return Err(place.wrong(
                "username and password are not supported: API servers take none since 1.19; use \
                 a token or a client certificate",
            ));
        }
        if self.auth_provider.is_some() {
            return Err(place.wrong(
                "auth-provider is not supported: client-go dropped its cloud providers in 1.26; \
                 use the cloud's exec plugin",
            ));
        }
        let filled = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
        if let Some(file) = filled(&self.token_file) {
            return Ok(Origin::Source(Source::File(place.folder.join(file))));
        }
        if let Some(token) = filled(&self.token) {
            return Ok(Origin::Source(Source::Data(token.into_bytes())));
        }
        self.exec
            .as_ref()
            .map_or(Ok(Origin::None), |exec| Ok(Origin::Exec(exec.prepared(place, cluster, ca)?)))
    }
}

impl Exec {
    fn prepared(
        &self,
        place: &Place<'_>,
        cluster: &Cluster,
        ca: Option<&Source>,
    ) -> Result<Self, KubeconfigError> {
        let version = self.api_version.strip_prefix("client.authentication.k8s.io/");
        if !matches!(version, Some("v1" | "v1beta1")) {
            return Err(place.wrong(format!(
                "exec.apiVersion {:?} is not supported; there is client.authentication.k8s.io/v1 \
                 and v1beta1",
                self.api_version
            )));
        }
        if self.command.is_empty() {
            return Err(place.wrong("exec has no command"));
        }
        if self.interactive_mode.as_deref() == Some("Always") {
            return Err(
                place.wrong("exec.interactiveMode Always cannot be met: a daemon has no terminal")
            );
        }
        // A relative path with a slash is relative to the kubeconfig; a bare name is looked up in
        // PATH.
        let command = match self.command.contains('/') {
            true => place.folder.join(&self.command).display().to_string(),
            false => self.command.clone(),
        };
        // A CA that cannot be read is told by whoever sets TLS up.
        let ca = ca.and_then(|ca| ca.read().ok()).map(|pem| STANDARD.encode(pem));
        let cluster = json!({
            "server": cluster.server,
            "tls-server-name": cluster.tls_server_name,
            "insecure-skip-tls-verify": cluster.insecure_skip_tls_verify,
            "certificate-authority-data": ca,
        });
        Ok(Self { command, cluster, ..self.clone() })
    }
}

#[cfg(test)]
mod tests;
