//! Appends: one script per batch, or in a cluster one per partition and batch, all sent at once.

use std::collections::BTreeMap;
use std::time::Duration;

use fred::types::Value;
use futures_util::future::join_all;
use seata_store::{
    Append, AppendOutcome, Chunk, Expected, LeaseChange, Revision, StoreError, StoreErrorKind, code,
};

use crate::error::{Access, corrupt};
use crate::layout::{self, EXACT_MAX, Layout, Partition, finals, owner_text};
use crate::node::Call;
use crate::nodes::Spread;
use crate::script::{APPEND, Command};
use crate::store::Inner;

const DOING: &str = "appending";

/// The most bytes of chunks in one script, unless it is a single append: Redis serves nobody meanwhile.
const SCRIPT_BYTES_MAX: usize = 4 << 20;

/// The most appends in one script.
const SCRIPT_COUNT_MAX: usize = 256;

type Answer = Result<AppendOutcome, StoreError>;

/// The appends of one script, with their places in the batch and their partitions.
type Group = Vec<(usize, Partition, Append)>;

/// What a script came to.
enum Asked {
    Answered(Vec<(usize, Answer)>),
    /// Nothing was done: the server keeps slots apart.
    Crosses(Group),
}

pub(crate) async fn append(inner: &Inner, batch: Vec<Append>, bytes_max: usize) -> Vec<Answer> {
    let mut answers: Vec<Option<Answer>> = vec![None; batch.len()];
    let call = inner.begin();
    let all = batch.into_iter().enumerate().map(|(place, append)| {
        let partition = inner.layout.partition(&append.gid);
        (place, partition, append)
    });
    let mut left = vec![all.collect()];
    while !left.is_empty() {
        let spread = inner.spread();
        let groups = left.into_iter().flat_map(|group| parts(group, spread));
        let asked = groups
            .flat_map(split)
            .map(|group| ask(inner, call, spread, group, bytes_max));
        left = Vec::new();
        for asked in join_all(asked).await {
            match asked {
                Asked::Answered(answered) => {
                    for (place, answer) in answered {
                        answers[place] = Some(answer);
                    }
                }
                Asked::Crosses(group) => {
                    inner.keep_slots_apart();
                    left.push(group);
                }
            }
        }
    }
    let unanswered = || Err(corrupt(DOING, "the script gave no answer"));
    let answers = answers.into_iter();
    answers
        .map(|answer| answer.unwrap_or_else(unanswered))
        .collect()
}

/// Cuts a batch into what one server may be asked at once: a node of a cluster refuses a script whose keys lie in several
/// slots, and a partition has one.
fn parts(group: Group, spread: Spread) -> Vec<Group> {
    match spread {
        Spread::OneServer => vec![group],
        Spread::Slots => {
            let mut parts: BTreeMap<Partition, Group> = BTreeMap::new();
            for one in group {
                parts.entry(one.1).or_default().push(one);
            }
            parts.into_values().collect()
        }
    }
}

fn split(group: Group) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    let mut bytes = 0;
    for one in group {
        let size = one.2.chunk.bytes().len();
        let fits = |last: &Group| last.len() < SCRIPT_COUNT_MAX && bytes + size <= SCRIPT_BYTES_MAX;
        match groups.last_mut() {
            Some(last) if fits(last) => {
                bytes += size;
                last.push(one);
            }
            Some(_) | None => {
                bytes = size;
                groups.push(vec![one]);
            }
        }
    }
    groups
}

async fn ask(inner: &Inner, call: Call, spread: Spread, group: Group, bytes_max: usize) -> Asked {
    let Some((_, first, _)) = group.first() else {
        return Asked::Answered(Vec::new());
    };
    let command = command(&inner.layout, &group, bytes_max);
    match inner.ask(call, *first, command).await {
        Ok(value) => {
            let mut values = value.into_array().into_iter();
            let answered = group.into_iter().map(|(place, _, append)| {
                let answer = values.next().unwrap_or(Value::Null);
                (place, outcome(&append, answer, bytes_max))
            });
            Asked::Answered(answered.collect())
        }
        Err(fault) if spread == Spread::OneServer && fault.is("CROSSSLOT") => Asked::Crosses(group),
        Err(fault) => {
            let told = group
                .into_iter()
                .map(|(place, _, _)| (place, Err(fault.told(DOING, Access::Write))));
            Asked::Answered(told.collect())
        }
    }
}

fn command(layout: &Layout, group: &Group, bytes_max: usize) -> Command {
    let mut partitions: Vec<Partition> = group.iter().map(|(_, partition, _)| *partition).collect();
    partitions.sort_unstable();
    partitions.dedup();
    let mut keys = Vec::with_capacity(partitions.len() * 3 + group.len());
    for partition in &partitions {
        keys.extend([
            layout.free(*partition),
            layout.leased(*partition),
            layout.listed(*partition),
        ]);
    }
    let mut args = Vec::with_capacity(3 + group.len() * 13);
    args.extend([count(bytes_max), finals(), count(partitions.len())]);
    for (_, partition, append) in group {
        keys.push(layout.record(&append.gid));
        let number = partitions
            .binary_search(partition)
            .expect("invariant: each is among them");
        args.push(count(number));
        push(&mut args, append, bytes_max);
    }
    Command::script(&APPEND, keys, args)
}

/// Twelve arguments, as `append.lua` reads them. A chunk that can't be kept is judged by its size and not sent.
fn push(args: &mut Vec<Value>, append: &Append, bytes_max: usize) {
    let (revision, token) = match append.expected {
        Expected::Absent => (nothing(), nothing()),
        Expected::At { revision, token } => (whole(revision.0), whole(token.0)),
    };
    let (owner, lasts) = match append.lease {
        LeaseChange::Keep | LeaseChange::Release => (nothing(), nothing()),
        LeaseChange::Take { owner, lasts } => {
            (Value::from(owner_text(owner)), Value::from(millis(lasts)))
        }
    };
    let bytes = append.chunk.bytes();
    let chunk = if bytes.len() > bytes_max {
        nothing()
    } else {
        Value::from(bytes.clone())
    };
    args.extend([
        Value::from(append.gid.as_str()),
        Value::from(i64::from(code::mode_code(append.mode))),
        Value::from(i64::from(code::status_code(append.status))),
        revision,
        token,
        append.wake_at.map_or_else(nothing, |at| Value::from(at.0)),
        Value::from_static_str(changes(append)),
        owner,
        lasts,
        Value::from(append.at.0),
        count(bytes.len()),
        chunk,
    ]);
}

/// Says what becomes of the lease and of the history.
const fn changes(append: &Append) -> &'static str {
    match (append.lease, &append.chunk) {
        (LeaseChange::Keep, Chunk::Add(_)) => "ka",
        (LeaseChange::Keep, Chunk::Replace(_)) => "kr",
        (LeaseChange::Take { .. }, Chunk::Add(_)) => "ta",
        (LeaseChange::Take { .. }, Chunk::Replace(_)) => "tr",
        (LeaseChange::Release, Chunk::Add(_)) => "na",
        (LeaseChange::Release, Chunk::Replace(_)) => "nr",
    }
}

fn nothing() -> Value {
    Value::from_static_str("")
}

fn count(number: usize) -> Value {
    whole(number as u64)
}

/// Writes a number: fred has digits for what fits into its own.
fn whole(number: u64) -> Value {
    i64::try_from(number).map_or_else(|_| Value::from(number.to_string()), Value::from)
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
        b"B" => {
            let why = "too much is told of other records: ask again";
            Err(StoreError::new(StoreErrorKind::Unavailable, DOING, why))
        }
        b"E" => refused("the transaction has ended: it never moves again".to_owned()),
        b"L" => refused(format!(
            "the history would have more than {bytes_max} bytes"
        )),
        [b'C', ..] => Err(corrupt(DOING, format!("{}: {}", append.gid, &text[1..]))),
        _ => Err(corrupt(DOING, "the script gave an unknown answer")),
    }
}
