use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use kubetally::{config::keys::KEYS, kinds};
use rstest::rstest;
use serde_json::{Value, json};

use crate::binary::{ended, kubetally};

fn path(of: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy").join(of)
}

fn read(of: &str) -> String {
    let path = path(of);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn documents(of: &str) -> Vec<Value> {
    serde_saphyr::from_multiple(&read(of)).unwrap_or_else(|error| panic!("{of}: {error}"))
}

fn document(of: &str) -> Value {
    documents(of).remove(0)
}

fn schema() -> Value {
    serde_json::from_str(&read("chart/values.schema.json")).expect("JSON")
}

fn strings(list: &Value) -> Vec<&str> {
    list.as_array().into_iter().flatten().filter_map(Value::as_str).collect()
}

#[rstest]
fn rights_are_those_of_the_settings_beside_them(
    #[values(
        "base",
        "overlays/namespaced",
        "overlays/detail",
        "overlays/canary",
        "overlays/sharded"
    )]
    folder: &str,
) {
    let settings = path(folder).join("kubetally.toml").display().to_string();
    let printed = ended(&mut kubetally(&["rbac", "--config", &settings])).stdout;
    assert!(
        !printed.is_empty() && printed == read(&format!("{folder}/rbac.yaml")),
        "deploy/{folder}/rbac.yaml is out of step; write it anew: make docs"
    );
}

#[test]
fn every_folder_of_settings_has_its_test() {
    let overlays = fs::read_dir(path("overlays")).expect("a folder");
    let with_settings = overlays
        .map(|entry| entry.expect("an entry"))
        .filter(|entry| entry.path().join("kubetally.toml").is_file())
        .map(|entry| entry.file_name().into_string().expect("UTF-8"));
    let expected = ["namespaced", "detail", "canary", "sharded"].map(str::to_owned);
    assert_eq!(with_settings.collect::<BTreeSet<_>>(), expected.into());
}

#[test]
fn by_roles_alone_nothing_is_granted_outside_the_namespaces() {
    let kinds: BTreeSet<_> = documents("overlays/namespaced/rbac.yaml")
        .iter()
        .map(|object| object["kind"].as_str().expect("a kind").to_owned())
        .collect();
    assert_eq!(kinds, ["Role", "RoleBinding", "ServiceAccount"].map(str::to_owned).into());
}

#[test]
fn the_canary_has_the_namespace_of_its_role() {
    let rbac = documents("overlays/canary/rbac.yaml");
    let role = rbac.iter().find(|object| object["kind"] == "Role").expect("a role");
    let namespace = document("overlays/canary/namespace.yaml");
    assert_eq!(namespace["metadata"]["name"], role["metadata"]["namespace"]);
}

#[test]
fn the_docs_name_folders_and_files_that_there_are() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let docs = fs::read_dir(root.join("docs")).expect("a folder");
    let docs = docs.map(|entry| entry.expect("an entry").path());
    let docs = docs.filter(|path| path.extension().is_some_and(|ending| ending == "md"));
    let roots = ["README.md", "CONTRIBUTING.md", "CHANGELOG.md", "deploy/chart/README.md"];
    let mut named = 0;
    for page in docs.chain(roots.map(|name| root.join(name))) {
        let text = fs::read_to_string(&page).expect("a page");
        let part = |c: char| c.is_ascii_alphanumeric() || "-_./".contains(c);
        let words = text.split(|c: char| !part(c)).map(|word| word.trim_end_matches(['.', '/']));
        let paths = words.filter_map(|word| word.strip_prefix("../").or(Some(word)));
        // `deploy/kubetally` is a Deployment to kubectl.
        let paths = paths.filter(|path| path.starts_with("deploy/") && *path != "deploy/kubetally");
        for path in paths {
            assert!(root.join(path).exists(), "{}: there is no {path}", page.display());
            named += 1;
        }
    }
    assert!(named > 20, "{named}");
}

#[test]
fn the_version_is_that_of_the_package() {
    let version = env!("CARGO_PKG_VERSION");
    let deployment = document("base/workload/deployment.yaml");
    let image = &deployment["spec"]["template"]["spec"]["containers"][0]["image"];
    assert_eq!(*image, format!("kubetally:{version}"));
    let chart = document("chart/Chart.yaml");
    assert_eq!((&chart["version"], &chart["appVersion"]), (&json!(version), &json!(version)));
}

/// Files of rules: those of deploy/monitoring that Prometheus loads.
fn rules() -> BTreeMap<String, Value> {
    let files = fs::read_dir(path("monitoring")).expect("a folder");
    let named = files.map(|entry| entry.expect("an entry").file_name());
    let named = named.map(|name| name.into_string().expect("UTF-8"));
    let yaml = named.filter(|name| name.ends_with(".yaml"));
    let rules = yaml.filter_map(|name| {
        let document = document(&format!("monitoring/{name}"));
        (!document["groups"].is_null()).then_some((name, document))
    });
    rules.collect()
}

#[test]
fn the_operator_and_the_chart_have_the_rules_that_prometheus_has() {
    let rules = rules();
    assert!(!rules.is_empty());
    let hint = "write them anew: make docs";
    let wrapped: BTreeMap<_, _> = documents("components/operator/rules.yaml")
        .into_iter()
        .filter(|object| !object.is_null())
        .map(|mut object| {
            assert_eq!(object["kind"], "PrometheusRule");
            let name = object["metadata"]["name"].as_str().expect("a name");
            let file = name.strip_prefix("kubetally-").expect("our name").to_owned() + ".yaml";
            (file, object["spec"].take())
        })
        .collect();
    assert_eq!(wrapped, rules, "{hint}");
    let copies = fs::read_dir(path("chart/files/rules")).expect("a folder");
    let copies: BTreeSet<_> = copies
        .map(|entry| entry.expect("an entry").file_name().into_string().expect("UTF-8"))
        .collect();
    assert_eq!(copies, rules.keys().cloned().collect(), "{hint}");
    for name in copies {
        let copy = read(&format!("chart/files/rules/{name}"));
        assert!(copy == read(&format!("monitoring/{name}")), "{name}: {hint}");
    }
}

#[test]
fn the_chart_knows_every_kind() {
    let mut expected = String::from(
        "# Every kind there is: what a role names it by, and whether settings.detail can name it.\n",
    );
    for kind in kinds::TABLE {
        let group = if kind.group().is_empty() { "\"\"" } else { kind.group() };
        let (plural, namespaced) = (kind.plural(), kind.namespaced);
        let detail = !kind.families.is_empty();
        expected.push_str(&format!(
            "{plural}: {{group: {group}, namespaced: {namespaced}, detail: {detail}}}\n"
        ));
    }
    let written = read("chart/files/resources.yaml");
    assert!(written == expected, "deploy/chart/files/resources.yaml has to be:\n{expected}");
}

/// The settings that a pod has no use for, or that the chart sets by other values of its own.
fn is_left_out(name: &str) -> bool {
    const NAMES: [&str; 6] = [
        "http.listen",
        "http.certificate",
        "http.key",
        "http.authorization",
        "cluster.kubeconfig",
        "cluster.context",
    ];
    NAMES.contains(&name) || name.starts_with("audit.")
}

#[test]
fn the_schema_has_every_setting_and_no_other() {
    let schema = schema();
    let settings = &schema["properties"]["settings"]["properties"];
    let mut named = BTreeSet::new();
    for (section, of) in settings.as_object().expect("sections") {
        assert_eq!(of["additionalProperties"], false, "{section}");
        for (setting, of) in of["properties"].as_object().expect("settings") {
            let name = format!("{section}.{setting}");
            let key = KEYS.iter().find(|key| key.name == name);
            let key = key.unwrap_or_else(|| panic!("there is no setting {name}"));
            assert_eq!(of["description"], key.help, "{name}");
            if let Some(range) = key.allowed().strip_prefix("a number from ") {
                assert_eq!(format!("{} to {}", of["minimum"], of["maximum"]), range, "{name}");
            }
            assert_eq!(of["type"] == "object", key.entry.is_some(), "{name}");
            named.insert(name);
        }
    }
    let known = KEYS.iter().map(|key| key.name.to_owned()).filter(|name| !is_left_out(name));
    assert_eq!(named, known.collect());
}

#[test]
fn the_schema_knows_the_kinds() {
    let schema = schema();
    let settings = &schema["properties"]["settings"]["properties"];
    let watched = &settings["watch"]["properties"]["resources"]["items"]["anyOf"][0]["enum"];
    assert_eq!(strings(watched), kinds::TABLE.iter().map(|kind| &*kind.name).collect::<Vec<_>>());
    let detailed = kinds::detailed().into_iter().map(|(name, _)| name);
    let expected: Vec<_> = std::iter::once("all").chain(detailed).collect();
    let detail = &settings["detail"]["properties"]["resources"]["items"]["enum"];
    assert_eq!(strings(detail), expected);
}

#[test]
fn the_chart_watches_what_is_the_default() {
    let values = document("chart/values.yaml");
    let watched = strings(&values["settings"]["watch"]["resources"]);
    assert_eq!(watched, kinds::defaults().map(|kind| &*kind.name).collect::<Vec<_>>());
}

#[test]
fn every_value_is_documented() {
    let text = read("chart/values.yaml");
    let commented = commented(&text);
    let schema = schema();
    for (name, of) in documented(&schema, "") {
        assert!(of["description"].is_string(), "{name} has no description in the schema");
        if name != ".global" && !name.starts_with(".settings.") {
            let commented = commented.get(&name);
            let commented = commented.unwrap_or_else(|| panic!("values.yaml has no {name}"));
            assert!(commented, "values.yaml does not say what {name} is for");
        }
    }
}

/// The values of a file by their paths, down to the second level, and whether a comment stands
/// above each.
fn commented(text: &str) -> BTreeMap<String, bool> {
    let mut commented = BTreeMap::new();
    let (mut outer, mut above) = ("", "");
    for line in text.lines() {
        let inner = line.strip_prefix("  ").unwrap_or(line);
        let name = inner
            .split_once(':')
            .map(|(name, _)| name)
            .filter(|name| !name.is_empty() && !name.starts_with([' ', '-', '#']));
        if let Some(name) = name {
            let path = if inner == line { format!(".{name}") } else { format!(".{outer}.{name}") };
            commented.insert(path, above.starts_with('#'));
            outer = if inner == line { name } else { outer };
        }
        above = inner;
    }
    commented
}

/// Every value of the schema with its path.
fn documented<'s>(of: &'s Value, path: &str) -> Vec<(String, &'s Value)> {
    let Some(properties) = of["properties"].as_object() else { return Vec::new() };
    let named = properties.iter().filter(|_| path != ".resources");
    named
        .flat_map(|(name, of)| {
            let path = format!("{path}.{name}");
            let inner = documented(of, &path);
            std::iter::once((path, of)).chain(inner)
        })
        .collect()
}
