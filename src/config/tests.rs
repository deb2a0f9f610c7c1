//! Tables of what is written and what it means, or why it cannot be.

use std::{fs, time::Duration};

use clap::{CommandFactory, Parser};
use proptest::prelude::*;
use rstest::rstest;
use tempfile::TempDir;

use super::{
    keys::{self, KEYS},
    raw::{Changes, Form, variable},
    settings::duration,
    *,
};
use crate::cli::Cli;

/// A folder with a file of settings, and the sources that read it.
fn with_file(text: &str) -> (TempDir, Sources) {
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().join("settings.toml");
    fs::write(&path, text).expect("written");
    (dir, Sources { file: Some(path), ..Sources::default() })
}

fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect()
}

fn load(text: &str) -> Result<Loaded, ConfigError> {
    let (_dir, sources) = with_file(text);
    sources.load()
}

/// A value other than the default, for each setting.
fn another(key: &str) -> &'static str {
    match key {
        "http.listen" => "[::1]:9090",
        "http.drain" | "http.write_timeout" => "1m30s",
        "http.max_connections" | "shard.count" | "watch.page_size" => "7",
        "http.page" => "false",
        "http.certificate" | "http.key" => "/etc/tls.pem",
        "http.authorization" => "cluster",
        "audit.listen" => "[::1]:8443",
        "audit.certificate" | "audit.key" | "audit.token_file" | "audit.client_ca" => "/etc/a.pem",
        "cluster.kubeconfig" => "/etc/kube \"config\"",
        "cluster.context" => "prod\\east",
        "cluster.require" => "true",
        "watch.resources" => "pods",
        "watch.namespaces" => "billing,shop",
        "shard.index" => "auto",
        "watch.wire" => "protobuf",
        "watch.timeout" => "10m",
        "detail.resources" => "all",
        "detail.labels" => "*=[app]",
        "detail.annotations" => "*=[note]",
        "detail.opt_in" => "nodeselectors",
        "detail.allow" | "detail.deny" => "^kube_pod_info$",
        "caps.namespaces" | "caps.reasons" | "caps.nodes" => "9",
        "log.format" => "json",
        "log.level" => "warn,kubetally::watch=debug",
        "probe.interval" => "0s",
        "probe.timeout" => "1m",
        "probe.endpoints.pods" => "https://[::1]:6443,kubernetes.default.svc",
        "canary.namespace" | "canary.lease" => "canaries",
        "canary.interval" => "1h",
        "watch.label_selectors.pods" => "app in (web,api)",
        "watch.field_selectors.pods" => "status.phase!=Succeeded",
        other => panic!("no other value of {other}"),
    }
}

/// The settings' names, with an entry for each table.
fn names() -> impl Iterator<Item = String> {
    KEYS.iter().map(|key| match key.entry {
        Some(_) => format!("{}.pods", key.name),
        None => key.name.to_owned(),
    })
}

/// The environment in which a setting can stand: one that needs others has them there.
fn beside(name: &str) -> Vec<(String, String)> {
    match name {
        "audit.listen" => pairs(&[
            ("KUBETALLY__AUDIT__CERTIFICATE", "tls.crt"),
            ("KUBETALLY__AUDIT__KEY", "tls.key"),
            ("KUBETALLY__AUDIT__TOKEN_FILE", "token"),
        ]),
        "http.certificate" | "http.key" => pairs(&[
            ("KUBETALLY__HTTP__CERTIFICATE", "tls.crt"),
            ("KUBETALLY__HTTP__KEY", "tls.key"),
        ]),
        "http.authorization" => pairs(&[("KUBETALLY__HTTP__LISTEN", "127.0.0.1:8080")]),
        _ => vec![],
    }
}

#[test]
fn the_defaults_are_right() {
    let settings = Sources::default().load().expect("the defaults are right").settings;
    assert_eq!(settings.http.listen.to_string(), "0.0.0.0:8080");
    assert_eq!(settings.http.drain, Duration::from_secs(5));
    assert_eq!(settings.cluster.kubeconfig, None);
    let resources: Vec<_> = settings.watch.resources.iter().map(|w| &*w.resource.name).collect();
    assert_eq!(
        resources,
        ["pods", "events", "namespaces", "nodes", "services", "deployments", "jobs"]
    );
    assert!(settings.watch.namespaces.is_empty());
}

#[test]
fn the_later_layer_wins() {
    let (dir, mut sources) = with_file("[watch]\npage_size = 1\n[caps]\nnodes = 1\nreasons = 1\n");
    sources.environment =
        pairs(&[("KUBETALLY__CAPS__NODES", "2"), ("KUBETALLY__CAPS__REASONS", "2")]);
    sources.flags = pairs(&[("caps.nodes", "3")]);
    let Loaded { raw, settings } = sources.load().expect("all is right");
    assert_eq!((settings.watch.page_size, settings.caps.reasons, settings.caps.nodes), (1, 2, 3));
    let origin = |key| raw.written(key).map(|written| written.origin.as_str());
    let file = dir.path().join("settings.toml").display().to_string();
    assert_eq!(origin("watch.page_size"), Some(file.as_str()));
    assert_eq!(origin("caps.reasons"), Some("KUBETALLY__CAPS__REASONS"));
    assert_eq!(origin("caps.nodes"), Some("--cap-nodes"));
    assert_eq!(origin("caps.namespaces"), Some("default"));
}

#[test]
fn every_setting_can_be_set_in_each_layer() {
    for name in names() {
        let value = another(&name);
        let table = |text: &str| {
            let (section, key) = name.split_once('.').expect("a dotted name");
            format!("[{section}]\n{key} = {text}\n")
        };
        let written = serde_json::to_string(value).expect("a string");
        let mut bare = vec![written];
        bare.extend(value.parse::<u64>().is_ok().then(|| value.to_owned()));
        for text in bare {
            let (_dir, file) = with_file(&table(&text));
            let others = |(key, _): &(String, String)| *key != variable(&name);
            let environment = beside(&name).into_iter().filter(others).collect();
            let sources = Sources { environment, ..file };
            let raw = sources.load().expect("the file is right").raw;
            assert_eq!(raw.written(&name).expect("it is set").text, value);
        }
        let mut environment = beside(&name);
        environment.push((variable(&name), value.to_owned()));
        let raw = Sources { environment, ..Sources::default() }.load().expect("it is right").raw;
        assert_eq!(raw.written(&name).expect("it is set").text, value);

        let flag = keys::find(&name).expect("a key").flag;
        let mut line = vec!["kubetally".to_owned(), flag.to_owned()];
        match (flag, name.ends_with(".pods")) {
            ("--require-cluster", _) => {}
            (_, true) => line.push(format!("pods={value}")),
            (_, false) => line.push(value.to_owned()),
        }
        let cli = Cli::try_parse_from(line).expect("a right command line");
        let raw = cli.run.sources(beside(&name)).load().expect("it is right").raw;
        let written = raw.written(&name).expect("it is set");
        assert_eq!((written.text.as_str(), written.origin.as_str()), (value, flag));
    }
}

#[test]
fn the_help_of_a_flag_tells_the_default_of_its_setting() {
    let command = Cli::command();
    for key in KEYS.iter().filter(|key| !key.default.is_empty() && key.default != "false") {
        let name = key.flag.trim_start_matches('-');
        let flag = command.get_arguments().find(|arg| arg.get_long() == Some(name));
        let help = flag.and_then(|flag| flag.get_help()).expect("a flag with help").to_string();
        assert!(help.contains(&format!("[default: {}", key.default)), "{name}: {help}");
    }
}

#[rstest]
#[case::listen("http.listen", "nowhere")]
#[case::port("http.listen", "0.0.0.0:99999")]
#[case::empty("http.listen", "")]
#[case::no_unit("http.drain", "5")]
#[case::too_long("http.drain", "301s")]
#[case::too_short("http.write_timeout", "999ms")]
#[case::zero("watch.page_size", "0")]
#[case::too_many("watch.page_size", "5001")]
#[case::negative("watch.page_size", "-1")]
#[case::float("watch.page_size", "1.5")]
#[case::timeout("watch.timeout", "29s")]
#[case::resource("watch.resources", "pods,podz")]
#[case::no_resource("watch.resources", ",")]
#[case::namespace("watch.namespaces", "Shop")]
#[case::namespaces("watch.namespaces", &(0..101).map(|n| format!("n{n},")).collect::<String>())]
#[case::namespace_path("watch.namespaces", "../secrets")]
#[case::cap("caps.nodes", "100001")]
#[case::boolean("cluster.require", "yes")]
#[case::page("http.page", "off")]
#[case::guard("http.authorization", "rbac")]
#[case::guard_in_plain_text("http.authorization", "cluster")]
#[case::format("log.format", "xml")]
#[case::level("log.level", "inof")]
#[case::directive("log.level", "info,kubetally=loud")]
#[case::no_module("log.level", "=debug")]
#[case::selector("watch.label_selectors.pods", "")]
#[case::selector_control("watch.label_selectors.pods", "a\u{0}b")]
#[case::too_often("probe.interval", "500ms")]
#[case::probe_timeout("probe.timeout", "0s")]
#[case::no_address("probe.endpoints.cp-1", "10.0.0.11:6443")]
#[case::empty_address("probe.endpoints.cp-1", "")]
#[case::no_server_name("probe.endpoints.cp-1", "https://10.0.0.11,a b")]
#[case::two_server_names("probe.endpoints.cp-1", "https://10.0.0.11,a,b")]
#[case::the_watched_one("probe.endpoints.default", "https://10.0.0.11")]
#[case::no_label("probe.endpoints.cp_1", "https://10.0.0.11")]
#[case::canary("canary.namespace", "../kube-system")]
#[case::lease("canary.lease", "")]
#[case::selector_of_nothing("watch.label_selectors.leases", "a=b")]
fn a_wrong_value_is_told(#[case] name: &str, #[case] value: &str) {
    let (section, key) = name.split_once('.').expect("a dotted name");
    let (dir, file) = with_file(&format!(
        "[{section}]\n{key} = {}\n",
        serde_json::to_string(value).expect("a string")
    ));
    let path = dir.path().join("settings.toml").display().to_string();
    let environment = vec![(variable(name), value.to_owned())];
    let flags = vec![(name.to_owned(), value.to_owned())];
    let known = keys::find(name).expect("a key");
    for (sources, origin) in [
        (file, path.as_str()),
        (Sources { environment, ..Sources::default() }, variable(name).as_str()),
        (Sources { flags, ..Sources::default() }, known.flag),
    ] {
        let error = sources.load().expect_err("it is wrong").to_string();
        let found = format!("found {value:?}");
        for part in [name, origin, &found, &known.allowed()] {
            assert!(error.contains(part), "no {part} in {error}");
        }
    }
}

#[test]
fn a_password_in_an_endpoint_is_refused_and_not_told() {
    let file = "[probe]\nendpoints.cp-1 = \"https://me:hunter2@10.0.0.11\"\n";
    let error = load(file).expect_err("it is refused").to_string();
    assert!(error.contains("***@10.0.0.11") && !error.contains("hunter2"), "{error}");
}

#[test]
fn endpoints_are_probed_by_their_names() {
    let file = "[probe]\ninterval = \"0s\"\nendpoints.b = \"https://b.example\"\n\
                endpoints.a = [\"https://10.0.0.11:6443\", \"kubernetes.default.svc\"]\n";
    let probe = load(file).expect("it is right").settings.probe;
    assert_eq!(probe.interval, None);
    let shown: Vec<_> = probe
        .endpoints
        .iter()
        .map(|endpoint| format!("{} {} {:?}", endpoint.name, endpoint.url, endpoint.server_name))
        .collect();
    assert_eq!(
        shown,
        [
            "a https://10.0.0.11:6443 Some(\"kubernetes.default.svc\")",
            "b https://b.example:443 None",
        ]
    );
    let nine: String = (0..9).map(|n| format!("endpoints.e{n} = \"https://{n}.test\"\n")).collect();
    let error = load(&format!("[probe]\n{nine}")).expect_err("too many").to_string();
    assert!(error.contains("probe.endpoints.e8") && error.contains("at most 8 names"), "{error}");
}

#[rstest]
#[case::off("certificate = \"a\"", Ok(false))]
#[case::token(
    "certificate = \"a\"\nkey = \"a\"\ntoken_file = \"a\"\nlisten = \"[::]:1\"",
    Ok(true)
)]
#[case::ca("certificate = \"a\"\nkey = \"a\"\nclient_ca = \"a\"\nlisten = \"[::]:1\"", Ok(true))]
#[case::address("listen = \"8443\"", Err("audit.listen"))]
#[case::bare("listen = \"[::]:1\"", Err("audit.certificate"))]
#[case::no_key("listen = \"[::]:1\"\ncertificate = \"a\"\nclient_ca = \"a\"", Err("audit.key"))]
#[case::open("listen = \"[::]:1\"\ncertificate = \"a\"\nkey = \"a\"", Err("audit.token_file"))]
fn a_receiver_is_never_open(#[case] audit: &str, #[case] expected: Result<bool, &str>) {
    match (load(&format!("[audit]\n{audit}\n")), expected) {
        (Ok(loaded), Ok(on)) => assert_eq!(loaded.settings.audit.is_some(), on),
        (Err(error), Err(key)) => {
            let error = error.to_string();
            assert!(error.starts_with(&format!("{key} (")), "{error}");
        }
        (loaded, expected) => panic!("{loaded:?} instead of {expected:?}"),
    }
}

#[rstest]
#[case::boolean("[watch]\npage_size = true", "watch.page_size", "\"true\"")]
#[case::number("[http]\nlisten = 5", "http.listen", "\"5\"")]
#[case::list("[http]\nlisten = []", "http.listen", "\"\"")]
#[case::lists("[watch]\nnamespaces = [[\"a\"]]", "watch.namespaces", "a list of lists")]
#[case::section("http = 5", "http", "allowed: a section")]
#[case::table("[watch]\nlabel_selectors = \"a=b\"", "watch.label_selectors", "allowed: a table")]
fn a_wrong_type_is_told(#[case] text: &str, #[case] key: &str, #[case] part: &str) {
    let error = load(text).expect_err("it is wrong").to_string();
    assert!(error.starts_with(&format!("{key} (")) && error.contains(part), "{error}");
    assert!(error.contains("settings.toml"), "{error}");
}

#[rstest]
#[case("[http]\nlisten_on = 1", "http.listen_on", "")]
#[case("[http]\nlisten2 = 1", "http.listen2", "did you mean http.listen?")]
#[case("port = 1", "port", "")]
#[case("[http.listen]\nport = 1", "http.listen.port", "")]
#[case("config = \"other.toml\"", "config", "")]
fn an_unknown_setting_is_told(#[case] text: &str, #[case] key: &str, #[case] hint: &str) {
    let error = load(text).expect_err("it is unknown").to_string();
    assert!(error.starts_with(&format!("{key} (")), "{error}");
    assert!(error.contains("there is no such setting") && error.contains(hint), "{error}");
}

#[rstest]
#[case::unknown(&[("KUBETALLY__HTTP__LISTENN", "x")], "KUBETALLY__HTTP__LISTENN")]
#[case::short(&[("KUBETALLY__LISTEN", "x")], "KUBETALLY__LISTEN")]
#[case::both(&[("KUBETALLY__HTTP", "5"), ("KUBETALLY__HTTP__DRAIN", "1s")], "KUBETALLY__HTTP")]
fn a_wrong_variable_is_told(#[case] variables: &[(&str, &str)], #[case] part: &str) {
    let sources = Sources { environment: pairs(variables), ..Sources::default() };
    let error = sources.load().expect_err("it is wrong").to_string();
    assert!(error.contains(part), "{error}");
}

#[test]
fn the_variables_of_a_service_called_kubetally_are_no_settings() {
    let environment = pairs(&[
        ("KUBETALLY_SERVICE_HOST", "10.0.0.1"),
        ("KUBETALLY_PORT", "tcp://10.0.0.1:80"),
        ("KUBETALLY_PORT_80_TCP_ADDR", "10.0.0.1"),
        ("KUBETALLY__CONFIG", "/etc/kubetally.toml"),
    ]);
    Sources { environment, ..Sources::default() }.load().expect("nothing is set");
}

#[test]
fn the_example_of_the_docs_is_right() {
    let settings = load(keys::EXAMPLE).expect("it is right").settings;
    assert_eq!(settings.watch.namespaces, ["billing", "shop"]);
    let selector = settings.watch.resources[0].label_selector.as_deref();
    assert_eq!(selector, Some("app in (web, api)"));
}

#[rstest]
#[case::toml("[http\nlisten = 1", "line 1")]
#[case::twice("[http]\nlisten = 1\nlisten = 2", "duplicate")]
fn a_file_that_is_no_toml_is_told(#[case] text: &str, #[case] part: &str) {
    let error = load(text).expect_err("it is no TOML").to_string();
    assert!(error.contains("settings.toml: ") && error.contains(part), "{error}");
}

#[test]
fn a_missing_file_is_told() {
    let file = Some("/no/such/file".into());
    let error = Sources { file, ..Sources::default() }.load().expect_err("it is missing");
    let told = "the configuration file /no/such/file: cannot be read: No such file or directory";
    assert!(error.to_string().starts_with(told), "{error}");
}

#[test]
fn a_flag_names_the_file_before_the_environment() {
    let cli = |line: &[&str]| Cli::try_parse_from(line).expect("a right command line").run;
    let environment = pairs(&[("KUBETALLY__CONFIG", "/environment")]);
    let file = |flags: crate::cli::Flags| flags.sources(environment.clone()).file;
    assert_eq!(file(cli(&["kubetally"])), Some("/environment".into()));
    assert_eq!(file(cli(&["kubetally", "--config", "/flag"])), Some("/flag".into()));
}

#[test]
fn each_change_is_noted_as_what_it_is() {
    for (name, key) in names().zip(KEYS) {
        let old = Sources { environment: beside(&name), ..Sources::default() };
        let raw = old.load().expect("the defaults are right").raw;
        let flags = vec![(name.clone(), another(&name).to_owned())];
        let new = Sources { flags, ..old }.load().expect("it is right").raw;
        let mut expected = Changes::default();
        if key.live { &mut expected.in_place } else { &mut expected.restart }.push(key.name);
        assert_eq!(raw.changes(&new), expected);
        let mut after = raw.clone();
        after.take_over(&new);
        // What waits for a restart is told again at the next reload.
        let left = Changes { in_place: vec![], restart: expected.restart };
        assert_eq!(after.changes(&new), left);
    }
}

#[test]
fn what_is_printed_says_the_same() {
    // These two exclude each other.
    let but = |left_out: &'static str| {
        let names = names().filter(move |name| name != left_out);
        names.map(|name| (name.clone(), another(&name).to_owned())).collect()
    };
    for flags in [vec![], but("detail.allow"), but("detail.deny")] {
        let raw = Sources { flags, ..Sources::default() }.load().expect("it is right").raw;
        let again = load(&raw.print(Form::Toml)).expect("what is printed is right").raw;
        assert_eq!(raw.changes(&again), Changes::default());
    }
}

#[rstest]
#[case("", "")]
#[case("nodes,pods", "")]
#[case("replicasets,pods", ",replicasets")]
fn what_shows_a_series_an_object_is_watched(#[case] detail: &str, #[case] more: &str) {
    let watched =
        load(&format!("detail.resources = \"{detail}\"\n")).expect("right").settings.watch;
    let names: Vec<_> = watched.resources.iter().map(|watched| &*watched.resource.name).collect();
    assert_eq!(
        names.join(","),
        format!("pods,events,namespaces,nodes,services,deployments,jobs{more}")
    );
}

#[test]
fn families_are_allowed_or_denied_but_not_both() {
    let file = "[detail]\nallow = \"a\"\ndeny = [\"b\", \"c\"]\n";
    let message = load(file).expect_err("both are set").to_string();
    assert!(message.contains("detail.deny") && message.contains("none where"), "{message}");
}

#[rstest]
#[case("30s", Some(30_000))]
#[case("1h30m", Some(5_400_000))]
#[case("500ms", Some(500))]
#[case("0s", Some(0))]
#[case("", None)]
#[case("5", None)]
#[case("s", None)]
#[case("5 s", None)]
#[case("-5s", None)]
#[case("5d", None)]
#[case("99999999999999999999s", None)]
#[case("18446744073709551615h", None)]
fn durations(#[case] text: &str, #[case] millis: Option<u64>) {
    assert_eq!(duration(text), millis.map(Duration::from_millis));
}

proptest! {
    #[test]
    fn any_file_is_read_or_told(text in "[a-z.\\[\\]\"=\n0-9]{0,80}") {
        if let Err(error) = load(&text) {
            prop_assert!(error.to_string().contains("settings.toml"));
        }
    }

    #[test]
    fn any_path_is_printed_so_that_it_reads_the_same(path in ".{1,20}") {
        let flags = vec![("cluster.kubeconfig".to_owned(), path)];
        let raw = Sources { flags, ..Sources::default() }.load().expect("it is right").raw;
        let again = load(&raw.print(Form::Toml)).expect("what is printed is right").raw;
        prop_assert_eq!(raw.changes(&again), Changes::default());
    }

    #[test]
    fn no_duration_lacks_its_unit(text in "[0-9hms]{0,40}|.*") {
        prop_assert!(duration(&text).is_none() || text.ends_with(['s', 'm', 'h']));
    }
}
