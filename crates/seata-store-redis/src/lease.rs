//! Leases: what is due, and who still holds what.
//!
//! A claim asks each partition for its earliest wake-ups, takes the earliest of all, and leases those where they are: two
//! rounds where something is due, one where nothing is. Another server may be faster in between; then it asks again.

use std::collections::BTreeMap;
use std::time::Duration;

use fred::types::Value;
use seata_store::{ClaimLimit, FencingToken, Gid, Held, Owner, Revision, StoreError, Stored};

use crate::append::millis;
use crate::due::{due, pick};
use crate::error::{Access, corrupt};
use crate::layout::{self, Partition, finals, owner_text};
use crate::node::Call;
use crate::script::{CLAIM, Command, RENEW};
use crate::store::Inner;

const CLAIMING: &str = "claiming";
const RENEWING: &str = "renewing leases";

/// The most wake-ups that one script tells, and transactions that one leases or renews.
pub(crate) const SCRIPT_COUNT_MAX: usize = 256;

/// The most rounds of one claim. Each one that gets nothing means that another server got something.
const ROUNDS_MAX: usize = 32;

pub(crate) async fn claim_due(
    inner: &Inner,
    owner: Owner,
    lasts: Duration,
    limit: ClaimLimit,
) -> Result<Vec<Stored>, StoreError> {
    let call = inner.begin();
    let (mut claimed, mut bytes) = (Vec::new(), 0);
    for _ in 0..ROUNDS_MAX {
        let left = limit.count.saturating_sub(claimed.len());
        if left == 0 || (bytes >= limit.bytes && !claimed.is_empty()) {
            break;
        }
        let due = match due(inner, call, left).await {
            Ok(due) => due,
            Err(fault) if claimed.is_empty() => return Err(fault.told(CLAIMING, Access::Write)),
            Err(_) => break,
        };
        if due.entries.is_empty() {
            if due.is_all {
                break;
            }
            continue;
        }
        let told = due.entries.len();
        let picked = pick(due.entries, left, limit.bytes.saturating_sub(bytes));
        let is_last = due.is_all && picked.values().map(Vec::len).sum::<usize>() == told;
        match lease(inner, call, owner, lasts, picked).await {
            Ok(some) => {
                bytes += some.iter().map(size).sum::<usize>();
                claimed.extend(some);
            }
            Err(error) if claimed.is_empty() => return Err(error),
            Err(_) => break,
        }
        if is_last {
            break;
        }
    }
    claimed.sort_by_key(|one| (one.header.wake_at, one.header.gid.clone()));
    Ok(claimed)
}

fn size(stored: &Stored) -> usize {
    stored.chunks.iter().map(bytes::Bytes::len).sum()
}

/// Leases what was picked. What a lost answer leased is due again when the lease has passed.
async fn lease(
    inner: &Inner,
    call: Call,
    owner: Owner,
    lasts: Duration,
    picked: BTreeMap<Partition, Vec<Gid>>,
) -> Result<Vec<Stored>, StoreError> {
    let layout = &inner.layout;
    let command = |partition: Partition, gids: &[Gid]| {
        let mut keys = vec![layout.free(partition), layout.leased(partition)];
        let mut args = vec![Value::from(owner_text(owner)), Value::from(millis(lasts))];
        keys.extend(gids.iter().map(|gid| layout.record(gid)));
        args.extend(gids.iter().map(|gid| Value::from(gid.as_str())));
        (partition, Command::script(&CLAIM, keys, args))
    };
    let (mut asked, mut commands) = (Vec::new(), Vec::new());
    for (partition, gids) in &picked {
        for some in gids.chunks(SCRIPT_COUNT_MAX) {
            asked.push(some);
            commands.push(command(*partition, some));
        }
    }
    let answers = inner.ask_each(call, commands).await;
    let (mut claimed, mut failed) = (Vec::new(), None);
    for (gids, answer) in asked.into_iter().zip(answers) {
        match answer {
            Ok(value) => {
                for (gid, value) in gids.iter().zip(value.into_array()) {
                    match layout::stored(CLAIMING, gid, value) {
                        Ok(stored) => claimed.extend(stored),
                        // It would hold up all that is due behind it; it is due again when its lease has passed.
                        Err(error) => {
                            tracing::error!(%gid, %error, "a due transaction can't be read");
                            failed = Some(error);
                        }
                    }
                }
            }
            Err(fault) => failed = Some(fault.told(CLAIMING, Access::Write)),
        }
    }
    match failed {
        Some(error) if claimed.is_empty() => Err(error),
        Some(_) | None => Ok(claimed),
    }
}

pub(crate) async fn renew(
    inner: &Inner,
    held: &[(Gid, FencingToken)],
    lasts: Duration,
) -> Result<Vec<Held>, StoreError> {
    let call = inner.begin();
    let mut parts: BTreeMap<Partition, Vec<usize>> = BTreeMap::new();
    for (place, (gid, _)) in held.iter().enumerate() {
        let partition = inner.layout.partition(gid);
        parts.entry(partition).or_default().push(place);
    }
    let (mut asked, mut commands) = (Vec::new(), Vec::new());
    for (partition, places) in &parts {
        for some in places.chunks(SCRIPT_COUNT_MAX) {
            asked.push(some);
            commands.push(renewal(inner, *partition, some, held, lasts));
        }
    }
    let answers = inner.ask_each(call, commands).await;
    let mut renewed = vec![Held::Unknown; held.len()];
    let (mut answered, mut failed) = (0, None);
    for (places, answer) in asked.into_iter().zip(answers) {
        match answer {
            Ok(value) => {
                answered += 1;
                for (place, value) in places.iter().zip(value.into_array()) {
                    renewed[*place] = held_of(value)?;
                }
            }
            Err(fault) => failed = Some(fault.told(RENEWING, Access::Write)),
        }
    }
    match failed {
        Some(error) if answered == 0 => Err(error),
        Some(_) | None => Ok(renewed),
    }
}

fn renewal(
    inner: &Inner,
    partition: Partition,
    places: &[usize],
    held: &[(Gid, FencingToken)],
    lasts: Duration,
) -> (Partition, Command) {
    let layout = &inner.layout;
    let mut keys = vec![layout.free(partition), layout.leased(partition)];
    let mut args = vec![Value::from(millis(lasts)), finals()];
    for place in places {
        let (gid, token) = &held[*place];
        keys.push(layout.record(gid));
        args.push(Value::from(gid.as_str()));
        args.push(Value::from(token.0.to_string()));
    }
    (partition, Command::script(&RENEW, keys, args))
}

fn held_of(value: Value) -> Result<Held, StoreError> {
    let text = value.into_string().unwrap_or_default();
    if text.is_empty() {
        return Ok(Held::Lost);
    }
    text.parse()
        .map(|revision| Held::Renewed(Revision(revision)))
        .map_err(|_| corrupt(RENEWING, "the script answered no revision"))
}
