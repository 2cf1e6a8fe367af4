//! Turns requests into the core's types: checks every value once, names the field that is wrong, fills in defaults,
//! and digests what was asked for.

mod branch;
mod completion;
mod endpoints;
mod headers;
mod number;
mod options;
mod order;
mod payload;
mod submission;
mod transaction;

pub use branch::AddedBranch;
pub use submission::Submission;
pub use transaction::{NamedBy, Whole};

use std::time::Duration;

use seata_core::{BranchId, Gid, Reason};
use seata_engine::Order;

use crate::code::ErrorCode;
use crate::path::Path;
use crate::problem::Problem;
use crate::request::{AbortRequest, OrderRequest, Text, WaitRequest};
use number::{SecsRange, span};

/// How long a client waits that names no time.
const WAIT_USUAL: Duration = Duration::from_secs(30);

/// How long a client may wait.
const WAIT_RANGE: SecsRange = SecsRange::new(0.0, 300.0);

/// Reads how long a client waits for the end; none: it doesn't. Zero seconds look once: what is asked decides the
/// shape of the answer, not how much time a client has left.
fn wait(given: Option<WaitRequest>) -> Result<Option<Duration>, Problem> {
    match given {
        None => Ok(None),
        Some(WaitRequest::Usual) => Ok(Some(WAIT_USUAL)),
        Some(WaitRequest::Secs(secs)) => span(Path::Body.key("wait"), secs, WAIT_RANGE).map(Some),
    }
}

impl OrderRequest<'_> {
    /// Reads an order to try again at once.
    ///
    /// # Errors
    /// A field is missing or wrong.
    pub fn retry(&self) -> Result<Order, Problem> {
        order::retry(self)
    }

    /// Reads an order to count an operation as done.
    ///
    /// # Errors
    /// A field is missing or wrong.
    pub fn skip(&self) -> Result<Order, Problem> {
        order::skip(self)
    }

    /// Reads an order to end it.
    ///
    /// # Errors
    /// A field is missing or wrong.
    pub fn force(&self) -> Result<Order, Problem> {
        order::force(self)
    }
}

impl AbortRequest<'_> {
    /// Reads an abort: which transaction, why, and how long the client waits.
    ///
    /// # Errors
    /// A field is missing or wrong.
    pub fn resolve(&self) -> Result<(Gid, Reason, Option<Duration>), Problem> {
        let gid = required_gid(self.gid.as_ref())?;
        let reason = self.reason.as_ref().map_or("", |text| text.trim());
        Ok((gid, Reason::new(reason), wait(self.wait)?))
    }
}

/// Reads a gid that must be given.
fn required_gid(given: Option<&Text<'_>>) -> Result<Gid, Problem> {
    gid(given.ok_or_else(|| missing(Path::Body.key("gid")))?)
}

/// Reads a gid.
pub(crate) fn gid(text: &str) -> Result<Gid, Problem> {
    Gid::parse(text).map_err(|error| Problem::invalid(ErrorCode::InvalidGid, "gid", error.why()))
}

fn branch_id(path: Path<'_>, text: &str) -> Result<BranchId, Problem> {
    BranchId::parse(text).map_err(|error| Problem::field(path, error.why()))
}

fn missing(path: Path<'_>) -> Problem {
    Problem::field(path, "is missing: it must be given")
}
