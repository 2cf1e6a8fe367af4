//! Collects what is given for each key, and where.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt::{self, Debug, Formatter};
use std::path::PathBuf;

use crate::allowed::Allowed;
use crate::error::ConfigError;
use crate::file::ConfigFile;
use crate::keys::{KEYS, Key};

const PREFIX: &str = "SEATA_";

/// Where a value comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Source {
    Default,
    File(PathBuf),
    Environment,
    Flag,
    /// Put by the program, as nobody outside can.
    Program,
}

/// A value as it was written, passwords included.
#[derive(Clone)]
pub(crate) struct Found {
    pub(crate) text: String,
    pub(crate) source: Source,
}

/// Without the value, which may be a secret.
impl Debug for Found {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        Debug::fmt(&self.source, f)
    }
}

/// The value of every key, as it was written.
#[derive(Debug)]
pub struct Given {
    // Invariant: holds each of `KEYS`.
    found: BTreeMap<&'static str, Found>,
}

impl Given {
    /// Begins with the built-in defaults.
    #[must_use]
    pub fn defaults() -> Self {
        let default = |key: &Key| Found {
            text: key.default.to_owned(),
            source: Source::Default,
        };
        let found = KEYS.iter().map(|key| (key.name, default(key))).collect();
        Self { found }
    }

    /// Takes what a file says.
    ///
    /// # Errors
    /// It can't be read, or holds an unknown key.
    pub fn file(mut self, file: &ConfigFile) -> Result<Self, ConfigError> {
        for (name, text) in file.read()? {
            let key = key(&name).map_err(|nearest| ConfigError::Unknown {
                place: format!("{}: {name}", file.path().display()),
                why: nearest_is(nearest),
            })?;
            self.set(key, text, Source::File(file.path().to_owned()));
        }
        Ok(self)
    }

    /// Takes what the environment says. Variables of others are none of ours.
    ///
    /// # Errors
    /// One is unknown, or no text.
    pub fn environment(
        mut self,
        variables: impl Iterator<Item = (OsString, OsString)>,
    ) -> Result<Self, ConfigError> {
        for (variable, text) in variables {
            let variable = variable.to_string_lossy();
            let Some(name) = variable.strip_prefix(PREFIX) else {
                continue;
            };
            if is_service_link(name) {
                continue;
            }
            let key = key(&name.to_ascii_lowercase()).map_err(|nearest| ConfigError::Unknown {
                place: variable.to_string(),
                why: nearest_is(&format!("{PREFIX}{}", nearest.to_ascii_uppercase())),
            })?;
            let text = text.into_string();
            let text = text.map_err(|_| ConfigError::NotText(variable.to_string()))?;
            self.set(key, text, Source::Environment);
        }
        Ok(self)
    }

    /// Takes a flag.
    pub fn flag(&mut self, key: &'static Key, text: String) {
        self.set(key, text, Source::Flag);
    }

    /// Puts a value that nobody outside can give.
    #[must_use]
    pub fn with(mut self, name: &'static str, text: &str) -> Self {
        let source = Source::Program;
        let text = text.to_owned();
        self.found.insert(name, Found { text, source });
        self
    }

    fn set(&mut self, key: &'static Key, text: String, source: Source) {
        self.found.insert(key.name, Found { text, source });
    }

    /// Answers what was given for a key.
    pub(crate) fn of(&self, name: &str) -> &Found {
        &self.found[name]
    }

    /// Answers whether somebody gave a value for a key.
    pub(crate) fn is_given(&self, name: &str) -> bool {
        self.of(name).source != Source::Default
    }

    /// Names the place at which the value of a key stands.
    pub(crate) fn place(&self, name: &str) -> String {
        match &self.of(name).source {
            Source::Default => format!("the default of {name}"),
            Source::Program => format!("the program's own {name}"),
            Source::File(path) => format!("{name} in {}", path.display()),
            Source::Environment => format!("{PREFIX}{}", name.to_ascii_uppercase()),
            Source::Flag => format!("--{}", name.replace('_', "-")),
        }
    }

    /// Reads the value of a key, or says the place, the value and what is allowed.
    pub(crate) fn read<A: Allowed>(
        &self,
        name: &'static str,
        allowed: &A,
    ) -> Result<A::Value, ConfigError> {
        let read = allowed.read(&self.of(name).text);
        read.ok_or_else(|| {
            let shown = allowed.masked(&self.of(name).text);
            self.not_allowed(name, &shown, allowed.said())
        })
    }

    /// Answers the refusal of a key's value, for the one who is to use it and finds that it can't be used.
    #[must_use]
    pub fn refusal(&self, name: &'static str) -> ConfigError {
        let key = KEYS.iter().find(|key| key.name == name);
        let said = key.map_or_else(String::new, |key| (key.said)());
        let shown = key.map_or_else(String::new, |key| (key.masked)(&self.of(name).text));
        self.not_allowed(name, &shown, said)
    }

    fn not_allowed(&self, name: &str, shown: &str, said: String) -> ConfigError {
        ConfigError::NotAllowed {
            place: self.place(name),
            shown: format!("{shown:?}"),
            said,
        }
    }
}

/// Answers the key of this name, or else the one that was probably meant.
fn key(name: &str) -> Result<&'static Key, &'static str> {
    if let Some(key) = KEYS.iter().find(|key| key.name == name) {
        return Ok(key);
    }
    let names = KEYS.iter().map(|key| key.name);
    let nearest = names.min_by_key(|known| strsim::damerau_levenshtein(known, name));
    Err(nearest.unwrap_or_default())
}

fn nearest_is(name: &str) -> String {
    format!("there is no such setting; the nearest is {name}")
}

/// Says whether Kubernetes set the variable, as it does in every pod for each service: for one named "seata" that is
/// `SEATA_SERVICE_HOST`, `SEATA_SERVICE_PORT_HTTP`, `SEATA_PORT`, `SEATA_PORT_36789_TCP_ADDR`, …
fn is_service_link(name: &str) -> bool {
    let name = format!("_{name}");
    let numbered = name
        .split_once("_PORT_")
        .is_some_and(|(_, rest)| rest.starts_with(|first: char| first.is_ascii_digit()));
    let is_port_of_service = ["_PORT", "_SERVER_PORT"].contains(&name.as_str());
    numbered
        || is_port_of_service
        || name.contains("_SERVICE_HOST")
        || name.contains("_SERVICE_PORT")
}
