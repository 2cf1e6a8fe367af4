//! Pooled connections over TLS and over HTTP/2, by hyper-util's client. A request is delivered once at most; redirects are
//! not followed.

use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::{Builder, Client};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use tokio::sync::OnceCell;

use crate::config::ExecutorConfig;
use crate::connector::{Bounded, tcp};
use crate::names::Names;
use crate::{silence, tls};

/// The most bytes of an answer that one connection holds unread: its head, or one stream's window.
const ANSWER_BUFFER_BYTES_MAX: u32 = 64 * 1024;
/// The same for all streams of one HTTP/2 connection.
const CONNECTION_WINDOW_BYTES: u32 = 1024 * 1024;
/// An HTTP/2 connection with calls on it that answers no ping for this long is given up, once as long after it fell
/// silent: else all calls to its host would wait on it in vain until the system gives it up.
const PING_AFTER: Duration = Duration::from_secs(5);

type Plain = Client<Bounded<HttpConnector<Names>>, Full<Bytes>>;
type Secure = Client<Bounded<HttpsConnector<HttpConnector<Names>>>, Full<Bytes>>;

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
        let connector = Bounded::new(tcp(config, names), config.connect_timeout);
        Self(builder(config, Spoken::Http2).build(connector))
    }

    /// Sends a request and awaits the head of its answer.
    ///
    /// # Errors
    /// Says for a person why no answer came. Whether the participant got the request is then unknown.
    pub(crate) async fn send(
        &self,
        request: Request<Full<Bytes>>,
    ) -> Result<Response<Incoming>, String> {
        let sent = self.0.request(request).await;
        sent.map_err(|error| silence::describe(&error))
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

    /// Sends a request and awaits the head of its answer.
    ///
    /// # Errors
    /// Says for a person why no answer came. Whether the participant got the request is then unknown.
    pub(crate) async fn send(
        &self,
        request: Request<Full<Bytes>>,
    ) -> Result<Response<Incoming>, String> {
        let secure = || secure(&self.config, self.names.clone(), self.spoken);
        let client = self.client.get_or_try_init(secure).await?;
        let sent = client.request(request).await;
        sent.map_err(|error| silence::describe(&error))
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
    Ok(builder(config, spoken).build(Bounded::new(https, config.connect_timeout)))
}
