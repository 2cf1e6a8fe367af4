//! Opening: what the address says, what the server is set to, and whose database it is.

use std::collections::BTreeMap;
use std::str::FromStr;
use std::time::Duration;

use seata_store::{Migrate, Shard, StoreError, StoreLimits};
use sqlx::ConnectOptions;
use sqlx::mysql::{MySqlConnectOptions, MySqlConnection};

use crate::batch::APPEND_BYTES;
use crate::connection::{self, Broken, IdleTransactionTimeout, PLAIN, Pool, run};
use crate::error::{Chance, corrupt, failed, invalid, unavailable};
use crate::options::MysqlOptions;
use crate::purge::Place;
use crate::store::Inner;
use crate::{layout, migrate};

const DOING: &str = "opening the store on MySQL";

/// What this server takes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bounds {
    pub(crate) limits: StoreLimits,
    /// The most bytes of text in one packet.
    pub(crate) packet_bytes_max: usize,
}

/// Below this packet size no useful record fits, in bytes.
const PACKET_BYTES_MIN: usize = 1 << 20;

/// The largest record, whatever the server takes, in bytes: InnoDB refuses values of a tenth of its redo log.
const RECORD_BYTES_MAX: usize = 16 << 20;

/// The server syncs once for batches that commit together: eight at once bring 1.4 to 2.5 times what one brings, by
/// `examples/measure.rs`. They take half of the connections at most, so that reads and renewals find one.
const BATCHES_IN_FLIGHT_MAX: usize = 8;

const BATCH_COUNT_MAX: usize = 256;

impl Bounds {
    /// Bytes are sent in hexadecimal, so that a packet carries half of what it holds.
    fn of(packet: usize, connections_max: u32) -> Self {
        let batch = (packet - BATCH_COUNT_MAX * APPEND_BYTES) / 2;
        let connections = usize::try_from(connections_max).unwrap_or(usize::MAX);
        let limits = StoreLimits {
            batch_count_max: BATCH_COUNT_MAX,
            batch_bytes_max: batch.min(StoreLimits::default().batch_bytes_max),
            batches_in_flight_max: (connections / 2).clamp(1, BATCHES_IN_FLIGHT_MAX),
            record_bytes_max: ((packet - (64 << 10)) / 2).min(RECORD_BYTES_MAX),
        };
        Self {
            limits,
            packet_bytes_max: packet - (4 << 10),
        }
    }
}

pub(crate) async fn open(options: &MysqlOptions) -> Result<Inner, StoreError> {
    let connect = parse(&options.address)?;
    let opening = async {
        let mut connection = connection::connect(&connect).await?;
        let settings = Settings::read(&mut connection).await?;
        Ok((connection, settings))
    };
    let limit = Limit::new(&connect, options);
    let (mut connection, settings) = limit.on(opening).await?;
    let packet = settings.check()?;
    settings.warn();
    match options.migrate {
        // A migration may take long; whether there is one to do may not.
        Migrate::Auto if limit.on(migrate::is_current(&mut connection)).await? => {}
        Migrate::Auto => migrate::tell(&migrate::migrate(&limit).await?),
        Migrate::Check => limit.on(migrate::check(&mut connection)).await?,
        Migrate::Off => {}
    }
    limit.on(mark(&mut connection, options.shard)).await?;
    let session = connection::session(settings.idle_transaction_timeout());
    Ok(Inner {
        pool: Pool::new(connect, session, options.connections_max, options.timeout),
        bounds: Bounds::of(packet, options.connections_max),
        place: Place::default(),
    })
}

/// How long a step of opening may take.
pub(crate) struct Limit<'a> {
    pub(crate) connect: &'a MySqlConnectOptions,
    timeout: Duration,
}

impl<'a> Limit<'a> {
    pub(crate) const fn new(connect: &'a MySqlConnectOptions, options: &MysqlOptions) -> Self {
        Self {
            connect,
            timeout: options.timeout,
        }
    }

    pub(crate) async fn on<T>(
        &self,
        step: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        let late = |_| {
            let (host, port) = (self.connect.get_host(), self.connect.get_port());
            let timeout_ms = self.timeout.as_millis();
            let why = format!(
                "{host}:{port} doesn't answer within {timeout_ms} ms; check that the server runs and is not held up, and host and port in SEATA_MYSQL_DSN"
            );
            unavailable(DOING, why)
        };
        let done = tokio::time::timeout(self.timeout, step).await;
        done.map_err(late)?
    }
}

/// Reads an address. Its text is never part of an error: it holds the password.
pub(crate) fn parse(address: &str) -> Result<MySqlConnectOptions, StoreError> {
    const WANTED: &str = "write mysql://user:password@host:3306/database";
    if !(address.starts_with("mysql://") || address.starts_with("mariadb://")) {
        return Err(invalid(
            DOING,
            format!("SEATA_MYSQL_DSN is no MySQL URL; {WANTED}"),
        ));
    }
    let options = MySqlConnectOptions::from_str(address);
    let options =
        options.map_err(|_| invalid(DOING, format!("SEATA_MYSQL_DSN can't be read; {WANTED}")))?;
    if options.get_database().is_none() {
        return Err(invalid(
            DOING,
            format!("SEATA_MYSQL_DSN names no database; {WANTED}"),
        ));
    }
    // A statement holds what clients sent: it is nobody's to log.
    Ok(options.disable_statement_logging())
}

/// What the server is set to. A name that it doesn't know is not there.
struct Settings(BTreeMap<String, String>);

impl Settings {
    async fn read(connection: &mut MySqlConnection) -> Result<Self, StoreError> {
        const NAMES: &str = "'version', 'max_allowed_packet', 'innodb_flush_log_at_trx_commit', 'log_bin', \
                             'sync_binlog', 'binlog_format', 'innodb_doublewrite', 'idle_transaction_timeout'";
        let text = format!("SHOW GLOBAL VARIABLES WHERE Variable_name IN ({NAMES})");
        let answers = run(connection, text).await;
        let answers = answers.map_err(|broken| failed(DOING, &broken.error, Chance::None))?;
        let mut settings = BTreeMap::new();
        for row in answers.iter().flat_map(|answer| &answer.rows) {
            let name: String = layout::column(row, 0)?;
            settings.insert(name.to_ascii_lowercase(), layout::column(row, 1)?);
        }
        Ok(Self(settings))
    }

    fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    fn is(&self, name: &str, value: &str) -> bool {
        self.get(name)
            .is_some_and(|set| set.eq_ignore_ascii_case(value))
    }

    fn idle_transaction_timeout(&self) -> IdleTransactionTimeout {
        match self.get("idle_transaction_timeout") {
            Some(_) => IdleTransactionTimeout::Known,
            None => IdleTransactionTimeout::Unknown,
        }
    }

    /// Refuses what can't work; answers the size of a packet in bytes.
    fn check(&self) -> Result<usize, StoreError> {
        if self.is("log_bin", "ON") && self.is("binlog_format", "STATEMENT") {
            let why =
                "binlog_format is STATEMENT, which READ COMMITTED doesn't allow; set it to ROW";
            return Err(invalid(DOING, why));
        }
        let packet = self
            .get("max_allowed_packet")
            .and_then(|text| text.parse().ok());
        match packet {
            Some(packet) if packet >= PACKET_BYTES_MIN => Ok(packet),
            Some(_) | None => {
                let why = format!(
                    "max_allowed_packet is too small; set it to {PACKET_BYTES_MIN} or more"
                );
                Err(invalid(DOING, why))
            }
        }
    }

    /// Says where "acknowledged" is less than "durable".
    fn warn(&self) {
        let flush = self.get("innodb_flush_log_at_trx_commit");
        if let Some(value) = flush.filter(|value| *value != "1") {
            tracing::warn!(
                value,
                "innodb_flush_log_at_trx_commit is not 1: a crash of the server's machine loses acknowledged transactions"
            );
        }
        let sync = self.get("sync_binlog").filter(|_| self.is("log_bin", "ON"));
        if let Some(value) = sync.filter(|value| *value != "1") {
            tracing::warn!(
                value,
                "sync_binlog is not 1: after a crash the binary log, and so replicas, may lack acknowledged transactions"
            );
        }
        if self.is("innodb_doublewrite", "OFF") {
            tracing::warn!("innodb_doublewrite is off: a power loss may tear pages and lose all");
        }
    }
}

/// Writes which part this database keeps, or refuses to take it for another; tries what claims rest on.
pub(crate) async fn mark(connection: &mut MySqlConnection, shard: Shard) -> Result<(), StoreError> {
    let text = format!(
        "{PLAIN}; INSERT INTO seata_meta (name, value) VALUES ('shard', '{shard}') ON DUPLICATE KEY UPDATE value = value; \
         SELECT value FROM seata_meta WHERE name = 'shard'; \
         SELECT name FROM seata_meta WHERE name = 'shard' FOR UPDATE SKIP LOCKED"
    );
    let answers = run(connection, text).await.map_err(mark_failed)?;
    let row = answers.get(2).and_then(|answer| answer.rows.first());
    let row = row.ok_or_else(|| corrupt(DOING, "the mark of the shard is gone"))?;
    let marked: String = layout::column(row, 0)?;
    if marked == shard.to_string() {
        return Ok(());
    }
    let why = format!(
        "this database keeps shard {marked}, and is given as shard {shard}; \
         give the addresses of SEATA_MYSQL_DSN in the order and number in which they were first given"
    );
    Err(invalid(DOING, why))
}

fn mark_failed(broken: Broken) -> StoreError {
    let error = failed(DOING, &broken.error, Chance::None);
    let code = broken
        .error
        .as_database_error()
        .and_then(|error| error.code());
    if broken.answered == 3 && code.is_some_and(|code| code == "42000") {
        let why = format!(
            "{}; MySQL 8.0 or MariaDB 10.6 is needed at least",
            error.why
        );
        return StoreError { why, ..error };
    }
    error
}
