//! Lists, histories and followers; and what a gRPC server says of itself.

use futures_util::stream;
use seata_proto::v1;
use seata_proto::v1::watch_response::What;
use seata_proto::v1::{EventKind, TransactionStatus};
use seata_tests::until;
use tonic::{Code, Streaming};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;

use crate::scene::{Rpc, channel, connect, refused, scene, step, whole};

async fn next(stream: &mut Streaming<v1::WatchResponse>) -> Option<v1::WatchedEvent> {
    let What::Event(event) = stream.message().await.unwrap()?.what? else {
        panic!("it is no event of one transaction")
    };
    Some(event)
}

async fn follow(rpc: &mut Rpc, gid: &str, behind_event: u32) -> Streaming<v1::WatchResponse> {
    let request = v1::WatchRequest {
        gid: gid.to_owned(),
        behind_event,
        ..v1::WatchRequest::default()
    };
    rpc.watch(request).await.unwrap().into_inner()
}

#[tokio::test]
async fn a_transaction_is_followed_over_a_cut_and_a_restart_and_no_event_is_lost_or_told_twice() {
    let (mut server, _, mut rpc, participants) = scene().await;
    let at = |steps: &str| participants.url(steps);
    let two = v1::BranchDefinition {
        after: vec!["one".to_owned()],
        ..step("two", at("gate/held"), at("ok"))
    };
    let mut request = whole("followed", vec![step("one", at("ok"), at("ok")), two]);
    request.wait = None;
    rpc.submit(request).await.unwrap();
    participants.arrived("held", 1).await;
    let mut told = Vec::new();

    let mut first = follow(&mut rpc, "followed", 0).await;
    told.push(next(&mut first).await.unwrap().event.unwrap());
    drop(first);
    let mut second = follow(&mut rpc, "followed", told[0].number).await;
    while told.last().is_none_or(|event| event.branch_id() != "one") {
        told.push(next(&mut second).await.unwrap().event.unwrap());
    }

    server.kill_nine();
    assert!(
        second.message().await.is_err(),
        "it was cut, and has not ended"
    );
    server.start_again().await;
    participants.open("held");
    let mut rpc = connect(&server).await;
    let mut third = follow(&mut rpc, "followed", told.last().unwrap().number).await;
    let mut status = TransactionStatus::Unspecified;
    while let Some(watched) = next(&mut third).await {
        status = watched.transaction_status();
        told.push(watched.event.unwrap());
    }
    assert_eq!(status, TransactionStatus::Committed);
    let request = v1::EventsRequest {
        gid: "followed".to_owned(),
    };
    let mut history = rpc.events(request).await.unwrap().into_inner();
    let mut events = Vec::new();
    while let Some(event) = history.message().await.unwrap() {
        events.push(event);
    }
    assert_eq!(told, events);
    assert_eq!(told.last().unwrap().kind(), EventKind::Committed);
}

#[tokio::test]
async fn what_the_server_does_is_followed_until_it_stops_and_holds_up_no_stop() {
    let (mut server, _, mut rpc, participants) = scene().await;
    let request = v1::WatchRequest {
        status: vec![TransactionStatus::Aborted.into()],
        ..v1::WatchRequest::default()
    };
    let mut changes = rpc.watch(request).await.unwrap().into_inner();
    let begun = changes.message().await.unwrap().unwrap().what;
    assert!(matches!(begun, Some(What::Begun(_))), "{begun:?}");
    let at = |steps: &str| participants.url(steps);
    for (gid, steps) in [("commits", "ok"), ("aborts", "refuse")] {
        let request = whole(gid, vec![step("one", at(steps), at("ok"))]);
        rpc.submit(request).await.unwrap();
    }
    let Some(What::Change(change)) = changes.message().await.unwrap().unwrap().what else {
        panic!("it is no change")
    };
    assert_eq!(change.gid, "aborts");
    server.terminate();
    assert_eq!(changes.message().await.unwrap(), None);
    assert_eq!(server.ended().await.code(), Some(0));
}

#[tokio::test]
async fn all_that_match_are_listed_by_pages_or_as_a_stream() {
    const COUNT: usize = 25;
    let (_server, client, mut rpc, _participants) = scene().await;
    for number in 0..COUNT {
        let body = serde_json::json!({ "gid": format!("many-{number:02}") });
        client.post("/api/start", body).await.ok();
    }
    client
        .post("/api/start", serde_json::json!({ "gid": "other" }))
        .await
        .ok();
    let asked = v1::ListRequest {
        gid_prefix: "many-".to_owned(),
        limit: Some(10),
        status: vec![TransactionStatus::Prepared.into()],
        ..v1::ListRequest::default()
    };
    let mut gids = Vec::new();
    let mut request = asked.clone();
    loop {
        let page = rpc.list(request.clone()).await.unwrap().into_inner();
        assert!(page.transactions.len() <= 10);
        gids.extend(page.transactions.into_iter().map(|header| header.gid));
        if page.next_cursor.is_empty() {
            break;
        }
        request.cursor = page.next_cursor;
    }
    let request = v1::ListRequest {
        limit: None,
        ..asked
    };
    let mut headers = rpc.list_stream(request).await.unwrap().into_inner();
    let mut streamed = Vec::new();
    while let Some(header) = headers.message().await.unwrap() {
        streamed.push(header.gid);
    }
    // Of those of one millisecond nobody knows which is newer, but each listing says the same.
    assert_eq!(streamed, gids);
    gids.sort();
    let all: Vec<String> = (0..COUNT)
        .map(|number| format!("many-{number:02}"))
        .collect();
    assert_eq!(gids, all);
}

#[tokio::test]
async fn streams_of_what_does_not_exist_are_refused() {
    let (_server, _, mut rpc, _participants) = scene().await;
    let gid = "nowhere".to_owned();
    let request = v1::EventsRequest { gid: gid.clone() };
    let events = rpc.events(request).await.unwrap_err();
    let request = v1::WatchRequest {
        gid,
        ..v1::WatchRequest::default()
    };
    let watch = rpc.watch(request).await.unwrap_err();
    for status in [events, watch] {
        let facts = [("gid", "nowhere")];
        refused(&status, Code::NotFound, "TRANSACTION_NOT_FOUND", &facts);
    }
    let request = v1::ListRequest {
        cursor: "no cursor".to_owned(),
        ..v1::ListRequest::default()
    };
    let pages = rpc.list(request.clone()).await.unwrap_err();
    let stream = rpc.list_stream(request).await.unwrap_err();
    for status in [pages, stream] {
        refused(
            &status,
            Code::InvalidArgument,
            "INVALID_REQUEST",
            &[("field", "cursor")],
        );
    }
}

#[tokio::test]
async fn health_is_told_until_the_server_stops() {
    let (server, _, mut rpc, participants) = scene().await;
    let mut health = HealthClient::new(channel(&server).await);
    for service in ["", "seata.v1.TransactionService"] {
        let asked = HealthCheckRequest {
            service: service.to_owned(),
        };
        let answer = health.check(asked.clone()).await.unwrap().into_inner();
        assert_eq!(answer.status(), ServingStatus::Serving);
    }
    let mut statuses = health
        .watch(HealthCheckRequest::default())
        .await
        .unwrap()
        .into_inner();
    let first = statuses.message().await.unwrap().unwrap();
    assert_eq!(first.status(), ServingStatus::Serving);
    let held = step("one", participants.url("gate/held"), participants.url("ok"));
    let mut request = whole("held", vec![held]);
    request.wait = None;
    rpc.submit(request).await.unwrap();
    participants.arrived("held", 1).await;
    server.terminate();
    let next = statuses.message().await.unwrap().unwrap();
    assert_eq!(next.status(), ServingStatus::NotServing);
    participants.open("held");
    until("the follower is let go", async || {
        matches!(statuses.message().await, Ok(None) | Err(_)).then_some(())
    })
    .await;
}

#[tokio::test]
async fn the_server_describes_each_of_its_methods() {
    use tonic_reflection::pb::v1::ServerReflectionRequest;
    use tonic_reflection::pb::v1::server_reflection_client::ServerReflectionClient;
    use tonic_reflection::pb::v1::server_reflection_request::MessageRequest;
    use tonic_reflection::pb::v1::server_reflection_response::MessageResponse;
    let (server, _, _, _participants) = scene().await;
    let mut client = ServerReflectionClient::new(channel(&server).await);
    let asked = |message| ServerReflectionRequest {
        host: String::new(),
        message_request: Some(message),
    };
    let symbol = |name: &str| MessageRequest::FileContainingSymbol(name.to_owned());
    let requests = stream::iter([
        asked(MessageRequest::ListServices(String::new())),
        asked(symbol("seata.v1.TransactionService")),
    ]);
    let answers = client.server_reflection_info(requests).await.unwrap();
    let mut answers = answers.into_inner();
    let listed = answers.message().await.unwrap().unwrap().message_response;
    let Some(MessageResponse::ListServicesResponse(list)) = listed else {
        panic!("{listed:?}")
    };
    let names: Vec<&str> = list
        .service
        .iter()
        .map(|service| service.name.as_str())
        .collect();
    assert!(names.contains(&"seata.v1.TransactionService"), "{names:?}");
    assert!(names.contains(&"grpc.health.v1.Health"), "{names:?}");
    let described = answers.message().await.unwrap().unwrap().message_response;
    let Some(MessageResponse::FileDescriptorResponse(files)) = described else {
        panic!("{described:?}")
    };
    let described = files.file_descriptor_proto.concat();
    for method in ["StartGlobal", "BranchTry", "ListStream", "Watch", "Force"] {
        let found = described
            .windows(method.len())
            .any(|bytes| bytes == method.as_bytes());
        assert!(found, "{method} is not described");
    }
}
