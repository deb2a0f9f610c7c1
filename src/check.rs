//! `kubetally check`: a doctor for the terminal. It goes the daemon's way to the API server step by
//! step, says at each what it found, and where something is wrong what to do.

mod examine;
pub mod finding;
pub mod judge;
pub mod print;

use std::{io::IsTerminal, time::Duration};

use finding::{Finding, Status};
use print::{Color, Form, Style};
use tokio::time::timeout;

use crate::{api::endpoint::Lookup, cli, config::Loaded, exit::Exit, telemetry::Telemetry};

/// How findings are told.
#[derive(Clone, Copy, Debug)]
pub struct Told {
    /// For people or for programs.
    pub form: Form,
    /// Whether in colours.
    pub color: Color,
}

/// Checks the cluster of the settings within a time and tells what it found.
///
/// # Errors
/// With the exit code of the worst finding: 1 for a warning, 2 for a failure.
pub async fn run(
    loaded: &Loaded,
    lookup: &Lookup<'_>,
    within: Duration,
    told: Told,
) -> Result<(), Exit> {
    let resources = &loaded.settings.watch.resources;
    let resources: Vec<_> = resources.iter().map(|watched| &*watched.resource.name).collect();
    let telemetry = Telemetry::new(&resources).map_err(Exit::internal)?;
    let style =
        Style::of(told.color, std::io::stdout().is_terminal(), &|name| std::env::var(name).ok());
    let mut findings = Vec::new();
    let mut printed = Ok(());
    let mut tell = |finding: Finding| {
        if told.form == Form::Text && printed.is_ok() {
            printed = cli::print(&print::line(&finding, style));
        }
        findings.push(finding);
    };
    let mut examination = examine::Examination::new(loaded, telemetry, &mut tell);
    if timeout(within, examination.examine(lookup)).await.is_err() {
        examination.ran_out(within);
    }
    printed?;
    match told.form {
        Form::Text => {}
        Form::Json => cli::print(&print::json(&findings))?,
    }
    conclude(&findings)
}

fn conclude(findings: &[Finding]) -> Result<(), Exit> {
    let count = |status| findings.iter().filter(|finding| finding.status == status).count();
    let (failed, warnings) = (count(Status::Failed), count(Status::Warning));
    let plural = |n: usize| if n == 1 { "" } else { "s" };
    let warned = format!("{warnings} warning{}", plural(warnings));
    match (failed, warnings) {
        (0, 0) => Ok(()),
        (0, _) => Err(Exit::found(1, warned)),
        (_, 0) => Err(Exit::found(2, format!("{failed} failed"))),
        _ => Err(Exit::found(2, format!("{failed} failed, {warned}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::{finding::Step, *};

    #[test]
    fn the_exit_code_is_that_of_the_worst_finding() {
        let ok = || Finding::ok(Step::Name, "");
        let warning = || Finding::warning(Step::Clock, "", "");
        let failed = || Finding::failed(Step::Tls, "", "");
        let code = |findings: &[Finding]| conclude(findings).map_err(|exit| exit.code);
        assert_eq!(code(&[ok(), Finding::skipped(Step::Tls, "")]), Ok(()));
        assert_eq!(code(&[ok(), warning()]), Err(1));
        assert_eq!(code(&[failed(), warning(), ok()]), Err(2));
        let told = conclude(&[failed(), warning(), warning()]).map_err(|exit| exit.to_string());
        assert_eq!(told, Err("1 failed, 2 warnings".into()));
    }
}
