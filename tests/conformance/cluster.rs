//! A real API server on loopback: etcd, kube-apiserver with TLS, RBAC and bound tokens, kubectl.

use std::{
    env,
    net::TcpListener,
    path::{Path, PathBuf},
    process::Command,
};

use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use kubetally::sim::pki::{Authority, Identity, Validity};
use rcgen::{KeyPair, SigningKey};
use rustls::ServerConfig;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{
    api::{Api, Login},
    eventually::eventually,
    process::Process,
};

/// The folder with the programs, as test suites of Kubernetes have it.
pub const VARIABLE: &str = "KUBEBUILDER_ASSETS";

/// The programs: etcd, kube-apiserver and kubectl.
#[derive(Clone)]
pub struct Assets(PathBuf);

impl Assets {
    /// Those that the environment names, if it names any.
    ///
    /// # Errors
    /// Where one of them is not there.
    pub fn find() -> Option<Result<Self, String>> {
        let assets = Self(env::var_os(VARIABLE).filter(|folder| !folder.is_empty())?.into());
        let programs = ["etcd", "kube-apiserver", "kubectl"];
        let missing: Vec<_> =
            programs.into_iter().filter(|name| !assets.program(name).is_file()).collect();
        Some(if missing.is_empty() {
            Ok(assets)
        } else {
            let (folder, missing) = (assets.0.display(), missing.join(", "));
            Err(format!(
                "{VARIABLE} is {folder}, where there is no {missing}; tests/apiserver/build builds \
                 them into it"
            ))
        })
    }

    /// One of the programs.
    pub fn program(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

/// etcd, and all that an API server on it needs.
pub struct Cluster {
    assets: Assets,
    etcd: Process,
    etcd_args: Vec<String>,
    etcd_port: u16,
    authority: Authority,
    /// What signs tokens of service accounts.
    accounts: KeyPair,
    admin: Identity,
    dir: TempDir,
}

/// An API server.
pub struct ApiServer {
    process: Option<Process>,
    program: PathBuf,
    args: Vec<String>,
    /// Where it listens.
    pub port: u16,
    ca: String,
    admin: Identity,
}

/// Who somebody is to the API server.
pub enum User<'a> {
    /// By a client certificate.
    Certificate(&'a Identity),
    /// By the token in a file.
    TokenFile(&'a Path),
}

impl Cluster {
    /// Starts etcd.
    pub async fn start(assets: &Assets) -> Self {
        let dir = tempfile::Builder::new().prefix("kubetally-conformance-").tempdir();
        let dir = dir.expect("a temporary folder");
        let authority = Authority::new().expect("a CA");
        let server = authority.server(&["localhost", "127.0.0.1"], Validity::Now).expect("names");
        let accounts = KeyPair::generate().expect("a key");
        for (name, text) in [
            ("ca.crt", authority.pem()),
            ("server.crt", server.certificate.as_str()),
            ("server.key", server.key.as_str()),
            ("accounts.key", accounts.serialize_pem().as_str()),
            ("accounts.pub", accounts.public_key_pem().as_str()),
        ] {
            std::fs::write(dir.path().join(name), text).expect("a file");
        }
        let [etcd_port, peer_port] = free_ports();
        let (client, peer) =
            (format!("http://127.0.0.1:{etcd_port}"), format!("http://127.0.0.1:{peer_port}"));
        let etcd_args = [
            "--data-dir",
            &dir.path().join("etcd").display().to_string(),
            "--listen-client-urls",
            &client,
            "--advertise-client-urls",
            &client,
            "--listen-peer-urls",
            &peer,
            "--initial-advertise-peer-urls",
            &peer,
            "--initial-cluster",
            &format!("default={peer}"),
            "--unsafe-no-fsync",
            "--log-level",
            "warn",
            "--quota-backend-bytes",
            "8589934592",
        ];
        let etcd_args = etcd_args.map(str::to_owned).to_vec();
        let etcd = Process::start(Command::new(assets.program("etcd")).args(&etcd_args));
        let admin = authority.client("admin", &["system:masters"]).expect("a certificate");
        let assets = assets.clone();
        let cluster = Self { assets, etcd, etcd_args, etcd_port, authority, accounts, admin, dir };
        cluster.until_etcd().await;
        cluster
    }

    async fn until_etcd(&self) {
        let status = "/v3/maintenance/status";
        let up = async || crate::api::plain(self.etcd_port, status, &json!({})).await;
        eventually("etcd", up).await;
    }

    /// Keeps a copy of what etcd holds.
    pub async fn back_up(&mut self) {
        self.with_etcd_stopped("etcd", "backup").await;
    }

    /// Puts the copy back: resourceVersions go back with it.
    pub async fn restore(&mut self) {
        self.with_etcd_stopped("backup", "etcd").await;
    }

    /// Copies one folder over another while etcd is stopped.
    async fn with_etcd_stopped(&mut self, from: &str, to: &str) {
        self.etcd.stop("TERM").await;
        let [from, to] = [from, to].map(|name| self.dir.path().join(name));
        if to.exists() {
            std::fs::remove_dir_all(&to).expect("it can be removed");
        }
        let copied = Command::new("cp").arg("-a").args([&from, &to]).status();
        assert!(copied.expect("cp").success(), "{} was not copied", from.display());
        let program = self.assets.program("etcd");
        self.etcd = Process::start(Command::new(program).args(&self.etcd_args));
        self.until_etcd().await;
    }

    /// Starts an API server with these flags beside its own, and waits until it is ready.
    pub async fn api_server(&self, flags: &[&str]) -> ApiServer {
        let file = |name: &str| self.dir.path().join(name).display().to_string();
        let [port] = free_ports();
        let own = [
            format!("--etcd-servers=http://127.0.0.1:{}", self.etcd_port),
            "--bind-address=127.0.0.1".into(),
            format!("--secure-port={port}"),
            format!("--tls-cert-file={}", file("server.crt")),
            format!("--tls-private-key-file={}", file("server.key")),
            format!("--client-ca-file={}", file("ca.crt")),
            "--authorization-mode=RBAC".into(),
            "--service-cluster-ip-range=10.96.0.0/16".into(),
            "--service-account-issuer=https://kubernetes.default.svc".into(),
            format!("--service-account-key-file={}", file("accounts.pub")),
            format!("--service-account-signing-key-file={}", file("accounts.key")),
            // Compaction is for the tests to decide.
            "--etcd-compaction-interval=0".into(),
        ];
        let mut server = ApiServer {
            process: None,
            program: self.assets.program("kube-apiserver"),
            args: own.into_iter().chain(flags.iter().map(|flag| (*flag).into())).collect(),
            port,
            ca: self.ca().to_owned(),
            admin: self.admin.clone(),
        };
        server.start().await;
        server
    }

    /// The flag of an API server that shows this certificate to whoever asks for this name.
    pub fn shown_to(&self, name: &str, validity: Validity) -> String {
        let identity = self.authority.server(&[name], validity).expect("a name");
        let file = |ending: &str, text: &str| {
            let path = self.dir.path().join(format!("{name}.{ending}"));
            std::fs::write(&path, text).expect("a file");
            path.display().to_string()
        };
        let certificate = file("crt", &identity.certificate);
        let key = file("key", &identity.key);
        format!("--tls-sni-cert-key={certificate},{key}:{name}")
    }

    /// The certificate of a user of these groups.
    pub fn user(&self, name: &str, groups: &[&str]) -> Identity {
        self.authority.client(name, groups).expect("a certificate")
    }

    /// The CA of the API servers, in PEM.
    pub fn ca(&self) -> &str {
        self.authority.pem()
    }

    /// TLS for somebody who is taken for an API server.
    pub fn server_tls(&self, alpn: &[&str]) -> ServerConfig {
        let identity = self.authority.server(&["localhost", "127.0.0.1"], Validity::Now);
        let config = self.authority.server_config(&identity.expect("names"), alpn);
        config.expect("TLS")
    }

    /// A token of a service account of the namespace kubetally, from one time to another in seconds
    /// since 1970, as the API server signs them.
    pub fn sign_token(&self, account: &str, from: u64, to: u64) -> String {
        let uid = "00000000-0000-0000-0000-000000000000";
        self.sign(&claims(account, uid, from, to))
    }

    /// A token of a service account that should have been replaced at a time in seconds since 1970
    /// and is good for an hour more.
    pub fn stale_token(&self, account: &str, uid: &str, since: u64) -> String {
        let mut claims = claims(account, uid, since - 3600, since + 3600);
        claims["kubernetes.io"]["warnafter"] = since.into();
        self.sign(&claims)
    }

    fn sign(&self, claims: &Value) -> String {
        let header = json!({"alg": "ES256"});
        let signed =
            [&header, claims].map(|part| URL_SAFE_NO_PAD.encode(part.to_string())).join(".");
        let signature = self.accounts.sign(signed.as_bytes()).expect("a signature");
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(two_numbers(&signature)))
    }

    /// Where tests may keep files of their own.
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// Writes a kubeconfig for the API server at a port of loopback.
    pub fn kubeconfig(&self, name: &str, port: u16, user: &User<'_>) -> PathBuf {
        let user = match user {
            User::Certificate(identity) => json!({
                "client-certificate-data": STANDARD.encode(&identity.certificate),
                "client-key-data": STANDARD.encode(&identity.key),
            }),
            User::TokenFile(path) => json!({"tokenFile": path}),
        };
        let text = json!({
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "real", "cluster": {
                "server": format!("https://127.0.0.1:{port}"),
                "certificate-authority": "ca.crt",
            }}],
            "users": [{"name": "user", "user": user}],
            "contexts": [{"name": "it", "context": {"cluster": "real", "user": "user"}}],
            "current-context": "it",
        });
        let path = self.dir.path().join(name);
        std::fs::write(&path, text.to_string()).expect("a file");
        path
    }

    /// The kubeconfig of somebody who may do everything.
    pub fn admin_kubeconfig(&self, port: u16) -> PathBuf {
        self.kubeconfig(&format!("admin-{port}.kubeconfig"), port, &User::Certificate(&self.admin))
    }

    /// Runs kubectl as somebody who may do everything; what it prints.
    pub fn kubectl(&self, port: u16, args: &[&str]) -> String {
        let output = Command::new(self.assets.program("kubectl"))
            .arg("--kubeconfig")
            .arg(self.admin_kubeconfig(port))
            .arg("--cache-dir")
            .arg(self.dir.path().join("kubectl"))
            .args(args)
            .output()
            .expect("kubectl can be run");
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "kubectl {}: {told}", args.join(" "));
        String::from_utf8(output.stdout).expect("UTF-8")
    }

    /// Compacts etcd: nothing before its present state can be watched any more.
    pub async fn compact(&self) {
        let state = self.etcd("/v3/kv/range", &json!({"key": STANDARD.encode("/")})).await;
        let revision = state["header"]["revision"].as_str().expect("a revision");
        self.etcd("/v3/kv/compaction", &json!({"revision": revision, "physical": true})).await;
    }

    /// Stores objects under these keys of etcd, past the API server, or takes away what is there.
    pub async fn store(&self, objects: impl IntoIterator<Item = (String, Option<Value>)>) {
        let operation = |(key, object): (String, Option<Value>)| {
            let key = STANDARD.encode(key);
            match object.map(|object| STANDARD.encode(object.to_string())) {
                Some(value) => json!({"requestPut": {"key": key, "value": value}}),
                None => json!({"requestDeleteRange": {"key": key}}),
            }
        };
        let operations: Vec<_> = objects.into_iter().map(operation).collect();
        // No transaction has more than 128.
        for batch in operations.chunks(100) {
            self.etcd("/v3/kv/txn", &json!({"success": batch})).await;
        }
    }

    /// Asks etcd's JSON gateway.
    async fn etcd(&self, path: &str, body: &Value) -> Value {
        let answer = crate::api::plain(self.etcd_port, path, body).await;
        answer.unwrap_or_else(|error| panic!("etcd, {path}: {error}; {}", self.etcd.log()))
    }
}

impl ApiServer {
    async fn start(&mut self) {
        self.process = Some(Process::start(Command::new(&self.program).args(&self.args)));
        let api = self.admin();
        eventually("the API server", async || {
            if let Some(process) = &mut self.process {
                process.assert_running();
            }
            api.ready().await
        })
        .await;
    }

    /// Kills it in the middle of whatever it does.
    pub fn kill(&mut self) {
        self.process = None;
    }

    /// Stops it where it is, as a machine that hangs: its kernel answers, it does not.
    pub fn freeze(&self) {
        self.signal("STOP");
    }

    /// Lets it go on.
    pub fn thaw(&self) {
        self.signal("CONT");
    }

    fn signal(&self, signal: &str) {
        let id = self.process.as_ref().expect("it runs").id().to_string();
        let sent = Command::new("sh").args(["-c", &format!("kill -s {signal} {id}")]).status();
        assert!(sent.expect("a shell").success(), "it cannot be signalled");
    }

    /// Starts it again, where it was.
    pub async fn restart(&mut self) {
        self.kill();
        self.start().await;
    }

    /// Its API, for somebody who may do everything.
    pub fn admin(&self) -> Api {
        self.api(Login::Certificate(&self.admin))
    }

    /// Its API, for somebody.
    pub fn api(&self, login: Login<'_>) -> Api {
        Api::new(self.port, &self.ca, login)
    }
}

/// What the token of a service account says.
fn claims(account: &str, uid: &str, from: u64, to: u64) -> Value {
    const ISSUER: &str = "https://kubernetes.default.svc";
    json!({
        "aud": [ISSUER],
        "exp": to,
        "iat": from,
        "iss": ISSUER,
        "kubernetes.io": {
            "namespace": "kubetally",
            "serviceaccount": {"name": account, "uid": uid},
        },
        "nbf": from,
        "sub": format!("system:serviceaccount:kubetally:{account}"),
    })
}

/// The two numbers of an ECDSA signature by P-256, from their DER, at their full width (RFC 7518,
/// 3.4).
fn two_numbers(der: &[u8]) -> Vec<u8> {
    let mut rest = &der[2..];
    let mut numbers = Vec::new();
    for _ in 0..2 {
        let (number, after) = rest[2..].split_at(rest[1].into());
        // A leading zero says that a number is not negative; those that are not needed are left out.
        let number = &number[number.len().saturating_sub(32)..];
        numbers.extend(std::iter::repeat_n(0, 32 - number.len()));
        numbers.extend(number);
        rest = after;
    }
    numbers
}

/// Ports that were free a moment ago.
pub fn free_ports<const N: usize>() -> [u16; N] {
    let listeners =
        [(); N].map(|()| TcpListener::bind("127.0.0.1:0").expect("a port of loopback is free"));
    listeners.map(|listener| listener.local_addr().expect("an address").port())
}
