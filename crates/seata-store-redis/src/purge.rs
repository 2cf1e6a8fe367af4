//! Removing what ended long ago.

use std::collections::BTreeMap;
use std::sync::PoisonError;

use fred::types::Value;
use seata_store::{Gid, Header, SCAN_MAX, StoreError, UnixMillis};

use crate::error::Access;
use crate::layout::{Partition, finals};
use crate::node::Call;
use crate::script::{Command, REMOVE};
use crate::store::Inner;
use crate::walk::{From, Losses, Walk};

const DOING: &str = "purging";

/// Looks at a bounded number, from where the last purge ended: old open transactions hold up none. Nor does a partition
/// that is away, or a record that can't be read: they are passed over until the walk begins anew, behind the last one that
/// is old enough to have ended.
pub(crate) async fn purge(
    inner: &Inner,
    ended_before: UnixMillis,
    limit: usize,
) -> Result<usize, StoreError> {
    let call = inner.begin();
    let slot = || {
        inner
            .purged_to
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    };
    let behind = slot().clone();
    let wanted = limit.clamp(1, SCAN_MAX);
    let order = (From::Oldest, Losses::PassOver);
    let mut walk = Walk::begin(inner, call, order, behind.as_ref(), wanted);
    let mut old: BTreeMap<Partition, Vec<Gid>> = BTreeMap::new();
    let (mut count, mut next) = (0, None);
    for scanned in 0.. {
        if count == limit || scanned == SCAN_MAX {
            break;
        }
        let found = walk.next().await;
        let found = found.map_err(|fault| fault.told(DOING, Access::Read))?;
        let Some(found) = found.filter(|found| found.created_at() < ended_before) else {
            next = None;
            break;
        };
        next = Some(found.place());
        let is_old = match found.fields.is_gone() {
            // The script takes it out of the index.
            true => true,
            false => match found.fields.header(DOING, found.gid.clone()) {
                Ok(header) => is_old(&header, ended_before),
                Err(error) => {
                    tracing::warn!(gid = %found.gid, %error, "a record that can't be read is never purged");
                    false
                }
            },
        };
        if is_old {
            count += usize::from(!found.fields.is_gone());
            old.entry(found.partition).or_default().push(found.gid);
        }
    }
    if let Some(fault) = walk.all_lost() {
        return Err(fault.told(DOING, Access::Read));
    }
    let removed = remove(inner, call, ended_before, old).await?;
    *slot() = next;
    Ok(removed)
}

fn is_old(header: &Header, ended_before: UnixMillis) -> bool {
    header.status.is_final() && header.updated_at < ended_before
}

async fn remove(
    inner: &Inner,
    call: Call,
    UnixMillis(before): UnixMillis,
    old: BTreeMap<Partition, Vec<Gid>>,
) -> Result<usize, StoreError> {
    let commands = old.into_iter().map(|(partition, gids)| {
        let mut keys = vec![inner.layout.listed(partition)];
        let mut args = vec![Value::from(before.to_string()), finals()];
        for gid in gids {
            keys.push(inner.layout.record(&gid));
            args.push(Value::from(gid.as_str()));
        }
        (partition, Command::script(&REMOVE, keys, args))
    });
    let (mut answered, mut removed, mut failed) = (0, 0, None);
    for answer in inner.ask_each(call, commands.collect()).await {
        match answer {
            Ok(value) => {
                answered += 1;
                removed += value.as_usize().unwrap_or_default();
            }
            Err(fault) => failed = Some(fault.told(DOING, Access::Write)),
        }
    }
    match failed {
        Some(error) if answered == 0 => Err(error),
        Some(_) | None => Ok(removed),
    }
}
