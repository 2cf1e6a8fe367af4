//! Appends: one script per partition and batch, all sent at once.

use std::collections::BTreeMap;
use std::time::Duration;

use fred::types::Value;
use futures_util::future::join_all;
use seata_store::{
    Append, AppendOutcome, Chunk, Expected, LeaseChange, Revision, StoreError, StoreErrorKind, code,
};

use crate::error::{Access, corrupt};
use crate::layout::{self, EXACT_MAX, Partition, finals, owner_text};
use crate::node::Call;
use crate::script::{APPEND, Command};
use crate::store::Inner;

const DOING: &str = "appending";

/// The most bytes of chunks in one script, unless it is a single append: Redis serves nobody meanwhile.
const SCRIPT_BYTES_MAX: usize = 4 << 20;

/// The most appends in one script.
const SCRIPT_COUNT_MAX: usize = 256;

type Answer = Result<AppendOutcome, StoreError>;

/// The appends of one script, with their places in the batch.
type Group = Vec<(usize, Append)>;

pub(crate) async fn append(inner: &Inner, batch: Vec<Append>, bytes_max: usize) -> Vec<Answer> {
    let count = batch.len();
    let mut answers: BTreeMap<usize, Answer> = BTreeMap::new();
    let mut parts: BTreeMap<Partition, Group> = BTreeMap::new();
    for (place, append) in batch.into_iter().enumerate() {
        let partition = inner.layout.partition(&append.gid);
        parts.entry(partition).or_default().push((place, append));
    }
    let call = inner.begin();
    let groups = parts
        .into_iter()
        .flat_map(|(partition, group)| split(group).into_iter().map(move |one| (partition, one)));
    let asked = groups.map(|(partition, group)| ask(inner, call, partition, group, bytes_max));
    answers.extend(join_all(asked).await.into_iter().flatten());
    (0..count)
        .map(|place| {
            answers
                .remove(&place)
                .unwrap_or_else(|| Err(corrupt(DOING, "the script gave no answer")))
        })
        .collect()
}

fn split(group: Group) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    let mut bytes = 0;
    for (place, append) in group {
        let size = append.chunk.bytes().len();
        let fits = |last: &Group| last.len() < SCRIPT_COUNT_MAX && bytes + size <= SCRIPT_BYTES_MAX;
        match groups.last_mut() {
            Some(last) if fits(last) => {
                bytes += size;
                last.push((place, append));
            }
            Some(_) | None => {
                bytes = size;
                groups.push(vec![(place, append)]);
            }
        }
    }
    groups
}

async fn ask(
    inner: &Inner,
    call: Call,
    partition: Partition,
    group: Group,
    bytes_max: usize,
) -> Vec<(usize, Answer)> {
    let layout = &inner.layout;
    let mut keys = vec![
        layout.free(partition),
        layout.leased(partition),
        layout.listed(partition),
    ];
    let mut args = vec![Value::from(bytes_max.to_string()), finals()];
    for (_, append) in &group {
        keys.push(layout.record(&append.gid));
        push(&mut args, append, bytes_max);
    }
    let command = Command::script(&APPEND, keys, args);
    match inner.ask(call, partition, command).await {
        Ok(value) => {
            let mut values = value.into_array().into_iter();
            group
                .into_iter()
                .map(|(place, append)| {
                    let answer = values.next().unwrap_or(Value::Null);
                    (place, outcome(&append, answer, bytes_max))
                })
                .collect()
        }
        Err(fault) => group
            .into_iter()
            .map(|(place, _)| (place, Err(fault.told(DOING, Access::Write))))
            .collect(),
    }
}

/// Twelve arguments, as `append.lua` reads them. A chunk that can't be kept is judged by its size and not sent.
fn push(args: &mut Vec<Value>, append: &Append, bytes_max: usize) {
    let (revision, token) = match append.expected {
        Expected::Absent => (String::new(), String::new()),
        Expected::At { revision, token } => (revision.0.to_string(), token.0.to_string()),
    };
    let (lease, owner, lasts) = match append.lease {
        LeaseChange::Keep => ("k", String::new(), String::new()),
        LeaseChange::Take { owner, lasts } => ("t", owner_text(owner), millis(lasts)),
        LeaseChange::Release => ("n", String::new(), String::new()),
    };
    let history = match append.chunk {
        Chunk::Add(_) => "a",
        Chunk::Replace(_) => "r",
    };
    let bytes = append.chunk.bytes();
    let chunk = if bytes.len() > bytes_max {
        Value::from("")
    } else {
        Value::from(bytes.clone())
    };
    let wake_at = append
        .wake_at
        .map_or_else(String::new, |at| at.0.to_string());
    args.extend([
        Value::from(append.gid.as_str()),
        Value::from(code::mode_code(append.mode).to_string()),
        Value::from(code::status_code(append.status).to_string()),
        Value::from(revision),
        Value::from(token),
        Value::from(wake_at),
        Value::from(format!("{lease}{history}")),
        Value::from(owner),
        Value::from(lasts),
        Value::from(append.at.0.to_string()),
        Value::from(bytes.len().to_string()),
        chunk,
    ]);
}

/// Answers a span in milliseconds, at most so long that its end is an exact number.
pub(crate) fn millis(lasts: Duration) -> String {
    let longest = u128::from((EXACT_MAX / 2).unsigned_abs());
    lasts.as_millis().min(longest).to_string()
}

fn outcome(append: &Append, answer: Value, bytes_max: usize) -> Answer {
    let refused = |why: String| Err(StoreError::new(StoreErrorKind::Invalid, DOING, why));
    if matches!(answer, Value::Array(_)) {
        let stored = layout::stored(DOING, &append.gid, answer)?;
        let stored = stored.ok_or_else(|| corrupt(DOING, "a record without fields"))?;
        return Ok(AppendOutcome::Exists(Box::new(stored)));
    }
    let text = answer.into_string().unwrap_or_default();
    match text.as_bytes() {
        [b'A', ..] => text[1..]
            .parse()
            .map(|revision| AppendOutcome::Applied(Revision(revision)))
            .map_err(|_| corrupt(DOING, "the script answered no revision")),
        b"S" => Ok(AppendOutcome::Stale),
        b"F" => Ok(AppendOutcome::Fenced),
        b"E" => refused("the transaction has ended: it never moves again".to_owned()),
        b"L" => refused(format!(
            "the history would have more than {bytes_max} bytes"
        )),
        [b'C', ..] => Err(corrupt(DOING, format!("{}: {}", append.gid, &text[1..]))),
        _ => Err(corrupt(DOING, "the script gave an unknown answer")),
    }
}
