//! Settings: defaults < file < environment < flags. `raw` is what was written, `settings` what it
//! means.

pub mod detail;
pub mod keys;
pub mod listeners;
pub mod probe;
pub mod raw;
pub mod settings;

use std::path::PathBuf;

use raw::Raw;
use settings::Settings;

/// Where settings come from, so that they can be read again.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    /// The file named by `--config` or `KUBETALLY__CONFIG`.
    pub file: Option<PathBuf>,
    /// Kubetally's variables of the environment.
    pub environment: Vec<(String, String)>,
    /// Flags: the key each sets, and its value.
    pub flags: Vec<(String, String)>,
}

/// What is wrong with a setting: which, where it was set, what was found, what is allowed.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum ConfigError {
    /// The file cannot be read or is no TOML.
    #[error("the configuration file {path}: {why}")]
    File {
        /// The file.
        path: String,
        /// Why not.
        why: String,
    },
    /// A key that there is not.
    #[error("{key} ({origin}): there is no such setting{hint}")]
    Unknown {
        /// The key.
        key: String,
        /// Where it was set.
        origin: String,
        /// The nearest one that there is.
        hint: String,
    },
    /// A value that cannot be.
    #[error("{key} ({origin}): found {found}; allowed: {allowed}")]
    Value {
        /// The key.
        key: String,
        /// Where it was set.
        origin: String,
        /// What stands there.
        found: String,
        /// What may stand there.
        allowed: String,
    },
}

/// The configuration in force.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// As it was written.
    pub raw: Raw,
    /// As it is meant.
    pub settings: Settings,
}

impl Sources {
    /// Reads all of it.
    ///
    /// # Errors
    /// The first setting that is wrong.
    pub fn load(&self) -> Result<Loaded, ConfigError> {
        let raw = Raw::read(self)?;
        let settings = Settings::from_raw(&raw)?;
        Ok(Loaded { raw, settings })
    }
}

/// Kubetally's part of the environment. What is no text is kept readable, so that it is refused
/// like any other wrong value.
#[must_use]
pub fn environment() -> Vec<(String, String)> {
    std::env::vars_os()
        .map(|(name, value)| (name.to_string_lossy().into(), value.to_string_lossy().into()))
        .filter(|(name, _): &(String, String)| name.starts_with(raw::PREFIX))
        .collect()
}

#[cfg(test)]
mod tests;
