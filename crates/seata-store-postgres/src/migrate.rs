//! The tables: which files make them, and who runs them when. Files are append-only; their sums stand beside them.

use std::borrow::Cow;
use std::time::Duration;

use seata_store::{Migrated, StoreError, StoreErrorKind};
use sqlx::SqlSafeStr;
use sqlx::migrate::{MigrateError, Migration, MigrationType, Migrator};
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{ConnectOptions, Row};
use tokio::time::timeout;

use crate::error::{Effect, Failure};

const DOING: &str = "bringing the tables up to date";

const CHECKING: &str = "checking the tables";

/// Not sqlx's own name: applications that share the database may use that.
const TABLE: &str = "seata_migrations";

/// How long a server waits for another one that migrates. The work itself has no limit: an index on a large table takes
/// its time.
const WAIT_MAX: &str = "60s";

/// How long connecting and the first look may take.
const LOOK_MAX: Duration = Duration::from_secs(10);

/// Number, name, text. From the second on they may be PostgreSQL's alone.
const FILES: [(i64, &str, &str, Fits); 2] = [
    (
        1,
        "global transaction",
        include_str!("../../../migrations/postgres/0001_global_transaction.sql"),
        Fits::All,
    ),
    (
        2,
        "storage",
        include_str!("../../../migrations/postgres/0002_storage.sql"),
        Fits::PostgresAlone,
    ),
];

/// Which servers a file is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fits {
    All,
    /// Others note it as applied.
    PostgresAlone,
}

/// Who speaks to us.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Server {
    /// PostgreSQL itself.
    Postgres,
    /// YugabyteDB and others that are built from it.
    Alike,
    /// Speaks its protocol and most of its SQL.
    Cockroach,
}

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

/// What a database says of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tables {
    /// All files were applied.
    Current,
    /// Files up to this one were.
    Behind(i64),
}

/// Compares what was applied with what this server brings.
pub(crate) async fn look(live: &mut PgConnection) -> Result<Tables, StoreError> {
    let failed = |error: &sqlx::Error| not_looked(error);
    let known = sqlx::query("SELECT to_regclass('seata_migrations') IS NOT NULL")
        .fetch_one(&mut *live)
        .await
        .and_then(|row| row.try_get::<bool, _>(0))
        .map_err(|error| failed(&error))?;
    if !known {
        return Ok(Tables::Behind(0));
    }
    let rows = sqlx::query("SELECT version, checksum FROM seata_migrations ORDER BY version")
        .fetch_all(&mut *live)
        .await
        .map_err(|error| failed(&error))?;
    let mut last = 0;
    for row in rows {
        let found = row
            .try_get::<i64, _>(0)
            .and_then(|version| Ok((version, row.try_get::<Vec<u8>, _>(1)?)));
        let (version, sum) = found.map_err(|error| failed(&error))?;
        let ours = migrations().into_iter().find(|one| one.version == version);
        match ours {
            Some(ours) if ours.checksum == sum => last = last.max(version),
            Some(_) => return Err(refused(&MigrateError::VersionMismatch(version), CHECKING)),
            None => return Err(refused(&MigrateError::VersionMissing(version), CHECKING)),
        }
    }
    match last == newest() {
        true => Ok(Tables::Current),
        false => Ok(Tables::Behind(last)),
    }
}

/// Refuses a database that is not up to date.
pub(crate) async fn check(live: &mut PgConnection) -> Result<(), StoreError> {
    match look(live).await? {
        Tables::Current => Ok(()),
        Tables::Behind(last) => {
            let why = format!(
                "the database has the tables of migration {last}, and this server needs {}: run `seata-server migrate`, or start it with SEATA_MIGRATE=auto",
                newest()
            );
            Err(StoreError::new(StoreErrorKind::Invalid, CHECKING, why))
        }
    }
}

/// What was applied could not be read.
fn not_looked(error: &sqlx::Error) -> StoreError {
    let failure = Failure::of(error, Effect::Reads);
    let code = error.as_database_error().and_then(|said| said.code());
    if code.is_some_and(|code| code == "42501") {
        let why = format!(
            "{}: grant SELECT on {TABLE} to the user of SEATA_POSTGRES_DSN, or start with SEATA_MIGRATE=off",
            failure.why
        );
        return StoreError::new(failure.kind, CHECKING, why);
    }
    failure.named(CHECKING)
}

/// Applies what is missing. Several may do so at once: one does, the others wait for it.
pub(crate) async fn run(
    options: &PgConnectOptions,
    server: Server,
) -> Result<Migrated, StoreError> {
    let options = options.clone().options([
        ("statement_timeout", "0"),
        ("lock_timeout", WAIT_MAX),
        ("client_min_messages", "warning"),
    ]);
    let looking = async {
        let live = options.connect().await;
        let mut live = live.map_err(|error| Failure::connecting(&error).named(DOING))?;
        let tables = look(&mut live).await?;
        Ok((live, tables))
    };
    let silence = |_| Failure::silence(Effect::Reads).named(DOING);
    let (mut live, tables) = timeout(LOOK_MAX, looking).await.map_err(silence)??;
    let before = match tables {
        Tables::Current => {
            return Ok(Migrated {
                applied: Vec::new(),
                version: newest(),
            });
        }
        Tables::Behind(last) => last,
    };
    let migrator = migrator(server);
    for (version, _, _, fits) in FILES {
        let is_skipped = fits == Fits::PostgresAlone && server != Server::Postgres;
        // Whoever came first may have done it by now: then it is neither run nor noted again.
        let done = migrator.run_direct(Some(version), &mut live, is_skipped);
        done.await.map_err(|error| refused(&error, DOING))?;
    }
    Ok(Migrated {
        applied: (before + 1..=newest()).collect(),
        version: newest(),
    })
}

fn migrator(server: Server) -> Migrator {
    let mut migrator = Migrator::with_migrations(migrations());
    migrator.dangerous_set_table_name(TABLE);
    // CockroachDB has no advisory locks; its schema changes are serializable, and the second one fails.
    migrator.set_locking(server != Server::Cockroach);
    migrator
}

fn migrations() -> Vec<Migration> {
    let made = FILES.into_iter().map(|(version, name, text, _)| {
        let kind = MigrationType::Simple;
        Migration::new(
            version,
            Cow::Borrowed(name),
            kind,
            text.into_sql_str(),
            false,
        )
    });
    made.collect()
}

fn newest() -> i64 {
    FILES
        .iter()
        .map(|(version, ..)| *version)
        .max()
        .unwrap_or(0)
}

#[allow(clippy::wildcard_enum_match_arm, reason = "the driver's enum is open")]
fn refused(error: &MigrateError, doing: &'static str) -> StoreError {
    let why = match error {
        MigrateError::VersionMissing(version) => format!(
            "migration {version} was applied by a newer server: start that version or a newer one"
        ),
        MigrateError::VersionMismatch(version) => format!(
            "migration {version} is not the one that was applied: this server, or the table {TABLE}, was changed by hand"
        ),
        MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) => {
            let failure = Failure::of(error, Effect::Reads);
            let why = format!(
                "{}: the user of SEATA_POSTGRES_DSN must be allowed to create tables, or run `seata-server migrate` as one who is",
                failure.why
            );
            return StoreError::new(failure.kind, doing, why);
        }
        _ => error.to_string(),
    };
    StoreError::new(StoreErrorKind::Invalid, doing, why)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
#[path = "tests/migrate.rs"]
mod tests;
