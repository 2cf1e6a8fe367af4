//! What a server gives to new sessions changes nothing: each session is set before it is used.

use std::time::Duration;

use seata_store::{AppendOutcome, Held, Shard, StoreErrorKind};

use super::support::{Database, creation, following, gid, loaded, revision, taking};
use crate::connection::{self, IdleTransactionTimeout, Pool};
use crate::{MysqlOptions, MysqlStore, append, open, renew};

/// As a server whose administrator likes to be surprised would set them.
const HOSTILE: &str = "SET SESSION completion_type = 'CHAIN', sql_select_limit = 1, autocommit = 0, \
                       sql_mode = 'ANSI_QUOTES,NO_BACKSLASH_ESCAPES', time_zone = '-08:00', unique_checks = 0, \
                       sql_safe_updates = 1";

async fn hostile(database: &Database) -> Pool {
    let session = connection::session(IdleTransactionTimeout::Unknown);
    Pool::new(
        database.options(),
        format!("{HOSTILE}; {session}"),
        1,
        Duration::from_secs(30),
    )
}

fn options(database: &Database) -> MysqlOptions {
    MysqlOptions {
        timeout: Duration::from_secs(30),
        ..MysqlOptions::new(database.address())
    }
}

#[tokio::test]
async fn no_default_of_the_server_loses_an_append_or_hides_a_row() {
    let Some(database) = Database::create().await else {
        return;
    };
    let store = MysqlStore::open(options(&database)).await.unwrap();
    let (pool, bounds) = (hostile(&database).await, store.inner().bounds);
    let names = ["a", "b", "c"];
    let creations = names.map(|name| {
        let mut one = creation(name, 1_000);
        one.lease = taking(1, Duration::from_secs(600));
        one
    });
    let created = append::append(&pool, &bounds, &creations).await;
    assert_eq!(created, vec![Ok(AppendOutcome::Applied(revision(1))); 3]);
    let mut batch = Vec::new();
    for name in names {
        batch.push(following(&loaded(&store, &gid(name)).await.header, "x"));
    }
    let followed = append::append(&pool, &bounds, &batch).await;
    assert_eq!(followed, vec![Ok(AppendOutcome::Applied(revision(2))); 3]);
    let held: Vec<_> = batch
        .iter()
        .map(|one| (one.gid.clone(), seata_store::FencingToken(1)))
        .collect();
    let renewed = renew::renew(&pool, &held, Duration::from_secs(600)).await;
    assert_eq!(renewed.unwrap(), vec![Held::Renewed(revision(2)); 3]);
    // By itself, behind the commit of a transaction: seen by others, so it was committed too.
    let alone = append::append(&pool, &bounds, &[creation("d", 1_000)]).await;
    assert_eq!(alone, vec![Ok(AppendOutcome::Applied(revision(1)))]);
    loaded(&store, &gid("d")).await;
}

#[tokio::test]
async fn the_mark_of_a_shard_stays_where_nothing_commits_by_itself() {
    let Some(database) = Database::create().await else {
        return;
    };
    MysqlStore::migrate(&options(&database)).await.unwrap();
    let mut lax = database.connect().await;
    connection::run(&mut lax, HOSTILE.to_owned()).await.unwrap();
    open::mark(&mut lax, Shard::new(1, 3).unwrap())
        .await
        .unwrap();
    drop(lax);
    let mut other = database.connect().await;
    let marked = open::mark(&mut other, Shard::new(0, 3).unwrap()).await;
    assert_eq!(marked.unwrap_err().kind, StoreErrorKind::Invalid);
}
