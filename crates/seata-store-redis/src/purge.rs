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
use crate::walk::{From, Walk};

const DOING: &str = "purging";

/// Looks at a bounded number, from where the last purge ended: old open transactions hold up none.
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
    let mut walk = Walk::begin(inner, call, From::Oldest, behind.as_ref(), wanted);
    let mut old: BTreeMap<Partition, Vec<Gid>> = BTreeMap::new();
    let (mut count, mut next) = (0, None);
    for scanned in 0.. {
        if count == limit || scanned == SCAN_MAX {
            break;
        }
        let found = walk.next().await;
        let Some(found) = found.map_err(|fault| fault.told(DOING, Access::Read))? else {
            next = None;
            break;
        };
        next = Some(found.place());
        let is_old = match found.fields.is_gone() {
            // The script takes it out of the index.
            true => true,
            false => is_old(
                &found.fields.header(DOING, found.gid.clone())?,
                ended_before,
            ),
        };
        if is_old {
            count += usize::from(!found.fields.is_gone());
            old.entry(found.partition).or_default().push(found.gid);
        }
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
    let mut removed = 0;
    for answer in inner.ask_each(call, commands.collect()).await {
        let answer = answer.map_err(|fault| fault.told(DOING, Access::Write))?;
        removed += answer.as_usize().unwrap_or_default();
    }
    Ok(removed)
}
