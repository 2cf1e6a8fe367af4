//! The streams: a list, a history, one transaction as it goes on, and all that this server drives.

use std::pin::Pin;

use futures_util::stream::{self, try_unfold, unfold};
use futures_util::{Stream, StreamExt};
use seata_core::{Gid, Mode, Status as TransactionStatus};
use seata_engine::Change;
use seata_proto::v1;
use seata_proto::v1::watch_response::What;
use seata_service::{AllPages, Problem, Service, WatchAll, Watched};
use tonic::Status;

use crate::render;
use crate::status::{Within, refuse};

/// Messages, one after the other.
pub(crate) type Messages<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

const SCOPE: &str =
    "what this server writes, from now on; what other servers drive is told by them alone";

/// Lists all that matches. The first page is read before the answer begins, so that what fails at once is told
/// properly.
pub(crate) async fn list(mut pages: AllPages) -> Result<Messages<v1::TransactionHeader>, Problem> {
    let first = pages.next().await?.unwrap_or_default();
    let rest = try_unfold(pages, async |mut pages| {
        let page = pages.next().await;
        let page = page.map_err(|problem| refuse(&problem, Within::Request))?;
        Ok::<_, Status>(page.map(|page| (page, pages)))
    });
    let pages = stream::once(async { Ok(first) }).chain(rest);
    Ok(Box::pin(pages.flat_map(|page| match page {
        Ok(headers) => {
            let headers = headers.iter().map(|header| Ok(render::header(header)));
            stream::iter(headers.collect::<Vec<_>>())
        }
        Err(status) => stream::iter(vec![Err(status)]),
    })))
}

/// Tells a history.
pub(crate) async fn history(service: &Service, gid: &Gid) -> Result<Messages<v1::Event>, Problem> {
    let (snapshot, events) = service.history(gid).await?;
    Ok(Box::pin(stream::iter(events).map(move |event| {
        Ok(render::event(&snapshot.transaction, &event))
    })))
}

/// Follows one transaction.
pub(crate) async fn one(
    service: &Service,
    gid: Gid,
    behind: u32,
) -> Result<Messages<v1::WatchResponse>, Problem> {
    let watch = service.watch(gid, behind).await?;
    Ok(Box::pin(watch.into_stream().flat_map(|watched| {
        stream::iter(match watched {
            Ok(watched) => told(&watched),
            Err(problem) => vec![Err(refuse(&problem, Within::Request))],
        })
    })))
}

fn told(watched: &Watched) -> Vec<Result<v1::WatchResponse, Status>> {
    let status = render::status(watched.snapshot.status());
    let events = watched.events.iter().map(|event| {
        let event = render::event(&watched.snapshot.transaction, event);
        Ok(response(What::Event(v1::WatchedEvent {
            event: Some(event),
            transaction_status: status,
        })))
    });
    events.collect()
}

/// Which changes a client wants to hear of.
pub(crate) struct Filter {
    pub(crate) status: Vec<TransactionStatus>,
    pub(crate) mode: Option<Mode>,
}

impl Filter {
    fn wants(&self, change: &Change) -> bool {
        (self.status.is_empty() || self.status.contains(&change.status))
            && self.mode.is_none_or(|mode| mode == change.mode)
    }
}

/// Follows all that this server drives.
pub(crate) fn all(
    service: &Service,
    filter: Filter,
) -> Result<Messages<v1::WatchResponse>, Problem> {
    let begun = response(What::Begun(v1::WatchBegun {
        scope: SCOPE.to_owned(),
    }));
    let changes = unfold(
        (service.watch_all()?, filter),
        async |(mut watch, filter)| {
            let next = next(&mut watch, &filter).await?;
            Some((Ok(next), (watch, filter)))
        },
    );
    Ok(Box::pin(stream::once(async { Ok(begun) }).chain(changes)))
}

async fn next(watch: &mut WatchAll, filter: &Filter) -> Option<v1::WatchResponse> {
    loop {
        match watch.next().await? {
            Ok(change) if filter.wants(&change) => {
                return Some(response(What::Change(v1::Change {
                    gid: change.gid.to_string(),
                    mode: render::mode(change.mode),
                    status: render::status(change.status),
                    last_event: change.last_event,
                })));
            }
            Ok(_) => {}
            Err(lagged) => return Some(response(What::Dropped(lagged.0))),
        }
    }
}

const fn response(what: What) -> v1::WatchResponse {
    v1::WatchResponse { what: Some(what) }
}
