//! Schemas of what the server answers. All fields that there are stand here; a later version may add some.

use seata_core::{End, Status};
use seata_service::ErrorCode;
use utoipa::openapi::schema::AllOfBuilder;

use super::schema::{Fields, Part, about, anything, count, list, named, one_of, or_null, text};
use super::words::{branch_id, branch_ids, endpoint, gid, mode, operation, status, time, unix};

/// What may have happened to a transaction.
const KINDS: [&str; 18] = [
    "created",
    "branch_added",
    "submitted",
    "abort_requested",
    "answered",
    "recovered",
    "turned_round",
    "committed",
    "aborted",
    "stuck",
    "retried",
    "skipped",
    "forced",
    "try_requested",
    "try_begun",
    "completed",
    "hurried",
    "elided",
];

const BRANCH_STATUSES: [&str; 14] = [
    "PREPARED",
    "ACTING",
    "SUCCEEDED",
    "REFUSED",
    "IN_DOUBT",
    "COMPENSATING",
    "COMPENSATED",
    "REGISTERED",
    "TRYING",
    "TRIED",
    "CONFIRMING",
    "CONFIRMED",
    "CANCELLING",
    "CANCELLED",
];

const OPERATION_STATUSES: [&str; 5] = ["OPEN", "CALLING", "SUCCEEDED", "REFUSED", "SKIPPED"];

const OUTCOMES: [&str; 4] = ["success", "failure", "ongoing", "unknown"];

/// All of them, by name.
pub(super) fn all() -> Vec<(&'static str, Part)> {
    vec![
        ("Problem", problem()),
        ("Started", started()),
        ("Added", done("The branch is durable.", "success")),
        ("Tried", tried()),
        ("TryPending", try_pending()),
        ("Accepted", accepted()),
        ("Settled", settled()),
        ("Pending", pending()),
        ("Ordered", ordered()),
        ("Transaction", transaction()),
        ("BranchState", branch()),
        ("OperationState", operation_state()),
        ("Event", event()),
        ("Summary", summary()),
        ("Health", health()),
        ("Alive", done("The process answers.", "alive")),
        ("Ready", done("Send requests here.", "ready")),
    ]
}

/// A refusal with one of these codes.
pub(super) fn problem_with(codes: &[ErrorCode]) -> Part {
    let codes = one_of(codes.iter().map(|code| code.as_str()));
    let narrowed = Fields::new("With one of these codes.").required("code", codes);
    AllOfBuilder::new()
        .item(named("Problem"))
        .item(narrowed.open())
        .into()
}

fn problem() -> Part {
    let code = about(
        one_of(ErrorCode::ALL.map(ErrorCode::as_str)),
        "For programs: what kind of refusal it is. Codes never change their meaning.",
    );
    Fields::new("A refusal. What was refused has changed nothing.")
        .required(
            "error",
            about(text(), "For people: what is wrong and how to mend it."),
        )
        .required("code", code)
        .required("details", details())
        .open()
}

fn details() -> Part {
    Fields::new("What a program may want to read.")
        .sometimes("field", about(text(), "The path of the wrong field."))
        .sometimes("gid", gid())
        .sometimes("status", about(text(), "The state as it is."))
        .sometimes("branch_id", branch_id())
        .sometimes("branch_status", one_of(BRANCH_STATUSES))
        .sometimes("decided", one_of(["confirm", "abort"]))
        .sometimes("operation", operation())
        .sometimes("mode", mode())
        .sometimes("reason", about(text(), "What the participant said."))
        .sometimes("unknown", branch_id())
        .sometimes("cycle", branch_ids())
        .sometimes("bytes_max", count())
        .sometimes("branches_max", count())
        .sometimes("last_event", count())
        .sometimes("allow", about(list(text()), "The methods of the path."))
        .open()
}

fn started() -> Part {
    Fields::new("It has begun, durably.")
        .required("gid", gid())
        .open()
}

fn done(words: &str, status: &str) -> Part {
    Fields::new(words)
        .required("status", one_of([status]))
        .open()
}

fn tried() -> Part {
    try_known("The try succeeded.", "success").open()
}

fn try_pending() -> Part {
    let seen = "What was seen instead of an answer, if anything was.";
    try_known("Nobody knows yet: send the same body again.", "pending")
        .sometimes("reason", about(text(), seen))
        .open()
}

fn try_known(words: &str, known: &str) -> Fields {
    Fields::new(words)
        .required("status", one_of([known]))
        .required("gid", gid())
        .required("branch_id", branch_id())
        .required("transaction_status", status())
}

fn accepted() -> Part {
    Fields::new("The decision is durable.")
        .required("status", one_of(["success"]))
        .required("gid", gid())
        .required("transaction_status", super::words::status())
        .open()
}

fn settled() -> Part {
    with_transaction("It has come to that.", &["committed", "aborted", "stuck"])
}

fn pending() -> Part {
    let words = "The time ran out, or the server can't wait any longer; the transaction goes on.";
    with_transaction(words, &["pending"])
}

fn ordered() -> Part {
    with_transaction("The order is durable.", &["success"])
}

fn with_transaction(words: &str, statuses: &[&str]) -> Part {
    Fields::new(words)
        .required("status", one_of(statuses.iter().copied()))
        .required("gid", gid())
        .required("transaction", named("Transaction"))
        .open()
}

fn transaction() -> Part {
    let payload = "The payload; null if there is none or it is not JSON.";
    let waiting_for = "A sentence for a person: what it waits for first.";
    Fields::new("A global transaction. What is shown is durable.")
        .required("gid", gid())
        .required("mode", mode())
        .required("status", status())
        .required("payload", about(anything(), payload))
        .sometimes(
            "payload_base64",
            about(text(), "The payload, if it is not JSON."),
        )
        .sometimes("content_type", about(text(), "Its type."))
        .required("branches", list(named("BranchState")))
        .required("created_unix", unix())
        .required("updated_unix", unix())
        .sometimes("reason", about(text(), "Why it was or will be aborted."))
        .sometimes("deadline", time())
        .sometimes("attention", about(text(), "Why a person should look."))
        .sometimes(
            "forced",
            about(
                text(),
                "Why an operator skipped or forced something: the reason of the latest such order.",
            ),
        )
        .sometimes("waiting_for", about(text(), waiting_for))
        .open()
}

fn branch() -> Part {
    let operations = list(named("OperationState"));
    Fields::new("A branch: of a saga with `compensation` and `after`, of a TCC with `confirm` and `cancel`.")
        .required("branch_id", branch_id())
        .required("status", one_of(BRANCH_STATUSES))
        .required("action", or_null(endpoint()))
        .sometimes("compensation", or_null(endpoint()))
        .sometimes("after", branch_ids())
        .sometimes("confirm", endpoint())
        .sometimes("cancel", endpoint())
        .required(
            "operations",
            about(operations, "Those that were called or are due."),
        )
        .open()
}

fn operation_state() -> Part {
    Fields::new("An operation of a branch.")
        .required("operation", operation())
        .required("status", one_of(OPERATION_STATUSES))
        .required("calls", about(count(), "Calls that ended, however."))
        .required(
            "attempts",
            about(
                count(),
                "Those of them that count against `max_attempts`: all but the ones answered `ongoing`.",
            ),
        )
        .required("last_error", or_null(text()))
        .required("next_attempt_at", or_null(time()))
        .open()
}

fn event() -> Part {
    let ends = [End::Committed, End::Aborted].map(End::as_str);
    Fields::new("One event of a history. What does not belong to its kind is not there.")
        .required("number", about(count(), "Rises; there may be gaps."))
        .required("time", time())
        .required("kind", one_of(KINDS))
        .sometimes("branch_id", branch_id())
        .sometimes("operation", operation())
        .sometimes("attempt", about(count(), "Which call."))
        .sometimes("endpoint", endpoint())
        .sometimes("outcome", one_of(OUTCOMES))
        .sometimes("duration_ms", count())
        .sometimes(
            "error",
            about(text(), "What the participant or the network said."),
        )
        .sometimes("until", time())
        .sometimes("next_attempt_at", time())
        .sometimes("reason", text())
        .sometimes("branches", branch_ids())
        .sometimes("to", one_of(ends))
        .sometimes("calls", about(count(), "How many calls are left out."))
        .sometimes("attempts", about(count(), "How many of them count."))
        .open()
}

fn summary() -> Part {
    let statuses = Status::ALL.map(Status::as_str);
    Fields::new("A transaction in a list.")
        .required("gid", gid())
        .required("mode", mode())
        .required("status", one_of(statuses))
        .required("created_unix", unix())
        .required("updated_unix", unix())
        .open()
}

fn health() -> Part {
    Fields::new("Whether this server does its work; if it doesn't, with the fields of a refusal.")
        .required("status", one_of(["healthy", "degraded", "unhealthy"]))
        .required("timestamp", time())
        .required("store", one_of(["ok", "degraded", "unavailable"]))
        .sometimes("store_kind", text())
        .sometimes("shards", list(one_of(["ok", "unavailable"])))
        .required("version", text())
        .sometimes("error", text())
        .sometimes("code", one_of([ErrorCode::StoreUnavailable.as_str()]))
        .sometimes("details", details())
        .open()
}
