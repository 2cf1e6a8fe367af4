//! What a server does beside its work: it watches the disk and the store.

use std::time::Duration;

use metrics::gauge;
use seata_engine::{Engine, StoreRoom};
use seata_service::{Service, ShardHealth, StoreState};
use tokio::time::sleep;

use crate::stores::Look;

const DISK_INTERVAL: Duration = Duration::from_secs(2);
const STORE_INTERVAL: Duration = Duration::from_secs(2);

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
