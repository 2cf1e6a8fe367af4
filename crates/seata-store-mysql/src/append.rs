//! Conditional appends: sends a batch in one packet or two, and says what came of each.
//!
//! Nothing is sent twice unless the server said that the first was rolled back.

use std::collections::BTreeMap;

use seata_store::{
    Append, AppendOutcome, Expected, Gid, Revision, StoreError, StoreErrorKind, Stored,
};

use crate::batch;
use crate::connection::{Answer, Broken, Lent, Pool, Span};
use crate::error::{self, Chance, Fault, fault, unavailable};
use crate::ledger::{Answered, Ledger, is_beyond, pieces};
use crate::open::Bounds;
use crate::text::{self, HEADER, NOW};
use crate::verdict::{Records, Verdict, records, too_large, verdict};
use crate::{layout, read};

pub(crate) const DOING: &str = "appending";

/// How often a batch goes out at most: once, and three times after the server rolled it back.
const RUNS_MAX: usize = 4;

/// Answers each append in its place.
pub(crate) async fn append(pool: &Pool, bounds: &Bounds, batch: &[Append]) -> Vec<Answered> {
    let mut ledger = Ledger::new(batch);
    if let Err(error) = append_pieces(pool, bounds, &mut ledger).await {
        ledger.fill(0..batch.len(), &error);
    }
    ledger.answers()
}

async fn append_pieces(
    pool: &Pool,
    bounds: &Bounds,
    ledger: &mut Ledger<'_>,
) -> Result<(), StoreError> {
    let mut lent = pool.lend(DOING).await?;
    for piece in pieces(ledger.batch, bounds) {
        let mut run = Run {
            lent: &mut lent,
            bounds,
            ledger,
        };
        if let Err(error) = run.settle(&piece).await {
            ledger.fill(piece, &error);
            return Err(unsent(error));
        }
    }
    Ok(())
}

/// What the error of one piece means for the pieces behind it, which were not sent.
fn unsent(error: StoreError) -> StoreError {
    let kind = match error.kind {
        StoreErrorKind::Ambiguous => StoreErrorKind::Unavailable,
        kind
        @ (StoreErrorKind::Unavailable | StoreErrorKind::Corrupt | StoreErrorKind::Invalid) => kind,
    };
    StoreError { kind, ..error }
}

/// Whether a piece has to go out again.
pub(crate) enum Sent {
    /// Each has its answer.
    Settled,
    /// The server rolled it back.
    Again(sqlx::Error),
    /// The record has changed in between.
    Moved,
    /// The server takes something about one of these for wrong, and has written none.
    Wrong(StoreError),
}

/// What stands where something was to be created.
type Existing = BTreeMap<Gid, Result<Stored, StoreError>>;

/// One piece on its way.
pub(crate) struct Run<'run, 'pool, 'batch> {
    pub(crate) lent: &'run mut Lent<'pool>,
    pub(crate) bounds: &'run Bounds,
    pub(crate) ledger: &'run mut Ledger<'batch>,
}

impl Run<'_, '_, '_> {
    async fn settle(&mut self, piece: &[usize]) -> Result<(), StoreError> {
        let mut why = "the record changes all the time".to_owned();
        for _ in 0..RUNS_MAX {
            match self.send(piece).await? {
                Sent::Settled => return Ok(()),
                Sent::Again(error) => why = error.to_string(),
                Sent::Moved => {}
                Sent::Wrong(error) => return self.settle_apart(piece, error).await,
            }
        }
        let why = format!("rolled back {RUNS_MAX} times: {why}");
        Err(unavailable(DOING, why))
    }

    /// Sends each by itself, so that the wrong one fails alone.
    async fn settle_apart(&mut self, piece: &[usize], error: StoreError) -> Result<(), StoreError> {
        let open = self.ledger.open(piece);
        if open.len() < 2 {
            self.ledger.fill(open, &error);
            return Ok(());
        }
        for at in open {
            Box::pin(self.settle(&[at])).await?;
        }
        Ok(())
    }

    async fn send(&mut self, piece: &[usize]) -> Result<Sent, StoreError> {
        let (beyond, open): (Vec<usize>, Vec<usize>) = self
            .ledger
            .open(piece)
            .into_iter()
            .partition(|at| is_beyond(&self.ledger.batch[*at], self.bounds));
        if !beyond.is_empty() {
            self.refuse(&beyond).await?;
        }
        let (creations, updates): (Vec<usize>, Vec<usize>) = open
            .into_iter()
            .partition(|at| self.ledger.batch[*at].expected == Expected::Absent);
        match (creations.is_empty(), updates.as_slice()) {
            (true, []) => Ok(Sent::Settled),
            (true, [one]) => self.follow(*one).await,
            (false, []) => self.create(&creations).await,
            (_, updates) => self.mix(&creations, updates).await,
        }
    }

    /// Answers appends whose chunks are too large, without sending them: they may be stale all the same.
    async fn refuse(&mut self, beyond: &[usize]) -> Result<(), StoreError> {
        let found = self.existing(beyond).await?;
        let records = self.records(beyond).await?;
        for at in beyond {
            let batch = self.ledger.batch;
            let append = &batch[*at];
            let stored = found.get(&append.gid);
            let answered = match (append.expected, stored) {
                (Expected::Absent, Some(stored)) => exists(stored),
                (Expected::Absent, None) => Err(too_large(self.bounds)),
                (Expected::At { .. }, _) => match verdict(append, &records, self.bounds) {
                    Verdict::Answered(answered) => answered,
                    Verdict::Applies(_) => Err(too_large(self.bounds)),
                },
            };
            self.ledger.answer(*at, answered);
        }
        Ok(())
    }

    async fn create(&mut self, creations: &[usize]) -> Result<Sent, StoreError> {
        let text = batch::create(&self.ledger.appends(creations));
        match self.lent.send(text, Span::Statements).await {
            Ok(_) => {
                self.created(creations);
                Ok(Sent::Settled)
            }
            Err(broken) => self.broken(broken, Chance::Open, creations).await,
        }
    }

    pub(crate) fn created(&mut self, creations: &[usize]) {
        for at in creations {
            self.ledger
                .answer(*at, Ok(AppendOutcome::Applied(Revision(1))));
        }
    }

    async fn follow(&mut self, at: usize) -> Result<Sent, StoreError> {
        let batch = self.ledger.batch;
        let append = &batch[at];
        let text = batch::follow(append, self.bounds.limits.record_bytes_max);
        let answers = match self.lent.send(text, Span::Statements).await {
            Ok(answers) => answers,
            Err(broken) => return self.broken(broken, Chance::Open, &[]).await,
        };
        if let (
            Some(Answer {
                rows_affected: 1, ..
            }),
            Expected::At { revision, .. },
        ) = (answers.first(), append.expected)
        {
            let applied = AppendOutcome::Applied(revision.next());
            self.ledger.answer(at, Ok(applied));
            return Ok(Sent::Settled);
        }
        let records = self.records(&[at]).await?;
        match verdict(append, &records, self.bounds) {
            Verdict::Answered(answered) => {
                self.ledger.answer(at, answered);
                Ok(Sent::Settled)
            }
            // It did not apply a moment ago and would now: a lease has passed.
            Verdict::Applies(_) => Ok(Sent::Moved),
        }
    }

    /// Says what a failed packet means. Where a gid exists, its append is answered, and the others go out again.
    pub(crate) async fn broken(
        &mut self,
        broken: Broken,
        chance: Chance,
        creations: &[usize],
    ) -> Result<Sent, StoreError> {
        match fault(&broken.error) {
            Fault::Conflict => Ok(Sent::Again(broken.error)),
            // An insert waits for who holds the row that it would meet.
            told @ (Fault::Duplicate | Fault::Held) => {
                let found = self.existing(creations).await?;
                for at in creations {
                    if let Some(stored) = found.get(&self.ledger.batch[*at].gid) {
                        self.ledger.answer(*at, exists(stored));
                    }
                }
                if told == Fault::Held && found.is_empty() {
                    return Err(error::failed(DOING, &broken.error, chance));
                }
                Ok(Sent::Again(broken.error))
            }
            Fault::Unfit => Ok(Sent::Wrong(error::failed(DOING, &broken.error, chance))),
            Fault::Interrupted | Fault::Refused | Fault::Wrong | Fault::Damaged | Fault::Lost => {
                Err(error::failed(DOING, &broken.error, chance))
            }
        }
    }

    /// Reads the records of creations, as far as they exist. One that can't be read spoils no other. Of many that are large
    /// only as many are read as fit into a batch, or one: the others are to be asked for again.
    async fn existing(&mut self, at: &[usize]) -> Result<Existing, StoreError> {
        let gids = self
            .ledger
            .appends(at)
            .into_iter()
            .filter(|append| append.expected == Expected::Absent)
            .map(|append| append.gid.clone())
            .collect::<Vec<_>>();
        if gids.is_empty() {
            return Ok(Existing::new());
        }
        let sizes = read::ask(self.lent, DOING, read::sizes_text(&gids)).await?;
        let (mut wanted, mut bytes) = (Vec::new(), 0);
        let mut existing = Existing::new();
        for row in &sizes.rows {
            let gid = layout::gid(row, 0)?;
            bytes += layout::column::<u64>(row, 1)?;
            if wanted.is_empty() || bytes <= self.bounds.limits.batch_bytes_max as u64 {
                wanted.push(gid);
            } else {
                let why = "too much is read of other records: ask again";
                existing.insert(gid, Err(error::unavailable(DOING, why)));
            }
        }
        if wanted.is_empty() {
            return Ok(existing);
        }
        let answer = read::ask(self.lent, DOING, read::load_text(&wanted)).await?;
        for row in &answer.rows {
            existing.insert(layout::gid(row, 0)?, layout::stored(row));
        }
        Ok(existing)
    }

    async fn records(&mut self, at: &[usize]) -> Result<Records, StoreError> {
        let gids = text::gids(
            self.ledger
                .appends(at)
                .into_iter()
                .map(|append| &append.gid),
        );
        let text = format!(
            "SELECT {HEADER}, events_bytes, {NOW} FROM global_transaction WHERE gid IN {gids}"
        );
        let answers = self.lent.send(text, Span::Statements).await;
        let answers =
            answers.map_err(|broken| error::failed(DOING, &broken.error, Chance::None))?;
        records(answers.first().unwrap_or(&Answer::default()))
    }
}

fn exists(found: &Result<Stored, StoreError>) -> Answered {
    let stored = found.as_ref().map_err(StoreError::clone)?;
    Ok(AppendOutcome::Exists(Box::new(stored.clone())))
}
