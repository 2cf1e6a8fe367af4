//! One server and the connections to it. Commands share connections; nothing here retries.
//!
//! fred would queue what is sent while it reconnects, and send it later. So it never does: a client lives as long as its
//! connection, and a task of ours connects the next one. A command on which nothing was heard ends its connection, for
//! whoever shares it: a frozen server costs one time limit, not one per call, and until there is a new connection
//! everything is refused at once.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use fred::error::Error;
use fred::interfaces::ClientLike;
use fred::types::config::Options;
use fred::types::{ClusterHash, ConnectHandle, CustomCommand, Value};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::connection::{Recipe, Running, connect};
use crate::error::Fault;
use crate::script::Command;

/// Between two attempts to connect to a lost server.
const CONNECT_EVERY: Duration = Duration::from_millis(100);

/// What one call of the store has to do with connections: which one it takes, and until when it waits.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Call {
    number: usize,
    begin_by: Instant,
    until: Instant,
}

impl Call {
    /// Begins a call whose commands have so long together. While a quarter of it is left nothing more is sent: a server
    /// that is slow would be taken for one that is gone, for everyone who shares the connection, and a claim of that kind
    /// leases what nobody drives.
    pub(crate) fn begin(number: usize, timeout: Duration) -> Self {
        let until = Instant::now() + timeout;
        Self {
            number,
            begin_by: until - timeout / 4,
            until,
        }
    }

    /// Answers how long an answer may take to a command that is sent now; none: it isn't to be sent.
    fn left(self) -> Option<Duration> {
        let now = Instant::now();
        (now <= self.begin_by).then(|| self.until - now)
    }
}

/// One connection after another.
#[derive(Default)]
struct Line {
    running: Mutex<Option<Arc<Running>>>,
}

impl Line {
    fn lock(&self) -> MutexGuard<'_, Option<Arc<Running>>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn put(&self, running: Arc<Running>) {
        *self.lock() = Some(running);
    }

    fn up(&self) -> Option<Arc<Running>> {
        self.lock().clone().filter(|running| running.is_up())
    }
}

pub(crate) struct Node {
    lines: Vec<Arc<Line>>,
    tasks: Vec<JoinHandle<()>>,
}

/// Whoever waits for an answer is told that it is lost.
impl Drop for Node {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
        self.give_up();
    }
}

impl Node {
    /// Connects, or says why that can't be done.
    pub(crate) async fn connect(recipe: Recipe) -> Result<Self, Error> {
        let mut first = Vec::with_capacity(recipe.connections);
        for _ in 0..recipe.connections {
            first.push(Some(connect(&recipe).await?));
        }
        Ok(Self::keep(&recipe, first))
    }

    /// Answers at once and connects in the background.
    pub(crate) fn connecting(recipe: &Recipe) -> Self {
        Self::keep(recipe, (0..recipe.connections).map(|_| None).collect())
    }

    fn keep(recipe: &Recipe, first: Vec<Option<(Arc<Running>, ConnectHandle)>>) -> Self {
        let lines: Vec<Arc<Line>> = first.iter().map(|_| Arc::default()).collect();
        let pairs = lines.iter().zip(first);
        let tasks = pairs.map(|(line, first)| {
            let running = first.map(|(running, task)| {
                line.put(running);
                task
            });
            tokio::spawn(keep(Arc::downgrade(line), recipe.clone(), running))
        });
        Self {
            tasks: tasks.collect(),
            lines,
        }
    }

    pub(crate) fn is_connected(&self) -> bool {
        self.lines.iter().any(|line| line.up().is_some())
    }

    /// Sends a command once; a script that the server has forgotten is loaded and then run.
    pub(crate) async fn call(&self, call: Call, command: Command) -> Result<Value, Fault> {
        let running = self.pick(call)?;
        let Some(script) = command.script else {
            return send(call, &running, command).await;
        };
        let again = command.clone();
        match send(call, &running, command).await {
            Err(fault) if fault.is("NOSCRIPT") => {
                let load = Command::plain("SCRIPT", &["LOAD", script.text]);
                send(call, &running, load).await?;
                send(call, &running, again).await
            }
            answer => answer,
        }
    }

    /// Ends all connections: the server is no longer the one that it was.
    pub(crate) fn give_up(&self) {
        for running in self.lines.iter().filter_map(|line| line.lock().take()) {
            running.end();
        }
    }

    fn pick(&self, call: Call) -> Result<Arc<Running>, Fault> {
        let count = self.lines.len();
        (0..count)
            .find_map(|turn| self.lines[(call.number + turn) % count].up())
            .ok_or_else(|| Fault::Unsent("not connected".to_owned()))
    }
}

async fn send(call: Call, running: &Running, command: Command) -> Result<Value, Fault> {
    let Some(left) = call.left() else {
        return Err(Fault::Unsent("no time was left to ask".to_owned()));
    };
    let options = Options {
        max_attempts: Some(1),
        timeout: Some(left),
        fail_fast: true,
        ..Options::default()
    };
    let name = CustomCommand::new_static(command.name, ClusterHash::FirstKey, false);
    let client = running.client.with_options(&options);
    let answer = client.custom::<Value, Value>(name, command.args).await;
    answer.map_err(|error| {
        let fault = Fault::of(&error);
        match fault {
            Fault::Lost(_) => running.end(),
            Fault::Unsent(_) | Fault::Refused(_) => {}
        }
        fault
    })
}

/// Connects again whenever a connection has ended. Tells of a loss once, and of its end.
async fn keep(line: Weak<Line>, recipe: Recipe, mut running: Option<ConnectHandle>) {
    let mut is_told = false;
    loop {
        let begun = Instant::now();
        if let Some(task) = running.take() {
            // How it ended was told to whoever waited for an answer.
            drop(task.await);
            // Also where a server takes connections and ends them at once.
            tokio::time::sleep_until(begun + CONNECT_EVERY).await;
        }
        let connected = connect(&recipe).await;
        let Some(line) = line.upgrade() else { return };
        match connected {
            Ok((connection, task)) => {
                line.put(connection);
                running = Some(task);
                if is_told {
                    tracing::info!("redis is back");
                    is_told = false;
                }
            }
            Err(error) => {
                if !is_told {
                    tracing::warn!(%error, "redis is lost; connecting until it is back");
                    is_told = true;
                }
                drop(line);
                tokio::time::sleep(CONNECT_EVERY).await;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: Duration = Duration::from_secs(2);

    #[tokio::test(start_paused = true)]
    async fn nothing_is_sent_when_too_little_time_is_left_for_its_answer() {
        let call = Call::begin(0, LIMIT);
        assert_eq!(call.left(), Some(LIMIT));
        tokio::time::advance(LIMIT * 3 / 4).await;
        assert_eq!(call.left(), Some(LIMIT / 4));
        tokio::time::advance(Duration::from_millis(1)).await;
        assert_eq!(call.left(), None);
    }
}
