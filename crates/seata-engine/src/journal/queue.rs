//! What waits to be appended, and what is under way: no gid twice.

use std::collections::{HashSet, VecDeque};
use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};
use std::time::Duration;

use seata_store::{Append, StoreLimits};
use tokio::sync::oneshot;

use crate::journal::Appended;

/// One append and where its answer goes.
pub(super) struct Item {
    pub(super) append: Append,
    /// Its gid's hash: should two gids have the same, one waits for the other.
    pub(super) key: u64,
    pub(super) reply: oneshot::Sender<Appended>,
    /// The boot time since which it waits.
    pub(super) since: Duration,
}

impl Item {
    pub(super) fn new(append: Append, reply: oneshot::Sender<Appended>, since: Duration) -> Self {
        // No random seed: what the key decides is decided again in the same way.
        let key = BuildHasherDefault::<DefaultHasher>::default().hash_one(&append.gid);
        Self {
            append,
            key,
            reply,
            since,
        }
    }
}

/// What is to be appended. A driver has one append under way, but a claim that is given back, or a transaction that is set
/// aside, has another beside it, and the store is promised that no gid is under way twice.
#[derive(Default)]
pub(super) struct Queue {
    pub(super) waiting: VecDeque<Item>,
    /// Those of gids that are under way: they go on in front of the others when a batch is back.
    pub(super) held_up: VecDeque<Item>,
    /// The keys of what is under way.
    under_way: HashSet<u64, BuildHasherDefault<DefaultHasher>>,
}

impl Queue {
    /// Takes a batch, in order. Empty if all that waits is held up.
    pub(super) fn take(&mut self, limits: StoreLimits) -> Vec<Item> {
        let mut batch = Vec::with_capacity(self.waiting.len().min(limits.batch_count_max));
        let mut bytes = 0;
        while batch.len() < limits.batch_count_max
            && let Some(item) = self.waiting.pop_front()
        {
            let with_it = bytes + item.append.chunk.bytes().len();
            if !batch.is_empty() && with_it > limits.batch_bytes_max {
                self.waiting.push_front(item);
                break;
            }
            if self.under_way.insert(item.key) {
                bytes = with_it;
                batch.push(item);
            } else {
                self.held_up.push_back(item);
            }
        }
        batch
    }

    /// Takes note that a batch is back.
    pub(super) fn came_back(&mut self, keys: impl Iterator<Item = u64>) {
        for key in keys {
            self.under_way.remove(&key);
        }
        while let Some(item) = self.held_up.pop_back() {
            self.waiting.push_front(item);
        }
    }
}
