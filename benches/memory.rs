//! What a pod takes of memory: with the fleet's pods in a store, for tallies only and with a series
//! an object, then after a plain and after a compressed scrape. Linux alone tells.

#[path = "support/pods.rs"]
mod pods;

use std::fs;

use pods::{json, list, scrape, store};

const PODS: u32 = 20_000;
/// What `statm` counts in, bytes: the size of a page wherever benches are run.
const PAGE: u64 = 4_096;

/// What is resident, in bytes.
fn resident() -> u64 {
    let statm = fs::read_to_string("/proc/self/statm").expect("Linux");
    let pages = statm.split(' ').nth(1).and_then(|pages| pages.parse::<u64>().ok());
    pages.expect("a number of pages") * PAGE
}

fn main() {
    let mut held = Vec::new();
    for (name, detailed) in [("tallies", false), ("a series an object", true)] {
        let before = resident();
        let store = store(detailed);
        list(&store, (0..PODS).map(|at| json(at, 0, at + 1)));
        let each = || resident().saturating_sub(before) / u64::from(PODS);
        println!("{name}, {PODS} pods: {} bytes a pod", each());
        for (kind, gzip) in [("plain", false), ("gzip", true)] {
            let size = scrape(&store, gzip);
            println!("  after a {kind} scrape of {size} bytes: {} bytes a pod", each());
        }
        held.push(store);
    }
}
