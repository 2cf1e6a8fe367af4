//! Appends: one statement per batch, each append judged by itself inside of it.
//!
//! A statement is its own transaction: it is sent whole and answered whole, so that no lock outlives a coordinator that
//! stops in between. What it did not apply is read by a second one and judged by the contract's own rule.

use std::collections::HashMap;
use std::time::Duration;

use seata_store::{Append, AppendOutcome, Revision, StoreError, StoreErrorKind, StoreLimits};
use sqlx::postgres::PgRow;
use tokio::time::{Instant, sleep};

use crate::batch::{Locked, is_creation, statement};
use crate::connection::{Connection, Pool};
use crate::error::{Again, Effect, Failure};
use crate::explain::{explain, unexplained, why_not};
use crate::layout::{number, value};

/// How often a batch is sent while the server says that it rolled back because of somebody else, and a creation while
/// the record in its way is gone when it is looked for.
const ATTEMPTS_MAX: usize = 3;

/// How long whoever stood in the way has to go on before a batch is sent again: it has to wake up first, and would find the
/// same rows locked anew.
const PAUSE: Duration = Duration::from_millis(50);

/// The answers, in the order of the batch.
pub(crate) type Answers = Vec<Result<AppendOutcome, StoreError>>;

pub(crate) const DOING: &str = "appending";

/// Which statements this server takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mixed {
    /// One may update and insert into the same table.
    InOne,
    /// One statement changes a table once only (CockroachDB).
    Apart,
}

/// Applies a batch, in pieces that keep to the limits. A piece that fails fails its own appends only.
pub(crate) async fn append(
    pool: &Pool,
    mixed: Mixed,
    limits: StoreLimits,
    batch: Vec<Append>,
) -> Answers {
    let mut answers: Vec<Option<Result<AppendOutcome, StoreError>>> = vec![None; batch.len()];
    let deadline = pool.deadline();
    for piece in pieces(&batch, mixed, limits) {
        let asked: Vec<&Append> = piece.iter().map(|at| &batch[*at]).collect();
        for (at, answer) in piece
            .into_iter()
            .zip(append_piece(pool, deadline, limits, &asked).await)
        {
            answers[at] = Some(answer);
        }
    }
    let unanswered = || {
        let why = "the batch was answered in part only: this is a bug of the adapter";
        Err(StoreError::new(StoreErrorKind::Ambiguous, DOING, why))
    };
    let answers = answers.into_iter();
    answers
        .map(|answer| answer.unwrap_or_else(unanswered))
        .collect()
}

/// Cuts a batch by count and bytes, each piece in the order of gids and with each gid once. Answers places in the batch.
fn pieces(batch: &[Append], mixed: Mixed, limits: StoreLimits) -> Vec<Vec<usize>> {
    let mut order: Vec<usize> = (0..batch.len()).collect();
    order.sort_by_key(|at| (is_apart(&batch[*at], mixed), &batch[*at].gid, *at));
    let mut pieces: Vec<Vec<usize>> = Vec::new();
    let mut bytes = 0;
    for at in order {
        let one = &batch[at];
        let size = one.chunk.bytes().len();
        match pieces.last_mut() {
            Some(piece)
                if piece.len() < limits.batch_count_max
                    && bytes + size <= limits.batch_bytes_max
                    && piece.last().is_some_and(|last| {
                        let last = &batch[*last];
                        last.gid != one.gid && is_apart(last, mixed) == is_apart(one, mixed)
                    }) =>
            {
                piece.push(at);
                bytes += size;
            }
            Some(_) | None => {
                pieces.push(vec![at]);
                bytes = size;
            }
        }
    }
    pieces
}

fn is_apart(append: &Append, mixed: Mixed) -> bool {
    match mixed {
        Mixed::InOne => false,
        Mixed::Apart => is_creation(append),
    }
}

/// The gids are in order and each comes once.
async fn append_piece(
    pool: &Pool,
    deadline: Instant,
    limits: StoreLimits,
    asked: &[&Append],
) -> Answers {
    let mut connection = match pool.take_until(deadline).await {
        Ok(connection) => connection,
        Err(failure) => return all(asked.len(), &failure),
    };
    match settled(&mut connection, limits, asked, Locked::Awaited).await {
        Ok(answers) => answers,
        Err(failure) if failure.again == Again::PastLocks => {
            past_locks(&mut connection, limits, asked).await
        }
        Err(failure) => all(asked.len(), &failure),
    }
}

/// Sends once more what a lock held up, without what is locked: somebody who keeps a row fails the appends to that row.
/// Creations come by themselves, since they may have to wait again.
async fn past_locks(
    connection: &mut Connection,
    limits: StoreLimits,
    asked: &[&Append],
) -> Answers {
    let (creations, moves): (Vec<usize>, Vec<usize>) =
        (0..asked.len()).partition(|at| is_creation(asked[*at]));
    let mut answers: Vec<Option<Result<AppendOutcome, StoreError>>> = vec![None; asked.len()];
    for part in [moves, creations] {
        let of_part: Vec<&Append> = part.iter().map(|at| asked[*at]).collect();
        match settled(connection, limits, &of_part, Locked::LeftOut).await {
            Ok(some) => part.into_iter().zip(some).for_each(|(at, answer)| {
                answers[at] = Some(answer);
            }),
            // The table is locked, or something broke: nothing that comes behind it would fare better.
            Err(failure) => {
                let failed = || Err(failure.clone().named(DOING));
                return answers
                    .into_iter()
                    .map(|answer| answer.unwrap_or_else(failed))
                    .collect();
            }
        }
    }
    let unanswered = || Err(unexplained("this is a bug of the adapter"));
    let answers = answers.into_iter();
    answers
        .map(|answer| answer.unwrap_or_else(unanswered))
        .collect()
}

/// Answers all, creations that raced with removals after some more attempts.
async fn settled(
    connection: &mut Connection,
    limits: StoreLimits,
    asked: &[&Append],
    locked: Locked,
) -> Result<Answers, Failure> {
    let mut verdicts = judged(connection, limits, asked, locked).await?;
    for _ in 1..ATTEMPTS_MAX {
        let raced: Vec<usize> = (0..asked.len())
            .filter(|at| verdicts[*at].is_none())
            .collect();
        if raced.is_empty() {
            break;
        }
        let again: Vec<&Append> = raced.iter().map(|at| asked[*at]).collect();
        let fresh = judged(connection, limits, &again, locked).await;
        let fresh = fresh.unwrap_or_else(|failure| {
            let failed = all(again.len(), &failure).into_iter();
            failed.map(Some).collect()
        });
        for (at, verdict) in raced.into_iter().zip(fresh) {
            verdicts[at] = verdict;
        }
    }
    let raced = || Err(unexplained("the record comes and goes at the same time"));
    let verdicts = verdicts.into_iter();
    Ok(verdicts
        .map(|verdict| verdict.unwrap_or_else(raced))
        .collect())
}

/// Sends what is asked and finds the reasons of what was not applied. None: a creation met a record that was removed
/// before it could be read. Fails where nothing of it was applied, or nobody knows.
async fn judged(
    connection: &mut Connection,
    limits: StoreLimits,
    asked: &[&Append],
    locked: Locked,
) -> Result<Vec<Option<Result<AppendOutcome, StoreError>>>, Failure> {
    // What can't fit is not sent: the history would be too large whatever the record is.
    let fits = |append: &&&Append| append.chunk.bytes().len() <= limits.record_bytes_max;
    let sent: Vec<&Append> = asked.iter().filter(fits).copied().collect();
    let applied = write(connection, &sent, limits.record_bytes_max, locked).await?;
    let is_refused = |append: &&&Append| !applied.contains_key(append.gid.as_str());
    let refused: Vec<&Append> = asked.iter().filter(is_refused).copied().collect();
    let present = explain(connection, &refused, limits.batch_bytes_max).await;
    let verdict = |append: &&Append| match applied.get(append.gid.as_str()) {
        Some(revision) => Some(Ok(AppendOutcome::Applied(*revision))),
        None => why_not(append, &present, limits.record_bytes_max, locked),
    };
    Ok(asked.iter().map(verdict).collect())
}

fn all(count: usize, failure: &Failure) -> Answers {
    vec![Err(failure.clone().named(DOING)); count]
}

/// Answers which were applied. Only where the server itself rolled back for the sake of others is it sent again.
async fn write(
    connection: &mut Connection,
    sent: &[&Append],
    record_bytes_max: usize,
    locked: Locked,
) -> Result<HashMap<String, Revision>, Failure> {
    if sent.is_empty() {
        return Ok(HashMap::new());
    }
    let mut attempt = 1;
    let rows = loop {
        let statement = statement(sent, record_bytes_max, locked);
        match connection.fetch(statement, Effect::Writes).await {
            Ok(rows) => break rows,
            Err(failure) if failure.again == Again::Yes && attempt < ATTEMPTS_MAX => {
                attempt += 1;
                sleep(PAUSE).await;
            }
            Err(failure) => return Err(failure),
        }
    };
    rows.iter().map(applied).collect()
}

fn applied(row: &PgRow) -> Result<(String, Revision), Failure> {
    let revision = u64::try_from(number(row, 1)?).unwrap_or_default();
    Ok((value::<String>(row, 0)?, Revision(revision)))
}

#[cfg(test)]
#[path = "tests/pieces.rs"]
mod tests;
