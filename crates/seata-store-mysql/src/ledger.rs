//! Which append of a batch has which answer, and what goes out together. Sends nothing.

use std::collections::BTreeSet;

use seata_store::{Append, AppendOutcome, StoreError};

use crate::append::DOING;
use crate::batch;
use crate::error::unavailable;
use crate::open::Bounds;

/// The answer to one append.
pub(crate) type Answered = Result<AppendOutcome, StoreError>;

/// Cuts a batch so that each piece fits into a packet and holds no gid twice. The engine's batches are one piece.
pub(crate) fn pieces(batch: &[Append], bounds: &Bounds) -> Vec<Vec<usize>> {
    let mut pieces: Vec<Vec<usize>> = Vec::new();
    let (mut bytes, mut gids) = (usize::MAX, BTreeSet::new());
    for (at, append) in batch.iter().enumerate() {
        let weight = if is_beyond(append, bounds) {
            batch::APPEND_BYTES
        } else {
            batch::weight(append)
        };
        let full = bytes.saturating_add(weight) > bounds.packet_bytes_max
            || pieces
                .last()
                .is_some_and(|piece| piece.len() >= bounds.limits.batch_count_max);
        if full || gids.contains(&append.gid) {
            pieces.push(Vec::new());
            (bytes, gids) = (0, BTreeSet::new());
        }
        bytes += weight;
        gids.insert(&append.gid);
        if let Some(piece) = pieces.last_mut() {
            piece.push(at);
        }
    }
    pieces
}

/// Whether the chunk alone is too large, so that it isn't even sent.
pub(crate) fn is_beyond(append: &Append, bounds: &Bounds) -> bool {
    append.chunk.bytes().len() > bounds.limits.record_bytes_max
}

/// What has been answered so far.
pub(crate) struct Ledger<'batch> {
    pub(crate) batch: &'batch [Append],
    answers: Vec<Option<Answered>>,
}

impl<'batch> Ledger<'batch> {
    pub(crate) fn new(batch: &'batch [Append]) -> Self {
        let answers = batch.iter().map(|_| None).collect();
        Self { batch, answers }
    }

    pub(crate) fn answer(&mut self, at: usize, answered: Answered) {
        self.answers[at] = Some(answered);
    }

    /// Answers those of these without an answer, in gid order: the order of locks.
    pub(crate) fn open(&self, piece: &[usize]) -> Vec<usize> {
        let mut open: Vec<usize> = piece
            .iter()
            .copied()
            .filter(|at| self.answers[*at].is_none())
            .collect();
        open.sort_by(|left, right| self.batch[*left].gid.cmp(&self.batch[*right].gid));
        open
    }

    pub(crate) fn appends(&self, at: &[usize]) -> Vec<&'batch Append> {
        at.iter().map(|at| &self.batch[*at]).collect()
    }

    pub(crate) fn fill(&mut self, piece: impl IntoIterator<Item = usize>, error: &StoreError) {
        for at in piece {
            self.answers[at].get_or_insert_with(|| Err(error.clone()));
        }
    }

    pub(crate) fn answers(self) -> Vec<Answered> {
        let none = || Err(unavailable(DOING, "it was not sent"));
        self.answers
            .into_iter()
            .map(|answer| answer.unwrap_or_else(none))
            .collect()
    }
}
