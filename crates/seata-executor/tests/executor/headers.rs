//! What every call carries.

use seata_core::{AttemptId, ContentType, FencingToken, Gid, Operation};
use seata_engine::Call;
use seata_executor::{Executor, ExecutorConfig};

use crate::calls::{Changed, call, header, json, made};
use crate::participant::{Participant, Received};

async fn received(change: impl FnOnce(Call) -> Call) -> Received {
    let participant = Participant::always(200, "").await;
    let executor = Executor::new(ExecutorConfig::default());
    let outcome = made(&executor, change(call(&participant.url()))).await;
    assert_eq!(outcome.as_str(), "success");
    let mut received = participant.notes.received().pop().unwrap();
    assert_eq!(
        received.headers.remove("host").unwrap(),
        format!("127.0.0.1:{}", participant.port())
    );
    received
}

fn traceparent(received: &Received) -> [String; 2] {
    let text = received.headers["traceparent"].to_str().unwrap();
    let [version, trace, span, flags] = text.split('-').collect::<Vec<_>>()[..] else {
        panic!("{text} has four parts");
    };
    assert_eq!((version, flags), ("00", "01"));
    assert_eq!((trace.len(), span.len()), (32, 16));
    for part in [trace, span] {
        assert!(
            part.bytes()
                .all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
        );
        assert!(part.bytes().any(|b| b != b'0'));
    }
    [trace.to_owned(), span.to_owned()]
}

#[tokio::test]
async fn a_call_carries_its_key_and_its_payload_and_nothing_else() {
    let payload = json(r#"{"amount":30}"#);
    let mut received =
        received(|call| call.with_branch(|branch| branch.payload = Some(payload))).await;
    assert_eq!(received.method, "POST");
    assert_eq!(received.uri, "/do?it=1");
    assert_eq!(received.body, r#"{"amount":30}"#);
    traceparent(&received);
    received.headers.remove("traceparent");
    let mut headers: Vec<_> = received
        .headers
        .iter()
        .map(|(name, value)| format!("{name}: {}", value.to_str().unwrap()))
        .collect();
    headers.sort();
    assert_eq!(
        headers,
        [
            "content-length: 13",
            "content-type: application/json",
            "idempotency-key: order-1/stock/action",
            "seata-attempt: 3",
            "seata-branch-id: stock",
            "seata-gid: order-1",
            "seata-operation: action",
            concat!("user-agent: seata-server/", env!("CARGO_PKG_VERSION")),
        ]
    );
}

#[tokio::test]
async fn without_a_payload_the_body_is_empty_and_has_no_type() {
    let received = received(|call| call).await;
    assert!(received.body.is_empty());
    assert_eq!(received.headers["content-length"], "0");
    assert!(!received.headers.contains_key("content-type"));
    assert!(!received.headers.contains_key("transfer-encoding"));
}

#[tokio::test]
async fn a_branch_without_a_payload_of_its_own_is_sent_the_transactions() {
    let received = received(|call| {
        call.with_definition(|definition| {
            let mut payload = json("bytes");
            payload.content_type = ContentType::Other("application/x-own".into());
            definition.payload = Some(payload);
        })
    })
    .await;
    assert_eq!(received.body, "bytes");
    assert_eq!(received.headers["content-type"], "application/x-own");
}

#[tokio::test]
async fn a_compensation_has_a_key_of_its_own() {
    let received = received(|mut call| {
        call.operation = Operation::Compensation;
        call
    })
    .await;
    assert_eq!(received.headers["seata-operation"], "compensation");
    assert_eq!(
        received.headers["idempotency-key"],
        "order-1/stock/compensation"
    );
}

#[tokio::test]
async fn configured_headers_are_sent_and_the_branchs_win() {
    let received = received(|call| {
        call.with_definition(|definition| {
            definition.options.headers = vec![header("x-tenant", "a"), header("x-both", "1")];
        })
        .with_branch(|branch| {
            branch.headers = vec![header("x-both", "2"), header("authorization", "Bearer t")];
        })
    })
    .await;
    assert_eq!(received.headers["x-tenant"], "a");
    assert_eq!(
        received
            .headers
            .get_all("x-both")
            .iter()
            .collect::<Vec<_>>(),
        ["2"]
    );
    assert_eq!(received.headers["authorization"], "Bearer t");
}

#[tokio::test]
async fn configured_headers_never_displace_the_key_or_the_connections_own() {
    let received = received(|call| {
        call.with_branch(|branch| {
            branch.payload = Some(json("{}"));
            branch.headers = [
                "seata-gid",
                "seata-branch-id",
                "seata-operation",
                "seata-attempt",
                "seata-anything",
                "idempotency-key",
                "host",
                "content-length",
                "transfer-encoding",
                "connection",
                "expect",
            ]
            .map(|name| header(name, "7"))
            .to_vec();
        })
    })
    .await;
    assert_eq!(received.body, "{}");
    assert_eq!(received.headers["content-length"], "2");
    assert_eq!(received.headers["seata-gid"], "order-1");
    assert_eq!(received.headers["idempotency-key"], "order-1/stock/action");
    assert!(received.headers.values().all(|value| value != "7"));
}

#[tokio::test]
async fn calls_of_one_transaction_share_a_trace_and_each_attempt_is_a_span() {
    let attempt = |token, number| AttemptId {
        token: FencingToken(token),
        number,
    };
    let of = |change: fn(&mut Call), attempt: AttemptId| async move {
        let received = received(|mut call| {
            change(&mut call);
            call.attempt = attempt;
            call
        });
        traceparent(&received.await)
    };
    let [trace, span] = of(|_| {}, attempt(1, 1)).await;
    assert_eq!(
        of(|_| {}, attempt(1, 1)).await,
        [trace.clone(), span.clone()]
    );
    for other in [
        of(|_| {}, attempt(1, 2)).await,
        of(|_| {}, attempt(2, 1)).await,
        of(
            |call| call.operation = Operation::Compensation,
            attempt(1, 1),
        )
        .await,
    ] {
        assert_eq!(other[0], trace);
        assert_ne!(other[1], span);
    }
    let other = of(
        |call| call.gid = Gid::parse("order-2").unwrap(),
        attempt(1, 1),
    )
    .await;
    assert_ne!(other[0], trace);
}

#[tokio::test]
async fn a_configured_trace_or_type_takes_the_place_of_none_of_ours() {
    let other = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let received = received(|call| {
        call.with_branch(|branch| {
            branch.payload = Some(json("{}"));
            branch.headers = vec![
                header("traceparent", other),
                header("content-type", "text/plain"),
            ];
        })
    })
    .await;
    assert_ne!(received.headers["traceparent"], other);
    assert_eq!(received.headers["content-type"], "application/json");
}

/// Only an embedding program can configure such values: the edge refuses them.
#[tokio::test]
async fn a_configured_value_that_is_none_is_left_out_and_begins_no_other_header() {
    let received = received(|call| {
        call.with_branch(|branch| {
            branch.headers = vec![
                header("x-one", "a\r\nseata-gid: other"),
                header("x two", "b"),
                header("x-three", "c\n\nPOST / HTTP/1.1"),
                header("X-Four", "d e"),
            ];
        })
    })
    .await;
    assert_eq!(received.headers["seata-gid"], "order-1");
    assert_eq!(received.headers["x-four"], "d e");
    for name in ["x-one", "x-three"] {
        assert!(!received.headers.contains_key(name), "{name}");
    }
}

#[tokio::test]
async fn a_configured_user_agent_wins_and_is_sent_once() {
    let received = received(|call| {
        call.with_branch(|branch| branch.headers = vec![header("user-agent", "shop/1")])
    })
    .await;
    let agents: Vec<_> = received.headers.get_all("user-agent").iter().collect();
    assert_eq!(agents, ["shop/1"]);
}

#[tokio::test]
async fn an_endpoint_without_a_path_asks_for_the_root() {
    let participant = Participant::always(200, "").await;
    let executor = Executor::new(ExecutorConfig::default());
    let address = format!("127.0.0.1:{}", participant.port());
    for (path, asked) in [("", "/"), ("?a=b", "/?a=b"), ("/", "/"), ("/x/?y", "/x/?y")] {
        let url = format!("http://{address}{path}");
        assert_eq!(made(&executor, call(&url)).await.as_str(), "success");
        let received = participant.notes.received().pop().unwrap();
        assert_eq!(received.uri, asked);
    }
}
