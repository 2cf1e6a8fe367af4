//! The text of appends. What it writes on which condition is `Append::judge`; what comes of it is read in `append`.

use std::fmt::Write as _;

use seata_store::{
    Append, Chunk, Expected, FencingToken, Header, LeaseChange, Mode, Revision, Status, UnixMillis,
    code,
};

use crate::text::{self, HEADER, NOW};

/// What one append adds to a packet besides its chunk, in bytes, and more.
pub(crate) const APPEND_BYTES: usize = 1_024;

/// Answers the bytes of text that an append takes: its chunk stands in hexadecimal.
pub(crate) fn weight(append: &Append) -> usize {
    append.chunk.bytes().len() * 2 + APPEND_BYTES
}

/// Creates all of these or none: one gid that exists makes a plain insert fail as a whole, and nothing is ever swallowed.
pub(crate) fn create(creations: &[&Append]) -> String {
    let mut rows = String::new();
    for append in creations {
        let separator = if rows.is_empty() { "" } else { ", " };
        let _ = write!(rows, "{separator}({})", created(append));
    }
    format!("INSERT INTO global_transaction ({HEADER}, events) VALUES {rows}")
}

fn created(append: &Append) -> String {
    let (token, owner, lease_until) = match append.lease {
        LeaseChange::Keep | LeaseChange::Release => (0, None, "NULL".to_owned()),
        LeaseChange::Take { owner, lasts } => {
            let lasts_ms = text::millis(lasts);
            (1, Some(owner), format!("{NOW} + {lasts_ms}"))
        }
    };
    let (mode, status) = (
        code::mode_code(append.mode),
        code::status_code(append.status),
    );
    let (owner, wake_at) = (text::owner(owner), text::instant(append.wake_at));
    let UnixMillis(at) = append.at;
    let chunk = text::bytes(append.chunk.bytes());
    format!(
        "'{}', {mode}, {status}, 1, {token}, {owner}, {lease_until}, {wake_at}, {at}, {at}, {chunk}",
        append.gid
    )
}

/// Writes one append to a record on its condition, in a transaction of its own. Each value rests on its own column and
/// on the append alone: no server has to assign in a certain order.
pub(crate) fn follow(append: &Append, bytes_max: usize) -> String {
    let (Revision(revision), FencingToken(token)) = match append.expected {
        Expected::At { revision, token } => (revision, token),
        // No record is at revision 0: nothing is written.
        Expected::Absent => (Revision(0), FencingToken(0)),
    };
    let (lease, lease_is_free) = match append.lease {
        LeaseChange::Keep => (String::new(), String::new()),
        LeaseChange::Release => (", lease_until = NULL".to_owned(), String::new()),
        LeaseChange::Take { owner, lasts } => {
            let (owner, lasts_ms) = (text::owner(Some(owner)), text::millis(lasts));
            (
                format!(", token = {token} + 1, owner = {owner}, lease_until = {NOW} + {lasts_ms}"),
                format!(" AND (lease_until IS NULL OR lease_until <= {NOW} OR owner <=> {owner})"),
            )
        }
    };
    let chunk = text::bytes(append.chunk.bytes());
    let (events, kept) = match append.chunk {
        Chunk::Add(_) => (format!("CONCAT(events, {chunk})"), "events_bytes"),
        Chunk::Replace(_) => (chunk, "0"),
    };
    let (mode, status) = (
        code::mode_code(append.mode),
        code::status_code(append.status),
    );
    let (wake_at, UnixMillis(at)) = (text::instant(append.wake_at), append.at);
    let (readable, bytes) = (open_and_readable(), append.chunk.bytes().len());
    format!(
        "UPDATE global_transaction SET mode = {mode}, status = {status}, revision = {revision} + 1{lease}, \
         wake_at = {wake_at}, updated_at = GREATEST(updated_at, {at}), events = {events} \
         WHERE gid = '{}' AND revision = {revision} AND token = {token} AND {readable}{lease_is_free} \
         AND {kept} + {bytes} <= {bytes_max}",
        append.gid
    )
}

/// Locks the records of several appends, in gid order, which is the order of locks; tells their headers and the time. It
/// names the key, since a server that scans a small table waits for the locks of all others.
pub(crate) fn lock(updates: &[&Append]) -> String {
    let gids = text::gids(updates.iter().map(|append| &append.gid));
    format!(
        "START TRANSACTION; SELECT {HEADER}, events_bytes, {NOW} FROM global_transaction FORCE INDEX (PRIMARY) \
         WHERE gid IN {gids} ORDER BY gid FOR UPDATE"
    )
}

/// As `lock`, but leaves out what others have locked; tells behind it which of all are there.
pub(crate) fn lock_past_locks(updates: &[&Append]) -> String {
    let gids = text::gids(updates.iter().map(|append| &append.gid));
    let lock = lock(updates);
    format!("{lock} SKIP LOCKED; SELECT gid FROM global_transaction WHERE gid IN {gids}")
}

/// What several appends write under their locks: each with its header as the rule made it.
pub(crate) struct Write<'batch> {
    pub(crate) creations: Vec<&'batch Append>,
    pub(crate) updates: Vec<(&'batch Append, Header)>,
}

/// Writes all of these and commits; answers the number of the commit, from 0, too. The rows of later appends are there,
/// and locked: their insert always meets them.
pub(crate) fn write(write: &Write<'_>) -> (String, usize) {
    let mut statements = Vec::new();
    let (mut added, mut swapped) = (String::new(), String::new());
    for (append, header) in &write.updates {
        let rows = match append.chunk {
            Chunk::Add(_) => &mut added,
            Chunk::Replace(_) => &mut swapped,
        };
        let separator = if rows.is_empty() { "" } else { ", " };
        let _ = write!(rows, "{separator}({})", row(append, header));
    }
    for (rows, events) in [
        (added, "CONCAT(events, VALUES(events))"),
        (swapped, "VALUES(events)"),
    ] {
        if !rows.is_empty() {
            statements.push(format!(
                "INSERT INTO global_transaction ({HEADER}, events) VALUES {rows} ON DUPLICATE KEY UPDATE \
                 mode = VALUES(mode), status = VALUES(status), revision = VALUES(revision), token = VALUES(token), \
                 owner = VALUES(owner), lease_until = VALUES(lease_until), wake_at = VALUES(wake_at), \
                 updated_at = VALUES(updated_at), events = {events}"
            ));
        }
    }
    if !write.creations.is_empty() {
        statements.push(create(&write.creations));
    }
    let commit_at = statements.len();
    statements.push("COMMIT".to_owned());
    (statements.join("; "), commit_at)
}

fn row(append: &Append, header: &Header) -> String {
    let (mode, status) = (
        code::mode_code(header.mode),
        code::status_code(header.status),
    );
    let (Revision(revision), FencingToken(token)) = (header.revision, header.token);
    let owner = text::owner(header.owner);
    let [lease_until, wake_at] = [header.lease_until, header.wake_at].map(text::instant);
    let [created_at, updated_at] = [header.created_at, header.updated_at].map(|at| at.0);
    let chunk = text::bytes(append.chunk.bytes());
    format!(
        "'{}', {mode}, {status}, {revision}, {token}, {owner}, {lease_until}, {wake_at}, {created_at}, {updated_at}, {chunk}",
        header.gid
    )
}

/// Answers the list of states that never move again.
pub(crate) fn ended() -> String {
    let ended = Status::ALL.into_iter().filter(|status| status.is_final());
    list(ended.map(code::status_code))
}

/// What a record must be to be written without having been read: a state or mode that this server doesn't know is damage,
/// or of a newer server, and not to be overwritten.
fn open_and_readable() -> String {
    let open = Status::ALL.into_iter().filter(|status| !status.is_final());
    let (open, modes) = (
        list(open.map(code::status_code)),
        list(Mode::ALL.into_iter().map(code::mode_code)),
    );
    format!("status IN {open} AND mode IN {modes}")
}

fn list(codes: impl Iterator<Item = u8>) -> String {
    let codes: Vec<String> = codes.map(|code| code.to_string()).collect();
    format!("({})", codes.join(", "))
}
