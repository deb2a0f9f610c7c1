//! Where a cluster is looked for, in which order, and what is told where there is none.

use std::{collections::BTreeMap, fs};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use rstest::rstest;
use tempfile::TempDir;

use super::*;

/// A machine: files, environment, flags.
struct Machine {
    dir: TempDir,
    env: BTreeMap<&'static str, String>,
    kubeconfig: Option<PathBuf>,
    context: Option<String>,
}

impl Machine {
    fn new() -> Self {
        let dir = tempfile::tempdir().expect("a folder");
        let env = BTreeMap::from([("HOME", dir.path().join("home").display().to_string())]);
        Self { dir, env, kubeconfig: None, context: None }
    }

    fn at(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn write(&self, name: &str, content: &str) -> PathBuf {
        let path = self.at(name);
        fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
        fs::write(&path, content).expect("written");
        path
    }

    /// A kubeconfig of a server, without credentials.
    fn config(&self, name: &str, server: &str) -> PathBuf {
        self.write(
            name,
            &format!(
                "current-context: a\nclusters: [{{name: a, cluster: {{server: '{server}'}}}}]\n\
                 contexts: [{{name: a, context: {{cluster: a}}}}]\n"
            ),
        )
    }

    /// What the kubelet mounts and sets.
    fn pod(&mut self, host: &str) {
        let claims = r#"{"sub":"system:serviceaccount:tally:kubetally"}"#;
        self.write("pod/token", &format!("e30.{}.c2ln\n", URL_SAFE_NO_PAD.encode(claims)));
        self.write("pod/ca.crt", &ca());
        self.write("pod/namespace", "tally\n");
        self.env.insert("KUBERNETES_SERVICE_HOST", host.into());
        self.env.insert("KUBERNETES_SERVICE_PORT", "443".into());
    }

    fn find(&self) -> Result<Endpoint, String> {
        let lookup = Lookup {
            kubeconfig: self.kubeconfig.clone(),
            context: self.context.clone(),
            env: &|name| self.env.get(name).cloned(),
            service_account: self.at("pod"),
        };
        Endpoint::find(&lookup).map_err(|error| error.to_string())
    }

    fn url(&self) -> String {
        self.find().expect("a cluster").url.to_string()
    }
}

fn ca() -> String {
    let key = rcgen::KeyPair::generate().expect("a key");
    rcgen::CertificateParams::default().self_signed(&key).expect("a certificate").pem()
}

#[test]
fn the_order_is_that_of_client_go() {
    let mut machine = Machine::new();
    machine.pod("10.0.0.1");
    assert_eq!(machine.url(), "https://10.0.0.1:443");
    machine.config("home/.kube/config", "http://home.test");
    assert_eq!(machine.url(), "http://home.test:80");
    let [a, b] = ["a", "b"].map(|name| machine.config(name, &format!("http://{name}.test")));
    let list = std::env::join_paths([machine.at("missing"), b, a.clone()]).expect("paths");
    machine.env.insert("KUBECONFIG", list.into_string().expect("text"));
    assert_eq!(machine.url(), "http://b.test:80");
    machine.kubeconfig = Some(a);
    assert_eq!(machine.url(), "http://a.test:80");
}

#[test]
fn a_kubeconfig_that_is_named_must_be_there() {
    let mut machine = Machine::new();
    machine.config("home/.kube/config", "http://home.test");
    machine.pod("10.0.0.1");
    machine.kubeconfig = Some(machine.at("missing"));
    let error = machine.find().expect_err("it is missing");
    assert!(error.contains("cannot read the kubeconfig") && error.contains("missing"), "{error}");
}

#[test]
fn who_sets_the_variable_does_not_mean_the_home() {
    let mut machine = Machine::new();
    machine.config("home/.kube/config", "http://home.test");
    machine.env.insert("KUBECONFIG", "/missing/one:/missing/two".into());
    let error = machine.find().expect_err("none is there");
    assert!(error.contains("$KUBECONFIG: none of /missing/one:/missing/two exists"), "{error}");
    machine.env.insert("KUBECONFIG", String::new());
    assert_eq!(machine.url(), "http://home.test:80");
}

#[test]
fn nothing_anywhere_is_told_in_full() {
    let error = Machine::new().find().expect_err("there is no cluster");
    for part in [
        "no cluster found",
        "--kubeconfig: not given",
        "$KUBECONFIG: not set",
        "home/.kube/config: does not exist",
        "$KUBERNETES_SERVICE_HOST and $KUBERNETES_SERVICE_PORT are not set",
        "What to do: ",
        "kubetally demo",
    ] {
        assert!(error.contains(part), "no {part} in {error}");
    }
}

#[test]
fn half_a_pod_is_told() {
    let mut machine = Machine::new();
    machine.env.insert("KUBERNETES_SERVICE_HOST", "10.0.0.1".into());
    machine.env.insert("KUBERNETES_SERVICE_PORT", "443".into());
    let error = machine.find().expect_err("no token");
    assert!(error.contains("pod/token does not exist"), "{error}");
    machine.pod("10.0.0.1");
    machine.env.insert("KUBERNETES_SERVICE_PORT", "https".into());
    let error = machine.find().expect_err("no port");
    assert!(error.contains("$KUBERNETES_SERVICE_PORT is \"https\", no port"), "{error}");
}

#[rstest]
#[case("token", "", "the token")]
#[case("token", "two words", "is no token")]
#[case("ca.crt", "", "the CA")]
#[case("ca.crt", "nonsense", "no usable CA")]
fn a_broken_mount_is_told(#[case] file: &str, #[case] content: &str, #[case] part: &str) {
    let mut machine = Machine::new();
    machine.pod("10.0.0.1");
    machine.write(&format!("pod/{file}"), content);
    let error = machine.find().expect_err("it is broken");
    assert!(error.contains(part) && error.contains(&format!("pod/{file}")), "{error}");
}

#[rstest]
#[case("10.0.0.1", "https://10.0.0.1:443")]
#[case("fd00::1", "https://[fd00::1]:443")]
#[case("[fd00::1]", "https://[fd00::1]:443")]
#[case("kubernetes.default.svc", "https://kubernetes.default.svc:443")]
fn a_pod_knows_address_namespace_and_name(#[case] host: &str, #[case] url: &str) {
    let mut machine = Machine::new();
    machine.pod(host);
    let endpoint = machine.find().expect("a cluster");
    assert_eq!(endpoint.url.to_string(), url);
    assert_eq!(endpoint.namespace.as_deref(), Some("tally"));
    assert_eq!(endpoint.identity(), "system:serviceaccount:tally:kubetally");
    assert!(endpoint.tls.is_some_and(|tls| !tls.is_insecure()));
}

#[test]
fn a_context_wants_a_kubeconfig() {
    let mut machine = Machine::new();
    machine.pod("10.0.0.1");
    machine.context = Some("prod".into());
    let error = machine.find().expect_err("no kubeconfig");
    assert!(error.contains("has no context \"prod\""), "{error}");
}

#[rstest]
#[case("token: hunter2")]
#[case("client-certificate-data: aA==, client-key-data: aA==")]
#[case("exec: {apiVersion: client.authentication.k8s.io/v1, command: a}")]
fn no_credentials_go_over_plain_http(#[case] user: &str) {
    let mut machine = Machine::new();
    let config = format!(
        "current-context: a\nclusters: [{{name: a, cluster: {{server: 'http://a.test'}}}}]\n\
         users: [{{name: u, user: {{{user}}}}}]\n\
         contexts: [{{name: a, context: {{cluster: a, user: u}}}}]\n"
    );
    machine.kubeconfig = Some(machine.write("plain", &config));
    let error = machine.find().expect_err("it is plain");
    assert!(error.contains("over plain http to http://a.test:80"), "{error}");
    assert!(!error.contains("hunter2"), "{error}");
}

#[test]
fn a_legacy_token_names_whom_it_is_for() {
    let mut machine = Machine::new();
    let claims = r#"{"iss":"kubernetes/serviceaccount","kubernetes.io/serviceaccount/namespace":"a","sub":"system:serviceaccount:a:b"}"#;
    let token = format!("e30.{}.c2ln", URL_SAFE_NO_PAD.encode(claims));
    let config = format!(
        "current-context: a\nclusters: [{{name: a, cluster: {{server: 'https://a.test'}}}}]\n\
         users: [{{name: u, user: {{token: {token}}}}}]\n\
         contexts: [{{name: a, context: {{cluster: a, user: u}}}}]\n"
    );
    machine.kubeconfig = Some(machine.write("legacy", &config));
    let endpoint = machine.find().expect("a cluster");
    assert_eq!(endpoint.identity(), "system:serviceaccount:a:b");
    assert_eq!(endpoint.credentials.times().expires, None);
    assert!(!format!("{endpoint:?}").contains(&token));
}

#[rstest]
#[case("https://a.test", "https://a.test:443")]
#[case("https://a.test:6443/", "https://a.test:6443")]
#[case("https://a.test/k8s/clusters/c-1/", "https://a.test:443/k8s/clusters/c-1")]
#[case("https://[::1]:6443", "https://[::1]:6443")]
#[case("https://[::1]", "https://[::1]:443")]
#[case("http://127.0.0.1:8001", "http://127.0.0.1:8001")]
fn addresses(#[case] text: &str, #[case] expected: &str) {
    assert_eq!(Url::parse(text).expect("an address").to_string(), expected);
}

#[rstest]
#[case("a.test:6443", "does not begin with https://")]
#[case("ftp://a.test", "neither https nor http")]
#[case("https://", "no host")]
#[case("https://:443", "no host")]
#[case("https://a.test:port", "port")]
#[case("https://a.test:99999", "port")]
#[case("https://[::1", "not closed")]
#[case("https://[::1]6443", "port")]
#[case("https://a.test?x=1", "query")]
#[case("https://a.test/#x", "fragment")]
fn what_is_no_address_is_told(#[case] text: &str, #[case] part: &str) {
    assert!(Url::parse(text).expect_err("no address").contains(part));
    let mut machine = Machine::new();
    machine.kubeconfig = Some(machine.config("bad", text));
    let error = machine.find().expect_err("no address");
    assert!(error.contains(part) && error.contains(text) && error.contains("bad"), "{error}");
}

#[test]
fn a_password_in_an_address_is_refused_and_not_told() {
    let mut machine = Machine::new();
    machine.kubeconfig = Some(machine.config("bad", "https://me:hunter2@a.test"));
    let error = machine.find().expect_err("credentials");
    assert!(error.contains("it has credentials in it") && error.contains("a.test"), "{error}");
    assert!(!error.contains("hunter2"), "{error}");
}

#[test]
fn a_host_that_cannot_be_verified_is_told() {
    let mut machine = Machine::new();
    machine.kubeconfig = Some(machine.config("bad", "https://a_b!.test"));
    let error = machine.find().expect_err("no name");
    assert!(error.contains("neither a DNS name nor an IP address"), "{error}");
}

#[rstest]
#[case("https://10.0.0.11:6443", Some("kubernetes.default.svc"), None)]
#[case("https://10.0.0.11:6443", None, None)]
#[case("http://10.0.0.11:6443", None, Some("the endpoint cp-1: http://10.0.0.11:6443 and"))]
#[case("https://10.0.0.11:6443", Some("a b"), Some("\"a b\" is neither a DNS name"))]
fn another_server_is_spoken_to_as_this_one(
    #[case] url: &str,
    #[case] server_name: Option<&str>,
    #[case] refused: Option<&str>,
) {
    let mut machine = Machine::new();
    machine.pod("10.96.0.1");
    let first = machine.find().expect("a cluster");
    let url = Url::parse(url).expect("an address");
    let second = first.beside("cp-1", url.clone(), server_name).map_err(|error| error.to_string());
    match (second, refused) {
        (Ok(second), None) => {
            assert_eq!((second.name.as_str(), &second.url), ("cp-1", &url));
            assert!(second.credentials.current().is_some());
            assert_eq!(second.credentials.current(), first.credentials.current());
            let (_, name) = second.tls.as_ref().expect("TLS").connector();
            assert_eq!(name.to_str(), server_name.unwrap_or("10.96.0.1"));
        }
        (Err(error), Some(refused)) => assert!(error.contains(refused), "{error}"),
        (other, _) => panic!("{other:?}"),
    }
}
