//! A hotel, an airline and a bank: what services that take part in a saga look like from outside.

use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::Result;
use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpListener;

/// What the customer has in the bank.
const BALANCE: u64 = 1_000;

pub(super) struct Participants {
    address: SocketAddr,
}

impl Participants {
    /// Starts them on any free port; they end with the runtime.
    pub(super) async fn start() -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        drop(tokio::spawn(serve(listener)));
        Ok(Self { address })
    }

    pub(super) fn url(&self, who: &str, what: &str) -> String {
        format!("http://{}/{who}/{what}", self.address)
    }
}

async fn serve(listener: TcpListener) {
    let was_busy = Arc::new(AtomicBool::new(false));
    while let Ok((stream, _)) = listener.accept().await {
        let was_busy = Arc::clone(&was_busy);
        let service = service_fn(move |request| answer(request, Arc::clone(&was_busy)));
        let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
        drop(tokio::spawn(connection));
    }
}

async fn answer(
    request: Request<Incoming>,
    was_busy: Arc<AtomicBool>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let path = request.uri().path().to_owned();
    let (status, text) = match path.as_str() {
        "/bank/charge" if amount(request).await > BALANCE => {
            (StatusCode::CONFLICT, "the balance is too low")
        }
        "/airline/book" if !was_busy.swap(true, Ordering::Relaxed) => {
            (StatusCode::SERVICE_UNAVAILABLE, "busy, try again")
        }
        _ => (StatusCode::OK, "done"),
    };
    let mut response = Response::new(Full::from(text));
    *response.status_mut() = status;
    Ok(response)
}

/// Reads the payload that the saga was submitted with.
async fn amount(request: Request<Incoming>) -> u64 {
    let Ok(body) = request.into_body().collect().await else {
        return u64::MAX;
    };
    let payload: Value = serde_json::from_slice(&body.to_bytes()).unwrap_or_default();
    payload["amount"].as_u64().unwrap_or(u64::MAX)
}
