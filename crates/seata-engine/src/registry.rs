//! The active transactions of this process: at most one driver per gid.

use std::collections::HashMap;
use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use seata_core::Gid;

use crate::admission::{MEMORY, QUESTIONS};
use crate::config::Config;
use crate::mailbox::{Delivery, Handle, Message};
use crate::weight::Scale;

const SHARDS: usize = 16;

/// The part of the room that requests leave to due work, so that a flood of them can't hold it up: one in so many.
const DUE_SHARE: usize = 8;

/// Hashes without a random seed: gids are looked up, and no order of the map decides anything.
type Map = HashMap<Gid, Arc<Handle>, BuildHasherDefault<DefaultHasher>>;

/// Finds drivers by gid.
pub(crate) struct Registry {
    shards: [Mutex<Map>; SHARDS],
    count: AtomicUsize,
    count_max: usize,
    /// Invariant: every handle lies on it until its driver has ended.
    scale: Scale,
    bytes_max: usize,
    questions_max: usize,
}

/// How many drivers there may be, and how many bytes they may hold.
struct Room {
    count: usize,
    bytes: usize,
}

impl Room {
    /// Answers whether so many bytes find room beside those that are there. What is alone always does.
    const fn takes(&self, present: usize, bytes: usize) -> bool {
        present == 0 || present.saturating_add(bytes) <= self.bytes
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
    pub(crate) fn new(config: &Config, scale: Scale) -> Self {
        Self {
            shards: std::array::from_fn(|_| Mutex::default()),
            count: AtomicUsize::new(0),
            count_max: config.active_max,
            scale,
            bytes_max: config.active_bytes_max,
            questions_max: config.questions_max,
        }
    }

    fn shard(&self, gid: &Gid) -> MutexGuard<'_, Map> {
        let hash = BuildHasherDefault::<DefaultHasher>::default().hash_one(gid);
        let at = usize::try_from(hash % SHARDS as u64).unwrap_or(0);
        self.shards[at]
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives a message to the driver of this gid, or makes the handle of a new one.
    pub(crate) fn post(&self, gid: &Gid, message: Message) -> Posted {
        let mut shard = self.shard(gid);
        let (message, replaced) = match shard.get(gid) {
            Some(handle) => match handle.send(message) {
                Delivery::Taken => return Posted::Delivered,
                Delivery::Closed(message) => (message, 1),
                Delivery::Crowded => return Posted::Full(QUESTIONS),
            },
            None => (message, 0),
        };
        let bytes = message.bytes();
        let room = self.room_for(&message);
        if self.len() - replaced >= room.count || !room.takes(self.scale.bytes(), bytes) {
            return Posted::Full(MEMORY);
        }
        let handle = Arc::new(Handle::new(
            message,
            self.scale.put(bytes),
            self.questions_max,
        ));
        shard.insert(gid.clone(), Arc::clone(&handle));
        self.count.fetch_add(1 - replaced, Ordering::Relaxed);
        Posted::New(handle)
    }

    /// Answers how much there may be before this message finds no room for another driver.
    fn room_for(&self, message: &Message) -> Room {
        match message {
            Message::Ask(_) => self.room_for_requests(),
            Message::Claimed { .. } | Message::Look | Message::Stop { .. } => Room {
                count: self.count_max,
                bytes: self.bytes_max,
            },
        }
    }

    const fn room_for_requests(&self) -> Room {
        Room {
            count: self.count_max - self.count_max / DUE_SHARE,
            bytes: self.bytes_max - self.bytes_max / DUE_SHARE,
        }
    }

    /// Answers whether a request may add so many bytes to what is in memory.
    pub(crate) fn takes_content(&self, bytes: usize) -> bool {
        self.room_for_requests().takes(self.scale.bytes(), bytes)
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
            self.count.fetch_sub(1, Ordering::Relaxed);
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
        self.count.load(Ordering::Relaxed)
    }

    /// Answers how many more drivers there may be.
    pub(crate) fn room(&self) -> usize {
        self.count_max.saturating_sub(self.len())
    }

    /// Answers how many more bytes they may hold.
    pub(crate) fn bytes_room(&self) -> usize {
        self.bytes_max.saturating_sub(self.scale.bytes())
    }
}
