//! What a server does beside its work: it watches the disk, and forgets what ended long ago.

use std::time::Duration;

use seata_engine::{Engine, StoreRoom};
use seata_store::{StoreError, TxnStore, UnixMillis};
use seata_store_fjall::{FjallStore, Room};
use tokio::time::sleep;

const DISK_INTERVAL: Duration = Duration::from_secs(2);
const PURGE_INTERVAL: Duration = Duration::from_secs(30);

/// A batch holds up appends for as long as it takes, so it is small, and there is room for them between two.
const PURGE_BATCH: usize = 128;
const PURGE_PAUSE: Duration = Duration::from_millis(20);

/// Refuses new transactions while there is little room on the disk.
pub(crate) async fn watch_disk(store: FjallStore, engine: Engine) {
    let mut before = Room::Enough;
    loop {
        let room = store.room();
        if room != before {
            match room {
                Room::Low => tracing::error!(
                    "little free disk space: new transactions are refused, open ones go on (SEATA_DISK_FREE_MIN_BYTES)"
                ),
                Room::Enough => tracing::info!("enough free disk space again"),
            }
            engine.set_store_room(match room {
                Room::Low => StoreRoom::Low,
                Room::Enough => StoreRoom::Enough,
            });
            before = room;
        }
        sleep(DISK_INTERVAL).await;
    }
}

/// Purges transactions that ended longer ago than the retention.
pub(crate) async fn purge(store: FjallStore, retention: Duration) {
    loop {
        match purge_some(&store, retention).await {
            Ok(PURGE_BATCH) => sleep(PURGE_PAUSE).await,
            Ok(_) => sleep(PURGE_INTERVAL).await,
            Err(error) => {
                tracing::warn!(%error, "ended transactions could not be purged; trying again later");
                sleep(PURGE_INTERVAL).await;
            }
        }
    }
}

async fn purge_some(store: &FjallStore, retention: Duration) -> Result<usize, StoreError> {
    let kept_ms = i64::try_from(retention.as_millis()).unwrap_or(i64::MAX);
    let now = store.ping().await?;
    let ended_before = UnixMillis(now.0.saturating_sub(kept_ms));
    store.purge(ended_before, PURGE_BATCH).await
}
