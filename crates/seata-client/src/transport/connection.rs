//! Pooled connections over HTTP/1.1, and HTTP/2 where a TLS peer offers it. It knows nothing of what is sent.

use std::error::Error as _;
use std::fmt::Display;
use std::iter::successors;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::{Body, Frame, Incoming};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use tokio::time::timeout;

use crate::error::Error;

/// Below what servers keep an idle connection.
const POOL_IDLE_TIMEOUT: Duration = Duration::from_secs(4);

/// How long a body may say nothing: three of the signs of life that a server gives in a stream every 15 s. A peer that is
/// gone without a word would be waited for else without end.
const SILENCE_MAX: Duration = Duration::from_secs(45);

type Plain = legacy::Client<HttpConnector, Full<Bytes>>;
type Secure = legacy::Client<HttpsConnector<HttpConnector>, Full<Bytes>>;

/// An answer, read to its end.
pub(crate) struct Answered {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

/// The connections of one user. Clones share them.
#[derive(Clone)]
pub(crate) struct Connections {
    plain: Plain,
    secure: Arc<OnceLock<Result<Secure, String>>>,
    connect_timeout: Duration,
}

impl Connections {
    pub(crate) fn new(connect_timeout: Duration) -> Self {
        Self {
            plain: builder().build(connector(connect_timeout)),
            secure: Arc::default(),
            connect_timeout,
        }
    }

    /// Sends a request and reads its answer, both within the limit.
    pub(crate) async fn exchange(
        &self,
        request: Request<Full<Bytes>>,
        limit: Duration,
        bytes_max: usize,
    ) -> Result<Answered, Error> {
        let exchanged = timeout(limit, async {
            let (head, body) = self.begin(request).await?.into_parts();
            Ok(Answered {
                status: head.status,
                headers: head.headers,
                body: read(body, bytes_max).await?,
            })
        });
        exchanged.await.unwrap_or_else(|_| Err(too_slow(limit)))
    }

    /// Sends a request and awaits the head of its answer within the limit; its body may take as long as it likes.
    pub(crate) async fn open(
        &self,
        request: Request<Full<Bytes>>,
        limit: Duration,
    ) -> Result<Response<Incoming>, Error> {
        let opened = timeout(limit, self.begin(request)).await;
        opened.unwrap_or_else(|_| Err(too_slow(limit)))
    }

    async fn begin(&self, request: Request<Full<Bytes>>) -> Result<Response<Incoming>, Error> {
        let sent = if request.uri().scheme() == Some(&http::uri::Scheme::HTTPS) {
            let secure = self.secure.get_or_init(|| secure(self.connect_timeout));
            let secure = secure.as_ref().map_err(|why| Error::Invalid(why.clone()))?;
            secure.request(request)
        } else {
            self.plain.request(request)
        };
        sent.await.map_err(|error| {
            if error.is_connect() {
                Error::Unreachable(deepest(&error))
            } else {
                Error::NoAnswer(deepest(&error))
            }
        })
    }
}

/// Reads a body to its end.
pub(crate) async fn read(mut body: Incoming, bytes_max: usize) -> Result<Bytes, Error> {
    let mut bytes = BytesMut::new();
    while let Some(frame) = next_frame(&mut body).await {
        let frame = frame?;
        if let Some(data) = frame.data_ref() {
            bytes.extend_from_slice(data);
        }
        if bytes.len() > bytes_max {
            return Err(Error::Unreadable(format!(
                "it has more than {bytes_max} bytes"
            )));
        }
    }
    Ok(bytes.freeze())
}

/// Waits for what a body says next; none: that was all.
pub(crate) async fn next_frame<B>(body: &mut B) -> Option<Result<Frame<Bytes>, Error>>
where
    B: Body<Data = Bytes, Error: Display> + Unpin,
{
    let Ok(frame) = timeout(SILENCE_MAX, body.frame()).await else {
        let secs = SILENCE_MAX.as_secs();
        return Some(Err(Error::NoAnswer(format!("silent for {secs} s"))));
    };
    Some(frame?.map_err(|error| Error::NoAnswer(format!("it broke off: {error}"))))
}

fn too_slow(limit: Duration) -> Error {
    Error::NoAnswer(format!("none within {} s", limit.as_secs_f64()))
}

/// Says what lies at the bottom of an error: the layers above only say that something went wrong.
fn deepest(error: &legacy::Error) -> String {
    let deepest = successors(error.source(), |cause| (*cause).source()).last();
    deepest.map_or_else(|| error.to_string(), ToString::to_string)
}

fn builder() -> legacy::Builder {
    let mut builder = legacy::Client::builder(TokioExecutor::new());
    builder
        .pool_timer(TokioTimer::new())
        .timer(TokioTimer::new())
        .pool_idle_timeout(POOL_IDLE_TIMEOUT);
    builder
}

fn connector(connect_timeout: Duration) -> HttpConnector {
    let mut connector = HttpConnector::new();
    connector.set_nodelay(true);
    connector.set_connect_timeout(Some(connect_timeout));
    connector.enforce_http(false);
    connector
}

fn secure(connect_timeout: Duration) -> Result<Secure, String> {
    let provider = rustls::crypto::ring::default_provider();
    let https = HttpsConnectorBuilder::new()
        .with_provider_and_native_roots(provider)
        .map_err(|error| format!("https can't be used: {error}"))?
        .https_only()
        .enable_all_versions()
        .wrap_connector(connector(connect_timeout));
    Ok(builder().build(https))
}
