//! Leases of what is due. How they last longer is said in `renew`.
//!
//! A claim never waits for a lock, so it is part of no deadlock: what others hold at this instant is left to them.

use std::collections::BTreeMap;
use std::time::Duration;

use seata_store::{ClaimLimit, FencingToken, Gid, Header, Owner, StoreError, Stored, UnixMillis};

use crate::connection::{Answer, Broken, Lent, Pool, Span};
use crate::error::{Chance, Fault, corrupt, failed, fault};
use crate::layout::{self, HEADER_COLUMNS, Record};
use crate::text::{self, HEADER, NOW};

const CLAIMING: &str = "claiming due transactions";

/// The most that one claim looks at.
const CLAIM_MAX: usize = 1_000;

/// Claims in two packets: the first locks what is due and tells the time, the second writes what fits and reads it.
pub(crate) async fn claim_due(
    pool: &Pool,
    owner: Owner,
    lasts: Duration,
    limit: ClaimLimit,
) -> Result<Vec<Stored>, StoreError> {
    if limit.count == 0 {
        return Ok(Vec::new());
    }
    let mut lent = pool.lend(CLAIMING).await?;
    let opened = lent.send(candidates(limit.count), Span::Begins).await;
    let answers = match opened {
        Ok(answers) => answers,
        Err(broken) => return Err(claim_failed(&mut lent, &broken, Chance::None).await),
    };
    let due = choose(&answers, limit)?;
    if due.is_empty() {
        lent.roll_back().await;
        return Ok(Vec::new());
    }
    let taken = Lease { owner, lasts };
    let written = lent.send(take(&due, taken), Span::Transaction).await;
    match written {
        Ok(answers) => claimed(due, taken, &answers),
        Err(broken) => {
            let lost = fault(&broken.error) == Fault::Lost || broken.answered == TAKE_COMMIT_AT;
            let chance = if lost { Chance::Open } else { Chance::None };
            Err(claim_failed(&mut lent, &broken, chance).await)
        }
    }
}

async fn claim_failed(lent: &mut Lent<'_>, broken: &Broken, chance: Chance) -> StoreError {
    lent.roll_back().await;
    failed(CLAIMING, &broken.error, chance)
}

/// Locks what is due and what others don't hold: free ones in the order of their wake-ups, then such whose leases have
/// passed. Those are chosen without locks first, since their index is in another order; each lock is on what comes back.
pub(crate) fn candidates(count: usize) -> String {
    let count = count.min(CLAIM_MAX);
    format!(
        "SET @seata_now = {NOW}; START TRANSACTION; {}; {}",
        free(count),
        passed(count)
    )
}

pub(crate) fn free(count: usize) -> String {
    format!(
        "SELECT {HEADER}, events_bytes, @seata_now FROM global_transaction FORCE INDEX (global_transaction_free) \
         WHERE free_wake_at <= @seata_now ORDER BY free_wake_at, gid LIMIT {count} FOR UPDATE SKIP LOCKED"
    )
}

pub(crate) fn passed(count: usize) -> String {
    format!(
        "SELECT {HEADER}, events_bytes, @seata_now FROM (SELECT gid AS due FROM global_transaction \
         FORCE INDEX (global_transaction_leased) WHERE leased_until <= @seata_now AND wake_at <= @seata_now \
         ORDER BY wake_at, gid LIMIT {count}) AS d STRAIGHT_JOIN global_transaction AS g ON g.gid = d.due \
         WHERE g.leased_until <= @seata_now AND g.wake_at <= @seata_now FOR UPDATE SKIP LOCKED"
    )
}

/// A row that is due. One that can't be read is claimed all the same, or it would stand before all others for ever.
struct Due {
    gid: Gid,
    wake_at: i64,
    now: UnixMillis,
    record: Result<Record, StoreError>,
}

/// Chooses the earliest within the limits, by what both statements found.
fn choose(answers: &[Answer], limit: ClaimLimit) -> Result<Vec<Due>, StoreError> {
    let mut due = Vec::new();
    for row in answers.iter().flat_map(|answer| &answer.rows) {
        due.push(Due {
            gid: layout::gid(row, 0)?,
            wake_at: layout::column(row, 7)?,
            now: UnixMillis(layout::column(row, HEADER_COLUMNS + 1)?),
            record: layout::record(row),
        });
    }
    due.sort_by(|left, right| (left.wake_at, &left.gid).cmp(&(right.wake_at, &right.gid)));
    let mut bytes: u64 = 0;
    let mut count = 0;
    // Of each kind no more were looked at: behind them, one that is due earlier may not have been seen.
    let count_max = limit.count.min(CLAIM_MAX);
    for one in &due {
        if count >= count_max || bytes >= limit.bytes.max(1) as u64 {
            break;
        }
        bytes += one.record.as_ref().map_or(0, |record| record.events_bytes);
        count += 1;
    }
    due.truncate(count);
    Ok(due)
}

#[derive(Clone, Copy)]
struct Lease {
    owner: Owner,
    lasts: Duration,
}

impl Lease {
    fn until(self, now: UnixMillis) -> UnixMillis {
        UnixMillis(now.0 + text::millis(self.lasts))
    }
}

/// The number of the commit in the packet of `take`, from 0.
const TAKE_COMMIT_AT: usize = 2;

/// Writes the leases and reads the histories. The rows are locked: nothing about them has changed.
fn take(due: &[Due], lease: Lease) -> String {
    let gids = text::gids(due.iter().map(|one| &one.gid));
    let owner = text::owner(Some(lease.owner));
    let until = due.first().map_or(0, |one| lease.until(one.now).0);
    format!(
        "UPDATE global_transaction FORCE INDEX (PRIMARY) SET token = token + 1, owner = {owner}, lease_until = {until} WHERE gid IN {gids}; \
         SELECT gid, events FROM global_transaction FORCE INDEX (PRIMARY) WHERE gid IN {gids}; COMMIT"
    )
}

fn claimed(due: Vec<Due>, lease: Lease, answers: &[Answer]) -> Result<Vec<Stored>, StoreError> {
    let mut histories = BTreeMap::new();
    for row in answers.iter().flat_map(|answer| &answer.rows) {
        histories.insert(layout::gid(row, 0)?, layout::chunks(row, 1)?);
    }
    let (mut claimed, mut unreadable) = (Vec::with_capacity(due.len()), None);
    for one in due {
        let chunks = histories.remove(&one.gid);
        let missing = || corrupt(CLAIMING, "a locked row is gone");
        let stored = one
            .record
            .and_then(|record| Ok((record.header, chunks.ok_or_else(missing)?)));
        match stored {
            Ok((header, chunks)) => claimed.push(Stored {
                header: Header {
                    token: FencingToken(header.token.0 + 1),
                    owner: Some(lease.owner),
                    lease_until: Some(lease.until(one.now)),
                    ..header
                },
                chunks,
            }),
            Err(error) => {
                tracing::error!(gid = %one.gid, %error, "a due transaction can't be read");
                unreadable = Some(error);
            }
        }
    }
    match unreadable {
        Some(error) if claimed.is_empty() => Err(error),
        Some(_) | None => Ok(claimed),
    }
}
