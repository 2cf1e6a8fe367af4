//! The active transactions of this process: at most one driver per gid.

use std::collections::HashMap;
use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use seata_core::Gid;

use crate::mailbox::{Delivery, Handle, Message};

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
}

/// What became of a message.
pub(crate) enum Posted {
    /// A driver has it.
    Delivered,
    /// There was no driver: this new one must be run.
    New(Arc<Handle>),
    /// There was no driver, and no room for another.
    Full,
}

impl Registry {
    pub(crate) fn new(count_max: usize) -> Self {
        Self {
            shards: std::array::from_fn(|_| Mutex::default()),
            count: AtomicUsize::new(0),
            count_max,
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
            },
            None => (message, 0),
        };
        if self.len() - replaced >= self.limit(&message) {
            return Posted::Full;
        }
        let handle = Arc::new(Handle::new(message));
        shard.insert(gid.clone(), Arc::clone(&handle));
        self.count.fetch_add(1 - replaced, Ordering::Relaxed);
        Posted::New(handle)
    }

    /// Answers how many drivers there may be before this message finds no room for another.
    fn limit(&self, message: &Message) -> usize {
        match message {
            Message::Ask(_) => self.count_max - self.count_max / DUE_SHARE,
            Message::Claimed { .. } | Message::Look | Message::Stop { .. } => self.count_max,
        }
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
}
