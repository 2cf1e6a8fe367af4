//! Participants on port 0 that note what reaches them.

use std::error::Error;
use std::future::Future;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, Uri, Version};
use http_body_util::{BodyExt, Full};
use hyper::body::{Body, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// A request as it came.
#[derive(Debug, Clone)]
pub(crate) struct Received {
    pub(crate) method: Method,
    pub(crate) uri: Uri,
    pub(crate) version: Version,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

#[derive(Default)]
pub(crate) struct Notes {
    connections: AtomicUsize,
    received: Mutex<Vec<Received>>,
}

impl Notes {
    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    pub(crate) fn connected(&self) {
        self.connections.fetch_add(1, Ordering::SeqCst);
    }

    pub(crate) fn received(&self) -> Vec<Received> {
        self.received.lock().unwrap().clone()
    }
}

/// The body of an answer.
pub(crate) trait Answered:
    Body<Data = Bytes, Error: Into<Box<dyn Error + Send + Sync>>> + Send + 'static
{
}

impl<B> Answered for B where
    B: Body<Data = Bytes, Error: Into<Box<dyn Error + Send + Sync>>> + Send + 'static
{
}

#[derive(Clone)]
pub(crate) struct Participant {
    address: SocketAddr,
    pub(crate) notes: Arc<Notes>,
}

impl Participant {
    pub(crate) fn url(&self) -> String {
        format!("http://{}/do?it=1", self.address)
    }

    pub(crate) fn grpc(&self) -> String {
        format!("grpc://{}/bank.v1.Account/Debit", self.address)
    }

    /// Answers every request as told.
    pub(crate) async fn answering<F, Fut, B>(answer: F) -> Self
    where
        F: Fn(Received) -> Fut + Clone + Send + Sync + 'static,
        Fut: Future<Output = Response<B>> + Send + 'static,
        B: Answered,
    {
        Self::on_streams(move |stream, notes| serve(stream, notes, answer.clone())).await
    }

    /// Answers every request alike.
    pub(crate) async fn always(status: u16, body: impl Into<Bytes>) -> Self {
        let body = body.into();
        Self::answering(move |_| std::future::ready(answer(status, body.clone()))).await
    }

    /// Answers the requests of a connection with these bytes, one after the other; then closes it.
    pub(crate) async fn writing(answers: &'static [&'static str]) -> Self {
        Self::on_streams(move |mut stream, notes| async move {
            for answer in answers {
                note_head(&mut stream, &notes).await;
                stream.write_all(answer.as_bytes()).await.unwrap();
            }
            note_head(&mut stream, &notes).await;
        })
        .await
    }

    pub(crate) async fn on_streams<F, Fut>(connected: F) -> Self
    where
        F: Fn(TcpStream, Arc<Notes>) -> Fut + Send + 'static,
        Fut: Future<Output = ()> + Send + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let notes = Arc::new(Notes::default());
        let noted = Arc::clone(&notes);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                noted.connected();
                tokio::spawn(connected(stream, Arc::clone(&noted)));
            }
        });
        Self { address, notes }
    }

    pub(crate) fn port(&self) -> u16 {
        self.address.port()
    }
}

pub(crate) fn answer(status: u16, body: impl Into<Bytes>) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body.into()));
    *response.status_mut() = status.try_into().unwrap();
    response
}

/// Serves one connection, over HTTP/1.1 or HTTP/2 as the caller begins it.
pub(crate) async fn serve<S, F, Fut, B>(stream: S, notes: Arc<Notes>, answer: F)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    F: Fn(Received) -> Fut + Clone + Send + Sync + 'static,
    Fut: Future<Output = Response<B>> + Send,
    B: Answered,
{
    let service = service_fn(|request: Request<Incoming>| {
        let (answer, notes) = (answer.clone(), Arc::clone(&notes));
        async move {
            let (head, body) = request.into_parts();
            let received = Received {
                method: head.method,
                uri: head.uri,
                version: head.version,
                headers: head.headers,
                body: body.collect().await?.to_bytes(),
            };
            notes.received.lock().unwrap().push(received.clone());
            Ok::<_, hyper::Error>(answer(received).await)
        }
    });
    // A caller that goes away is part of the tests.
    let _ = auto::Builder::new(TokioExecutor::new())
        .serve_connection(TokioIo::new(stream), service)
        .await;
}

/// Reads a request without a body and notes that it came; or finds the connection closed.
pub(crate) async fn note_head(stream: &mut TcpStream, notes: &Notes) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let Ok(byte) = stream.read_u8().await else {
            return;
        };
        head.push(byte);
    }
    notes.received.lock().unwrap().push(Received {
        method: Method::POST,
        uri: Uri::default(),
        version: Version::HTTP_11,
        headers: HeaderMap::new(),
        body: Bytes::from(head),
    });
}
