//! Reads what a process costs from the texts under `/proc`.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};

/// Answers the processor time of a process, user and system.
///
/// The kernel tells it for the whole process in steps of some 10 ms, and for each thread that lives in nanoseconds. Neither
/// is ever too much, so the larger one is nearer.
///
/// # Errors
/// The process is gone.
pub(crate) fn cpu(pid: u32) -> Result<Duration> {
    let stat = read(pid, "stat")?;
    let ticks = ticks(&stat).context("reading processor time")?;
    let whole =
        Duration::from_secs(ticks) / u32::try_from(rustix::param::clock_ticks_per_second())?;
    Ok(whole.max(threads_cpu(pid)))
}

/// Zero where the kernel keeps no such account.
fn threads_cpu(pid: u32) -> Duration {
    let threads = std::fs::read_dir(format!("/proc/{pid}/task"));
    let threads = threads.into_iter().flatten().flatten();
    // A thread may end meanwhile.
    let accounts =
        threads.filter_map(|thread| std::fs::read_to_string(thread.path().join("schedstat")).ok());
    accounts.filter_map(|account| nanos(&account)).sum()
}

fn nanos(schedstat: &str) -> Option<Duration> {
    let word = schedstat.split_ascii_whitespace().next()?;
    word.parse().ok().map(Duration::from_nanos)
}

/// Answers the processor time of all processes that work in a folder or below it.
///
/// # Errors
/// Processes can't be listed.
pub(crate) fn cpu_within(folder: &Path) -> Result<Duration> {
    let mut sum = Duration::ZERO;
    for entry in std::fs::read_dir("/proc").context("listing processes")? {
        let path = entry.context("listing processes")?.path();
        let name = path.file_name().and_then(|name| name.to_str());
        let Some(pid) = name.and_then(|name| name.parse().ok()) else {
            continue;
        };
        // Others come and go meanwhile.
        if std::fs::read_link(path.join("cwd")).is_ok_and(|cwd| cwd.starts_with(folder)) {
            sum += cpu(pid).unwrap_or_default();
        }
    }
    Ok(sum)
}

/// Answers the resident memory of a process in bytes.
///
/// # Errors
/// The process is gone.
pub(crate) fn resident_bytes(pid: u32) -> Result<u64> {
    memory_bytes(pid, "VmRSS")
}

/// Answers the most resident memory that a process ever had, in bytes.
///
/// # Errors
/// The process is gone.
pub(crate) fn resident_bytes_max(pid: u32) -> Result<u64> {
    memory_bytes(pid, "VmHWM")
}

fn memory_bytes(pid: u32, name: &str) -> Result<u64> {
    let status = read(pid, "status")?;
    let kib = kib(&status, name).context("reading resident memory")?;
    Ok(kib * 1024)
}

fn read(pid: u32, name: &str) -> Result<String> {
    let path = format!("/proc/{pid}/{name}");
    std::fs::read_to_string(&path).with_context(|| format!("reading {path}"))
}

/// Adds fields 14 and 15. The second is the name of the program in brackets: it may hold blanks and brackets itself.
fn ticks(stat: &str) -> Option<u64> {
    let (_, rest) = stat.rsplit_once(')')?;
    let mut fields = rest.split_ascii_whitespace().skip(11);
    let user: u64 = fields.next()?.parse().ok()?;
    let system: u64 = fields.next()?.parse().ok()?;
    Some(user + system)
}

fn kib(status: &str, name: &str) -> Option<u64> {
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
    line.split_ascii_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn processor_time_is_user_and_system_whatever_the_program_is_called() {
        let stat = "42 (a) b (c)) S 1 42 42 0 -1 4194560 900 0 0 0 123 45 6 7 20 0 9 0 8000 9 9";
        assert_eq!(ticks(stat), Some(168));
        assert_eq!(ticks("42 (a"), None);
        assert_eq!(ticks("42 (a) S 1"), None);
    }

    #[test]
    fn the_time_of_a_thread_is_the_first_of_its_numbers() {
        assert_eq!(nanos("66519 12 1\n"), Some(Duration::from_nanos(66_519)));
        assert_eq!(nanos(""), None);
    }

    #[test]
    fn resident_memory_is_read_by_its_whole_name() {
        let status = "Name:\tx\nVmRSSx:\t 1 kB\nVmRSS:\t   15360 kB\nThreads:\t3\n";
        assert_eq!(kib(status, "VmRSS"), Some(15_360));
        assert_eq!(kib(status, "VmSwap"), None);
    }

    #[test]
    fn this_process_is_found_by_its_folder() {
        let here = std::env::current_dir().unwrap();
        assert!(cpu_within(&here).is_ok());
        assert_eq!(cpu_within(Path::new("/proc/none")).unwrap(), Duration::ZERO);
    }

    #[test]
    fn this_process_has_memory_and_time() {
        assert!(resident_bytes(std::process::id()).unwrap() > 100_000);
        assert!(cpu(std::process::id()).is_ok());
    }
}
