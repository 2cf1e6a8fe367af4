//! The server as a process on a folder of its own: started, killed, stopped, started again.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::binary;
use crate::client::Client;
use crate::full_pipe::FullPipe;
use crate::until::until;

/// How much of its output is shown when a test fails, in bytes.
const SHOWN_BYTES_MAX: usize = 16 * 1024;

/// How a server is started.
#[derive(Clone)]
pub struct Setup {
    environment: BTreeMap<String, String>,
    arguments: Vec<String>,
    folder: Arc<TempDir>,
    open_files_max: Option<u32>,
    unread: Option<Arc<FullPipe>>,
}

/// A server that did not start.
#[derive(Debug)]
pub struct Refused {
    /// How it ended.
    pub status: ExitStatus,
    /// All that it printed.
    pub output: String,
}

impl Refused {
    fn is_for_a_busy_store(&self) -> bool {
        let last = self.output.trim_end().lines().next_back();
        last.is_some_and(|line| line.contains(" in time"))
    }
}

/// A running server.
pub struct Server {
    setup: Setup,
    process: Child,
    port: Arc<AtomicU16>,
}

impl Default for Setup {
    fn default() -> Self {
        Self::new()
    }
}

impl Setup {
    /// Begins with an empty folder, a free port, patience with participants and few words in the log.
    #[must_use]
    pub fn new() -> Self {
        let folder = TempDir::with_prefix("seata-tests-").unwrap();
        let setup = Self {
            environment: BTreeMap::new(),
            arguments: Vec::new(),
            folder: Arc::new(folder),
            open_files_max: None,
            unread: None,
        };
        let data = setup.data().to_string_lossy().into_owned();
        setup
            .with("SEATA_HTTP_PORT", 0)
            .with("SEATA_GRPC_PORT", 0)
            .with("SEATA_BIND", "127.0.0.1")
            .with("SEATA_DATA_DIR", data)
            // A participant that a busy machine keeps waiting is silent, and asked again: that is seldom what is tested.
            .with("SEATA_REQUEST_TIMEOUT_SECS", 60)
            .with("SEATA_LOG", "warn")
    }

    /// Sets a variable of the environment.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl ToString) -> Self {
        self.environment.insert(name.to_owned(), value.to_string());
        self
    }

    /// Leaves a variable of the environment out.
    #[must_use]
    pub fn without(mut self, name: &str) -> Self {
        self.environment.remove(name);
        self
    }

    /// Adds an argument of the command line.
    #[must_use]
    pub fn argument(mut self, argument: &str) -> Self {
        self.arguments.push(argument.to_owned());
        self
    }

    /// Bounds how many files and sockets the process may have open.
    #[must_use]
    pub fn open_files_max(mut self, max: u32) -> Self {
        self.open_files_max = Some(max);
        self
    }

    /// Gives it a standard error that is full, and that nobody reads.
    #[must_use]
    pub fn unread(mut self) -> Self {
        self.unread = Some(Arc::new(FullPipe::new()));
        self
    }

    /// Answers the folder of the data.
    #[must_use]
    pub fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// Answers a folder for whatever else a test writes.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Starts it and waits until it listens.
    ///
    /// # Panics
    /// It ends instead.
    pub async fn start(self) -> Server {
        let (process, port) = match self.spawn().await {
            Ok(started) => started,
            Err(refused) => panic!("the server did not start: {refused:?}"),
        };
        Server {
            setup: self,
            process,
            port: Arc::new(AtomicU16::new(port)),
        }
    }

    /// Starts it and waits until it gives up.
    ///
    /// # Panics
    /// It listens instead.
    pub async fn refused(&self) -> Refused {
        match self.spawn().await {
            Err(refused) => refused,
            Ok((mut process, port)) => {
                let _ = process.kill();
                let _ = process.wait();
                panic!("the server listens on {port}, though it should not have started");
            }
        }
    }

    /// Runs it to its end, as for a subcommand.
    #[must_use]
    pub fn run(&self) -> Output {
        self.command()
            .stdin(Stdio::null())
            .current_dir(self.folder.path())
            .output()
            .unwrap()
    }

    async fn spawn(&self) -> Result<(Child, u16), Refused> {
        let printed_before = self.printed().len();
        let file = |name: &str| {
            let path = self.folder.path().join(name);
            File::options()
                .create(true)
                .append(true)
                .open(path)
                .unwrap()
        };
        let stderr: Stdio = match &self.unread {
            None => file("stderr.txt").into(),
            Some(pipe) => pipe.end(),
        };
        let mut process = self
            .command()
            .current_dir(self.folder.path())
            .stdin(Stdio::null())
            .stdout(file("stdout.txt"))
            .stderr(stderr)
            .spawn()
            .unwrap();
        let port = until("the server listens or ends", async || {
            let ended = process.try_wait().unwrap();
            let printed = self.printed();
            match (port(printed.get(printed_before..)?), ended) {
                (_, Some(status)) => Some(Err(status)),
                (Some(port), None) => Some(Ok(port)),
                (None, None) => None,
            }
        })
        .await;
        match port {
            Ok(port) => Ok((process, port)),
            Err(status) => Err(Refused {
                status,
                output: self.output(),
            }),
        }
    }

    /// Nothing of the caller's own configuration gets through.
    fn command(&self) -> Command {
        let mut command = match self.open_files_max {
            None => Command::new(binary::server()),
            Some(max) => {
                let mut shell = Command::new("sh");
                let script = format!("ulimit -n {max} && exec \"$0\" \"$@\"");
                shell.arg("-c").arg(script).arg(binary::server());
                shell
            }
        };
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("SEATA_") {
                command.env_remove(name);
            }
        }
        command.envs(&self.environment).args(&self.arguments);
        command
    }

    fn printed(&self) -> String {
        read(&self.folder.path().join("stdout.txt"))
    }

    fn output(&self) -> String {
        self.printed() + &read(&self.folder.path().join("stderr.txt"))
    }
}

fn read(path: &Path) -> String {
    fs::read(path).map_or_else(
        |_| String::new(),
        |bytes| String::from_utf8_lossy(&bytes).into_owned(),
    )
}

/// Answers the port of the first address that is printed in full.
fn port(printed: &str) -> Option<u16> {
    let (_, rest) = printed.split_once("http://127.0.0.1:")?;
    let end = rest.find(|character: char| !character.is_ascii_digit())?;
    rest[..end].parse().ok()
}

impl Server {
    /// Makes a client that follows the server to whatever port it listens on.
    #[must_use]
    pub fn client(&self) -> Client {
        Client::new(Arc::clone(&self.port))
    }

    /// Answers where its port is told, in all its lives.
    pub(crate) fn port(&self) -> Arc<AtomicU16> {
        Arc::clone(&self.port)
    }

    /// Answers the number of its process.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.process.id()
    }

    /// Answers where its gRPC interface is, as it printed last.
    ///
    /// # Panics
    /// It printed none.
    #[must_use]
    pub fn grpc_address(&self) -> String {
        let output = self.output();
        let (_, printed) = output.rsplit_once("gRPC on").unwrap();
        printed.split_whitespace().next().unwrap().to_owned()
    }

    /// Answers how it was started.
    #[must_use]
    pub fn setup(&self) -> &Setup {
        &self.setup
    }

    /// Answers all that it has printed, in all its lives.
    #[must_use]
    pub fn output(&self) -> String {
        self.setup.output()
    }

    /// Kills it as a loss of power would, but for the page cache.
    pub fn kill_nine(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    /// Asks it to stop, as a supervisor does.
    pub fn terminate(&self) {
        self.signal(Signal::TERM);
    }

    /// Asks it to stop, as Ctrl-C does.
    pub fn interrupt(&self) {
        self.signal(Signal::INT);
    }

    /// Suspends it: it keeps all that it has, and does nothing.
    pub fn suspend(&self) {
        self.signal(Signal::STOP);
    }

    /// Lets it go on after [`Server::suspend`], as if no time had passed.
    pub fn resume(&self) {
        self.signal(Signal::CONT);
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.process), signal).unwrap();
    }

    /// Waits until it has printed something.
    pub async fn printed(&self, text: &str) {
        until(&format!("the server prints {text:?}"), async || {
            self.output().contains(text).then_some(())
        })
        .await;
    }

    /// Waits for its end.
    pub async fn ended(&mut self) -> ExitStatus {
        let process = &mut self.process;
        until("the server ends", async || process.try_wait().unwrap()).await
    }

    /// Starts it again on the same folder, as a supervisor does: anew where its store was too busy to answer in time.
    ///
    /// # Panics
    /// It does not start.
    pub async fn start_again(&mut self) {
        let setup = &self.setup;
        let (process, port) = until("the server starts again", async || {
            match setup.spawn().await {
                Ok(started) => Some(started),
                Err(refused) if refused.is_for_a_busy_store() => None,
                Err(refused) => panic!("the server did not start again: {refused:?}"),
            }
        })
        .await;
        self.process = process;
        self.port.store(port, Ordering::SeqCst);
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        if std::thread::panicking() {
            let output = self.output();
            let from = output.len().saturating_sub(SHOWN_BYTES_MAX);
            let shown = String::from_utf8_lossy(&output.as_bytes()[from..]);
            eprintln!("the server printed:\n{shown}");
        }
    }
}
