//! The configuration as written: every layer's values, the last one winning, with their origins.

use std::{collections::BTreeMap, fmt::Write};

use config::{Config, Environment, File, FileFormat, Value, ValueKind};

use super::{
    ConfigError, Sources,
    keys::{self, KEYS, TABLES},
};

/// What stands before each environment variable.
pub const PREFIX: &str = "KUBETALLY";

/// One value as written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// Its text; a list's elements are joined by commas.
    pub text: String,
    /// Where it was set.
    pub origin: String,
}

/// Every setting that was written or has a default, by its dotted name.
#[derive(Debug)]
pub struct Raw(BTreeMap<String, Written>);

impl Raw {
    /// Reads and merges the layers.
    ///
    /// # Errors
    /// Where the file cannot be read, or something is no setting.
    pub fn read(sources: &Sources) -> Result<Self, ConfigError> {
        let mut raw = Self(BTreeMap::new());
        for key in KEYS.iter().filter(|key| !TABLES.contains(&key.name)) {
            raw.set(key.name, key.default.into(), "default".into());
        }
        if let Some(path) = &sources.file {
            let path = path.display().to_string();
            let file = Config::builder().add_source(File::new(&path, FileFormat::Toml)).build();
            let wrong = |why: config::ConfigError| ConfigError::File {
                path: path.clone(),
                why: why.to_string(),
            };
            let values = file.map_err(wrong)?.cache;
            raw.flatten("", values, &|_| path.clone())?;
        }
        let variables = sources.environment.iter().cloned().collect();
        let environment = Environment::with_prefix(PREFIX)
            .prefix_separator("__")
            .separator("__")
            .source(Some(variables));
        let wrong = |why: config::ConfigError| ConfigError::File {
            path: "environment".into(),
            why: why.to_string(),
        };
        let values = Config::builder().add_source(environment).build().map_err(wrong)?.cache;
        raw.flatten("", values, &variable)?;
        for (key, value, flag) in &sources.flags {
            raw.take(key, value.clone(), flag.clone())?;
        }
        Ok(raw)
    }

    /// Turns a tree of values into dotted names.
    fn flatten(
        &mut self,
        name: &str,
        value: Value,
        origin: &dyn Fn(&str) -> String,
    ) -> Result<(), ConfigError> {
        match value.kind {
            ValueKind::Table(entries) => {
                let mut entries: Vec<_> = entries.into_iter().collect();
                entries.sort_by(|(a, _), (b, _)| a.cmp(b));
                for (key, value) in entries {
                    let dot = if name.is_empty() { "" } else { "." };
                    self.flatten(&format!("{name}{dot}{key}"), value, origin)?;
                }
                Ok(())
            }
            ValueKind::Array(elements) => {
                let texts: Result<Vec<String>, _> =
                    elements.into_iter().map(Value::into_string).collect();
                let text = texts.map_err(|_| ConfigError::Value {
                    key: name.into(),
                    origin: origin(name),
                    found: "a list of lists or tables".into(),
                    allowed: keys::find(name).map_or("", |key| key.allowed).into(),
                })?;
                self.take(name, text.join(","), origin(name))
            }
            kind => {
                let text = Value::new(None, kind).into_string().unwrap_or_default();
                self.take(name, text, origin(name))
            }
        }
    }

    fn take(&mut self, name: &str, text: String, origin: String) -> Result<(), ConfigError> {
        // The file's own name is told by the environment, and is no setting of the file.
        if name == "config" && origin == variable(name) {
            return Ok(());
        }
        if keys::find(name).is_none() {
            let hint = keys::nearest(name);
            let hint = hint.map(|near| format!("; did you mean {near}?")).unwrap_or_default();
            return Err(ConfigError::Unknown { key: name.into(), origin, hint });
        }
        self.set(name, text, origin);
        Ok(())
    }

    fn set(&mut self, name: &str, text: String, origin: String) {
        self.0.insert(name.into(), Written { text, origin });
    }

    /// One value, if it was written or has a default.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Written> {
        self.0.get(name).filter(|written| !written.text.is_empty())
    }

    /// The entries of a table: resource and value.
    pub fn entries<'a>(&'a self, table: &'a str) -> impl Iterator<Item = (&'a str, &'a Written)> {
        self.0.iter().filter_map(move |(name, written)| {
            Some((name.strip_prefix(table)?.strip_prefix('.')?, written))
        })
    }

    /// Changes the default of a setting that nobody has set.
    pub fn default(&mut self, name: &str, text: &str) {
        if self.0.get(name).is_none_or(|written| written.origin == "default") {
            self.set(name, text.into(), "default".into());
        }
    }

    /// Prints it as a file that would say the same, with the origin of each value.
    #[must_use]
    pub fn print(&self) -> String {
        let mut out = String::new();
        let mut section = "";
        for (name, written) in &self.0 {
            let Some((head, key)) = name.split_once('.') else { continue };
            if head != section {
                let gap = if section.is_empty() { "" } else { "\n" };
                // Writing to a String cannot fail.
                writeln!(out, "{gap}[{head}]").unwrap_or_default();
                section = head;
            }
            let value = toml_value(&written.text);
            let comment = if written.text.is_empty() { "# " } else { "" };
            writeln!(out, "{comment}{key} = {value}  # {}", written.origin).unwrap_or_default();
        }
        out
    }
}

/// Numbers and booleans as they are, all else as a string: lists are taken with commas.
fn toml_value(text: &str) -> String {
    let bare = text.parse::<u64>().is_ok() || text == "true" || text == "false";
    if bare { text.to_owned() } else { format!("{text:?}") }
}

fn variable(name: &str) -> String {
    format!("{PREFIX}__{}", name.to_uppercase().replace('.', "__"))
}
