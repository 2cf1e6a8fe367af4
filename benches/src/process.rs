//! A process of the run that listens: found by the address that it prints, killed when it is dropped.

use std::net::SocketAddr;
use std::process::Stdio;

use anyhow::{Context, Result, bail};
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

/// A running process.
pub(crate) struct Process {
    child: Child,
    /// Our roles end when this is closed, however the runner ends.
    _input: Option<ChildStdin>,
    pub(crate) address: SocketAddr,
}

impl Process {
    /// Starts it and waits until it says where it listens.
    ///
    /// # Errors
    /// It can't be started, or ends without saying it.
    pub(crate) async fn start(mut command: Command) -> Result<Self> {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("starting {}", command.as_std().get_program().display()))?;
        let output = child.stdout.take().context("holding its output")?;
        let mut lines = BufReader::new(output).lines();
        let address = listening(&mut lines).await?;
        tokio::spawn(drain(lines));
        Ok(Self {
            _input: child.stdin.take(),
            child,
            address,
        })
    }

    /// Answers its number.
    ///
    /// # Errors
    /// It has ended.
    pub(crate) fn pid(&self) -> Result<u32> {
        self.child.id().context("a process of the run has ended")
    }

    /// Kills it with signal 9 and waits for its end.
    pub(crate) async fn kill(mut self) -> Result<()> {
        self.child.kill().await.context("killing a process")
    }
}

/// Makes the command of one of our own roles.
pub(crate) fn role(arguments: &[&str]) -> Result<Command> {
    let this = std::env::current_exe().context("finding this program")?;
    let mut command = Command::new(this);
    command.arg("role").args(arguments);
    Ok(command)
}

async fn listening(lines: &mut Lines<BufReader<ChildStdout>>) -> Result<SocketAddr> {
    while let Some(line) = lines.next_line().await.context("reading its output")? {
        if let Some(address) = address(&line) {
            return Ok(address);
        }
    }
    bail!("it ended without saying where it listens")
}

/// A full pipe would stop the process.
async fn drain(mut lines: Lines<BufReader<ChildStdout>>) {
    while let Ok(Some(_)) = lines.next_line().await {}
}

fn address(line: &str) -> Option<SocketAddr> {
    let (_, rest) = line.split_once("http://")?;
    let is_part = |character: char| character.is_ascii_digit() || ".:".contains(character);
    let end = rest.find(|character| !is_part(character));
    rest.get(..end.unwrap_or(rest.len()))?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_found_in_the_midst_of_a_line() {
        let found = |line| address(line).map(|address| address.port());
        assert_eq!(found("listening on http://127.0.0.1:40123"), Some(40_123));
        assert_eq!(found("HTTP at http://127.0.0.1:80/api, gRPC"), Some(80));
        assert_eq!(found("data in /var/lib"), None);
        assert_eq!(found("see http://example.org"), None);
    }
}
