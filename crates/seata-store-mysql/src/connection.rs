//! Connections: lent out, limited in number and time, and never used again after something on them was cut short.
//!
//! sqlx's own pool sends a ping when a connection comes back, and lends one again on which a call was dropped in the
//! middle. This one closes such a socket, so that neither a frozen server nor an impatient caller uses it up.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::TryStreamExt;
use seata_store::StoreError;
use sqlx::mysql::{MySqlConnectOptions, MySqlConnection, MySqlRow};
use sqlx::{AssertSqlSafe, ConnectOptions, Either};
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::{Instant, timeout_at};

use crate::error::{self, Fault, fault, is_worth_keeping};

/// The server ends a session that says nothing for so long, and sets its rows free: a coordinator may be suspended in
/// the middle of a claim. MariaDB is told a shorter time for open transactions.
pub(crate) const IDLE_SECS_MAX: u64 = 10;

/// A connection that lay idle for longer is not used again: the server may be about to end it.
const IDLE_MAX: Duration = Duration::from_secs(IDLE_SECS_MAX / 2);

/// Who sends the next packet only after this long no longer holds rows, in seconds (MariaDB).
const IDLE_TRANSACTION_SECS_MAX: u64 = 2;

/// How long a statement waits for a lock, of a row or of the table, in seconds: less than a call may take.
const LOCK_WAIT_SECS_MAX: u64 = 1;

/// What must not be as a server's administrator likes it, while tables are made and while they are used: each statement
/// commits by itself, a commit begins nothing behind it, and no row of an answer is left out.
pub(crate) const PLAIN: &str = "SET SESSION autocommit = 1, completion_type = 'NO_CHAIN', \
                                sql_select_limit = 18446744073709551615, unique_checks = 1";

/// Answers what each session sets, so that no default of the server has a say.
pub(crate) fn session(has_idle_transaction_timeout: IdleTransactionTimeout) -> String {
    let idle = match has_idle_transaction_timeout {
        IdleTransactionTimeout::Known => {
            format!(", idle_transaction_timeout = {IDLE_TRANSACTION_SECS_MAX}")
        }
        IdleTransactionTimeout::Unknown => String::new(),
    };
    format!(
        "{PLAIN}; SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED; \
         SET SESSION sql_mode = 'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION', time_zone = '+00:00', \
         innodb_lock_wait_timeout = {LOCK_WAIT_SECS_MAX}, lock_wait_timeout = {LOCK_WAIT_SECS_MAX}, \
         wait_timeout = {IDLE_SECS_MAX}{idle}"
    )
}

/// Whether the server can end transactions that do nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum IdleTransactionTimeout {
    Known,
    Unknown,
}

/// Connects, without any setting of ours.
pub(crate) async fn connect(options: &MySqlConnectOptions) -> Result<MySqlConnection, StoreError> {
    const DOING: &str = "connecting to MySQL";
    options.connect().await.map_err(|error| {
        let at = format!("{}:{}", options.get_host(), options.get_port());
        let advice = match fault(&error) {
            Fault::Wrong | Fault::Unfit => {
                "change user, password, database or TLS in SEATA_MYSQL_DSN"
            }
            Fault::Conflict
            | Fault::Duplicate
            | Fault::Interrupted
            | Fault::Held
            | Fault::Refused
            | Fault::Damaged
            | Fault::Lost => "check that the server runs there and takes connections",
        };
        let failed = error::failed(DOING, &error, error::Chance::None);
        StoreError::new(failed.kind, DOING, format!("{error}; {advice} ({at})"))
    })
}

/// What one statement of a packet answered.
#[derive(Debug, Default)]
pub(crate) struct Answer {
    /// How many rows it wrote, or found as they were to be.
    pub(crate) rows_affected: u64,
    pub(crate) rows: Vec<MySqlRow>,
}

/// A packet that was not answered whole.
#[derive(Debug)]
pub(crate) struct Broken {
    /// How many of its statements were.
    pub(crate) answered: usize,
    pub(crate) error: sqlx::Error,
}

/// What a packet does to transactions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Span {
    /// Nothing: each statement is its own.
    Statements,
    /// It begins one and ends it.
    Transaction,
    /// It begins one; the next packet ends it.
    Begins,
}

/// Lends connections.
pub(crate) struct Pool {
    options: MySqlConnectOptions,
    session: String,
    permits: Semaphore,
    idle: Mutex<Vec<(MySqlConnection, Instant)>>,
    timeout: Duration,
}

impl Pool {
    pub(crate) fn new(
        options: MySqlConnectOptions,
        session: String,
        connections_max: u32,
        timeout: Duration,
    ) -> Self {
        let connections_max = usize::try_from(connections_max.max(1)).unwrap_or(usize::MAX);
        Self {
            options,
            session,
            permits: Semaphore::new(connections_max.min(Semaphore::MAX_PERMITS)),
            idle: Mutex::default(),
            timeout,
        }
    }

    fn idle(&self) -> MutexGuard<'_, Vec<(MySqlConnection, Instant)>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Answers the connection that was used last; older ones that lay too long are closed.
    fn take_idle(&self) -> Option<MySqlConnection> {
        let mut idle = self.idle();
        idle.retain(|(_, since)| since.elapsed() < IDLE_MAX);
        idle.pop().map(|(connection, _)| connection)
    }

    /// Lends a connection until all of a call's time is over. Fails while a quarter of it is left: what is sent later seldom
    /// has its answer heard, and a claim of that kind leases what nobody drives.
    pub(crate) async fn lend(&self, doing: &'static str) -> Result<Lent<'_>, StoreError> {
        let deadline = Instant::now() + self.timeout;
        let begin_by = deadline - self.timeout / 4;
        let late = |_| error::unavailable(doing, self.late("no free connection"));
        let permit = timeout_at(begin_by, self.permits.acquire())
            .await
            .map_err(late)?
            .map_err(|error| error::unavailable(doing, error))?;
        let connection = match self.take_idle() {
            Some(connection) => connection,
            None => timeout_at(begin_by, self.connect()).await.map_err(late)??,
        };
        Ok(Lent {
            pool: self,
            connection: Some(connection),
            state: State::Ready,
            deadline,
            _permit: permit,
        })
    }

    async fn connect(&self) -> Result<MySqlConnection, StoreError> {
        let mut connection = connect(&self.options).await?;
        run(&mut connection, self.session.clone())
            .await
            .map_err(|broken| {
                error::failed("setting up a session", &broken.error, error::Chance::None)
            })?;
        Ok(connection)
    }

    fn late(&self, what: &str) -> String {
        format!("{what} within {} ms", self.timeout.as_millis())
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Nothing is under way.
    Ready,
    /// A transaction is open.
    Open,
    /// A packet is under way, or was cut short.
    Busy,
}

/// A connection for one call. If it is dropped while anything is open, its socket is closed.
pub(crate) struct Lent<'pool> {
    pool: &'pool Pool,
    connection: Option<MySqlConnection>,
    state: State,
    deadline: Instant,
    _permit: SemaphorePermit<'pool>,
}

impl Lent<'_> {
    /// Sends statements as one packet, and answers each.
    pub(crate) async fn send(&mut self, text: String, span: Span) -> Result<Vec<Answer>, Broken> {
        let Some(connection) = self.connection.as_mut() else {
            return Err(Broken::at(0, std::io::ErrorKind::NotConnected.into()));
        };
        if self.state == State::Busy {
            return Err(Broken::at(0, std::io::ErrorKind::NotConnected.into()));
        }
        self.state = State::Busy;
        let sent = timeout_at(self.deadline, run(connection, text)).await;
        let sent = sent.unwrap_or_else(|_| {
            let late = self.pool.late("no answer");
            Err(Broken::at(
                0,
                std::io::Error::new(std::io::ErrorKind::TimedOut, late),
            ))
        });
        self.state = match &sent {
            Ok(_) => match span {
                Span::Statements | Span::Transaction => State::Ready,
                Span::Begins => State::Open,
            },
            Err(broken) if is_worth_keeping(&broken.error) => match span {
                Span::Statements => State::Ready,
                Span::Transaction | Span::Begins => State::Open,
            },
            Err(broken) => {
                if !broken.is_late() {
                    // The server is gone: what lies idle was connected to the same.
                    self.pool.idle().clear();
                }
                State::Busy
            }
        };
        sent
    }

    /// Ends a transaction that was left open by an error. If that fails, the connection is closed, and the server ends it.
    pub(crate) async fn roll_back(&mut self) {
        if self.state == State::Open {
            let _ = self.send("ROLLBACK".to_owned(), Span::Transaction).await;
        }
    }
}

impl Drop for Lent<'_> {
    fn drop(&mut self) {
        if let (State::Ready, Some(connection)) = (self.state, self.connection.take()) {
            self.pool.idle().push((connection, Instant::now()));
        }
    }
}

impl Broken {
    fn at(answered: usize, error: std::io::Error) -> Self {
        Self {
            answered,
            error: sqlx::Error::Io(error),
        }
    }

    fn is_late(&self) -> bool {
        matches!(&self.error, sqlx::Error::Io(error) if error.kind() == std::io::ErrorKind::TimedOut)
    }
}

/// The text is built by `text` and `batch` alone, of numbers, hexadecimal and gids.
pub(crate) async fn run(
    connection: &mut MySqlConnection,
    text: String,
) -> Result<Vec<Answer>, Broken> {
    let mut answers = Vec::new();
    let mut rows = Vec::new();
    let mut stream = sqlx::raw_sql(AssertSqlSafe(text)).fetch_many(connection);
    loop {
        match stream.try_next().await {
            Ok(Some(Either::Right(row))) => rows.push(row),
            Ok(Some(Either::Left(done))) => answers.push(Answer {
                rows_affected: done.rows_affected(),
                rows: std::mem::take(&mut rows),
            }),
            Ok(None) => return Ok(answers),
            Err(error) => {
                return Err(Broken {
                    answered: answers.len(),
                    error,
                });
            }
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use seata_store::StoreErrorKind;

    use super::*;

    const LIMIT: Duration = Duration::from_secs(2);

    #[tokio::test(start_paused = true)]
    async fn the_wait_for_a_connection_leaves_time_to_use_it() {
        let pool = Pool::new(MySqlConnectOptions::new(), String::new(), 1, LIMIT);
        let busy = pool.permits.acquire().await.unwrap();
        let begun = Instant::now();
        let failure = pool.lend("asking").await.map(drop).unwrap_err();
        assert_eq!(failure.kind, StoreErrorKind::Unavailable);
        assert_eq!(begun.elapsed(), LIMIT * 3 / 4);
        drop(busy);
    }
}
