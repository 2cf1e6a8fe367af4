//! `/api/submit`, by gid or whole, and `/api/abort`.

use std::sync::Arc;

use axum::extract::Request;

use super::settle::settle;
use crate::api::Api;
use crate::endpoint::Answer;
use crate::parse::bodies::{AbortBody, TransactionBody};
use crate::parse::parse;
use crate::read;

/// Submits, and waits if asked to.
pub(super) async fn submit(api: Arc<Api>, request: Request) -> Answer {
    let service = &api.service;
    let body = api.bodies.take(request).await?;
    let (submission, wait) = parse::<TransactionBody<'_>>(&body)
        .and_then(|body| read::submit(body, &service.rules().limits))
        .and_then(|asked| asked.resolve(service.rules(), service.now()))?;
    let room = body.into_room();
    let submitted = service.submit(submission).await;
    drop(room);
    settle(&api, submitted?, wait).await
}

/// Aborts, and waits if asked to.
pub(super) async fn abort(api: Arc<Api>, request: Request) -> Answer {
    let body = api.bodies.take(request).await?;
    let (gid, reason, wait) =
        parse::<AbortBody<'_>>(&body).and_then(|body| read::abort(body).resolve())?;
    drop(body);
    let aborted = api.service.abort(gid, reason).await?;
    settle(&api, aborted, wait).await
}
