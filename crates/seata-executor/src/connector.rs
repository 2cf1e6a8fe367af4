//! Makes connections, each within one limit for all that it takes: the lookup of the name, TCP and TLS.
//!
//! Of calls over HTTP/2 to one host, one connects and all others wait for it; and hyper-util finishes connections that no
//! call wants any more. Without a limit, a peer that falls silent in between would hold up its host, or hold a socket.

use std::error::Error;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use http::Uri;
use hyper_util::client::legacy::connect::HttpConnector;
use tokio::time::timeout;
use tower::Service;

use crate::config::ExecutorConfig;
use crate::names::Names;

type BoxError = Box<dyn Error + Send + Sync>;

/// Connects over TCP. Its own limit is shared out between the addresses of a name, so that one that doesn't answer leaves
/// time to the next.
pub(crate) fn tcp(config: &ExecutorConfig, names: Names) -> HttpConnector<Names> {
    let mut connector = HttpConnector::new_with_resolver(names);
    connector.set_nodelay(true);
    connector.set_connect_timeout(Some(config.connect_timeout));
    connector.enforce_http(false);
    connector
}

/// Connects within a limit.
#[derive(Clone)]
pub(crate) struct Bounded<C> {
    connector: C,
    limit: Duration,
    given_up: GivenUp,
}

impl<C> Bounded<C> {
    pub(crate) fn new(connector: C, limit: Duration) -> Self {
        Self {
            connector,
            limit,
            given_up: GivenUp::default(),
        }
    }

    /// Counts for this connector and all its clones.
    pub(crate) fn given_up(&self) -> GivenUp {
        self.given_up.clone()
    }
}

impl<C> Service<Uri> for Bounded<C>
where
    C: Service<Uri, Error: Into<BoxError>, Future: Send + 'static>,
{
    type Response = C::Response;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<C::Response, BoxError>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.connector.poll_ready(context).map_err(Into::into)
    }

    fn call(&mut self, to: Uri) -> Self::Future {
        let connecting = timeout(self.limit, self.connector.call(to));
        let begun = Begun(Some(self.given_up()));
        Box::pin(async move {
            let ended = connecting.await;
            begun.end();
            match ended {
                Ok(connected) => connected.map_err(Into::into),
                Err(_) => Err(io::Error::from(io::ErrorKind::TimedOut).into()),
            }
        })
    }
}

/// Counts connections, to whatever host, that were given up before they came about or failed. hyper-util drops such a connection first, and
/// then tells those who wait for it.
#[derive(Clone, Default)]
pub(crate) struct GivenUp(Arc<AtomicUsize>);

impl GivenUp {
    pub(crate) fn count(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

/// A connection under way. If it is dropped before its end, it was given up.
struct Begun(Option<GivenUp>);

impl Begun {
    fn end(mut self) {
        self.0 = None;
    }
}

impl Drop for Begun {
    fn drop(&mut self) {
        if let Some(given_up) = &self.0 {
            given_up.0.fetch_add(1, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use std::sync::Mutex;
    use std::sync::mpsc::channel;

    use tower::ServiceExt;

    use super::*;
    use crate::silence;

    #[tokio::test]
    async fn a_lookup_that_hangs_ends_with_the_limit() {
        let (release, released) = channel::<()>();
        let released = Mutex::new(released);
        let names = Names::by(move |_| {
            // An error once the sender is gone.
            let _ = released.lock().unwrap().recv();
            Ok(Vec::new().into_iter())
        });
        let config = ExecutorConfig {
            connect_timeout: Duration::from_millis(50),
            ..ExecutorConfig::default()
        };
        let connector = Bounded::new(tcp(&config, names), config.connect_timeout);
        let connecting = connector.oneshot(Uri::from_static("http://slow/"));
        let ended = timeout(Duration::from_secs(20), connecting).await;
        drop(release);
        let error = ended.unwrap().unwrap_err();
        assert_eq!(silence::of_connecting(&*error), "no connection in time");
    }
}
