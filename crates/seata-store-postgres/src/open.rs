//! Opening: the sessions' settings, what the server promises, the tables, and which part of all transactions it keeps.

use std::time::Duration;

use seata_store::{Migrate, Migrated, Shard, StoreError, StoreErrorKind};
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{ConnectOptions, Row};
use tokio::time::timeout;
use tracing::warn;

use crate::append::Mixed;
use crate::connection::Pool;
use crate::error::{Effect, Failure};
use crate::migrate::{self, Server};
use crate::options::PostgresOptions;
use crate::purge::PurgedTo;
use crate::store::{PostgresStore, limits};

const OPENING: &str = "opening the PostgreSQL store";

/// How long the first connection and each look at the server may take.
const LOOK_MAX: Duration = Duration::from_secs(10);

const UNREADABLE: &str = "SEATA_POSTGRES_DSN can't be read: write postgres://user:password@host:port/database, with % codes for /, @, :, ? and # in user, password and parameters";

const TIMEOUT_MIN: Duration = Duration::from_millis(100);

/// What an address may say behind its `?`. Others are refused: the driver would print their values.
const PARAMETERS: [&str; 17] = [
    "sslmode",
    "ssl-mode",
    "sslrootcert",
    "ssl-root-cert",
    "ssl-ca",
    "sslcert",
    "ssl-cert",
    "sslkey",
    "ssl-key",
    "host",
    "hostaddr",
    "port",
    "dbname",
    "user",
    "password",
    "application_name",
    "options",
];

impl PostgresStore {
    /// Connects, looks at the server's settings, brings the tables up to date or checks them as `options.migrate` says, and
    /// marks the database with its shard. Warns where the server promises less than durable.
    ///
    /// # Errors
    /// `Unavailable`: the server can't be reached or takes no writes. `Invalid`: address, credentials, tables, or the mark
    /// of another shard; the text says what to change.
    pub async fn open(options: PostgresOptions) -> Result<Self, StoreError> {
        let server = session(&options)?;
        let mut first = connect(&server).await?;
        let kind = within(settings(&mut first)).await?;
        match options.migrate {
            Migrate::Auto => migrate::tell(&migrate::run(&server, kind).await?),
            Migrate::Check => within(migrate::check(&mut first)).await?,
            Migrate::Off => {}
        }
        within(mark(&mut first, options.shard)).await?;
        Ok(Self {
            pool: Pool::new(server, options.connections_max, options.timeout),
            purged_to: PurgedTo::default(),
            limits: limits(options.connections_max),
            mixed: match kind {
                Server::Postgres | Server::Alike => Mixed::InOne,
                Server::Cockroach => Mixed::Apart,
            },
        })
    }

    /// Brings the tables up to date and does nothing else.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub async fn migrate(options: &PostgresOptions) -> Result<Migrated, StoreError> {
        let server = session(options)?;
        let kind = within(settings(&mut connect(&server).await?)).await?;
        migrate::run(&server, kind).await
    }
}

/// Reads the address and says how each session is set. All of it travels with the first packet: no round trip of its own.
pub(crate) fn session(options: &PostgresOptions) -> Result<PgConnectOptions, StoreError> {
    let invalid = |why: String| StoreError::new(StoreErrorKind::Invalid, OPENING, why);
    if let Some(unknown) = unknown_parameter(&options.address) {
        return Err(invalid(match is_cut_by_its_password(&options.address) {
            true => UNREADABLE.to_owned(),
            false => format!(
                "SEATA_POSTGRES_DSN has the unknown parameter `{unknown}`: take it out, or correct its name"
            ),
        }));
    }
    if options.timeout < TIMEOUT_MIN || options.connections_max == 0 {
        return Err(invalid(format!(
            "a call needs at least {} ms and the pool at least one connection",
            TIMEOUT_MIN.as_millis()
        )));
    }
    // The driver's text may repeat a piece of the address.
    let server: PgConnectOptions = options
        .address
        .parse()
        .map_err(|_: sqlx::Error| invalid(UNREADABLE.to_owned()))?;
    let part = |tenths: u32| (options.timeout * tenths / 10).as_millis().to_string();
    Ok(server
        .application_name("seata-server")
        // PgBouncer does not know it, and nothing here is a float.
        .extra_float_digits(None)
        .disable_statement_logging()
        .options([
            // Answered means durable on this server, and on its synchronous standbys.
            ("synchronous_commit", "on".to_owned()),
            // The server gives up before we do: a rollback that is known beats a silence that is not. Twice: what a locked row
            // holds up is sent again without that row.
            ("lock_timeout", part(4)),
            ("statement_timeout", part(9)),
            // No transaction of ours waits for us; should one ever do, its locks go.
            ("idle_in_transaction_session_timeout", "5000".to_owned()),
            // A coordinator that is suspended while it is sent a claim's histories holds that claim's locks: not for long.
            ("tcp_user_timeout", "5000".to_owned()),
            // Every statement has its index. A plan that was made while the table was small or its statistics old, and is
            // kept for hundreds of calls, must not walk over a table that has grown since.
            ("enable_seqscan", "off".to_owned()),
            // Compiling a statement takes longer than any of these runs.
            ("jit", "off".to_owned()),
            // Each statement sees what was committed when it begins, and a row as it is once it holds the lock. A stricter
            // default of the database would only add rollbacks.
            ("default_transaction_isolation", "read committed".to_owned()),
        ]))
}

/// Whether what looks like parameters may be the rest of a password that has a `?` in it: then nothing of it is shown.
fn is_cut_by_its_password(address: &str) -> bool {
    let parameters = address.split_once('?');
    parameters.is_some_and(|(_, parameters)| parameters.contains('@'))
}

fn unknown_parameter(address: &str) -> Option<&str> {
    let (_, parameters) = address.split_once('?')?;
    let mut names = parameters
        .split('&')
        .map(|one| one.split_once('=').map_or(one, |(name, _)| name));
    names.find(|name| {
        !name.is_empty() && !PARAMETERS.contains(name) && !name.starts_with("options[")
    })
}

async fn connect(server: &PgConnectOptions) -> Result<PgConnection, StoreError> {
    match timeout(LOOK_MAX, server.connect()).await {
        Ok(Ok(live)) => Ok(live),
        Ok(Err(error)) => Err(Failure::connecting(&error).named(OPENING)),
        Err(_) => {
            let why = "no connection within 10 s: check that the server runs, and host and port in SEATA_POSTGRES_DSN";
            Err(StoreError::new(StoreErrorKind::Unavailable, OPENING, why))
        }
    }
}

async fn within<T>(look: impl Future<Output = Result<T, StoreError>>) -> Result<T, StoreError> {
    let silence = |_| Failure::silence(Effect::Reads).named(OPENING);
    timeout(LOOK_MAX, look).await.map_err(silence)?
}

/// Says who the server is, and warns where it promises less than durable.
async fn settings(live: &mut PgConnection) -> Result<Server, StoreError> {
    let names = ["fsync", "full_page_writes", "synchronous_commit"];
    let query = sqlx::query(
        "SELECT version(), current_setting('fsync', true), current_setting('full_page_writes', true), \
           current_setting('synchronous_commit', true)",
    );
    let failed = |error: &sqlx::Error| Failure::of(error, Effect::Reads).named(OPENING);
    let row = query
        .fetch_one(live)
        .await
        .map_err(|error| failed(&error))?;
    let version: String = row.try_get(0).map_err(|error| failed(&error))?;
    for (name, column) in names.into_iter().zip(1..) {
        let setting: Option<String> = row.try_get(column).map_err(|error| failed(&error))?;
        if setting.is_some_and(|setting| is_weak(&setting)) {
            warn!(
                setting = name,
                "the PostgreSQL server may lose what it acknowledged when it or its machine fails: set it to on"
            );
        }
    }
    Ok(server_of(&version))
}

fn is_weak(setting: &str) -> bool {
    ["off", "local", "remote_write"].contains(&setting)
}

fn server_of(version: &str) -> Server {
    match version {
        cockroach if cockroach.contains("CockroachDB") => Server::Cockroach,
        original if original.starts_with("PostgreSQL") && !original.contains("-YB-") => {
            Server::Postgres
        }
        _ => Server::Alike,
    }
}

/// Writes which shard this database keeps if it is new, and refuses it if it keeps another.
async fn mark(live: &mut PgConnection, shard: Shard) -> Result<(), StoreError> {
    const READ: &str = "SELECT value FROM seata_meta WHERE key = 'shard'";
    const WRITE: &str =
        "INSERT INTO seata_meta (key, value) VALUES ('shard', $1) ON CONFLICT (key) DO NOTHING";
    let failed = |error: sqlx::Error| Failure::of(&error, Effect::Reads).named(OPENING);
    let ours = shard.to_string();
    let mut found = sqlx::query(READ)
        .fetch_optional(&mut *live)
        .await
        .map_err(failed)?;
    if found.is_none() {
        let written = sqlx::query(WRITE).bind(&ours).execute(&mut *live).await;
        written.map_err(failed)?;
        found = sqlx::query(READ)
            .fetch_optional(&mut *live)
            .await
            .map_err(failed)?;
    }
    let kept: String = found
        .map_or(Ok(String::new()), |row| row.try_get(0))
        .map_err(failed)?;
    if kept == ours {
        return Ok(());
    }
    let why = format!(
        "the database keeps part {kept} of all transactions (index/count), and is opened as part {ours}: give the addresses of SEATA_POSTGRES_DSN in the order and number in which they were first given"
    );
    Err(StoreError::new(StoreErrorKind::Invalid, OPENING, why))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn refused(address: &str) -> String {
        let error = session(&PostgresOptions::new(address)).unwrap_err();
        assert_eq!(error.kind, StoreErrorKind::Invalid);
        error.to_string()
    }

    #[test]
    fn an_address_that_cannot_be_read_is_not_repeated() {
        for address in [
            "postgres://u:hush@h:port/db",
            "hush",
            "postgres://u:hush@h/db?sslmode=hush",
            "postgres://u@h/db?passwort=hush",
            // What is not written with % codes ends the password early: its rest looks like a parameter.
            "postgres://u:p?hush@h:5432/db",
            "postgres://u:p?hush=1@h/db",
            "postgres://u:p?a&hush@h/db?sslmode=require",
            "postgres://u:p?hush#x@h/db",
        ] {
            let text = refused(address);
            assert!(!text.contains("hush"), "{text}");
            assert!(text.contains("SEATA_POSTGRES_DSN"), "{text}");
        }
        assert!(refused("postgres://u@h/db?passwort=hush").contains("`passwort`"));
    }

    #[test]
    fn what_cannot_work_is_refused() {
        let mut options = PostgresOptions::new("postgres://u@h/db");
        assert!(session(&options).is_ok());
        options.timeout = Duration::from_millis(1);
        assert!(session(&options).is_err());
        options = PostgresOptions::new("postgres://u@h/db");
        options.connections_max = 0;
        assert!(session(&options).is_err());
    }

    #[test]
    fn servers_are_told_apart_by_their_version() {
        assert_eq!(
            server_of("PostgreSQL 15.8 (Debian) on x86_64"),
            Server::Postgres
        );
        assert_eq!(
            server_of("PostgreSQL 15.2-YB-2.25.0.0-b0 on x86_64"),
            Server::Alike
        );
        assert_eq!(
            server_of("CockroachDB CCL v24.1.0 (x86_64)"),
            Server::Cockroach
        );
    }

    #[test]
    fn weak_settings_are_known() {
        assert!(is_weak("off") && is_weak("local") && is_weak("remote_write"));
        assert!(!is_weak("on") && !is_weak("remote_apply"));
    }
}
