//! The thread that moves what the log says, while appends go on.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread::JoinHandle;

use crate::store::Inner;

/// Sleeps until it is woken. Dropped, it has ended: nothing holds the folder any more.
pub(crate) struct Settler {
    bell: Option<SyncSender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Settler {
    pub(crate) fn start(inner: &Arc<Inner>) -> io::Result<Self> {
        let (bell, woken) = sync_channel(1);
        let inner = Arc::clone(inner);
        let work = move || {
            for () in woken {
                // Woken while it worked, it may have moved that already.
                if !inner.is_much_unsettled() {
                    continue;
                }
                match catch_unwind(AssertUnwindSafe(|| inner.settle())) {
                    Ok(Ok(())) => {}
                    Ok(Err(error)) => tracing::error!(%error, "what the log says can't be moved"),
                    Err(_) => inner.fatal("moving what the log says panicked"),
                }
            }
        };
        let thread = std::thread::Builder::new()
            .name("settler".to_owned())
            .spawn(work)?;
        Ok(Self {
            bell: Some(bell),
            thread: Some(thread),
        })
    }

    /// Wakes it. If it works, it works once more.
    pub(crate) fn wake(&self) {
        if let Some(bell) = &self.bell {
            // Full: it was woken already.
            let _woken = bell.try_send(());
        }
    }
}

impl Drop for Settler {
    fn drop(&mut self) {
        self.bell = None;
        if let Some(thread) = self.thread.take() {
            // What panics in it is told there.
            drop(thread.join());
        }
    }
}
