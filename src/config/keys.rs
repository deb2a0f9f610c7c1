//! The table of settings: key, default, what is allowed, what it is for.

/// One setting.
#[derive(Debug)]
pub struct Key {
    /// Its dotted name, as in the file.
    pub name: &'static str,
    /// Its default as it would be written; empty for none.
    pub default: &'static str,
    /// What may stand there, for errors and docs.
    pub allowed: &'static str,
    /// What it is for.
    pub help: &'static str,
}

const fn key(
    name: &'static str,
    default: &'static str,
    allowed: &'static str,
    help: &'static str,
) -> Key {
    Key { name, default, allowed, help }
}

/// Every setting, in the order in which they are shown.
pub static KEYS: &[Key] = &[
    key(
        "http.listen",
        "0.0.0.0:8080",
        "an address and port, such as 0.0.0.0:8080 or [::]:8080",
        "Where Prometheus scrapes.",
    ),
    key("http.drain", "5s", "a time from 0s to 5m", "How long a stop waits for scrapes under way."),
    key("http.max_connections", "64", "a number from 1 to 10000", "Connections at a time."),
    key(
        "http.write_timeout",
        "30s",
        "a time from 1s to 10m",
        "How long a reader may take nothing of an answer.",
    ),
    key(
        "cluster.kubeconfig",
        "",
        "a file",
        "The kubeconfig; without one $KUBECONFIG, ~/.kube/config, then the pod's service account.",
    ),
    key(
        "cluster.context",
        "",
        "a context of the kubeconfig",
        "The context; without one the current one.",
    ),
    key(
        "cluster.require",
        "false",
        "true or false",
        "End with exit code 69 where the cluster cannot be reached at the start.",
    ),
    key(
        "watch.resources",
        "pods,events",
        "a list of resources that `kubetally` knows",
        "What is watched.",
    ),
    key("watch.namespaces", "", "a list of namespaces", "The namespaces watched; none means all."),
    key(
        "watch.label_selectors",
        "",
        "a label selector a resource",
        "Watch only the objects with these labels.",
    ),
    key(
        "watch.field_selectors",
        "",
        "a field selector a resource",
        "Watch only the objects with these fields.",
    ),
    key(
        "watch.page_size",
        "500",
        "a number from 1 to 5000",
        "Objects a page, where lists come by pages.",
    ),
    key(
        "watch.timeout",
        "5m",
        "a time from 30s to 1h",
        "How long a watch is asked to last; each lasts from this to twice this.",
    ),
    key(
        "caps.namespaces",
        "500",
        "a number from 1 to 100000",
        "Namespaces shown by name; the others are _other.",
    ),
    key(
        "caps.reasons",
        "100",
        "a number from 1 to 10000",
        "Reasons and kinds shown by name; the others are _other.",
    ),
    key(
        "caps.nodes",
        "5000",
        "a number from 1 to 100000",
        "Nodes shown by name; the others are _other.",
    ),
    key(
        "log.format",
        "auto",
        "auto, text or json",
        "Lines for people or for programs; auto is text on a terminal.",
    ),
    key(
        "log.level",
        "info",
        "off, error, warn, info, debug, trace, or directives such as info,kubetally::watch=debug",
        "What is logged.",
    ),
];

/// The keys that hold a table: one value a resource.
pub const TABLES: &[&str] = &["watch.label_selectors", "watch.field_selectors"];

/// Finds a setting; an entry of a table is found by its table.
#[must_use]
pub fn find(name: &str) -> Option<&'static Key> {
    let table = |key: &&Key| {
        let entry = name.strip_prefix(key.name).and_then(|rest| rest.strip_prefix('.'));
        TABLES.contains(&key.name) && entry.is_some_and(|entry| !entry.contains('.'))
    };
    let exact = KEYS.iter().find(|key| key.name == name && !TABLES.contains(&key.name));
    exact.or_else(|| KEYS.iter().find(table))
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
