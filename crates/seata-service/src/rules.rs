//! What requests are checked against.

use seata_engine::EngineError;

use crate::defaults::Defaults;
use crate::path::Path;
use crate::problem::Problem;
use crate::resolve;

/// The most branches of one transaction that any limit allows, and the most names that a branch comes after. A transport
/// that cuts off longer lists must leave one too many, so that they are refused.
pub const BRANCHES_MAX: usize = 10_000;

/// The most that a client may send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Of one request as a whole: a body, or a message.
    pub body_bytes_max: usize,
    /// Of one payload: the JSON text, or the decoded bytes.
    pub payload_bytes_max: usize,
    /// How many branches of one transaction, up to [`BRANCHES_MAX`]. The engine has the same bound, for those that come
    /// one by one.
    pub branches_max: usize,
}

impl Limits {
    /// Refuses more branches than a transaction may have, before anything is made of them: a few bytes of a request are
    /// a branch, which takes hundreds.
    ///
    /// # Errors
    /// As the engine refuses them; or the gid is none.
    pub fn allow_branches(&self, count: usize, gid: Option<&str>) -> Result<(), Problem> {
        let max = self.branches_max.min(BRANCHES_MAX);
        if count <= max {
            return Ok(());
        }
        let gid = gid.map(resolve::gid).transpose()?;
        let error = EngineError::TooManyBranches { max };
        let problem = Problem::from(error).about(Path::Body.key("branches"));
        Err(match gid {
            Some(gid) => problem.of(&gid),
            None => problem,
        })
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            body_bytes_max: 4 << 20,
            payload_bytes_max: 1 << 20,
            branches_max: 1_000,
        }
    }
}

/// Whether branches may name handlers within this process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LocalEndpoints {
    /// An embedding program registered some.
    Allowed,
    /// There are none: a `local://` endpoint is refused.
    Refused,
}

/// What requests are checked against, and what holds when they say nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rules {
    /// What options leave out.
    pub defaults: Defaults,
    /// The most that a client may send.
    pub limits: Limits,
    /// Whether branches may name handlers within this process.
    pub local: LocalEndpoints,
}
