use std::{
    fs,
    io::{BufRead, BufReader, Read, Write},
    process::Stdio,
};

use rstest::rstest;
use serde_json::Value;

use crate::{
    binary::{Ended, ended, kubetally},
    daemon::{Daemon, signal, write_kubeconfig},
    eventually::eventually,
    get::{connect, get},
};

fn run(arguments: &[&str]) -> Ended {
    ended(&mut kubetally(arguments))
}

#[test]
fn version_and_revision() {
    let version = run(&["--version"]);
    let expected = format!("kubetally {}\n", kubetally::cli::VERSION);
    assert_eq!((version.code, version.stdout), (Some(0), expected));
}

#[rstest]
#[case(&["--help"], &["kubetally demo", "completions", "KUBETALLY__SECTION__KEY", "Exit codes", "/metrics"])]
#[case(&["run", "--help"], &["--kubeconfig <FILE>", "[default: 0.0.0.0:8080]"])]
#[case(&["config", "--help"], &["--check", "--format"])]
#[case(&["metrics", "--help"], &["--format"])]
#[case(&["rbac", "--help"], &["--name <NAME>", "--namespace <NAMESPACE>", "--namespaces <LIST>"])]
#[case(&["completions", "--help"], &["bash", "zsh", "fish"])]
fn help(#[case] arguments: &[&str], #[case] parts: &[&str]) {
    let help = run(arguments);
    assert_eq!((help.code, help.stderr.as_str()), (Some(0), ""));
    for part in parts {
        assert!(help.stdout.contains(part), "no {part} in {}", help.stdout);
    }
}

#[rstest]
fn completions(#[values("bash", "zsh", "fish", "elvish", "powershell")] shell: &str) {
    let completions = run(&["completions", shell]);
    assert_eq!(completions.code, Some(0));
    for part in ["kubetally", "kubeconfig", "watch-timeout", "metrics"] {
        assert!(completions.stdout.contains(part), "no {part} for {shell}");
    }
}

#[test]
fn the_configuration_in_force_says_where_it_is_from() {
    let dir = tempfile::tempdir().expect("a folder");
    let file = dir.path().join("settings.toml");
    fs::write(&file, "[caps]\nnodes = 7\n").expect("written");
    let mut command = kubetally(&["config", "--listen", "[::1]:9090"]);
    let command =
        command.env("KUBETALLY__CONFIG", &file).env("KUBETALLY__WATCH__NAMESPACES", "shop,billing");
    let config = ended(command);
    assert_eq!((config.code, config.stderr.as_str()), (Some(0), ""));
    let in_force = [
        format!("nodes = 7  # {}", file.display()),
        "listen = \"[::1]:9090\"  # --listen".into(),
        "namespaces = \"shop,billing\"  # KUBETALLY__WATCH__NAMESPACES".into(),
        "level = \"info\"  # default".into(),
        "# context = \"\"  # default".into(),
    ];
    for line in &in_force {
        assert!(config.stdout.lines().any(|l| l == line), "no {line} in {}", config.stdout);
    }
    let checked = ended(command.arg("--check"));
    assert_eq!((checked.code, checked.stdout.as_str()), (Some(0), "the configuration is right\n"));
}

#[rstest]
#[case::value(&["config", "--check", "--page-size", "0"], "watch.page_size (--page-size): found \"0\"; allowed: a number from 1 to 5000")]
#[case::run(&["--resources", "pods,podz"], "watch.resources (--resources): found \"pods,podz\"; allowed: some of pods, events, namespaces, nodes, services, deployments, jobs, replicasets, statefulsets, daemonsets, cronjobs, persistentvolumeclaims, configmaps, secrets, replicationcontrollers, persistentvolumes, endpointslices, ingresses, horizontalpodautoscalers, poddisruptionbudgets, resourcequotas, limitranges, storageclasses, leases, serviceaccounts, or any other as GROUP/VERSION/RESOURCE, such as example.com/v1/widgets")]
#[case::other(&["--resources", "Example.com/v1/widgets"], "watch.resources (--resources): found \"Example.com/v1/widgets\"; allowed: some of pods")]
#[case::two_versions(&["--resources", "example.com/v1/widgets,example.com/v2/widgets"], "watch.resources (--resources): found")]
#[case::pattern(&["--detail-deny", "kube_pod_("], "detail.deny (--detail-deny): found \"kube_pod_(\"; allowed: regular expressions of names of families")]
#[case::both(&["--detail-deny", "_info", "--detail-allow", "_info"], "detail.deny (--detail-deny): found \"_info\"; allowed: regular expressions of names of families, or none where detail.allow has some")]
#[case::level(&["run", "--log-level", "inof"], "log.level (--log-level): found \"inof\"; allowed: off, error, ")]
#[case::file(&["config", "--config", "/no/such/file"], "the configuration file /no/such/file: cannot be read: No such file")]
#[case::selector(&["--label-selector", "leases=a=b"], "watch.label_selectors.leases (--label-selector): found \"a=b\"")]
#[case::kubeconfig(&["--kubeconfig", "/no/such/file"], "cannot read the kubeconfig /no/such/file: No such file")]
#[case::receiver(&["--audit-listen", "[::]:8443"], "audit.certificate (default): found \"\"; allowed: a PEM file, which audit.listen needs")]
#[case::flag(&["--nonesuch"], "unexpected argument '--nonesuch'")]
#[case::command(&["nonesuch"], "nonesuch")]
#[case::half_a_selector(&["--label-selector", "pods"], "want RESOURCE=SELECTOR, such as pods=app=web")]
#[case::account(&["rbac", "--name", "A b"], "invalid value 'A b' for '--name <NAME>': want lower-case letters")]
#[case::namespace(&["rbac", "--namespace", "a.b"], "invalid value 'a.b' for '--namespace <NAMESPACE>'")]
#[case::shell(&["completions", "dos"], "invalid value 'dos'")]
fn wrong_usage_ends_with_64(#[case] arguments: &[&str], #[case] part: &str) {
    let wrong = run(arguments);
    assert_eq!((wrong.code, wrong.stdout.as_str()), (Some(64), ""));
    assert!(wrong.stderr.contains(part), "no {part} in {}", wrong.stderr);
    assert_eq!(
        wrong.stderr.matches("kubetally: ").count() + wrong.stderr.matches("error: ").count(),
        1
    );
}

#[test]
fn a_wrong_variable_is_named() {
    let wrong = ended(kubetally(&[]).env("KUBETALLY__HTTP__LISTENN", "x"));
    assert_eq!(wrong.code, Some(64));
    let told = "kubetally: http.listenn (KUBETALLY__HTTP__LISTENN): there is no such setting; \
                did you mean http.listen?\n";
    assert_eq!(wrong.stderr, told);
}

#[cfg(unix)]
#[test]
fn a_variable_that_is_no_text_is_no_value() {
    use std::{ffi::OsStr, os::unix::ffi::OsStrExt};
    let value = OsStr::from_bytes(b"\xff");
    let wrong = ended(kubetally(&["config"]).env("KUBETALLY__HTTP__LISTEN", value));
    assert_eq!(wrong.code, Some(64));
    assert!(wrong.stderr.contains("KUBETALLY__HTTP__LISTEN"), "{}", wrong.stderr);
}

#[test]
fn no_cluster_anywhere_is_one_error() {
    let none = run(&[]);
    assert_eq!((none.code, none.stdout.as_str()), (Some(64), ""));
    let expected = "\
kubetally: no cluster found. Looked for:
  --kubeconfig: not given
  $KUBECONFIG: not set
  /nonexistent/.kube/config: does not exist
  in a pod: $KUBERNETES_SERVICE_HOST and $KUBERNETES_SERVICE_PORT are not set
What to do: ";
    assert!(none.stderr.starts_with(expected), "{}", none.stderr);
    assert!(none.stderr.contains("--kubeconfig FILE") && none.stderr.contains("kubetally demo"));
}

#[test]
fn a_cluster_that_is_required_and_not_there_ends_with_69() {
    let dir = tempfile::tempdir().expect("a folder");
    let kubeconfig = dir.path().join("kubeconfig");
    // Nobody listens on the port of discard.
    let server = "http://127.0.0.1:9";
    write_kubeconfig(&kubeconfig, server, "", "");
    let listen = ["--require-cluster", "--listen", "127.0.0.1:0"];
    let ended = ended(kubetally(&listen).arg("--kubeconfig").arg(&kubeconfig));
    assert_eq!(ended.code, Some(69));
    let told = format!("kubetally: {server} cannot be reached: ");
    assert!(ended.stderr.lines().any(|line| line.starts_with(&told)), "{}", ended.stderr);
}

#[test]
fn an_address_that_is_taken_is_told() {
    let daemon = Daemon::start(&[], "");
    let address = daemon.address().to_string();
    let dir = tempfile::tempdir().expect("a folder");
    let kubeconfig = dir.path().join("kubeconfig");
    write_kubeconfig(&kubeconfig, "http://127.0.0.1:9", "", "");
    let ended = ended(kubetally(&["--listen", &address]).arg("--kubeconfig").arg(&kubeconfig));
    assert_eq!(ended.code, Some(64));
    assert!(ended.stderr.contains(&format!("cannot listen on {address}: ")), "{}", ended.stderr);
}

#[test]
fn the_metrics_are_printed_for_people_and_programs() {
    let text = run(&["metrics"]).stdout;
    let json: Value =
        serde_json::from_str(&run(&["metrics", "--format", "json"]).stdout).expect("JSON");
    let markdown = run(&["metrics", "--format", "markdown"]).stdout;
    let metrics = json["metrics"].as_array().expect("a list");
    assert_eq!(metrics.len(), kubetally::exposition::catalogue::ALL.len());
    let mut bounds = 0;
    for metric in metrics {
        let part = |key: &str| metric[key].as_str().expect("text");
        let (name, bound) = (part("name"), metric["max_series"].as_u64().expect("a number"));
        bounds += bound;
        let labels: Vec<_> =
            metric["labels"].as_array().expect("a list").iter().filter_map(Value::as_str).collect();
        let row = format!(
            "| `{name}` | {} | {} | {bound} | {} | {} |",
            part("type"),
            labels.join(", "),
            part("stability"),
            part("help")
        );
        assert!(markdown.lines().any(|line| line == row), "no {row}");
        let about = format!("    {}, {}, at most {bound} series", part("type"), part("stability"));
        let heading = match labels.is_empty() {
            true => name.to_owned(),
            false => format!("{name}{{{}}}", labels.join(",")),
        };
        let paragraph = format!("{heading}\n{about}\n    {}\n", part("help"));
        assert!(text.contains(&paragraph), "no {paragraph}");
    }
    assert_eq!(json["max_series"].as_u64(), Some(bounds));
    let capped = run(&["metrics", "--cap-namespaces", "1", "--format", "json"]).stdout;
    let capped: Value = serde_json::from_str(&capped).expect("JSON");
    assert!(capped["max_series"].as_u64().is_some_and(|series| series < bounds));
}

/// Kind, namespace and rules of each object that `rbac` prints.
fn granted(arguments: &[&str]) -> Vec<(String, String, String)> {
    let printed = run(&[&["rbac"], arguments].concat());
    assert_eq!((printed.code, printed.stderr.as_str()), (Some(0), ""));
    let objects: Vec<Value> = serde_saphyr::from_multiple(&printed.stdout).expect("YAML");
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let shown = |object: &Value| {
        let rules = object["rules"].as_array().into_iter().flatten();
        let resources = rules.flat_map(|rule| rule["resources"].as_array().expect("a list"));
        let resources: Vec<_> = resources.map(text).collect();
        (text(&object["kind"]), text(&object["metadata"]["namespace"]), resources.join(","))
    };
    objects.iter().map(shown).collect()
}

#[test]
fn the_least_rights_are_those_of_the_settings_in_force() {
    let own = |kind: &str, namespace: &str, resources: &str| {
        (kind.to_owned(), namespace.to_owned(), resources.to_owned())
    };
    let cluster = granted(&["--resources", "pods,deployments", "--namespace", "watchers"]);
    let expected = [
        own("ServiceAccount", "watchers", ""),
        own("ClusterRole", "", "pods,deployments"),
        own("ClusterRoleBinding", "", ""),
    ];
    assert_eq!(cluster, expected);
    let namespaced = granted(&["--resources", "pods,nodes", "--namespaces", "shop"]);
    let expected = [
        own("ServiceAccount", "kubetally", ""),
        own("ClusterRole", "", "nodes"),
        own("ClusterRoleBinding", "", ""),
        own("Role", "shop", "pods"),
        own("RoleBinding", "shop", ""),
    ];
    assert_eq!(namespaced, expected);
    let alone = granted(&["--resources", "pods", "--namespaces", "shop"]);
    assert!(alone.iter().all(|(kind, ..)| !kind.starts_with("Cluster")), "{alone:?}");
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let mut child = kubetally(&["metrics"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it starts");
    drop(child.stdout.take());
    let mut stderr = String::new();
    child.stderr.take().expect("piped").read_to_string(&mut stderr).expect("text");
    assert_eq!((child.wait().expect("it ends").code(), stderr.as_str()), (Some(0), ""));
}

#[test]
fn the_first_line_says_what_runs() {
    let daemon = Daemon::start(&["--resources", "pods"], "");
    let line = daemon.logged("kubetally starts");
    assert_eq!(line["version"], kubetally::cli::VERSION);
    assert_eq!((&line["level"], &line["resources"]), (&"INFO".into(), &"pods".into()));
    assert_eq!(line["identity"], "me");
    for (field, part) in [("endpoint", "http://127.0.0.1:"), ("address", "127.0.0.1:")] {
        assert!(line[field].as_str().is_some_and(|text| text.starts_with(part)), "{line}");
    }
    assert!(line["origin"].as_str().is_some_and(|text| text.contains("context test")), "{line}");
}

#[test]
fn it_serves_while_the_api_server_does_not_answer() {
    let daemon = Daemon::start(&[], "");
    let answer = |path| get(daemon.address(), path).expect("an answer");
    let metrics = answer("/metrics");
    assert_eq!(metrics.status, 200);
    for line in [
        "kubetally_watch_synced{resource=\"pods\"} 0",
        "kubetally_watch_connected{resource=\"events\"} 0",
        "kubetally_config_last_reload_successful 1",
    ] {
        assert!(metrics.text().lines().any(|l| l == line), "no {line}");
    }
    assert!(!metrics.text().contains("kubetally_objects{"), "no count before the first list");
    assert_eq!(answer("/livez").status, 200);
    let ready = answer("/readyz?verbose");
    assert_eq!(ready.status, 503);
    assert!(ready.text().contains("[-] pods: "), "{}", ready.text());
}

#[rstest]
fn a_signal_drains_and_ends_with_0(#[values("TERM", "INT")] signal: &str) {
    let mut daemon = Daemon::start(&[], "");
    let address = daemon.address();
    daemon.signal(signal);
    assert_eq!(daemon.ended().code(), Some(0));
    daemon.logged("kubetally stops");
    assert!(get(address, "/livez").is_err());
}

#[test]
fn a_second_signal_ends_it_at_once() {
    let mut daemon = Daemon::start(&["--drain", "5m"], "");
    // The drain waits for the other half of a first request…
    let mut half = connect(daemon.address()).expect("a connection");
    half.write_all(b"GET /livez HTTP/1.1\r\nHost:").expect("written");
    // …whose connection was taken, as the one after it is.
    assert_eq!(get(daemon.address(), "/livez").expect("an answer").status, 200);
    daemon.signal("TERM");
    daemon.logged("kubetally stops");
    daemon.signal("TERM");
    assert_eq!(daemon.ended().code(), Some(128 + 15));
}

#[test]
fn a_hangup_takes_over_what_can_change_and_names_what_cannot() {
    let daemon = Daemon::start(&[], "[watch]\npage_size = 100\n");
    let address = daemon.address();
    let sample = |name: &str| {
        let metrics = get(address, "/metrics").expect("an answer");
        let line = metrics.text().lines().find(|line| line.starts_with(&format!("{name} ")));
        line.and_then(|line| line.rsplit(' ').next()).map(str::to_owned)
    };
    let good = || sample("kubetally_config_last_reload_successful");
    let reloads =
        |result: &str| sample(&format!("kubetally_config_reloads_total{{result=\"{result}\"}}"));
    let write = |text: &str| fs::write(daemon.settings(), text).expect("written");

    write("[watch]\npage_size = \"many\"\n");
    daemon.signal("HUP");
    let error = daemon.logged("the configuration stays as it was");
    let told = error["error"].as_str().expect("an error");
    assert!(told.starts_with("watch.page_size (") && told.contains("\"many\""), "{told}");
    assert_eq!((good().as_deref(), reloads("error").as_deref()), (Some("0"), Some("1")));

    write("[watch]\npage_size = 200\nnamespaces = [\"shop\"]\n[log]\nlevel = \"debug\"\n");
    daemon.signal("HUP");
    let taken = daemon.logged("the configuration was read again");
    assert_eq!(taken["changed"], "watch.page_size,log.level");
    let left = daemon.logged("these changes need a restart");
    assert_eq!(left["keys"], "watch.namespaces");
    assert_eq!((good().as_deref(), reloads("success").as_deref()), (Some("1"), Some("1")));
}

#[test]
fn a_server_that_is_not_verified_is_warned_of() {
    let daemon = Daemon::start_tls(&[], "insecure-skip-tls-verify: true", "");
    assert_eq!(daemon.logged("insecure-skip-tls-verify: anybody in between")["level"], "WARN");
}

#[test]
fn no_secret_is_logged_at_any_level() {
    let mut daemon = Daemon::start_tls(
        &["--log-level", "trace,hyper=trace,h2=trace,rustls=trace"],
        "insecure-skip-tls-verify: true",
        "token: hunter2",
    );
    daemon.address();
    daemon.signal("TERM");
    daemon.ended();
    assert!(daemon.log().iter().all(|line| !line.contains("hunter2")));
}

#[test]
fn lines_are_text_where_that_is_wanted() {
    let text = run(&["--kubeconfig", "/no/such/file", "--log-format", "text"]);
    assert_eq!(text.code, Some(64));
    let dir = tempfile::tempdir().expect("a folder");
    let kubeconfig = dir.path().join("kubeconfig");
    write_kubeconfig(&kubeconfig, "http://127.0.0.1:9", "", "");
    let arguments = ["--log-format", "text", "--require-cluster", "--listen", "127.0.0.1:0"];
    let ended = ended(kubetally(&arguments).arg("--kubeconfig").arg(&kubeconfig));
    let first = ended.stderr.lines().next().expect("a line");
    assert!(first.contains(" INFO kubetally::app: kubetally starts version="), "{first}");
    assert!(!first.contains('\u{1b}'), "no colours off a terminal: {first}");
}

#[tokio::test]
async fn a_log_that_nobody_reads_stops_no_work() {
    let dir = tempfile::tempdir().expect("a folder");
    let kubeconfig = dir.path().join("kubeconfig");
    write_kubeconfig(&kubeconfig, "http://127.0.0.1:9", "", "");
    let arguments = ["--log-level", "trace", "--log-format", "json", "--listen", "127.0.0.1:0"];
    let mut child = kubetally(&arguments)
        .arg("--kubeconfig")
        .arg(&kubeconfig)
        .stderr(Stdio::piped())
        .spawn()
        .expect("it starts");
    let mut log = BufReader::new(child.stderr.take().expect("it is piped"));
    let mut line = String::new();
    log.read_line(&mut line).expect("a line");
    drop(log);
    let line: Value = serde_json::from_str(&line).expect("JSON");
    let address = line["address"].as_str().and_then(|text| text.parse().ok()).expect("an address");
    signal(&child, "HUP");
    // What that logs nobody reads, and that it was done shows in the metrics.
    let metrics = || get(address, "/metrics").expect("it serves");
    eventually("the reload", async || {
        let metrics = metrics();
        let text = metrics.text();
        let reloaded = text.contains("kubetally_config_reloads_total{result=\"success\"} 1");
        reloaded.then_some(()).ok_or(text.to_owned())
    })
    .await;
    assert_eq!(get(address, "/livez").expect("it serves").status, 200);
    child.kill().expect("it runs");
    child.wait().expect("it ends");
}
