//! Purges what ended long ago: in small batches with pauses, for a batch holds up appends as long as it takes. Every server
//! does, each in a rhythm of its own, and the store alone says what can go: only what has ended, by the store's time.

use std::sync::Arc;
use std::time::Duration;

use seata_core::UnixMillis;
use seata_store::{Owner, StoreError};

use crate::outage::Seldom;
use crate::shared::Shared;

const BATCH: usize = 128;
const BATCH_PAUSE: Duration = Duration::from_millis(20);

/// Purges until the engine stops.
pub(crate) async fn purge_all(shared: Arc<Shared>) {
    let (owner, interval) = (shared.config.owner, shared.config.purge_interval);
    let mut complaint = Seldom::default();
    for round in 0.. {
        tokio::time::sleep(pause(owner, round, interval)).await;
        shared.outage.over().await;
        if let Err(error) = purge_due(&shared).await
            && complaint.is_due(shared.boot())
        {
            tracing::warn!(%error, "ended transactions could not be purged; trying again later");
        }
    }
}

/// Purges batch by batch until there is less than a batch.
async fn purge_due(shared: &Shared) -> Result<(), StoreError> {
    while purge_some(shared).await? == BATCH {
        tokio::time::sleep(BATCH_PAUSE).await;
    }
    Ok(())
}

async fn purge_some(shared: &Shared) -> Result<usize, StoreError> {
    // Not the time that this server believes in: its clock may have jumped.
    let now = shared
        .ask("asking the store's time", shared.store.ping())
        .await?;
    let kept_ms = i64::try_from(shared.config.retention.as_millis()).unwrap_or(i64::MAX);
    let ended_before = UnixMillis(now.0.saturating_sub(kept_ms));
    let purge = shared.store.purge(ended_before, BATCH);
    let purged = shared.ask("purging ended transactions", purge).await?;
    shared.meters.purged(purged);
    Ok(purged)
}

/// Answers the pause before a round: between three and five quarters of the interval, by owner, so that servers that started
/// together don't purge together.
fn pause(owner: Owner, round: u64, interval: Duration) -> Duration {
    let bits = (owner.0 ^ (owner.0 >> 64)) as u64;
    let mixed = bits
        .wrapping_add(round)
        .wrapping_mul(0x9e37_79b9_7f4a_7c15)
        .rotate_left(17)
        .wrapping_mul(0xff51_afd7_ed55_8ccd);
    let thousandth = u32::try_from(mixed % 500).unwrap_or(0);
    interval * (750 + thousandth) / 1_000
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_that_start_together_purge_in_rhythms_of_their_own() {
        let interval = Duration::from_secs(30);
        let first: std::collections::BTreeSet<_> = (1..=16)
            .map(|owner| pause(Owner(owner << 70), 0, interval))
            .collect();
        assert!(first.len() > 12, "{first:?}");
        assert!(first.iter().all(|pause| *pause >= interval * 3 / 4));
        assert!(first.iter().all(|pause| *pause <= interval * 5 / 4));
    }
}
