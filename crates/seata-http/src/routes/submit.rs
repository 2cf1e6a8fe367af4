//! `/api/submit`, by gid or whole, and `/api/abort`.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::Request;
use seata_core::{Gid, Reason};

use super::settle::settle;
use crate::api::Api;
use crate::code::ErrorCode;
use crate::endpoint::Answer;
use crate::parse::bodies::{AbortBody, TransactionBody};
use crate::parse::parse;
use crate::problem::Problem;
use crate::resolve::{self, Whole, whole};

enum Submission {
    /// What was begun before.
    ByGid(Gid),
    /// All of it in this request.
    Whole(Whole),
}

/// Submits, and waits if asked to.
pub(super) async fn submit(api: Arc<Api>, request: Request) -> Answer {
    let body = api.bodies.take(request).await?;
    let (submission, wait) = read_submission(&api, &body)?;
    let room = body.into_room();
    let (gid, submitted) = match submission {
        Submission::ByGid(gid) => (gid.clone(), api.engine.submit(gid).await),
        Submission::Whole(Whole { gid, definition }) => {
            (gid.clone(), api.engine.run(gid, definition).await)
        }
    };
    drop(room);
    let snapshot = submitted.map_err(|error| Problem::from(error).of(&gid))?;
    settle(&api, snapshot, wait).await
}

fn read_submission(api: &Api, body: &[u8]) -> Result<(Submission, Option<Duration>), Problem> {
    let body = parse::<TransactionBody<'_>>(body)?;
    let wait = resolve::wait(body.wait)?;
    if body.branches.is_some() {
        let whole = whole(body, api.rules(), api.engine.now())?;
        return Ok((Submission::Whole(whole), wait));
    }
    let more = [
        ("mode", body.mode.is_some()),
        ("payload", body.payload.is_some()),
        ("payload_base64", body.payload_base64.is_some()),
        ("options", body.options.is_some()),
    ];
    if let Some((name, _)) = more.iter().find(|(_, given)| *given) {
        let why = format_args!(
            "is missing, though `{name}` is given: send a whole transaction with its branches, or the gid alone"
        );
        return Err(Problem::field("branches", why));
    }
    if body.gid.is_none() {
        return Err(Problem::new(
            ErrorCode::InvalidRequest,
            "nothing to submit: give the gid of what was begun, or a whole transaction with its branches",
        ));
    }
    Ok((Submission::ByGid(resolve::gid(body.gid.as_ref())?), wait))
}

/// Aborts, and waits if asked to.
pub(super) async fn abort(api: Arc<Api>, request: Request) -> Answer {
    let body = api.bodies.take(request).await?;
    let (gid, reason, wait) = read_abort(&body)?;
    drop(body);
    let aborted = api.engine.abort(gid.clone(), reason).await;
    let snapshot = aborted.map_err(|error| Problem::from(error).of(&gid))?;
    settle(&api, snapshot, wait).await
}

fn read_abort(body: &[u8]) -> Result<(Gid, Reason, Option<Duration>), Problem> {
    let body = parse::<AbortBody<'_>>(body)?;
    let gid = resolve::gid(body.gid.as_ref())?;
    let reason = body.reason.as_ref().map_or("", |text| text.0.trim());
    Ok((gid, Reason::new(reason), resolve::wait(body.wait)?))
}
