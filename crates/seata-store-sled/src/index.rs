//! What is open, in memory: heads, and who must be looked at when. And which gids are just being written.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::time::Duration;

use seata_store::{
    ClaimLimit, FencingToken, Gid, Header, Held, LeaseChange, Owner, Revision, UnixMillis,
};

/// One open transaction.
#[derive(Debug, Clone)]
pub(crate) struct Open {
    pub(crate) header: Header,
    /// The oldest revision whose chunk is part of the history.
    pub(crate) first: Revision,
    /// The bytes of the history.
    pub(crate) bytes: usize,
}

/// What memory knows of a gid.
#[derive(Debug)]
pub(crate) enum Look {
    Open(Box<Open>),
    /// It is not open, and a batch that holds it is being written.
    BeingWritten,
    /// It has ended, or there is none.
    Unknown,
}

#[derive(Debug, Default)]
pub(crate) struct Index {
    open: HashMap<Gid, Open>,
    /// An append to these was judged and is not yet durable: nobody may claim or show them.
    written: HashSet<Gid>,
    /// Open ones with a wake-up, by wake-up: nobody holds them, or their lease had passed when somebody looked.
    free: BTreeSet<(UnixMillis, Gid)>,
    /// Open ones with a wake-up, by the end of their lease.
    leased: BTreeSet<(UnixMillis, Gid)>,
}

impl Index {
    pub(crate) fn look(&self, gid: &Gid) -> Look {
        match self.open.get(gid) {
            Some(open) => Look::Open(Box::new(open.clone())),
            None if self.written.contains(gid) => Look::BeingWritten,
            None => Look::Unknown,
        }
    }

    pub(crate) fn put(&mut self, open: Open) {
        let gid = open.header.gid.clone();
        self.remove(&gid);
        if let Some(wake_at) = open.header.wake_at {
            match open.header.lease_until {
                Some(until) => self.leased.insert((until, gid.clone())),
                None => self.free.insert((wake_at, gid.clone())),
            };
        }
        self.open.insert(gid, open);
    }

    fn remove(&mut self, gid: &Gid) {
        let Some(Open { header, .. }) = self.open.remove(gid) else {
            return;
        };
        // A lease that has passed may stand among the free ones.
        if let Some(wake_at) = header.wake_at {
            self.free.remove(&(wake_at, gid.clone()));
        }
        if let Some(until) = header.lease_until {
            self.leased.remove(&(until, gid.clone()));
        }
    }

    pub(crate) fn begin_write(&mut self, gid: &Gid) {
        self.written.insert(gid.clone());
    }

    /// Takes note of a durable append. A lease that was renewed meanwhile stays renewed.
    pub(crate) fn end_write(&mut self, lease: LeaseChange, mut open: Open) {
        let gid = open.header.gid.clone();
        self.written.remove(&gid);
        match lease {
            LeaseChange::Keep => {
                let before = self.open.get(&gid);
                open.header.lease_until = before.and_then(|before| before.header.lease_until);
            }
            LeaseChange::Take { .. } | LeaseChange::Release => {}
        }
        if open.header.status.is_final() {
            self.remove(&gid);
        } else {
            self.put(open);
        }
    }

    /// Leases out what is due. The token rises in memory alone: see `scan.rs` for what that means after a restart.
    pub(crate) fn claim(
        &mut self,
        owner: Owner,
        lasts: Duration,
        limit: ClaimLimit,
        now: UnixMillis,
    ) -> Vec<Open> {
        self.free_passed(now);
        let (mut due, mut bytes) = (Vec::new(), 0);
        for (_, gid) in self.free.iter().take_while(|(at, _)| *at <= now) {
            if due.len() >= limit.count || bytes >= limit.bytes {
                break;
            }
            if let Some(open) = self.open.get(gid).filter(|_| !self.written.contains(gid)) {
                bytes += open.bytes;
                due.push(open.clone());
            }
        }
        for open in &mut due {
            open.header.token = FencingToken(open.header.token.0 + 1);
            open.header.owner = Some(owner);
            open.header.lease_until = Some(now.plus(lasts));
            self.put(open.clone());
        }
        due
    }

    fn free_passed(&mut self, now: UnixMillis) {
        while let Some((until, gid)) = self.leased.pop_first() {
            if until > now {
                self.leased.insert((until, gid));
                return;
            }
            let wake_at = self.open.get(&gid).and_then(|open| open.header.wake_at);
            self.free.extend(wake_at.map(|at| (at, gid)));
        }
    }

    /// Prolongs a lease. An append that is being written goes on.
    pub(crate) fn renew(
        &mut self,
        gid: &Gid,
        token: FencingToken,
        lasts: Duration,
        now: UnixMillis,
    ) -> Held {
        let held = self
            .open
            .get(gid)
            .filter(|open| open.header.token == token && open.header.lease_until.is_some());
        let Some(mut open) = held.cloned() else {
            return Held::Lost;
        };
        open.header.lease_until = Some(now.plus(lasts));
        let revision = open.header.revision;
        self.put(open);
        Held::Renewed(revision)
    }
}
