//! Connections and their pool: each call has one time limit, and a connection on which something was cut short is closed.
//!
//! sqlx has a pool of its own. It pings each connection when it comes back, one round trip per statement, and without a
//! limit: a server that freezes at that moment would use up the pool for good. This one sends nothing of its own while it
//! is in use, and gives back by a push into a list, so that a call may be dropped at any await.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use seata_store::StoreErrorKind;
use sqlx::postgres::{PgArguments, PgConnectOptions, PgConnection, PgRow, Postgres};
use sqlx::query::Query;
use sqlx::{ConnectOptions, Connection as _};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout_at};

use crate::error::{Effect, Failure, Fate};

/// A connection that was idle longer is asked whether it is still there before it is used.
const TRUSTED_IDLE_MAX: Duration = Duration::from_secs(1);

/// Older connections are not given back: so they spread anew over what a balancer has, and the server's memory for them
/// comes free.
const AGE_MAX: Duration = Duration::from_secs(30 * 60);

/// At most so many connections, made when they are needed.
#[derive(Clone)]
pub(crate) struct Pool {
    shared: Arc<Shared>,
}

struct Shared {
    server: PgConnectOptions,
    permits: Arc<Semaphore>,
    connections_max: usize,
    timeout: Duration,
    idle: Mutex<Vec<Idle>>,
}

struct Idle {
    live: PgConnection,
    opened_at: Instant,
    since: Instant,
}

impl Pool {
    pub(crate) fn new(server: PgConnectOptions, connections_max: u32, timeout: Duration) -> Self {
        let connections_max = usize::try_from(connections_max)
            .unwrap_or(1)
            .clamp(1, 10_000);
        Self {
            shared: Arc::new(Shared {
                server,
                permits: Arc::new(Semaphore::new(connections_max)),
                connections_max,
                timeout,
                idle: Mutex::default(),
            }),
        }
    }

    /// Answers until when a call may take that begins now.
    pub(crate) fn deadline(&self) -> Instant {
        Instant::now() + self.shared.timeout
    }

    /// Takes a connection for one call, whose time limit begins now.
    pub(crate) async fn take(&self) -> Result<Connection, Failure> {
        self.take_until(self.deadline()).await
    }

    /// Takes a connection for a call that ends then. Fails while a quarter of the time is left: what is sent later seldom has
    /// its answer heard, and a claim of that kind leases what nobody drives.
    pub(crate) async fn take_until(&self, deadline: Instant) -> Result<Connection, Failure> {
        let begin_by = deadline - self.shared.timeout / 4;
        if begin_by < Instant::now() {
            let why = "no time was left for it: look at the server's load";
            return Err(Failure::new(StoreErrorKind::Unavailable, why));
        }
        let permit = timeout_at(begin_by, Arc::clone(&self.shared.permits).acquire_owned()).await;
        let Ok(Ok(permit)) = permit else {
            let why = format!(
                "all {} connections are busy: look at the server's load",
                self.shared.connections_max
            );
            return Err(Failure::new(StoreErrorKind::Unavailable, why));
        };
        let (live, opened_at) = match self.idle(begin_by).await {
            Some(idle) => (idle.live, idle.opened_at),
            None => (self.connect(begin_by).await?, Instant::now()),
        };
        Ok(Connection {
            live: Some(live),
            opened_at,
            deadline,
            pool: Arc::clone(&self.shared),
            _permit: permit,
        })
    }

    /// Answers an idle connection that is still there, the last used first.
    async fn idle(&self, deadline: Instant) -> Option<Idle> {
        loop {
            let mut idle = self.shared.idle().pop()?;
            if idle.since.elapsed() < TRUSTED_IDLE_MAX {
                return Some(idle);
            }
            match timeout_at(deadline, idle.live.ping()).await {
                Ok(Ok(())) => return Some(idle),
                Ok(Err(_)) | Err(_) => self.shared.close_idle(),
            }
        }
    }

    async fn connect(&self, deadline: Instant) -> Result<PgConnection, Failure> {
        match timeout_at(deadline, self.shared.server.connect()).await {
            Ok(Ok(live)) => Ok(live),
            Ok(Err(error)) => Err(Failure::connecting(&error)),
            Err(_) => {
                let why = "no connection within the time limit: check that the server runs, and host and port in SEATA_POSTGRES_DSN";
                Err(Failure::new(StoreErrorKind::Unavailable, why))
            }
        }
    }
}

impl Shared {
    fn idle(&self) -> MutexGuard<'_, Vec<Idle>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn close_idle(&self) {
        drop(std::mem::take(&mut *self.idle()));
    }
}

/// A connection for one call. Dropped, it goes back, or is closed if its last statement was cut short.
pub(crate) struct Connection {
    live: Option<PgConnection>,
    opened_at: Instant,
    deadline: Instant,
    pool: Arc<Shared>,
    // Held until the connection is back or closed.
    _permit: OwnedSemaphorePermit,
}

impl Connection {
    /// Sends one statement, a transaction of its own, and answers its rows.
    pub(crate) async fn fetch(
        &mut self,
        query: Query<'_, Postgres, PgArguments>,
        effect: Effect,
    ) -> Result<Vec<PgRow>, Failure> {
        // Taken out, so that whatever ends this future early drops the connection, and with it the socket.
        let Some(mut live) = self.live.take() else {
            let why = "the connection broke at an earlier statement of this call";
            return Err(Failure::new(StoreErrorKind::Unavailable, why));
        };
        match timeout_at(self.deadline, query.fetch_all(&mut live)).await {
            Ok(Ok(rows)) => {
                self.live = Some(live);
                Ok(rows)
            }
            Ok(Err(error)) => {
                let failure = Failure::of(&error, effect);
                match failure.fate {
                    Fate::Kept => self.live = Some(live),
                    Fate::Closed => {}
                    Fate::AllClosed => self.pool.close_idle(),
                }
                Err(failure)
            }
            Err(_) => Err(Failure::silence(effect)),
        }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        if let Some(live) = self.live.take()
            && self.opened_at.elapsed() < AGE_MAX
        {
            self.pool.idle().push(Idle {
                live,
                opened_at: self.opened_at,
                since: Instant::now(),
            });
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    const LIMIT: Duration = Duration::from_secs(2);

    /// A claim that is sent with no time left leases what nobody hears of.
    #[tokio::test(start_paused = true)]
    async fn the_wait_for_a_connection_leaves_time_to_use_it() {
        let pool = Pool::new(PgConnectOptions::new_without_pgpass(), 1, LIMIT);
        let busy = Arc::clone(&pool.shared.permits).acquire_owned().await;
        let begun = Instant::now();
        let failure = pool.take().await.map(drop).unwrap_err();
        assert_eq!(failure.kind, StoreErrorKind::Unavailable);
        assert_eq!(begun.elapsed(), LIMIT * 3 / 4);
        drop(busy);
    }
}
