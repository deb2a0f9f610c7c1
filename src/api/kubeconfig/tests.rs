//! Kubeconfigs: what they resolve to, how several merge, and what is told of a bad one.

use std::fs;

use proptest::prelude::*;
use rstest::rstest;
use tempfile::TempDir;

use super::*;

/// Files in a folder of their own.
fn files(contents: &[&str]) -> (TempDir, Vec<PathBuf>) {
    let dir = tempfile::tempdir().expect("a folder");
    let write = |(at, content): (usize, &&str)| {
        let path = dir.path().join(format!("config-{at}"));
        fs::write(&path, content).expect("written");
        path
    };
    let paths = contents.iter().enumerate().map(write).collect();
    (dir, paths)
}

fn resolve(content: &str) -> Result<Resolved, String> {
    let (_dir, paths) = files(&[content]);
    load(&paths, None).map_err(|error| error.to_string())
}

/// A kubeconfig with these fields of its one cluster and its one user.
fn config(cluster: &str, user: &str) -> String {
    format!(
        r"apiVersion: v1
kind: Config
current-context: dev
clusters:
- name: dev
  cluster: {{server: 'https://dev.test:6443', {cluster}}}
users:
- name: me
  user: {{{user}}}
contexts:
- name: dev
  context: {{cluster: dev, user: me, namespace: shop}}
"
    )
}

fn file(source: Option<&Source>) -> Option<PathBuf> {
    match source {
        Some(Source::File(path)) => Some(path.clone()),
        _ => None,
    }
}

#[test]
fn one_as_minikube_writes_it() {
    let (dir, paths) = files(&[r"apiVersion: v1
clusters:
- cluster:
    certificate-authority: /home/me/.minikube/ca.crt
    extensions:
    - extension: {last-update: 'Mon, 23 Nov 2026 17:27:23 UTC', provider: minikube.sigs.k8s.io, version: v1.40.0}
      name: cluster_info
    server: https://192.168.49.2:8443
  name: minikube
contexts:
- context:
    cluster: minikube
    extensions:
    - extension: {version: v1.40.0}
      name: context_info
    namespace: default
    user: minikube
  name: minikube
current-context: minikube
kind: Config
preferences: {}
users:
- name: minikube
  user:
    client-certificate: profiles/minikube/client.crt
    client-key: /home/me/.minikube/profiles/minikube/client.key
"]);
    let resolved = load(&paths, None).expect("it is right");
    assert_eq!(resolved.server, "https://192.168.49.2:8443");
    assert_eq!(resolved.namespace.as_deref(), Some("default"));
    assert_eq!(file(resolved.tls.ca.as_ref()), Some("/home/me/.minikube/ca.crt".into()));
    let (certificate, key) = resolved.tls.client.expect("a client certificate");
    let relative = dir.path().join("profiles/minikube/client.crt");
    assert_eq!(file(Some(&certificate)), Some(relative));
    assert_eq!(file(Some(&key)), Some("/home/me/.minikube/profiles/minikube/client.key".into()));
    assert!(matches!(resolved.token, Origin::None));
    let origin = resolved.origin;
    assert!(origin.contains("config-0") && origin.contains("minikube"), "{origin}");
}

#[test]
fn data_wins_over_a_file_and_may_be_wrapped() {
    let resolved = resolve(&config(
        "certificate-authority: ca.crt, certificate-authority-data: \"aGVs\\nbG8=\"",
        "client-certificate-data: Yw==, client-key-data: aw==",
    ))
    .expect("it is right");
    let data = |source: Option<&Source>| source.map(|source| source.read().expect("data"));
    assert_eq!(data(resolved.tls.ca.as_ref()), Some(b"hello".to_vec()));
    let (certificate, key) = resolved.tls.client.expect("a client certificate");
    assert_eq!((data(Some(&certificate)), data(Some(&key))), (Some(vec![b'c']), Some(vec![b'k'])));
}

#[test]
fn a_tls_server_name_and_insecure_are_taken() {
    let resolved = resolve(&config("tls-server-name: a.test", "")).expect("it is right");
    assert_eq!(resolved.tls.server_name.as_deref(), Some("a.test"));
    assert!(!resolved.tls.insecure);
    let resolved = resolve(&config("insecure-skip-tls-verify: true", "")).expect("it is right");
    assert!(resolved.tls.insecure);
}

#[test]
fn a_token_file_beats_a_token() {
    let (dir, paths) = files(&[&config("", "token: inline, tokenFile: secrets/token")]);
    let Origin::Source(source) = load(&paths, None).expect("it is right").token else {
        panic!("a source")
    };
    assert_eq!(file(Some(&source)), Some(dir.path().join("secrets/token")));
    let Origin::Source(source) = resolve(&config("", "token: inline")).expect("right").token else {
        panic!("a source")
    };
    assert_eq!(source.read().expect("data"), b"inline");
}

#[test]
fn of_several_files_the_first_one_wins_by_name() {
    let first = r"
current-context: ''
clusters: [{name: a, cluster: {server: 'https://first.test'}}]
users: null
";
    let second = r"
current-context: b
clusters: [{name: a, cluster: {server: 'https://second.test'}}, {name: b, cluster: {server: 'https://b.test'}}]
contexts: [{name: b, context: {cluster: b, user: u}}, {name: a, context: {cluster: a, user: ''}}]
users: [{name: u, user: {tokenFile: token}}]
";
    let third = "current-context: a\nusers: [{name: u, user: {token: t}}]\n";
    let (dir, paths) = files(&[first, second, third]);
    let resolved = load(&paths, None).expect("they are right");
    assert_eq!(resolved.server, "https://b.test");
    let Origin::Source(token) = resolved.token else { panic!("a source") };
    assert_eq!(file(Some(&token)), Some(dir.path().join("token")));
    let resolved = load(&paths, Some("a")).expect("they are right");
    assert_eq!(resolved.server, "https://first.test");
    assert!(matches!(resolved.token, Origin::None));
}

#[rstest]
#[case::proxy(&config("proxy-url: 'http://proxy:3128'", ""), "cluster \"dev\": proxy-url is not supported")]
#[case::insecure_ca(&config("insecure-skip-tls-verify: true, certificate-authority: ca", ""), "remove one")]
#[case::base64(&config("certificate-authority-data: '%%'", ""), "certificate-authority-data is not base64")]
#[case::half(&config("", "client-certificate: a"), "user \"me\": it has a client certificate and no client-key")]
#[case::other_half(&config("", "client-key: a"), "a client key and no client-certificate")]
#[case::basic(&config("", "username: a, password: hunter2"), "username and password are not supported")]
#[case::provider(&config("", "auth-provider: {name: gcp}"), "use the cloud's exec plugin")]
#[case::impersonation(&config("", "token: hunter2, as: admin"), "impersonation")]
#[case::groups(&config("", "as-groups: [admins]"), "impersonation")]
#[case::exec_version(&config("", "exec: {command: a, apiVersion: client.authentication.k8s.io/v1alpha1}"), "v1alpha1\" is not supported")]
#[case::exec_command(&config("", "exec: {apiVersion: client.authentication.k8s.io/v1}"), "exec has no command")]
#[case::exec_terminal(&config("", "exec: {apiVersion: client.authentication.k8s.io/v1, command: a, interactiveMode: Always}"), "a daemon has no terminal")]
#[case::no_server(
    "current-context: a\nclusters: [{name: c, cluster: {}}]\ncontexts: [{name: a, context: {cluster: c}}]",
    "cluster \"c\": it has no server"
)]
#[case::no_context(
    "contexts: [{name: a, context: {}}]",
    "no current-context; choose one with --context; there is a"
)]
#[case::empty("", "no current-context")]
#[case::missing_context(
    "current-context: b\ncontexts: [{name: a, context: {}}]",
    "no context \"b\"; there is a"
)]
#[case::missing_cluster(
    "current-context: a\ncontexts: [{name: a, context: {cluster: b}}]",
    "no cluster \"b\""
)]
#[case::missing_user(&config("", "").replace("user: me", "user: you"), "no user \"you\"; there is me")]
#[case::yaml("users:\n- name: a\n  user: {token: [hunter2}\n", "unusable YAML at line ")]
#[case::another_type("users: [{name: a, user: {token: {hunter2: 1}}}]", "unusable YAML")]
#[case::text("hunter2", "unusable YAML")]
fn a_bad_one_is_told(#[case] content: &str, #[case] part: &str) {
    let error = resolve(content).expect_err("it is bad");
    assert!(error.contains(part) && error.contains("config-0"), "no {part} in {error}");
    assert!(!error.contains("hunter2"), "{error}");
}

#[test]
fn one_that_cannot_be_read_is_told() {
    let (dir, _) = files(&[]);
    let path = dir.path().join("missing");
    let error = load(&[path], None).expect_err("it is missing").to_string();
    assert!(error.contains("missing") && error.contains("No such file"), "{error}");
    let error = load(&[dir.path().into()], None).expect_err("a folder").to_string();
    assert!(error.contains("cannot read the kubeconfig"), "{error}");
}

#[test]
fn a_plugin_is_told_the_cluster_it_is_for() {
    let (dir, paths) = files(&[&config(
        "certificate-authority: ca.crt, tls-server-name: a.test",
        "exec: {apiVersion: client.authentication.k8s.io/v1beta1, command: bin/plugin, args: null, env: null, provideClusterInfo: true}",
    )]);
    fs::write(dir.path().join("ca.crt"), "PEM").expect("written");
    let Origin::Exec(exec) = load(&paths, None).expect("it is right").token else {
        panic!("a plugin")
    };
    assert_eq!(exec.command, dir.path().join("bin/plugin").display().to_string());
    assert_eq!(
        exec.cluster,
        json!({
            "server": "https://dev.test:6443",
            "tls-server-name": "a.test",
            "insecure-skip-tls-verify": false,
            "certificate-authority-data": STANDARD.encode("PEM"),
        })
    );
}

#[test]
fn nothing_secret_is_printed() {
    let secrets = [
        "token: hunter2",
        "client-certificate-data: aHVudGVyMg==, client-key-data: aHVudGVyMg==",
        "exec: {apiVersion: client.authentication.k8s.io/v1, command: a, args: [hunter2], env: [{name: A, value: hunter2}]}",
    ];
    for secret in secrets {
        let printed = format!("{:?}", resolve(&config("", secret)).expect("it is right"));
        let bytes = format!("{:?}", b"hunter2");
        assert!(!printed.contains("hunter2") && !printed.contains(&bytes), "{printed}");
    }
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        prop_assert!(std::str::from_utf8(&bytes).is_ok() || !is_valid(&bytes));
    }

    #[test]
    fn any_yaml_like_text_is_read_or_refused(text in "[a-z{}\\[\\]:&*,'\" \n-]{0,200}") {
        // It names no server, so that nothing can come of it.
        prop_assert!(resolve(&text).is_err_and(|error| error.contains("config-0")));
    }
}
