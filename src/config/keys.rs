//! The table of settings: key, default, what is allowed, what it is for.

use std::fmt::Write;

use super::raw::variable;
use crate::kinds::{self, Resource};

/// One setting.
#[derive(Debug)]
pub struct Key {
    /// Its dotted name, as in the file.
    pub name: &'static str,
    /// The flag that sets it.
    pub flag: &'static str,
    /// Its default as it would be written; empty for none.
    pub default: &'static str,
    /// What may stand there; see [`Key::allowed`].
    allowed: &'static str,
    /// What it is for.
    pub help: &'static str,
    /// Whether a reload takes it over; else it needs a restart.
    pub live: bool,
    /// Of a table, one value an entry: what its entries are named by.
    pub entry: Option<&'static str>,
}

const fn key(
    name: &'static str,
    flag: &'static str,
    default: &'static str,
    allowed: &'static str,
    help: &'static str,
) -> Key {
    Key { name, flag, default, allowed, help, live: false, entry: None }
}

impl Key {
    const fn live(self) -> Self {
        Self { live: true, ..self }
    }

    const fn table(self, entry: &'static str) -> Self {
        Self { entry: Some(entry), ..self }
    }

    /// What may stand there, for errors and docs.
    #[must_use]
    pub fn allowed(&self) -> String {
        let names = |wanted: fn(&&Resource) -> bool| {
            let names = kinds::TABLE.iter().filter(wanted).map(|resource| &*resource.name);
            names.collect::<Vec<_>>().join(", ")
        };
        self.allowed
            .replace("{resources}", &names(|_| true))
            .replace("{detailed}", &names(|resource| !resource.families.is_empty()))
    }
}

/// Every setting, in the order in which they are shown.
pub static KEYS: &[Key] = &[
    key(
        "http.listen",
        "--listen",
        "0.0.0.0:8080",
        "an address and port, such as 0.0.0.0:8080 or [::]:8080",
        "Where Prometheus scrapes.",
    ),
    key(
        "http.drain",
        "--drain",
        "5s",
        "a time from 0s to 5m",
        "How long a stop waits for scrapes under way.",
    )
    .live(),
    key(
        "http.max_connections",
        "--max-connections",
        "64",
        "a number from 1 to 10000",
        "Connections at a time, of scrapers and of those who send audit events; one more takes the place of another.",
    ),
    key(
        "http.write_timeout",
        "--write-timeout",
        "30s",
        "a time from 1s to 10m",
        "How long a reader may take nothing of an answer.",
    )
    .live(),
    key(
        "http.page",
        "--page",
        "true",
        "true or false",
        "Whether / is a page about all of it, for people.",
    ),
    key(
        "http.certificate",
        "--certificate",
        "",
        "a PEM file, where there is an http.key",
        "The certificate chain of what is scraped, which is by HTTPS then; read again when it changes, as is its key.",
    ),
    key("http.key", "--key", "", "a PEM file, where there is an http.certificate", "The key of it."),
    key(
        "http.authorization",
        "--authorization",
        "none",
        "none; or cluster, where there is an http.certificate or http.listen is on loopback",
        "Who may read metrics and the page: anybody, or whoever shows a token that the cluster allows to get /metrics.",
    ),
    key(
        "cluster.kubeconfig",
        "--kubeconfig",
        "",
        "a file",
        "The kubeconfig; without one $KUBECONFIG, ~/.kube/config, then the pod's service account.",
    ),
    key(
        "cluster.context",
        "--context",
        "",
        "a context of the kubeconfig",
        "The context; without one the current one.",
    ),
    key(
        "cluster.require",
        "--require-cluster",
        "false",
        "true or false",
        "End with exit code 69 where the cluster cannot be reached at the start.",
    ),
    key(
        "watch.resources",
        "--resources",
        "pods,events,namespaces,nodes,services,deployments,jobs",
        "some of {resources}, or any other as GROUP/VERSION/RESOURCE, such as example.com/v1/widgets or v1/podtemplates",
        "What is watched.",
    ),
    key(
        "watch.namespaces",
        "--namespaces",
        "",
        "a list of at most 100 namespaces",
        "The namespaces watched; none means all.",
    ),
    key(
        "watch.label_selectors",
        "--label-selector",
        "",
        "a label selector for each resource that is watched",
        "Watch only the objects with these labels.",
    )
    .table("RESOURCE"),
    key(
        "watch.field_selectors",
        "--field-selector",
        "",
        "a field selector for each resource that is watched",
        "Watch only the objects with these fields.",
    )
    .table("RESOURCE"),
    key(
        "shard.count",
        "--shards",
        "1",
        "a number from 1 to 1000",
        "How many Kubetallys share the objects; their counts add up.",
    ),
    key(
        "shard.index",
        "--shard",
        "0",
        "a number below shard.count, or auto",
        "Which of them this one is, from 0; auto is the number in which $POD_NAME ends, as those of a StatefulSet do.",
    ),
    key(
        "watch.wire",
        "--wire",
        "auto",
        "auto, json or protobuf",
        "How objects are encoded on the wire; auto is protobuf where the server has it, else JSON.",
    ),
    key(
        "watch.page_size",
        "--page-size",
        "500",
        "a number from 1 to 5000",
        "Objects a page, where lists come by pages.",
    )
    .live(),
    key(
        "watch.timeout",
        "--watch-timeout",
        "5m",
        "a time from 30s to 1h",
        "How long a watch is asked to last; each lasts from this to twice this.",
    )
    .live(),
    key(
        "detail.resources",
        "--detail",
        "",
        "all, or some of {detailed}",
        "Which resources show a series an object, as kube-state-metrics does; they are watched, too.",
    ),
    key(
        "detail.labels",
        "--labels",
        "",
        "such as pods=[app,team] or *=[*], of {detailed}",
        "Which labels of objects are shown, where they show a series each.",
    ),
    key(
        "detail.annotations",
        "--annotations",
        "",
        "such as pods=[note] or *=[*], of {detailed}",
        "Which annotations of objects are shown, where they show a series each.",
    ),
    key(
        "detail.opt_in",
        "--detail-opt-in",
        "",
        "regular expressions of names of families",
        "Families to show that are shown only where they are asked for.",
    ),
    key(
        "detail.allow",
        "--detail-allow",
        "",
        "regular expressions of names of families",
        "The only families shown, where resources show a series an object.",
    ),
    key(
        "detail.deny",
        "--detail-deny",
        "",
        "regular expressions of names of families, or none where detail.allow has some",
        "Families not shown, where resources show a series an object.",
    ),
    key(
        "probe.interval",
        "--probe-interval",
        "15s",
        "0s, or a time from 1s to 1h",
        "How often each API server is probed, by four requests; 0s is never.",
    ),
    key(
        "probe.timeout",
        "--probe-timeout",
        "5s",
        "a time from 1s to 1m",
        "How long one request of a probe may take, its dial included.",
    ),
    key(
        "probe.endpoints",
        "--probe-endpoint",
        "",
        "an address such as https://10.0.0.11:6443 for each of at most 8 names such as cp-1, and after a comma what its certificate has to be for",
        "API servers of this cluster to probe beside the one that is watched, which is called default and whose certificate theirs are like.",
    )
    .table("NAME"),
    key(
        "canary.namespace",
        "--canary-namespace",
        "",
        "a namespace",
        "The namespace of a Lease that is written and looked for on its watch; without one there is no canary.",
    ),
    key(
        "canary.lease",
        "--canary-lease",
        "kubetally-canary",
        "the name of a Lease, as that of a namespace",
        "The Lease of the canary; it is made where there is none.",
    ),
    key(
        "canary.interval",
        "--canary-interval",
        "15s",
        "a time from 1s to 1h",
        "How often the canary is written; one that is not back by then is lost.",
    ),
    key(
        "audit.listen",
        "--audit-listen",
        "",
        "an address and port, such as 0.0.0.0:8443",
        "Where the API server sends audit events; without it there is no receiver.",
    ),
    key(
        "audit.certificate",
        "--audit-certificate",
        "",
        "a PEM file, which audit.listen needs",
        "The receiver's certificate chain; read again when it changes, as are the next three.",
    ),
    key(
        "audit.key",
        "--audit-key",
        "",
        "a PEM file, which audit.listen needs",
        "The key of the receiver's certificate.",
    ),
    key(
        "audit.token_file",
        "--audit-token-file",
        "",
        "a file, which audit.listen needs unless it has audit.client_ca",
        "The tokens, one a line, of which whoever sends audit events shows one.",
    ),
    key(
        "audit.client_ca",
        "--audit-client-ca",
        "",
        "a PEM file",
        "The CA of the certificate that whoever sends audit events shows; of no other client's.",
    ),
    key(
        "caps.namespaces",
        "--cap-namespaces",
        "500",
        "a number from 1 to 100000",
        "Namespaces, and service accounts, shown by name; the others are _other.",
    ),
    key(
        "caps.reasons",
        "--cap-reasons",
        "100",
        "a number from 1 to 10000",
        "Reasons, kinds and audited resources shown by name; the others are _other.",
    ),
    key(
        "caps.nodes",
        "--cap-nodes",
        "5000",
        "a number from 1 to 100000",
        "Nodes shown by name; the others are _other.",
    ),
    key(
        "log.format",
        "--log-format",
        "auto",
        "auto, text or json",
        "Lines for people or for programs; auto is text on a terminal.",
    ),
    key(
        "log.level",
        "--log-level",
        "info",
        "off, error, warn, info, debug, trace, or directives such as info,kubetally::watch=debug",
        "What is logged.",
    )
    .live(),
];

/// A file of settings, for the docs.
pub const EXAMPLE: &str = r#"[watch]
namespaces = ["shop", "billing"]
label_selectors.pods = "app in (web, api)"

[probe]
endpoints.cp-1 = "https://10.0.0.11:6443"
endpoints.cp-2 = ["https://10.0.0.12:6443", "kubernetes.default.svc"]

[log]
level = "info,kubetally::watch=debug"
"#;

/// The page `docs/configuration.md`.
#[must_use]
pub fn markdown() -> String {
    let mut out = String::from(
        "# Configuration\n\n\
         This page is what `kubetally config --format markdown` prints. Every setting can stand in \
         a TOML file (`--config FILE` or `KUBETALLY__CONFIG`), in the environment or in a flag; a \
         flag wins over the environment, the environment over the file, the file over the default. \
         An unknown setting and a value that is not allowed end the start with exit code 64. \
         `kubetally config` prints what is in force and where each value was set. No setting holds \
         a secret: credentials stay in the kubeconfig or in the pod's service account.\n\n\
         Lists are separated by commas, or TOML arrays. Times are such as `30s`, `5m`, `1h30m`. A \
         file:\n\n\
         ```toml\n",
    );
    out.push_str(EXAMPLE);
    out.push_str(
        "```\n\n\
         SIGHUP reads the file again. Settings marked \u{201c}at once\u{201d} change then; others are named in \
         the log and wait for a restart. A file with an error changes nothing, and \
         `kubetally_config_last_reload_successful` is 0 until it is mended.\n\n\
         | setting | default | allowed | what | flag | environment | on SIGHUP |\n\
         | --- | --- | --- | --- | --- | --- | --- |\n",
    );
    for key in KEYS {
        let default = if key.default.is_empty() { "" } else { &format!("`{}`", key.default) };
        let name = match key.entry {
            Some(entry) => format!("{}.{entry}", key.name),
            None => key.name.to_owned(),
        };
        // Writing to a String cannot fail.
        writeln!(
            out,
            "| `{name}` | {default} | {} | {} | `{}` | `{}` | {} |",
            key.allowed(),
            key.help,
            key.flag,
            variable(&name),
            if key.live { "at once" } else { "restart" },
        )
        .unwrap_or_default();
    }
    out
}

/// Finds a setting; an entry of a table is found by its table.
#[must_use]
pub fn find(name: &str) -> Option<&'static Key> {
    let table = |key: &&Key| {
        let entry = name.strip_prefix(key.name).and_then(|rest| rest.strip_prefix('.'));
        key.entry.is_some() && entry.is_some_and(|entry| !entry.is_empty())
    };
    let exact = KEYS.iter().find(|key| key.name == name && key.entry.is_none());
    exact.or_else(|| KEYS.iter().find(table))
}

/// What a name holds that is no setting itself: a section of settings, or a table of them.
#[must_use]
pub fn section(name: &str) -> Option<String> {
    if let Some(table) = KEYS.iter().find(|key| key.name == name && key.entry.is_some()) {
        return Some(format!("a table: {}", table.allowed()));
    }
    let within = |key: &Key| key.name.strip_prefix(name).is_some_and(|rest| rest.starts_with('.'));
    KEYS.iter().any(within).then(|| "a section of settings".into())
}

/// The known name nearest to an unknown one, if one is near.
#[must_use]
pub fn nearest(name: &str) -> Option<&'static str> {
    let near = KEYS.iter().map(|key| (distance(key.name, name), key.name));
    near.min().filter(|(distance, _)| *distance <= 3).map(|(_, name)| name)
}

/// How many letters to insert, remove or replace (Levenshtein).
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.bytes().enumerate() {
        let mut corner = i;
        row[0] = i + 1;
        for (j, y) in b.bytes().enumerate() {
            let replaced = corner + usize::from(x != y);
            corner = row[j + 1];
            row[j + 1] = replaced.min(corner + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}
