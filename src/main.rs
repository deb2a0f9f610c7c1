//! The start-up story: parse, read the settings, log, run, exit code.

use std::{io::Write, process::ExitCode};

use clap::Parser;
use kubetally::{
    app,
    cli::{self, Cli, Command, Flags},
    config::ConfigError,
    exit::{self, Exit},
    exposition::catalogue::print,
    logging,
};

fn main() -> ExitCode {
    let cli = Cli::try_parse().unwrap_or_else(|error| {
        // Help and version are no errors. Where even this cannot be printed, nobody reads it.
        let _printed = error.print();
        std::process::exit(if error.use_stderr() { exit::USAGE } else { 0 });
    });
    match execute(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("kubetally: {error}");
            u8::try_from(error.code).map_or(ExitCode::FAILURE, ExitCode::from)
        }
    }
}

fn execute(cli: Cli) -> Result<(), Exit> {
    match cli.command.unwrap_or(Command::Run(cli.run)) {
        Command::Run(flags) => {
            let sources = flags.sources(environment());
            let (_, settings) = sources.load().map_err(Exit::usage)?;
            let level = logging::start(&settings.log).map_err(Exit::internal)?;
            app::block_on(app::run(settings, sources, level))
        }
        #[cfg(feature = "demo")]
        Command::Demo(demo) => kubetally::demo::run(&demo),
        Command::Config { check, flags } => config(check, &flags),
        Command::Metrics { format, flags } => {
            let (_, settings) = load(&flags)?;
            print(&print::print(format, &settings.caps, settings.watch.resources.len()))
        }
        Command::Completions { shell } => print(&String::from_utf8_lossy(&cli::completions(shell))),
    }
}

fn config(check: bool, flags: &Flags) -> Result<(), Exit> {
    let (raw, _) = load(flags)?;
    print(if check { "the configuration is right\n".into() } else { raw.print() }.as_str())
}

fn load(
    flags: &Flags,
) -> Result<(kubetally::config::raw::Raw, kubetally::config::settings::Settings), Exit> {
    let loaded: Result<_, ConfigError> = flags.sources(environment()).load();
    loaded.map_err(Exit::usage)
}

/// The environment, where it is text.
fn environment() -> Vec<(String, String)> {
    std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect()
}

/// A reader that goes away, such as `head`, is no error.
fn print(text: &str) -> Result<(), Exit> {
    match std::io::stdout().lock().write_all(text.as_bytes()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(Exit::internal(error)),
        _ => Ok(()),
    }
}
