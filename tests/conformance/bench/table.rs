//! What is printed: a row a figure, a column a program, in Markdown.

use std::{fmt, time::Duration};

use super::{measure::Figures, program::Kind, server::Lists};

/// The figures of one number of pods.
pub struct Table {
    pods: u32,
    bytes: usize,
    lists: Option<Lists>,
    columns: Vec<(Kind, Figures)>,
}

type Cell = fn(&Table, &Figures) -> String;

const ROWS: &[(&str, Cell)] = &[
    ("start until every pod is in a scrape", |_, of| seconds(of.start)),
    ("the same, in times the API server's list in protobuf", |table, of| {
        let list = table.lists.as_ref().map_or(0.0, |lists| lists.protobuf.as_secs_f64());
        format!("{:.2}", of.start.as_secs_f64() / list)
    }),
    ("CPU for the start", |_, of| seconds(of.start_cpu)),
    ("memory after the start", |table, of| table.memory(of.memory[0])),
    ("memory at the end", |table, of| table.memory(of.memory[1])),
    ("memory at most", |table, of| table.memory(of.memory[2])),
    ("series", |_, of| of.series.to_string()),
    ("plain scrape, nothing changed", |_, of| sized(of.unchanged[0], of.bytes[0])),
    ("gzip scrape, nothing changed", |_, of| sized(of.unchanged[1], of.bytes[1])),
    ("gzip scrape, 5 % of pods changed", |_, of| millis(of.changed)),
    ("CPU for one change", |_, of| format!("{:.1} µs", of.change.as_secs_f64() * 1e6)),
    ("from frame to visible, p50 / p99", |_, of| match of.visible {
        Some([half, most]) => format!("{} / {}", millis(half), millis(most)),
        None => "–".into(),
    }),
];

impl Table {
    /// Nothing measured yet, of so many pods of so many bytes of JSON.
    pub const fn new(pods: u32, bytes: usize) -> Self {
        Self { pods, bytes, lists: None, columns: Vec::new() }
    }

    /// Adds the API server's own times.
    pub fn lists(&mut self, lists: Lists) {
        self.lists = Some(lists);
    }

    /// Adds a program's figures.
    pub fn add(&mut self, kind: Kind, figures: Figures) {
        self.columns.push((kind, figures));
    }

    fn memory(&self, bytes: u64) -> String {
        let bytes = bytes as f64;
        format!("{:.1} MB, {:.2} KB a pod", bytes / 1e6, bytes / 1e3 / f64::from(self.pods))
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "\n### {} pods of {:.1} KB of JSON\n", self.pods, self.bytes as f64 / 1e3)?;
        if let Some(Lists { protobuf, json }) = &self.lists {
            let (protobuf, json) = (seconds(*protobuf), seconds(*json));
            writeln!(
                f,
                "The API server's own streaming list: {protobuf} protobuf, {json} JSON.\n"
            )?;
        }
        let heads = self.columns.iter().map(|(kind, _)| kind.to_string());
        writeln!(f, "| what | {} |", heads.collect::<Vec<_>>().join(" | "))?;
        writeln!(f, "| --- |{}", " --- |".repeat(self.columns.len()))?;
        for (what, cell) in ROWS {
            let cells = self.columns.iter().map(|(_, figures)| cell(self, figures));
            writeln!(f, "| {what} | {} |", cells.collect::<Vec<_>>().join(" | "))?;
        }
        Ok(())
    }
}

fn seconds(time: Duration) -> String {
    format!("{:.2} s", time.as_secs_f64())
}

fn millis(time: Duration) -> String {
    format!("{:.1} ms", time.as_secs_f64() * 1e3)
}

fn sized(time: Duration, bytes: usize) -> String {
    format!("{}, {:.2} MB", millis(time), bytes as f64 / 1e6)
}
