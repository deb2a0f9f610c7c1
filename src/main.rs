//! The start-up story: parse, read the settings, log, run, exit code.

use std::{io::Write, process::ExitCode};

use clap::Parser;
use kubetally::{
    app, check,
    cli::{self, Cli, Command, Flags, print},
    config::{self, Loaded},
    exit::{self, Exit},
    exposition::catalogue,
    logging, rbac,
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
            // Where nobody reads it, the exit code still tells.
            let _told = writeln!(std::io::stderr(), "kubetally: {error}");
            u8::try_from(error.code).map_or(ExitCode::FAILURE, ExitCode::from)
        }
    }
}

fn execute(cli: Cli) -> Result<(), Exit> {
    match cli.command.unwrap_or(Command::Run(cli.run)) {
        Command::Run(flags) => {
            let sources = flags.sources(config::environment());
            let loaded = sources.load().map_err(Exit::usage)?;
            let level = logging::start(&loaded.settings.log).map_err(Exit::internal)?;
            app::block_on(app::run(loaded, sources, level))
        }
        #[cfg(feature = "demo")]
        Command::Demo(demo) => kubetally::demo::run(&demo),
        Command::Check { output, color, timeout, flags } => {
            let loaded = load(&flags)?;
            let told = check::Told { form: output, color };
            app::block_on(async {
                check::run(&loaded, &app::lookup(&loaded.settings), timeout, told).await
            })
        }
        Command::Config { check, form, flags } => {
            let raw = load(&flags)?.raw;
            print(&if check { "the configuration is right\n".into() } else { raw.print(form) })
        }
        Command::Metrics { format, flags } => {
            let settings = load(&flags)?.settings;
            print(&catalogue::print::print(
                format,
                &settings.caps,
                settings.watch.resources.len(),
                &kubetally::kinds::detailed(),
            ))
        }
        Command::Rbac { name, namespace, flags } => {
            let needed = rbac::needed(&load(&flags)?.settings);
            print(&rbac::manifest(&needed, &rbac::Account { name, namespace }))
        }
        Command::Completions { shell } => print(&String::from_utf8_lossy(&cli::completions(shell))),
    }
}

fn load(flags: &Flags) -> Result<Loaded, Exit> {
    flags.sources(config::environment()).load().map_err(Exit::usage)
}
