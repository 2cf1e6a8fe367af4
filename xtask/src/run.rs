//! Runs commands in the root of the workspace and steps under a heading with the time that each took.
//!
//! What fails says the command that a person can run alone. Nothing here decides what is run.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context, Result, bail};

/// Answers the root of the workspace.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .map_or_else(|| PathBuf::from("."), Path::to_path_buf)
}

/// Answers the folder that cargo builds into.
pub(crate) fn target() -> PathBuf {
    let named = std::env::var_os("CARGO_TARGET_DIR").unwrap_or_else(|| "target".into());
    root().join(named)
}

/// Answers whether this is CI, where what can't be checked is a failure.
pub(crate) fn is_ci() -> bool {
    std::env::var("CI").is_ok_and(|value| value == "true")
}

/// Says what is being done, does it, and says how long it took.
pub(crate) fn step(what: &str, work: impl FnOnce() -> Result<()>) -> Result<()> {
    println!("\n== {what}");
    let begun = Instant::now();
    let done = work();
    let took = begun.elapsed().as_secs_f64();
    match done {
        Ok(()) => {
            println!("== {what}: done in {took:.1} s");
            Ok(())
        }
        Err(error) => Err(error.context(format!("{what} (after {took:.1} s)"))),
    }
}

/// A command that is run in the root.
pub(crate) struct Run {
    program: OsString,
    arguments: Vec<OsString>,
    environment: Vec<(&'static str, OsString)>,
}

/// Begins a cargo command from words that are parted by white space.
pub(crate) fn cargo(words: &str) -> Run {
    let path = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    program(path).args(words.split_whitespace())
}

/// Begins a command without arguments.
pub(crate) fn program(path: impl AsRef<OsStr>) -> Run {
    Run {
        program: path.as_ref().to_owned(),
        arguments: Vec::new(),
        environment: Vec::new(),
    }
}

impl Run {
    /// Adds arguments as they are.
    pub(crate) fn args<S: AsRef<OsStr>>(mut self, more: impl IntoIterator<Item = S>) -> Self {
        self.arguments.extend(
            more.into_iter()
                .map(|argument| argument.as_ref().to_owned()),
        );
        self
    }

    /// Sets a variable of the environment.
    pub(crate) fn env(mut self, name: &'static str, value: impl AsRef<OsStr>) -> Self {
        self.environment.push((name, value.as_ref().to_owned()));
        self
    }

    /// Sets several variables of the environment.
    pub(crate) fn envs<'a>(
        self,
        variables: impl IntoIterator<Item = (&'static str, &'a str)>,
    ) -> Self {
        variables
            .into_iter()
            .fold(self, |run, (name, value)| run.env(name, value))
    }

    /// Shows the command, runs it on this terminal, and fails unless it succeeds.
    pub(crate) fn run(self) -> Result<()> {
        let shown = self.shown();
        println!("$ {shown}");
        let status = self
            .command()
            .status()
            .with_context(|| format!("starting `{shown}`"))?;
        if !status.success() {
            bail!("the command ended with {status}; run it alone: {shown}");
        }
        Ok(())
    }

    /// Runs it without a word and answers whether it could be started and succeeded.
    pub(crate) fn succeeds(self) -> bool {
        let mut command = self.command();
        let quiet = command.stdout(Stdio::null()).stderr(Stdio::null());
        quiet.status().is_ok_and(|status| status.success())
    }

    /// Runs it and answers what it printed.
    pub(crate) fn output(self) -> Result<Vec<u8>> {
        let shown = self.shown();
        let output = self
            .command()
            .output()
            .with_context(|| format!("starting `{shown}`"))?;
        if !output.status.success() {
            let words = String::from_utf8_lossy(&output.stderr);
            bail!("`{shown}` ended with {}: {words}", output.status);
        }
        Ok(output.stdout)
    }

    fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command.args(&self.arguments).current_dir(root());
        // `cargo run` describes xtask to us in these. Build scripts that watch them would run again at every turn.
        for (name, _) in std::env::vars_os() {
            if name.to_str().is_some_and(describes_a_package) {
                command.env_remove(name);
            }
        }
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        command
    }

    /// Answers the command as one would type it.
    fn shown(&self) -> String {
        let program = Path::new(&self.program);
        let is_cargo = program.file_stem().is_some_and(|stem| stem == "cargo");
        let name = if is_cargo {
            "cargo".into()
        } else {
            program.to_string_lossy()
        };
        let variables = self
            .environment
            .iter()
            .map(|(name, value)| format!("{name}={}", quoted(&value.to_string_lossy())));
        let arguments = self
            .arguments
            .iter()
            .map(|argument| quoted(&argument.to_string_lossy()));
        variables
            .chain([name.into_owned()])
            .chain(arguments)
            .collect::<Vec<_>>()
            .join(" ")
    }
}

fn describes_a_package(name: &str) -> bool {
    name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_")
}

fn quoted(word: &str) -> String {
    let plain =
        |character: char| character.is_ascii_alphanumeric() || "-_./=:,+@%".contains(character);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_shown_as_one_would_type_it() {
        let run = cargo("doc --no-deps")
            .args(["a b"])
            .env("RUSTDOCFLAGS", "-D warnings");
        assert_eq!(
            run.shown(),
            "RUSTDOCFLAGS='-D warnings' cargo doc --no-deps 'a b'"
        );
    }

    #[test]
    fn a_command_that_fails_says_how_to_run_it_alone() {
        let failed = step("lints", || cargo("no-such-command --x").run()).err();
        let text = failed.map(|error| format!("{error:#}")).unwrap_or_default();
        assert!(text.starts_with("lints"), "{text}");
        assert!(
            text.contains("run it alone: cargo no-such-command --x"),
            "{text}"
        );
    }
}
