//! Turns bodies into the core's types: checks every value once, names the field that is wrong, fills in defaults, and
//! digests what was asked for.

mod branch;
mod headers;
mod number;
mod options;
mod order;
mod payload;
mod transaction;

pub(crate) use branch::added_branch;
pub(crate) use order::{force, retry, skip};
pub(crate) use transaction::{Whole, whole};

use std::time::Duration;

use seata_core::{BranchId, Gid};

use crate::api::{Limits, LocalEndpoints};
use crate::code::ErrorCode;
use crate::defaults::Defaults;
use crate::parse::path::Path;
use crate::parse::values::{Text, Wait};
use crate::problem::Problem;
use number::{SecsRange, span};

/// What bodies are checked against.
#[derive(Clone, Copy)]
pub(crate) struct Rules<'a> {
    pub(crate) limits: Limits,
    pub(crate) local: LocalEndpoints,
    pub(crate) defaults: &'a Defaults,
}

/// How long `"wait": true` waits.
const WAIT_TRUE: Duration = Duration::from_secs(30);

/// How long a client may wait.
const WAIT_RANGE: SecsRange = SecsRange::new(0.0, 300.0);

/// Reads how long a client waits for the end; none: it doesn't. Zero seconds look once: what is asked decides the
/// shape of the answer, not how much time a client has left.
pub(crate) fn wait(given: Option<Wait>) -> Result<Option<Duration>, Problem> {
    match given {
        None | Some(Wait::No) => Ok(None),
        Some(Wait::Yes) => Ok(Some(WAIT_TRUE)),
        Some(Wait::For(secs)) => span(Path::Body.key("wait"), secs, WAIT_RANGE).map(Some),
    }
}

/// Reads a gid that must be given.
pub(crate) fn gid(given: Option<&Text<'_>>) -> Result<Gid, Problem> {
    let text = given.ok_or_else(|| missing(Path::Body.key("gid")))?;
    Gid::parse(&text.0).map_err(|error| Problem::invalid(ErrorCode::InvalidGid, "gid", error))
}

fn branch_id(path: Path<'_>, text: &Text<'_>) -> Result<BranchId, Problem> {
    BranchId::parse(&text.0).map_err(|error| Problem::field(path, error))
}

fn missing(path: Path<'_>) -> Problem {
    Problem::field(path, "is missing: it must be given")
}
