//! Batches of later appends, with creations among them or not: locks and reads with one packet, decides here by the rule
//! itself, and writes with another. The rest of a batch is in `append`.

use seata_store::{AppendOutcome, StoreError};

use crate::append::{DOING, Run, Sent};
use crate::batch::{self, Write};
use crate::connection::{Answer, Broken, Span};
use crate::error::{Chance, Fault, fault, unavailable};
use crate::layout;
use crate::verdict::{Records, Verdict, records, verdict};

impl Run<'_, '_, '_> {
    /// Locks and reads, decides by the rule itself, and writes what it allows. A connection that is lost in between, or a
    /// caller that leaves, leaves nothing written.
    pub(crate) async fn mix(
        &mut self,
        creations: &[usize],
        updates: &[usize],
    ) -> Result<Sent, StoreError> {
        let records = match self.lock(updates).await {
            Ok(answers) => locked(&answers)?,
            Err(broken) => return self.broken(broken, Chance::None, &[]).await,
        };
        let mut write = Write {
            creations: self.ledger.appends(creations),
            updates: Vec::with_capacity(updates.len()),
        };
        let mut applied = Vec::with_capacity(updates.len());
        for at in updates {
            let append = &self.ledger.batch[*at];
            match verdict(append, &records, self.bounds) {
                Verdict::Applies(header) => {
                    applied.push((*at, header.revision));
                    write.updates.push((append, *header));
                }
                Verdict::Answered(answered) => self.ledger.answer(*at, answered),
            }
        }
        let (text, commit_at) = batch::write(&write);
        if let Err(broken) = self.lent.send(text, Span::Transaction).await {
            let may_be_done = is_lost(&broken) || broken.answered == commit_at;
            let chance = if may_be_done {
                Chance::Open
            } else {
                Chance::None
            };
            self.lent.roll_back().await;
            return self.broken(broken, chance, creations).await;
        }
        for (at, revision) in applied {
            self.ledger.answer(at, Ok(AppendOutcome::Applied(revision)));
        }
        self.created(creations);
        Ok(Sent::Settled)
    }

    /// Begins a transaction and locks. What somebody else keeps locked for too long fails its own append, not all of them:
    /// the others are locked past it.
    async fn lock(&mut self, updates: &[usize]) -> Result<Vec<Answer>, Broken> {
        let appends = self.ledger.appends(updates);
        let awaited = self.lent.send(batch::lock(&appends), Span::Begins).await;
        let Err(broken) = awaited else {
            return awaited;
        };
        self.lent.roll_back().await;
        if fault(&broken.error) != Fault::Held {
            return Err(broken);
        }
        let text = batch::lock_past_locks(&appends);
        let skipped = self.lent.send(text, Span::Begins).await;
        if skipped.is_err() {
            self.lent.roll_back().await;
        }
        skipped
    }
}

/// Reads what a locking packet answered: records, and which others are there, but locked by somebody else.
fn locked(answers: &[Answer]) -> Result<Records, StoreError> {
    let [_, locked, there @ ..] = answers else {
        return Ok(Records::new());
    };
    let mut records = records(locked)?;
    for row in there.iter().flat_map(|answer| &answer.rows) {
        let held = || Err(unavailable(DOING, "somebody holds the row for too long"));
        records.entry(layout::gid(row, 0)?).or_insert_with(held);
    }
    Ok(records)
}

fn is_lost(broken: &Broken) -> bool {
    fault(&broken.error) == Fault::Lost
}
