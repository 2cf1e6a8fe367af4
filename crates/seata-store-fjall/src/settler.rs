//! The thread that moves what the log says, while appends go on.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::store::Inner;

/// How often it looks by itself: what could not be written out behind a merge is when that is done, and whoever would have
/// woken it may have been given up.
const GLANCE: Duration = Duration::from_secs(1);

/// Sleeps until it is woken, or for a while. Dropped, it has ended: nothing holds the folder any more.
pub(crate) struct Settler {
    bell: Option<SyncSender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Settler {
    pub(crate) fn start(inner: &Arc<Inner>) -> io::Result<Self> {
        let (bell, woken) = sync_channel(1);
        let inner = Arc::clone(inner);
        let work = move || {
            while let Ok(()) | Err(RecvTimeoutError::Timeout) = woken.recv_timeout(GLANCE) {
                match catch_unwind(AssertUnwindSafe(|| inner.tidy())) {
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
