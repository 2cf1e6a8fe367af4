//! One body for each route that takes one, to begin with. They make one story: an order that takes from a stock and is
//! paid.

use serde_json::{Value, json};

/// The gid of the story.
pub(super) const GID: &str = "order-1";

fn stock() -> Value {
    json!({
        "branch_id": "stock",
        "action": "http://127.0.0.1:8080/stock/take",
        "compensation": "http://127.0.0.1:8080/stock/return",
    })
}

fn payment() -> Value {
    json!({
        "branch_id": "payment",
        "action": "http://127.0.0.1:8080/payment/charge",
        "compensation": "http://127.0.0.1:8080/payment/refund",
        "after": ["stock"],
    })
}

pub(super) fn submit() -> Value {
    let payload = json!({"order": 1, "amount": 30});
    json!({"gid": GID, "payload": payload, "branches": [stock(), payment()], "wait": true})
}

pub(super) fn start() -> Value {
    let options = json!({"prepared_timeout_secs": 600});
    json!({"gid": "order-2", "payload": {"order": 2}, "options": options})
}

pub(super) fn add_branch() -> Value {
    let mut branch = stock();
    branch["gid"] = json!("order-2");
    branch
}

pub(super) fn try_branch() -> Value {
    json!({
        "gid": "tour-1",
        "branch_id": "hotel",
        "action": "http://127.0.0.1:8080/hotel/reserve",
        "confirm": "http://127.0.0.1:8080/hotel/book",
        "cancel": "http://127.0.0.1:8080/hotel/release",
    })
}

pub(super) fn register_branch() -> Value {
    json!({
        "gid": "tour-1",
        "branch_id": "flight",
        "confirm": "http://127.0.0.1:8080/flight/book",
        "cancel": "http://127.0.0.1:8080/flight/release",
    })
}

pub(super) fn branch_order() -> Value {
    json!({"gid": "tour-1", "branch_id": "hotel"})
}

pub(super) fn succeed() -> Value {
    json!({"gid": "tour-1", "branch_id": "flight", "operation": "try"})
}

pub(super) fn fail() -> Value {
    json!({"gid": "tour-1", "branch_id": "flight", "operation": "try", "reason": "sold out"})
}

pub(super) fn abort() -> Value {
    json!({"gid": "order-2", "reason": "the customer left", "wait": true})
}

pub(super) fn retry() -> Value {
    json!({"reason": "the payment service is back"})
}

pub(super) fn skip() -> Value {
    let reason = "refunded by hand, ticket 4711";
    json!({"branch_id": "payment", "operation": "compensation", "reason": reason})
}

pub(super) fn force() -> Value {
    json!({"to": "aborted", "reason": "settled by hand, ticket 4712"})
}
