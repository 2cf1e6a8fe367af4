//! What is due: the earliest wake-ups of all partitions.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use fred::types::Value;
use seata_store::Gid;

use crate::error::Fault;
use crate::layout::Partition;
use crate::lease::SCRIPT_COUNT_MAX;
use crate::node::Call;
use crate::script::{Command, DUE};
use crate::store::Inner;

/// The most passed leases that one script puts back.
const MOVES_MAX: usize = 256;

/// A wake-up that has come.
pub(crate) struct Entry {
    wake_at: f64,
    gid: Gid,
    partition: Partition,
    bytes: usize,
}

pub(crate) struct Due {
    /// The earliest first; nothing earlier was left out.
    pub(crate) entries: Vec<Entry>,
    /// Whether nothing else is due.
    pub(crate) is_all: bool,
}

/// Asks all partitions. One that can't answer is left out; its transactions are claimed when it is back.
pub(crate) async fn due(inner: &Inner, call: Call, wanted: usize) -> Result<Due, Fault> {
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
pub(crate) fn pick(
    entries: Vec<Entry>,
    count: usize,
    bytes: usize,
) -> BTreeMap<Partition, Vec<Gid>> {
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
