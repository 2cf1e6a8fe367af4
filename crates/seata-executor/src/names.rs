//! Looks up the names of hosts, within bounds.
//!
//! The system's lookup holds a thread for as long as it likes, also when its call has long been given up, and these
//! threads are the runtime's, on which a store waits for its disk. Without a bound, name servers that don't answer would
//! stop all transactions, not only those that need them.

use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::vec;

use hyper_util::client::legacy::connect::dns::Name;
use tokio::task::spawn_blocking;
use tower::Service;

use crate::slots::Slots;

/// The most lookups at once: a quarter of the threads that the runtime has for what blocks.
const LOOKUPS_MAX: usize = 128;

/// The same for one name, so that one that hangs holds up few others.
const LOOKUPS_PER_NAME_MAX: usize = 16;

type LookUp = dyn Fn(&str) -> io::Result<vec::IntoIter<SocketAddr>> + Send + Sync;

/// Looks up names. Clones share their bounds.
#[derive(Clone)]
pub(crate) struct Names {
    slots: Arc<Slots>,
    look_up: Arc<LookUp>,
}

impl Names {
    /// Asks the system.
    pub(crate) fn of_system() -> Self {
        Self::by(|name| (name, 0).to_socket_addrs())
    }

    /// Asks this function.
    pub(crate) fn by(
        look_up: impl Fn(&str) -> io::Result<vec::IntoIter<SocketAddr>> + Send + Sync + 'static,
    ) -> Self {
        Self {
            slots: Arc::new(Slots::new(LOOKUPS_MAX, LOOKUPS_PER_NAME_MAX)),
            look_up: Arc::new(look_up),
        }
    }
}

impl Service<Name> for Names {
    type Response = vec::IntoIter<SocketAddr>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Self::Response>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, name: Name) -> Self::Future {
        let Self { slots, look_up } = self.clone();
        Box::pin(async move {
            let permits = slots.take(name.as_str()).await;
            let looked_up = spawn_blocking(move || {
                let found = look_up(name.as_str());
                // Only now: whoever asked may have given up, but the thread was held.
                drop(permits);
                found
            });
            looked_up.await.map_err(io::Error::other)?
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use std::sync::Mutex;
    use std::sync::mpsc::channel;
    use std::time::Duration;

    use futures_util::FutureExt;
    use tokio::runtime::Builder;
    use tokio::task::unconstrained;
    use tokio::time::timeout;

    use super::*;

    /// A deadline for what takes no time unless it takes for ever.
    const SOON: Duration = Duration::from_secs(10);

    /// Begins a lookup and gives it up. Unconstrained: else tokio would hold the later ones of many back.
    fn begin(names: &mut Names, name: &str) {
        let looking = unconstrained(names.call(name.parse().unwrap()));
        assert!(looking.now_or_never().is_none());
    }

    #[test]
    fn lookups_that_hang_leave_threads_to_others_also_when_they_were_given_up() {
        let runtime = Builder::new_current_thread()
            .max_blocking_threads(LOOKUPS_MAX + 1)
            .enable_time()
            .build()
            .unwrap();
        let (release, released) = channel::<()>();
        let released = Mutex::new(released);
        let mut names = Names::by(move |_| {
            // An error once the sender is gone: then all go on.
            let _ = released.lock().unwrap().recv();
            Ok(Vec::new().into_iter())
        });
        runtime.block_on(async {
            for n in 0..2 * LOOKUPS_MAX {
                begin(&mut names, &format!("host-{}", n % 50));
            }
            let other = timeout(SOON, spawn_blocking(|| ())).await;
            drop(release);
            assert!(other.is_ok(), "all threads are held");
        });
    }

    #[tokio::test]
    async fn one_name_that_hangs_holds_up_no_other() {
        let (release, released) = channel::<()>();
        let released = Mutex::new(released);
        let mut names = Names::by(move |name| {
            if name == "slow" {
                let _ = released.lock().unwrap().recv();
            }
            Ok(vec![SocketAddr::from(([127, 0, 0, 1], 0))].into_iter())
        });
        for _ in 0..2 * LOOKUPS_MAX {
            begin(&mut names, "slow");
        }
        let found = timeout(SOON, names.call("fast".parse().unwrap())).await;
        drop(release);
        assert_eq!(found.unwrap().unwrap().count(), 1);
    }
}
