//! The barrier behind axum and tonic: a call is read from a request, and each answer has the status that a coordinator reads.
#![allow(clippy::unwrap_used, reason = "tests")]

use axum::Router;
use axum::body::Body;
use axum::response::IntoResponse;
use axum::routing::post;
use http::{HeaderMap, Request, StatusCode};
use seata_barrier::{BarrierError, Call, CallError, Operation, Skip};
use tonic::metadata::MetadataMap;
use tonic::{Code, Status};
use tower::ServiceExt;

const HEADERS: [(&str, &str); 3] = [
    ("seata-gid", "order-17"),
    ("seata-branch-id", "payment"),
    ("seata-operation", "compensation"),
];

async fn posted(headers: &[(&'static str, &'static str)]) -> StatusCode {
    async fn handler(call: Call) -> StatusCode {
        assert_eq!(call.gid.as_str(), "order-17");
        assert_eq!(call.branch_id.as_str(), "payment");
        assert_eq!(call.operation, Operation::Compensation);
        StatusCode::NO_CONTENT
    }
    let mut request = Request::post("/undo").body(Body::empty()).unwrap();
    for (name, value) in headers {
        request.headers_mut().append(*name, value.parse().unwrap());
    }
    let app = Router::new().route("/undo", post(handler));
    app.oneshot(request).await.unwrap().status()
}

#[tokio::test]
async fn axum_extracts_a_call_and_refuses_what_is_none() {
    assert_eq!(posted(&HEADERS).await, StatusCode::NO_CONTENT);
    for left_out in 0..HEADERS.len() {
        let mut headers = HEADERS.to_vec();
        headers.remove(left_out);
        assert_eq!(posted(&headers).await, StatusCode::BAD_REQUEST);
    }
    let twice = [HEADERS[0], HEADERS[0], HEADERS[1], HEADERS[2]];
    assert_eq!(posted(&twice).await, StatusCode::BAD_REQUEST);
}

#[test]
fn axum_answers_what_a_coordinator_reads() {
    assert_eq!(Skip::Duplicate.into_response().status(), StatusCode::OK);
    assert_eq!(Skip::Null.into_response().status(), StatusCode::OK);
    assert_eq!(Skip::Hanging.into_response().status(), StatusCode::CONFLICT);
    let failed = BarrierError::Database("secret address".into());
    assert_eq!(
        failed.into_response().status(),
        StatusCode::SERVICE_UNAVAILABLE
    );
}

fn metadata(pairs: &[(&'static str, &str)]) -> MetadataMap {
    let mut headers = HeaderMap::new();
    for (name, value) in pairs {
        headers.append(*name, value.parse().unwrap());
    }
    MetadataMap::from_headers(headers)
}

#[test]
fn a_call_is_read_from_grpc_metadata() {
    let call = Call::try_from(&metadata(&HEADERS)).unwrap();
    assert_eq!(call.gid.as_str(), "order-17");
    assert_eq!(call.operation, Operation::Compensation);
    let missing = Call::try_from(&metadata(&HEADERS[1..]));
    assert_eq!(
        missing,
        Err(CallError::Missing {
            header: "seata-gid"
        })
    );
    let twice = [HEADERS[0], HEADERS[0], HEADERS[1], HEADERS[2]];
    let repeated = Call::try_from(&metadata(&twice));
    assert_eq!(
        repeated,
        Err(CallError::Repeated {
            header: "seata-gid"
        })
    );
}

#[test]
fn grpc_answers_what_a_coordinator_reads() {
    assert!(Skip::Duplicate.grpc_answer().is_ok());
    assert!(Skip::Null.grpc_answer().is_ok());
    let hanging = Skip::Hanging.grpc_answer().unwrap_err();
    assert_eq!(hanging.code(), Code::Aborted);
    let failed = Status::from(BarrierError::Database("secret address".into()));
    assert_eq!(failed.code(), Code::Unavailable);
    assert!(!failed.message().contains("secret"));
    let none = Status::from(CallError::Missing {
        header: "seata-gid",
    });
    assert_eq!(none.code(), Code::InvalidArgument);
}
