//! `make bench`: Kubetally beside kube-state-metrics at one real API server, in one run.
//!
//! Figures, not tests: nothing here fails because something was slow.

mod fleet;
mod measure;
mod program;
mod requests;
mod server;
mod shards;
mod table;

use std::{path::PathBuf, process::ExitCode, time::Duration};

use clap::Parser;
use fleet::Fleet;
use program::{Kind, Programs};
use requests::Requests;
use table::Table;
use tokio::{runtime::Runtime, time::Instant};

use crate::cluster::{Assets, Cluster, VARIABLE};

/// The word that asks for figures instead of tests.
pub const WORD: &str = "bench";

/// Measures Kubetally, and kube-state-metrics where it is on PATH, at a real API server.
#[derive(Parser)]
#[command(name = WORD)]
struct Arguments {
    /// How many pods; several runs are made for several numbers
    #[arg(long, value_delimiter = ',', default_value = "20000")]
    pods: Vec<u32>,
    /// The Kubetally to measure, built for release
    #[arg(long, default_value = "target/release/kubetally")]
    kubetally: PathBuf,
    /// How many pods are changed, one after the other, to measure what a change costs
    #[arg(long, default_value_t = 5_000)]
    changes: u32,
    /// Of how many pods one shard of three is measured; 0 is not at all
    #[arg(long, default_value_t = 20_000)]
    sharded: u32,
    /// For how many minutes requests are counted; 0 is not at all
    #[arg(long, default_value_t = 4)]
    minutes: u64,
}

/// Whether figures are asked for.
pub fn is_wanted() -> bool {
    std::env::args().nth(1).is_some_and(|argument| argument == WORD)
}

/// Measures, and prints a table for each number of pods.
pub fn run() -> ExitCode {
    let arguments = Arguments::parse_from(std::env::args().skip(1));
    let assets = match Assets::find() {
        Some(Ok(assets)) => assets,
        Some(Err(missing)) => return refused(&missing),
        None => return refused(&format!("{VARIABLE} is not set; `make bench` sets it")),
    };
    if !arguments.kubetally.is_file() {
        let program = arguments.kubetally.display();
        return refused(&format!("there is no {program}; `make bench` builds it"));
    }
    let runtime = Runtime::new().expect("a runtime");
    for pods in &arguments.pods {
        let table = runtime.block_on(bench(&assets, &arguments, *pods));
        println!("{table}");
    }
    if arguments.sharded > 0 {
        println!("{}", runtime.block_on(shards::measure(&assets, &arguments)));
    }
    if arguments.minutes > 0 {
        println!("{}", runtime.block_on(requests(&assets, &arguments)));
    }
    ExitCode::SUCCESS
}

fn refused(why: &str) -> ExitCode {
    eprintln!("{WORD}: {why}");
    ExitCode::from(64)
}

/// One table: each program alone, one after the other, at the same API server with the same pods.
async fn bench(assets: &Assets, arguments: &Arguments, pods: u32) -> Table {
    let cluster = Cluster::start(assets).await;
    eprintln!("storing {pods} pods");
    let mut fleet = Fleet::store(&cluster, pods).await;
    let server = cluster.api_server(&[]).await;
    let kubeconfig = cluster.admin_kubeconfig(server.port);
    let mut table = Table::new(pods, fleet.bytes());
    eprintln!("reading the API server's own lists");
    table.lists(server::lists(&kubeconfig).await);
    let programs = Programs { kubetally: arguments.kubetally.clone(), assets: assets.clone() };
    for kind in [Kind::KubeStateMetrics, Kind::Tallies, Kind::Details] {
        let began = Instant::now();
        let Some(program) = programs.start(kind, &kubeconfig, &[]) else {
            eprintln!("there is no {kind} on PATH or in {VARIABLE}: it is not measured");
            continue;
        };
        eprintln!("measuring {kind}");
        let figures =
            measure::all(program, began, &cluster, &kubeconfig, &mut fleet, arguments.changes)
                .await;
        table.add(kind, figures);
    }
    table
}

/// The requests of a Kubetally of an otherwise empty cluster.
async fn requests(assets: &Assets, arguments: &Arguments) -> Requests {
    let cluster = Cluster::start(assets).await;
    let server = cluster.api_server(&[]).await;
    let kubeconfig = cluster.admin_kubeconfig(server.port);
    eprintln!("counting requests for {} minutes", arguments.minutes);
    let over = Duration::from_secs(60 * arguments.minutes);
    requests::count(&arguments.kubetally, &server, &kubeconfig, over).await
}
