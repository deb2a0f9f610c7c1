//! Findings as text for a terminal and as JSON for a program.

use clap::ValueEnum;
use serde_json::json;

use super::finding::{Finding, Status};
use crate::cli::VERSION;

/// For whom findings are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Form {
    /// For people, a line as each step is done.
    Text,
    /// For programs, one document at the end.
    Json,
}

/// Whether there are colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Color {
    /// On a terminal, unless `NO_COLOR` is set.
    Auto,
    /// Whatever it is.
    Always,
    /// Nowhere.
    Never,
}

/// How a line looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Style {
    /// With ANSI's colours.
    pub color: bool,
    /// With symbols beyond ASCII.
    pub symbols: bool,
}

impl Style {
    /// What fits: colours as they are wanted (<https://no-color.org>), symbols on a terminal that
    /// is not a dumb one.
    #[must_use]
    pub fn of(color: Color, terminal: bool, env: &dyn Fn(&str) -> Option<String>) -> Self {
        let clever = terminal && env("TERM").is_none_or(|term| term != "dumb");
        let unwanted = env("NO_COLOR").is_some_and(|value| !value.is_empty());
        let color = match color {
            Color::Auto => clever && !unwanted,
            Color::Always => true,
            Color::Never => false,
        };
        Self { color, symbols: clever }
    }
}

/// How wide the column of steps is.
const STEP: usize = 15;
/// Where the text begins.
const INDENT: usize = STEP + 3;

/// A finding as lines of text, the last one ended.
#[must_use]
pub fn line(finding: &Finding, style: Style) -> String {
    let Finding { step, status, text, remedy } = finding;
    let (symbol, ascii, color) = match status {
        Status::Ok => ("✓", "+", "32"),
        Status::Skipped => ("–", "-", "2"),
        Status::Warning => ("!", "!", "33"),
        Status::Failed => ("✗", "x", "31"),
    };
    let symbol = if style.symbols { symbol } else { ascii };
    let arrow = if style.symbols { "→" } else { "->" };
    let painted = |text: &str| match style.color {
        true => format!("\x1b[{color}m{text}\x1b[0m"),
        false => text.to_owned(),
    };
    let step = format!("{:STEP$}", step.as_str());
    let mut out = format!("{} {step} {}\n", painted(symbol), indented(text));
    if let Some(remedy) = remedy {
        out.push_str(&format!("{:INDENT$}{} {}\n", "", painted(arrow), indented(remedy)));
    }
    out
}

fn indented(text: &str) -> String {
    text.trim_end().replace('\n', &format!("\n{:INDENT$}", ""))
}

/// Findings as one JSON document: `version` of Kubetally, `worst` of the statuses `ok`,
/// `skipped`, `warning` and `failed`, and `findings`, each with `step`, `status`, `text` and
/// `remedy`, which is null where there is nothing to do.
#[must_use]
pub fn json(findings: &[Finding]) -> String {
    let worst = findings.iter().map(|finding| finding.status).max().unwrap_or(Status::Ok);
    let document = json!({"version": VERSION, "worst": worst.as_str(), "findings": findings});
    format!("{document:#}\n")
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::{super::finding::Step, *};

    const PLAIN: Style = Style { color: false, symbols: false };

    #[rstest]
    #[case(Finding::ok(Step::Name, "10.0.0.1"), "+ name            10.0.0.1\n")]
    #[case(Finding::skipped(Step::Tls, "not reached"), "- tls             not reached\n")]
    #[case(
        Finding::failed(Step::StreamingList, "none\nof it\n", "do\nthis"),
        "x streaming list  none\n                  of it\n                  -> do\n                  this\n"
    )]
    fn lines(#[case] finding: Finding, #[case] expected: &str) {
        assert_eq!(line(&finding, PLAIN), expected);
    }

    #[test]
    fn colours_and_symbols() {
        let style = Style { color: true, symbols: true };
        let warning = Finding::warning(Step::Clock, "ahead", "set it");
        assert_eq!(
            line(&warning, style),
            "\x1b[33m!\x1b[0m clock           ahead\n                  \x1b[33m→\x1b[0m set it\n"
        );
    }

    #[rstest]
    #[case(Color::Auto, true, &[], true, true)]
    #[case(Color::Auto, false, &[], false, false)]
    #[case(Color::Auto, true, &[("NO_COLOR", "1")], false, true)]
    #[case(Color::Auto, true, &[("NO_COLOR", "")], true, true)]
    #[case(Color::Auto, true, &[("TERM", "dumb")], false, false)]
    #[case(Color::Always, false, &[("NO_COLOR", "1")], true, false)]
    #[case(Color::Never, true, &[], false, true)]
    fn styles(
        #[case] wanted: Color,
        #[case] terminal: bool,
        #[case] env: &[(&str, &str)],
        #[case] color: bool,
        #[case] symbols: bool,
    ) {
        let find = |name: &str| {
            env.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
        };
        assert_eq!(Style::of(wanted, terminal, &find), Style { color, symbols });
    }

    #[test]
    fn as_json() {
        let findings = [Finding::ok(Step::Name, "a"), Finding::failed(Step::Tls, "b", "c")];
        let document: serde_json::Value = serde_json::from_str(&json(&findings)).expect("JSON");
        assert_eq!(document["worst"], "failed");
        assert_eq!(
            document["findings"],
            json!([
                {"step": "name", "status": "ok", "text": "a", "remedy": null},
                {"step": "tls", "status": "failed", "text": "b", "remedy": "c"},
            ])
        );
    }
}
