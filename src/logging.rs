//! Log lines: text on a terminal, JSON elsewhere, on standard error; the level can change while
//! running.

use std::{io::IsTerminal, panic};

use anyhow::Context;
use tracing_subscriber::{
    Registry,
    filter::{LevelFilter, Targets},
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
pub struct Level(Handle<Targets, Registry>);

/// Libraries below us, quiet unless they are named.
const QUIET: [&str; 4] = ["hyper", "hyper_util", "h2", "rustls"];

/// Reads a level, or directives such as `info,kubetally::watch=debug`; `None` where it is neither.
#[must_use]
pub fn directives(text: &str) -> Option<Targets> {
    let mut others = LevelFilter::OFF;
    let mut named: Vec<(String, LevelFilter)> = Vec::new();
    // An empty level would be `error` to tracing.
    let level = |text: &str| text.parse().ok().filter(|_| !text.is_empty());
    for part in text.split(',').map(str::trim) {
        match part.split_once('=') {
            Some((module, of)) if !module.is_empty() => named.push((module.into(), level(of)?)),
            Some(_) => return None,
            None => others = level(part)?,
        }
    }
    let quiet = QUIET.map(|library| (library, others.min(LevelFilter::WARN)));
    Some(Targets::new().with_default(others).with_targets(quiet).with_targets(named))
}

/// Starts logging. A panic is one error line, and ends the process with exit code 70.
///
/// # Errors
/// Where the level is none, or logging was started before.
pub fn start(log: &Log) -> anyhow::Result<Level> {
    let (filter, handle) = reload::Layer::new(targets(&log.level)?);
    let terminal = std::io::stderr().is_terminal();
    let colours = terminal && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    let json = match log.format {
        LogFormat::Json => true,
        LogFormat::Text => false,
        LogFormat::Auto => !terminal,
    };
    let registry = tracing_subscriber::registry().with(filter);
    let lines = fmt::layer().with_writer(std::io::stderr);
    match json {
        true => registry.with(lines.json().flatten_event(true)).try_init()?,
        false => registry.with(lines.with_ansi(colours).with_timer(SystemTime)).try_init()?,
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
        Ok(self.0.reload(targets(text)?)?)
    }
}

fn targets(text: &str) -> anyhow::Result<Targets> {
    directives(text).with_context(|| format!("{text:?} is no level"))
}

#[cfg(test)]
mod tests;
