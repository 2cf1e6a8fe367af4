//! The active transactions of this process: at most one driver per gid.

use std::collections::HashMap;
use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use seata_core::Gid;
use seata_store::Revision;

use crate::admission::{MEMORY, QUESTIONS};
use crate::config::Config;
use crate::mailbox::{Delivery, Handle, Message};
use crate::weight::Scale;

const SHARDS: usize = 16;

/// The part of the room that requests leave to due work, and due work to requests, so that a flood of one can't hold up
/// the other: one in so many.
const OTHERS_SHARE: usize = 8;

/// Hashes without a random seed: gids are looked up, and no order of the map decides anything.
type Map<V> = HashMap<Gid, V, BuildHasherDefault<DefaultHasher>>;

/// Finds drivers by gid.
pub(crate) struct Registry {
    shards: [Mutex<Map<Arc<Handle>>>; SHARDS],
    asked: Part,
    due: Part,
    max: Room,
    questions_max: usize,
    departed: Departed,
}

/// What drivers knew that ended while a claim is on its way: it may bring what was there before. As many as end in the time
/// that the engine gives a claim.
#[derive(Default)]
struct Departed {
    is_claiming: AtomicBool,
    knew: Mutex<Map<Revision>>,
}

impl Departed {
    fn knew(&self) -> MutexGuard<'_, Map<Revision>> {
        self.knew.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a driver was made for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Origin {
    /// A request.
    Asked,
    /// Due work that was claimed.
    Due,
}

/// The drivers of one origin.
struct Part {
    count: AtomicUsize,
    /// Invariant: every handle lies on it until its driver has ended.
    scale: Scale,
}

impl Part {
    fn new(scale: Scale) -> Self {
        Self {
            count: AtomicUsize::new(0),
            scale,
        }
    }

    fn count(&self) -> usize {
        self.count.load(Ordering::Relaxed)
    }
}

/// How many drivers there are or may be, and how many bytes they hold.
#[derive(Clone, Copy)]
pub(crate) struct Room {
    pub(crate) count: usize,
    pub(crate) bytes: usize,
}

impl Room {
    /// Answers what is left of all when so many shares are left to others.
    const fn less(self, shares: usize) -> Self {
        Self {
            count: self.count - self.count / OTHERS_SHARE * shares,
            bytes: self.bytes - self.bytes / OTHERS_SHARE * shares,
        }
    }

    const fn beside(self, taken: Self) -> Self {
        Self {
            count: self.count.saturating_sub(taken.count),
            bytes: self.bytes.saturating_sub(taken.bytes),
        }
    }

    fn or_less(self, other: Self) -> Self {
        Self {
            count: self.count.min(other.count),
            bytes: self.bytes.min(other.bytes),
        }
    }
}

/// What became of a message.
pub(crate) enum Posted {
    /// A driver has it.
    Delivered,
    /// There was no driver: this new one must be run.
    New(Arc<Handle>),
    /// There was no driver and no room for another, or too much waits for the one that there is.
    Full(&'static str),
}

impl Registry {
    /// Makes one whose drivers are weighed on these scales.
    pub(crate) fn new(config: &Config, scale: impl Fn() -> Scale) -> Self {
        Self {
            shards: std::array::from_fn(|_| Mutex::default()),
            asked: Part::new(scale()),
            due: Part::new(scale()),
            max: Room {
                count: config.active_max,
                bytes: config.active_bytes_max,
            },
            questions_max: config.questions_max,
            departed: Departed::default(),
        }
    }

    /// Begins a claim: what drivers know when they end is kept until it ends.
    pub(crate) fn begin_claim(&self) {
        self.departed.is_claiming.store(true, Ordering::SeqCst);
    }

    /// Ends a claim, once what it brought has been posted.
    pub(crate) fn end_claim(&self) {
        self.departed.is_claiming.store(false, Ordering::SeqCst);
        *self.departed.knew() = Map::default();
    }

    const fn part(&self, origin: Origin) -> &Part {
        match origin {
            Origin::Asked => &self.asked,
            Origin::Due => &self.due,
        }
    }

    fn shard(&self, gid: &Gid) -> MutexGuard<'_, Map<Arc<Handle>>> {
        let hash = BuildHasherDefault::<DefaultHasher>::default().hash_one(gid);
        let at = usize::try_from(hash % SHARDS as u64).unwrap_or(0);
        self.shards[at]
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives a message to the driver of this gid, or makes the handle of a new one.
    pub(crate) fn post(&self, gid: &Gid, message: Message) -> Posted {
        let mut shard = self.shard(gid);
        let (message, ended) = match shard.get(gid) {
            Some(handle) => match handle.send(message) {
                Delivery::Taken => return Posted::Delivered,
                Delivery::Closed(message) => (message, Some(Arc::clone(handle))),
                Delivery::Crowded => return Posted::Full(QUESTIONS),
            },
            None => (message, None),
        };
        if let Some(ended) = &ended {
            self.depart(gid, ended);
        }
        let bytes = message.bytes();
        let origin = message.origin();
        // The place of a driver that has ended is this one's.
        let left = self.room(origin);
        let alone = self.bytes() == 0;
        if left.count + usize::from(ended.is_some()) == 0 || (bytes > left.bytes && !alone) {
            return Posted::Full(MEMORY);
        }
        let part = self.part(origin);
        let weight = part.scale.put(bytes);
        let handle = Arc::new(Handle::new(message, weight, self.questions_max));
        if let Some(revision) = self.departed.knew().get(gid) {
            handle.saw(*revision);
        }
        shard.insert(gid.clone(), Arc::clone(&handle));
        part.count.fetch_add(1, Ordering::Relaxed);
        if let Some(ended) = ended {
            self.part(ended.origin)
                .count
                .fetch_sub(1, Ordering::Relaxed);
        }
        Posted::New(handle)
    }

    /// Answers how much more of this origin finds room. Requests end at seven eighths of all, and due work at six: so
    /// each has an eighth that the other can't take.
    pub(crate) fn room(&self, origin: Origin) -> Room {
        let taken = Room {
            count: self.len(),
            bytes: self.bytes(),
        };
        match origin {
            Origin::Asked => self.max.less(1).beside(taken),
            Origin::Due => self.own_room_of_due().or_less(self.max.beside(taken)),
        }
    }

    /// One that is larger than the part of due work must find its turn as well: it does when it is alone there.
    fn own_room_of_due(&self) -> Room {
        let due = Room {
            count: self.due.count(),
            bytes: self.due.scale.bytes(),
        };
        let own = self.max.less(2).beside(due);
        Room {
            bytes: if due.bytes == 0 {
                self.max.bytes
            } else {
                own.bytes
            },
            ..own
        }
    }

    /// Answers how many drivers requests may have, if there is nothing else.
    pub(crate) const fn requests_max(&self) -> usize {
        self.max.less(1).count
    }

    /// Answers whether a request may add so many bytes to what is in memory.
    pub(crate) fn takes_content(&self, bytes: usize) -> bool {
        self.bytes() == 0 || bytes <= self.room(Origin::Asked).bytes
    }

    pub(crate) fn get(&self, gid: &Gid) -> Option<Arc<Handle>> {
        self.shard(gid).get(gid).cloned()
    }

    /// Forgets a driver that has ended, unless another took its place.
    pub(crate) fn forget(&self, gid: &Gid, ended: &Arc<Handle>) {
        let mut shard = self.shard(gid);
        if shard
            .get(gid)
            .is_some_and(|handle| Arc::ptr_eq(handle, ended))
        {
            shard.remove(gid);
            self.depart(gid, ended);
            let part = self.part(ended.origin);
            part.count.fetch_sub(1, Ordering::Relaxed);
        }
    }

    fn depart(&self, gid: &Gid, ended: &Handle) {
        if self.departed.is_claiming.load(Ordering::SeqCst) {
            let mut knew = self.departed.knew();
            let known = knew.entry(gid.clone()).or_insert(Revision(0));
            *known = (*known).max(ended.revision());
        }
    }

    /// Answers all drivers, in the order of their gids.
    pub(crate) fn all(&self) -> Vec<(Gid, Arc<Handle>)> {
        let mut all: Vec<_> = self
            .shards
            .iter()
            .flat_map(|shard| {
                let shard = shard.lock().unwrap_or_else(PoisonError::into_inner);
                shard
                    .iter()
                    .map(|(gid, handle)| (gid.clone(), Arc::clone(handle)))
                    .collect::<Vec<_>>()
            })
            .collect();
        all.sort_unstable_by(|a, b| a.0.cmp(&b.0));
        all
    }

    pub(crate) fn len(&self) -> usize {
        self.asked.count() + self.due.count()
    }

    fn bytes(&self) -> usize {
        self.asked.scale.bytes() + self.due.scale.bytes()
    }
}
