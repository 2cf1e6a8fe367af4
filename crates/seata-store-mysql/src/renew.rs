//! Renewals of leases, some hundred with one packet. They touch neither revision nor history.

use std::collections::BTreeMap;
use std::time::Duration;

use seata_store::{FencingToken, Gid, Held, Revision, StoreError};

use crate::batch::ended;
use crate::connection::{Answer, Lent, Pool, Span};
use crate::error::{Chance, Fault, failed, fault};
use crate::layout;
use crate::text::{self, NOW};

const RENEWING: &str = "renewing leases";

/// The most leases that one packet renews.
const RENEW_MAX: usize = 500;

/// Prolongs leases, some hundred with one packet.
pub(crate) async fn renew(
    pool: &Pool,
    held: &[(Gid, FencingToken)],
    lasts: Duration,
) -> Result<Vec<Held>, StoreError> {
    if held.is_empty() {
        return Ok(Vec::new());
    }
    let mut lent = pool.lend(RENEWING).await?;
    let (mut renewed, mut failed) = (Vec::with_capacity(held.len()), None);
    for some in held.chunks(RENEW_MAX) {
        match renew_some(&mut lent, some, lasts).await {
            Ok(answers) => renewed.extend(answers),
            Err(error) => {
                renewed.extend(vec![Held::Unknown; some.len()]);
                failed = Some(error);
            }
        }
    }
    match failed {
        Some(error) if renewed.iter().all(|one| *one == Held::Unknown) => Err(error),
        Some(_) | None => Ok(renewed),
    }
}

/// The number of the locking read in the packet of `prolong`, from 0.
const PROLONG_READ_AT: usize = 1;

/// The number of its commit.
const PROLONG_COMMIT_AT: usize = 3;

/// How often the same packet goes out at most: again only after the server rolled it back.
const RUNS_MAX: usize = 4;

async fn renew_some(
    lent: &mut Lent<'_>,
    held: &[(Gid, FencingToken)],
    lasts: Duration,
) -> Result<Vec<Held>, StoreError> {
    let mut runs = 1;
    loop {
        let broken = match lent.send(prolong(held, lasts), Span::Transaction).await {
            Ok(answers) => return renewed(held, answers.get(PROLONG_READ_AT), Held::Lost),
            Err(broken) => broken,
        };
        lent.roll_back().await;
        let fault = fault(&broken.error);
        if fault == Fault::Held {
            return renew_past_locks(lent, held, lasts).await;
        }
        if fault != Fault::Conflict || runs == RUNS_MAX {
            let lost = fault == Fault::Lost || broken.answered == PROLONG_COMMIT_AT;
            let chance = if lost { Chance::Open } else { Chance::None };
            return Err(failed(RENEWING, &broken.error, chance));
        }
        runs += 1;
    }
}

/// Renews what nobody else has locked: who keeps a row locked ends that lease at most, not all of them. What is left out
/// and what is gone can't be told apart then.
async fn renew_past_locks(
    lent: &mut Lent<'_>,
    held: &[(Gid, FencingToken)],
    lasts: Duration,
) -> Result<Vec<Held>, StoreError> {
    let text = format!("{} SKIP LOCKED", standing(held));
    let answers = match lent.send(text, Span::Begins).await {
        Ok(answers) => answers,
        Err(broken) => {
            lent.roll_back().await;
            return Err(failed(RENEWING, &broken.error, Chance::None));
        }
    };
    let answers = renewed(held, answers.get(PROLONG_READ_AT), Held::Unknown)?;
    let is_sure = |answer: &Held| matches!(answer, Held::Renewed(_));
    let sure = held.iter().zip(&answers);
    let sure: Vec<_> = sure
        .filter(|(_, answer)| is_sure(answer))
        .map(|(one, _)| one.clone())
        .collect();
    if sure.is_empty() {
        lent.roll_back().await;
        return Ok(answers);
    }
    match lent.send(write(&sure, lasts), Span::Transaction).await {
        Ok(_) => Ok(answers),
        Err(broken) => {
            lent.roll_back().await;
            Err(failed(RENEWING, &broken.error, Chance::Open))
        }
    }
}

/// Reads under locks, in gid order as appends do, and writes what is still held.
pub(crate) fn prolong(held: &[(Gid, FencingToken)], lasts: Duration) -> String {
    format!("{}; {}", standing(held), write(held, lasts))
}

fn standing(held: &[(Gid, FencingToken)]) -> String {
    let (gids, ended) = (ordered_gids(held), ended());
    format!(
        "START TRANSACTION; \
         SELECT gid, token, revision, lease_until, status IN {ended} FROM global_transaction FORCE INDEX (PRIMARY) \
         WHERE gid IN {gids} ORDER BY gid FOR UPDATE"
    )
}

fn write(held: &[(Gid, FencingToken)], lasts: Duration) -> String {
    let pairs: Vec<String> = held
        .iter()
        .map(|(gid, token)| format!("('{gid}', {})", token.0))
        .collect();
    let (gids, pairs, ended) = (ordered_gids(held), pairs.join(", "), ended());
    let lasts_ms = text::millis(lasts);
    format!(
        "UPDATE global_transaction FORCE INDEX (PRIMARY) SET lease_until = {NOW} + {lasts_ms} WHERE gid IN {gids} \
         AND (gid, token) IN ({pairs}) AND lease_until IS NOT NULL AND status NOT IN {ended}; \
         COMMIT"
    )
}

fn ordered_gids(held: &[(Gid, FencingToken)]) -> String {
    let mut gids: Vec<&Gid> = held.iter().map(|(gid, _)| gid).collect();
    gids.sort_unstable();
    text::gids(gids)
}

/// Answers each in the order given; what is not among the rows as `absent`.
fn renewed(
    held: &[(Gid, FencingToken)],
    read: Option<&Answer>,
    absent: Held,
) -> Result<Vec<Held>, StoreError> {
    let mut standing = BTreeMap::new();
    for row in read.into_iter().flat_map(|answer| &answer.rows) {
        let token = FencingToken(layout::column(row, 1)?);
        let revision = Revision(layout::column(row, 2)?);
        let lease_until: Option<i64> = layout::column(row, 3)?;
        let ended: i32 = layout::column(row, 4)?;
        let holds = lease_until.is_some() && ended == 0;
        standing.insert(layout::gid(row, 0)?, (holds, token, revision));
    }
    let held = held.iter().map(|(gid, token)| match standing.get(gid) {
        Some((true, standing, revision)) if standing == token => Held::Renewed(*revision),
        Some(_) => Held::Lost,
        None => absent,
    });
    Ok(held.collect())
}
