//! Options of transactions and branches, each with its range.

use std::time::Duration;

use seata_core::{BranchOptions, Header, Mode, Options, Order, RetryPolicy};

use super::headers::headers;
use super::number::{SecsRange, count, span};
use crate::content::{Content, Part};
use crate::defaults::Defaults;
use crate::path::Path;
use crate::problem::Problem;
use crate::request::{BranchOptionsRequest, CallOptionsRequest, OptionsRequest, Pairs};

/// From 10 ms to a day: time limits of calls and intervals between them.
const CALL_RANGE: SecsRange = SecsRange::new(0.01, 86_400.0);

/// From 10 ms to a year: time limits of transactions.
const TRANSACTION_RANGE: SecsRange = SecsRange::new(0.01, 31_536_000.0);

const ATTEMPTS_MAX: u32 = 1_000_000;
const PARALLELISM_MAX: u32 = 1_000;

/// Reads the options of a transaction over the server's defaults.
pub(super) fn options(
    path: Path<'_>,
    given: OptionsRequest<'_>,
    mode: Mode,
    defaults: &Defaults,
    content: &mut Content,
) -> Result<Options, Problem> {
    let calls = call_options(path, given.calls, content)?;
    let limit = |name: &'static str, given: Option<f64>| {
        given
            .map(|secs| span(path.key(name), secs, TRANSACTION_RANGE))
            .transpose()
    };
    let timeout_to_fail = limit("timeout_to_fail_secs", given.timeout_to_fail)?;
    let prepared_timeout = limit("prepared_timeout_secs", given.prepared_timeout)?;
    let parallelism = given
        .branch_parallelism
        .map(|given| count(path.key("branch_parallelism"), given, 1, PARALLELISM_MAX))
        .transpose()?;
    content.span(Part::TimeoutToFail, timeout_to_fail);
    content.span(Part::PreparedTimeout, prepared_timeout);
    content.count(Part::BranchParallelism, parallelism.map(u64::from));
    content.count(Part::Order, given.order.map(ordinal));
    Ok(Options {
        request_timeout: calls.request_timeout.unwrap_or(defaults.request_timeout),
        retry: retry(&calls, defaults),
        timeout_to_fail: timeout_to_fail
            .or(defaults.timeout_to_fail)
            .or(timeout_to_fail_of(mode)),
        prepared_timeout: prepared_timeout.unwrap_or(defaults.prepared_timeout),
        branch_parallelism: parallelism.unwrap_or(defaults.branch_parallelism),
        order: given.order.unwrap_or(Order::Concurrent),
        attention_attempts: defaults.attention_attempts,
        headers: headers(path.key("headers"), given.headers, content)?,
    })
}

/// What holds if neither the request nor the configuration names a deadline: tries reserve, and must not do so for ever.
const fn timeout_to_fail_of(mode: Mode) -> Option<Duration> {
    match mode {
        Mode::Saga => None,
        Mode::Tcc => Some(Duration::from_secs(35)),
    }
}

/// Reads the options of a branch, and its headers, which may stand in either of two places.
pub(super) fn branch_options(
    path: Path<'_>,
    given: BranchOptionsRequest<'_>,
    own_headers: Option<Pairs<'_>>,
    content: &mut Content,
) -> Result<(BranchOptions, Vec<Header>), Problem> {
    let at = path.key("options");
    let options = call_options(at, given.calls, content)?;
    let (place, given) = match (own_headers, given.headers) {
        (Some(_), Some(_)) => {
            let why = "is given beside the branch's own `headers`: give one of them";
            return Err(Problem::field(at.key("headers"), why));
        }
        (Some(own), None) => (path.key("headers"), Some(own)),
        (None, given) => (at.key("headers"), given),
    };
    Ok((options, headers(place, given, content)?))
}

fn call_options(
    path: Path<'_>,
    given: CallOptionsRequest,
    content: &mut Content,
) -> Result<BranchOptions, Problem> {
    let limit = |name: &'static str, given: Option<f64>| {
        given
            .map(|secs| span(path.key(name), secs, CALL_RANGE))
            .transpose()
    };
    let options = BranchOptions {
        request_timeout: limit("request_timeout_secs", given.request_timeout)?,
        retry_interval: limit("retry_interval_secs", given.retry_interval)?,
        retry_interval_max: limit("retry_interval_max_secs", given.retry_interval_max)?,
        max_attempts: given
            .max_attempts
            .map(|given| count(path.key("max_attempts"), given, 0, ATTEMPTS_MAX))
            .transpose()?,
    };
    if let (Some(first), Some(max)) = (options.retry_interval, options.retry_interval_max)
        && max < first
    {
        let why = "is shorter than `retry_interval_secs`: give at least as much";
        return Err(Problem::field(path.key("retry_interval_max_secs"), why));
    }
    content.span(Part::RequestTimeout, options.request_timeout);
    content.span(Part::RetryInterval, options.retry_interval);
    content.span(Part::RetryIntervalMax, options.retry_interval_max);
    content.count(Part::MaxAttempts, options.max_attempts.map(u64::from));
    Ok(options)
}

/// What is given wins: a default never stretches a given bound, nor cuts a given interval.
fn retry(given: &BranchOptions, defaults: &Defaults) -> RetryPolicy {
    let at_most = given.retry_interval_max.unwrap_or(Duration::MAX);
    let first = given
        .retry_interval
        .unwrap_or(defaults.retry_interval.min(at_most));
    RetryPolicy {
        first,
        max: given
            .retry_interval_max
            .unwrap_or(defaults.retry_interval_max.max(first)),
        max_attempts: given.max_attempts.unwrap_or(defaults.max_attempts),
    }
}

const fn ordinal(order: Order) -> u64 {
    match order {
        Order::Concurrent => 0,
        Order::Sequential => 1,
    }
}
