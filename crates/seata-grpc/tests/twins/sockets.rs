//! What gRPC clients are given over sockets: what they don't take is given up, and places go round.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use seata_grpc::ServeConfig;
use seata_proto::v1;
use seata_proto::v1::transaction_service_client::TransactionServiceClient;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;
use tonic::transport::Channel;

use crate::world::World;

/// How long a test waits for what comes at once.
const SOON: Duration = Duration::from_secs(20);

async fn serving(connections_max: usize) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let config = ServeConfig {
        connections_max,
        drain: Duration::ZERO,
    };
    let (world, forever) = (World::new().await, std::future::pending());
    tokio::spawn(seata_grpc::serve(listener, world.grpc, config, forever));
    address
}

/// Lets virtual time pass, with no real one in which a clock that goes on would overtake the sockets.
async fn pass(span: Duration) {
    tokio::time::pause();
    tokio::time::advance(span).await;
    tokio::time::resume();
}

type Raw = http2::SendRequest<Full<Bytes>>;

/// A client that takes so many bytes of each stream, until it reads them.
async fn raw(address: SocketAddr, window: u32) -> Raw {
    let io = TokioIo::new(TcpStream::connect(address).await.unwrap());
    let mut builder = http2::Builder::new(TokioExecutor::new());
    builder.initial_stream_window_size(window);
    let (client, connection) = builder.handshake(io).await.unwrap();
    tokio::spawn(connection);
    client
}

/// Asks with an empty message, and answers with the head. The server has begun to send the body then.
async fn ask(client: &mut Raw, method: &str) -> Response<Incoming> {
    let request = Request::post(format!("http://x/seata.v1.TransactionService/{method}"))
        .header("content-type", "application/grpc")
        .body(Full::new(Bytes::from_static(&[0; 5])));
    client.send_request(request.unwrap()).await.unwrap()
}

#[tokio::test]
async fn an_answer_that_is_not_taken_whole_is_reset_and_the_connection_goes_on() {
    let address = serving(8).await;
    for (method, window) in [("Watch", 0), ("Watch", 9), ("StartGlobal", 0), ("List", 4)] {
        let mut client = raw(address, window).await;
        let answer = ask(&mut client, method).await;
        pass(Duration::from_secs(121)).await;
        let reset = timeout(SOON, answer.into_body().collect()).await.unwrap();
        assert!(reset.is_err(), "{method}, {window} bytes taken");
        assert_eq!(ask(&mut client, method).await.status(), 200);
    }
}

#[tokio::test]
async fn a_watch_that_has_nothing_to_tell_is_kept() {
    let address = serving(8).await;
    let mut client = raw(address, 65_535).await;
    let mut watching = ask(&mut client, "Watch").await.into_body();
    take_message(&mut watching).await;
    pass(Duration::from_secs(121)).await;
    ask(&mut client, "StartGlobal").await;
    take_message(&mut watching).await;
}

/// Takes a message whole: its length stands in four bytes behind the first one.
async fn take_message(body: &mut Incoming) {
    let mut taken = Vec::new();
    while taken.len() < 5
        || taken.len() - 5 < u32::from_be_bytes(taken[1..5].try_into().unwrap()) as usize
    {
        let frame = timeout(SOON, body.frame()).await.unwrap();
        taken.extend_from_slice(&frame.unwrap().unwrap().into_data().unwrap());
    }
}

async fn channel(address: SocketAddr) -> Channel {
    let endpoint = Channel::from_shared(format!("http://{address}")).unwrap();
    endpoint.connect().await.unwrap()
}

async fn start(channel: &Channel) {
    let mut client = TransactionServiceClient::new(channel.clone());
    let started = client.start_global(v1::StartGlobalRequest::default());
    timeout(SOON, started).await.unwrap().unwrap();
}

#[tokio::test]
async fn a_client_that_keeps_the_last_place_leaves_it_to_the_next_and_comes_again() {
    let address = serving(1).await;
    let first = channel(address).await;
    start(&first).await;
    let second = channel(address).await;
    pass(Duration::from_secs(61)).await;
    start(&second).await;
    drop(second);
    start(&first).await;
}

#[tokio::test]
async fn a_connection_is_kept_while_there_are_places() {
    let mut client = raw(serving(2).await, 65_535).await;
    ask(&mut client, "StartGlobal").await;
    pass(Duration::from_secs(61)).await;
    // Whoever is told to leave reads it before the next answer, and asks no more.
    for _ in 0..2 {
        assert_eq!(ask(&mut client, "StartGlobal").await.status(), 200);
    }
}
