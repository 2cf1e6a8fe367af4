//! Follows one transaction: what the client doesn't know of its history, then each event as it comes, whichever
//! server drives it.
//!
//! What is driven here is told by the engine at once; what is driven elsewhere is looked for in the store. Only
//! appended events are told, each once and in order.

use std::time::Duration;

use futures_util::Stream;
use futures_util::stream::unfold;
use seata_core::{Event, Gid};
use seata_engine::{Change, Changes, Engine, Lagged, Snapshot};
use tokio::sync::watch;

use crate::code::ErrorCode;
use crate::problem::{Detail, Problem};
use crate::service::{Life, Service};

/// How often the store is asked about a transaction that may be driven elsewhere.
const LOOK: Duration = Duration::from_millis(500);

/// Some events that are new to the client, at least one.
#[derive(Debug, Clone)]
pub struct Watched {
    /// The transaction as of the last of them, or later.
    pub snapshot: Snapshot,
    /// The events, in order.
    pub events: Vec<Event>,
}

/// A client's place in the history of one transaction.
pub struct Watch {
    engine: Engine,
    gid: Gid,
    /// The number of the last event that was told.
    told: u32,
    changes: Changes,
    life: watch::Receiver<Life>,
    /// What was read and not told yet.
    ready: Option<Watched>,
    rest: Rest,
}

/// What may follow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rest {
    /// More events.
    Open,
    /// Nothing: the transaction has ended, the server stops, or the record can't be read.
    Over,
}

impl Service {
    /// Follows a transaction behind the event with this number; 0: from its beginning. The history is read before this
    /// answers, so that what fails at once is told properly.
    ///
    /// # Errors
    /// No such transaction, no such event in it, no room for watchers, or the store does not answer.
    pub async fn watch(&self, gid: Gid, behind: u32) -> Result<Watch, Problem> {
        // Before the history is read, so that nothing falls between.
        let changes = self.engine().watch().map_err(Problem::from);
        let mut watch = Watch {
            engine: self.engine().clone(),
            changes: changes.map_err(|problem| problem.of(&gid))?,
            gid,
            told: behind,
            life: self.life(),
            ready: None,
            rest: Rest::Open,
        };
        let (snapshot, events) = watch.history().await?;
        let last = events.last().map_or(0, |event| event.number);
        if behind > last {
            return Err(beyond(behind, last).of(&watch.gid));
        }
        watch.ready = watch.news(snapshot, events);
        Ok(watch)
    }
}

/// A client's place in the stream of all that this server drives.
pub struct WatchAll {
    changes: Changes,
    life: watch::Receiver<Life>,
}

impl Service {
    /// Follows all that this server drives, from now on.
    ///
    /// # Errors
    /// No room for watchers.
    pub fn watch_all(&self) -> Result<WatchAll, Problem> {
        Ok(WatchAll {
            changes: self.engine().watch().map_err(Problem::from)?,
            life: self.life(),
        })
    }
}

impl WatchAll {
    /// Waits for the next change. None: this server stops.
    ///
    /// # Errors
    /// The client was too slow: so many changes were left out, and what follows is complete again.
    pub async fn next(&mut self) -> Option<Result<Change, Lagged>> {
        tokio::select! {
            biased;
            _ = self.life.wait_for(|life| *life == Life::Stopping) => None,
            change = self.changes.next() => change,
        }
    }
}

impl Watch {
    /// Waits for events that the client doesn't know. None: no more will come, since the transaction has ended and all
    /// was told, or this server stops.
    ///
    /// # Errors
    /// The record is gone or can't be read, or the store does not answer. Nothing follows; a client may come again and
    /// go on behind the last event that it knows.
    pub async fn next(&mut self) -> Option<Result<Watched, Problem>> {
        loop {
            if let Some(watched) = self.ready.take() {
                return Some(Ok(watched));
            }
            match self.rest {
                Rest::Over => return None,
                Rest::Open => {}
            }
            self.change().await;
            match self.look().await {
                Ok(watched) => self.ready = watched,
                Err(problem) => {
                    self.rest = Rest::Over;
                    return Some(Err(problem));
                }
            }
        }
    }

    /// Makes a stream of it.
    pub fn into_stream(self) -> impl Stream<Item = Result<Watched, Problem>> + Send + 'static {
        unfold(self, async |mut watch| {
            let next = watch.next().await?;
            Some((next, watch))
        })
    }

    /// Waits until it may have been appended to.
    async fn change(&mut self) {
        let gid = self.gid.clone();
        let changes = &mut self.changes;
        let appended = async move {
            loop {
                match changes.next().await {
                    Some(Ok(change)) if change.gid != gid => {}
                    // Of those that were dropped, one may be it.
                    Some(Ok(_) | Err(_)) | None => return,
                }
            }
        };
        tokio::select! {
            biased;
            _ = self.life.wait_for(|life| *life == Life::Stopping) => self.rest = Rest::Over,
            () = appended => {}
            () = tokio::time::sleep(LOOK) => {}
        }
    }

    /// Reads what was appended behind what was told.
    async fn look(&mut self) -> Result<Option<Watched>, Problem> {
        let (snapshot, events) = self.history().await?;
        Ok(self.news(snapshot, events))
    }

    async fn history(&self) -> Result<(Snapshot, Vec<Event>), Problem> {
        let history = self.engine.history(&self.gid).await;
        history.map_err(|error| Problem::of_reading(error).of(&self.gid))
    }

    /// Leaves of a history what was not told yet.
    fn news(&mut self, snapshot: Snapshot, mut events: Vec<Event>) -> Option<Watched> {
        if snapshot.status().is_final() {
            self.rest = Rest::Over;
        }
        events.retain(|event| event.number > self.told);
        self.told = events.last()?.number;
        Some(Watched { snapshot, events })
    }
}

/// Refuses a number that no event of this transaction has: nothing would come for long, or ever.
fn beyond(behind: u32, last: u32) -> Problem {
    let text = format_args!(
        "event {behind} is beyond the history, which ends with event {last}: send the number of the last event that came"
    );
    Problem::new(ErrorCode::InvalidRequest, text).with("last_event", Detail::Count(last.into()))
}
