//! The driver's errors by what can be done about them. Their texts name what the server said; never an address or a
//! password, which only the driver's options hold.

use std::borrow::Cow;

use seata_store::{StoreError, StoreErrorKind};
use sqlx::postgres::{PgDatabaseError, PgSeverity};

/// Whether the statement that failed would have changed anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Effect {
    /// It only reads: whatever happened, nothing was changed.
    Reads,
    /// Once sent it may take effect, answered or not.
    Writes,
}

/// What becomes of the connection on which a statement failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    /// The server rolled back and is ready for the next statement.
    Kept,
    /// Closed.
    Closed,
    /// Closed, and so are the idle ones: they lead to the same server, which went away.
    AllClosed,
}

/// Whether the same statement may be sent again at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Again {
    /// The server says that it rolled back because of somebody else.
    Yes,
    /// A lock was not had in time, and the server rolled back: another statement may go on without what is locked.
    PastLocks,
    /// Whoever called decides.
    No,
}

/// Why a call failed.
#[derive(Debug, Clone)]
pub(crate) struct Failure {
    pub(crate) kind: StoreErrorKind,
    pub(crate) why: Cow<'static, str>,
    pub(crate) fate: Fate,
    pub(crate) again: Again,
}

impl Failure {
    pub(crate) fn new(kind: StoreErrorKind, why: impl Into<Cow<'static, str>>) -> Self {
        Self {
            kind,
            why: why.into(),
            fate: Fate::Closed,
            again: Again::No,
        }
    }

    /// Nothing came within the time limit.
    pub(crate) fn silence(effect: Effect) -> Self {
        let why =
            "the server gave no answer within the time limit: look at its load and at the network";
        Self::new(unanswered(effect), why)
    }

    /// A statement failed.
    #[allow(clippy::wildcard_enum_match_arm, reason = "the driver's enum is open")]
    pub(crate) fn of(error: &sqlx::Error, effect: Effect) -> Self {
        match error {
            sqlx::Error::Database(said) => match said.try_downcast_ref::<PgDatabaseError>() {
                Some(said) => said_by_server(said, effect),
                None => Self::new(unanswered(effect), said.to_string()),
            },
            sqlx::Error::Encode(_) | sqlx::Error::InvalidArgument(_) => {
                Self::new(StoreErrorKind::Invalid, error.to_string())
            }
            sqlx::Error::Decode(_)
            | sqlx::Error::ColumnDecode { .. }
            | sqlx::Error::ColumnNotFound(_)
            | sqlx::Error::ColumnIndexOutOfBounds { .. } => {
                Self::new(StoreErrorKind::Corrupt, error.to_string())
            }
            // What is left is about the connection, and the worst of it is silence.
            _ => Self {
                fate: Fate::AllClosed,
                ..Self::new(unanswered(effect), error.to_string())
            },
        }
    }

    /// No connection was made. Nothing was sent, so nothing was changed.
    pub(crate) fn connecting(error: &sqlx::Error) -> Self {
        let code = error.as_database_error().and_then(|said| said.code());
        let (kind, advice) = match code.as_deref() {
            Some(code) if code.starts_with("28") => (
                StoreErrorKind::Invalid,
                "check user and password in SEATA_POSTGRES_DSN, and pg_hba.conf",
            ),
            Some("3D000") => (
                StoreErrorKind::Invalid,
                "create the database, or name another one in SEATA_POSTGRES_DSN",
            ),
            Some("53300") => (
                StoreErrorKind::Unavailable,
                "raise the server's max_connections, or ask for fewer connections",
            ),
            Some("42704" | "22023" | "08P01") => (
                StoreErrorKind::Invalid,
                "behind PgBouncer set ignore_startup_parameters = options",
            ),
            Some(_) | None => (
                StoreErrorKind::Unavailable,
                "check that the server runs, and host, port and sslmode in SEATA_POSTGRES_DSN",
            ),
        };
        Self {
            fate: Fate::AllClosed,
            ..Self::new(kind, format!("{}: {advice}", said(error)))
        }
    }

    pub(crate) fn named(self, doing: &'static str) -> StoreError {
        StoreError::new(self.kind, doing, self.why)
    }
}

/// Answers what the server said. The driver adds the line of the server's own source, which helps nobody here.
fn said(error: &sqlx::Error) -> String {
    let said = error
        .as_database_error()
        .and_then(|said| said.try_downcast_ref::<PgDatabaseError>());
    match said {
        Some(said) => words(said),
        None => error.to_string(),
    }
}

fn words(said: &PgDatabaseError) -> String {
    format!("{} ({})", said.message(), said.code())
}

const fn unanswered(effect: Effect) -> StoreErrorKind {
    match effect {
        Effect::Reads => StoreErrorKind::Unavailable,
        Effect::Writes => StoreErrorKind::Ambiguous,
    }
}

fn said_by_server(said: &PgDatabaseError, effect: Effect) -> Failure {
    let why = words(said);
    match said.severity() {
        // The process that served us is gone, perhaps between its commit and its answer.
        PgSeverity::Fatal | PgSeverity::Panic => Failure {
            fate: Fate::AllClosed,
            ..Failure::new(unanswered(effect), why)
        },
        // After an error the statement's transaction is rolled back.
        PgSeverity::Error
        | PgSeverity::Warning
        | PgSeverity::Notice
        | PgSeverity::Debug
        | PgSeverity::Info
        | PgSeverity::Log => by_code(said.code(), why, effect),
    }
}

/// The codes are those of the manual's appendix "PostgreSQL Error Codes".
fn by_code(code: &str, why: String, effect: Effect) -> Failure {
    let failure = |kind, fate, again| Failure {
        kind,
        why: why.clone().into(),
        fate,
        again,
    };
    match code {
        // Deadlock, serialization failure; a race of creations that the conflict clause did not catch.
        "40P01" | "40001" | "23505" => failure(StoreErrorKind::Unavailable, Fate::Kept, Again::Yes),
        // A lock, or the statement, took longer than the session allows.
        "55P03" => failure(StoreErrorKind::Unavailable, Fate::Kept, Again::PastLocks),
        "57014" => failure(StoreErrorKind::Unavailable, Fate::Kept, Again::No),
        // CockroachDB: nobody knows whether it was applied. And the connection's own errors.
        "40003" => failure(unanswered(effect), Fate::Closed, Again::No),
        code if code.starts_with("08") => failure(unanswered(effect), Fate::AllClosed, Again::No),
        // Read-only: it was the primary, or never was. The next connection may find the new one.
        "25006" => Failure {
            why: format!(
                "{why}: the server takes no writes; SEATA_POSTGRES_DSN must lead to the primary"
            )
            .into(),
            ..failure(StoreErrorKind::Unavailable, Fate::AllClosed, Again::No)
        },
        // Sessions are not ours alone, or the tables were changed under a prepared statement: it did not run. A new session
        // prepares anew.
        "26000" | "42P05" | "0A000" => Failure {
            why: format!("{why}: behind PgBouncer in transaction mode set max_prepared_statements")
                .into(),
            ..failure(StoreErrorKind::Unavailable, Fate::AllClosed, Again::No)
        },
        "XX001" | "XX002" => failure(StoreErrorKind::Corrupt, Fate::Closed, Again::No),
        "42P01" | "42703" => Failure {
            why: format!("{why}: the tables are missing or old; run `seata-server migrate`").into(),
            ..failure(StoreErrorKind::Invalid, Fate::Closed, Again::No)
        },
        code if ["22", "23", "42", "54"]
            .iter()
            .any(|class| code.starts_with(class)) =>
        {
            failure(StoreErrorKind::Invalid, Fate::Closed, Again::No)
        }
        _ => failure(StoreErrorKind::Unavailable, Fate::Closed, Again::No),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(code: &str, effect: Effect) -> StoreErrorKind {
        by_code(code, String::new(), effect).kind
    }

    #[test]
    fn what_was_rolled_back_is_never_ambiguous() {
        for code in [
            "40P01", "40001", "55P03", "57014", "53100", "53200", "25006", "26000", "0A000",
        ] {
            assert_eq!(
                kind(code, Effect::Writes),
                StoreErrorKind::Unavailable,
                "{code}"
            );
        }
    }

    #[test]
    fn what_may_have_been_applied_is_ambiguous_only_for_writes() {
        for code in ["40003", "08006", "08P01"] {
            assert_eq!(
                kind(code, Effect::Writes),
                StoreErrorKind::Ambiguous,
                "{code}"
            );
            assert_eq!(
                kind(code, Effect::Reads),
                StoreErrorKind::Unavailable,
                "{code}"
            );
        }
        assert_eq!(
            Failure::silence(Effect::Writes).kind,
            StoreErrorKind::Ambiguous
        );
    }

    #[test]
    fn only_a_rollback_because_of_others_is_tried_again() {
        let again = |code: &str| by_code(code, String::new(), Effect::Writes).again;
        assert_eq!((again("40P01"), again("40001")), (Again::Yes, Again::Yes));
        assert_eq!((again("57014"), again("42P01")), (Again::No, Again::No));
        assert_eq!(again("55P03"), Again::PastLocks);
    }
}
