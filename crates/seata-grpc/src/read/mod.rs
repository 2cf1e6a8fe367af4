//! Turns messages into the service's requests: translates words of closed sets, spans and times, and checks nothing else.
//! Texts and payloads stay in the message.

mod list;
mod transaction;
mod words;

pub(crate) use list::list;
pub(crate) use transaction::{added_branch, start, submit};
pub(crate) use words::{end, mode, operation, statuses};

use prost_types::{Duration, Timestamp};
use seata_core::{Gid, UnixMillis};
use seata_proto::v1;
use seata_service::request::{
    AbortRequest, BranchOrderRequest, CompletionRequest, Text, WaitRequest,
};
use seata_service::{ErrorCode, Problem};

/// Reads an abort.
pub(crate) fn abort(message: &v1::AbortRequest) -> AbortRequest<'_> {
    AbortRequest {
        gid: text(&message.gid),
        reason: text(&message.reason),
        wait: wait(message.wait.as_ref()),
    }
}

/// Reads which branch is meant.
pub(crate) fn branch_order<'a>(gid: &'a str, branch_id: &'a str) -> BranchOrderRequest<'a> {
    BranchOrderRequest {
        gid: text(gid),
        branch_id: text(branch_id),
    }
}

/// Reads a completion from outside.
pub(crate) fn completion<'a>(
    gid: &'a str,
    branch_id: &'a str,
    asked: i32,
    reason: &'a str,
) -> Result<CompletionRequest<'a>, Problem> {
    Ok(CompletionRequest {
        gid: text(gid),
        branch_id: text(branch_id),
        operation: operation(asked)?,
        reason: text(reason),
    })
}

/// Reads the gid of a transaction that is there.
pub(crate) fn gid(text: &str) -> Result<Gid, Problem> {
    Gid::parse(text).map_err(|error| Problem::invalid(ErrorCode::InvalidGid, "gid", error.why()))
}

/// Reads a text; an empty one counts as not given.
pub(crate) fn text(text: &str) -> Option<Text<'_>> {
    (!text.is_empty()).then(|| text.into())
}

fn wait(given: Option<&Duration>) -> Option<WaitRequest> {
    given.map(|span| WaitRequest::Secs(secs(span)))
}

#[allow(
    clippy::cast_precision_loss,
    reason = "a range is checked next; all in it are exact"
)]
fn secs(span: &Duration) -> f64 {
    span.seconds as f64 + f64::from(span.nanos) / 1e9
}

fn instant(given: Option<&Timestamp>) -> Option<UnixMillis> {
    given.map(|at| {
        let ms = i64::from(at.nanos / 1_000_000);
        UnixMillis(at.seconds.saturating_mul(1000).saturating_add(ms))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_and_times_are_read_to_the_millisecond_and_never_overflow() {
        let span = |seconds, nanos| secs(&Duration { seconds, nanos });
        assert!((span(1, 250_000_000) - 1.25).abs() < 1e-9);
        assert!(span(-1, -500_000_000) < 0.0);
        assert!(span(i64::MAX, i32::MAX) > 1e18);
        let at = |seconds, nanos| instant(Some(&Timestamp { seconds, nanos })).map(|at| at.0);
        assert_eq!(at(1, 999_999_999), Some(1_999));
        assert_eq!(at(i64::MAX, i32::MAX), Some(i64::MAX));
        assert_eq!(at(i64::MIN, i32::MIN), Some(i64::MIN));
    }
}
