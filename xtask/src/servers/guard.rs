//! One server process in one temporary folder, and a guard that ends both with us, however we end.
//!
//! The guard is a shell that waits for the end of its standard input. We hold the other side, so it closes when the server is
//! dropped, and also when this process is interrupted or killed.

use std::ffi::OsString;
use std::fs;
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

/// How long a server may take until it answers.
const READY_WITHIN: Duration = Duration::from_secs(60);

/// How often it is asked.
const ASKED_EVERY: Duration = Duration::from_millis(50);

/// Arguments: the folder, the signal, the command.
const GUARD: &str = r#"
folder=$1 signal=$2
shift 2
"$@" >"$folder/log" 2>&1 </dev/null &
server=$!
exec 2>/dev/null
cat >/dev/null
kill -s "$signal" "$server"
wait "$server"
rm -rf "$folder"
"#;

/// A folder that nobody else uses. It goes when it is dropped, unless a guard has taken it over.
pub(super) struct Folder {
    path: PathBuf,
}

impl Folder {
    /// Makes a new one for this server.
    pub(super) fn new(name: &str) -> Result<Self> {
        let parent = std::env::temp_dir();
        let free = (0..1000).find_map(|number| {
            let path = parent.join(format!("seata-{name}-{}-{number}", std::process::id()));
            fs::create_dir(&path).ok().map(|()| Self { path })
        });
        free.with_context(|| format!("no folder can be made in {}", parent.display()))
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Hands the folder over to a guard.
    fn keep(mut self) -> PathBuf {
        std::mem::take(&mut self.path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if !self.path.as_os_str().is_empty() {
            // A folder that stays is untidy, and no reason to fail.
            let _ = fs::remove_dir_all(&self.path);
        }
    }
}

/// A process that ends when this is dropped.
pub(super) struct Guarded {
    guard: Child,
    held: Option<ChildStdin>,
}

/// Says how a server is begun, asked and ended.
pub(super) struct Plan {
    pub(super) folder: Folder,
    pub(super) command: Vec<OsString>,
    /// Succeeds as soon as the server answers.
    pub(super) probe: Vec<OsString>,
    /// Ends the server at once. Its data are thrown away.
    pub(super) signal: &'static str,
}

impl Guarded {
    /// Starts the server and waits until it answers.
    pub(super) fn start(plan: Plan) -> Result<Self> {
        let folder = plan.folder.keep();
        let mut guard = Command::new("sh")
            .args(["-c", GUARD, "guard"])
            .arg(&folder)
            .arg(plan.signal)
            .args(&plan.command)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            // Its own group: Ctrl-C reaches the command that uses the server, and the guard outlives both.
            .process_group(0)
            .spawn()
            .context("starting sh")?;
        let held = guard.stdin.take();
        let guarded = Self { guard, held };
        if answers_in_time(&plan.probe) {
            Ok(guarded)
        } else {
            let log = fs::read_to_string(folder.join("log")).unwrap_or_default();
            bail!("it does not answer; its last words: {}", tail(&log))
        }
    }
}

impl Drop for Guarded {
    fn drop(&mut self) {
        drop(self.held.take());
        // The guard ends after its server. If it is gone already, so is the server.
        let _ = self.guard.wait();
    }
}

fn answers_in_time(probe: &[OsString]) -> bool {
    let Some((program, arguments)) = probe.split_first() else {
        return false;
    };
    let begun = Instant::now();
    while begun.elapsed() < READY_WITHIN {
        let asked = Command::new(program)
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
        if asked.is_ok_and(|status| status.success()) {
            return true;
        }
        sleep(ASKED_EVERY);
    }
    false
}

fn tail(log: &str) -> String {
    let lines: Vec<&str> = log.lines().collect();
    let last = lines.len().saturating_sub(5);
    lines.get(last..).unwrap_or_default().join(" | ")
}

/// Answers a port that nobody listens at.
pub(super) fn free_port() -> Result<u16> {
    let listener =
        TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("looking for a free port")?;
    Ok(listener.local_addr().context("asking for the port")?.port())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<OsString> {
        text.split(' ').map(OsString::from).collect()
    }

    fn sleeper() -> Result<(PathBuf, Guarded)> {
        let folder = Folder::new("sleeper")?;
        let path = folder.path().to_owned();
        let script = format!("echo $$ >{}/pid; exec sleep 600", path.display());
        let guarded = Guarded::start(Plan {
            command: vec!["sh".into(), "-c".into(), script.into()],
            probe: words(&format!("test -s {}/pid", path.display())),
            signal: "KILL",
            folder,
        })?;
        Ok((path, guarded))
    }

    fn runs(pid: &str) -> bool {
        let asked = Command::new("kill").args(["-0", pid]).status();
        asked.is_ok_and(|status| status.success())
    }

    #[test]
    fn a_server_and_its_folder_go_when_it_is_dropped() -> Result<()> {
        let (folder, guarded) = sleeper()?;
        let pid = fs::read_to_string(folder.join("pid"))?;
        assert!(runs(pid.trim()));
        drop(guarded);
        assert!(!runs(pid.trim()));
        assert!(!folder.exists());
        Ok(())
    }

    #[test]
    fn a_server_goes_when_its_owner_was_killed() -> Result<()> {
        let (folder, mut guarded) = sleeper()?;
        let pid = fs::read_to_string(folder.join("pid"))?;
        // What the system does for a process that ends: it closes the pipe, and nothing else.
        drop(guarded.held.take());
        guarded.guard.wait()?;
        assert!(!runs(pid.trim()));
        assert!(!folder.exists());
        Ok(())
    }

    #[test]
    fn a_command_that_fails_shows_its_last_words() {
        assert_eq!(tail("a\nb\nc\nd\ne\nf\n"), "b | c | d | e | f");
        assert_eq!(tail(""), "");
    }
}
