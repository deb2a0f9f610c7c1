//! Log lines: text on a terminal, JSON elsewhere, on standard error; the level can change while
//! running.

use std::{io::IsTerminal, panic};

use tracing_subscriber::{
    EnvFilter, Registry,
    filter::ParseError,
    fmt::{self, time::SystemTime},
    layer::SubscriberExt,
    reload::{self, Handle},
    util::SubscriberInitExt,
};

use crate::{
    config::settings::{Log, LogFormat},
    exit,
};

/// Changes what is logged.
#[derive(Clone, Debug)]
pub struct Level(Handle<EnvFilter, Registry>);

/// Reads a level or directives. Libraries below stay quiet unless they are named.
///
/// # Errors
/// Where it is neither.
pub fn directives(text: &str) -> Result<EnvFilter, ParseError> {
    let quiet = ["hyper", "h2", "rustls", "hyper_util"];
    let mut filter = EnvFilter::builder().parse(text)?;
    for library in quiet.iter().filter(|library| !text.contains(*library)) {
        filter = filter.add_directive(format!("{library}=warn").parse()?);
    }
    Ok(filter)
}

/// Starts logging. A panic is one error line, and ends the process with exit code 70.
///
/// # Errors
/// Where the level is none, or logging was started before.
pub fn start(log: &Log) -> anyhow::Result<Level> {
    let (filter, handle) = reload::Layer::new(directives(&log.level)?);
    let terminal = std::io::stderr().is_terminal();
    let colours = terminal && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    let json = match log.format {
        LogFormat::Json => true,
        LogFormat::Text => false,
        LogFormat::Auto => !terminal,
    };
    let registry = tracing_subscriber::registry().with(filter);
    match json {
        true => registry
            .with(fmt::layer().json().flatten_event(true).with_writer(std::io::stderr))
            .try_init()?,
        false => registry
            .with(
                fmt::layer().with_ansi(colours).with_timer(SystemTime).with_writer(std::io::stderr),
            )
            .try_init()?,
    }
    panic::set_hook(Box::new(|panic| {
        tracing::error!(%panic, "this is a defect of Kubetally; please report it");
        std::process::exit(exit::INTERNAL);
    }));
    Ok(Level(handle))
}

impl Level {
    /// Logs what these directives say from now on.
    ///
    /// # Errors
    /// Where they are none.
    pub fn set(&self, text: &str) -> anyhow::Result<()> {
        Ok(self.0.reload(directives(text)?)?)
    }
}
