//! The server loop on real sockets.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::routing::get;
use http::{Request, StatusCode, Version};
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use seata_http::{ServeConfig, Stop, serve};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, oneshot};
use tokio::task::JoinHandle;

mod streams;

struct Server {
    at: SocketAddr,
    stop: oneshot::Sender<()>,
    /// Ends the time in which whoever comes is told that it stops.
    gone: oneshot::Sender<()>,
    ended: JoinHandle<()>,
    /// Lets `/slow` answer.
    go: Arc<Notify>,
    /// Is told when `/slow` was asked.
    asked: Arc<Notify>,
    /// What `/stream` answers next.
    stream: Arc<Mutex<Body>>,
}

impl Server {
    fn answer_at_stream(&self, body: Body) {
        *self.stream.lock().unwrap() = body;
    }
}

async fn server(connections_max: usize, drain: Duration) -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = listener.local_addr().unwrap();
    let (go, asked) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (wait, tell) = (Arc::clone(&go), Arc::clone(&asked));
    let stream = Arc::new(Mutex::new(Body::empty()));
    let streamed = Arc::clone(&stream);
    let router = Router::new()
        .route(
            "/stream",
            get(async move || std::mem::take(&mut *streamed.lock().unwrap())),
        )
        .route("/fast", get(async || "fast"))
        .route("/health", get(async || "healthy"))
        .route(
            "/slow",
            get(move || async move {
                tell.notify_one();
                wait.notified().await;
                "slow"
            }),
        );
    let (stop, stopped) = oneshot::channel();
    let config = ServeConfig {
        connections_max,
        drain,
    };
    let (gone, over) = oneshot::channel();
    let stops = Stop {
        asked: async {
            let _ = stopped.await;
        },
        gone: async {
            let _ = over.await;
        },
    };
    let ended = tokio::spawn(serve(listener, router, config, stops));
    Server {
        at,
        stop,
        gone,
        ended,
        go,
        asked,
        stream,
    }
}

const LONG: Duration = Duration::from_secs(60);

async fn connect(server: &Server, path: &str) -> TcpStream {
    let mut stream = TcpStream::connect(server.at).await.unwrap();
    ask(&mut stream, path).await;
    stream
}

async fn ask(stream: &mut TcpStream, path: &str) {
    let head = format!("GET {path} HTTP/1.1\r\nhost: x\r\n\r\n");
    stream.write_all(head.as_bytes()).await.unwrap();
}

/// Reads until the text came, or the connection ended.
async fn read_until(stream: &mut TcpStream, end: &str) -> String {
    let mut read = String::new();
    let mut buffer = [0; 1024];
    while !read.contains(end) {
        match stream.read(&mut buffer).await.unwrap() {
            0 => break,
            bytes => read.push_str(std::str::from_utf8(&buffer[..bytes]).unwrap()),
        }
    }
    read
}

#[tokio::test]
async fn a_connection_is_kept_for_the_next_request() {
    let server = server(8, LONG).await;
    let mut stream = connect(&server, "/fast").await;
    assert!(
        read_until(&mut stream, "fast")
            .await
            .starts_with("HTTP/1.1 200")
    );
    ask(&mut stream, "/fast").await;
    assert!(read_until(&mut stream, "fast").await.ends_with("fast"));
}

#[tokio::test]
async fn a_request_in_progress_is_finished_when_the_server_stops() {
    let server = server(8, LONG).await;
    let mut idle = connect(&server, "/fast").await;
    read_until(&mut idle, "fast").await;
    let mut slow = connect(&server, "/slow").await;
    server.asked.notified().await;
    server.stop.send(()).unwrap();
    assert_eq!(
        read_until(&mut idle, "never").await,
        "",
        "an idle connection is closed"
    );
    server.go.notify_one();
    assert!(read_until(&mut slow, "slow").await.ends_with("slow"));
    drop(server.gone);
    server.ended.await.unwrap();
    assert!(TcpStream::connect(server.at).await.is_err());
}

#[tokio::test]
async fn a_request_that_takes_longer_than_the_drain_is_dropped() {
    let server = server(8, Duration::ZERO).await;
    let mut slow = connect(&server, "/slow").await;
    server.asked.notified().await;
    server.stop.send(()).unwrap();
    drop(server.gone);
    server.ended.await.unwrap();
    assert_eq!(read_until(&mut slow, "slow").await, "");
}

#[tokio::test]
async fn who_comes_while_the_server_stops_is_told_so_and_health_still_answers() {
    let server = server(1, LONG).await;
    let mut idle = connect(&server, "/fast").await;
    read_until(&mut idle, "fast").await;
    server.stop.send(()).unwrap();
    assert_eq!(read_until(&mut idle, "never").await, "");
    let mut late = TcpStream::connect(server.at).await.unwrap();
    ask(&mut late, "/fast").await;
    let answer = read_until(&mut late, "never").await;
    assert!(answer.starts_with("HTTP/1.1 503"), "{answer}");
    assert!(
        answer.contains("retry-after: 1") && answer.contains("STOPPING"),
        "{answer}"
    );
    let mut health = TcpStream::connect(server.at).await.unwrap();
    ask(&mut health, "/health").await;
    assert!(read_until(&mut health, "never").await.ends_with("healthy"));
    drop(server.gone);
    server.ended.await.unwrap();
    assert!(TcpStream::connect(server.at).await.is_err());
}

#[tokio::test]
async fn clients_beyond_the_bound_are_told_so_while_health_still_answers() {
    let server = server(1, LONG).await;
    let mut slow = connect(&server, "/slow").await;
    server.asked.notified().await;
    let mut refused = connect(&server, "/fast").await;
    let answer = read_until(&mut refused, "never").await;
    assert!(answer.starts_with("HTTP/1.1 429"), "{answer}");
    assert!(
        answer.contains("retry-after: 1") && answer.contains("OVERLOADED"),
        "{answer}"
    );
    let mut health = connect(&server, "/health").await;
    assert!(read_until(&mut health, "never").await.ends_with("healthy"));
    server.go.notify_one();
    read_until(&mut slow, "slow").await;
    drop(slow);
    loop {
        let mut next = connect(&server, "/fast").await;
        if read_until(&mut next, "fast")
            .await
            .starts_with("HTTP/1.1 200")
        {
            break;
        }
    }
}

#[tokio::test]
async fn a_client_that_was_turned_away_gets_the_place_of_one_who_keeps_his_connection() {
    let server = server(1, LONG).await;
    let mut first = connect(&server, "/fast").await;
    let kept = read_until(&mut first, "fast").await;
    assert!(!kept.contains("connection: close"), "{kept}");
    let mut second = connect(&server, "/fast").await;
    let refused = read_until(&mut second, "never").await;
    assert!(refused.starts_with("HTTP/1.1 429"), "{refused}");
    // It still is answered, and then makes room.
    ask(&mut first, "/fast").await;
    let last = read_until(&mut first, "fast").await;
    assert!(last.starts_with("HTTP/1.1 200"), "{last}");
    assert!(last.contains("connection: close"), "{last}");
    loop {
        let mut second = connect(&server, "/fast").await;
        let answer = read_until(&mut second, "fast").await;
        if answer.starts_with("HTTP/1.1 200") {
            break;
        }
    }
}

#[tokio::test]
async fn bytes_that_are_no_http_end_their_connection_and_nothing_else() {
    let server = server(8, LONG).await;
    for nonsense in [
        &b"\x00\xff\xff\r\n\r\n"[..],
        b"GET\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\nnonsense",
    ] {
        let mut stream = TcpStream::connect(server.at).await.unwrap();
        stream.write_all(nonsense).await.unwrap();
        let mut rest = Vec::new();
        let _ = stream.read_to_end(&mut rest).await;
    }
    let mut stream = connect(&server, "/fast").await;
    assert!(read_until(&mut stream, "fast").await.ends_with("fast"));
}

#[tokio::test]
async fn http_2_is_served_on_the_same_port_and_drained_like_the_other() {
    let server = server(8, LONG).await;
    let stream = TcpStream::connect(server.at).await.unwrap();
    let io = TokioIo::new(stream);
    let (mut client, connection) = http2::handshake(TokioExecutor::new(), io).await.unwrap();
    let ended = tokio::spawn(connection);
    let mut ask = |path: &str| {
        let request = Request::get(format!("http://x{path}")).body(Body::empty());
        client.send_request(request.unwrap())
    };
    let slow = tokio::spawn(ask("/slow"));
    server.asked.notified().await;
    assert_eq!(ask("/fast").await.unwrap().status(), 200);
    server.stop.send(()).unwrap();
    server.go.notify_one();
    let answered = slow.await.unwrap().unwrap();
    assert_eq!(
        (answered.status(), answered.version()),
        (StatusCode::OK, Version::HTTP_2)
    );
    drop(answered);
    drop(client);
    drop(server.gone);
    server.ended.await.unwrap();
    let _ = ended.await;
}

#[tokio::test]
async fn a_client_that_is_turned_away_while_it_sends_reads_that_it_was() {
    let server = server(1, LONG).await;
    let _slow = connect(&server, "/slow").await;
    server.asked.notified().await;
    let mut refused = TcpStream::connect(server.at).await.unwrap();
    let body = vec![b' '; 4 << 20];
    let head = format!(
        "POST /fast HTTP/1.1\r\nhost: x\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    refused.write_all(head.as_bytes()).await.unwrap();
    refused.write_all(&body).await.unwrap();
    let answer = read_until(&mut refused, "never").await;
    assert!(answer.starts_with("HTTP/1.1 429"), "{answer}");
}
