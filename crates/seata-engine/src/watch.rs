//! The stream of changes that watchers and waiting clients follow.

use seata_core::{Gid, Mode, Status};
use seata_store::Revision;
use tokio::sync::broadcast;

/// A transaction was appended to by this process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Which.
    pub gid: Gid,
    /// Its pattern.
    pub mode: Mode,
    /// Its state from now on.
    pub status: Status,
    /// The append.
    pub revision: Revision,
    /// The number of its last event.
    pub last_event: u32,
}

/// The watcher fell behind the bounded ring and lost so many changes; what follows is complete again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0} changes were dropped for a slow watcher")]
pub struct Lagged(pub u64);

/// One watcher's place in the stream.
#[derive(Debug)]
pub struct Changes {
    pub(crate) receiver: broadcast::Receiver<Change>,
}

impl Changes {
    /// Waits for the next change. `None`: the engine has stopped.
    ///
    /// # Errors
    /// The watcher was too slow.
    pub async fn next(&mut self) -> Option<Result<Change, Lagged>> {
        match self.receiver.recv().await {
            Ok(change) => Some(Ok(change)),
            Err(broadcast::error::RecvError::Lagged(count)) => Some(Err(Lagged(count))),
            Err(broadcast::error::RecvError::Closed) => None,
        }
    }
}
