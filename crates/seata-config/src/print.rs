//! Prints what holds, as a file that could be used as `conf.yaml`.

use std::io::{Result, Write};

use crate::given::{Given, Source};
use crate::keys::KEYS;

/// Writes each key with its value, without passwords, and where that comes from.
///
/// # Errors
/// What `out` answers.
pub fn print(given: &Given, out: &mut impl Write) -> Result<()> {
    for key in KEYS {
        let found = given.of(key.name);
        let source = match &found.source {
            Source::Default => "default".to_owned(),
            Source::Program => "the program".to_owned(),
            Source::File(path) => format!("file {}", path.display()),
            Source::Environment => format!("env {}", key.variable()),
            Source::Flag => format!("flag --{}", key.flag()),
        };
        let pair = format!("{}: {}", key.name, yaml(&(key.masked)(&found.text)));
        writeln!(out, "{pair:<48} # {source}")?;
    }
    Ok(())
}

/// Quotes what YAML would take for something else than a plain word.
fn yaml(text: &str) -> String {
    let plain = |character: char| character.is_ascii_alphanumeric() || "./_-".contains(character);
    if !text.is_empty() && text.chars().all(plain) && !text.starts_with('-') {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', "''"))
    }
}
