//! Watches a transaction over as many connections as it takes.

use std::future::ready;
use std::pin::Pin;

use futures_util::future::BoxFuture;
use futures_util::{FutureExt, StreamExt, stream};
use hyper::body::Incoming;
use tokio::time::{Sleep, sleep};

use crate::client::Client;
use crate::error::Error;
use crate::gid::Gid;
use crate::sse::{SseEvent, said_by};
use crate::transport::Events;
use crate::view::{Event, Transaction};
use crate::words::EventKind;

/// The events of a transaction as they happen: each once, in their order.
///
/// ```no_run
/// # async fn tell(client: seata_client::Client, gid: seata_client::Gid) -> Result<(), seata_client::Error> {
/// let mut watch = client.watch(&gid);
/// while let Some(event) = watch.next().await {
///     let event = event?;
///     println!("{} {}", event.number, event.kind);
/// }
/// # Ok(())
/// # }
/// ```
pub struct Watch {
    client: Client,
    gid: Gid,
    last: Option<u64>,
    /// How many connections in turn ended without anything new.
    in_vain: u32,
    state: State,
}

/// Whatever a call waits for is kept here: one that is dropped meanwhile leaves it to the next. Thus it neither sends a
/// request again nor begins a pause again.
enum State {
    Connecting(BoxFuture<'static, Result<Events, Error>>),
    Connected(Events),
    /// The connection has ended, which may mean that all was told.
    Looking(BoxFuture<'static, Result<Looked, Error>>),
    /// There was nothing new: it is made again after this.
    Pausing(Pin<Box<Sleep>>),
    Ended,
}

/// What a transaction is, and its history.
type Looked = (Transaction, Vec<Event>);

impl std::fmt::Debug for Watch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Watch")
            .field("gid", &self.gid)
            .field("last", &self.last)
            .finish_non_exhaustive()
    }
}

impl Watch {
    pub(crate) fn new(client: Client, gid: Gid, last: Option<u64>) -> Self {
        let state = connecting(client.clone(), gid.clone(), last);
        Self {
            client,
            gid,
            last,
            in_vain: 0,
            state,
        }
    }

    /// Answers the number of the last event that was told: from there [`Client::watch_after`] goes on.
    #[must_use]
    pub const fn last(&self) -> Option<u64> {
        self.last
    }

    /// Waits for the next event; none once the transaction has ended. A connection that breaks off is made again, and
    /// goes on where the last one ended; an error means that it can't be, and ends the watch.
    ///
    /// It may be dropped at any time, as by `select!` or `timeout`: no event is lost, and the next call goes on with the same
    /// request or pause.
    pub async fn next(&mut self) -> Option<Result<Event, Error>> {
        loop {
            let step = match &mut self.state {
                State::Ended => return None,
                State::Connecting(events) => events.await.map(|events| {
                    self.state = State::Connected(events);
                }),
                State::Connected(events) => match events.next().await {
                    Some(Ok(event)) => match self.told(event) {
                        Some(event) => return Some(Ok(event)),
                        None => Ok(()),
                    },
                    Some(Err(error)) if !error.may_pass() => Err(error),
                    Some(Err(_)) | None => {
                        self.state = looking(self.client.clone(), self.gid.clone());
                        Ok(())
                    }
                },
                State::Looking(looked) => looked.await.map(|looked| self.looked(looked)),
                State::Pausing(pause) => {
                    pause.await;
                    self.state = connecting(self.client.clone(), self.gid.clone(), self.last);
                    Ok(())
                }
            };
            if let Err(error) = step {
                self.state = State::Ended;
                return Some(Err(error));
            }
        }
    }

    /// Takes an event, unless it was told before.
    fn told(&mut self, event: Event) -> Option<Event> {
        if self.last.is_some_and(|last| event.number <= last) {
            return None;
        }
        self.last = Some(event.number);
        self.in_vain = 0;
        if matches!(event.kind, EventKind::Committed | EventKind::Aborted) {
            self.state = State::Ended;
        }
        Some(event)
    }

    /// Goes on from what is there.
    fn looked(&mut self, (transaction, history): Looked) {
        let last = self.last;
        let missed = history
            .into_iter()
            .filter(move |event| last.is_none_or(|last| event.number > last))
            .map(Ok);
        let missed: Vec<_> = missed.collect();
        self.state = match (transaction.status.is_final(), missed.is_empty()) {
            (true, true) => State::Ended,
            (_, false) => State::Connected(stream::iter(missed).boxed()),
            (false, true) => {
                let pause = self.client.repeat().pause(self.in_vain);
                self.in_vain += 1;
                State::Pausing(Box::pin(sleep(pause)))
            }
        };
    }
}

fn connecting(client: Client, gid: Gid, last: Option<u64>) -> State {
    let events = async move {
        let watch = || client.transport().watch(&gid, last);
        client.repeat().run(watch).await
    };
    State::Connecting(events.boxed())
}

/// Looks whether there is more to come: a server may end a watch because it stops, or because there is nothing more.
fn looking(client: Client, gid: Gid) -> State {
    let looked = async move {
        // In this order: a history that is read after the end is complete.
        let transaction = client.get(&gid).await?;
        let history = client.events(&gid).await?;
        Ok((transaction, history))
    };
    State::Looking(looked.boxed())
}

/// Reads the events from the body of a watch.
pub(crate) fn events_of(body: Incoming) -> Events {
    said_by(body).filter_map(|said| ready(read(said))).boxed()
}

fn read(said: Result<SseEvent, Error>) -> Option<Result<Event, Error>> {
    match said {
        Ok(said) => event(said),
        Err(error) => Some(Err(error)),
    }
}

/// What a server says before it ends a watch too early.
pub(crate) const PROBLEM: &str = "problem";

/// Reads an event of the history: one with an id and without a name. What else a server may say is stepped over.
fn event(said: SseEvent) -> Option<Result<Event, Error>> {
    match said.event.as_deref() {
        None => {}
        Some(PROBLEM) => return Some(Err(Error::NoAnswer(said.data))),
        Some(_) => return None,
    }
    let number: u64 = said.id?.parse().ok()?;
    let read = serde_json::from_str(&said.data);
    Some(read.map_err(|error| Error::Unreadable(format!("event {number}: {error}"))))
}
