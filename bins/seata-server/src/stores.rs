//! The chosen store: opens it, and says what is special about it. All others are one to the rest of the program.

use std::future::Future;
use std::path::{Path, PathBuf, absolute};
use std::sync::Arc;

use anyhow::{Context, Result};
use futures_util::future::join_all;
use seata_config::{Kept, MigrateAtStart, Settings, StoreAddress};
use seata_engine::StoreRoom;
use seata_service::{ShardHealth, Shards, StoreFacts};
use seata_store::{Migrate, Shard, StoreError, TxnStore};
use seata_store_fjall::{FjallOptions, FjallStore, Room};
use seata_store_mysql::{MysqlOptions, MysqlStore};
use seata_store_postgres::{PostgresOptions, PostgresStore};
use seata_store_redis::{RedisOptions, RedisStore};
use seata_store_sharded::{ShardState, Sharded};
use seata_store_sled::{SledOptions, SledStore};

use crate::logs;

/// Looks whether the disk has room.
pub(crate) type Look = Box<dyn Fn() -> StoreRoom + Send + Sync>;

/// A store that is open.
pub(crate) struct Opened {
    pub(crate) store: Arc<dyn TxnStore>,
    /// What health tells of it.
    pub(crate) facts: StoreFacts,
    /// Where it is, for a person, without passwords.
    pub(crate) place: String,
    /// For one that is in a folder.
    pub(crate) room: Option<Look>,
}

/// Opens the store that was chosen. One in a folder keeps at most so many of its files open to read them.
///
/// # Errors
/// It can't be reached or used: the text says what to change.
pub(crate) async fn open(settings: &Settings, files_kept_max: usize) -> Result<Opened> {
    match settings.kept()? {
        Kept::Embedded => embedded(settings, files_kept_max),
        Kept::Sled => sled(settings),
        Kept::Redis(address) => {
            let open = |address: &_, shard| RedisStore::open(redis(settings, address, shard));
            spread(settings, std::slice::from_ref(address), open).await
        }
        Kept::Mysql(addresses) => {
            let open = |address: &_, shard| MysqlStore::open(mysql(settings, address, shard));
            spread(settings, addresses, open).await
        }
        Kept::Postgres(addresses) => {
            let open = |address: &_, shard| PostgresStore::open(postgres(settings, address, shard));
            spread(settings, addresses, open).await
        }
    }
}

/// Brings the tables of every database of the chosen store up to date, and says what was done: nothing where the store
/// has no tables.
///
/// # Errors
/// One of its databases can't be reached or changed: the text says what to change.
pub(crate) async fn migrate(settings: &Settings, mut say: impl FnMut(&str)) -> Result<()> {
    match settings.kept()? {
        Kept::Embedded | Kept::Sled | Kept::Redis(_) => {
            say(&format!(
                "the store {} has no tables to bring up to date: there is nothing to do. Only mysql and postgres have some (SEATA_STORE)",
                settings.store.as_str()
            ));
            Ok(())
        }
        Kept::Mysql(addresses) => {
            for (address, shard) in shards_of(addresses) {
                let done = MysqlStore::migrate(&mysql(settings, address, shard)).await;
                let done = done.with_context(|| address.to_string())?;
                say(&said(address, &done.applied, done.version));
            }
            Ok(())
        }
        Kept::Postgres(addresses) => {
            for (address, shard) in shards_of(addresses) {
                let done = PostgresStore::migrate(&postgres(settings, address, shard)).await;
                let done = done.with_context(|| address.to_string())?;
                say(&said(address, &done.applied, done.version));
            }
            Ok(())
        }
    }
}

fn said(address: &StoreAddress, applied: &[i64], version: i64) -> String {
    if applied.is_empty() {
        return format!("{address}: up to date, at migration {version}");
    }
    let applied: Vec<String> = applied.iter().map(ToString::to_string).collect();
    let applied = applied.join(", ");
    format!("{address}: applied migration {applied}; now up to date, at {version}")
}

fn redis(settings: &Settings, address: &StoreAddress, shard: Shard) -> RedisOptions {
    RedisOptions {
        connections_max: settings.store_connections_max,
        shard,
        ..RedisOptions::new(address.expose())
    }
}

fn mysql(settings: &Settings, address: &StoreAddress, shard: Shard) -> MysqlOptions {
    MysqlOptions {
        connections_max: settings.store_connections_max,
        shard,
        migrate: at_start(settings),
        ..MysqlOptions::new(address.expose())
    }
}

fn postgres(settings: &Settings, address: &StoreAddress, shard: Shard) -> PostgresOptions {
    PostgresOptions {
        connections_max: settings.store_connections_max,
        shard,
        migrate: at_start(settings),
        ..PostgresOptions::new(address.expose())
    }
}

fn embedded(settings: &Settings, files_kept_max: usize) -> Result<Opened> {
    let folder = folder(settings)?;
    let options = FjallOptions {
        disk_free_min_bytes: settings.disk_free_min_bytes,
        files_kept_max,
        ..FjallOptions::new(fatal)
    };
    let store = FjallStore::open(&folder, options)?;
    tell_of(&folder, "sled", "sled");
    let watched = store.clone();
    let look = move || match watched.room() {
        Room::Enough => StoreRoom::Enough,
        Room::Low => StoreRoom::Low,
    };
    Ok(in_folder(
        settings,
        &folder,
        Arc::new(store),
        Box::new(look),
    ))
}

fn sled(settings: &Settings) -> Result<Opened> {
    let folder = folder(settings)?;
    let options = SledOptions {
        disk_free_min_bytes: settings.disk_free_min_bytes,
        on_fatal: Box::new(fatal),
    };
    let store = SledStore::open(&folder, options)?;
    tell_of(&folder, "embedded", "fjall");
    let watched = store.clone();
    let look = move || match watched.room() {
        seata_store_sled::Room::Enough => StoreRoom::Enough,
        seata_store_sled::Room::Low => StoreRoom::Low,
    };
    Ok(in_folder(
        settings,
        &folder,
        Arc::new(store),
        Box::new(look),
    ))
}

fn in_folder(settings: &Settings, folder: &Path, store: Arc<dyn TxnStore>, room: Look) -> Opened {
    Opened {
        store,
        facts: facts(settings, None),
        place: folder.display().to_string(),
        room: Some(room),
    }
}

/// Says so where the folder holds another store as well: its open transactions wait for whoever opens that one.
fn tell_of(folder: &Path, other: &str, name: &'static str) {
    if folder.join(name).exists() {
        tracing::warn!(
            folder = %folder.display(),
            "the data folder also holds transactions of the store {other}: nobody drives those that are open; start with SEATA_STORE={other} to end them"
        );
    }
}

fn folder(settings: &Settings) -> Result<PathBuf> {
    absolute(&settings.data_dir).context("finding the data folder")
}

/// A write or sync that failed can't be repeated: what was acknowledged is only known from the files, so the process
/// ends and the next one reads them.
fn fatal(why: &str) {
    tracing::error!(
        target: logs::KEPT,
        why,
        "the store failed: the process ends; mend the disk, then start again"
    );
    logs::written();
    std::process::exit(1);
}

fn facts(settings: &Settings, shards: Option<Shards>) -> StoreFacts {
    StoreFacts {
        kind: Some(settings.store.as_str()),
        shards,
    }
}

/// Opens all databases at once, and spreads the transactions over them if there are several. One that is away stops the
/// start: nobody could tell whether it is the right one.
async fn spread<S: TxnStore, F>(
    settings: &Settings,
    addresses: &[StoreAddress],
    open: impl Fn(&StoreAddress, Shard) -> F,
) -> Result<Opened>
where
    F: Future<Output = Result<S, StoreError>>,
{
    let open_one = async |(address, shard): (&StoreAddress, Shard)| {
        let store = open(address, shard).await;
        let store: Arc<dyn TxnStore> = Arc::new(store.with_context(|| address.to_string())?);
        anyhow::Ok(store)
    };
    let opened = join_all(shards_of(addresses).map(open_one)).await;
    let mut stores = opened.into_iter().collect::<Result<Vec<_>>>()?;
    let (store, shards) = match (stores.pop(), stores.is_empty()) {
        (Some(only), true) => (only, None),
        (last, _) => {
            stores.extend(last);
            let sharded = Sharded::new(stores)?;
            let states = sharded.clone();
            let shards: Shards =
                Arc::new(move || states.states().into_iter().map(health).collect());
            let sharded: Arc<dyn TxnStore> = Arc::new(sharded);
            (sharded, Some(shards))
        }
    };
    let places: Vec<String> = addresses.iter().map(ToString::to_string).collect();
    Ok(Opened {
        store,
        facts: facts(settings, shards),
        place: places.join(", "),
        room: None,
    })
}

/// Answers each address with the part of the transactions that it keeps.
fn shards_of(addresses: &[StoreAddress]) -> impl Iterator<Item = (&StoreAddress, Shard)> {
    let count = u16::try_from(addresses.len()).unwrap_or(u16::MAX);
    let shards = (0..count).filter_map(move |index| Shard::new(index, count));
    addresses.iter().zip(shards)
}

const fn health(state: ShardState) -> ShardHealth {
    match state {
        ShardState::Answers => ShardHealth::Ok,
        ShardState::Fails | ShardState::Silent => ShardHealth::Unavailable,
    }
}

const fn at_start(settings: &Settings) -> Migrate {
    match settings.migrate {
        MigrateAtStart::Auto => Migrate::Auto,
        MigrateAtStart::Check => Migrate::Check,
        MigrateAtStart::Off => Migrate::Off,
    }
}
