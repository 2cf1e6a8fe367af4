//! Whole transactions.

use std::sync::Arc;

use seata_core::{Definition, Gid, Mode, UnixMillis};
use uuid::Uuid;

use super::Rules;
use super::branch::listed_branch;
use super::options::options;
use super::payload::{Given, payload};
use crate::content::{Content, Part};
use crate::parse::bodies::TransactionBody;
use crate::parse::path::Path;
use crate::parse::values::Text;
use crate::problem::Problem;

/// A transaction as asked for, with its name.
pub(crate) struct Whole {
    pub(crate) gid: Gid,
    pub(crate) definition: Arc<Definition>,
}

/// Reads a whole transaction. Without a gid it gets one that is ordered by time.
pub(crate) fn whole(
    body: TransactionBody<'_>,
    rules: Rules<'_>,
    now: UnixMillis,
) -> Result<Whole, Problem> {
    let gid = match &body.gid {
        Some(_) => super::gid(body.gid.as_ref())?,
        None => new_gid(now),
    };
    let mode = mode(body.mode.as_ref())?;
    let mut content = Content::new();
    content.put(Part::Mode, mode.as_str().as_bytes());
    let given = Given {
        json: body.payload,
        base64: body.payload_base64,
        content_type: body.content_type,
    };
    let payload = payload(
        Path::Body,
        given,
        rules.limits.payload_bytes_max,
        &mut content,
    )?;
    let options = options(
        Path::Body.key("options"),
        body.options.unwrap_or_default(),
        rules.defaults,
        &mut content,
    )?;
    let list = Path::Body.key("branches");
    let branches = body.branches.map_or_else(Vec::new, |list| list.0);
    let branches = branches
        .into_iter()
        .enumerate()
        .map(|(at, branch)| listed_branch(list.item(at), branch, rules))
        .collect::<Result<Vec<_>, _>>()?;
    for branch in &branches {
        content.put(Part::Branch, &branch.fingerprint.0);
    }
    let definition = Definition {
        mode,
        branches,
        options,
        payload,
        fingerprint: content.finish(),
    };
    Ok(Whole {
        gid,
        definition: Arc::new(definition),
    })
}

fn mode(given: Option<&Text<'_>>) -> Result<Mode, Problem> {
    match given.map(|text| &*text.0) {
        None | Some("saga") => Ok(Mode::Saga),
        Some(other) => Err(Problem::field(
            "mode",
            format_args!("{other:?} is no mode of this server: give \"saga\""),
        )),
    }
}

/// Makes a UUID of version 7 by the store's clock, as 36 characters.
fn new_gid(now: UnixMillis) -> Gid {
    let secs = u64::try_from(now.0.div_euclid(1000)).unwrap_or(0);
    let ms = u32::try_from(now.0.rem_euclid(1000)).unwrap_or(0);
    let time = uuid::Timestamp::from_unix(uuid::NoContext, secs, ms * 1_000_000);
    let mut buffer = Uuid::encode_buffer();
    let text = Uuid::new_v7(time).hyphenated().encode_lower(&mut buffer);
    Gid::parse(text).expect("invariant: a UUID is a gid")
}
