//! What a server does beside its work: it watches the disk and the store, and forgets what ended long ago.

use std::sync::Arc;
use std::time::Duration;

use metrics::gauge;
use seata_engine::{Engine, StoreRoom};
use seata_service::{Service, ShardHealth, StoreState};
use seata_store::{StoreError, TxnStore, UnixMillis};
use tokio::time::sleep;

use crate::stores::Look;

const DISK_INTERVAL: Duration = Duration::from_secs(2);
const STORE_INTERVAL: Duration = Duration::from_secs(2);
const PURGE_INTERVAL: Duration = Duration::from_secs(30);

/// A batch holds up appends for as long as it takes, so it is small, and there is room for them between two.
const PURGE_BATCH: usize = 128;
const PURGE_PAUSE: Duration = Duration::from_millis(20);

/// Refuses new transactions while there is little room on the disk.
pub(crate) async fn watch_disk(look: Look, engine: Engine) {
    let mut before = StoreRoom::Enough;
    loop {
        let room = look();
        if room != before {
            match room {
                StoreRoom::Low => tracing::error!(
                    "little free disk space: new transactions are refused, open ones go on (SEATA_DISK_FREE_MIN_BYTES)"
                ),
                StoreRoom::Enough => tracing::info!("enough free disk space again"),
            }
            engine.set_store_room(room);
            before = room;
        }
        sleep(DISK_INTERVAL).await;
    }
}

/// Shows whether the store answers, each of several databases by its index.
pub(crate) async fn watch_store(service: Service) {
    loop {
        let store = service.store().await;
        if store.shards.is_empty() {
            let up = if store.state == StoreState::Ok {
                1.0
            } else {
                0.0
            };
            gauge!("seata_store_up", "shard" => "0").set(up);
        }
        for (index, shard) in store.shards.into_iter().enumerate() {
            let up = if shard == ShardHealth::Ok { 1.0 } else { 0.0 };
            gauge!("seata_store_up", "shard" => index.to_string()).set(up);
        }
        sleep(STORE_INTERVAL).await;
    }
}

/// Purges transactions that ended longer ago than the retention.
pub(crate) async fn purge(store: Arc<dyn TxnStore>, retention: Duration) {
    loop {
        match purge_some(store.as_ref(), retention).await {
            Ok(PURGE_BATCH) => sleep(PURGE_PAUSE).await,
            Ok(_) => sleep(PURGE_INTERVAL).await,
            Err(error) => {
                tracing::warn!(%error, "ended transactions could not be purged; trying again later");
                sleep(PURGE_INTERVAL).await;
            }
        }
    }
}

async fn purge_some(store: &dyn TxnStore, retention: Duration) -> Result<usize, StoreError> {
    let kept_ms = i64::try_from(retention.as_millis()).unwrap_or(i64::MAX);
    let now = store.ping().await?;
    let ended_before = UnixMillis(now.0.saturating_sub(kept_ms));
    store.purge(ended_before, PURGE_BATCH).await
}
