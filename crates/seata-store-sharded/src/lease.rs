//! Claims and renewals over all shards.

use std::time::Duration;

use futures_util::future::join_all;
use seata_store::{ClaimLimit, FencingToken, Gid, Held, Owner, StoreError, Stored};
use tokio::time::Instant;

use crate::append::Part;
use crate::gate::Call;
use crate::member::{ANSWER_TIME_MAX, Member};

/// Claims a share of each shard, then what is left of the limit from those that have more. Nothing is leased that is not
/// answered. `members` come in the order in which they are served where there is less than one for each.
///
/// Fails only if no shard answers.
pub(crate) async fn claim_due(
    mut members: Vec<&Member>,
    owner: Owner,
    lasts: Duration,
    limit: ClaimLimit,
) -> Result<Vec<Stored>, StoreError> {
    let begun = Instant::now();
    let mut claim = Claim::default();
    // What is claimed too late to be answered is leased for nothing.
    while let Some(rest) = claim.rest(limit)
        && !members.is_empty()
        && begun.elapsed() <= ANSWER_TIME_MAX / 2
    {
        let unasked = members.split_off(rest.count.min(members.len()));
        let shares = shares(rest, members.len());
        let answers = join_all(
            members
                .into_iter()
                .zip(shares)
                .map(|(member, share)| async move {
                    let question = member.store.claim_due(owner, lasts, share);
                    let until = begun + ANSWER_TIME_MAX;
                    let answer = member.ask(Call::Write, "claiming", until, question).await;
                    (member, share, answer)
                }),
        );
        members = unasked;
        for (member, share, answer) in answers.await {
            match claim.take(share, answer) {
                More::Likely => members.push(member),
                More::None => {}
            }
        }
    }
    claim.into_answer()
}

/// Divides a limit: the first ones get what can't be divided.
fn shares(limit: ClaimLimit, among: usize) -> impl Iterator<Item = ClaimLimit> {
    let among = among.max(1);
    (0..among).map(move |n| ClaimLimit {
        count: limit.count / among + usize::from(n < limit.count % among),
        bytes: (limit.bytes / among).max(1),
    })
}

/// Whether a shard may have more that is due.
enum More {
    Likely,
    None,
}

#[derive(Default)]
struct Claim {
    claimed: Vec<Stored>,
    bytes: usize,
    answers: usize,
    error: Option<StoreError>,
}

impl Claim {
    /// Answers what is left of the limit.
    fn rest(&self, limit: ClaimLimit) -> Option<ClaimLimit> {
        let rest = ClaimLimit {
            count: limit.count.saturating_sub(self.claimed.len()),
            bytes: limit.bytes.saturating_sub(self.bytes),
        };
        (rest.count > 0 && rest.bytes > 0).then_some(rest)
    }

    fn take(&mut self, share: ClaimLimit, answer: Result<Vec<Stored>, StoreError>) -> More {
        let some = match answer {
            Ok(some) => some,
            Err(error) => {
                self.error = Some(error);
                return More::None;
            }
        };
        self.answers += 1;
        let bytes: usize = some
            .iter()
            .flat_map(|one| &one.chunks)
            .map(|chunk| chunk.len())
            .sum();
        let is_full = some.len() >= share.count || bytes >= share.bytes;
        self.bytes += bytes;
        self.claimed.extend(some);
        if is_full { More::Likely } else { More::None }
    }

    fn into_answer(mut self) -> Result<Vec<Stored>, StoreError> {
        match self.error {
            Some(error) if self.answers == 0 => Err(error),
            Some(_) | None => {
                self.claimed.sort_by_key(|one| one.header.wake_at);
                Ok(self.claimed)
            }
        }
    }
}

/// Renews all parts at once. What belongs to a shard that does not answer is unknown; fails only if none does.
pub(crate) async fn renew(
    parts: Vec<Part<'_, (Gid, FencingToken)>>,
    count: usize,
    lasts: Duration,
) -> Result<Vec<Held>, StoreError> {
    let until = Instant::now() + ANSWER_TIME_MAX;
    let parts = join_all(parts.into_iter().map(|part| async move {
        let question = part.member.store.renew(&part.items, lasts);
        let answer = part
            .member
            .ask(Call::Write, "renewing", until, question)
            .await;
        (part.places, answer)
    }));
    let mut held = vec![Held::Unknown; count];
    let (mut answers, mut failure) = (0, None);
    for (places, answer) in parts.await {
        match answer {
            Ok(some) => {
                answers += 1;
                places
                    .into_iter()
                    .zip(some)
                    .for_each(|(place, one)| held[place] = one);
            }
            Err(error) => failure = Some(error),
        }
    }
    match failure {
        Some(error) if answers == 0 => Err(error),
        Some(_) | None => Ok(held),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_add_up_to_the_limit() {
        for (count, among) in [(1, 1), (5, 3), (256, 5), (3, 3)] {
            let limit = ClaimLimit {
                count,
                bytes: 1_000,
            };
            let shares: Vec<_> = shares(limit, among).collect();
            assert_eq!(shares.iter().map(|share| share.count).sum::<usize>(), count);
            assert!(shares.iter().all(|share| share.count > 0));
            assert!(shares.iter().map(|share| share.bytes).sum::<usize>() <= 1_000);
        }
    }
}
