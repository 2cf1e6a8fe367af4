//! Watches all transactions that one server drives.

use std::future::ready;
use std::pin::Pin;

use futures_util::future::BoxFuture;
use futures_util::{FutureExt, StreamExt};
use hyper::body::Incoming;
use serde_json::Value;
use tokio::time::{Sleep, sleep};

use crate::client::Client;
use crate::error::{Error, ErrorCode, Refusal};
use crate::requests::FeedQuery;
use crate::sse::{SseEvent, said_by};
use crate::transport::Changes;
use crate::view::Change;
use crate::watch::PROBLEM;

/// What a server says first.
const SCOPE: &str = "scope";

/// What a server says to a watcher that fell too far behind.
const CUT: &str = "cut";

/// The changes of all transactions, as a server appends them.
pub struct Feed {
    client: Client,
    /// Its `behind` is the last change that was told.
    query: FeedQuery,
    /// How many connections in turn ended without anything new.
    in_vain: u32,
    state: State,
}

/// Whatever a call waits for is kept here: one that is dropped meanwhile leaves it to the next. Thus it neither sends a
/// request again nor begins a pause again.
enum State {
    Connecting(BoxFuture<'static, Result<Changes, Error>>),
    Connected(Changes),
    /// The connection has ended: it is made again after this.
    Pausing(Pin<Box<Sleep>>),
    Ended,
}

impl std::fmt::Debug for Feed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Feed")
            .field("query", &self.query)
            .finish_non_exhaustive()
    }
}

impl Feed {
    pub(crate) fn new(client: Client, query: FeedQuery) -> Self {
        let state = connecting(client.clone(), query.clone());
        Self {
            client,
            query,
            in_vain: 0,
            state,
        }
    }

    /// Waits for the next change. A connection that breaks off is made again, and goes on where the last one ended. An
    /// error ends the feed; with [`ErrorCode::EventsGone`] some changes were missed: look at [`Client::list`], then watch
    /// anew.
    ///
    /// It may be dropped at any time, as by `select!` or `timeout`: no change is lost, and the next call goes on with the same
    /// request or pause.
    pub async fn next(&mut self) -> Option<Result<Change, Error>> {
        loop {
            let step = match &mut self.state {
                State::Ended => return None,
                State::Connecting(changes) => changes.await.map(|changes| {
                    self.state = State::Connected(changes);
                }),
                State::Connected(changes) => match changes.next().await {
                    Some(Ok(told)) => match self.told(told) {
                        Some(change) => return Some(Ok(change)),
                        None => Ok(()),
                    },
                    Some(Err(error)) if !error.may_pass() => Err(error),
                    Some(Err(_)) | None => {
                        self.pause();
                        Ok(())
                    }
                },
                State::Pausing(pause) => {
                    pause.await;
                    self.state = connecting(self.client.clone(), self.query.clone());
                    Ok(())
                }
            };
            if let Err(error) = step {
                self.state = State::Ended;
                return Some(Err(error));
            }
        }
    }

    /// Notes how far the feed has come.
    fn told(&mut self, told: Told) -> Option<Change> {
        let (behind, change) = match told {
            Told::Begins { id } => (id, None),
            Told::Change(change) => (change.id.clone(), Some(change)),
        };
        self.query.behind = Some(behind);
        if change.is_some() {
            self.in_vain = 0;
        }
        change
    }

    fn pause(&mut self) {
        let pause = self.client.repeat().pause(self.in_vain);
        self.in_vain += 1;
        self.state = State::Pausing(Box::pin(sleep(pause)));
    }
}

fn connecting(client: Client, query: FeedQuery) -> State {
    let changes = async move {
        let watch = || client.transport().watch_all(&query);
        client.repeat().run(watch).await
    };
    State::Connecting(changes.boxed())
}

/// What a connection tells.
pub(crate) enum Told {
    /// From here on: what is lost before the first change can be told again.
    Begins {
        /// The place in the feed.
        id: String,
    },
    /// A change.
    Change(Change),
}

/// Reads the changes from the body of a watch of all.
pub(crate) fn changes_of(body: Incoming) -> Changes {
    let read = |said: Result<SseEvent, Error>| match said {
        Ok(said) => change(said),
        Err(error) => Some(Err(error)),
    };
    said_by(body)
        .filter_map(move |said| ready(read(said)))
        .boxed()
}

fn change(said: SseEvent) -> Option<Result<Told, Error>> {
    match said.event.as_deref() {
        None => {}
        Some(CUT) => return Some(Err(gone(&said.data))),
        Some(PROBLEM) => return Some(Err(Error::NoAnswer(said.data))),
        Some(SCOPE) => return said.id.map(|id| Ok(Told::Begins { id })),
        Some(_) => return None,
    }
    let id = said.id?;
    Some(match serde_json::from_str::<Change>(&said.data) {
        Ok(change) => Ok(Told::Change(Change { id, ..change })),
        Err(error) => Err(Error::Unreadable(format!("change {id}: {error}"))),
    })
}

fn gone(data: &str) -> Error {
    Error::Refused(Box::new(Refusal {
        code: ErrorCode::EventsGone,
        message: "this watch fell too far behind: changes were missed".to_owned(),
        details: serde_json::from_str(data).unwrap_or(Value::Null),
        retry_after: None,
    }))
}
