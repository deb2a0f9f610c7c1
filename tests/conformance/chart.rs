//! The Helm chart: it renders what the folders for kubectl have, grants what `kubetally rbac`
//! prints, refuses wrong values, and installs at a real API server.

use std::{collections::BTreeSet, process::Command};

use kubetally::{config::raw::Changes, rbac};
use libtest_mimic::Completion;
use serde_json::Value;

use crate::{
    api::Call,
    cluster::Assets,
    deploy::{fits, operator_resources, pod},
    render::{Right, comparable, documents, folder, kustomize, only, rights, settings, succeeded},
    suite::{Suite, tests},
};

tests![
    helm_finds_nothing_to_lint,
    helm_renders_what_kubectl_does,
    helm_grants_what_is_needed,
    helm_refuses_wrong_values,
    helm_installs_and_takes_away,
];

/// Folders below `deploy/` and the chart's values for the same.
const ALIKE: [(&str, Option<&str>); 8] = [
    ("base", None),
    ("overlays/namespaced", Some("namespaced")),
    ("overlays/detail", Some("detail")),
    ("overlays/canary", Some("canary")),
    ("overlays/sharded", Some("sharded")),
    ("overlays/operator", Some("operator")),
    ("overlays/audit", Some("audit")),
    ("overlays/secure", Some("secure")),
];

/// Helm, where it was built.
fn helm(assets: &Assets) -> Result<Command, Completion> {
    let program = assets.program("helm");
    match program.is_file() {
        true => Ok(Command::new(program)),
        false => Err(Completion::ignored_with(format!(
            "{} is not there; tests/helm/build builds it",
            program.display()
        ))),
    }
}

/// A command of Helm's on the chart, with some of its values; `flags` last.
fn on_chart(
    suite: &Suite,
    command: &[&str],
    values: Option<&str>,
    flags: &[&str],
) -> Result<Command, Completion> {
    let mut helm = helm(&suite.assets)?;
    helm.args(command).arg(folder("chart")).args(["--namespace", "kubetally"]);
    if let Some(values) = values {
        helm.arg("--values").arg(folder("chart/ci").join(format!("{values}-values.yaml")));
    }
    helm.args(flags);
    Ok(helm)
}

fn template(suite: &Suite, values: Option<&str>, flags: &[&str]) -> Result<Vec<Value>, Completion> {
    let mut helm = on_chart(suite, &["template", "kubetally"], values, flags)?;
    Ok(documents(&succeeded(&mut helm)))
}

async fn helm_finds_nothing_to_lint(suite: &Suite) -> Result<(), Completion> {
    for (_, values) in ALIKE {
        let said = succeeded(&mut on_chart(suite, &["lint", "--strict"], values, &[])?);
        assert!(said.contains("0 chart(s) failed"), "{said}");
    }
    Ok(())
}

async fn helm_renders_what_kubectl_does(suite: &Suite) -> Result<(), Completion> {
    let dir = tempfile::tempdir().expect("a folder");
    for (name, values) in ALIKE {
        let helms = template(suite, values, &[])?;
        let mut kubectls = kustomize(&suite.assets, &folder(name));
        let ours = settings(&kubectls, dir.path());
        let theirs = settings(&helms, dir.path());
        assert_eq!(ours.raw.changes(&theirs.raw), Changes::default(), "{name}");
        // Helm makes it by a flag.
        kubectls.retain(|object| {
            object["kind"] != "Namespace" || object["metadata"]["name"] != "kubetally"
        });
        let (helms, kubectls) = (comparable(helms), comparable(kubectls));
        let names = |objects: &std::collections::BTreeMap<String, Value>| {
            objects.keys().cloned().collect::<Vec<_>>()
        };
        assert_eq!(names(&helms), names(&kubectls), "{name}");
        for (object, kubectls) in &kubectls {
            assert_eq!(helms.get(object), Some(kubectls), "{name}: {object}");
        }
    }
    Ok(())
}

/// Settings whose rights are not those of a folder.
const SETTINGS: [&[&str]; 5] = [
    &[
        "watch.resources={pods,secrets,leases,storageclasses,nodes,ingresses}",
        "watch.page_size=64",
        "watch.label_selectors.pods=app!=\"<&>\"",
    ],
    &[
        "watch.resources={example.com/v1/widgets,v1/podtemplates,apps/v1/deployments,jobs,batch/v1/jobs}",
    ],
    &["watch.namespaces={shop,billing}", "watch.resources={pods,nodes,batch/v1/cronjobs}"],
    &["watch.namespaces={shop}", "watch.resources={events}", "detail.resources={pods,nodes}"],
    &[
        "watch.namespaces={shop,nest}",
        "watch.resources={pods}",
        "canary.namespace=nest",
        "canary.lease=egg",
    ],
];

async fn helm_grants_what_is_needed(suite: &Suite) -> Result<(), Completion> {
    let dir = tempfile::tempdir().expect("a folder");
    for set in SETTINGS {
        let set: Vec<_> = set.iter().map(|value| format!("settings.{value}")).collect();
        let set: Vec<_> = set.iter().flat_map(|value| ["--set", value]).collect();
        let objects = template(suite, None, &set)?;
        let needed = rbac::needed(&settings(&objects, dir.path()).settings);
        let needed = needed.iter().map(|right| -> Right {
            let optional = |name: &Option<String>| name.clone().unwrap_or_default();
            [
                optional(&right.namespace),
                right.group.clone(),
                right.resource.clone(),
                optional(&right.name),
                right.verb.as_str().to_owned(),
            ]
        });
        assert_eq!(rights(&objects), needed.collect::<BTreeSet<_>>(), "{set:?}");
    }
    let none = template(suite, None, &["--set", "rbac.create=false"])?;
    assert!(rights(&none).is_empty(), "{none:?}");
    Ok(())
}

/// Wrong values, and what the refusal names.
const WRONG: [(&str, &str); 15] = [
    ("replicas=2", "replicas"),
    ("settings.wach.resources={pods}", "wach"),
    ("settings.watch.resource={pods}", "resource"),
    ("settings.watch.resources={podz}", "resources"),
    ("settings.watch.resources=null", "resources"),
    ("settings.watch.page_size=0", "page_size"),
    ("settings.watch.timeout=5", "timeout"),
    ("settings.detail.resources={events}", "detail"),
    ("settings.http.listen=0.0.0.0:80", "listen"),
    ("settings.shard.count=2", "index"),
    ("settings.shard.index=0", "index"),
    ("image.digest=latest", "digest"),
    ("image.pullPolicy=Sometimes", "pullPolicy"),
    ("audit.enabled=yes-please", "enabled"),
    ("tls.authorization=anybody", "authorization"),
];

async fn helm_refuses_wrong_values(suite: &Suite) -> Result<(), Completion> {
    for (set, named) in WRONG {
        let mut helm = on_chart(suite, &["template", "kubetally"], None, &["--set", set])?;
        let output = helm.output().expect("it can be run");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success(), "{set} is taken");
        assert!(said.contains("schema") && said.contains(named), "{set}: {said}");
    }
    Ok(())
}

async fn helm_installs_and_takes_away(suite: &Suite) -> Result<(), Completion> {
    const NAMESPACE: &str = "kubetally-by-helm";
    let (shared, api) = suite.fresh().await;
    operator_resources(suite, shared)?;
    let kubeconfig = shared.cluster.admin_kubeconfig(shared.server.port);
    let kubeconfig = kubeconfig.to_str().expect("UTF-8");
    let cluster = ["--kubeconfig", kubeconfig, "--namespace", NAMESPACE];
    let everything = [
        &cluster[..],
        &["--create-namespace", "--set", "audit.enabled=true,settings.detail.resources={pods}"],
        &["--set", "serviceMonitor.enabled=true,prometheusRule.enabled=true"],
        &["--set", "settings.canary.namespace=kubetally-by-helm,canary.createNamespace=false"],
    ]
    .concat();
    for _ in 0..2 {
        let upgrade = ["upgrade", "--install", "tally"];
        succeeded(&mut on_chart(suite, &upgrade, None, &everything)?);
    }
    let restricted = "pod-security.kubernetes.io/enforce";
    let label = serde_json::json!({"metadata": {"labels": {restricted: "restricted"}}});
    api.must(Call::patch(format!("/api/v1/namespaces/{NAMESPACE}"), label)).await;
    let manifest = succeeded(helm(&suite.assets)?.args(["get", "manifest", "tally"]).args(cluster));
    let objects = documents(&manifest);
    fits(&objects);
    api.must(Call::create(format!("/api/v1/namespaces/{NAMESPACE}/pods"), pod(&objects))).await;

    let name = only(&objects, "Deployment")["metadata"]["name"].as_str().expect("a name");
    let path = format!("/apis/apps/v1/namespaces/{NAMESPACE}/deployments/{name}");
    api.list(&path).await;
    succeeded(helm(&suite.assets)?.args(["uninstall", "tally"]).args(cluster));
    let gone = api.get(&path).await.expect("an answer");
    assert_eq!(gone.status, 404, "{}", gone.text());
    Ok(())
}
