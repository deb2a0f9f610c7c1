//! What one shard of three takes in and uses, of an API server that chooses by shard and of one that
//! sends everything, beside a Kubetally that has everything.

use std::{fmt, time::Duration};

use super::{
    Arguments,
    fleet::Fleet,
    measure,
    program::{Kind, Programs},
};
use crate::{
    cluster::{Assets, Cluster},
    proxy::Proxy,
};

const CHOOSES: &str = "--feature-gates=ShardedListAndWatch=true";
const THIRD: [&str; 4] = ["--shards", "3", "--shard", "0"];
/// Each case: what it is, the API server's flags, Kubetally's.
const CASES: [(&str, &[&str], &[&str]); 3] = [
    ("everything", &[], &[]),
    ("a third, chosen here", &[], &THIRD),
    ("a third, chosen by the API server", &[CHOOSES], &THIRD),
];

/// What was measured.
pub struct Saved {
    pods: u32,
    costs: Vec<Cost>,
}

struct Cost {
    what: &'static str,
    /// Bytes that came for the list.
    listed: u64,
    /// CPU for the start.
    start: Duration,
    /// Bytes of memory after the start.
    memory: u64,
    /// Bytes that came for a change of any pod.
    change: u64,
    /// CPU for a change of any pod.
    change_cpu: Duration,
}

/// Measures the cases, one after the other.
pub async fn measure(assets: &Assets, arguments: &Arguments) -> Saved {
    let (pods, changes) = (arguments.sharded, arguments.changes);
    let cluster = Cluster::start(assets).await;
    eprintln!("storing {pods} pods");
    let mut fleet = Fleet::store(&cluster, pods).await;
    let programs = Programs { kubetally: arguments.kubetally.clone(), assets: assets.clone() };
    let mut costs = Vec::new();
    for (what, server, flags) in CASES {
        eprintln!("measuring {what}");
        let server = cluster.api_server(server).await;
        let proxy = Proxy::start(server.port).await;
        let kubeconfig = cluster.admin_kubeconfig(proxy.port);
        // Nothing else is to come.
        let flags = [flags, &["--probe-interval", "0s"]].concat();
        let mut program = programs.start(Kind::Details, &kubeconfig, &flags).expect("Kubetally");
        measure::until(&mut program, "/readyz", |text| text.starts_with("ready")).await;
        measure::until_idle(&program).await;
        let (listed, start, memory) = (proxy.passed(), program.cpu(), program.memory().0);
        let change_cpu = measure::change(&program, &cluster, &mut fleet, changes).await;
        let change = (proxy.passed() - listed) / u64::from(changes.max(1));
        costs.push(Cost { what, listed, start, memory, change, change_cpu });
    }
    Saved { pods, costs }
}

impl fmt::Display for Saved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "\n### One shard of three, {} pods, --detail pods\n", self.pods)?;
        writeln!(
            f,
            "| what | bytes of the list | CPU for the start | memory after it | bytes a change of \
             any pod | CPU for it |"
        )?;
        writeln!(f, "| --- | --- | --- | --- | --- | --- |")?;
        for Cost { what, listed, start, memory, change, change_cpu } in &self.costs {
            writeln!(
                f,
                "| {what} | {:.1} MB | {:.2} s | {:.1} MB | {change} | {:.1} µs |",
                *listed as f64 / 1e6,
                start.as_secs_f64(),
                *memory as f64 / 1e6,
                change_cpu.as_secs_f64() * 1e6
            )?;
        }
        Ok(())
    }
}
