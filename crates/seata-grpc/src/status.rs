//! The one shape in which every refusal goes out: a code, the text, and in the details the stable code with its facts.

use std::collections::HashMap;
use std::time::Duration;

use seata_service::{Detail, ErrorCode, Problem};
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt};

/// The domain of every `ErrorInfo`.
pub const DOMAIN: &str = "seata";

/// The longest fact that goes out, in bytes: details travel in a header.
const FACT_BYTES_MAX: usize = 1024;

/// Spans have a unit in their names in JSON, and are spans here.
const SPANS: [&str; 5] = [
    "request_timeout",
    "retry_interval_max",
    "retry_interval",
    "timeout_to_fail",
    "prepared_timeout",
];

/// Answers the gRPC code that carries a code.
#[must_use]
pub const fn code_of(code: ErrorCode) -> Code {
    match code {
        ErrorCode::InvalidRequest
        | ErrorCode::InvalidGid
        | ErrorCode::PayloadTooLarge
        | ErrorCode::MethodNotAllowed
        | ErrorCode::UnsupportedMediaType => Code::InvalidArgument,
        ErrorCode::RouteNotFound | ErrorCode::TransactionNotFound | ErrorCode::BranchNotFound => {
            Code::NotFound
        }
        ErrorCode::GidConflict | ErrorCode::BranchConflict => Code::AlreadyExists,
        ErrorCode::BranchRefused | ErrorCode::InvalidStatusTransition | ErrorCode::EventsGone => {
            Code::FailedPrecondition
        }
        ErrorCode::Overloaded => Code::ResourceExhausted,
        ErrorCode::RecordUnreadable | ErrorCode::Internal => Code::Internal,
        ErrorCode::StoreUnavailable | ErrorCode::StoreFull | ErrorCode::Stopping => {
            Code::Unavailable
        }
    }
}

/// Where the fields of a request stand that the service knows by their names in JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Within {
    /// In the request itself.
    Request,
    /// In `transaction`, but the gid and how long the client waits.
    Transaction,
    /// In `branch`, but the gid.
    Branch,
}

/// Renders a refusal.
pub(crate) fn refuse(problem: &Problem, within: Within) -> Status {
    let mut details = ErrorDetails::new();
    let mut text = problem.text().to_owned();
    let mut facts = HashMap::new();
    for (name, detail) in problem.details() {
        let mut fact = fact(detail);
        if *name == "field" {
            let place = place(&fact, within);
            text = match text.strip_prefix(&*fact) {
                Some(rest) => format!("{place}{}", words(rest)),
                None => words(&text),
            };
            details.add_bad_request_violation(place.as_str(), text.as_str());
            fact = place;
        }
        facts.insert((*name).to_owned(), fact);
    }
    details.set_error_info(problem.code.as_str(), DOMAIN, facts);
    if let Some(secs) = problem.retry_after_secs() {
        details.set_retry_info(Some(Duration::from_secs(secs)));
    }
    Status::with_error_details(code_of(problem.code), text, details)
}

fn fact(detail: &Detail) -> String {
    let mut text = match detail {
        Detail::Text(text) => text.clone(),
        Detail::Count(count) => count.to_string(),
        Detail::Names(names) => names.join(","),
    };
    if text.len() > FACT_BYTES_MAX {
        let mut end = FACT_BYTES_MAX;
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        text.truncate(end);
    }
    text
}

/// Says where a field stands in the message.
fn place(field: &str, within: Within) -> String {
    let field = words(field);
    match (within, field.as_str()) {
        (Within::Request, _) | (_, "gid" | "wait") => field,
        (Within::Transaction, _) => format!("transaction.{field}"),
        (Within::Branch, _) => format!("branch.{field}"),
    }
}

fn words(text: &str) -> String {
    SPANS.iter().fold(text.to_owned(), |text, span| {
        text.replace(&format!("{span}_secs"), span)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refused_field_is_named_as_the_message_names_it() {
        let problem = Problem::field(
            "options.retry_interval_max_secs",
            "is shorter than `retry_interval_secs`",
        );
        let status = refuse(&problem, Within::Transaction);
        assert_eq!(
            status.message(),
            "transaction.options.retry_interval_max: is shorter than `retry_interval`"
        );
        let details = status.get_error_details();
        let violations = details.bad_request().map(|bad| &bad.field_violations);
        let field = violations
            .and_then(|all| all.first())
            .map(|one| &*one.field);
        assert_eq!(field, Some("transaction.options.retry_interval_max"));
        let gid = refuse(
            &Problem::invalid(ErrorCode::InvalidGid, "gid", "x"),
            Within::Branch,
        );
        assert_eq!(gid.message(), "gid: x");
    }

    #[test]
    fn facts_are_bounded() {
        let problem = Problem::new(ErrorCode::InvalidRequest, "x").with(
            "cycle",
            Detail::Names(vec!["é".repeat(600), "b".to_owned()]),
        );
        let status = refuse(&problem, Within::Request);
        let details = status.get_error_details();
        let fact = details
            .error_info()
            .map(|info| info.metadata["cycle"].len());
        assert_eq!(fact, Some(FACT_BYTES_MAX));
    }
}
