//! A coordinator on port 0 that answers as told and notes what it was asked.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use seata_client::{Client, ClientConfig, Gid, Repeat};
use serde_json::Value;
use tokio::net::TcpListener;

/// Longer than anything that gets an answer here takes.
pub(crate) const PATIENT: Duration = Duration::from_secs(20);

/// A request as it came.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) headers: HeaderMap,
    /// Null if there was none.
    pub(crate) body: Value,
}

pub(crate) struct Coordinator {
    address: SocketAddr,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl Coordinator {
    /// Answers by what it is asked and how many requests came before.
    pub(crate) async fn answering(
        answer: impl Fn(usize, &Asked) -> Response<Full<Bytes>> + Clone + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let asked: Arc<Mutex<Vec<Asked>>> = Arc::default();
        let notes = Arc::clone(&asked);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (notes, answer) = (Arc::clone(&notes), answer.clone());
                let service = service_fn(move |request| {
                    let (notes, answer) = (Arc::clone(&notes), answer.clone());
                    async move {
                        let asked = read(request).await?;
                        let mut notes = notes.lock().unwrap();
                        let response = answer(notes.len(), &asked);
                        notes.push(asked);
                        Ok::<_, hyper::Error>(response)
                    }
                });
                tokio::spawn(async move {
                    // A client that goes away is part of the tests.
                    let _ = auto::Builder::new(TokioExecutor::new())
                        .serve_connection(TokioIo::new(stream), service)
                        .await;
                });
            }
        });
        Self { address, asked }
    }

    /// Answers every request alike.
    pub(crate) async fn always(status: u16, body: Value) -> Self {
        Self::answering(move |_, _| json(status, &body)).await
    }

    /// Answers a client that pauses shortly.
    pub(crate) fn client(&self) -> Client {
        client(&self.url())
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }

    pub(crate) fn paths(&self) -> Vec<String> {
        let asked = self.asked();
        let paths = asked
            .iter()
            .map(|asked| format!("{} {}", asked.method, asked.path));
        paths.collect()
    }
}

pub(crate) fn client(url: &str) -> Client {
    let config = ClientConfig {
        repeat: Repeat {
            attempts_max: 3,
            pause_first: Duration::from_millis(1),
            pause_max: Duration::from_millis(10),
        },
        ..ClientConfig::default()
    };
    Client::http_with(url, config).unwrap()
}

async fn read(request: Request<Incoming>) -> Result<Asked, hyper::Error> {
    let (head, body) = request.into_parts();
    let bytes = body.collect().await?.to_bytes();
    Ok(Asked {
        method: head.method,
        path: head.uri.to_string(),
        headers: head.headers,
        body: serde_json::from_slice(&bytes).unwrap_or(Value::Null),
    })
}

pub(crate) fn json(status: u16, body: &Value) -> Response<Full<Bytes>> {
    text(status, &body.to_string())
}

pub(crate) fn text(status: u16, body: &str) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(body.to_owned())));
    *response.status_mut() = status.try_into().unwrap();
    response
}

pub(crate) fn gid() -> Gid {
    Gid::parse("order-1").unwrap()
}

/// A transaction as the coordinator shows it.
pub(crate) fn transaction(status: &str) -> Value {
    serde_json::json!({
        "gid": "order-1", "mode": "saga", "status": status, "payload": {"amount": 30},
        "branches": [
            {"branch_id": "stock", "status": "ACTING", "action": "http://a/", "compensation": null, "after": [],
             "operations": [{"operation": "action", "status": "OPEN", "attempts": 3, "last_error": "503",
                             "next_attempt_at": "2030-01-31T12:00:07.201Z"}]}
        ],
        "created_unix": 1896091200, "updated_unix": 1896091203,
        "waiting_for": "branch stock: attempt 4", "a_field_that_is_new": 1
    })
}
