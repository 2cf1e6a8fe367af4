//! Pooled connections over TLS and over HTTP/2, by hyper-util's client. A request is delivered once at most; redirects are
//! not followed.

use std::mem::replace;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::connect::{Connect, HttpConnector};
use hyper_util::client::legacy::{Builder, Client};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use tokio::sync::OnceCell;

use crate::config::ExecutorConfig;
use crate::connector::{Bounded, GivenUp, tcp};
use crate::names::Names;
use crate::{silence, tls};

/// The most bytes of an answer that one connection holds unread: its head, or one stream's window.
const ANSWER_BUFFER_BYTES_MAX: u32 = 64 * 1024;
/// The same for all streams of one HTTP/2 connection.
const CONNECTION_WINDOW_BYTES: u32 = 1024 * 1024;
/// An HTTP/2 connection with calls on it that answers no ping for this long is given up, once as long after it fell
/// silent: else all calls to its host would wait on it in vain until the system gives it up.
const PING_AFTER: Duration = Duration::from_secs(5);

type Plain = Shared<HttpConnector<Names>>;
type Secure = Shared<HttpsConnector<HttpConnector<Names>>>;

/// What is spoken on a connection.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Spoken {
    /// HTTP/1.1, or HTTP/2 if the peer offers it.
    AsOffered,
    /// HTTP/2 from the first byte on, whatever the peer says.
    Http2,
}

/// Connections over HTTP/2 without TLS.
pub(crate) struct Clear(Plain);

impl Clear {
    pub(crate) fn new(config: &ExecutorConfig, names: Names) -> Self {
        Self(Shared::new(config, Spoken::Http2, tcp(config, names)))
    }

    /// Sends what `request` makes and awaits the head of its answer.
    ///
    /// # Errors
    /// Says for a person why no answer came. Whether the participant got the request is then unknown.
    pub(crate) async fn send(
        &self,
        request: impl Fn() -> Result<Request<Full<Bytes>>, String>,
    ) -> Result<Response<Incoming>, String> {
        self.0.send(request).await
    }
}

/// Connections over TLS.
pub(crate) struct Secured {
    config: ExecutorConfig,
    names: Names,
    spoken: Spoken,
    client: OnceCell<Secure>,
}

impl Secured {
    pub(crate) fn new(config: ExecutorConfig, names: Names, spoken: Spoken) -> Self {
        Self {
            config,
            names,
            spoken,
            client: OnceCell::new(),
        }
    }

    /// Sends what `request` makes and awaits the head of its answer.
    ///
    /// # Errors
    /// Says for a person why no answer came. Whether the participant got the request is then unknown.
    pub(crate) async fn send(
        &self,
        request: impl Fn() -> Result<Request<Full<Bytes>>, String>,
    ) -> Result<Response<Incoming>, String> {
        let secure = || secure(&self.config, self.names.clone(), self.spoken);
        let client = self.client.get_or_try_init(secure).await?;
        client.send(request).await
    }
}

/// Connections that calls share.
struct Shared<C> {
    client: Client<Bounded<C>, Full<Bytes>>,
    given_up: GivenUp,
}

impl<C> Shared<C>
where
    C: Clone,
    Bounded<C>: Connect + Send + Sync + 'static,
{
    fn new(config: &ExecutorConfig, spoken: Spoken, connector: C) -> Self {
        let connector = Bounded::new(connector, config.connect_timeout);
        Self {
            given_up: connector.given_up(),
            client: builder(config, spoken).build(connector),
        }
    }

    /// Over HTTP/2, calls wait for a connection that one of them makes. If it comes to nothing, hyper-util fails them
    /// all, though nothing of theirs was sent and perhaps only that one call was given up. So a call that waited begins
    /// again: for each connection that was given up, and once for one that failed. More often for these, a dead peer
    /// would wake all its callers each time to let one of them fail.
    async fn send(
        &self,
        request: impl Fn() -> Result<Request<Full<Bytes>>, String>,
    ) -> Result<Response<Incoming>, String> {
        let mut failed_before = false;
        loop {
            let given_up = self.given_up.count();
            let error = match self.client.request(request()?).await {
                Ok(answer) => return Ok(answer),
                Err(error) => error,
            };
            let again = silence::waited_in_vain(&error)
                && (self.given_up.count() != given_up || !replace(&mut failed_before, true));
            if !again {
                return Err(silence::describe(&error));
            }
        }
    }
}

fn builder(config: &ExecutorConfig, spoken: Spoken) -> Builder {
    let mut builder = Client::builder(TokioExecutor::new());
    builder
        .pool_timer(TokioTimer::new())
        .timer(TokioTimer::new())
        .pool_idle_timeout(config.pool_idle_timeout)
        .http2_only(matches!(spoken, Spoken::Http2))
        .pool_max_idle_per_host(config.calls_in_flight_per_destination_max)
        .http1_max_buf_size(ANSWER_BUFFER_BYTES_MAX as usize)
        .http2_initial_stream_window_size(ANSWER_BUFFER_BYTES_MAX)
        .http2_initial_connection_window_size(CONNECTION_WINDOW_BYTES)
        .http2_keep_alive_interval(PING_AFTER)
        .http2_keep_alive_timeout(PING_AFTER)
        // Not a second attempt: hyper-util sends a request again only if the pooled connection was closed before hyper
        // took the first byte of it, in which case hyper hands the request back untouched, and never on a fresh
        // connection. What was written, even in part, isn't handed back and isn't sent again (P8). Switched off, each
        // connection that a participant closes while idle would cost a call a retry interval.
        .retry_canceled_requests(true);
    builder
}

/// Makes the client for TLS. What fails here is tried again at the next call: it mends without a restart.
async fn secure(config: &ExecutorConfig, names: Names, spoken: Spoken) -> Result<Secure, String> {
    let roots = config.tls_roots.clone();
    let loaded = tokio::task::spawn_blocking(move || tls::load(roots)).await;
    let tls = loaded.map_err(|_| "TLS can't be used: reading the roots failed".to_owned())??;
    let https = HttpsConnectorBuilder::new()
        .with_tls_config(tls)
        .https_only();
    let tcp = tcp(config, names);
    let https = match spoken {
        Spoken::AsOffered => https.enable_all_versions().wrap_connector(tcp),
        Spoken::Http2 => https.enable_http2().wrap_connector(tcp),
    };
    Ok(Shared::new(config, spoken, https))
}
