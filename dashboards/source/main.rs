//! Writes Grafana's dashboards beside this folder: `cargo run --example dashboards`, or
//! `make docs`.
//!
//! What all of them share stands once, in `dashboard.rs` and `panel.rs`; what each one shows, in
//! the file of its name. A test compares the JSON that is committed with what is made here.

use std::{fs, io, path::Path};

mod api;
mod audit;
mod dashboard;
mod events;
mod overview;
mod panel;
mod watches;
mod workloads;

/// Every dashboard by the name of its file, without the extension.
pub fn all() -> Vec<(&'static str, String)> {
    let all = [
        overview::dashboard(),
        api::dashboard(),
        watches::dashboard(),
        events::dashboard(),
        workloads::dashboard(),
    ];
    all.iter().map(|dashboard| (dashboard.name, format!("{:#}\n", dashboard.json()))).collect()
}

fn main() -> io::Result<()> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("dashboards");
    all()
        .into_iter()
        .try_for_each(|(name, json)| fs::write(folder.join(format!("{name}.json")), json))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_committed_is_what_is_made_here() {
        for (name, made) in all() {
            let path =
                Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("dashboards/{name}.json"));
            let committed = fs::read_to_string(&path).unwrap_or_default();
            assert!(committed == made, "{}: run `make docs`", path.display());
        }
    }
}
