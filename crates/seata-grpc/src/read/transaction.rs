//! Transactions and branches as asked for.

use std::collections::BTreeMap;

use seata_proto::v1;
use seata_service::request::{
    AddBranchRequest, BranchOptionsRequest, BranchRequest, CallOptionsRequest, OptionsRequest,
    Pairs, PayloadRequest, SubmitRequest, TransactionRequest,
};
use seata_service::{Limits, Problem};
use serde::de::IgnoredAny;

use super::{secs, text, wait, words};

const JSON: &str = "application/json";

/// Reads what is to be begun.
pub(crate) fn start<'a>(
    message: &'a v1::StartGlobalRequest,
    limits: &Limits,
) -> Result<TransactionRequest<'a>, Problem> {
    match &message.transaction {
        Some(definition) => transaction(&message.gid, definition, limits),
        None => Ok(TransactionRequest {
            gid: text(&message.gid),
            ..TransactionRequest::default()
        }),
    }
}

/// Reads what is to be submitted.
pub(crate) fn submit<'a>(
    message: &'a v1::SubmitRequest,
    limits: &Limits,
) -> Result<SubmitRequest<'a>, Problem> {
    let transaction = match &message.transaction {
        Some(definition) => transaction(&message.gid, definition, limits)?,
        None => TransactionRequest {
            gid: text(&message.gid),
            ..TransactionRequest::default()
        },
    };
    Ok(SubmitRequest {
        transaction,
        wait: wait(message.wait.as_ref()),
    })
}

/// Reads one branch more.
pub(crate) fn added_branch<'a>(
    gid: &'a str,
    asked: Option<&'a v1::BranchDefinition>,
) -> AddBranchRequest<'a> {
    AddBranchRequest {
        gid: text(gid),
        branch: asked.map(branch).unwrap_or_default(),
    }
}

fn transaction<'a>(
    gid: &'a str,
    definition: &'a v1::TransactionDefinition,
    limits: &Limits,
) -> Result<TransactionRequest<'a>, Problem> {
    let gid = text(gid);
    limits.allow_branches(definition.branches.len(), gid.as_deref())?;
    Ok(TransactionRequest {
        gid,
        mode: words::mode(definition.mode)?,
        payload: definition.payload.as_ref().map(payload),
        options: definition.options.as_ref().map(options).transpose()?,
        branches: Some(definition.branches.iter().map(branch).collect()),
    })
}

fn branch(definition: &v1::BranchDefinition) -> BranchRequest<'_> {
    BranchRequest {
        branch_id: text(&definition.branch_id),
        action: text(&definition.action),
        compensation: text(&definition.compensation),
        confirm: text(&definition.confirm),
        cancel: text(&definition.cancel),
        payload: definition.payload.as_ref().map(payload),
        after: definition.after.iter().map(|name| name.into()).collect(),
        headers: headers(&definition.headers),
        options: BranchOptionsRequest {
            calls: definition.options.as_ref().map(calls).unwrap_or_default(),
            headers: None,
        },
    }
}

/// What says that it is JSON, and is, is the same content as over HTTP; else bytes are bytes.
fn payload(message: &v1::Payload) -> PayloadRequest<'_> {
    match json(message) {
        Some(json) => PayloadRequest::Json(json),
        None => PayloadRequest::Bytes {
            field: "payload",
            bytes: (&*message.data).into(),
            content_type: text(&message.content_type),
        },
    }
}

fn json(message: &v1::Payload) -> Option<&str> {
    let says_so = message.content_type == JSON;
    let text = says_so.then(|| std::str::from_utf8(&message.data).ok())??;
    serde_json::from_str::<IgnoredAny>(text).ok().map(|_| text)
}

fn options(message: &v1::Options) -> Result<OptionsRequest<'_>, Problem> {
    Ok(OptionsRequest {
        calls: CallOptionsRequest {
            request_timeout: message.request_timeout.as_ref().map(secs),
            retry_interval: message.retry_interval.as_ref().map(secs),
            retry_interval_max: message.retry_interval_max.as_ref().map(secs),
            max_attempts: message.max_attempts.map(u64::from),
        },
        headers: headers(&message.headers),
        timeout_to_fail: message.timeout_to_fail.as_ref().map(secs),
        prepared_timeout: message.prepared_timeout.as_ref().map(secs),
        branch_parallelism: message.branch_parallelism.map(u64::from),
        order: words::order(message.order)?,
    })
}

fn calls(message: &v1::BranchOptions) -> CallOptionsRequest {
    CallOptionsRequest {
        request_timeout: message.request_timeout.as_ref().map(secs),
        retry_interval: message.retry_interval.as_ref().map(secs),
        retry_interval_max: message.retry_interval_max.as_ref().map(secs),
        max_attempts: message.max_attempts.map(u64::from),
    }
}

fn headers(map: &BTreeMap<String, String>) -> Option<Pairs<'_>> {
    let pairs = map.iter().map(|(name, value)| (name.into(), value.into()));
    (!map.is_empty()).then(|| pairs.collect())
}
