//! Reads `conf.yaml`: one level of keys, each with one value.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use serde_yaml_ng::{Mapping, Value};

/// The file that is read if none is named.
const DEFAULT: &str = "conf.yaml";

/// Which file is read.
#[derive(Debug, Clone)]
pub(crate) enum ConfigFile {
    /// `conf.yaml`, if it is there.
    IfThere,
    /// This one, which must be there.
    Named(PathBuf),
}

impl ConfigFile {
    /// Answers its path.
    pub(crate) fn path(&self) -> &Path {
        match self {
            Self::IfThere => Path::new(DEFAULT),
            Self::Named(path) => path,
        }
    }

    /// Reads keys and values as text.
    ///
    /// # Errors
    /// It can't be read, or isn't one level of keys.
    pub(crate) fn read(&self) -> Result<Vec<(String, String)>> {
        let path = self.path().display();
        match (fs::read_to_string(self.path()), self) {
            (Ok(text), _) => parse(&text).with_context(|| format!("reading {path}")),
            (Err(error), Self::IfThere) if error.kind() == ErrorKind::NotFound => Ok(Vec::new()),
            (Err(error), _) => Err(error).with_context(|| format!("reading {path}")),
        }
    }
}

fn parse(text: &str) -> Result<Vec<(String, String)>> {
    // An empty file, or one of comments only, holds no mapping.
    let mapping: Option<Mapping> = serde_yaml_ng::from_str(text)?;
    let pairs = mapping.unwrap_or_default();
    pairs
        .into_iter()
        .map(|(key, value)| pair(key, value))
        .collect()
}

fn pair(key: Value, value: Value) -> Result<(String, String)> {
    let key = text(key).context("a key must be a word")?;
    let value = text(value).with_context(|| format!("{key} must have one value"))?;
    Ok((key, value))
}

fn text(value: Value) -> Result<String> {
    Ok(match value {
        Value::Bool(value) => value.to_string(),
        Value::Number(value) => value.to_string(),
        Value::String(value) => value,
        Value::Null => bail!("there is none"),
        Value::Sequence(_) => bail!("there is a list"),
        Value::Mapping(_) => bail!("there is a mapping"),
        Value::Tagged(_) => bail!("there is a tag"),
    })
}
