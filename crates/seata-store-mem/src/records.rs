//! The records and their indexes. Everything is ordered, so that equal runs give equal answers.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::ops::Bound;
use std::time::Duration;

use bytes::Bytes;
use seata_core::planted::{self, Planted};
use seata_store::{
    Append, AppendOutcome, Chunk, ClaimLimit, FencingToken, Gid, Header, Held, ListQuery, Owner,
    Page, Refusal, SCAN_MAX, StoreError, StoreErrorKind, Stored, UnixMillis,
};

/// Where a record stands in list order: newest first, then by gid.
type ListKey = (Reverse<UnixMillis>, Gid);

#[derive(Debug, Default)]
pub(crate) struct Records {
    by_gid: BTreeMap<Gid, Stored>,
    /// Open records that somebody must look at, by wake-up.
    wake: BTreeSet<(UnixMillis, Gid)>,
    listed: BTreeSet<ListKey>,
    /// Where the next purge goes on.
    purged_to: Option<ListKey>,
}

impl Records {
    pub(crate) fn append(
        &mut self,
        append: Append,
        now: UnixMillis,
        bytes_max: usize,
    ) -> Result<AppendOutcome, StoreError> {
        let present = self.by_gid.get(&append.gid);
        let header = match judge(&append, present.map(|stored| &stored.header), now) {
            Ok(header) => header,
            Err(Refusal::Stale) => return Ok(AppendOutcome::Stale),
            Err(Refusal::Fenced) => return Ok(AppendOutcome::Fenced),
            Err(Refusal::Exists) => {
                return present.map_or(Ok(AppendOutcome::Stale), |stored| {
                    Ok(AppendOutcome::Exists(Box::new(stored.clone())))
                });
            }
        };
        if present.is_some_and(|stored| stored.header.status.is_final()) {
            let why = "the transaction has ended: it never moves again";
            return Err(StoreError::new(StoreErrorKind::Invalid, "appending", why));
        }
        let kept = match append.chunk {
            Chunk::Add(_) => present.map_or(0, |stored| stored.chunks.iter().map(Bytes::len).sum()),
            Chunk::Replace(_) => 0,
        };
        if kept + append.chunk.bytes().len() > bytes_max {
            let why = format!("the history would have more than {bytes_max} bytes");
            return Err(StoreError::new(StoreErrorKind::Invalid, "appending", why));
        }
        let revision = header.revision;
        let mut chunks = self
            .remove(&append.gid)
            .map_or_else(Vec::new, |stored| stored.chunks);
        match append.chunk {
            Chunk::Add(bytes) if bytes.is_empty() => {}
            Chunk::Add(bytes) => chunks.push(bytes),
            Chunk::Replace(bytes) => chunks = vec![bytes],
        }
        self.insert(Stored { header, chunks });
        Ok(AppendOutcome::Applied(revision))
    }

    fn insert(&mut self, stored: Stored) {
        let header = &stored.header;
        if let Some(wake_at) = header.wake_at.filter(|_| !header.status.is_final()) {
            self.wake.insert((wake_at, header.gid.clone()));
        }
        self.listed
            .insert((Reverse(header.created_at), header.gid.clone()));
        self.by_gid.insert(header.gid.clone(), stored);
    }

    fn remove(&mut self, gid: &Gid) -> Option<Stored> {
        let stored = self.by_gid.remove(gid)?;
        if let Some(wake_at) = stored.header.wake_at {
            self.wake.remove(&(wake_at, gid.clone()));
        }
        self.listed
            .remove(&(Reverse(stored.header.created_at), gid.clone()));
        Some(stored)
    }

    pub(crate) fn load(&self, gid: &Gid) -> Option<Stored> {
        self.by_gid.get(gid).cloned()
    }

    pub(crate) fn claim_due(
        &mut self,
        owner: Owner,
        lasts: Duration,
        limit: ClaimLimit,
        now: UnixMillis,
    ) -> Vec<Stored> {
        let mut claimed = Vec::new();
        let mut bytes = 0;
        for (_, gid) in self.wake.iter().take_while(|(wake_at, _)| *wake_at <= now) {
            if claimed.len() >= limit.count || bytes >= limit.bytes {
                break;
            }
            let Some(stored) = self.by_gid.get_mut(gid) else {
                continue;
            };
            if stored.header.is_leased(now) && !planted::is(Planted::ClaimIgnoresLease) {
                continue;
            }
            stored.header.token = FencingToken(stored.header.token.0 + 1);
            stored.header.owner = Some(owner);
            stored.header.lease_until = Some(now.plus(lasts));
            bytes += stored.chunks.iter().map(Bytes::len).sum::<usize>();
            claimed.push(stored.clone());
        }
        claimed
    }

    pub(crate) fn renew(
        &mut self,
        held: &[(Gid, FencingToken)],
        lasts: Duration,
        now: UnixMillis,
    ) -> Vec<Held> {
        held.iter()
            .map(|(gid, token)| self.renew_one(gid, *token, lasts, now))
            .collect()
    }

    fn renew_one(
        &mut self,
        gid: &Gid,
        token: FencingToken,
        lasts: Duration,
        now: UnixMillis,
    ) -> Held {
        let Some(stored) = self.by_gid.get_mut(gid) else {
            return Held::Lost;
        };
        let header = &mut stored.header;
        if header.token != token || header.lease_until.is_none() || header.status.is_final() {
            return Held::Lost;
        }
        header.lease_until = Some(now.plus(lasts));
        Held::Renewed(header.revision)
    }

    pub(crate) fn list(&self, query: &ListQuery) -> Page<Header> {
        let headers = self
            .listed
            .iter()
            .filter_map(|(_, gid)| self.by_gid.get(gid))
            .map(|stored| &stored.header);
        let behind = headers.filter(|header| {
            query
                .behind
                .as_ref()
                .is_none_or(|cursor| cursor.is_before(header))
        });
        let cloned = behind.map(|header| Ok::<_, Infallible>(header.clone()));
        let Ok(page) = Page::of(query, cloned);
        page
    }

    /// Looks at a bounded number, from where the last purge ended: old open transactions hold up none. Behind the last one
    /// that is old enough to have ended it begins anew.
    pub(crate) fn purge(&mut self, ended_before: UnixMillis, limit: usize) -> usize {
        let newer_than = self
            .purged_to
            .take()
            .map_or(Bound::Unbounded, Bound::Excluded);
        let mut old = Vec::new();
        let older_first = self.listed.range((Bound::Unbounded, newer_than)).rev();
        for (scanned, key) in older_first.enumerate() {
            if old.len() == limit || scanned == SCAN_MAX {
                break;
            }
            if key.0.0 >= ended_before {
                self.purged_to = None;
                break;
            }
            let header = self.by_gid.get(&key.1).map(|stored| &stored.header);
            old.extend(
                header
                    .filter(|header| match header.status.is_final() {
                        true => header.updated_at < ended_before,
                        false => planted::is(Planted::PurgeTakesOpen),
                    })
                    .map(|header| header.gid.clone()),
            );
            self.purged_to = Some(key.clone());
        }
        old.iter().filter(|gid| self.remove(gid).is_some()).count()
    }

    /// Answers all headers, by gid.
    pub(crate) fn headers(&self) -> Vec<Header> {
        self.by_gid
            .values()
            .map(|stored| stored.header.clone())
            .collect()
    }
}

/// The rule of the contract, unless a planted bug breaks it.
fn judge(append: &Append, present: Option<&Header>, now: UnixMillis) -> Result<Header, Refusal> {
    use seata_store::Expected;
    let mut bent = append.clone();
    if let (Expected::At { revision, token }, Some(header)) = (append.expected, present) {
        let revision = if planted::is(Planted::StaleRevisionAccepted) {
            header.revision
        } else {
            revision
        };
        let (revision, token) = match planted::is(Planted::TokenIgnored) {
            true => (header.revision, header.token),
            false => (revision, token),
        };
        bent.expected = Expected::At { revision, token };
    }
    bent.judge(present, now)
}
