//! Refusals on real sockets: the answer must reach a client that is still sending.

use std::net::SocketAddr;
use std::time::Duration;

use seata_http::{ServeConfig, Stop, serve};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::world::World;

/// Sends all of the body before it reads, as many clients do.
async fn ask(at: SocketAddr, line: &str, content_type: &str, bytes: usize) -> String {
    let mut stream = TcpStream::connect(at).await.unwrap();
    let head = format!(
        "{line} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-type: {content_type}\r\ncontent-length: {bytes}\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    for _ in 0..bytes / 1024 {
        stream
            .write_all(&[b' '; 1024])
            .await
            .expect("the server takes what is sent");
    }
    let mut answer = String::new();
    stream
        .read_to_string(&mut answer)
        .await
        .expect("an answer, no reset");
    answer
}

#[tokio::test]
async fn a_client_that_sends_too_much_still_reads_why_it_was_refused() {
    let world = World::new().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = listener.local_addr().unwrap();
    let config = ServeConfig {
        connections_max: 8,
        drain: Duration::ZERO,
    };
    let serving = tokio::spawn(serve(
        listener,
        world.api.router(),
        config,
        Stop {
            asked: std::future::pending(),
            gone: std::future::pending(),
        },
    ));
    for (line, content_type, code) in [
        ("POST /api/submit", "application/json", "PAYLOAD_TOO_LARGE"),
        ("POST /api/submit", "text/plain", "UNSUPPORTED_MEDIA_TYPE"),
        (
            "POST /api/tx/a'b/retry",
            "application/json",
            "PAYLOAD_TOO_LARGE",
        ),
        ("POST /nowhere", "application/json", "ROUTE_NOT_FOUND"),
        ("PUT /health", "application/json", "METHOD_NOT_ALLOWED"),
    ] {
        let answer = ask(at, line, content_type, 8 << 20).await;
        assert!(answer.contains(code), "{line}: {answer}");
    }
    serving.abort();
}
