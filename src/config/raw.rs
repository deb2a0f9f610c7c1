//! The configuration as written: every layer's values, the last one winning, with their origins.

use std::{collections::BTreeMap, fmt::Write, io::Read, path::Path};

use config::{Config, File, FileFormat, Value, ValueKind};

use super::{
    ConfigError, Sources,
    keys::{self, KEYS},
};

/// What stands before each environment variable.
pub const PREFIX: &str = "KUBETALLY__";

/// The largest file that is read.
const LARGEST: u64 = 1024 * 1024;

/// In which form the configuration is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Form {
    /// What is in force, as a file that would say the same.
    Toml,
    /// A page about every setting, as in `docs/configuration.md`.
    Markdown,
}

/// One value as written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// Its text; a list's elements are joined by commas.
    pub text: String,
    /// Where it was set.
    pub origin: String,
}

/// What differs between two configurations.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// Settings that can change without losing state.
    pub in_place: Vec<&'static str>,
    /// Settings that need a restart.
    pub restart: Vec<&'static str>,
}

/// Every setting that was written or has a default, by its dotted name.
#[derive(Clone, Debug)]
pub struct Raw(BTreeMap<String, Written>);

impl Raw {
    /// Reads and merges the layers.
    ///
    /// # Errors
    /// Where the file cannot be read, or something is no setting.
    pub fn read(sources: &Sources) -> Result<Self, ConfigError> {
        let mut raw = Self(BTreeMap::new());
        for key in KEYS.iter().filter(|key| key.entry.is_none()) {
            raw.set(key.name, key.default.into(), "default".into());
        }
        if let Some(path) = &sources.file {
            let origin = path.display().to_string();
            raw.flatten("", file(path)?, &|_| origin.clone())?;
        }
        // Not by `config`, which takes one of KUBETALLY__HTTP and KUBETALLY__HTTP__LISTEN at random.
        for (variable, value) in &sources.environment {
            if let Some(name) = variable.strip_prefix(PREFIX) {
                let name = name.to_lowercase().replace("__", ".");
                raw.take(&name, value.clone(), variable.clone())?;
            }
        }
        for (key, value) in &sources.flags {
            let flag = keys::find(key).map_or("flag", |key| key.flag);
            raw.take(key, value.clone(), flag.into())?;
        }
        Ok(raw)
    }

    /// What is set, be it to its default: dotted names in order, values and where they were set.
    pub fn chosen(&self) -> impl Iterator<Item = (&str, &Written)> {
        let all = self.0.iter().map(|(name, written)| (&**name, written));
        all.filter(|(_, written)| written.origin != "default")
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
                    allowed: keys::find(name).map(keys::Key::allowed).unwrap_or_default(),
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
        if let Some(allowed) = keys::section(name) {
            let (key, found) = (name.into(), format!("{text:?}"));
            return Err(ConfigError::Value { key, origin, found, allowed });
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

    /// One value, if it was written or has a default, be it empty.
    #[must_use]
    pub fn written(&self, name: &str) -> Option<&Written> {
        self.0.get(name)
    }

    /// One value that is not empty.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Written> {
        self.written(name).filter(|written| !written.text.is_empty())
    }

    /// The entries of a table: what each is for, and its value.
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

    /// What would change with `new`, and whether it can while running.
    #[must_use]
    pub fn changes(&self, new: &Self) -> Changes {
        let mut changes = Changes::default();
        for key in KEYS.iter().filter(|key| !self.texts(key.name).eq(new.texts(key.name))) {
            let keys = if key.live { &mut changes.in_place } else { &mut changes.restart };
            keys.push(key.name);
        }
        changes
    }

    /// Takes over what can change while running.
    pub fn take_over(&mut self, new: &Self) {
        for key in KEYS.iter().filter(|key| key.live) {
            if let Some(written) = new.written(key.name) {
                self.0.insert(key.name.into(), written.clone());
            }
        }
    }

    /// What a setting says: its one text, or those of its table.
    fn texts<'a>(&'a self, name: &'a str) -> impl Iterator<Item = (&'a str, &'a str)> {
        let single = self.written(name).map(|written| ("", written.text.as_str()));
        single.into_iter().chain(self.entries(name).map(|(entry, w)| (entry, w.text.as_str())))
    }

    /// Prints it.
    #[must_use]
    pub fn print(&self, form: Form) -> String {
        match form {
            Form::Toml => self.toml(),
            Form::Markdown => keys::markdown(),
        }
    }

    /// A file that would say the same, with the origin of each value.
    fn toml(&self) -> String {
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

/// Reads a file. Not by its name alone, to which `config` would add endings where it is missing.
fn file(path: &Path) -> Result<Value, ConfigError> {
    let wrong = |why: String| ConfigError::File { path: path.display().to_string(), why };
    let mut text = String::new();
    std::fs::File::open(path)
        .and_then(|file| file.take(LARGEST).read_to_string(&mut text))
        .map_err(|error| wrong(format!("cannot be read: {error}")))?;
    let file = Config::builder().add_source(File::from_str(&text, FileFormat::Toml)).build();
    Ok(file.map_err(|error| wrong(error.to_string().trim_end().to_owned()))?.cache)
}

/// Numbers and booleans as they are, all else as a string: lists are taken with commas.
fn toml_value(text: &str) -> String {
    let number = text.parse::<i64>().is_ok_and(|number| number.to_string() == text);
    if number || text == "true" || text == "false" {
        return text.to_owned();
    }
    // What JSON escapes, and how, TOML reads; of its own it wants DEL escaped.
    serde_json::Value::from(text).to_string().replace('\u{7f}', "\\u007f")
}

/// The environment variable of a setting.
#[must_use]
pub fn variable(name: &str) -> String {
    format!("{PREFIX}{}", name.to_uppercase().replace('.', "__"))
}
