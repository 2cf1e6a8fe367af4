//! What went wrong with a command, and what that means for the store's caller.
//!
//! fred's errors don't say whether a command was sent. [`Fault`] does, and takes the careful answer where it can't be
//! known.

use fred::error::{Error, ErrorKind};
use seata_store::{StoreError, StoreErrorKind};

/// Why a command has no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Nothing was sent.
    Unsent(String),
    /// The server refused it. The text begins with its code.
    Refused(String),
    /// It may have been sent, and executed.
    Lost(String),
}

/// What a command does: whether an unknown outcome matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    Read,
    Write,
}

impl Fault {
    pub(crate) fn of(error: &Error) -> Self {
        let text = error.details().to_owned();
        if *error.kind() == ErrorKind::Backpressure {
            Self::Unsent("too many commands are waiting".to_owned())
        } else if code(&text).is_some_and(|code| code != "CLUSTERDOWN") {
            Self::Refused(text)
        } else {
            // fred gives CLUSTERDOWN to whatever else was under way on the connection, too.
            Self::Lost(error.to_string())
        }
    }

    /// Answers whether the server refused with this code, also from within a script.
    pub(crate) fn is(&self, code: &str) -> bool {
        match self {
            Self::Refused(text) => has_code(text, code),
            Self::Unsent(_) | Self::Lost(_) => false,
        }
    }

    pub(crate) fn told(&self, doing: &'static str, access: Access) -> StoreError {
        let (kind, why) = match (self, access) {
            (Self::Unsent(why), _) => (StoreErrorKind::Unavailable, why.clone()),
            (Self::Lost(why), Access::Read) => (StoreErrorKind::Unavailable, why.clone()),
            (Self::Lost(why), Access::Write) => (StoreErrorKind::Ambiguous, why.clone()),
            (Self::Refused(text), access) => refused(text, access),
        };
        StoreError::new(kind, doing, why)
    }
}

/// Answers whether a server could not be reached at all, rather than refused who asked.
pub(crate) fn is_away(error: &Error) -> bool {
    let away = [
        ErrorKind::IO,
        ErrorKind::Timeout,
        ErrorKind::Canceled,
        ErrorKind::Unknown,
    ];
    let is_refused = || {
        CREDENTIALS
            .iter()
            .any(|code| has_code(error.details(), code))
    };
    away.contains(error.kind()) && !is_refused()
}

/// Refusals before anything was executed, and what to change where a person must.
const NOT_EXECUTED: [(&str, &str); 14] = [
    (
        "OOM",
        "; raise maxmemory, or shorten how long ended transactions are kept",
    ),
    (
        "MISCONF",
        "; free disk space or mend the disk of Redis, then see its log",
    ),
    (
        "NOREPLICAS",
        "; min-replicas-to-write asks for more replicas than are connected",
    ),
    ("READONLY", ""),
    ("LOADING", ""),
    ("MASTERDOWN", ""),
    ("MOVED", ""),
    ("ASK", "; the slot is being moved to another node"),
    ("TRYAGAIN", "; the slot is being moved to another node"),
    ("CROSSSLOT", ""),
    ("BUSY", ""),
    ("NOSCRIPT", ""),
    ("UNBLOCKED", ""),
    ("EXECABORT", ""),
];

const CREDENTIALS: [&str; 3] = ["NOAUTH", "WRONGPASS", "NOPERM"];

fn refused(text: &str, access: Access) -> (StoreErrorKind, String) {
    if let Some((_, hint)) = NOT_EXECUTED.iter().find(|(code, _)| has_code(text, code)) {
        return (StoreErrorKind::Unavailable, format!("{text}{hint}"));
    }
    if CREDENTIALS.iter().any(|code| has_code(text, code)) {
        let why = format!("{text}; check user, password and rights in SEATA_REDIS_URL");
        return (StoreErrorKind::Invalid, why);
    }
    if has_code(text, "WRONGTYPE") {
        let why = format!("{text}; somebody else writes keys under this prefix");
        return (StoreErrorKind::Corrupt, why);
    }
    match access {
        Access::Read => (StoreErrorKind::Unavailable, text.to_owned()),
        Access::Write => (StoreErrorKind::Ambiguous, text.to_owned()),
    }
}

/// Answers the code with which servers begin an error.
fn code(text: &str) -> Option<&str> {
    let first = text.split_whitespace().next()?;
    (first.len() > 1 && first.bytes().all(|byte| byte.is_ascii_uppercase())).then_some(first)
}

/// Before Redis 7 an error from within a script comes inside of another one, with a dash before its code.
fn has_code(text: &str, code: &str) -> bool {
    self::code(text) == Some(code) || text.contains(&format!("-{code} "))
}

pub(crate) fn corrupt(doing: &'static str, why: impl ToString) -> StoreError {
    StoreError::new(StoreErrorKind::Corrupt, doing, why)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server(text: &'static str) -> Fault {
        Fault::of(&Error::new(ErrorKind::Unknown, text))
    }

    fn kinds(fault: &Fault) -> (StoreErrorKind, StoreErrorKind) {
        let kind = |access| fault.told("testing", access).kind;
        (kind(Access::Write), kind(Access::Read))
    }

    #[test]
    fn what_the_server_refused_before_it_wrote_was_surely_not_applied() {
        use StoreErrorKind::Unavailable;
        for text in [
            "OOM command not allowed when used memory > 'maxmemory'. script: 12ab, on @user_script:9.",
            "ERR Error running script (call to f_1): @user_script:9: -OOM command not allowed",
            "MISCONF Errors writing to the AOF file: No space left on device",
            "NOREPLICAS Not enough good replicas to write.",
            "READONLY You can't write against a read only replica.",
            "LOADING Redis is loading the dataset in memory",
            "MASTERDOWN Link with MASTER is down",
            "TRYAGAIN Multiple keys request during rehashing of slot",
            "MOVED 3999 127.0.0.1:6381",
            "ASK 3999 127.0.0.1:6381",
            "BUSY Redis is busy running a script",
        ] {
            assert_eq!(kinds(&server(text)), (Unavailable, Unavailable), "{text}");
        }
    }

    #[test]
    fn full_memory_and_a_broken_disk_say_what_to_change() {
        let told = |text| server(text).told("appending", Access::Write).why;
        assert!(told("OOM command not allowed").contains("maxmemory"));
        assert!(told("MISCONF Errors writing").contains("disk"));
    }

    #[test]
    fn what_may_have_been_sent_is_ambiguous_when_it_writes() {
        use StoreErrorKind::{Ambiguous, Unavailable};
        for error in [
            Error::new(ErrorKind::Timeout, "Request timed out."),
            Error::new(ErrorKind::IO, "Connection closed."),
            Error::new(ErrorKind::Canceled, "Canceled."),
            Error::new(ErrorKind::Unknown, "Too many failed write attempts."),
            Error::new(ErrorKind::Cluster, "CLUSTERDOWN The cluster is down"),
            Error::new(ErrorKind::Unknown, "ERR something new"),
        ] {
            assert_eq!(
                kinds(&Fault::of(&error)),
                (Ambiguous, Unavailable),
                "{error}"
            );
        }
    }

    #[test]
    fn wrong_credentials_and_foreign_keys_are_told_apart() {
        use StoreErrorKind::{Corrupt, Invalid};
        assert_eq!(
            kinds(&server("WRONGPASS invalid username-password pair")),
            (Invalid, Invalid)
        );
        assert_eq!(
            kinds(&server("NOPERM User x has no permissions")),
            (Invalid, Invalid)
        );
        assert_eq!(
            kinds(&server("WRONGTYPE Operation against a key")),
            (Corrupt, Corrupt)
        );
    }
}
