//! Schemas of the bodies that clients send. Each takes all that the parser takes: what is refused for a reason that no
//! schema can say, such as two fields that contradict each other, is said in words.

use seata_core::End;
use seata_service::Defaults;

use super::schema::{
    Fields, Part, about, default, list, named, one_of, one_of_in_any_case, secs, whole,
};
use super::words::{
    branch_id, branch_ids, endpoint, gid, headers, headers_schema, mode, operation, reason,
    reason_given, wait, with_payload,
};

/// From 10 ms to a day: time limits of calls and intervals between them.
const CALL_SECS: (f64, f64) = (0.01, 86_400.0);

/// From 10 ms to a year: time limits of transactions.
const TRANSACTION_SECS: (f64, f64) = (0.01, 31_536_000.0);

/// What no schema can say of the bodies that are not closed.
const UNKNOWN: &str = "Unknown fields are ignored, but one that is near to a known one is refused: it is surely misspelt.";

/// All of them, by name.
pub(super) fn all(defaults: &Defaults) -> Vec<(&'static str, Part)> {
    vec![
        ("Start", start()),
        ("Submit", submit()),
        ("Abort", abort()),
        ("Branch", listed_branch()),
        ("AddBranch", add_branch()),
        ("RegisterBranch", register_branch()),
        ("TryBranch", try_branch()),
        ("BranchOrder", branch_order()),
        ("Succeed", completion("Says that an operation was done.")),
        ("Fail", completion("Says that an operation was refused.")),
        ("Options", options(defaults)),
        ("BranchOptions", branch_options(defaults)),
        ("Headers", headers_schema()),
        ("Retry", retry()),
        ("Skip", skip()),
        ("Force", force()),
    ]
}

fn start() -> Part {
    let wait = about(
        super::schema::anything(),
        "Checked as of a submission, and ignored.",
    );
    transaction("A transaction, all of it or what is known at its beginning.")
        .optional("wait", wait)
        .open()
}

fn submit() -> Part {
    let words = "A whole transaction, which has branches; or `gid` and `wait` alone, of what was begun before.";
    transaction(words).optional("wait", wait()).open()
}

fn transaction(words: &str) -> Fields {
    let fields = Fields::new(&format!(
        "{words} {UNKNOWN} So is an option that stands outside `options`."
    ))
    .optional("gid", gid())
    .optional("mode", default(mode(), "saga"));
    with_payload(fields)
        .optional("options", named("Options"))
        .optional("branches", list(named("Branch")))
}

fn listed_branch() -> Part {
    let words = "A branch in the list of a transaction: of a saga it needs `action`, of a TCC `confirm` and `cancel`, which default to `action`.";
    let fields = Fields::new(words)
        .required("branch_id", branch_id())
        .optional("action", endpoint());
    rest_of_branch(of_tcc(of_saga(fields)))
}

fn add_branch() -> Part {
    let words = "A branch of a saga, and the transaction that it belongs to.";
    let fields = of_transaction(words).required("action", endpoint());
    rest_of_branch(of_saga(fields))
}

fn register_branch() -> Part {
    let words = "A branch of a TCC whose try the initiator calls, and the transaction that it belongs to. `confirm` and `cancel` default to `action`.";
    rest_of_branch(of_tcc(of_transaction(words).optional("action", endpoint())))
}

fn try_branch() -> Part {
    let words = "A branch of a TCC, and the transaction that it belongs to: `action` is the try, and what `confirm` and `cancel` default to.";
    rest_of_branch(of_tcc(of_transaction(words).required("action", endpoint())))
}

fn of_transaction(words: &str) -> Fields {
    Fields::new(words)
        .required("gid", gid())
        .required("branch_id", branch_id())
}

fn of_saga(fields: Fields) -> Fields {
    let alias = "The same as `compensation`; one of them may be given.";
    fields
        .optional("compensation", endpoint())
        .optional("compensate", about(endpoint(), alias))
        .optional(
            "after",
            about(branch_ids(), "At most 10000 names, each needed once."),
        )
}

fn of_tcc(fields: Fields) -> Fields {
    fields
        .optional("confirm", endpoint())
        .optional("cancel", endpoint())
}

fn rest_of_branch(fields: Fields) -> Part {
    with_payload(fields)
        .optional("headers", headers())
        .optional("options", named("BranchOptions"))
        .closed()
}

fn branch_order() -> Part {
    of_transaction("Which branch is confirmed or cancelled.").open()
}

fn completion(words: &str) -> Part {
    of_transaction(words)
        .optional("operation", operation())
        .optional("reason", reason())
        .open()
}

fn options(defaults: &Defaults) -> Part {
    let to_fail = secs(TRANSACTION_SECS.0, TRANSACTION_SECS.1);
    let to_fail = match defaults.timeout_to_fail {
        Some(span) => default(to_fail, span.as_secs_f64()),
        None => to_fail,
    };
    let prepared = secs(TRANSACTION_SECS.0, TRANSACTION_SECS.1);
    let prepared = default(prepared, defaults.prepared_timeout.as_secs_f64());
    let parallelism = default(whole(1, 1_000), defaults.branch_parallelism);
    let order = default(one_of(["concurrent", "sequential"]), "concurrent");
    let words =
        "Options of a transaction. The defaults are those of this server as it is configured.";
    call_options(Fields::new(words), defaults)
        .optional("timeout_to_fail_secs", to_fail)
        .optional("prepared_timeout_secs", prepared)
        .optional("branch_parallelism", parallelism)
        .optional("order", order)
        .closed()
}

fn branch_options(defaults: &Defaults) -> Part {
    let words = "Options of a branch, which win over those of its transaction.";
    call_options(Fields::new(words), defaults).closed()
}

fn call_options(fields: Fields, defaults: &Defaults) -> Fields {
    let span =
        |given: std::time::Duration| default(secs(CALL_SECS.0, CALL_SECS.1), given.as_secs_f64());
    fields
        .optional("request_timeout_secs", span(defaults.request_timeout))
        .optional("retry_interval_secs", span(defaults.retry_interval))
        .optional("retry_interval_max_secs", span(defaults.retry_interval_max))
        .optional(
            "max_attempts",
            default(whole(0, 1_000_000), defaults.max_attempts),
        )
        .optional("headers", headers())
}

fn abort() -> Part {
    Fields::new(&format!("An abort. {UNKNOWN}"))
        .required("gid", gid())
        .optional("reason", reason())
        .optional("wait", wait())
        .open()
}

fn retry() -> Part {
    Fields::new("An order to try again at once: this branch, or all.")
        .optional("branch_id", branch_id())
        .required("reason", reason_given())
        .closed()
}

fn skip() -> Part {
    let words = "An order to count one operation as done; by default that of the present direction, refused if an earlier one may be meant.";
    Fields::new(words)
        .required("branch_id", branch_id())
        .optional("operation", operation())
        .required("reason", reason_given())
        .closed()
}

fn force() -> Part {
    let ends = [End::Committed, End::Aborted].map(End::as_str);
    Fields::new("An order to end it, without any more calls.")
        .required("to", one_of_in_any_case(ends))
        .required("reason", reason_given())
        .closed()
}
