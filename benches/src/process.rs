//! A process of the run that listens: found by the address that it prints, killed when it is dropped, and by the kernel
//! when the runner is.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::net::TcpStream;
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::time::sleep;

use crate::server::POLL;

const LISTENS_WITHIN: Duration = Duration::from_secs(60);

/// How many addresses a process prints.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Speaks {
    /// That of its only port.
    One,
    /// That of HTTP, and then that of gRPC.
    Both,
}

/// A running process.
pub(crate) struct Process {
    child: Child,
    /// Our roles end when this is closed, however the runner ends.
    _input: Option<ChildStdin>,
    pub(crate) address: SocketAddr,
    /// Where it speaks gRPC, if that is another port.
    pub(crate) grpc: Option<SocketAddr>,
}

impl Process {
    /// Starts it and waits until it says where it listens.
    ///
    /// # Errors
    /// It can't be started, or ends without saying it.
    pub(crate) async fn start(command: Command, speaks: Speaks) -> Result<Self> {
        let (mut child, mut lines) = spawn(command)?;
        let (address, grpc) = listening(&mut lines, speaks).await?;
        tokio::spawn(drain(lines));
        Ok(Self {
            _input: child.stdin.take(),
            child,
            address,
            grpc,
        })
    }

    /// Starts one that says nothing, and waits until it listens where it was told to.
    ///
    /// # Errors
    /// It can't be started, or ends, or doesn't listen in time.
    pub(crate) async fn start_at(command: Command, address: SocketAddr) -> Result<Self> {
        let (mut child, lines) = spawn(command)?;
        tokio::spawn(drain(lines));
        let begun = Instant::now();
        while TcpStream::connect(address).await.is_err() {
            if let Some(status) = child.try_wait().context("looking after a process")? {
                bail!("it ended with {status} before it listened");
            }
            if begun.elapsed() > LISTENS_WITHIN {
                bail!("it doesn't listen after {LISTENS_WITHIN:?}");
            }
            sleep(POLL).await;
        }
        Ok(Self {
            _input: child.stdin.take(),
            child,
            address,
            grpc: None,
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

/// Makes the command of a program that knows nothing of the runner: the kernel kills it when the runner ends, however.
///
/// `setpriv` becomes the program: it keeps the number of the process.
pub(crate) fn bound(program: &Path) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL"]).arg(program);
    command
}

fn spawn(mut command: Command) -> Result<(Child, Lines<BufReader<ChildStdout>>)> {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .with_context(|| format!("starting {}", command.as_std().get_program().display()))?;
    let output = child.stdout.take().context("holding its output")?;
    Ok((child, BufReader::new(output).lines()))
}

async fn listening(
    lines: &mut Lines<BufReader<ChildStdout>>,
    speaks: Speaks,
) -> Result<(SocketAddr, Option<SocketAddr>)> {
    let mut found = Vec::new();
    while let Some(line) = lines.next_line().await.context("reading its output")? {
        found.extend(address(&line));
        match (found.as_slice(), speaks) {
            ([http, ..], Speaks::One) => return Ok((*http, None)),
            ([http, grpc, ..], Speaks::Both) => return Ok((*http, Some(*grpc))),
            _ => {}
        }
    }
    bail!("it ended without saying where it listens")
}

/// A full pipe would stop the process.
async fn drain(mut lines: Lines<BufReader<ChildStdout>>) {
    while let Ok(Some(_)) = lines.next_line().await {}
}

/// Finds an address with its port, with or without a scheme.
fn address(line: &str) -> Option<SocketAddr> {
    let is_part = |character: char| character.is_ascii_digit() || ".:".contains(character);
    let words = line.split(|character| !is_part(character));
    words
        .map(|word| word.trim_start_matches(':'))
        .find_map(|word| word.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_found_in_the_midst_of_a_line() {
        let found = |line| address(line).map(|address| address.port());
        assert_eq!(found("listening on http://127.0.0.1:40123"), Some(40_123));
        assert_eq!(found("  and gRPC on  127.0.0.1:80"), Some(80));
        assert_eq!(found("HTTP at http://127.0.0.1:80/api"), Some(80));
        assert_eq!(found("data in /var/lib, version 1.2.3"), None);
        assert_eq!(found("see http://example.org:8080"), None);
    }
}
