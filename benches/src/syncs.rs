//! What a durable write costs on this disk, and how many of them a transaction needs, as the kernel sees it.

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use tokio::process::Command;
use tokio::time::sleep;

use crate::case::{Answer, BASE, Shape};
use crate::coordinator::Coordinator;
use crate::figures::{count, median};
use crate::loader::Loader;
use crate::order::{Until, Work};
use crate::participants::Participants;
use crate::process::bound;
use crate::report::{Aim, Figure};
use crate::server::{Home, POLL};
use crate::wire::Wire;

/// The name of the figure that others are compared with.
pub(crate) const PROBE: &str = "append of 600 bytes and fdatasync on this disk";

const PROBES: usize = 200;

const PROBE_BYTES: usize = 600;

const TRACE_WRITTEN_WITHIN: Duration = Duration::from_secs(30);

/// Appends to a file of its own and syncs it, again and again.
pub(crate) fn probe(within: &Path) -> Result<Figure> {
    let mut file = tempfile::tempfile_in(within).context("making a file")?;
    let mut micros = Vec::with_capacity(PROBES);
    for _probe in 0..PROBES {
        micros.push(append(&mut file).context("syncing a file")?.as_secs_f64() * 1e6);
    }
    Ok(Figure::new(PROBE, median(micros), "µs"))
}

fn append(file: &mut File) -> std::io::Result<Duration> {
    let begun = Instant::now();
    file.write_all(&[7; PROBE_BYTES])?;
    file.sync_data()?;
    Ok(begun.elapsed())
}

/// Counts the server's fsync and fdatasync calls with strace, on one connection; nothing where strace can't be used.
///
/// On one connection no transaction shares a sync with another, so the count is what one alone waits for.
pub(crate) async fn measure(
    binary: &Path,
    within: &Path,
    transactions: u64,
) -> Result<Vec<Figure>> {
    if !can_trace().await {
        return Ok(Vec::new());
    }
    let start = traced(binary, within, 0).await?;
    let all = traced(binary, within, transactions).await?;
    let each = count(all.saturating_sub(start)) / count(transactions);
    let name = "fsync and fdatasync calls, one connection";
    let unit = "a transaction";
    Ok(vec![Figure::new(name, each, unit).aim(Aim::AtMost(2.0))])
}

async fn can_trace() -> bool {
    let tried = Command::new("strace")
        .args(["-D", "-f", "-o", "/dev/null", "true"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    tried.await.is_ok_and(|status| status.success())
}

async fn traced(binary: &Path, within: &Path, transactions: u64) -> Result<u64> {
    let home = Home::new(binary, within)?;
    let trace = home.path().join("trace.txt");
    let server = home.start_below(strace(&trace)).await?;
    let participants = Participants::start(Wire::Http).await?;
    let mut load = Loader::start(1)?;
    let target = server.process.address;
    let work = Work {
        who: Coordinator::Server,
        target,
        stub: participants.address(),
        shape: Shape {
            answer: Answer::Ended,
            ..BASE
        },
    };
    load.submit(work, Until::Accepted(transactions)).await?;
    let checked = load.check(target, Coordinator::Server).await?;
    checked.judge(transactions)?;
    let pid = server.process.pid()?;
    server.process.kill().await?;
    let trace = written(&trace, pid).await?;
    Ok(trace.lines().filter(|line| is_sync(line)).count() as u64)
}

/// With `-D` the server is our child and the tracer isn't: killing the server ends both.
fn strace(trace: &Path) -> Command {
    let mut command = bound(Path::new("strace"));
    command
        .args(["-D", "-f", "-q", "-e", "trace=fsync,fdatasync", "-o"])
        .arg(trace);
    command
}

/// Waits for the line that says that the server was killed: the trace is whole then.
async fn written(trace: &Path, pid: u32) -> Result<String> {
    let pid = pid.to_string();
    let begun = Instant::now();
    while begun.elapsed() < TRACE_WRITTEN_WITHIN {
        let text = std::fs::read_to_string(trace).context("reading the trace")?;
        if text.lines().any(|line| is_end(line, &pid)) {
            return Ok(text);
        }
        sleep(POLL).await;
    }
    bail!("the trace isn't whole after {TRACE_WRITTEN_WITHIN:?}")
}

fn is_end(line: &str, pid: &str) -> bool {
    line.split_ascii_whitespace().next() == Some(pid) && line.contains("+++ killed")
}

/// A call that another thread's interrupts is written twice: begun with a bracket, resumed without.
fn is_sync(line: &str) -> bool {
    line.contains(" fsync(") || line.contains(" fdatasync(")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_in_two_lines_counts_once() {
        assert!(is_sync("77    fdatasync(12)                     = 0"));
        assert!(is_sync("77    fsync(12 <unfinished ...>"));
        assert!(!is_sync("77    <... fsync resumed>)              = 0"));
        assert!(!is_sync("77    +++ killed by SIGKILL +++"));
    }

    #[test]
    fn the_end_is_that_of_the_server_not_of_one_of_its_threads() {
        assert!(is_end("77    +++ killed by SIGKILL +++", "77"));
        assert!(!is_end("78    +++ killed by SIGKILL +++", "77"));
        assert!(!is_end("77    fsync(12) = 0", "77"));
    }
}
