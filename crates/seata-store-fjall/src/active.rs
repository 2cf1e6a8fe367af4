//! A transaction of which something is in the log alone, or whose lease somebody holds: whole in memory but for what
//! the table of open ones has of its history.

use bytes::Bytes;
use seata_store::{Chunk, Header, LeaseChange, Revision, UnixMillis};

/// What an active transaction takes beside the bytes of its chunks, about.
pub(crate) const OVERHEAD_BYTES: usize = 400;

/// Revisions without a gap, whose chunks stand in the table of open ones. One row there may have several of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) first: Revision,
    pub(crate) last: Revision,
}

impl Span {
    fn revisions(self) -> impl Iterator<Item = Revision> + use<> {
        (self.first.0..=self.last.0).map(Revision)
    }
}

#[derive(Debug, Clone)]
pub(crate) struct Active {
    pub(crate) header: Header,
    /// The oldest revision whose chunk is part of the history.
    first: Revision,
    /// What the table of open ones has. None: it is not listed there either.
    settled: Option<Span>,
    /// The chunks of the newest revisions, which only the log has. Of one that has ended: the whole history.
    tail: Vec<Bytes>,
    tail_bytes: usize,
    /// The bytes of the history.
    bytes: usize,
}

impl Active {
    /// A new one.
    pub(crate) fn created(header: Header, chunk: &Chunk) -> Self {
        let bytes = chunk.bytes().len();
        Self {
            first: header.revision,
            header,
            settled: None,
            tail: vec![chunk.bytes().clone()],
            tail_bytes: bytes,
            bytes,
        }
    }

    /// One that waited: the table of open ones has all of it.
    pub(crate) const fn woken(header: Header, settled: Span, bytes: usize) -> Self {
        Self {
            header,
            first: settled.first,
            settled: Some(settled),
            tail: Vec::new(),
            tail_bytes: 0,
            bytes,
        }
    }

    /// Takes note of an append. `before`: what the table of open ones has of the history, if this ends it.
    pub(crate) fn follow(&mut self, header: Header, chunk: &Chunk, before: Vec<Bytes>) {
        if let Chunk::Replace(_) = chunk {
            self.first = header.revision;
            self.tail.clear();
            (self.tail_bytes, self.bytes) = (0, 0);
        }
        if header.status.is_final() {
            self.tail_bytes += before.iter().map(Bytes::len).sum::<usize>();
            self.tail.splice(0..0, before);
        }
        self.header = header;
        self.tail.push(chunk.bytes().clone());
        self.tail_bytes += chunk.bytes().len();
        self.bytes += chunk.bytes().len();
    }

    /// Takes note that the tables have all that `moved` says.
    pub(crate) fn settle(&mut self, moved: &Self) {
        self.settled = Some(moved.span());
        if !self.header.status.is_final() {
            let newer = self.header.revision.0 - moved.header.revision.0;
            let newer = usize::try_from(newer).unwrap_or(usize::MAX);
            let old = self.tail.len().saturating_sub(newer);
            let freed: usize = self.tail.drain(..old).map(|chunk| chunk.len()).sum();
            self.tail_bytes -= freed;
        }
    }

    /// Answers the revisions that make up the history.
    pub(crate) const fn span(&self) -> Span {
        Span {
            first: self.first,
            last: self.header.revision,
        }
    }

    pub(crate) const fn settled(&self) -> Option<Span> {
        self.settled
    }

    /// Answers what the table of open ones has of the history, beyond what `tail` has.
    pub(crate) fn history_settled(&self) -> Option<Span> {
        let settled = self.settled.filter(|_| !self.header.status.is_final())?;
        let first = settled.first.max(self.first);
        (first <= settled.last).then_some(Span { first, ..settled })
    }

    /// Answers the revisions that the table of open ones may have rows of, and that no longer belong there.
    pub(crate) fn superseded(&self) -> impl Iterator<Item = Revision> + use<> {
        let kept_from = if self.header.status.is_final() {
            Revision(u64::MAX)
        } else {
            self.first
        };
        let settled = self.settled.into_iter().flat_map(Span::revisions);
        settled.take_while(move |revision| *revision < kept_from)
    }

    /// Answers what is only in the log, and of one that has ended the whole history.
    pub(crate) fn tail(&self) -> &[Bytes] {
        &self.tail
    }

    /// Answers the first revision of the tail, for one that is open.
    pub(crate) fn tail_since(&self) -> Revision {
        let count = u64::try_from(self.tail.len()).unwrap_or(u64::MAX);
        Revision((self.header.revision.0 + 1).saturating_sub(count))
    }

    pub(crate) const fn bytes(&self) -> usize {
        self.bytes
    }

    /// Answers how much memory is to be won by settling it.
    pub(crate) const fn unsettled_bytes(&self) -> usize {
        if self.tail.is_empty() {
            0
        } else {
            OVERHEAD_BYTES + self.tail_bytes
        }
    }

    /// Answers whether settling it changes anything.
    pub(crate) const fn can_settle(&self) -> bool {
        !self.tail.is_empty() || self.header.lease_until.is_none()
    }

    /// Answers when it may be claimed; none: never as it stands.
    pub(crate) fn due_at(&self) -> Option<UnixMillis> {
        let wake_at = wake_at(&self.header)?;
        Some(
            self.header
                .lease_until
                .map_or(wake_at, |until| until.max(wake_at)),
        )
    }
}

pub(crate) fn wake_at(header: &Header) -> Option<UnixMillis> {
    header.wake_at.filter(|_| !header.status.is_final())
}

/// Answers until when the lease holds after an append. One that was renewed while it was written stays renewed.
pub(crate) fn lease_after(
    change: LeaseChange,
    judged: Option<UnixMillis>,
    present: Option<UnixMillis>,
) -> Option<UnixMillis> {
    match change {
        LeaseChange::Keep => present,
        LeaseChange::Take { .. } | LeaseChange::Release => judged,
    }
}
