//! Calls over plain HTTP/1.1, on connections that are kept for the next call to the same host and port.
//!
//! A request is written once. It goes out on a kept connection only if the peer hasn't closed that one as far as anybody
//! here can know, and else on a fresh one; what was written, even in part, is never written again (P8).

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Uri};
use http_body_util::Full;
use hyper_util::client::legacy::connect::HttpConnector;
use tokio::time::{Instant, sleep};
use tower::ServiceExt;

use crate::answer::Said;
use crate::config::ExecutorConfig;
use crate::connection::{Connection, Silence};
use crate::connector::{Bounded, tcp};
use crate::names::Names;
use crate::silence;

/// Connections to participants, by host and port.
pub(crate) struct Pool {
    connector: Bounded<HttpConnector<Names>>,
    idle: Arc<Idle>,
    answer_bytes_max: usize,
}

impl Pool {
    pub(crate) fn new(config: &ExecutorConfig, names: Names) -> Self {
        Self {
            connector: Bounded::new(tcp(config, names), config.connect_timeout),
            idle: Arc::new(Idle {
                rests: Mutex::default(),
                all_max: config.calls_in_flight_max,
                each_max: config.calls_in_flight_per_destination_max,
                lasts: config.pool_idle_timeout,
            }),
            answer_bytes_max: config.answer_bytes_max,
        }
    }

    /// Sends a request, notes the status of its answer as soon as it comes, and reads the rest.
    ///
    /// # Errors
    /// Says for a person why no answer came. Whether the participant got the request is then unknown.
    pub(crate) async fn exchange(
        &self,
        authority: &str,
        request: Request<Full<Bytes>>,
        said: &mut Option<Said>,
    ) -> Result<(), String> {
        let mut request = request;
        while let Some(mut kept) = self.idle.take(authority) {
            match kept.exchange(request, self.answer_bytes_max, said).await {
                Ok(()) => {
                    self.idle.keep(authority, kept);
                    return Ok(());
                }
                // The peer closed it under our hands, before the first byte.
                Err(Silence {
                    unsent: Some(unsent),
                    ..
                }) => request = unsent,
                Err(Silence { why, unsent: None }) => return Err(why),
            }
        }
        let mut fresh = Box::pin(self.connect(authority)).await?;
        let answered = fresh.exchange(request, self.answer_bytes_max, said).await;
        answered.map_err(|silence| silence.why)?;
        self.idle.keep(authority, fresh);
        Ok(())
    }

    async fn connect(&self, authority: &str) -> Result<Connection, String> {
        let uri = Uri::builder()
            .scheme("http")
            .authority(authority)
            .path_and_query("/")
            .build()
            .map_err(|error| format!("the endpoint can't be called: {error}"))?;
        let stream = self.connector.clone().oneshot(uri).await;
        let stream = stream.map_err(|error| silence::of_connecting(&*error))?;
        Connection::begin(stream).await
    }
}

/// Connections that nobody uses.
struct Idle {
    rests: Mutex<Rests>,
    all_max: usize,
    each_max: usize,
    lasts: Duration,
}

#[derive(Default)]
struct Rests {
    /// Only the sweep takes an entry out: as long as there is one, a sweep is under way.
    by_authority: HashMap<Box<str>, Vec<Resting>>,
    /// How many there are in all.
    count: usize,
}

struct Resting {
    connection: Connection,
    until: Instant,
}

impl Idle {
    /// Takes the connection that was used last, of those that can still be used.
    fn take(&self, authority: &str) -> Option<Connection> {
        loop {
            let mut resting = self.lock().take(authority)?;
            if Instant::now() < resting.until && resting.connection.is_idle() {
                return Some(resting.connection);
            }
        }
    }

    /// Keeps a connection for the next call, if it can be used again and there is room for its destination.
    fn keep(self: &Arc<Self>, authority: &str, mut connection: Connection) {
        if !connection.is_idle() {
            return;
        }
        let resting = Resting {
            connection,
            until: Instant::now() + self.lasts,
        };
        let mut rests = self.lock();
        let known = rests.by_authority.get(authority).map_or(0, Vec::len);
        if known >= self.each_max {
            return;
        }
        if rests.count >= self.all_max {
            rests.make_room();
        }
        if rests.by_authority.is_empty() {
            tokio::spawn(sweep(Arc::downgrade(self), self.lasts));
        }
        if let Some(kept) = rests.by_authority.get_mut(authority) {
            kept.push(resting);
        } else {
            rests.by_authority.insert(authority.into(), vec![resting]);
        }
        rests.count += 1;
    }

    fn lock(&self) -> MutexGuard<'_, Rests> {
        self.rests.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Rests {
    fn take(&mut self, authority: &str) -> Option<Resting> {
        let taken = self.by_authority.get_mut(authority)?.pop()?;
        self.count -= 1;
        Some(taken)
    }

    /// Closes one of any, the one that was used first.
    fn make_room(&mut self) {
        let mut kept = self.by_authority.values_mut();
        if let Some(kept) = kept.find(|kept| !kept.is_empty()) {
            kept.remove(0);
            self.count -= 1;
        }
    }

    /// Closes what has rested for too long. Answers whether anything is left.
    fn expire(&mut self, now: Instant) -> Left {
        self.by_authority.retain(|_, resting| {
            resting.retain(|resting| now < resting.until);
            !resting.is_empty()
        });
        self.count = self.by_authority.values().map(Vec::len).sum();
        match self.count {
            0 => Left::Nothing,
            1.. => Left::Some,
        }
    }
}

enum Left {
    Some,
    Nothing,
}

/// Closes connections that nobody comes back for, as long as there are any.
async fn sweep(idle: Weak<Idle>, every: Duration) {
    loop {
        sleep(every).await;
        match idle
            .upgrade()
            .map(|idle| idle.lock().expire(Instant::now()))
        {
            Some(Left::Some) => {}
            Some(Left::Nothing) | None => return,
        }
    }
}
