//! The tables: numbered files that are part of the binary, each applied once and in order.
//!
//! MySQL commits with each change of a table, so a server that dies in the middle leaves a file half applied. Each file
//! is therefore written so that it may run again (`IF NOT EXISTS`), and does. sqlx's own lock is not used: it asks for an
//! endless wait, which MariaDB answers with NULL and no lock.

use std::collections::BTreeMap;

use seata_store::{Migrated, StoreError};
use sqlx::migrate::{MigrateError, Migration, MigrationType, Migrator};
use sqlx::mysql::MySqlConnection;
use sqlx::{AssertSqlSafe, SqlSafeStr};

use crate::connection::{PLAIN, connect, run};
use crate::error::{Chance, failed, invalid, number, unavailable};
use crate::layout;
use crate::open::Limit;

const DOING: &str = "migrating the tables on MySQL";

const CHECKING: &str = "checking the tables on MySQL";

/// All of them, by number. Files are added, never changed: a test holds their hashes.
pub(crate) const FILES: [(i64, &str, &str); 1] = [(
    1,
    "transactions",
    include_str!("../../../migrations/mysql/0001_transactions.sql"),
)];

/// Where it is written which were applied: not sqlx's own table, which the user's services may have.
const TABLE: &str = "seata_migrations";

/// How long one server waits for another that migrates, in seconds.
const LOCK_WAIT_SECS_MAX: u32 = 120;

/// Says in the log what a start changed: nothing where the tables were up to date.
pub(crate) fn tell(done: &Migrated) {
    if !done.applied.is_empty() {
        tracing::info!(
            applied = ?done.applied,
            version = done.version,
            "brought the tables up to date"
        );
    }
}

/// The limit is for the first look: a migration may take long, and so may another server's, for which this one waits.
pub(crate) async fn migrate(limit: &Limit<'_>) -> Result<Migrated, StoreError> {
    let looking = async {
        let mut connection = connect(limit.connect).await?;
        let standing = standing(&mut connection).await?;
        Ok((connection, standing))
    };
    let (mut connection, first) = limit.on(looking).await?;
    if let Standing::Current(version) = first {
        return Ok(Migrated {
            applied: Vec::new(),
            version,
        });
    }
    lock(&mut connection).await?;
    // Another server may have done it while this one waited.
    let Standing::Behind(applied) = standing(&mut connection).await? else {
        return Ok(Migrated {
            applied: Vec::new(),
            version: latest(),
        });
    };
    forget_cut_short(&mut connection, &applied).await?;
    let mut migrator = Migrator::with_migrations(FILES.into_iter().map(migration).collect());
    migrator.dangerous_set_table_name(TABLE);
    migrator.set_locking(false);
    migrator
        .run_direct(None, &mut connection, false)
        .await
        .map_err(|error| failed_to_migrate(&error))?;
    // The lock goes with the connection.
    let before = |version: &i64| applied.get(version).is_some_and(|one| one.is_done);
    Ok(Migrated {
        applied: FILES
            .map(|(version, _, _)| version)
            .into_iter()
            .filter(|version| !before(version))
            .collect(),
        version: latest(),
    })
}

fn migration((version, name, sql): (i64, &'static str, &'static str)) -> Migration {
    let sql = AssertSqlSafe(sql).into_sql_str();
    Migration::new(version, name.into(), MigrationType::Simple, sql, false)
}

fn latest() -> i64 {
    FILES
        .iter()
        .map(|(version, _, _)| *version)
        .max()
        .unwrap_or(0)
}

/// Refuses tables that are not up to date.
pub(crate) async fn check(connection: &mut MySqlConnection) -> Result<(), StoreError> {
    let Standing::Behind(applied) = standing(connection).await? else {
        return Ok(());
    };
    let mut done = applied.iter().filter(|(_, one)| one.is_done);
    let last = done.next_back().map_or(0, |(version, _)| *version);
    let why = format!(
        "the database has the tables of migration {last}, and this server needs {}; run `seata-server migrate`, or start it with SEATA_MIGRATE=auto",
        latest()
    );
    Err(invalid(CHECKING, why))
}

/// Answers whether the tables are up to date.
pub(crate) async fn is_current(connection: &mut MySqlConnection) -> Result<bool, StoreError> {
    let standing = standing(connection).await?;
    Ok(matches!(standing, Standing::Current(_)))
}

/// A file that was applied, or begun.
#[derive(Debug)]
struct Applied {
    is_done: bool,
    checksum: Vec<u8>,
}

enum Standing {
    Current(i64),
    Behind(BTreeMap<i64, Applied>),
}

/// Answers how the tables stand to the files of this server.
async fn standing(connection: &mut MySqlConnection) -> Result<Standing, StoreError> {
    ask(connection, PLAIN.to_owned()).await?;
    let applied = applied(connection).await?;
    let newest = applied.keys().next_back().copied().unwrap_or(0);
    if newest > latest() {
        let why = format!(
            "the tables are at version {newest} and this server knows {}; start a newer server",
            latest()
        );
        return Err(invalid(DOING, why));
    }
    let mut is_current = true;
    for Migration {
        version, checksum, ..
    } in FILES.map(migration)
    {
        match applied.get(&version) {
            Some(one) if one.checksum != *checksum => {
                let why = format!(
                    "version {version} was applied from another text; restore the database"
                );
                return Err(invalid(DOING, why));
            }
            Some(one) => is_current &= one.is_done,
            None => is_current = false,
        }
    }
    Ok(if is_current {
        Standing::Current(latest())
    } else {
        Standing::Behind(applied)
    })
}

/// Reads what was applied; where nothing ever was, there is no table to read.
async fn applied(connection: &mut MySqlConnection) -> Result<BTreeMap<i64, Applied>, StoreError> {
    let exists = format!("SHOW TABLES LIKE '{TABLE}'");
    let answers = ask(connection, exists).await?;
    if answers.is_empty() {
        return Ok(BTreeMap::new());
    }
    let text = format!("SELECT version, success, checksum FROM {TABLE} ORDER BY version");
    let mut applied = BTreeMap::new();
    for row in ask(connection, text).await? {
        let is_done: i8 = layout::column(&row, 1)?;
        let one = Applied {
            is_done: is_done != 0,
            checksum: layout::column(&row, 2)?,
        };
        applied.insert(layout::column(&row, 0)?, one);
    }
    Ok(applied)
}

async fn lock(connection: &mut MySqlConnection) -> Result<(), StoreError> {
    let text = format!("SELECT GET_LOCK(CONCAT('seata:', MD5(DATABASE())), {LOCK_WAIT_SECS_MAX})");
    let rows = ask(connection, text).await?;
    let got: Option<i64> = match rows.first() {
        Some(row) => layout::column(row, 0)?,
        None => None,
    };
    match got {
        Some(1) => Ok(()),
        Some(_) | None => {
            let why = format!(
                "another server has been migrating for {LOCK_WAIT_SECS_MAX} s; wait for it"
            );
            Err(unavailable(DOING, why))
        }
    }
}

/// Lets a file run again that was begun and not finished.
async fn forget_cut_short(
    connection: &mut MySqlConnection,
    applied: &BTreeMap<i64, Applied>,
) -> Result<(), StoreError> {
    if applied.values().all(|one| one.is_done) {
        return Ok(());
    }
    tracing::warn!("a migration was cut short; it runs again");
    let text = format!("DELETE FROM {TABLE} WHERE success = FALSE");
    ask(connection, text).await?;
    Ok(())
}

async fn ask(
    connection: &mut MySqlConnection,
    text: String,
) -> Result<Vec<sqlx::mysql::MySqlRow>, StoreError> {
    let answers = run(connection, text).await;
    let answers = answers.map_err(|broken| failed(DOING, &broken.error, Chance::None))?;
    Ok(answers.into_iter().flat_map(|answer| answer.rows).collect())
}

fn failed_to_migrate(error: &MigrateError) -> StoreError {
    if let MigrateError::Execute(inner) | MigrateError::ExecuteMigration(inner, _) = error {
        let error = failed(DOING, inner, Chance::None);
        // Denied: the database, a command on a table.
        if matches!(number(inner), Some(1044 | 1142)) {
            let why = format!(
                "{}; grant CREATE on the database to the user of SEATA_MYSQL_DSN, or run `seata-server migrate` as one who has it and start with SEATA_MIGRATE=check",
                error.why
            );
            return StoreError { why, ..error };
        }
        return error;
    }
    // The rest says that files and table differ, which was looked at before.
    invalid(DOING, error)
}
