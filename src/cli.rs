//! The command line: commands, flags, help.

use std::{io::Write, path::PathBuf, time::Duration};

use clap::{ArgAction, Args, CommandFactory, Parser, Subcommand};

use crate::{
    check,
    config::{Sources, raw, settings::duration},
    exit::Exit,
    exposition::catalogue::print::Form,
    kinds,
};

/// Version and revision of the build.
pub const VERSION: &str = concat!(env!("CARGO_PKG_VERSION"), " (", env!("KUBETALLY_REVISION"), ")");

/// The revision of the build.
pub const REVISION: &str = env!("KUBETALLY_REVISION");

const EXAMPLES: &str = "\
Examples:
  kubetally demo                         no cluster needed: a simulated one, watched
  kubetally                              watch the cluster of the pod or of the kubeconfig
  kubetally --namespaces shop,billing    watch two namespaces only
  kubetally --kubeconfig ~/.kube/prod --context admin
  kubetally config                       print the settings in force and where each comes from
  kubetally rbac | kubectl apply -f -    grant the rights that the settings need, and no other

What it shows, once it runs:
  http://localhost:8080/                 a page about all of it, for people
  http://localhost:8080/metrics          for Prometheus; `kubetally metrics` explains each metric
  http://localhost:8080/readyz?verbose   what is watched, what is not, and why
  http://localhost:8080/livez            whether the daemon is alive

A LIST is separated by commas; a TIME is such as 30s, 5m or 1h30m.
Every setting can stand in a TOML file (--config), in the environment
(KUBETALLY__SECTION__KEY, such as KUBETALLY__HTTP__LISTEN) or in a flag; the later one wins.
SIGHUP reads the file again; SIGTERM and SIGINT stop, a second one at once.

Exit codes: 0 stopped or done, 1 and 2 what `kubetally check` found, 64 wrong usage or configuration, 69 no cluster reached with
--require-cluster, 70 a defect.";

const CHECKED: &str = "\
Exit codes: 0 all is well, 1 a warning, 2 something does not work, 64 wrong usage or
configuration, 70 a defect.";

/// Watches a Kubernetes cluster and keeps the tally: object counts, events, API latency and
/// authentication failures as Prometheus metrics.
#[derive(Debug, Parser)]
#[command(name = "kubetally", version = VERSION, after_help = EXAMPLES)]
#[command(args_conflicts_with_subcommands = true, disable_help_subcommand = true)]
pub struct Cli {
    /// What to do; without a command: run.
    #[command(subcommand)]
    pub command: Option<Command>,

    /// The settings of `run`, where no command is given.
    #[command(flatten)]
    pub run: Flags,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Watch a cluster and serve its metrics (what happens without a command)
    Run(Flags),
    /// Watch a simulated cluster: nothing else is needed
    #[cfg(feature = "demo")]
    Demo(Demo),
    /// Look step by step whether the cluster can be watched, and say what to do where it cannot
    #[command(after_help = CHECKED)]
    Check {
        /// For people or for programs
        #[arg(long, value_name = "FORMAT", value_enum, default_value = "text")]
        output: check::print::Form,
        /// Colours
        #[arg(long, value_name = "WHEN", value_enum, default_value = "auto")]
        color: check::print::Color,
        /// How long all of it may take
        #[arg(long, value_name = "TIME", default_value = "30s", value_parser = limit)]
        timeout: Duration,
        /// The settings: what is watched, and where.
        #[command(flatten)]
        flags: Flags,
    },
    /// Print the settings in force, and where each was set
    Config {
        /// Only say whether they are right
        #[arg(long)]
        check: bool,
        /// The settings in force as a file, or a page about every setting there is
        #[arg(long = "format", value_name = "FORMAT", value_enum, default_value = "toml")]
        form: raw::Form,
        /// The settings.
        #[command(flatten)]
        flags: Flags,
    },
    /// Print every metric: type, labels, how many series at most
    Metrics {
        /// The form
        #[arg(long, value_enum, default_value = "text")]
        format: Form,
        /// The settings, whose caps bound the series.
        #[command(flatten)]
        flags: Flags,
    },
    /// Print the least rights that the settings need, for `kubectl apply -f -`
    Rbac {
        /// The service account, and the roles bound to it
        #[arg(long, value_name = "NAME", default_value = "kubetally", value_parser = object_name)]
        name: String,
        /// The service account's namespace
        #[arg(long, value_name = "NAMESPACE", default_value = "kubetally", value_parser = label)]
        namespace: String,
        /// The settings: what is watched, and in which namespaces.
        #[command(flatten)]
        flags: Flags,
    },
    /// Print the completions of a shell
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
}

/// Settings of the simulated cluster.
#[cfg(feature = "demo")]
#[derive(Clone, Debug, Args)]
pub struct Demo {
    /// How many pods there are
    #[arg(long, value_name = "N", default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..=200_000))]
    pub pods: u32,
    /// Changes a second
    #[arg(long, value_name = "R", default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub rate: u32,
    /// Where to serve metrics
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:8080")]
    pub listen: String,
    /// What decides everything that happens
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    pub seed: u64,
    /// What to log, as in `run`
    #[arg(long, value_name = "LEVEL", default_value = "warn")]
    pub log_level: String,
}

/// The flags that set settings.
#[derive(Clone, Debug, Default, Args)]
pub struct Flags {
    /// A TOML file of settings [env: KUBETALLY__CONFIG]
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// The kubeconfig [default: $KUBECONFIG, ~/.kube/config, then the pod's service account]
    #[arg(help_heading = "The cluster", long, value_name = "FILE")]
    pub kubeconfig: Option<String>,
    /// The kubeconfig's context [default: its current one]
    #[arg(help_heading = "The cluster", long, value_name = "NAME")]
    pub context: Option<String>,
    /// End with exit code 69 where the cluster cannot be reached at the start
    #[arg(help_heading = "The cluster", long, action = ArgAction::SetTrue)]
    pub require_cluster: bool,
    /// What to watch [default: pods,events,namespaces,nodes,services,deployments,jobs]
    #[arg(help_heading = "What is watched", long, value_name = "LIST")]
    pub resources: Option<String>,
    /// The namespaces to watch [default: all]
    #[arg(help_heading = "What is watched", long, value_name = "LIST")]
    pub namespaces: Option<String>,
    /// Watch only objects with these labels, such as pods=app=web (may be repeated)
    #[arg(help_heading = "What is watched", long, value_name = "RESOURCE=SELECTOR", value_parser = selector)]
    pub label_selector: Vec<(String, String)>,
    /// Watch only objects with these fields, such as pods=spec.nodeName=a (may be repeated)
    #[arg(help_heading = "What is watched", long, value_name = "RESOURCE=SELECTOR", value_parser = selector)]
    pub field_selector: Vec<(String, String)>,
    /// How many Kubetallys share the objects [default: 1]
    #[arg(help_heading = "What is watched", long, value_name = "N")]
    pub shards: Option<String>,
    /// Which of them this one is, from 0, or auto: by the end of $POD_NAME [default: 0]
    #[arg(help_heading = "What is watched", long, value_name = "I")]
    pub shard: Option<String>,
    /// auto, json or protobuf on the wire [default: auto: protobuf where the server has it]
    #[arg(help_heading = "What is watched", long, value_name = "ENCODING")]
    pub wire: Option<String>,
    /// Objects a page, where lists come by pages [default: 500]
    #[arg(help_heading = "What is watched", long, value_name = "N")]
    pub page_size: Option<String>,
    /// How long a watch is asked to last; each lasts from this to twice this [default: 5m]
    #[arg(help_heading = "What is watched", long, value_name = "TIME")]
    pub watch_timeout: Option<String>,
    /// Resources that show a series an object, as kube-state-metrics does, or all [default: none]
    #[arg(help_heading = "A series an object", long, value_name = "LIST")]
    pub detail: Option<String>,
    /// Labels to show, by resource.
    #[arg(
        help = "Labels shown by these, such as 'pods=[app,team]' or '*=[*]' [default: none]",
        help_heading = "A series an object",
        long,
        value_name = "RESOURCE=[LABELS]"
    )]
    pub labels: Option<String>,
    /// Annotations to show, by resource.
    #[arg(
        help = "Annotations shown by these, such as 'pods=[note]' or '*=[*]' [default: none]",
        help_heading = "A series an object",
        long,
        value_name = "RESOURCE=[ANNOTATIONS]"
    )]
    pub annotations: Option<String>,
    /// Families to show that have to be asked for: regular expressions of their names
    #[arg(help_heading = "A series an object", long, value_name = "LIST")]
    pub detail_opt_in: Option<String>,
    /// The only families to show: regular expressions of their names [default: all]
    #[arg(help_heading = "A series an object", long, value_name = "LIST")]
    pub detail_allow: Option<String>,
    /// Families not to show: regular expressions of their names [default: none]
    #[arg(help_heading = "A series an object", long, value_name = "LIST")]
    pub detail_deny: Option<String>,
    /// How often the API server is probed, by four requests; 0s is never [default: 15s]
    #[arg(help_heading = "Probes of the API server", long, value_name = "TIME")]
    pub probe_interval: Option<String>,
    /// How long one request of a probe may take [default: 5s]
    #[arg(help_heading = "Probes of the API server", long, value_name = "TIME")]
    pub probe_timeout: Option<String>,
    /// An API server to probe beside the watched one, such as cp-1=https://10.0.0.11:6443 (may be
    /// repeated)
    #[arg(help_heading = "Probes of the API server", long, value_name = "NAME=ADDRESS", value_parser = endpoint)]
    pub probe_endpoint: Vec<(String, String)>,
    /// The namespace of a Lease that is written and looked for on its watch [default: none]
    #[arg(help_heading = "Probes of the API server", long, value_name = "NAMESPACE")]
    pub canary_namespace: Option<String>,
    /// The Lease [default: kubetally-canary]
    #[arg(help_heading = "Probes of the API server", long, value_name = "NAME")]
    pub canary_lease: Option<String>,
    /// How often it is written [default: 15s]
    #[arg(help_heading = "Probes of the API server", long, value_name = "TIME")]
    pub canary_interval: Option<String>,
    /// Where the API server sends audit events [default: nowhere]
    #[arg(help_heading = "The audit receiver", long, value_name = "ADDRESS:PORT")]
    pub audit_listen: Option<String>,
    /// The receiver's certificate chain, PEM
    #[arg(help_heading = "The audit receiver", long, value_name = "FILE")]
    pub audit_certificate: Option<String>,
    /// The key of the receiver's certificate, PEM
    #[arg(help_heading = "The audit receiver", long, value_name = "FILE")]
    pub audit_key: Option<String>,
    /// Tokens, one a line: the API server shows one
    #[arg(help_heading = "The audit receiver", long, value_name = "FILE")]
    pub audit_token_file: Option<String>,
    /// The CA of the certificate that the API server shows, PEM
    #[arg(help_heading = "The audit receiver", long, value_name = "FILE")]
    pub audit_client_ca: Option<String>,
    /// Namespaces and service accounts shown by name, the others are _other [default: 500]
    #[arg(help_heading = "How much is shown by name", long, value_name = "N")]
    pub cap_namespaces: Option<String>,
    /// Reasons, kinds and audited resources shown by name, the others are _other [default: 100]
    #[arg(help_heading = "How much is shown by name", long, value_name = "N")]
    pub cap_reasons: Option<String>,
    /// Nodes shown by name, the others are _other [default: 5000]
    #[arg(help_heading = "How much is shown by name", long, value_name = "N")]
    pub cap_nodes: Option<String>,
    /// Where Prometheus scrapes [default: 0.0.0.0:8080]
    #[arg(help_heading = "Serving", long, value_name = "ADDRESS:PORT")]
    pub listen: Option<String>,
    /// How long a stop waits for scrapes under way [default: 5s]
    #[arg(help_heading = "Serving", long, value_name = "TIME")]
    pub drain: Option<String>,
    /// Connections at a time, of scrapers and of senders of audit events [default: 64]
    #[arg(help_heading = "Serving", long, value_name = "N")]
    pub max_connections: Option<String>,
    /// How long a scraper may take nothing of an answer [default: 30s]
    #[arg(help_heading = "Serving", long, value_name = "TIME")]
    pub write_timeout: Option<String>,
    /// Whether / is a page about all of it, for people: true or false [default: true]
    #[arg(help_heading = "Serving", long, value_name = "BOOL")]
    pub page: Option<String>,
    /// The certificate chain by which it is HTTPS, PEM [default: plain HTTP]
    #[arg(help_heading = "Serving", long, value_name = "FILE")]
    pub certificate: Option<String>,
    /// The key of that certificate, PEM
    #[arg(help_heading = "Serving", long, value_name = "FILE")]
    pub key: Option<String>,
    /// Who may read it: none asks nobody, cluster asks the API server [default: none]
    #[arg(help_heading = "Serving", long, value_name = "WHOM")]
    pub authorization: Option<String>,
    /// auto, text or json [default: auto: text on a terminal]
    #[arg(help_heading = "Logs", long, value_name = "FORMAT")]
    pub log_format: Option<String>,
    /// A level, or directives such as info,kubetally::watch=debug [default: info]
    #[arg(help_heading = "Logs", long, value_name = "LEVEL")]
    pub log_level: Option<String>,
}

fn selector(text: &str) -> Result<(String, String), String> {
    entry(text).ok_or_else(|| "want RESOURCE=SELECTOR, such as pods=app=web".into())
}

fn endpoint(text: &str) -> Result<(String, String), String> {
    entry(text).ok_or_else(|| "want NAME=ADDRESS, such as cp-1=https://10.0.0.11:6443".into())
}

/// An entry of a table.
fn entry(text: &str) -> Option<(String, String)> {
    let (name, value) = text.split_once('=')?;
    (!name.is_empty() && !value.is_empty()).then(|| (name.into(), value.into()))
}

/// An RFC 1123 label, as names of namespaces are.
fn label(text: &str) -> Result<String, String> {
    match kinds::is_label(text) {
        true => Ok(text.into()),
        false => Err("want lower-case letters, digits and -, such as kubetally".into()),
    }
}

fn limit(text: &str) -> Result<Duration, String> {
    let range = Duration::from_secs(1)..=Duration::from_secs(600);
    let time = duration(text).filter(|time| range.contains(time));
    time.ok_or_else(|| "want a time from 1s to 10m, such as 30s".into())
}

/// RFC 1123 labels with dots between them, as names of objects are.
fn object_name(text: &str) -> Result<String, String> {
    match text.len() <= 253 && text.split('.').all(kinds::is_label) {
        true => Ok(text.into()),
        false => Err("want lower-case letters, digits, - and ., such as kubetally".into()),
    }
}

impl Flags {
    /// The sources of the settings: these flags, the environment given, the file they name.
    #[must_use]
    pub fn sources(&self, environment: Vec<(String, String)>) -> Sources {
        let named = environment.iter().find(|(name, _)| name == "KUBETALLY__CONFIG");
        let file = self.config.clone().or_else(|| named.map(|(_, path)| path.into()));
        let require = self.require_cluster.then(|| "true".to_owned());
        let single = [
            ("http.listen", &self.listen),
            ("http.drain", &self.drain),
            ("http.max_connections", &self.max_connections),
            ("http.write_timeout", &self.write_timeout),
            ("http.page", &self.page),
            ("http.certificate", &self.certificate),
            ("http.key", &self.key),
            ("http.authorization", &self.authorization),
            ("cluster.kubeconfig", &self.kubeconfig),
            ("cluster.context", &self.context),
            ("cluster.require", &require),
            ("watch.resources", &self.resources),
            ("watch.namespaces", &self.namespaces),
            ("shard.count", &self.shards),
            ("shard.index", &self.shard),
            ("watch.wire", &self.wire),
            ("watch.page_size", &self.page_size),
            ("watch.timeout", &self.watch_timeout),
            ("detail.resources", &self.detail),
            ("detail.labels", &self.labels),
            ("detail.annotations", &self.annotations),
            ("detail.opt_in", &self.detail_opt_in),
            ("detail.allow", &self.detail_allow),
            ("detail.deny", &self.detail_deny),
            ("probe.interval", &self.probe_interval),
            ("probe.timeout", &self.probe_timeout),
            ("canary.namespace", &self.canary_namespace),
            ("canary.lease", &self.canary_lease),
            ("canary.interval", &self.canary_interval),
            ("audit.listen", &self.audit_listen),
            ("audit.certificate", &self.audit_certificate),
            ("audit.key", &self.audit_key),
            ("audit.token_file", &self.audit_token_file),
            ("audit.client_ca", &self.audit_client_ca),
            ("caps.namespaces", &self.cap_namespaces),
            ("caps.reasons", &self.cap_reasons),
            ("caps.nodes", &self.cap_nodes),
            ("log.format", &self.log_format),
            ("log.level", &self.log_level),
        ];
        let mut flags: Vec<(String, String)> = single
            .into_iter()
            .filter_map(|(key, value)| Some((key.into(), value.clone()?)))
            .collect();
        for (table, entries) in [
            ("watch.label_selectors", &self.label_selector),
            ("watch.field_selectors", &self.field_selector),
            ("probe.endpoints", &self.probe_endpoint),
        ] {
            for (entry, value) in entries {
                flags.push((format!("{table}.{entry}"), value.clone()));
            }
        }
        Sources { file, environment, flags }
    }
}

/// Prints what a command found. A reader that goes away, such as `head`, is no error.
///
/// # Errors
/// Where standard output takes nothing for any other reason.
pub fn print(text: &str) -> Result<(), Exit> {
    match std::io::stdout().lock().write_all(text.as_bytes()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(Exit::internal(error)),
        _ => Ok(()),
    }
}

/// The completions of a shell.
#[must_use]
pub fn completions(shell: clap_complete::Shell) -> Vec<u8> {
    let mut out = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "kubetally", &mut out);
    out
}
