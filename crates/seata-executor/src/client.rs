//! Pooled connections over HTTP/1.1 and HTTP/2. One attempt per request.

use std::sync::OnceLock;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::{Client, Error};
use hyper_util::rt::{TokioExecutor, TokioTimer};

use crate::executor::ExecutorConfig;

type Plain = Client<HttpConnector, Full<Bytes>>;
type Secure = Client<HttpsConnector<HttpConnector>, Full<Bytes>>;

pub(crate) struct Clients {
    config: ExecutorConfig,
    plain: Plain,
    /// Made at the first call over TLS: most servers never need it, and the roots take memory.
    secure: OnceLock<Result<Secure, String>>,
}

/// Why a call got no answer.
pub(crate) enum Failed {
    /// The client can't make it.
    Unable(String),
    /// It was tried.
    Call(Error),
}

impl Clients {
    pub(crate) fn new(config: ExecutorConfig) -> Self {
        let plain = builder(&config).build(connector(&config));
        Self {
            config,
            plain,
            secure: OnceLock::new(),
        }
    }

    pub(crate) async fn plain(
        &self,
        request: Request<Full<Bytes>>,
    ) -> Result<Response<Incoming>, Failed> {
        self.plain.request(request).await.map_err(Failed::Call)
    }

    pub(crate) async fn secure(
        &self,
        request: Request<Full<Bytes>>,
    ) -> Result<Response<Incoming>, Failed> {
        let secure = self.secure.get_or_init(|| secure(&self.config));
        let client = secure.as_ref().map_err(|why| Failed::Unable(why.clone()))?;
        client.request(request).await.map_err(Failed::Call)
    }
}

fn builder(config: &ExecutorConfig) -> hyper_util::client::legacy::Builder {
    let mut builder = Client::builder(TokioExecutor::new());
    builder
        .pool_timer(TokioTimer::new())
        .timer(TokioTimer::new())
        .pool_idle_timeout(config.pool_idle_timeout)
        .pool_max_idle_per_host(config.calls_per_destination_max)
        // A request that a closing connection never took is sent once more on a fresh one: it was not delivered, so
        // that is no second attempt. hyper-util does this only when hyper says that nothing was written.
        .retry_canceled_requests(true)
        .http2_adaptive_window(true);
    builder
}

fn connector(config: &ExecutorConfig) -> HttpConnector {
    let mut connector = HttpConnector::new();
    connector.set_nodelay(true);
    connector.set_connect_timeout(Some(config.connect_timeout));
    connector.set_keepalive(Some(Duration::from_secs(60)));
    connector.enforce_http(false);
    connector
}

fn secure(config: &ExecutorConfig) -> Result<Secure, String> {
    let mut roots = rustls::RootCertStore::empty();
    let native = rustls_native_certs::load_native_certs();
    let (added, _) = roots.add_parsable_certificates(native.certs);
    if added == 0 {
        return Err("no certificate authorities on this machine: install ca-certificates, or set SSL_CERT_FILE".into());
    }
    let provider = std::sync::Arc::new(rustls::crypto::ring::default_provider());
    let tls = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?
        .with_root_certificates(roots)
        .with_no_client_auth();
    let https = HttpsConnectorBuilder::new()
        .with_tls_config(tls)
        .https_only()
        .enable_all_versions()
        .wrap_connector(connector(config));
    Ok(builder(config).build(https))
}
