//! Streams of HTTP/2 whose client takes nothing.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use futures_util::stream::{StreamExt, iter, pending};
use http::{Request, Response};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio::time::timeout;

use crate::{LONG, server};

/// How long a test waits for what comes at once.
const SOON: Duration = Duration::from_secs(20);

/// A client that takes so many bytes of each stream, until it reads them.
struct Client(http2::SendRequest<Body>);

impl Client {
    async fn connect(at: SocketAddr, window: u32) -> Self {
        let io = TokioIo::new(TcpStream::connect(at).await.unwrap());
        let mut builder = http2::Builder::new(TokioExecutor::new());
        builder.initial_stream_window_size(window);
        let (client, connection) = builder.handshake(io).await.unwrap();
        tokio::spawn(connection);
        Self(client)
    }

    /// Asks, and answers with the head. The server has begun to send the body then.
    async fn ask(&mut self, path: &str) -> Response<Incoming> {
        let request = Request::get(format!("http://x{path}")).body(Body::empty());
        self.0.send_request(request.unwrap()).await.unwrap()
    }
}

/// Lets virtual time pass, with no real one in which a clock that goes on would overtake the sockets.
async fn pass(span: Duration) {
    tokio::time::pause();
    tokio::time::advance(span).await;
    tokio::time::resume();
}

/// Tells when it is dropped, as a watcher's place is given back.
struct Place(Arc<Notify>);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.notify_one();
    }
}

/// Answers with what comes first, and then with nothing, until it is dropped.
fn endless(first: &'static [u8], dropped: &Arc<Notify>) -> Body {
    let place = Place(Arc::clone(dropped));
    let first = iter([Ok::<_, Infallible>(Bytes::from_static(first))]);
    Body::from_stream(first.chain(pending()).inspect(move |_| {
        let _ = &place;
    }))
}

#[tokio::test]
async fn an_answer_that_is_not_taken_whole_is_reset_and_the_connection_goes_on() {
    let server = server(8, LONG).await;
    for window in [0, 1, 3] {
        let mut client = Client::connect(server.at, window).await;
        let answer = client.ask("/fast").await;
        pass(Duration::from_secs(121)).await;
        let reset = timeout(SOON, answer.into_body().collect()).await.unwrap();
        assert!(reset.is_err(), "{window} bytes taken of four");
        assert_eq!(client.ask("/fast").await.status(), 200);
    }
    let mut client = Client::connect(server.at, 4).await;
    let answer = client.ask("/fast").await;
    pass(Duration::from_secs(121)).await;
    let all = timeout(SOON, answer.into_body().collect()).await.unwrap();
    assert_eq!(all.unwrap().to_bytes(), "fast");
}

#[tokio::test]
async fn a_stream_that_is_not_taken_gives_its_place_back_and_one_that_is_silent_keeps_it() {
    static MUCH: [u8; 100_000] = [7; 100_000];
    for (first, window) in [(&b"some"[..], 0), (&MUCH[..], 0), (&MUCH[..], 65_535)] {
        let (server, dropped) = (server(8, LONG).await, Arc::new(Notify::new()));
        let mut client = Client::connect(server.at, window).await;
        server.answer_at_stream(endless(first, &dropped));
        let _answer = client.ask("/stream").await;
        pass(Duration::from_secs(121)).await;
        timeout(SOON, dropped.notified()).await.unwrap();
    }
    let (server, dropped) = (server(8, LONG).await, Arc::new(Notify::new()));
    let mut client = Client::connect(server.at, 65_535).await;
    server.answer_at_stream(endless(b"some", &dropped));
    let mut answer = client.ask("/stream").await;
    let some = answer.body_mut().frame().await.unwrap().unwrap();
    pass(Duration::from_secs(121)).await;
    // Whatever the clock did to the first stream would be done before the second one is answered.
    assert_eq!(client.ask("/fast").await.status(), 200);
    assert!(timeout(Duration::ZERO, dropped.notified()).await.is_err());
    drop((some, answer));
    timeout(SOON, dropped.notified()).await.unwrap();
}
