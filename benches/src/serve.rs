//! What the stub and the null coordinator share: a bare server of either wire on a free port that says where it listens.

use std::convert::Infallible;
use std::io::Write;
use std::net::Ipv4Addr;

use anyhow::{Context, Result};
use http::{Request, Response};
use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpListener;

use crate::wire::{AnswerBody, Wire};

/// More than any coordinator has on one connection.
const STREAMS_MAX: u32 = 10_000;

/// Serves for ever.
///
/// # Errors
/// It can't listen.
pub(crate) async fn serve<H, F>(wire: Wire, handler: H) -> Result<()>
where
    H: Fn(Request<Incoming>) -> F + Clone + Send + 'static,
    F: Future<Output = Response<AnswerBody>> + Send + 'static,
{
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await;
    let listener = listener.context("listening on a free port")?;
    let address = listener.local_addr().context("asking for the port")?;
    writeln!(std::io::stdout(), "listening on http://{address}").context("saying the port")?;
    loop {
        let (stream, _) = listener.accept().await.context("accepting")?;
        stream.set_nodelay(true).context("setting nodelay")?;
        let handler = handler.clone();
        let service = service_fn(move |request| {
            let answer = handler(request);
            async move { Ok::<_, Infallible>(answer.await) }
        });
        let io = TokioIo::new(stream);
        // A connection that breaks is seen by whoever counts the answers.
        match wire {
            Wire::Http => {
                tokio::spawn(http1::Builder::new().serve_connection(io, service));
            }
            Wire::Grpc => {
                let mut builder = http2::Builder::new(TokioExecutor::new());
                builder.max_concurrent_streams(STREAMS_MAX);
                tokio::spawn(builder.serve_connection(io, service));
            }
        }
    }
}
