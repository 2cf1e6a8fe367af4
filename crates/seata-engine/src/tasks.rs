//! The engine's own tasks: claiming due work, renewing leases, following the store's time, purging what ended long ago.

use std::sync::{Arc, Weak};
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use seata_core::planted::{self, Planted};
use seata_core::{FencingToken, Gid};
use seata_store::{ClaimLimit, Held, StoreError, Stored};

use crate::config::TIME_INTERVAL;
use crate::driver::is_left_open;
use crate::journal::Way;
use crate::mailbox::{Handle, Message};
use crate::outage::Seldom;
use crate::registry::Origin;
use crate::shared::Shared;
use crate::{pinging, purging, unsettled};

/// The most leases of one renewal.
const RENEWAL_COUNT_MAX: usize = 1_000;

/// The most renewals under way at once: one that waits for a dead part of the store must not hold the others up until
/// their leases have ended.
const RENEWALS_IN_FLIGHT_MAX: usize = 4;

/// How long a server that claimed what it has no room for leaves due work to others.
const ROOMLESS_PAUSE: Duration = Duration::from_secs(1);

/// Starts them. They end when the engine stops.
pub(crate) fn start(shared: &Arc<Shared>) {
    let journal = Arc::clone(&shared.journal);
    let way = Way {
        store: Arc::clone(&shared.store),
        clock: Arc::clone(&shared.clock),
        meters: Arc::clone(&shared.meters),
        timeout: shared.config.store_timeout,
    };
    // It ends last: with the process, or when the engine is dropped.
    shared
        .clock
        .spawn(Box::pin(async move { journal.run(way).await }));
    let probing = Arc::downgrade(shared);
    shared.clock.spawn(Box::pin(pinging::probe_all(probing)));
    shared.clock.spawn(Box::pin(claim_all(Arc::clone(shared))));
    spawn_until_stop(shared, |shared| Box::pin(follow_time(shared)));
    spawn_until_stop(shared, |shared| Box::pin(unsettled::search_all(shared)));
    spawn_until_stop(shared, |shared| Box::pin(unsettled::look_again(shared)));
    spawn_until_stop(shared, |shared| Box::pin(purging::purge_all(shared)));
    // Renewals go on while calls end during a stop: the driver that hands over no longer holds its lease.
    let interval = shared.config.lease / 4;
    let renewing = Arc::downgrade(shared);
    shared.clock.spawn(Box::pin(renew_all(renewing, interval)));
}

fn spawn_until_stop(shared: &Arc<Shared>, task: impl FnOnce(Arc<Shared>) -> crate::host::Task) {
    let task = task(Arc::clone(shared));
    let stopped = Arc::clone(shared);
    shared.clock.spawn(Box::pin(async move {
        stopped.stopping.cuts_short(task).await;
    }));
}

/// Claims whatever is due, at once after the start and then at intervals; at once as well when the store is back. The stop
/// ends it between claims only: what the store leased out in answer to one that is given up waits for the leases to end.
async fn claim_all(shared: Arc<Shared>) {
    let mut complaint = Seldom::default();
    let interval = shared.config.claim_interval;
    loop {
        shared.stopping.cuts_short(shared.outage.over()).await;
        if shared.is_stopping() {
            break;
        }
        shared.registry.begin_claim();
        let claimed = claim_some(&shared, &mut complaint).await;
        shared.registry.end_claim();
        let pause = match claimed {
            Claimed::Full => continue,
            Claimed::Rest => interval,
            Claimed::Roomless => interval.max(ROOMLESS_PAUSE),
        };
        let pause = tokio::time::sleep(pause);
        shared.stopping.cuts_short(pause).await;
    }
    shared.stopping.end_claims();
}

/// What came of a claim.
enum Claimed {
    /// There may be more at once.
    Full,
    Rest,
    /// More than there is room for.
    Roomless,
}

/// Claims one batch.
async fn claim_some(shared: &Arc<Shared>, complaint: &mut Seldom) -> Claimed {
    let room = shared.registry.room(Origin::Due);
    let count = room.count.min(shared.config.claim_count_max);
    let bytes = room.bytes.min(shared.config.claim_bytes_max);
    if count == 0 || bytes == 0 {
        return Claimed::Rest;
    }
    let limit = ClaimLimit { count, bytes };
    let sent_at = shared.boot();
    let claim = shared
        .store
        .claim_due(shared.config.owner, shared.config.lease, limit);
    match shared.ask("claiming due transactions", claim).await {
        Ok(claimed) => {
            let full = claimed.len() == count;
            let (mut taken_over, mut roomless) = (0, Vec::new());
            for stored in claimed {
                let left_open = is_left_open(&stored.header);
                match take(shared, stored, sent_at) {
                    Some(stored) => roomless.push(stored),
                    None => taken_over += usize::from(left_open),
                }
            }
            if taken_over > 0 {
                tracing::info!(
                    count = taken_over,
                    "took over transactions that whoever drove them had left open"
                );
            }
            if !roomless.is_empty() {
                tracing::debug!(count = roomless.len(), "claimed without room: given back");
                give_back(shared, &roomless).await;
                Claimed::Roomless
            } else if full {
                Claimed::Full
            } else {
                Claimed::Rest
            }
        }
        Err(error) => {
            if complaint.is_due(shared.boot()) {
                tracing::warn!(%error, "due transactions could not be claimed; they wait in the store");
            }
            Claimed::Rest
        }
    }
}

/// Gives what was claimed to its driver. Answers what there is no room for: a claim takes one record more than its bytes,
/// and requests may have come meanwhile.
fn take(shared: &Arc<Shared>, stored: Stored, sent_at: Duration) -> Option<Stored> {
    let gid = stored.header.gid.clone();
    let message = Message::Claimed {
        stored: Box::new(stored.clone()),
        sent_at,
    };
    shared.post(&gid, message).is_err().then_some(stored)
}

/// Releases leases that are not used: a server with room goes on at once. A full one that kept them until they end could
/// claim the same again and again, and nobody would drive them.
async fn give_back(shared: &Shared, roomless: &[Stored]) {
    let given = roomless.iter().map(|stored| async {
        if let Err(error) = shared.give_back(stored).await {
            tracing::debug!(gid = %stored.header.gid, %error, "not given back: it waits for its lease to end");
        }
    });
    futures_util::future::join_all(given).await;
}

async fn follow_time(shared: Arc<Shared>) {
    let mut complaint = Seldom::default();
    loop {
        tokio::time::sleep(TIME_INTERVAL).await;
        shared.outage.over().await;
        if let Err(error) = shared.learn_time().await
            && complaint.is_due(shared.boot())
        {
            tracing::warn!(%error, "the store does not answer");
        }
    }
}

/// Renews the leases of all drivers, in batches, so that a slow branch is not called twice.
/// Holds the engine only while it looks: one that was stopped and dropped lets go of its store at once.
async fn renew_all(shared: Weak<Shared>, interval: Duration) {
    let mut complaint = Seldom::default();
    loop {
        tokio::time::sleep(interval).await;
        let Some(shared) = shared.upgrade() else {
            return;
        };
        if shared.is_stopping() && shared.registry.len() == 0 {
            return;
        }
        if planted::is(Planted::LeaseNotRenewed) {
            continue;
        }
        let young = shared.boot() + shared.config.lease - interval / 2;
        let held: Vec<Leased> = shared
            .registry
            .all()
            .into_iter()
            .filter_map(|(gid, handle)| {
                let held = handle.lease.held().filter(|held| held.until < young)?;
                Some((gid, handle, held.token))
            })
            .collect();
        renew_batches(&shared, &held, &mut complaint).await;
    }
}

type Leased = (Gid, Arc<Handle>, FencingToken);

/// Renews some batches at a time, in order.
async fn renew_batches(shared: &Shared, held: &[Leased], complaint: &mut Seldom) {
    let mut batches = held.chunks(RENEWAL_COUNT_MAX);
    let mut flying = FuturesUnordered::new();
    loop {
        while flying.len() < RENEWALS_IN_FLIGHT_MAX
            && let Some(batch) = batches.next()
        {
            flying.push(renew(shared, batch));
        }
        match flying.next().await {
            Some(Err(error)) if complaint.is_due(shared.boot()) => {
                tracing::warn!(%error, "leases could not be renewed; calls go on until they end");
            }
            Some(Err(_) | Ok(())) => {}
            None => return,
        }
    }
}

async fn renew(shared: &Shared, batch: &[Leased]) -> Result<(), StoreError> {
    let keys: Vec<(Gid, FencingToken)> = batch
        .iter()
        .map(|(gid, _, token)| (gid.clone(), *token))
        .collect();
    let sent_at = shared.boot();
    let renewal = shared.store.renew(&keys, shared.config.lease);
    let answers = shared.ask_of_leases("renewing leases", renewal).await?;
    for ((_, handle, token), answer) in batch.iter().zip(answers) {
        renewed(handle, *token, answer, sent_at + shared.config.lease);
    }
    Ok(())
}

fn renewed(handle: &Handle, token: FencingToken, answer: Held, until: Duration) {
    let look = match answer {
        Held::Renewed(revision) => {
            handle.lease.renewed(token, until);
            handle.is_news(revision)
        }
        Held::Lost if planted::is(Planted::ThawedAppendsWithoutToken) => false,
        Held::Lost => handle.lease.lost(token),
        // As without any answer: the driver believes in what it had, and lets go when that ends.
        Held::Unknown if planted::is(Planted::UnknownRenewalReadAsRenewed) => {
            handle.lease.renewed(token, until);
            false
        }
        Held::Unknown => false,
    };
    if look {
        // A driver that has ended meanwhile needs no news.
        drop(handle.send(Message::Look));
    }
}
