//! Claims in Redis: the work is a Lua script, and it runs in one script with its claim, so that nothing comes between.
//!
//! The limits of that:
//! - All of the work is one script on one server (on a cluster: in one slot). There is no transaction across several scripts, or
//!   with another database.
//! - Redis does not undo a script that fails in the middle. Let the work check first, and write only when nothing can be refused any more.
//! - What Redis has acknowledged is as durable as its configuration says: with `appendfsync everysec` a second may be lost, with
//!   failover what was not replicated. Claim and effect are lost together.

use std::time::Duration;

use fred::clients::Client;
use fred::types::Value;
use fred::types::scripts::Script;

use crate::plan::Plan;
use crate::{BarrierError, Call, Skip};

const AROUND: &str = include_str!("redis.lua");

/// Where the work stands in the script around it.
const PLACE: &str = "--WORK--";

/// The work of an operation as a Lua script, prepared once.
///
/// It is the body of a function of `KEYS` and `ARGV`, counted from 1 as Redis does. To refuse, it writes nothing and returns
/// `{err = 'why'}`. Whatever else it returns is an answer of success.
#[derive(Debug, Clone)]
pub struct WorkScript(Script);

impl WorkScript {
    /// Prepares a script. Nothing is sent to Redis before it is run.
    #[must_use]
    pub fn new(lua: &str) -> Self {
        Self(Script::from_lua(AROUND.replacen(PLACE, lua, 1)))
    }
}

/// What is to be run if the operation may run.
#[derive(Debug, Clone)]
pub struct Work<'w> {
    /// What to do.
    pub script: &'w WorkScript,
    /// For a cluster: the hash tag that all keys of the work bear in braces, so that the claim lies in their slot. It must be the same
    /// for all operations of a branch, or they don't see each other's claims. On a single server: none.
    pub tag: Option<&'w str>,
    /// The work's `KEYS`.
    pub keys: Vec<String>,
    /// The work's `ARGV`.
    pub arguments: Vec<String>,
}

/// How a delivery ended.
#[derive(Debug, Clone, PartialEq)]
pub enum Delivered {
    /// The work is done, and this is what it returned. Answer success.
    Done(Value),
    /// The work refused and did nothing, and nothing was claimed. Answer a refusal (409).
    Refused(String),
    /// The work did not run. Give the answer that this says.
    Skipped(Skip),
}

/// The barrier in one Redis, or one cluster.
#[derive(Debug, Clone)]
pub struct RedisBarrier {
    client: Client,
    keep: Duration,
}

impl RedisBarrier {
    /// Uses a client that is connected already. Claims of a branch are kept for `keep` after its last operation, then Redis deletes them.
    ///
    /// `keep` is at least the coordinator's retention plus the longest time for which a transaction may be open, stuck ones included.
    /// **A claim that goes too early lets its action run a second time, and makes its compensation undo nothing.**
    #[must_use]
    pub const fn new(client: Client, keep: Duration) -> Self {
        Self { client, keep }
    }

    /// Claims the operation and does its work, at once. May be sent again at any time: the claim keeps the work from running twice.
    ///
    /// # Errors
    /// Redis can't be reached, or the script raised an error. Nobody knows whether it ran: answer 503, and the operation is delivered again.
    pub async fn run(&self, call: &Call, work: Work<'_>) -> Result<Delivered, BarrierError> {
        let keys: Vec<String> = [claims(call, work.tag)]
            .into_iter()
            .chain(work.keys)
            .collect();
        let own = [
            call.operation.as_str().to_owned(),
            undone(call).to_owned(),
            self.keep.as_millis().min(KEEP_MS_MAX).to_string(),
        ];
        let arguments: Vec<String> = own.into_iter().chain(work.arguments).collect();
        let answer: Vec<Value> = work
            .script
            .0
            .evalsha_with_reload(&self.client, keys, arguments)
            .await?;
        read(answer)
    }
}

/// A hundred years. Redis refuses an expiry that overflows its clock.
const KEEP_MS_MAX: u128 = 100 * 366 * 24 * 60 * 60 * 1000;

/// Names the claims of a branch. No id holds a slash or a brace, so no two branches share a name.
fn claims(call: &Call, tag: Option<&str>) -> String {
    let Call { gid, branch_id, .. } = call;
    match tag {
        Some(tag) => format!("seata_barrier:{{{tag}}}:{gid}/{branch_id}"),
        None => format!("seata_barrier:{gid}/{branch_id}"),
    }
}

fn undone(call: &Call) -> &'static str {
    match Plan::of(call.operation) {
        Plan::Backward { undone } => undone.as_str(),
        Plan::Forward | Plan::Alone => "",
    }
}

/// Reads what the script around the work answers.
fn read(answer: Vec<Value>) -> Result<Delivered, BarrierError> {
    let mut answer = answer.into_iter();
    let word = answer.next().and_then(|word| word.into_string());
    // Lua ends a list at its first nil.
    let rest = answer.next().unwrap_or(Value::Null);
    match word.as_deref() {
        Some("done") => Ok(Delivered::Done(rest)),
        Some("refused") => Ok(Delivered::Refused(rest.into_string().unwrap_or_default())),
        Some("duplicate") => Ok(Delivered::Skipped(Skip::Duplicate)),
        Some("null") => Ok(Delivered::Skipped(Skip::Null)),
        Some("hanging") => Ok(Delivered::Skipped(Skip::Hanging)),
        Some(_) | None => Err(BarrierError::Database(
            "the barrier's script gave no answer of its own".into(),
        )),
    }
}

impl From<fred::error::Error> for BarrierError {
    fn from(error: fred::error::Error) -> Self {
        Self::Database(error.into())
    }
}

#[cfg(test)]
mod tests {
    use seata_core::{BranchId, Gid, IdError, Operation};

    use super::*;

    #[test]
    fn claims_lie_in_the_slot_of_the_tag_and_branches_never_share_them() -> Result<(), IdError> {
        let call = |gid: &str, branch: &str| -> Result<Call, IdError> {
            Ok(Call {
                gid: Gid::parse(gid)?,
                branch_id: BranchId::parse(branch)?,
                operation: Operation::Action,
            })
        };
        assert_eq!(
            claims(&call("g", "b")?, Some("a-7")),
            "seata_barrier:{a-7}:g/b"
        );
        assert_eq!(claims(&call("g", "b")?, None), "seata_barrier:g/b");
        assert_ne!(
            claims(&call("a:b", "c")?, None),
            claims(&call("a", "b:c")?, None)
        );
        Ok(())
    }

    #[test]
    fn an_answer_that_is_not_ours_is_an_error() {
        let word = |word: &str| vec![Value::from(word)];
        assert!(matches!(
            read(word("done")),
            Ok(Delivered::Done(Value::Null))
        ));
        assert!(matches!(
            read(word("null")),
            Ok(Delivered::Skipped(Skip::Null))
        ));
        assert!(read(word("else")).is_err());
        assert!(read(Vec::new()).is_err());
    }
}
