//! What is pure stays pure, and data goes one way: which paths a room's sources may name.

use std::{fs, path::Path};

/// A room of the house: its module, and what of the crate it may use beside itself. `x::` stands
/// for the types directly in `x`, such as label enumerations, and for nothing below it.
const PURE: &[(&str, &[&str])] = &[
    ("wire", &["watch::"]),
    ("kinds", &["config::settings", "exposition", "label", "store", "watch::", "wire"]),
    ("store", &["config::settings", "exposition", "watch::", "wire"]),
    (
        "exposition",
        &[
            "api::",
            "audit::",
            "canary::",
            "config::settings",
            "http::",
            "kinds",
            "probe::",
            "watch::",
        ],
    ),
    ("api::skew", &[]),
    ("api::flow", &["exposition"]),
    ("probe::plan", &["probe::"]),
    ("canary::echo", &[]),
    ("audit::event", &["audit::", "kinds", "wire"]),
    ("audit::batch", &["audit::event", "wire"]),
    (
        "audit::tally",
        &["audit::", "audit::event", "config::settings", "exposition", "store::tally"],
    ),
    ("watch::machine", &["api::", "watch::", "watch::backoff"]),
    ("watch::backoff", &[]),
    (
        "page",
        &[
            "access::",
            "api::",
            "exposition",
            "http::health",
            "kinds::pod",
            "store::tally",
            "watch::",
            "words",
        ],
    ),
    ("words", &[]),
    ("rbac", &["api::", "config::listeners", "config::probe", "config::settings"]),
    ("access::matrix", &["access::rules", "api::", "rbac"]),
    ("access::pace", &["watch::backoff"]),
    ("access::rules", &["rbac"]),
];

/// Sockets, files, clocks, the process: those come in from the rim.
const IMPURE: &[&str] = &[
    "h2",
    "hyper",
    "hyper_util",
    "prometheus",
    "rustls",
    "signal_hook",
    "socket2",
    "std::env",
    "std::fs",
    "std::net",
    "std::os",
    "std::process",
    "std::thread",
    "std::time::Instant",
    "std::time::SystemTime",
    "std::time::UNIX_EPOCH",
    "tokio",
    "tokio_rustls",
    "tracing",
];

#[test]
fn pure_rooms_name_nothing_impure_and_nothing_downstream() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut looked_at = 0;
    for (room, allowed) in PURE {
        let file = root.join(room.replace("::", "/")).with_extension("rs");
        let mut sources = vec![(file.clone(), (*room).to_owned())];
        collect(&file.with_extension(""), room, &mut sources);
        for (path, module) in sources {
            let source = fs::read_to_string(&path).expect("a source");
            let wrong = violations(room, allowed, &module, &source);
            assert!(wrong.is_empty(), "{} names {wrong:?}", path.display());
            looked_at += 1;
        }
    }
    assert!(looked_at > 20, "only {looked_at} sources were found");
}

/// The sources below a folder, but not those of tests.
fn collect(folder: &Path, module: &str, sources: &mut Vec<(std::path::PathBuf, String)>) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries {
        let path = entry.expect("an entry").path();
        let name = path.file_stem().and_then(|name| name.to_str()).expect("a name").to_owned();
        let module = format!("{module}::{name}");
        if path.is_dir() {
            collect(&path, &module, sources);
        } else if !["tests", "testing"].contains(&name.as_str()) {
            sources.push((path, module));
        }
    }
}

/// The paths in a source that its room may not name.
fn violations(room: &str, allowed: &[&str], module: &str, source: &str) -> Vec<String> {
    let below = |path: &str, prefix: &str| {
        path.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
    };
    let may = |path: &str, rule: &str| match rule.strip_suffix("::") {
        Some(parent) => path.strip_prefix(parent).is_some_and(|rest| {
            rest.strip_prefix("::").is_some_and(|rest| rest.starts_with(char::is_uppercase))
        }),
        None => below(path, rule),
    };
    let wrong = |path: &String| match path.strip_prefix("crate::") {
        Some(ours) => !below(ours, room) && !allowed.iter().any(|rule| may(ours, rule)),
        None => IMPURE.iter().any(|impure| below(path, impure)),
    };
    paths(module, source).into_iter().filter(wrong).collect()
}

/// Every path of two segments or more, `use` trees taken apart, `super` and `self` resolved.
fn paths(module: &str, source: &str) -> Vec<String> {
    let code = source.split("#[cfg(test)]").next().unwrap_or_default();
    let lines = code.lines().map(|line| line.split("//").next().unwrap_or_default());
    let code = lines.collect::<Vec<_>>().join(" ");
    let mut found = Vec::new();
    for statement in code.split(';') {
        match statement.split_once("use ") {
            Some((before, tree)) if !before.contains('=') && !before.contains('(') => {
                expand("", tree.trim(), &mut found);
                words(before, &mut found);
            }
            _ => words(statement, &mut found),
        }
    }
    found.iter().map(|path| resolve(module, path)).collect()
}

/// Takes `a::{b, c::{d, e}}` apart.
fn expand(prefix: &str, tree: &str, found: &mut Vec<String>) {
    let Some((head, rest)) = tree.split_once('{') else {
        let name = tree.split(" as ").next().unwrap_or_default().trim();
        found.push(format!("{prefix}{name}"));
        return;
    };
    let inner = rest.rsplit_once('}').map_or(rest, |(inner, _)| inner);
    let (mut depth, mut from) = (0, 0);
    let mut parts = Vec::new();
    for (at, c) in inner.char_indices() {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                parts.push(&inner[from..at]);
                from = at + 1;
            }
            _ => {}
        }
    }
    parts.push(&inner[from..]);
    for part in parts.iter().map(|part| part.trim()).filter(|part| !part.is_empty()) {
        expand(&format!("{prefix}{}", head.trim()), part, found);
    }
}

/// Paths in the middle of code.
fn words(code: &str, found: &mut Vec<String>) {
    let word = |c: char| c.is_alphanumeric() || c == '_' || c == ':';
    let words = code.split(|c| !word(c)).map(|word| word.trim_matches(':'));
    found.extend(words.filter(|word| word.contains("::")).map(str::to_owned));
}

fn resolve(module: &str, path: &str) -> String {
    let mut module: Vec<&str> = std::iter::once("crate").chain(module.split("::")).collect();
    let mut rest = path.strip_prefix("self::").unwrap_or(path);
    if !rest.starts_with("super::") && rest.len() == path.len() {
        return path.to_owned();
    }
    while let Some(up) = rest.strip_prefix("super::") {
        module.pop();
        rest = up;
    }
    format!("{}::{rest}", module.join("::"))
}

#[test]
fn the_checker_finds_what_it_is_for() {
    let source = r"
        use std::{collections::HashMap, fs, time::{Duration, SystemTime as Clock}};
        use crate::{api::{Verb, client::Client}, http::{self, Router}, watch::Op};
        use super::{intern::Interner, super::telemetry::Telemetry};
        // use tokio::net::TcpStream;
        fn now() { std::time::Instant::now(); tokio::spawn(x); crate::wire::text::Text }
        #[cfg(test)]
        mod tests { use std::net::IpAddr; }
    ";
    let wrong = violations("store", &["api::", "watch::", "wire"], "store::tally", source);
    assert_eq!(
        wrong,
        [
            "std::fs",
            "std::time::SystemTime",
            "crate::api::client::Client",
            "crate::http::self",
            "crate::http::Router",
            "crate::telemetry::Telemetry",
            "std::time::Instant::now",
            "tokio::spawn",
        ]
    );
}
