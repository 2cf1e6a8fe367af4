//! Turns bodies into the service's requests: translates words of closed sets and base64, and checks nothing else.

mod branch;
mod payload;
mod words;

pub(crate) use branch::added_branch;
pub(crate) use words::{mode, statuses};

use seata_service::request::{
    AbortRequest, BranchOrderRequest, CallOptionsRequest, CompletionRequest, OptionsRequest,
    OrderRequest, Pairs, SubmitRequest, Text, TransactionRequest, WaitRequest,
};
use seata_service::{Limits, Path, Problem};

use crate::parse::bodies::{
    AbortBody, BranchOrderBody, CompletionBody, OptionsBody, OrderBody, TransactionBody,
};
use crate::parse::values;
use payload::{Given, payload};

/// Reads the body of `/api/start`.
pub(crate) fn transaction<'a>(
    body: TransactionBody<'a>,
    limits: &Limits,
) -> Result<TransactionRequest<'a>, Problem> {
    if let Some(list) = &body.branches {
        let gid = body.gid.as_ref().map(|text| &*text.0);
        limits.allow_branches(list.0.len(), gid)?;
    }
    let mode = body.mode.as_ref().map(|text| mode(&text.0)).transpose()?;
    let given = Given {
        json: body.payload,
        base64: body.payload_base64,
        content_type: body.content_type,
    };
    let list = Path::Body.key("branches");
    let branches = body.branches.map(|list| list.0.into_iter().enumerate());
    let branches = branches
        .map(|each| each.map(|(at, body)| branch::listed_branch(list.item(at), body)))
        .map(Iterator::collect::<Result<Vec<_>, _>>);
    Ok(TransactionRequest {
        gid: text(body.gid),
        mode,
        payload: payload(Path::Body, given)?,
        options: body.options.map(options).transpose()?,
        branches: branches.transpose()?,
    })
}

/// Reads the body of `/api/submit`.
pub(crate) fn submit<'a>(
    body: TransactionBody<'a>,
    limits: &Limits,
) -> Result<SubmitRequest<'a>, Problem> {
    let wait = wait(body.wait);
    Ok(SubmitRequest {
        wait,
        transaction: transaction(body, limits)?,
    })
}

/// Reads the body of `/api/abort`.
pub(crate) fn abort(body: AbortBody<'_>) -> AbortRequest<'_> {
    AbortRequest {
        gid: text(body.gid),
        reason: text(body.reason),
        wait: wait(body.wait),
    }
}

/// Reads the body of `/api/branch/confirm` and `/cancel`.
pub(crate) fn branch_order(body: BranchOrderBody<'_>) -> BranchOrderRequest<'_> {
    BranchOrderRequest {
        gid: text(body.gid),
        branch_id: text(body.branch_id),
    }
}

/// Reads the body of `/api/branch/succeed` and `/fail`.
pub(crate) fn completion(body: CompletionBody<'_>) -> Result<CompletionRequest<'_>, Problem> {
    let operation = body.operation.as_ref().map(|text| &*text.0);
    Ok(CompletionRequest {
        operation: operation.map(words::operation).transpose()?,
        gid: text(body.gid),
        branch_id: text(body.branch_id),
        reason: text(body.reason),
    })
}

/// Reads the body of an operator's order.
pub(crate) fn order(body: OrderBody<'_>) -> Result<OrderRequest<'_>, Problem> {
    let operation = body.operation.as_ref().map(|text| &*text.0);
    let to = body.to.as_ref().map(|text| &*text.0);
    Ok(OrderRequest {
        operation: operation.map(words::operation).transpose()?,
        to: to.map(words::end).transpose()?,
        branch_id: text(body.branch_id),
        reason: text(body.reason),
    })
}

fn options(body: OptionsBody<'_>) -> Result<OptionsRequest<'_>, Problem> {
    let order = body.order.as_ref().map(|text| &*text.0);
    Ok(OptionsRequest {
        calls: CallOptionsRequest {
            request_timeout: secs(body.request_timeout),
            retry_interval: secs(body.retry_interval),
            retry_interval_max: secs(body.retry_interval_max),
            max_attempts: count(body.max_attempts),
        },
        timeout_to_fail: secs(body.timeout_to_fail),
        prepared_timeout: secs(body.prepared_timeout),
        branch_parallelism: count(body.branch_parallelism),
        order: order.map(words::order).transpose()?,
        headers: body.headers.map(pairs),
    })
}

fn text(given: Option<values::Text<'_>>) -> Option<Text<'_>> {
    given.map(|text| text.0)
}

fn secs(given: Option<values::Seconds>) -> Option<f64> {
    given.map(|secs| secs.0)
}

fn count(given: Option<values::Count>) -> Option<u64> {
    given.map(|count| count.0)
}

fn pairs(given: values::Pairs<'_>) -> Pairs<'_> {
    given
        .0
        .into_iter()
        .map(|(name, value)| (name.0, value.0))
        .collect()
}

fn wait(given: Option<values::Wait>) -> Option<WaitRequest> {
    match given? {
        values::Wait::No => None,
        values::Wait::Yes => Some(WaitRequest::Usual),
        values::Wait::For(secs) => Some(WaitRequest::Secs(secs.0)),
    }
}
