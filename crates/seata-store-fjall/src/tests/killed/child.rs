//! The process that is killed: it appends, claims and purges in a folder whose log is moved all the time.

use std::io::Write;
use std::path::Path;

use seata_store::{FencingToken, Header};

use super::*;
use crate::settle;

const OWNER: Owner = Owner(7);
const FEW: ClaimLimit = ClaimLimit {
    count: 3,
    bytes: 1 << 20,
};

/// How an append changes a history.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum How {
    Adds,
    Replaces,
    Ends,
    /// A claim: it changes nothing but the token.
    Claims,
}

impl How {
    pub(super) const ALL: [(Self, &str); 4] = [
        (Self::Adds, "adds"),
        (Self::Replaces, "replaces"),
        (Self::Ends, "ends"),
        (Self::Claims, "claims"),
    ];

    fn word(self) -> &'static str {
        Self::ALL.iter().find(|(how, _)| *how == self).unwrap().1
    }
}

/// Says what was acknowledged: `said <gid> <revision> <how> <token>`.
fn say(gid: &Gid, revision: Revision, how: How, token: FencingToken) {
    let mut out = std::io::stdout().lock();
    writeln!(out, "said {gid} {} {} {}", revision.0, how.word(), token.0).unwrap();
    out.flush().unwrap();
}

/// Appends to a record of which this process holds the lease, and says so. A chunk names its revision.
async fn append(store: &FjallStore, at: &mut (Gid, Revision, FencingToken), how: How, one: Append) {
    let (gid, revision, token) = at;
    *revision = revision.next();
    let text = match how {
        How::Replaces => format!("={};", revision.0),
        How::Adds | How::Ends | How::Claims => format!("{};", revision.0),
    };
    let chunk = match how {
        How::Replaces => Chunk::Replace(text.into()),
        How::Adds | How::Ends | How::Claims => Chunk::Add(text.into()),
    };
    let status = match how {
        How::Ends => Status::Committed,
        How::Adds | How::Replaces | How::Claims => Status::Submitted,
    };
    let whole = Append {
        chunk,
        status,
        ..one
    };
    applied(store, whole).await;
    say(gid, *revision, how, *token);
}

/// Makes a record and what follows: it ends, or its lease is given back.
async fn live(store: &FjallStore, name: &str, round: i64, steps: &[How]) {
    let mut at = (gid(name), Revision(0), FencingToken(1));
    let one = creation(name, UnixMillis(round));
    let take = LeaseChange::Take {
        owner: OWNER,
        lasts: LEASE,
    };
    append(store, &mut at, How::Adds, Append { lease: take, ..one }).await;
    for (number, how) in steps.iter().enumerate() {
        let lease = if number + 1 == steps.len() && *how != How::Ends {
            LeaseChange::Release
        } else {
            LeaseChange::Keep
        };
        let next = following(&at, round, lease);
        append(store, &mut at, *how, next).await;
    }
}

fn following(
    (gid, revision, token): &(Gid, Revision, FencingToken),
    round: i64,
    lease: LeaseChange,
) -> Append {
    Append {
        expected: Expected::At {
            revision: *revision,
            token: *token,
        },
        lease,
        ..creation(gid.as_str(), UnixMillis(round))
    }
}

async fn lives(store: FjallStore, round: i64, task: usize) {
    use How::{Adds, Ends, Replaces};
    let kinds: [&[How]; 5] = [
        &[Ends],
        &[Adds],
        &[Adds, Adds, Ends],
        &[Adds, Replaces, Adds],
        &[Replaces, Ends],
    ];
    for number in 0.. {
        let name = format!("r{round}-{task}-{number}");
        live(&store, &name, round, kinds[number % kinds.len()]).await;
    }
}

/// Claims what is due, adds to it and gives it back; and purges what ended in earlier rounds.
async fn looks_after(store: FjallStore, round: i64) {
    for number in 0.. {
        for one in store.claim_due(OWNER, LEASE, FEW).await.unwrap() {
            let Header {
                gid,
                revision,
                token,
                ..
            } = one.header;
            say(&gid, revision, How::Claims, token);
            let mut at = (gid, revision, token);
            let how = [How::Adds, How::Replaces, How::Adds, How::Ends][number % 4];
            let next = following(&at, round, LeaseChange::Release);
            append(&store, &mut at, how, next).await;
        }
        store.purge(UnixMillis(round), 2).await.unwrap();
    }
}

/// Does the first step of a move, and says so; the next one never comes. Appends go on, as they do beside any move.
fn stands_still(store: &FjallStore) {
    loop {
        let _settling = store.inner.settling("settling").unwrap();
        let moved = {
            let _none_appends = store.inner.writer("settling").unwrap();
            store.inner.index().unsettled()
        };
        let ended = moved.iter().map(Arc::as_ref);
        let ended: Vec<_> = ended.filter(|one| one.header.status.is_final()).collect();
        if !ended.is_empty() {
            settle::write_ended(&store.inner.files.ended, ended).unwrap();
            writeln!(std::io::stdout(), "{STANDS_STILL}").unwrap();
            loop {
                std::thread::park();
            }
        }
    }
}

/// The other process. Without the folder in its environment it does nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn child_moves_until_killed() {
    let (Some(folder), Ok(round)) = (std::env::var_os(FOLDER), std::env::var(ROUND)) else {
        return;
    };
    let round = round.parse().unwrap();
    let store = small(Path::new(&folder));
    let mut tasks: Vec<_> = (0..4)
        .map(|task| tokio::spawn(lives(store.clone(), round, task)))
        .collect();
    tasks.push(tokio::spawn(looks_after(store.clone(), round)));
    if is_stopped_in_a_move(round) {
        tokio::time::sleep(Duration::from_millis(100)).await;
        std::thread::spawn(move || stands_still(&store));
    }
    for task in tasks {
        task.await.unwrap();
    }
}
