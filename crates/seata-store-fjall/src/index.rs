//! What is open, in memory: headers, and who must be looked at when.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use seata_store::{
    Append, Chunk, ClaimLimit, FencingToken, Gid, Header, Held, LeaseChange, Owner, Revision,
    UnixMillis,
};

use crate::kept::Kept;

/// One open transaction.
#[derive(Debug, Clone)]
pub(crate) struct Open {
    pub(crate) header: Header,
    /// The oldest revision whose chunk is part of the history.
    pub(crate) first: Revision,
    /// The bytes of the history.
    pub(crate) bytes: usize,
}

impl Open {
    pub(crate) const fn new(header: Header, first: Revision, bytes: usize) -> Self {
        Self {
            header,
            first,
            bytes,
        }
    }

    /// Answers the revisions whose chunks make up the history.
    pub(crate) fn revisions(&self) -> impl Iterator<Item = Revision> + use<> {
        (self.first.0..=self.header.revision.0).map(Revision)
    }
}

#[derive(Debug, Default)]
pub(crate) struct Index {
    open: HashMap<Gid, Box<Kept>>,
    agenda: Agenda,
}

/// What must be looked at when. Each open transaction with a wake-up is in one of the two.
#[derive(Debug, Default)]
struct Agenda {
    /// By wake-up: nobody holds them, or the lease had passed when somebody looked.
    free: BTreeSet<(UnixMillis, Gid)>,
    /// By the end of their lease.
    leased: BTreeSet<(UnixMillis, Gid)>,
}

fn wake_at(header: &Header) -> Option<UnixMillis> {
    header.wake_at.filter(|_| !header.status.is_final())
}

impl Agenda {
    fn insert(&mut self, header: &Header) {
        let Some(wake_at) = wake_at(header) else {
            return;
        };
        match header.lease_until {
            Some(until) => self.leased.insert((until, header.gid.clone())),
            None => self.free.insert((wake_at, header.gid.clone())),
        };
    }

    fn remove(&mut self, header: &Header) {
        let mut key = (UnixMillis(0), header.gid.clone());
        for (set, at) in [
            (&mut self.leased, header.lease_until),
            (&mut self.free, wake_at(header)),
        ] {
            if let Some(at) = at {
                key.0 = at;
                set.remove(&key);
            }
        }
    }

    /// Takes note of the leases that have passed.
    fn free_passed(&mut self, open: &HashMap<Gid, Box<Kept>>, now: UnixMillis) {
        while let Some(passed) = self.leased.first().filter(|(until, _)| *until <= now) {
            let header = open.get(&passed.1).map(|kept| kept.open(&passed.1).header);
            if let Some(wake_at) = header.as_ref().and_then(wake_at) {
                self.free.insert((wake_at, passed.1.clone()));
            }
            self.leased.pop_first();
        }
    }
}

impl Index {
    /// Answers when the last append to anything open was decided.
    pub(crate) fn latest(&self) -> UnixMillis {
        let times = self.open.values().map(|kept| kept.updated_at());
        times.max().unwrap_or(UnixMillis(0))
    }

    pub(crate) fn get(&self, gid: &Gid) -> Option<Open> {
        self.open.get(gid).map(|kept| kept.open(gid))
    }

    pub(crate) fn put(&mut self, open: &Open) {
        self.remove(&open.header.gid);
        self.agenda.insert(&open.header);
        let kept = Box::new(Kept::new(open));
        self.open.insert(open.header.gid.clone(), kept);
    }

    pub(crate) fn remove(&mut self, gid: &Gid) {
        if let Some(kept) = self.open.remove(gid) {
            self.agenda.remove(&kept.open(gid).header);
        }
    }

    /// Marks that an append is being written, so that no claim comes between its judgement and its end.
    pub(crate) fn begin_write(&mut self, gid: &Gid) {
        if let Some(kept) = self.open.get_mut(gid) {
            kept.writing = true;
        }
    }

    /// Takes note of an append that was not written after all.
    pub(crate) fn cancel_write(&mut self, gid: &Gid) {
        if let Some(kept) = self.open.get_mut(gid) {
            kept.writing = false;
        }
    }

    /// Takes note of a written append. A lease that was renewed meanwhile stays renewed.
    pub(crate) fn end_write(&mut self, append: &Append, mut header: Header, bytes: usize) {
        let before = self.get(&header.gid);
        match append.lease {
            LeaseChange::Keep => {
                header.lease_until = before.as_ref().and_then(|open| open.header.lease_until)
            }
            LeaseChange::Take { .. } | LeaseChange::Release => {}
        }
        let first = match append.chunk {
            Chunk::Add(_) => before.map_or(header.revision, |open| open.first),
            Chunk::Replace(_) => header.revision,
        };
        if header.status.is_final() {
            self.remove(&header.gid);
        } else {
            self.put(&Open::new(header, first, bytes));
        }
    }

    /// Leases out what is due. The token rises in memory alone: every append stores the token under which it was made,
    /// and each start has tokens of its own, whatever was appended under those of earlier ones: see `starts.rs`.
    pub(crate) fn claim(
        &mut self,
        owner: Owner,
        lasts: Duration,
        limit: ClaimLimit,
        now: UnixMillis,
    ) -> Vec<Open> {
        self.agenda.free_passed(&self.open, now);
        let mut bytes = 0;
        let mut due = Vec::new();
        for (_, gid) in self.agenda.free.iter().take_while(|(at, _)| *at <= now) {
            if due.len() >= limit.count || bytes >= limit.bytes {
                break;
            }
            if let Some(kept) = self.open.get(gid).filter(|kept| !kept.writing) {
                let open = kept.open(gid);
                bytes += open.bytes;
                due.push(open);
            }
        }
        for open in &mut due {
            open.header.token = FencingToken(open.header.token.0 + 1);
            open.header.owner = Some(owner);
            open.header.lease_until = Some(now.plus(lasts));
            self.put(open);
        }
        due
    }

    /// Prolongs a lease. An append that is being written goes on.
    pub(crate) fn renew(
        &mut self,
        gid: &Gid,
        token: FencingToken,
        lasts: Duration,
        now: UnixMillis,
    ) -> Held {
        let Some(kept) = self.open.get_mut(gid) else {
            return Held::Lost;
        };
        let mut open = kept.open(gid);
        if open.header.token != token || open.header.lease_until.is_none() {
            return Held::Lost;
        }
        self.agenda.remove(&open.header);
        open.header.lease_until = Some(now.plus(lasts));
        self.agenda.insert(&open.header);
        let writing = kept.writing;
        **kept = Kept::new(&open);
        kept.writing = writing;
        Held::Renewed(open.header.revision)
    }
}
