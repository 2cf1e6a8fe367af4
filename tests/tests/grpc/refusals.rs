//! Malformed and misplaced requests, for each method.

use bytes::Bytes;
use http::{Request, Response, Version};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use seata_proto::v1;
use seata_tests::Server;
use tokio::net::TcpStream;
use tonic::{Code, Status};

use crate::scene::{
    abort, attempt, begin_tcc, channel, connect, get, refused, register, scene, step, submit,
    willing,
};

const METHODS: [&str; 18] = [
    "StartGlobal",
    "Submit",
    "Abort",
    "AddBranch",
    "BranchTry",
    "BranchRegister",
    "BranchConfirm",
    "BranchCancel",
    "BranchSucceed",
    "BranchFail",
    "Get",
    "List",
    "ListStream",
    "Events",
    "Watch",
    "Retry",
    "Skip",
    "Force",
];

/// One byte more than a message may have.
const TOO_MUCH_BYTES: usize = (4 << 20) + 1;

/// Sends bytes as they are to a method and answers the status, wherever it stands.
async fn send(server: &Server, method: &str, body: Vec<u8>) -> Status {
    let output = server.output();
    let (_, printed) = output.rsplit_once("gRPC on").unwrap();
    let address = printed.split_whitespace().next().unwrap();
    let stream = TcpStream::connect(address).await.unwrap();
    let handshake = http2::handshake(TokioExecutor::new(), TokioIo::new(stream));
    let (mut sender, connection) = handshake.await.unwrap();
    tokio::spawn(connection);
    let request = Request::post(format!(
        "http://{address}/seata.v1.TransactionService/{method}"
    ))
    .version(Version::HTTP_2)
    .header("content-type", "application/grpc")
    .header("te", "trailers")
    .body(Full::new(Bytes::from(body)))
    .unwrap();
    let response: Response<Incoming> = sender.send_request(request).await.unwrap();
    let (parts, body) = response.into_parts();
    if let Some(status) = Status::from_header_map(&parts.headers) {
        return status;
    }
    let trailers = body.collect().await.unwrap().trailers().cloned();
    Status::from_header_map(&trailers.unwrap()).unwrap()
}

/// Frames a message.
fn framed(message: &[u8]) -> Vec<u8> {
    let mut frame = vec![0];
    frame.extend(u32::try_from(message.len()).unwrap().to_be_bytes());
    frame.extend(message);
    frame
}

#[tokio::test]
async fn bytes_that_are_no_message_are_refused_by_every_method_and_the_server_lives() {
    let (server, client, _, _participants) = scene().await;
    for method in METHODS {
        // A tag of no kind; a text that is cut off; one that is no UTF-8; a field of another type.
        for message in [
            &b"\xff\xff\xff"[..],
            b"\x0a\x05ab",
            b"\x0a\x01\xff",
            b"\x08\x01\x08",
        ] {
            let status = send(&server, method, framed(message)).await;
            refused(&status, Code::InvalidArgument, "INVALID_REQUEST", &[]);
        }
        let status = send(&server, method, framed(&vec![0; TOO_MUCH_BYTES])).await;
        refused(&status, Code::InvalidArgument, "PAYLOAD_TOO_LARGE", &[]);
    }
    let unknown = send(&server, "Nothing", framed(b"")).await;
    assert_eq!(unknown.code(), Code::Unimplemented);
    assert_eq!(client.get("/livez").await.status, 200);
}

#[tokio::test]
async fn an_empty_request_is_refused_by_every_method_that_needs_something() {
    let (server, _, _, _participants) = scene().await;
    for method in METHODS {
        if matches!(method, "StartGlobal" | "List" | "ListStream" | "Watch") {
            continue;
        }
        let status = send(&server, method, framed(b"")).await;
        let (stable, field) = match method {
            // It may have no gid: it is the whole that is missing.
            "Submit" => ("INVALID_REQUEST", None),
            // Over HTTP it is in the path.
            "Get" | "Events" | "Retry" | "Skip" | "Force" => ("INVALID_GID", Some("gid")),
            _ => ("INVALID_REQUEST", Some("gid")),
        };
        let facts: Vec<_> = field.map(|field| ("field", field)).into_iter().collect();
        refused(&status, Code::InvalidArgument, stable, &facts);
    }
}

#[tokio::test]
async fn what_no_enum_has_and_what_is_out_of_range_is_refused_by_name() {
    let (_server, _, mut rpc, _participants) = scene().await;
    begin_tcc(&mut rpc, "ranges").await;
    register(&mut rpc, "ranges", willing("one", "http://127.0.0.1:1/"))
        .await
        .unwrap();
    let told = v1::BranchSucceedRequest {
        gid: "ranges".to_owned(),
        branch_id: "one".to_owned(),
        operation: 99,
    };
    let status = rpc.branch_succeed(told).await.unwrap_err();
    refused(
        &status,
        Code::InvalidArgument,
        "INVALID_REQUEST",
        &[("field", "operation")],
    );
    let order = v1::ForceRequest {
        gid: "ranges".to_owned(),
        to: 7,
        reason: "r".to_owned(),
    };
    let status = rpc.force(order).await.unwrap_err();
    refused(
        &status,
        Code::InvalidArgument,
        "INVALID_REQUEST",
        &[("field", "to")],
    );
    let mut forever = submit("ranges");
    forever.wait = Some(prost_types::Duration {
        seconds: 301,
        nanos: 0,
    });
    let status = rpc.submit(forever).await.unwrap_err();
    refused(
        &status,
        Code::InvalidArgument,
        "INVALID_REQUEST",
        &[("field", "wait")],
    );
    let list = v1::ListRequest {
        limit: Some(1_001),
        ..v1::ListRequest::default()
    };
    let status = rpc.list(list).await.unwrap_err();
    refused(
        &status,
        Code::InvalidArgument,
        "INVALID_REQUEST",
        &[("field", "limit")],
    );
    let status = rpc.submit(submit("a' OR 1=1 --")).await.unwrap_err();
    refused(
        &status,
        Code::InvalidArgument,
        "INVALID_GID",
        &[("field", "gid")],
    );
    let mut both = willing("two", "http://127.0.0.1:1/");
    both.compensation = "http://127.0.0.1:1/".to_owned();
    let status = register(&mut rpc, "ranges", both).await.unwrap_err();
    let facts = [("field", "branch.compensation")];
    refused(&status, Code::InvalidArgument, "INVALID_REQUEST", &facts);
    assert_eq!(get(&mut rpc, "ranges").await.branches.len(), 1);
}

#[tokio::test]
async fn a_payload_that_is_too_large_is_refused_and_calls_nobody() {
    let (_server, _, mut rpc, participants) = scene().await;
    begin_tcc(&mut rpc, "heavy").await;
    let heavy = v1::BranchDefinition {
        payload: Some(v1::Payload {
            data: vec![7; (1 << 20) + 1].into(),
            content_type: String::new(),
        }),
        ..willing("one", &participants.url("ok"))
    };
    for status in [
        attempt(&mut rpc, "heavy", heavy.clone()).await.unwrap_err(),
        register(&mut rpc, "heavy", heavy).await.unwrap_err(),
    ] {
        refused(&status, Code::InvalidArgument, "PAYLOAD_TOO_LARGE", &[]);
    }
    assert!(get(&mut rpc, "heavy").await.branches.is_empty());
    assert!(participants.ledger().of("heavy").is_empty());
}

#[tokio::test]
async fn what_comes_out_of_order_is_refused_and_changes_nothing() {
    let (server, _, mut rpc, participants) = scene().await;
    let at = participants.url("ok");
    let nowhere = "nowhere".to_owned();
    let missing = [
        rpc.submit(submit("nowhere")).await.unwrap_err(),
        rpc.abort(abort("nowhere")).await.unwrap_err(),
        register(&mut rpc, "nowhere", willing("one", &at))
            .await
            .unwrap_err(),
        attempt(&mut rpc, "nowhere", willing("one", &at))
            .await
            .unwrap_err(),
        rpc.get(v1::GetRequest {
            gid: nowhere.clone(),
        })
        .await
        .unwrap_err(),
        rpc.branch_confirm(v1::BranchConfirmRequest {
            gid: nowhere.clone(),
            branch_id: "one".to_owned(),
        })
        .await
        .unwrap_err(),
        rpc.branch_cancel(v1::BranchCancelRequest {
            gid: nowhere.clone(),
            branch_id: "one".to_owned(),
        })
        .await
        .unwrap_err(),
    ];
    for status in &missing {
        refused(
            status,
            Code::NotFound,
            "TRANSACTION_NOT_FOUND",
            &[("gid", "nowhere")],
        );
    }
    begin_tcc(&mut rpc, "order").await;
    let add = v1::AddBranchRequest {
        gid: "order".to_owned(),
        branch: Some(step("one", at.clone(), at.clone())),
    };
    let status = rpc.add_branch(add).await.unwrap_err();
    let stable = "INVALID_STATUS_TRANSITION";
    refused(
        &status,
        Code::FailedPrecondition,
        stable,
        &[("mode", "tcc")],
    );
    let told = v1::BranchFailRequest {
        gid: "order".to_owned(),
        branch_id: "one".to_owned(),
        operation: v1::Operation::Try.into(),
        reason: String::new(),
    };
    let status = rpc.branch_fail(told.clone()).await.unwrap_err();
    refused(
        &status,
        Code::NotFound,
        "BRANCH_NOT_FOUND",
        &[("branch_id", "one")],
    );
    register(&mut rpc, "order", willing("one", &at))
        .await
        .unwrap();
    let early = v1::BranchFailRequest {
        operation: v1::Operation::Cancel.into(),
        ..told
    };
    let status = rpc.branch_fail(early).await.unwrap_err();
    refused(
        &status,
        Code::FailedPrecondition,
        stable,
        &[("status", "PREPARED")],
    );
    let mut another = connect(&server).await;
    assert_eq!(get(&mut another, "order").await.branches.len(), 1);
    drop(channel(&server).await);
    assert!(participants.ledger().of("order").is_empty());
}
