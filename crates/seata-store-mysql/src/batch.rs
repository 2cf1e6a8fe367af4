//! The text of appends. What it writes on which condition is `Append::judge`; what comes of it is read in `append`.

use std::fmt::Write as _;

use seata_store::{Append, Chunk, Expected, LeaseChange, Status, UnixMillis, code};

use crate::text::{self, HEADER, NOW};

/// What one append adds to a packet besides its chunk, in bytes, and more.
pub(crate) const APPEND_BYTES: usize = 1_024;

/// Where the statements of a packet find one and the same time.
const AT: &str = "@seata_now";

/// Answers the bytes of text that an append takes: its chunk stands in hexadecimal.
pub(crate) fn weight(append: &Append) -> usize {
    append.chunk.bytes().len() * 2 + APPEND_BYTES
}

/// Creates all of these or none, in a transaction of its own.
pub(crate) fn create(creations: &[&Append]) -> String {
    insert(creations, NOW)
}

/// Writes one append to a record on its condition, in a transaction of its own.
pub(crate) fn follow(append: &Append, bytes_max: usize) -> String {
    let fields = fields(append);
    let literal = |name: &str| {
        fields
            .iter()
            .find(|(field, _)| *field == name)
            .map_or("NULL", |(_, text)| text.as_str())
            .to_owned()
    };
    let gid = literal("gid");
    let (set, condition) = (
        assignments(&literal, NOW),
        condition(&literal, NOW, bytes_max),
    );
    format!("UPDATE global_transaction AS g SET {set} WHERE g.gid = {gid} AND {condition}")
}

/// A packet of several appends: which answer is which.
#[derive(Debug)]
pub(crate) struct Packet {
    pub(crate) text: String,
    /// The locking read, by its number from 0.
    pub(crate) headers_at: Option<usize>,
    /// The write of later appends.
    pub(crate) update_at: Option<usize>,
    /// The commit, which is the last.
    pub(crate) commit_at: usize,
}

/// Writes all of these in one transaction. Both lists are in gid order, which is the order of locks.
pub(crate) fn mixed(creations: &[&Append], updates: &[&Append], bytes_max: usize) -> Packet {
    let mut statements = vec![format!("SET {AT} = {NOW}"), "START TRANSACTION".to_owned()];
    let (mut headers_at, mut update_at) = (None, None);
    if !updates.is_empty() {
        headers_at = Some(statements.len());
        statements.push(locking_read(updates));
        update_at = Some(statements.len());
        statements.push(update(updates, bytes_max));
    }
    if !creations.is_empty() {
        statements.push(insert(creations, AT));
    }
    let commit_at = statements.len();
    statements.push("COMMIT".to_owned());
    Packet {
        text: statements.join("; "),
        headers_at,
        update_at,
        commit_at,
    }
}

fn locking_read(updates: &[&Append]) -> String {
    let gids = text::gids(updates.iter().map(|append| &append.gid));
    format!(
        "SELECT {HEADER}, events_bytes, {AT} FROM global_transaction WHERE gid IN {gids} ORDER BY gid FOR UPDATE"
    )
}

/// Joins the table to what is to be written, in the order of that, so that the key finds each row.
pub(crate) fn update(updates: &[&Append], bytes_max: usize) -> String {
    let mut rows = String::new();
    for append in updates {
        rows.push_str(if rows.is_empty() {
            "SELECT "
        } else {
            " UNION ALL SELECT "
        });
        for (at, (name, value)) in fields(append).into_iter().enumerate() {
            let separator = if at == 0 { "" } else { ", " };
            let _ = write!(rows, "{separator}{value} AS {name}");
        }
    }
    let column = |name: &str| format!("u.{name}");
    let (set, condition) = (assignments(&column, AT), condition(&column, AT, bytes_max));
    format!(
        "UPDATE ({rows}) AS u STRAIGHT_JOIN global_transaction AS g ON g.gid = u.gid SET {set} WHERE {condition}"
    )
}

/// Each value rests on its own column and on the append alone: no server has to assign in a certain order.
fn assignments(value: &impl Fn(&str) -> String, now: &str) -> String {
    let [
        mode,
        status,
        revision,
        token,
        lease,
        owner,
        lasts,
        wake_at,
        decided_at,
        swap,
        chunk,
    ] = [
        "mode",
        "status",
        "revision",
        "token",
        "lease",
        "owner",
        "lasts",
        "wake_at",
        "decided_at",
        "swap",
        "chunk",
    ]
    .map(value);
    format!(
        "g.mode = {mode}, g.status = {status}, g.revision = {revision} + 1, \
         g.token = {token} + IF({lease} = {TAKE}, 1, 0), \
         g.owner = CASE {lease} WHEN {TAKE} THEN {owner} ELSE g.owner END, \
         g.lease_until = CASE {lease} WHEN {KEEP} THEN g.lease_until WHEN {TAKE} THEN {now} + {lasts} END, \
         g.wake_at = {wake_at}, g.updated_at = GREATEST(g.updated_at, {decided_at}), \
         g.events = CONCAT(IF({swap} = 1, '', g.events), {chunk})"
    )
}

fn condition(value: &impl Fn(&str) -> String, now: &str, bytes_max: usize) -> String {
    let [revision, token, lease, owner, swap, bytes] =
        ["revision", "token", "lease", "owner", "swap", "bytes"].map(value);
    let ended = ended();
    format!(
        "g.revision = {revision} AND g.token = {token} AND g.status NOT IN {ended} \
         AND ({lease} <> {TAKE} OR g.lease_until IS NULL OR g.lease_until <= {now} OR g.owner <=> {owner}) \
         AND IF({swap} = 1, 0, g.events_bytes) + {bytes} <= {bytes_max}"
    )
}

/// Answers the list of states that never move again.
pub(crate) fn ended() -> String {
    let ended: Vec<String> = Status::ALL
        .into_iter()
        .filter(|status| status.is_final())
        .map(|status| code::status_code(status).to_string())
        .collect();
    format!("({})", ended.join(", "))
}

const KEEP: u8 = 0;
const TAKE: u8 = 1;
const RELEASE: u8 = 2;

/// An append as a row. The gid says its character set: a joined one would take that of the connection otherwise, and
/// no key would fit.
fn fields(append: &Append) -> [(&'static str, String); 13] {
    let (revision, token) = match append.expected {
        Expected::Absent => (0, 0),
        Expected::At { revision, token } => (revision.0, token.0),
    };
    let (lease, owner, lasts_ms) = match append.lease {
        LeaseChange::Keep => (KEEP, None, 0),
        LeaseChange::Take { owner, lasts } => (TAKE, Some(owner), text::millis(lasts)),
        LeaseChange::Release => (RELEASE, None, 0),
    };
    let swap = match append.chunk {
        Chunk::Add(_) => 0,
        Chunk::Replace(_) => 1,
    };
    let chunk = append.chunk.bytes();
    [
        ("gid", format!("_ascii'{}' COLLATE ascii_bin", append.gid)),
        ("revision", revision.to_string()),
        ("token", token.to_string()),
        ("mode", code::mode_code(append.mode).to_string()),
        ("status", code::status_code(append.status).to_string()),
        ("wake_at", text::instant(append.wake_at)),
        ("lease", lease.to_string()),
        ("owner", text::owner(owner)),
        ("lasts", lasts_ms.to_string()),
        ("decided_at", append.at.0.to_string()),
        ("swap", swap.to_string()),
        ("bytes", chunk.len().to_string()),
        ("chunk", text::bytes(chunk)),
    ]
}

/// A plain insert: one gid that exists makes it fail as a whole, and nothing else is ever swallowed.
fn insert(creations: &[&Append], now: &str) -> String {
    let mut rows = String::new();
    for append in creations {
        let separator = if rows.is_empty() { "" } else { ", " };
        let _ = write!(rows, "{separator}({})", created(append, now));
    }
    format!("INSERT INTO global_transaction ({HEADER}, events) VALUES {rows}")
}

fn created(append: &Append, now: &str) -> String {
    let (token, owner, lease_until) = match append.lease {
        LeaseChange::Keep | LeaseChange::Release => (0, None, "NULL".to_owned()),
        LeaseChange::Take { owner, lasts } => {
            let lasts_ms = text::millis(lasts);
            (1, Some(owner), format!("{now} + {lasts_ms}"))
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
