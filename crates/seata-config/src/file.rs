//! Reads `conf.yaml`: one level of keys, each with one value.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use serde_yaml_ng::{Mapping, Value};

use crate::error::ConfigError;

/// The file that is read if none is named.
const DEFAULT: &str = "conf.yaml";

/// Which file is read.
#[derive(Debug, Clone)]
pub enum ConfigFile {
    /// `conf.yaml`, if it is there.
    IfThere,
    /// This one, which must be there.
    Named(PathBuf),
}

impl ConfigFile {
    /// Answers its path.
    #[must_use]
    pub fn path(&self) -> &Path {
        match self {
            Self::IfThere => Path::new(DEFAULT),
            Self::Named(path) => path,
        }
    }

    /// Reads keys and values as text.
    pub(crate) fn read(&self) -> Result<Vec<(String, String)>, ConfigError> {
        let path = || self.path().to_owned();
        match (fs::read_to_string(self.path()), self) {
            (Ok(text), _) => parse(&text).map_err(|why| ConfigError::Form { path: path(), why }),
            (Err(error), Self::IfThere) if error.kind() == ErrorKind::NotFound => Ok(Vec::new()),
            (Err(error), _) => Err(ConfigError::File(path(), error)),
        }
    }
}

fn parse(text: &str) -> Result<Vec<(String, String)>, String> {
    let value: Value = serde_yaml_ng::from_str(text).map_err(|error| error.to_string())?;
    let pairs = match value {
        Value::Mapping(pairs) => pairs,
        // An empty file, or one of comments only.
        Value::Null => Mapping::new(),
        // Not shown: it may be an address alone, with its password.
        Value::Bool(_)
        | Value::Number(_)
        | Value::String(_)
        | Value::Sequence(_)
        | Value::Tagged(_) => {
            return Err("it must hold keys with values, each as key: value".into());
        }
    };
    pairs
        .into_iter()
        .map(|(key, value)| pair(key, value))
        .collect()
}

fn pair(key: Value, value: Value) -> Result<(String, String), String> {
    let key = text(key).map_err(|why| format!("a key must be a word: {why}"))?;
    let value = text(value).map_err(|why| format!("{key} must have one value: {why}"))?;
    Ok((key, value))
}

fn text(value: Value) -> Result<String, &'static str> {
    match value {
        Value::Bool(value) => Ok(value.to_string()),
        Value::Number(value) => Ok(value.to_string()),
        Value::String(value) => Ok(value),
        Value::Null => Err("there is none"),
        Value::Sequence(_) => Err("there is a list"),
        Value::Mapping(_) => Err("there is a mapping"),
        Value::Tagged(_) => Err("there is a tag"),
    }
}
