//! Judges P8 when an operation is called again: only after an answer that settles nothing, a crash, a takeover or an
//! operator's retry, and only once what was learnt before is durable.

use seata_core::{BranchIndex, Operation, Outcome};

use crate::oracle::{CallEnd, Now, Oracle, Promise, Seen, Truth};
use crate::outage::is_in_dead_part;
use crate::plan::act::Finishing;

impl Oracle {
    pub(crate) fn judge_repeat(
        &self,
        truth: &Truth,
        branch: BranchIndex,
        seen: &Seen,
        now: Now,
    ) -> Option<(Promise, String)> {
        let operation = seen.key.2;
        let part = (branch, operation);
        if let Some((Finishing::Succeeds, event)) = truth.completed.get(&part)
            && truth.knows(seen.owner, *event)
        {
            let what =
                format!("the {operation} of {branch:?} was called after it had been completed");
            return Some((Promise::P8, what));
        }
        if let Some(event) = truth.refused.get(&part)
            && truth.knows(seen.owner, *event)
        {
            let what = format!("the {operation} of {branch:?} was called again after its refusal");
            return Some((Promise::P8, what));
        }
        // What another recorded who took the lease it may not know yet.
        let misled = truth.header.owner != Some(seen.owner)
            && self.is_misled_by_jump(truth, seen.owner, now);
        if let Some(event) = truth.succeeded.get(&part)
            && (!misled || truth.knows(seen.owner, *event))
        {
            return Some((
                Promise::P8,
                format!(
                    "the {operation} of {branch:?} was called again after its recorded success"
                ),
            ));
        }
        if let Some(what) = self.judge_forgotten(truth, branch, seen) {
            return Some((Promise::P8, what));
        }
        let earlier = self
            .by_key
            .get(&seen.key)?
            .iter()
            .rev()
            .filter_map(|id| self.calls.get(id))
            .find(|earlier| earlier.owner == seen.owner)?;
        if earlier.attempt.token != seen.attempt.token {
            return None;
        }
        match &earlier.end {
            None => Some((
                Promise::P8,
                format!(
                    "the {operation} of {branch:?} was called again while its call was in flight"
                ),
            )),
            // It came after somebody had said that the operation failed, and then an operator ordered to try again.
            Some(CallEnd::Answered(Outcome::Success))
                if truth
                    .answered
                    .contains(&(branch, operation, earlier.attempt)) =>
            {
                None
            }
            Some(CallEnd::Answered(Outcome::Success)) => Some((
                Promise::P8,
                format!(
                    "the {operation} of {branch:?} was called again after its success was heard"
                ),
            )),
            Some(CallEnd::Answered(Outcome::Failure { .. }))
                if operation == Operation::Action || operation == Operation::Try =>
            {
                Some((
                    Promise::P8,
                    format!(
                        "the {operation} of {branch:?} was called again after its refusal was heard"
                    ),
                ))
            }
            Some(CallEnd::Answered(_)) => {
                let known = truth
                    .answered
                    .contains(&(branch, operation, earlier.attempt));
                (!known).then(|| {
                    let what = format!("the {operation} of {branch:?} was called again before the answer to {:?} was durable", earlier.attempt);
                    (Promise::P2, what)
                })
            }
            Some(CallEnd::Dropped | CallEnd::Died) => None,
        }
    }

    /// Whoever heard an answer that settles the operation, and lost neither its lease nor its memory since, must have
    /// recorded it, however many replies of the store were lost: nobody calls again, under whichever token.
    fn judge_forgotten(&self, truth: &Truth, branch: BranchIndex, seen: &Seen) -> Option<String> {
        let operation = seen.key.2;
        let earlier = self
            .by_key
            .get(&seen.key)?
            .iter()
            .rev()
            .filter_map(|id| self.calls.get(id))
            .find(|earlier| settles(earlier))?;
        let since_ms = earlier.begun_ms.saturating_sub(2 * self.lease_ms);
        let part_is_dead = is_in_dead_part(&seen.key.0) && self.part_trouble_ms >= since_ms;
        let recorded = truth
            .answered
            .contains(&(branch, operation, earlier.attempt));
        let excused = recorded || part_is_dead || truth.is_overridden();
        if excused || !self.leases_live_on(earlier.owner, since_ms) {
            return None;
        }
        Some(format!(
            "the {operation} of {branch:?} was called under {:?} although {:?} was answered and that lease lived on",
            seen.attempt.token, earlier.attempt
        ))
    }
}

/// Answers whether a call was answered so that it is not made again.
fn settles(seen: &Seen) -> bool {
    match &seen.end {
        Some(CallEnd::Answered(Outcome::Success)) => true,
        Some(CallEnd::Answered(Outcome::Failure { .. })) => seen.key.2 == Operation::Action,
        Some(
            CallEnd::Answered(Outcome::Ongoing | Outcome::Unknown { .. })
            | CallEnd::Dropped
            | CallEnd::Died,
        )
        | None => false,
    }
}
