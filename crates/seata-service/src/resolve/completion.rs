//! What concerns one branch that is there: to confirm or to cancel it, and completion from outside.

use seata_core::{BranchId, CompletionEnd, Gid, Reason};
use seata_engine::Completion;

use super::{branch_id, missing, required_gid};
use crate::path::Path;
use crate::problem::Problem;
use crate::request::{BranchOrderRequest, CompletionRequest, Text};

impl BranchOrderRequest<'_> {
    /// Reads which branch is meant.
    ///
    /// # Errors
    /// A field is missing or wrong.
    pub fn resolve(&self) -> Result<(Gid, BranchId), Problem> {
        let gid = required_gid(self.gid.as_ref())?;
        Ok((gid, required_branch(self.branch_id.as_ref())?))
    }
}

impl CompletionRequest<'_> {
    /// Reads that an operation was done.
    ///
    /// # Errors
    /// A field is missing or wrong.
    pub fn resolve_succeeded(&self) -> Result<(Gid, Completion), Problem> {
        self.ended(CompletionEnd::Succeeded)
    }

    /// Reads that an operation was refused.
    ///
    /// # Errors
    /// A field is missing or wrong.
    pub fn resolve_failed(&self) -> Result<(Gid, Completion), Problem> {
        let reason = self.reason.as_ref().map_or("", |text| text.trim());
        let reason = Reason::new(reason);
        self.ended(CompletionEnd::Failed { reason })
    }

    fn ended(&self, end: CompletionEnd) -> Result<(Gid, Completion), Problem> {
        let gid = required_gid(self.gid.as_ref())?;
        let completion = Completion {
            branch: required_branch(self.branch_id.as_ref())?,
            operation: self.operation,
            end,
        };
        Ok((gid, completion))
    }
}

fn required_branch(given: Option<&Text<'_>>) -> Result<BranchId, Problem> {
    let at = Path::Body.key("branch_id");
    branch_id(at, given.ok_or_else(|| missing(at))?)
}
