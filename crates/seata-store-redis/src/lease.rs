//! Leases: what is due, and who still holds what.
//!
//! A claim asks each partition for its earliest wake-ups, takes the earliest of all, and leases those where they are: two
//! rounds where something is due, one where nothing is. Another server may be faster in between; then it asks again.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::time::Duration;

use fred::types::Value;
use seata_store::{ClaimLimit, FencingToken, Gid, Held, Owner, Revision, StoreError, Stored};

use crate::append::millis;
use crate::error::{Access, Fault, corrupt};
use crate::layout::{self, Partition, finals, owner_text};
use crate::node::Call;
use crate::script::{CLAIM, Command, DUE, RENEW};
use crate::store::Inner;

const CLAIMING: &str = "claiming";
const RENEWING: &str = "renewing leases";

/// The most passed leases that one script puts back.
const MOVES_MAX: usize = 256;

/// The most wake-ups that one script tells, and transactions that one leases or renews.
const SCRIPT_COUNT_MAX: usize = 256;

/// The most rounds of one claim. Each one that gets nothing means that another server got something.
const ROUNDS_MAX: usize = 32;

pub(crate) async fn claim_due(
    inner: &Inner,
    owner: Owner,
    lasts: Duration,
    limit: ClaimLimit,
) -> Result<Vec<Stored>, StoreError> {
    let call = inner.begin();
    let (mut claimed, mut bytes) = (Vec::new(), 0);
    for _ in 0..ROUNDS_MAX {
        let left = limit.count.saturating_sub(claimed.len());
        if left == 0 || (bytes >= limit.bytes && !claimed.is_empty()) {
            break;
        }
        let due = match due(inner, call, left).await {
            Ok(due) => due,
            Err(fault) if claimed.is_empty() => return Err(fault.told(CLAIMING, Access::Write)),
            Err(_) => break,
        };
        if due.entries.is_empty() {
            if due.is_all {
                break;
            }
            continue;
        }
        let picked = pick(due.entries, left, limit.bytes.saturating_sub(bytes));
        match lease(inner, call, owner, lasts, picked).await {
            Ok(some) => {
                bytes += some.iter().map(size).sum::<usize>();
                claimed.extend(some);
            }
            Err(error) if claimed.is_empty() => return Err(error),
            Err(_) => break,
        }
    }
    claimed.sort_by_key(|one| (one.header.wake_at, one.header.gid.clone()));
    Ok(claimed)
}

fn size(stored: &Stored) -> usize {
    stored.chunks.iter().map(bytes::Bytes::len).sum()
}

/// A wake-up that has come.
struct Entry {
    wake_at: f64,
    gid: Gid,
    partition: Partition,
    bytes: usize,
}

struct Due {
    /// The earliest first; nothing earlier was left out.
    entries: Vec<Entry>,
    /// Whether nothing else is due.
    is_all: bool,
}

/// Asks all partitions. One that can't answer is left out; its transactions are claimed when it is back.
async fn due(inner: &Inner, call: Call, wanted: usize) -> Result<Due, Fault> {
    let layout = &inner.layout;
    let count = (wanted * 2 / usize::from(layout.partitions) + 16)
        .min(wanted)
        .min(SCRIPT_COUNT_MAX);
    let commands = layout.all().map(|partition| {
        let keys = vec![layout.free(partition), layout.leased(partition)];
        let args = vec![
            Value::from(MOVES_MAX.to_string()),
            Value::from(count.to_string()),
            Value::from(layout.records(partition)),
        ];
        (partition, Command::script(&DUE, keys, args))
    });
    let answers = inner.ask_each(call, commands.collect()).await;
    let (mut entries, mut lost, mut asked) = (Vec::new(), None, 0);
    // Behind the earliest of these places a partition may have more than it told.
    let mut told_to: Option<(f64, Gid)> = None;
    let mut is_order_known = true;
    for (partition, answer) in layout.all().zip(answers) {
        match answer {
            Ok(value) => {
                asked += 1;
                let told = told(partition, value);
                // Earlier ones may still wait to be put back.
                is_order_known &= told.passed < MOVES_MAX;
                if let Some(last) = told.entries.get(count - 1) {
                    let last = (last.wake_at, last.gid.clone());
                    told_to = Some(told_to.map_or(last.clone(), |to| earlier(to, last)));
                }
                entries.extend(told.entries);
            }
            Err(fault) => lost = Some(fault),
        }
    }
    if let (0, Some(fault)) = (asked, lost) {
        return Err(fault);
    }
    entries.sort_by(|one, other| by_wake_up((one.wake_at, &one.gid), (other.wake_at, &other.gid)));
    if let Some((wake_at, gid)) = &told_to {
        entries.retain(|entry| by_wake_up((entry.wake_at, &entry.gid), (*wake_at, gid)).is_le());
    }
    if !is_order_known {
        entries.clear();
    }
    Ok(Due {
        entries,
        is_all: told_to.is_none() && is_order_known,
    })
}

fn by_wake_up(one: (f64, &Gid), other: (f64, &Gid)) -> Ordering {
    one.0.total_cmp(&other.0).then_with(|| one.1.cmp(other.1))
}

fn earlier(one: (f64, Gid), other: (f64, Gid)) -> (f64, Gid) {
    match by_wake_up((one.0, &one.1), (other.0, &other.1)) {
        Ordering::Less | Ordering::Equal => one,
        Ordering::Greater => other,
    }
}

struct Told {
    passed: usize,
    entries: Vec<Entry>,
}

fn told(partition: Partition, value: Value) -> Told {
    let mut values = value.into_array().into_iter();
    let passed = values.next().and_then(|count| count.as_usize());
    let mut entries = Vec::new();
    while let (Some(gid), Some(wake), Some(bytes)) = (values.next(), values.next(), values.next()) {
        let gid = gid.into_string().and_then(|gid| Gid::parse(&gid).ok());
        let wake_at = wake.into_string().and_then(|wake| wake.parse().ok());
        if let (Some(gid), Some(wake_at)) = (gid, wake_at) {
            entries.push(Entry {
                wake_at,
                gid,
                partition,
                bytes: bytes.as_usize().unwrap_or_default(),
            });
        }
    }
    Told {
        passed: passed.unwrap_or_default(),
        entries,
    }
}

/// Takes the earliest, up to the limit; the first one that passes the limit of bytes is the last.
fn pick(entries: Vec<Entry>, count: usize, bytes: usize) -> BTreeMap<Partition, Vec<Gid>> {
    let mut picked: BTreeMap<Partition, Vec<Gid>> = BTreeMap::new();
    let mut taken = 0;
    for (at, entry) in entries.into_iter().take(count).enumerate() {
        if at > 0 && taken >= bytes {
            break;
        }
        taken += entry.bytes;
        picked.entry(entry.partition).or_default().push(entry.gid);
    }
    picked
}

/// Leases what was picked. What a lost answer leased is due again when the lease has passed.
async fn lease(
    inner: &Inner,
    call: Call,
    owner: Owner,
    lasts: Duration,
    picked: BTreeMap<Partition, Vec<Gid>>,
) -> Result<Vec<Stored>, StoreError> {
    let layout = &inner.layout;
    let command = |partition: Partition, gids: &[Gid]| {
        let mut keys = vec![layout.free(partition), layout.leased(partition)];
        let mut args = vec![Value::from(owner_text(owner)), Value::from(millis(lasts))];
        keys.extend(gids.iter().map(|gid| layout.record(gid)));
        args.extend(gids.iter().map(|gid| Value::from(gid.as_str())));
        (partition, Command::script(&CLAIM, keys, args))
    };
    let (mut asked, mut commands) = (Vec::new(), Vec::new());
    for (partition, gids) in &picked {
        for some in gids.chunks(SCRIPT_COUNT_MAX) {
            asked.push(some);
            commands.push(command(*partition, some));
        }
    }
    let answers = inner.ask_each(call, commands).await;
    let (mut claimed, mut failed) = (Vec::new(), None);
    for (gids, answer) in asked.into_iter().zip(answers) {
        match answer {
            Ok(value) => {
                for (gid, value) in gids.iter().zip(value.into_array()) {
                    match layout::stored(CLAIMING, gid, value) {
                        Ok(stored) => claimed.extend(stored),
                        // It would hold up all that is due behind it; it is due again when its lease has passed.
                        Err(error) => {
                            tracing::error!(%gid, %error, "a due transaction can't be read");
                            failed = Some(error);
                        }
                    }
                }
            }
            Err(fault) => failed = Some(fault.told(CLAIMING, Access::Write)),
        }
    }
    match failed {
        Some(error) if claimed.is_empty() => Err(error),
        Some(_) | None => Ok(claimed),
    }
}

pub(crate) async fn renew(
    inner: &Inner,
    held: &[(Gid, FencingToken)],
    lasts: Duration,
) -> Result<Vec<Held>, StoreError> {
    let call = inner.begin();
    let mut parts: BTreeMap<Partition, Vec<usize>> = BTreeMap::new();
    for (place, (gid, _)) in held.iter().enumerate() {
        let partition = inner.layout.partition(gid);
        parts.entry(partition).or_default().push(place);
    }
    let (mut asked, mut commands) = (Vec::new(), Vec::new());
    for (partition, places) in &parts {
        for some in places.chunks(SCRIPT_COUNT_MAX) {
            asked.push(some);
            commands.push(renewal(inner, *partition, some, held, lasts));
        }
    }
    let answers = inner.ask_each(call, commands).await;
    let mut renewed = vec![Held::Unknown; held.len()];
    let (mut answered, mut failed) = (0, None);
    for (places, answer) in asked.into_iter().zip(answers) {
        match answer {
            Ok(value) => {
                answered += 1;
                for (place, value) in places.iter().zip(value.into_array()) {
                    renewed[*place] = held_of(value)?;
                }
            }
            Err(fault) => failed = Some(fault.told(RENEWING, Access::Write)),
        }
    }
    match failed {
        Some(error) if answered == 0 => Err(error),
        Some(_) | None => Ok(renewed),
    }
}

fn renewal(
    inner: &Inner,
    partition: Partition,
    places: &[usize],
    held: &[(Gid, FencingToken)],
    lasts: Duration,
) -> (Partition, Command) {
    let layout = &inner.layout;
    let mut keys = vec![layout.free(partition), layout.leased(partition)];
    let mut args = vec![Value::from(millis(lasts)), finals()];
    for place in places {
        let (gid, token) = &held[*place];
        keys.push(layout.record(gid));
        args.push(Value::from(gid.as_str()));
        args.push(Value::from(token.0.to_string()));
    }
    (partition, Command::script(&RENEW, keys, args))
}

fn held_of(value: Value) -> Result<Held, StoreError> {
    let text = value.into_string().unwrap_or_default();
    if text.is_empty() {
        return Ok(Held::Lost);
    }
    text.parse()
        .map(|revision| Held::Renewed(Revision(revision)))
        .map_err(|_| corrupt(RENEWING, "the script answered no revision"))
}
