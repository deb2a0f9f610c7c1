//! The configuration as meant: parsed, checked, ready to use.

use std::{ops::RangeInclusive, path::PathBuf, sync::Arc, time::Duration};

use super::{
    ConfigError,
    detail::{self, Allowed, Detail},
    keys,
    listeners::{Audit, Http, file},
    probe::{Canary, Probe},
    raw::{Raw, Written},
};
use crate::{
    exposition::detail::choice::Choice,
    kinds::{self, Resource},
    shard::{self, Index, Shard, Sharding},
    wire::{Encoding, Wanted},
};

/// How many namespaces may be named: each has a watch, and so a connection, for each resource.
const NAMESPACES: usize = 100;
/// How many resources may be named.
const RESOURCES: usize = 100;

/// Everything the daemon was told.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The HTTP side.
    pub http: Http,
    /// Where the API server is.
    pub cluster: Cluster,
    /// What is watched, and how.
    pub watch: Watch,
    /// Which share of the objects.
    pub sharding: Sharding,
    /// A series an object.
    pub detail: Detail,
    /// The probes of the API server.
    pub probe: Probe,
    /// The write that is looked for on its watch; none where it is off.
    pub canary: Option<Canary>,
    /// The receiver of audit events, if there is one.
    pub audit: Option<Audit>,
    /// Bounds on free-form label values.
    pub caps: Caps,
    /// How it logs.
    pub log: Log,
}

/// Where the API server is and who we are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cluster {
    /// A kubeconfig named explicitly.
    pub kubeconfig: Option<PathBuf>,
    /// The kubeconfig's context; none takes its current one.
    pub context: Option<String>,
    /// Exit with 69 where the cluster cannot be reached at the start.
    pub require: bool,
}

/// What is watched, and how.
#[derive(Clone, Debug)]
pub struct Watch {
    /// The resources, each once.
    pub resources: Vec<Watched>,
    /// The namespaces; empty means all, by one cluster-wide watch a resource.
    pub namespaces: Vec<String>,
    /// How objects are encoded on the wire.
    pub wire: Wanted,
    /// Objects a page of a paged LIST.
    pub page_size: u32,
    /// What is asked for as `timeoutSeconds`, before jitter.
    pub timeout: Duration,
}

impl Watch {
    /// The namespaces that a resource is watched in; none means all, or that it is in none.
    #[must_use]
    pub fn namespaces_of(&self, resource: &Resource) -> &[String] {
        if resource.namespaced { &self.namespaces } else { &[] }
    }

    /// The namespaces of its watches, one each; `None` for all of them at once.
    #[must_use]
    pub fn scopes(&self, resource: &Resource) -> Vec<Option<String>> {
        match self.namespaces_of(resource) {
            [] => vec![None],
            namespaces => namespaces.iter().cloned().map(Some).collect(),
        }
    }
}

/// One watched resource and its selectors, passed to the API server as they are.
#[derive(Clone, Debug)]
pub struct Watched {
    /// The resource.
    pub resource: Arc<Resource>,
    /// A label selector.
    pub label_selector: Option<String>,
    /// A field selector.
    pub field_selector: Option<String>,
}

/// Bounds on free-form label values; what is beyond goes into `_other`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Caps {
    /// Values of `namespace`, and service accounts.
    pub namespaces: usize,
    /// Values of `reason`, of an event's `kind`, and of what audit events are about.
    pub reasons: usize,
    /// Values of `node`.
    pub nodes: usize,
}

/// How it logs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Log {
    /// Text, JSON, or whatever fits.
    pub format: LogFormat,
    /// A level, or `tracing` directives such as `info,kubetally::watch=debug`.
    pub level: String,
}

/// The form of a log line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// Text on a terminal, else JSON.
    Auto,
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

impl Settings {
    /// Gives what was written its meaning.
    ///
    /// # Errors
    /// The first value that cannot be.
    pub fn from_raw(raw: &Raw) -> Result<Self, ConfigError> {
        let read = Reader(raw);
        let detailed = read.parsed("detail.resources", detail::resources)?;
        Ok(Self {
            http: read.http()?,
            cluster: Cluster {
                kubeconfig: read.optional("cluster.kubeconfig"),
                context: raw.get("cluster.context").map(|written| written.text.clone()),
                require: read.parsed("cluster.require", |text| text.parse().ok())?,
            },
            watch: Watch {
                resources: read.resources(&detailed)?,
                namespaces: read.namespaces()?,
                wire: read.parsed("watch.wire", wanted)?,
                page_size: read.number("watch.page_size", 1..=5000)?,
                timeout: read.time("watch.timeout", 30..=3600)?,
            },
            sharding: read.sharding()?,
            detail: Detail {
                resources: detailed,
                labels: read.parsed("detail.labels", Allowed::parse)?,
                annotations: read.parsed("detail.annotations", Allowed::parse)?,
                families: read.families()?,
            },
            probe: read.probe()?,
            canary: read.canary()?,
            audit: read.audit()?,
            caps: Caps {
                namespaces: read.number("caps.namespaces", 1..=100_000)?,
                reasons: read.number("caps.reasons", 1..=10_000)?,
                nodes: read.number("caps.nodes", 1..=100_000)?,
            },
            log: Log {
                format: read.parsed("log.format", log_format)?,
                level: read.parsed("log.level", |text| {
                    crate::logging::directives(text).map(|_| text.to_owned())
                })?,
            },
        })
    }
}

/// Reads settings of what was written.
pub(super) struct Reader<'a>(pub(super) &'a Raw);

impl Reader<'_> {
    pub(super) fn parsed<T>(
        &self,
        name: &'static str,
        parse: impl Fn(&str) -> Option<T>,
    ) -> Result<T, ConfigError> {
        let empty = Written { text: String::new(), origin: "default".into() };
        let written = self.0.written(name).unwrap_or(&empty);
        parse(&written.text).ok_or_else(|| wrong(name, written))
    }

    pub(super) fn number<T: TryFrom<u64>>(
        &self,
        name: &'static str,
        range: RangeInclusive<u64>,
    ) -> Result<T, ConfigError> {
        self.parsed(name, |text| {
            let number = text.parse().ok().filter(|number| range.contains(number))?;
            T::try_from(number).ok()
        })
    }

    pub(super) fn time(
        &self,
        name: &'static str,
        seconds: RangeInclusive<u64>,
    ) -> Result<Duration, ConfigError> {
        let range = Duration::from_secs(*seconds.start())..=Duration::from_secs(*seconds.end());
        self.parsed(name, |text| duration(text).filter(|time| range.contains(time)))
    }

    /// A file that need not be named.
    pub(super) fn optional(&self, name: &str) -> Option<PathBuf> {
        self.0.get(name).and_then(|written| file(&written.text))
    }

    /// What is watched: what is named, and what shows a series an object.
    fn resources(&self, detailed: &[&'static str]) -> Result<Vec<Watched>, ConfigError> {
        let selector = |table: &'static str, resource: &str| {
            self.0.entries(table).find(|(name, _)| *name == resource).map(|(_, w)| w.text.clone())
        };
        let mut resources = self.parsed("watch.resources", |text| {
            let mut resources: Vec<Resource> = Vec::new();
            for resource in list(text).map(kinds::parse) {
                let resource = resource?;
                match resources.iter().find(|known| known.name == resource.name) {
                    None => resources.push(resource),
                    // Their series would be the same.
                    Some(known) if known.api_version != resource.api_version => return None,
                    Some(_) => {}
                }
            }
            (1..=RESOURCES).contains(&resources.len()).then_some(resources)
        })?;
        for name in detailed {
            if resources.iter().all(|known| known.name != *name) {
                resources.extend(kinds::find(name).cloned());
            }
        }
        for table in ["watch.label_selectors", "watch.field_selectors"] {
            for (resource, written) in self.0.entries(table) {
                let watched = resources.iter().any(|watched| watched.name == resource);
                let usable = !written.text.is_empty()
                    && written.text.len() <= 4096
                    && !written.text.contains(char::is_control);
                if !watched || !usable {
                    return Err(wrong(&format!("{table}.{resource}"), written));
                }
            }
        }
        let watched = |resource: Resource| Watched {
            label_selector: selector("watch.label_selectors", &resource.name),
            field_selector: selector("watch.field_selectors", &resource.name),
            resource: Arc::new(resource),
        };
        Ok(resources.into_iter().map(watched).collect())
    }

    fn sharding(&self) -> Result<Sharding, ConfigError> {
        let count = self.number("shard.count", 1..=u64::from(shard::MOST))?;
        let index = |text: &str| match text {
            "auto" => Some(Index::Auto),
            number => Shard::new(number.parse().ok()?, count).map(Index::Is),
        };
        Ok(Sharding { count, index: self.parsed("shard.index", index)? })
    }

    fn families(&self) -> Result<Choice, ConfigError> {
        let [allow, deny, opt_in] = ["detail.allow", "detail.deny", "detail.opt_in"]
            .map(|name| self.parsed(name, detail::families));
        let choice = Choice { allow: allow?, deny: deny?, opt_in: opt_in? };
        match self.0.written("detail.deny") {
            Some(written) if choice.allow.is_some() && choice.deny.is_some() => {
                Err(wrong("detail.deny", written))
            }
            _ => Ok(choice),
        }
    }

    fn namespaces(&self) -> Result<Vec<String>, ConfigError> {
        self.parsed("watch.namespaces", |text| {
            let mut names: Vec<String> = list(text).map(str::to_owned).collect();
            names.sort();
            names.dedup();
            let few = names.len() <= NAMESPACES;
            (few && names.iter().all(|name| kinds::is_label(name))).then_some(names)
        })
    }
}

pub(super) fn wrong(name: &str, written: &Written) -> ConfigError {
    let allowed = keys::find(name).map(keys::Key::allowed).unwrap_or_default();
    ConfigError::Value {
        key: name.into(),
        origin: written.origin.clone(),
        found: format!("{:?}", written.text),
        allowed,
    }
}

pub(super) fn list(text: &str) -> impl Iterator<Item = &str> {
    text.split(',').map(str::trim).filter(|part| !part.is_empty())
}

fn wanted(text: &str) -> Option<Wanted> {
    match text {
        "auto" => Some(Wanted::Auto),
        "json" => Some(Wanted::Only(Encoding::Json)),
        "protobuf" => Some(Wanted::Only(Encoding::Protobuf)),
        _ => None,
    }
}

fn log_format(text: &str) -> Option<LogFormat> {
    match text {
        "auto" => Some(LogFormat::Auto),
        "text" => Some(LogFormat::Text),
        "json" => Some(LogFormat::Json),
        _ => None,
    }
}

/// Reads `30s`, `5m`, `1h30m`, `500ms`.
#[must_use]
pub fn duration(text: &str) -> Option<Duration> {
    let mut total = Duration::ZERO;
    let mut rest = text;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit())?;
        let number: u64 = rest[..digits].parse().ok()?;
        rest = &rest[digits..];
        let end = rest.find(|c: char| c.is_ascii_digit()).unwrap_or(rest.len());
        let part = match &rest[..end] {
            "ms" => Duration::from_millis(number),
            "s" => Duration::from_secs(number),
            "m" => Duration::from_secs(number.checked_mul(60)?),
            "h" => Duration::from_secs(number.checked_mul(3600)?),
            _ => return None,
        };
        total = total.checked_add(part)?;
        rest = &rest[end..];
    }
    (!text.is_empty()).then_some(total)
}
