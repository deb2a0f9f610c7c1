//! What is shipped for a cluster, as kubectl and Helm render it.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    process::{Command, Output},
};

use kubetally::config::{Loaded, Sources};
use serde_json::{Value, json};

use crate::cluster::Assets;

/// A folder below `deploy/`.
pub fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy").join(name)
}

/// What kubectl makes of a folder.
pub fn kustomize(assets: &Assets, folder: &Path) -> Vec<Value> {
    let mut kubectl = Command::new(assets.program("kubectl"));
    documents(&succeeded(kubectl.arg("kustomize").arg(folder)))
}

/// Runs a program that must succeed; what it prints.
///
/// # Panics
/// With what it says where it does not.
pub fn succeeded(command: &mut Command) -> String {
    let Output { status, stdout, stderr } = command.output().expect("it can be run");
    let [stdout, stderr] = [stdout, stderr].map(|said| String::from_utf8(said).expect("UTF-8"));
    assert!(status.success(), "{command:?}: {status}: {stderr}{stdout}");
    stdout
}

/// The objects of a stream of YAML.
pub fn documents(text: &str) -> Vec<Value> {
    let documents: Vec<Value> = serde_saphyr::from_multiple(text).expect("YAML");
    documents.into_iter().filter(|document| !document.is_null()).collect()
}

/// The one of a kind.
///
/// # Panics
/// Where there is none, or another one.
pub fn only<'o>(objects: &'o [Value], kind: &str) -> &'o Value {
    let mut of_kind = objects.iter().filter(|object| object["kind"] == kind);
    match (of_kind.next(), of_kind.next()) {
        (Some(object), None) => object,
        other => panic!("not one {kind}: {other:?}"),
    }
}

/// The settings that a rendered Kubetally has: those of its file and its environment. The file is
/// written into a folder.
///
/// # Panics
/// Where it would not take them.
pub fn settings(objects: &[Value], dir: &Path) -> Loaded {
    let file = dir.join("kubetally.toml");
    let text = only(objects, "ConfigMap")["data"]["kubetally.toml"].as_str().expect("settings");
    std::fs::write(&file, text).expect("a file");
    let pod = &workload(objects)["spec"]["template"]["spec"];
    let env = pod["containers"][0]["env"].as_array().expect("variables");
    let text = |of: &Value| of.as_str().expect("text").to_owned();
    let given = env.iter().filter(|entry| entry["valueFrom"].is_null());
    let variables = given.map(|entry| (text(&entry["name"]), text(&entry["value"])));
    // It names the file where the pod has it.
    let environment = variables.filter(|(name, _)| name != "KUBETALLY__CONFIG").collect();
    let sources = Sources { file: Some(file), environment, flags: Vec::new() };
    sources.load().unwrap_or_else(|error| panic!("{error}"))
}

/// What makes the pods: a Deployment, or, where there are several, a StatefulSet.
pub fn workload(objects: &[Value]) -> &Value {
    let kind = |kind: &str| objects.iter().any(|object| object["kind"] == kind);
    only(objects, if kind("StatefulSet") { "StatefulSet" } else { "Deployment" })
}

/// A right as a role grants it: the role's namespace, group, resource, name, verb.
pub type Right = [String; 5];

/// The rights that roles grant.
pub fn rights(objects: &[Value]) -> BTreeSet<Right> {
    let roles = objects.iter().filter(|object| !object["rules"].is_null());
    let mut rights = BTreeSet::new();
    for role in roles {
        let namespace = role["metadata"]["namespace"].as_str().unwrap_or_default();
        for rule in role["rules"].as_array().expect("rules") {
            let names = match &rule["resourceNames"] {
                Value::Null => vec![""],
                names => texts(names),
            };
            if !rule["nonResourceURLs"].is_null() {
                for (path, verb) in
                    texts(&rule["nonResourceURLs"]).iter().zip(texts(&rule["verbs"]))
                {
                    rights.insert(["", "", path, "", verb].map(str::to_owned));
                }
                continue;
            }
            for group in texts(&rule["apiGroups"]) {
                for resource in texts(&rule["resources"]) {
                    for name in &names {
                        rights.extend(texts(&rule["verbs"]).into_iter().map(|verb| {
                            [namespace, group, resource, name, verb].map(str::to_owned)
                        }));
                    }
                }
            }
        }
    }
    rights
}

fn texts(list: &Value) -> Vec<&str> {
    let texts = list.as_array().expect("a list").iter();
    texts.map(|text| text.as_str().expect("text")).collect()
}

/// Objects by kind, namespace and name, without what has to differ between kubectl and Helm: the
/// labels and annotations that are Helm's, the name of the ConfigMap with its hash, the text of the
/// settings, the order in lists of named things, and which rules a right is in.
pub fn comparable(mut objects: Vec<Value>) -> BTreeMap<String, Value> {
    let config = only(&objects, "ConfigMap")["metadata"]["name"].clone();
    for object in &mut objects {
        if object["kind"] == "ConfigMap" {
            object["data"] = Value::Null;
        }
        if !object["rules"].is_null() {
            object["rules"] = json!(rights(std::slice::from_ref(object)));
        }
    }
    let plain = objects.into_iter().map(|object| plain(object, &config));
    plain
        .map(|object| {
            let metadata = &object["metadata"];
            let key = format!("{} {} {}", object["kind"], metadata["namespace"], metadata["name"]);
            (key, object)
        })
        .collect()
}

fn plain(value: Value, config: &Value) -> Value {
    const HELMS: [&str; 5] = [
        "app.kubernetes.io/instance",
        "app.kubernetes.io/managed-by",
        "app.kubernetes.io/version",
        "helm.sh/chart",
        "checksum/settings",
    ];
    match value {
        Value::Object(entries) => {
            let kept = entries.into_iter().filter(|(name, _)| !HELMS.contains(&name.as_str()));
            let plain = kept.map(|(name, value)| (name, plain(value, config)));
            let said = plain.filter(|(_, value)| *value != json!({}));
            Value::Object(said.collect::<BTreeMap<_, _>>().into_iter().collect())
        }
        Value::Array(elements) => {
            let mut plain: Vec<_> = elements.into_iter().map(|e| plain(e, config)).collect();
            if plain.iter().all(Value::is_object) {
                plain.sort_by_key(Value::to_string);
            }
            Value::Array(plain)
        }
        value if value == *config => "kubetally".into(),
        value => value,
    }
}
