//! The driver's errors, by what they mean for what was being done. Nothing of an address gets into a text.

use seata_store::{StoreError, StoreErrorKind};
use sqlx::mysql::MySqlDatabaseError;

/// What an error says about the statement that met it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The server rolled it back and would take it again: deadlock, write conflict.
    Conflict,
    /// A row with this key is there.
    Duplicate,
    /// The server cut it short, goes away, or says nothing that is known to mean "rolled back": where it commits by
    /// itself, it may have been done.
    Interrupted,
    /// Somebody holds a lock for too long. The server rolled back this statement, or all of the transaction.
    Held,
    /// The server doesn't take it now, and has not done it: a full table, a replica, too many connections.
    Refused,
    /// It will never take it: our bug or the user's configuration.
    Wrong,
    /// It will never take one of the values: too large for a column, a page or the log.
    Unfit,
    /// What came back can't be read.
    Damaged,
    /// The connection is of no use any more.
    Lost,
}

/// Numbers: <https://dev.mysql.com/doc/mysql-errors/8.4/en/server-error-reference.html>,
/// <https://mariadb.com/kb/en/mariadb-error-codes/>, <https://docs.pingcap.com/tidb/stable/error-codes/>.
pub(crate) fn fault(error: &sqlx::Error) -> Fault {
    if let sqlx::Error::Database(inner) = error {
        let inner = inner.try_downcast_ref::<MySqlDatabaseError>();
        return inner.map_or(Fault::Interrupted, |inner| fault_of(inner.number()));
    }
    let is_damaged = matches!(
        error,
        sqlx::Error::ColumnDecode { .. }
            | sqlx::Error::ColumnIndexOutOfBounds { .. }
            | sqlx::Error::ColumnNotFound(_)
            | sqlx::Error::Decode(_)
            | sqlx::Error::RowNotFound
            | sqlx::Error::TypeNotFound { .. }
    );
    let is_wrong = matches!(
        error,
        sqlx::Error::Configuration(_) | sqlx::Error::InvalidArgument(_) | sqlx::Error::Tls(_)
    );
    match (is_damaged, is_wrong) {
        (true, _) => Fault::Damaged,
        (false, true) => Fault::Wrong,
        // The driver's list is open; whatever else it is, the connection can't be trusted.
        (false, false) => Fault::Lost,
    }
}

const fn fault_of(number: u16) -> Fault {
    match number {
        // Deadlock; record has changed since last read (MariaDB); write conflicts and a changed schema (TiDB).
        1213 | 1020 | 8002 | 8022 | 8028 | 9007 => Fault::Conflict,
        1062 => Fault::Duplicate,
        // Row or table, and NOWAIT.
        1205 | 3572 => Fault::Held,
        // Connections (of all, of a user), a node that is not ready, table, locks, caches and transactions that are full,
        // read only in three ways, and a group that voted against a commit.
        1040 | 1203 | 1226 | 1047 | 1114 | 1206 | 1197 | 1637 | 1290 | 1792 | 1836 | 3101 => {
            Fault::Refused
        }
        // Access, no such database, table or column, columns that don't fit, syntax, packet, binlog format.
        1044..=1046
        | 1049
        | 1054
        | 1064
        | 1130
        | 1136
        | 1142
        | 1143
        | 1146
        | 1153
        | 1227
        | 1364
        | 1370
        | 1665
        | 1698 => Fault::Wrong,
        1048 | 1118 | 1264 | 1301 | 1366 | 1406 | 1690 => Fault::Unfit,
        // Shutdown, killed, time limits, a log that can't be written (recovery decides then), and what no list has.
        _ => Fault::Interrupted,
    }
}

/// Answers whether a server error leaves a connection that is worth keeping. A server that became a replica, or shuts
/// down, is left: a new connection may find another.
pub(crate) fn is_worth_keeping(error: &sqlx::Error) -> bool {
    let read_only = error
        .as_database_error()
        .and_then(|inner| inner.try_downcast_ref::<MySqlDatabaseError>())
        .is_some_and(|inner| matches!(inner.number(), 1153 | 1290 | 1792 | 1836));
    match fault(error) {
        Fault::Conflict
        | Fault::Duplicate
        | Fault::Held
        | Fault::Refused
        | Fault::Wrong
        | Fault::Unfit
        | Fault::Damaged => !read_only,
        Fault::Interrupted | Fault::Lost => false,
    }
}

/// Whether a statement that failed may have been done all the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Chance {
    /// It only read, or stood in a transaction that was not committed.
    None,
    /// It commits by itself, or was the commit.
    Open,
}

pub(crate) fn failed(doing: &'static str, error: &sqlx::Error, chance: Chance) -> StoreError {
    let kind = match (fault(error), chance) {
        (Fault::Lost | Fault::Interrupted, Chance::Open) => StoreErrorKind::Ambiguous,
        (Fault::Lost | Fault::Interrupted, Chance::None)
        | (Fault::Conflict | Fault::Duplicate | Fault::Held | Fault::Refused, _) => {
            StoreErrorKind::Unavailable
        }
        (Fault::Wrong | Fault::Unfit, _) => StoreErrorKind::Invalid,
        (Fault::Damaged, _) => StoreErrorKind::Corrupt,
    };
    StoreError::new(kind, doing, explained(error))
}

/// Answers the number that the server gave to an error, if it comes from the server.
pub(crate) fn number(error: &sqlx::Error) -> Option<u16> {
    error
        .as_database_error()
        .and_then(|inner| inner.try_downcast_ref::<MySqlDatabaseError>())
        .map(MySqlDatabaseError::number)
}

/// Adds what to change where the server's own words don't say it.
fn explained(error: &sqlx::Error) -> String {
    let advice = match number(error) {
        Some(1146) => "; run `seata-server migrate`",
        Some(1205) => "; somebody holds the rows for too long",
        Some(1290 | 1792 | 1836) => "; SEATA_MYSQL_DSN must lead to the primary",
        Some(1665) => "; set binlog_format to ROW or MIXED",
        Some(_) | None => "",
    };
    format!("{error}{advice}")
}

pub(crate) fn corrupt(doing: &'static str, why: impl ToString) -> StoreError {
    StoreError::new(StoreErrorKind::Corrupt, doing, why)
}

pub(crate) fn invalid(doing: &'static str, why: impl ToString) -> StoreError {
    StoreError::new(StoreErrorKind::Invalid, doing, why)
}

pub(crate) fn unavailable(doing: &'static str, why: impl ToString) -> StoreError {
    StoreError::new(StoreErrorKind::Unavailable, doing, why)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_sent_and_lost_is_ambiguous_only_where_it_may_have_been_done() {
        let lost = sqlx::Error::Io(std::io::ErrorKind::ConnectionReset.into());
        assert_eq!(
            failed("x", &lost, Chance::Open).kind,
            StoreErrorKind::Ambiguous
        );
        assert_eq!(
            failed("x", &lost, Chance::None).kind,
            StoreErrorKind::Unavailable
        );
        assert!(!is_worth_keeping(&lost));
        assert_eq!(fault(&sqlx::Error::RowNotFound), Fault::Damaged);
    }

    #[test]
    fn numbers_of_all_three_servers_are_told_apart() {
        assert_eq!([1213, 1020, 9007].map(fault_of), [Fault::Conflict; 3]);
        assert_eq!(fault_of(1062), Fault::Duplicate);
        assert_eq!([1317, 1927, 3024].map(fault_of), [Fault::Interrupted; 3]);
        assert_eq!([1180, 1598, 65_535].map(fault_of), [Fault::Interrupted; 3]);
        assert_eq!([1045, 1049, 1146].map(fault_of), [Fault::Wrong; 3]);
        assert_eq!([1205, 3572].map(fault_of), [Fault::Held; 2]);
        assert_eq!([1040, 1114, 1290].map(fault_of), [Fault::Refused; 3]);
    }
}
