//! `/api/watch`: what this server appends, as it happens.

use std::sync::Arc;

use axum::extract::Request;
use futures_util::stream::unfold;
use seata_core::{Mode, Status};
use seata_engine::{Change, Changes};
use seata_service::{ErrorCode, Problem};
use serde::Serialize;
use serde_json::json;

use crate::api::Api;
use crate::endpoint::Answer;
use crate::feed::{Found, Place};
use crate::query::Query;
use crate::{read, sse};

/// All that the query may hold.
const PARAMETERS: [&str; 2] = ["status", "mode"];

/// Answers each change, from now on or behind the one that the client has seen last.
pub(super) async fn feed(api: Arc<Api>, request: Request) -> Answer {
    let wanted = wanted(&Query::parse(request.uri().query())?.only(&PARAMETERS)?)?;
    let behind = sse::last_event_id(request.headers())?
        .map(|text| Place::parse(text).ok_or_else(sse::not_ours))
        .transpose()?;
    api.serves()?;
    // Before it looks, so that nothing falls between.
    let changes = api.service.engine().watch().map_err(Problem::from)?;
    let last = api
        .feed
        .begin(api.service.engine())
        .map_err(Problem::from)?;
    if let Some(behind) = behind
        && let Found::Gone { resume } = api.feed.behind(behind)
    {
        return Err(gone(resume));
    }
    let watcher = Watcher {
        told: behind.unwrap_or(last),
        api,
        changes,
        wanted,
        state: State::Begins,
    };
    Ok(sse::respond(unfold(watcher, Watcher::step)))
}

/// Which changes a client wants to be told of.
struct Wanted {
    /// In these states; none: in any.
    status: Vec<Status>,
    mode: Option<Mode>,
}

fn wanted(query: &Query) -> Result<Wanted, Problem> {
    Ok(Wanted {
        status: query
            .get("status")?
            .map_or(Ok(Vec::new()), read::statuses)?,
        mode: query.get("mode")?.map(read::mode).transpose()?,
    })
}

impl Wanted {
    fn takes(&self, change: &Change) -> bool {
        let status = self.status.is_empty() || self.status.contains(&change.status);
        status && self.mode.is_none_or(|mode| mode == change.mode)
    }
}

fn gone(resume: Place) -> Problem {
    let text = format_args!(
        "the changes behind this event are no longer kept here: look at GET /api/tx, then watch without last-event-id, or from {resume}"
    );
    Problem::new(ErrorCode::EventsGone, text)
}

enum State {
    Begins,
    Follows,
    Over,
}

/// A client's place in the feed.
struct Watcher {
    api: Arc<Api>,
    /// Tells when to look.
    changes: Changes,
    told: Place,
    wanted: Wanted,
    state: State,
}

impl Watcher {
    /// Answers the next piece of the stream; none: it is over.
    async fn step(mut self) -> Option<(String, Self)> {
        match self.state {
            State::Begins => {
                self.state = State::Follows;
                Some((self.scope(), self))
            }
            State::Follows => {
                let piece = self.follow().await?;
                Some((piece, self))
            }
            State::Over => None,
        }
    }

    /// Says first what is told, and from where on.
    fn scope(&self) -> String {
        let words =
            "what the server that answers appends, which is not all if several share a store";
        let data = json!({"tells": words, "version": self.api.config.version});
        let mut text = String::new();
        sse::write(&mut text, self.told, Some("scope"), &data);
        text
    }

    /// Waits for changes that the client wants.
    async fn follow(&mut self) -> Option<String> {
        loop {
            match self.api.feed.behind(self.told) {
                Found::Gone { resume } => {
                    self.state = State::Over;
                    return Some(self.cut(resume));
                }
                Found::Changes(changes) if changes.is_empty() => self.change().await?,
                Found::Changes(changes) => {
                    let text = self.tell(&changes);
                    if !text.is_empty() {
                        return Some(text);
                    }
                }
            }
        }
    }

    fn tell(&mut self, changes: &[(Place, Change)]) -> String {
        let mut text = String::new();
        for (place, change) in changes {
            self.told = *place;
            if self.wanted.takes(change) {
                sse::write(&mut text, place, None, &ChangeJson::new(change));
            }
        }
        text
    }

    /// Says that the client was too slow, and where it may go on.
    fn cut(&self, resume: Place) -> String {
        let words = "changes were dropped since they were not read in time: look at GET /api/tx, then go on behind `resume`";
        let data = json!({"reason": words, "resume": resume.to_string()});
        let mut text = String::new();
        sse::write_without_id(&mut text, "cut", &data);
        text
    }

    /// Waits until there may be a change. None: this server stops.
    async fn change(&mut self) -> Option<()> {
        let api = Arc::clone(&self.api);
        tokio::select! {
            biased;
            () = api.stopped() => None,
            next = self.changes.next() => next.map(drop),
        }
    }
}

#[derive(Serialize)]
struct ChangeJson<'a> {
    gid: &'a str,
    mode: &'a str,
    status: &'a str,
    last_event: u32,
}

impl<'a> ChangeJson<'a> {
    fn new(change: &'a Change) -> Self {
        Self {
            gid: change.gid.as_str(),
            mode: change.mode.as_str(),
            status: change.status.as_str(),
            last_event: change.last_event,
        }
    }
}
