//! The command line: commands, flags, help.

use std::path::PathBuf;

use clap::{ArgAction, Args, CommandFactory, Parser, Subcommand};

use crate::{config::Sources, exposition::catalogue::print::Form};

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

Every setting can stand in a TOML file (--config), in the environment
(KUBETALLY__SECTION__KEY, such as KUBETALLY__HTTP__LISTEN) or in a flag; the later one wins.";

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
    /// Print the settings in force, and where each was set
    Config {
        /// Only say whether they are right
        #[arg(long)]
        check: bool,
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
    /// Where Prometheus scrapes [default: 0.0.0.0:8080]
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub listen: Option<String>,
    /// The kubeconfig [default: $KUBECONFIG, ~/.kube/config, then the pod's service account]
    #[arg(long, value_name = "FILE")]
    pub kubeconfig: Option<String>,
    /// The kubeconfig's context [default: its current one]
    #[arg(long, value_name = "NAME")]
    pub context: Option<String>,
    /// What to watch [default: pods,events]
    #[arg(long, value_name = "LIST")]
    pub resources: Option<String>,
    /// The namespaces to watch [default: all]
    #[arg(long, value_name = "LIST")]
    pub namespaces: Option<String>,
    /// Watch only objects with these labels, such as pods=app=web (may be repeated)
    #[arg(long, value_name = "RESOURCE=SELECTOR", value_parser = selector)]
    pub label_selector: Vec<(String, String)>,
    /// Watch only objects with these fields, such as pods=spec.nodeName=a (may be repeated)
    #[arg(long, value_name = "RESOURCE=SELECTOR", value_parser = selector)]
    pub field_selector: Vec<(String, String)>,
    /// Objects a page, where lists come by pages [default: 500]
    #[arg(long, value_name = "N")]
    pub page_size: Option<String>,
    /// How long a watch is asked to last; each lasts from this to twice this [default: 5m]
    #[arg(long, value_name = "TIME")]
    pub watch_timeout: Option<String>,
    /// Namespaces shown by name, the others are _other [default: 500]
    #[arg(long, value_name = "N")]
    pub cap_namespaces: Option<String>,
    /// Reasons and kinds shown by name, the others are _other [default: 100]
    #[arg(long, value_name = "N")]
    pub cap_reasons: Option<String>,
    /// Nodes shown by name, the others are _other [default: 5000]
    #[arg(long, value_name = "N")]
    pub cap_nodes: Option<String>,
    /// auto, text or json [default: auto: text on a terminal]
    #[arg(long, value_name = "FORMAT")]
    pub log_format: Option<String>,
    /// A level, or directives such as info,kubetally::watch=debug [default: info]
    #[arg(long, value_name = "LEVEL")]
    pub log_level: Option<String>,
    /// How long a stop waits for scrapes under way [default: 5s]
    #[arg(long, value_name = "TIME")]
    pub drain: Option<String>,
    /// End with exit code 69 where the cluster cannot be reached at the start
    #[arg(long, action = ArgAction::SetTrue)]
    pub require_cluster: bool,
}

fn selector(text: &str) -> Result<(String, String), String> {
    let split = text
        .split_once('=')
        .filter(|(resource, selector)| !resource.is_empty() && !selector.is_empty());
    let (resource, selector) = split.ok_or("want RESOURCE=SELECTOR, such as pods=app=web")?;
    Ok((resource.into(), selector.into()))
}

impl Flags {
    /// The sources of the settings: these flags, the environment given, the file they name.
    #[must_use]
    pub fn sources(&self, environment: Vec<(String, String)>) -> Sources {
        let named = environment.iter().find(|(name, _)| name == "KUBETALLY__CONFIG");
        let file = self.config.clone().or_else(|| named.map(|(_, path)| path.into()));
        let single = [
            ("http.listen", "--listen", &self.listen),
            ("cluster.kubeconfig", "--kubeconfig", &self.kubeconfig),
            ("cluster.context", "--context", &self.context),
            ("watch.resources", "--resources", &self.resources),
            ("watch.namespaces", "--namespaces", &self.namespaces),
            ("watch.page_size", "--page-size", &self.page_size),
            ("watch.timeout", "--watch-timeout", &self.watch_timeout),
            ("caps.namespaces", "--cap-namespaces", &self.cap_namespaces),
            ("caps.reasons", "--cap-reasons", &self.cap_reasons),
            ("caps.nodes", "--cap-nodes", &self.cap_nodes),
            ("log.format", "--log-format", &self.log_format),
            ("log.level", "--log-level", &self.log_level),
            ("http.drain", "--drain", &self.drain),
        ];
        let mut flags: Vec<(String, String, String)> = single
            .into_iter()
            .filter_map(|(key, flag, value)| Some((key.into(), value.clone()?, flag.into())))
            .collect();
        if self.require_cluster {
            flags.push(("cluster.require".into(), "true".into(), "--require-cluster".into()));
        }
        for (table, flag, entries) in [
            ("watch.label_selectors", "--label-selector", &self.label_selector),
            ("watch.field_selectors", "--field-selector", &self.field_selector),
        ] {
            for (resource, value) in entries {
                flags.push((format!("{table}.{resource}"), value.clone(), flag.into()));
            }
        }
        Sources { file, environment, flags }
    }
}

/// The completions of a shell.
#[must_use]
pub fn completions(shell: clap_complete::Shell) -> Vec<u8> {
    let mut out = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "kubetally", &mut out);
    out
}
