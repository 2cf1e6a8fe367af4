//! One server process in one temporary folder, and a guard that ends both with us, however we end.
//!
//! The guard is a shell that takes orders on its standard input. We hold the other side, so it closes when the server is
//! dropped, and also when this process is interrupted or killed. Only the guard sends signals: it is the server's parent
//! and knows when that has ended.

use std::ffi::OsString;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::{Mutex, PoisonError};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::folder::Folder;

/// How long a server may take until it answers.
const READY_WITHIN: Duration = Duration::from_secs(60);

/// How often it is asked.
const ASKED_EVERY: Duration = Duration::from_millis(20);

const SCRIPT: &str = include_str!("guard.sh");

/// What the guard is told.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Order {
    Start,
    Freeze,
    Thaw,
    Kill,
    Stop,
    Look,
}

impl Order {
    const fn word(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Freeze => "freeze",
            Self::Thaw => "thaw",
            Self::Kill => "kill",
            Self::Stop => "stop",
            Self::Look => "look",
        }
    }
}

/// What has become of the server's process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Process {
    /// It is there, frozen or not.
    Runs(u32),
    Ended,
}

/// Says how a server is begun, asked and ended.
pub(crate) struct Plan {
    pub(crate) folder: Folder,
    pub(crate) command: Vec<OsString>,
    /// Succeeds as soon as the server answers.
    pub(crate) probe: Probe,
    /// Ends the server in good order.
    pub(crate) stop: &'static str,
    /// Ends the server at once. Its data are thrown away.
    pub(crate) end: &'static str,
}

/// Asks a server whether it answers.
pub(crate) type Probe = Box<dyn Fn() -> bool + Send + Sync>;

/// A process that ends when this is dropped.
pub(crate) struct Guarded {
    guard: Child,
    line: Mutex<Option<Line>>,
    folder: PathBuf,
    probe: Probe,
}

struct Line {
    orders: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Guarded {
    /// Starts the server and waits until it answers.
    pub(crate) fn start(plan: Plan) -> Result<Self> {
        let folder = plan.folder.keep();
        let mut guard = Command::new("sh")
            .args(["-c", SCRIPT, "guard"])
            .arg(&folder)
            .args([plan.stop, plan.end])
            .args(&plan.command)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            // Its own group: Ctrl-C reaches the command that uses the server, and the guard outlives both.
            .process_group(0)
            .spawn()
            .context("starting sh")?;
        let line = guard.stdin.take().zip(guard.stdout.take());
        let line = line.map(|(orders, answers)| Line {
            orders,
            answers: BufReader::new(answers),
        });
        let guarded = Self {
            guard,
            line: Mutex::new(line),
            folder,
            probe: plan.probe,
        };
        guarded.start_again()?;
        Ok(guarded)
    }

    /// Starts the server, which is down, and waits until it answers.
    pub(crate) fn start_again(&self) -> Result<()> {
        if let Process::Runs(pid) = self.order(Order::Look)? {
            bail!("it runs already, as process {pid}");
        }
        self.order(Order::Start)?;
        let begun = Instant::now();
        while !(self.probe)() {
            let ended = self.order(Order::Look)? == Process::Ended;
            if ended || begun.elapsed() > READY_WITHIN {
                bail!("it does not answer; its last words: {}", tail(&self.log()));
            }
            sleep(ASKED_EVERY);
        }
        Ok(())
    }

    /// Gives an order, waits until it is carried out, and answers what has become of the server.
    pub(crate) fn order(&self, order: Order) -> Result<Process> {
        let mut line = self.line.lock().unwrap_or_else(PoisonError::into_inner);
        let line = line.as_mut().context("the guard is gone")?;
        writeln!(line.orders, "{}", order.word()).context("ordering the guard")?;
        let mut answer = String::new();
        line.answers
            .read_line(&mut answer)
            .context("reading the guard's answer")?;
        match answer.trim() {
            "ended" => Ok(Process::Ended),
            pid => Ok(Process::Runs(pid.parse().context("the guard has ended")?)),
        }
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Answers all that it said since its first start.
    pub(crate) fn log(&self) -> String {
        let bytes = fs::read(self.folder.join("log")).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// Does what the system does for a process that ends: it closes the pipe, and nothing else.
    fn let_go(&self) {
        let mut line = self.line.lock().unwrap_or_else(PoisonError::into_inner);
        drop(line.take());
    }
}

impl Drop for Guarded {
    fn drop(&mut self) {
        self.let_go();
        // The guard ends after its server. If it is gone already, so is the server.
        let _ = self.guard.wait();
    }
}

fn tail(log: &str) -> String {
    let lines: Vec<&str> = log.lines().collect();
    let last = lines.len().saturating_sub(5);
    lines.get(last..).unwrap_or_default().join(" | ")
}

#[cfg(test)]
mod tests;
