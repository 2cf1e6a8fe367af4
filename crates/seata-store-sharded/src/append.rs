//! Splits a batch over the shards and brings the answers back into its order.

use futures_util::future::join_all;
use seata_store::{Append, StoreError, StoreErrorKind, StoreLimits};

use crate::member::{Answer, Member};

/// What belongs to one shard, and where it stood in the whole.
pub(crate) struct Part<'a, T> {
    pub(crate) member: &'a Member,
    pub(crate) places: Vec<usize>,
    pub(crate) items: Vec<T>,
}

/// Cuts into parts by shard. Answers those that hold anything.
pub(crate) fn parts<T>(
    members: &[Member],
    items: impl IntoIterator<Item = T>,
    shard_of: impl Fn(&T) -> usize,
) -> Vec<Part<'_, T>> {
    let mut parts: Vec<_> = members
        .iter()
        .map(|member| Part {
            member,
            places: Vec::new(),
            items: Vec::new(),
        })
        .collect();
    for (place, item) in items.into_iter().enumerate() {
        let part = &mut parts[shard_of(&item)];
        part.places.push(place);
        part.items.push(item);
    }
    parts.retain(|part| !part.items.is_empty());
    parts
}

/// Appends all parts at once.
pub(crate) async fn append(parts: Vec<Part<'_, Append>>, count: usize) -> Vec<Answer> {
    let parts = join_all(parts.into_iter().map(|part| async move {
        let answers = part.member.append(part.items).await;
        part.places.into_iter().zip(answers)
    }));
    let mut answers: Vec<Option<Answer>> = vec![None; count];
    for (place, answer) in parts.await.into_iter().flatten() {
        answers[place] = Some(answer);
    }
    let missing = || {
        StoreError::new(
            StoreErrorKind::Ambiguous,
            "appending",
            "an answer is missing",
        )
    };
    let answers = answers.into_iter();
    answers
        .map(|answer| answer.unwrap_or_else(|| Err(missing())))
        .collect()
}

/// Cuts a shard's part into batches that it takes: chance may give one shard more than its own limit.
pub(crate) fn pieces(batch: Vec<Append>, limits: StoreLimits) -> Vec<Vec<Append>> {
    let mut pieces: Vec<Vec<Append>> = Vec::new();
    let mut bytes = 0;
    for append in batch {
        let length = append.chunk.bytes().len();
        match pieces.last_mut() {
            Some(piece)
                if piece.len() < limits.batch_count_max
                    && bytes + length <= limits.batch_bytes_max =>
            {
                bytes += length;
                piece.push(append);
            }
            Some(_) | None => {
                bytes = length;
                pieces.push(vec![append]);
            }
        }
    }
    pieces
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use bytes::Bytes;
    use seata_store::{Chunk, Expected, Gid, LeaseChange, Mode, Status, UnixMillis};

    use super::*;

    fn creation(length: usize) -> Append {
        Append {
            gid: Gid::parse("g").unwrap(),
            mode: Mode::Saga,
            expected: Expected::Absent,
            status: Status::Submitted,
            wake_at: None,
            lease: LeaseChange::Keep,
            chunk: Chunk::Add(Bytes::from(vec![0; length])),
            at: UnixMillis(1),
        }
    }

    #[test]
    fn no_piece_is_larger_than_a_shard_takes() {
        let limits = StoreLimits {
            batch_count_max: 3,
            batch_bytes_max: 100,
            ..StoreLimits::default()
        };
        let cut = |lengths: &[usize]| -> Vec<Vec<usize>> {
            let batch = lengths.iter().map(|length| creation(*length)).collect();
            let length = |append: &Append| append.chunk.bytes().len();
            pieces(batch, limits)
                .iter()
                .map(|piece| piece.iter().map(length).collect())
                .collect()
        };
        assert_eq!(cut(&[1, 2, 3, 4]), [vec![1, 2, 3], vec![4]]);
        assert_eq!(cut(&[60, 40, 1]), [vec![60, 40], vec![1]]);
        assert_eq!(cut(&[1, 500, 1]), [vec![1], vec![500], vec![1]]);
        assert!(cut(&[]).is_empty());
    }
}
