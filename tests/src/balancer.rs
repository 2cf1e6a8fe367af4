//! A plain load balancer: each request goes to the next server that is in, whatever it is about.
//!
//! Only a refused connection makes it try the next one: then nothing was sent. Whatever else goes wrong is a 502, and
//! whoever asked must find out. It knows nothing of transactions.

use std::convert::Infallible;
use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, AtomicUsize, Ordering};

use bytes::Bytes;
use http::{Request, Response, StatusCode, Uri};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::client::legacy;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

type Body = UnsyncBoxBody<Bytes, hyper::Error>;

/// One server behind it.
struct Backend {
    port: Arc<AtomicU16>,
    /// Whether requests are sent there. Those under way end with 502 when it goes out.
    is_in: watch::Sender<bool>,
}

struct Shared {
    backends: Vec<Backend>,
    next: AtomicUsize,
    http: legacy::Client<HttpConnector, Full<Bytes>>,
}

/// The balancer. It ends when it is dropped.
pub(crate) struct Balancer {
    port: Arc<AtomicU16>,
    shared: Arc<Shared>,
    listening: JoinHandle<()>,
}

impl Balancer {
    /// Starts one on a free port, before servers on these ports, all of them in.
    pub(crate) async fn start(ports: Vec<Arc<AtomicU16>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let backend = |port| Backend {
            port,
            is_in: watch::Sender::new(true),
        };
        let shared = Arc::new(Shared {
            backends: ports.into_iter().map(backend).collect(),
            next: AtomicUsize::new(0),
            // Each request on a connection of its own: an idle one to a dead server could not be told from a lost request.
            http: legacy::Client::builder(TokioExecutor::new())
                .pool_max_idle_per_host(0)
                .build_http(),
        });
        Self {
            port: Arc::new(AtomicU16::new(listener.local_addr().unwrap().port())),
            listening: tokio::spawn(listen(listener, Arc::clone(&shared))),
            shared,
        }
    }

    pub(crate) fn port(&self) -> Arc<AtomicU16> {
        Arc::clone(&self.port)
    }

    /// Sends requests to this server again.
    pub(crate) fn take_in(&self, index: usize) {
        self.shared.backends[index].is_in.send_replace(true);
    }

    /// Sends no more requests to this server, and gives up on those that are under way there.
    pub(crate) fn take_out(&self, index: usize) {
        self.shared.backends[index].is_in.send_replace(false);
    }
}

impl Drop for Balancer {
    fn drop(&mut self) {
        self.listening.abort();
    }
}

async fn listen(listener: TcpListener, shared: Arc<Shared>) {
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            tokio::task::yield_now().await;
            continue;
        };
        let shared = Arc::clone(&shared);
        let service = service_fn(move |request| forward(Arc::clone(&shared), request));
        tokio::spawn(async move {
            let server = auto::Builder::new(TokioExecutor::new());
            // A client that leaves breaks the connection: nothing to say about it.
            let _ = server.serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

async fn forward(
    shared: Arc<Shared>,
    request: Request<Incoming>,
) -> Result<Response<Body>, Infallible> {
    let (parts, body) = request.into_parts();
    let Ok(body) = body.collect().await else {
        return Ok(bad_gateway("the request broke off"));
    };
    let body = body.to_bytes();
    for _ in 0..shared.backends.len() {
        let at = shared.next.fetch_add(1, Ordering::SeqCst) % shared.backends.len();
        let backend = &shared.backends[at];
        if !*backend.is_in.borrow() {
            continue;
        }
        let port = backend.port.load(Ordering::SeqCst);
        let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
        let uri: Uri = format!("http://127.0.0.1:{port}{path}").parse().unwrap();
        let mut sent = Request::builder().method(parts.method.clone()).uri(uri);
        sent.headers_mut().unwrap().extend(parts.headers.clone());
        let sent = sent.body(Full::new(body.clone())).unwrap();
        let mut is_in = backend.is_in.subscribe();
        let gone = async {
            // A sender that is gone: so is the balancer.
            if is_in.wait_for(|is_in| !is_in).await.is_err() {
                pending::<()>().await;
            }
        };
        let answered = tokio::select! {
            biased;
            answered = shared.http.request(sent) => answered,
            () = gone => return Ok(bad_gateway("the server went out")),
        };
        match answered {
            Ok(response) => return Ok(response.map(BodyExt::boxed_unsync)),
            // Nobody listened there: nothing was sent.
            Err(error) if error.is_connect() => {}
            Err(error) => return Ok(bad_gateway(&format!("{error:?}"))),
        }
    }
    Ok(bad_gateway("no server is in"))
}

fn bad_gateway(why: &str) -> Response<Body> {
    let body = Full::new(Bytes::from(why.to_owned()));
    let body = body.map_err(|never: Infallible| match never {});
    let mut response = Response::new(body.boxed_unsync());
    *response.status_mut() = StatusCode::BAD_GATEWAY;
    response
}
