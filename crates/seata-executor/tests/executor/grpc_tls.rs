//! Branches over gRPC and TLS: HTTP/2 is agreed on, or nothing is sent.

use std::future::ready;

use http::Version;
use seata_core::Outcome;

use crate::calls::{call, made, reason};
use crate::grpc::replied;
use crate::tls::{Secured, trusting};

async fn offering(protocols: &[&[u8]]) -> Secured {
    Secured::answering(protocols, |_| ready(replied(&[("grpc-status", "0")]))).await
}

fn url(secured: &Secured) -> String {
    let port = secured.participant.port();
    format!("grpcs://localhost:{port}/bank.v1.Account/Debit")
}

#[tokio::test]
async fn http_2_is_agreed_on_and_calls_share_a_connection() {
    let secured = offering(&[b"h2", b"http/1.1"]).await;
    let executor = trusting(vec![secured.certificate.clone()]);
    for _ in 0..2 {
        let outcome = made(&executor, call(&url(&secured))).await;
        assert_eq!(outcome, Outcome::Success);
    }
    let received = secured.participant.notes.received();
    assert_eq!(received.len(), 2);
    assert_eq!(received[0].version, Version::HTTP_2);
    assert_eq!(received[0].uri.scheme_str(), Some("https"));
    assert_eq!(received[0].headers["seata-gid"], "order-1");
    assert_eq!(secured.participant.notes.connections(), 1);
}

#[tokio::test]
async fn a_participant_that_offers_only_http_1_gets_no_request() {
    let secured = offering(&[b"http/1.1"]).await;
    let executor = trusting(vec![secured.certificate.clone()]);
    let outcome = made(&executor, call(&url(&secured))).await;
    assert_eq!(outcome.as_str(), "unknown");
    assert!(secured.participant.notes.received().is_empty());
}

#[tokio::test]
async fn a_participant_whose_certificate_is_not_trusted_gets_no_request() {
    let (secured, other) = (offering(&[b"h2"]).await, offering(&[b"h2"]).await);
    let executor = trusting(vec![other.certificate]);
    let outcome = made(&executor, call(&url(&secured))).await;
    assert_eq!(outcome.as_str(), "unknown");
    assert!(reason(&outcome).contains("certificate"), "{outcome:?}");
    assert!(secured.participant.notes.received().is_empty());
}
