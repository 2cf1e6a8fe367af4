//! What gRPC alone has: streams, health, reflection, and messages that are none.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::stream::{iter, pending};
use http::Request;
use seata_core::{Gid, Outcome};
use seata_grpc::Grpc;
use seata_proto::v1;
use seata_proto::v1::transaction_service_client::TransactionServiceClient;
use seata_proto::v1::watch_response::What;
use seata_service::{ShardHealth, StoreFacts};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tonic::body::Body;
use tonic::{Code, Status};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;
use tower::ServiceExt;

use crate::told::{self, Told};
use crate::world::World;

async fn submitted(gid: &str) -> World {
    let world = World::new().await;
    world.say("http://a/", [(1_000, Outcome::Success)]);
    let branch = json!({"branch_id": "a", "action": "http://a/"});
    let body = json!({"gid": gid, "branches": [branch]});
    assert_eq!(world.http("/api/submit", Some(&body)).await.code(), "");
    world
}

fn watch(gid: &str, behind_event: u32) -> v1::WatchRequest {
    v1::WatchRequest {
        gid: gid.to_owned(),
        behind_event,
        ..v1::WatchRequest::default()
    }
}

#[tokio::test(start_paused = true)]
async fn one_transaction_is_followed_from_any_event_to_its_end() {
    let world = submitted("g").await;
    let mut client = TransactionServiceClient::new(world.grpc.service());
    for (behind, expected) in [
        (0, "created submitted answered committed"),
        (2, "answered committed"),
        (4, ""),
    ] {
        let mut events = client.watch(watch("g", behind)).await.unwrap().into_inner();
        let mut kinds = Vec::new();
        while let Some(message) = events.message().await.unwrap() {
            let Some(What::Event(watched)) = message.what else {
                panic!("{message:?}")
            };
            let event = told::event(&watched.event.unwrap());
            kinds.push(event["kind"].as_str().unwrap().to_owned());
        }
        assert_eq!(kinds.join(" "), expected, "behind {behind}");
    }
    let beyond = client.watch(watch("g", 5)).await.unwrap_err();
    assert_eq!(beyond.code(), tonic::Code::InvalidArgument);
    assert!(beyond.message().contains("ends with event 4"), "{beyond:?}");
    let missing = client.watch(watch("none", 0)).await.unwrap_err();
    assert_eq!(Told::status(&missing).code(), "TRANSACTION_NOT_FOUND");
}

#[tokio::test(start_paused = true)]
async fn all_that_is_driven_here_is_followed_by_filters_until_the_server_stops() {
    let world = submitted("g").await;
    let mut client = TransactionServiceClient::new(world.grpc.service());
    let request = v1::WatchRequest {
        status: vec![v1::TransactionStatus::Committed.into()],
        ..v1::WatchRequest::default()
    };
    let mut changes = client.watch(request).await.unwrap().into_inner();
    let first = changes.message().await.unwrap().unwrap();
    assert!(matches!(first.what, Some(What::Begun(_))), "{first:?}");
    let Some(What::Change(change)) = changes.message().await.unwrap().unwrap().what else {
        panic!("no change")
    };
    assert_eq!(
        (change.gid.as_str(), told::status(change.status).as_str()),
        ("g", "COMMITTED")
    );
    world.service.stop();
    assert_eq!(changes.message().await.unwrap(), None);
}

#[tokio::test(start_paused = true)]
async fn a_list_is_streamed_whole_or_up_to_its_limit() {
    let world = World::new().await;
    for number in 0..300 {
        let body = json!({"gid": format!("g{number}")});
        world.http("/api/start", Some(&body)).await;
    }
    let mut client = TransactionServiceClient::new(world.grpc.service());
    for (limit, expected) in [(None, 300), (Some(7), 7)] {
        let request = v1::ListRequest {
            limit,
            ..v1::ListRequest::default()
        };
        let mut headers = client.list_stream(request).await.unwrap().into_inner();
        let mut count = 0;
        while headers.message().await.unwrap().is_some() {
            count += 1;
        }
        assert_eq!(count, expected);
    }
}

#[tokio::test(start_paused = true)]
async fn pages_go_on_by_their_cursors() {
    let world = World::new().await;
    for number in 0..5 {
        world
            .http("/api/start", Some(&json!({"gid": format!("g{number}")})))
            .await;
    }
    let mut client = TransactionServiceClient::new(world.grpc.service());
    let mut cursor = String::new();
    let mut gids = Vec::new();
    loop {
        let request = v1::ListRequest {
            limit: Some(2),
            cursor,
            ..v1::ListRequest::default()
        };
        let page = client.list(request).await.unwrap().into_inner();
        gids.extend(page.transactions.into_iter().map(|header| header.gid));
        cursor = page.next_cursor;
        if cursor.is_empty() {
            break;
        }
    }
    gids.sort();
    assert_eq!(gids, ["g0", "g1", "g2", "g3", "g4"]);
}

#[tokio::test(start_paused = true)]
async fn health_says_what_readiness_says() {
    let world = World::new().await;
    let mut client = HealthClient::new(world.grpc.service());
    let asked = |service: &str| HealthCheckRequest {
        service: service.to_owned(),
    };
    for service in ["", "seata.v1.TransactionService"] {
        let answer = client.check(asked(service)).await.unwrap().into_inner();
        assert_eq!(answer.status(), ServingStatus::Serving, "{service}");
    }
    let unknown = client.check(asked("x.Y")).await.unwrap_err();
    assert_eq!(unknown.code(), Code::NotFound);
    let mut statuses = client.watch(asked("")).await.unwrap().into_inner();
    assert_eq!(
        statuses.message().await.unwrap().unwrap().status(),
        ServingStatus::Serving
    );
    world.service.stop();
    assert_eq!(
        statuses.message().await.unwrap().unwrap().status(),
        ServingStatus::NotServing
    );
    assert_eq!(statuses.message().await.unwrap(), None);
    let mut world = World::new().await;
    world.lose_the_store();
    let answer = HealthClient::new(world.grpc.service())
        .check(asked(""))
        .await
        .unwrap();
    assert_eq!(answer.into_inner().status(), ServingStatus::NotServing);
    world = World::new().await;
    let facts = StoreFacts {
        kind: None,
        shards: Some(Arc::new(|| vec![ShardHealth::Ok, ShardHealth::Unavailable])),
    };
    let degraded = Grpc::new(world.service.clone().with_store(facts));
    let answer = HealthClient::new(degraded.service()).check(asked("")).await;
    let answer = answer.unwrap().into_inner();
    assert_eq!(answer.status(), ServingStatus::Serving);
}

/// Sends raw bytes to a method, framed, and answers the status.
async fn raw(world: &World, method: &str, message: &[u8]) -> Status {
    let mut frame = vec![0];
    frame.extend(u32::try_from(message.len()).unwrap().to_be_bytes());
    frame.extend(message);
    let body = http_body_util::Full::new(Bytes::from(frame));
    let request = Request::post(format!("/seata.v1.TransactionService/{method}"))
        .header("content-type", "application/grpc")
        .body(Body::new(body))
        .unwrap();
    let response = world.grpc.service().oneshot(request).await.unwrap();
    Status::from_header_map(response.headers()).unwrap()
}

#[tokio::test(start_paused = true)]
async fn bytes_that_are_no_message_are_refused_in_our_shape() {
    let world = World::new().await;
    for message in [&b"\xff\xff\xff"[..], b"\x0a\x05ab", b"\x0a\x01\xff"] {
        for method in [
            "StartGlobal",
            "Submit",
            "BranchTry",
            "Get",
            "List",
            "Watch",
            "Force",
        ] {
            let told = Told::status(&raw(&world, method, message).await);
            assert_eq!(told.code(), "INVALID_REQUEST", "{method}");
        }
    }
    let huge = vec![0; (64 << 10) + 1];
    let told = Told::status(&raw(&world, "Submit", &huge).await);
    assert_eq!(told.code(), "PAYLOAD_TOO_LARGE");
    let unknown = raw(&world, "Nothing", b"").await;
    assert_eq!(unknown.code(), Code::Unimplemented);
}

#[tokio::test(start_paused = true)]
async fn a_request_that_never_ends_is_refused_with_its_time() {
    let world = World::new().await;
    // A message of five bytes of which one comes, a whole one behind which the request goes on, and none.
    for begun in [&[0, 0, 0, 0, 5, 0][..], &[0; 5], &[]] {
        let piece = http_body::Frame::data(Bytes::from_static(begun));
        let pieces = iter([Ok::<_, Status>(piece)]).chain(pending());
        let request = Request::post("/seata.v1.TransactionService/Submit")
            .header("content-type", "application/grpc")
            .body(Body::new(http_body_util::StreamBody::new(pieces)));
        let asked = world.grpc.service().oneshot(request.unwrap());
        let response = tokio::time::timeout(Duration::from_secs(61), asked).await;
        let status = Status::from_header_map(response.unwrap().unwrap().headers()).unwrap();
        assert_eq!(Told::status(&status).code(), "INVALID_REQUEST");
        assert!(status.message().contains("within 60 s"), "{status:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_health_service_takes_names_of_services_alone() {
    let world = World::new().await;
    let service = "x".repeat(1_100);
    let mut client = HealthClient::new(world.grpc.service());
    let refused = client.check(HealthCheckRequest { service }).await;
    assert_eq!(refused.unwrap_err().code(), Code::OutOfRange);
}

#[tokio::test(start_paused = true)]
async fn of_branches_without_number_none_is_looked_at() {
    let world = World::new().await;
    let mut client = TransactionServiceClient::new(world.grpc.service());
    let transaction = Some(v1::TransactionDefinition {
        branches: vec![v1::BranchDefinition::default(); 1_001],
        ..v1::TransactionDefinition::default()
    });
    let (gid, both) = ("g".to_owned(), transaction.clone());
    let request = v1::StartGlobalRequest {
        gid: gid.clone(),
        transaction: both,
    };
    let started = client.start_global(request).await.unwrap_err();
    let request = v1::SubmitRequest {
        gid,
        transaction,
        wait: None,
    };
    let submitted = client.submit(request).await.unwrap_err();
    for status in [started, submitted] {
        let said = "a transaction may have at most 1000 branches: make several transactions of it";
        assert_eq!(status.message(), said);
        assert_eq!(Told::status(&status).code(), "INVALID_REQUEST");
    }
}

#[tokio::test(start_paused = true)]
async fn a_number_that_no_enum_has_is_refused_by_name() {
    let world = World::new().await;
    let mut client = TransactionServiceClient::new(world.grpc.service());
    let transaction = v1::TransactionDefinition {
        mode: 9,
        ..v1::TransactionDefinition::default()
    };
    let request = v1::StartGlobalRequest {
        gid: String::new(),
        transaction: Some(transaction),
    };
    let status = client.start_global(request).await.unwrap_err();
    assert!(
        status
            .message()
            .starts_with("transaction.mode: 9 is not known"),
        "{status:?}"
    );
    let request = v1::ListRequest {
        status: vec![0],
        ..v1::ListRequest::default()
    };
    let status = client.list(request).await.unwrap_err();
    assert_eq!(Told::status(&status).code(), "INVALID_REQUEST");
}

#[tokio::test]
async fn the_server_serves_describes_itself_and_stops() {
    let world = World::new().await;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let config = seata_grpc::ServeConfig {
        connections_max: 2,
        drain: Duration::from_secs(5),
    };
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let serving = tokio::spawn(seata_grpc::serve(
        listener,
        world.grpc.clone(),
        config,
        async {
            let _ = stopped.await;
        },
    ));
    let channel = tonic::transport::Channel::from_shared(format!("http://{address}"));
    let channel = channel.unwrap().connect().await.unwrap();
    let mut client = TransactionServiceClient::new(channel.clone());
    let start = v1::StartGlobalRequest {
        gid: "g".to_owned(),
        transaction: None,
    };
    assert_eq!(
        client.start_global(start).await.unwrap().into_inner().gid,
        "g"
    );
    let mut following = client.watch(watch("g", 1)).await.unwrap().into_inner();
    assert!(
        described(channel)
            .await
            .contains(&"seata.v1.TransactionService".to_owned())
    );
    world.service.stop();
    stop.send(()).unwrap();
    assert_eq!(following.message().await.unwrap(), None);
    serving.await.unwrap();
    let gid = Gid::parse("g").unwrap();
    assert!(world.service.get(&gid).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_client_that_says_nothing_gives_its_place_to_the_next() {
    let world = World::new().await;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let config = seata_grpc::ServeConfig {
        connections_max: 1,
        drain: Duration::ZERO,
    };
    let forever = std::future::pending();
    let serving = tokio::spawn(seata_grpc::serve(listener, world.grpc, config, forever));
    let mut silent = tokio::net::TcpStream::connect(address).await.unwrap();
    let mut halting = tokio::net::TcpStream::connect(address).await.unwrap();
    halting.write_all(b"PRI * HTTP/2.0").await.unwrap();
    for client in [&mut silent, &mut halting] {
        let mut said = Vec::new();
        let letting_go = client.read_to_end(&mut said);
        let within = Duration::from_secs(60);
        // With or without a word of HTTP/2, or a reset.
        let _ = tokio::time::timeout(within, letting_go).await.unwrap();
    }
    serving.abort();
}

/// Answers the services that reflection lists.
async fn described(channel: tonic::transport::Channel) -> Vec<String> {
    use tonic_reflection::pb::v1::server_reflection_client::ServerReflectionClient;
    use tonic_reflection::pb::v1::server_reflection_request::MessageRequest;
    use tonic_reflection::pb::v1::server_reflection_response::MessageResponse;
    let request = tonic_reflection::pb::v1::ServerReflectionRequest {
        host: String::new(),
        message_request: Some(MessageRequest::ListServices(String::new())),
    };
    let requests = futures_util::stream::iter([request]);
    let mut client = ServerReflectionClient::new(channel);
    let mut answers = client
        .server_reflection_info(requests)
        .await
        .unwrap()
        .into_inner();
    let answer = answers.message().await.unwrap().unwrap().message_response;
    let Some(MessageResponse::ListServicesResponse(list)) = answer else {
        panic!("{answer:?}")
    };
    list.service
        .into_iter()
        .map(|service| service.name)
        .collect()
}
