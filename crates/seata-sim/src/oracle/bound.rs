//! How long things may take, derived from the plan of a run.

use std::time::Duration;

use crate::oracle::Truth;
use crate::plan::work::{LIMIT_MAX_MS, REQUEST_TIMEOUT_MAX_MS};
use crate::plan::{FREEZE_MAX_MS, LATE_MAX_MS, Plan};

/// How long things may take.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bound {
    /// How long after its deadline an action may still begin: it was decided before, and then its process stood still,
    /// waited for a renewal and for a slot, or took a clock that jumped for the store's.
    pub(crate) deadline: Duration,
    base: Duration,
}

impl Bound {
    /// Derives the bounds of a run from its plan.
    ///
    /// From the moment at which faults stop, a transaction ends within: what may still come of the faults (a late
    /// append, which may take a lease; a clock that jumped ahead and is waited for), the lease and one claim, then
    /// P7 of docs/promises.md.
    pub(crate) fn of(plan: &Plan) -> Self {
        const SLACK_MS: u64 = 5_000;
        let knobs = &plan.knobs;
        let jumps_ms = plan.jumps_ms();
        let base_ms = LATE_MAX_MS
            + jumps_ms
            + knobs.lease_ms
            + knobs.claim_interval_ms
            + knobs.linger_ms
            + SLACK_MS;
        let deadline_ms =
            FREEZE_MAX_MS + jumps_ms + knobs.lease_ms + REQUEST_TIMEOUT_MAX_MS + SLACK_MS;
        Self {
            deadline: Duration::from_millis(deadline_ms),
            base: Duration::from_millis(base_ms),
        }
    }

    /// Answers within which time after the faults a transaction is final or STUCK. Per branch and direction, one call
    /// that was sent before may run into its time limit and be followed by the largest interval before the call that
    /// succeeds; a few participants answer badly some times first; a deadline or `prepared_timeout` may have to pass, and
    /// before a cancel the time limit of a try.
    pub(crate) fn ends_within(self, truth: &Truth) -> Duration {
        const BAD_ANSWERS_MAX: u32 = 6;
        let options = &truth.definition.options;
        let depth = u32::try_from(truth.branches.len()).unwrap_or(u32::MAX);
        let call = options.request_timeout + options.retry.max;
        self.base
            + Duration::from_millis(LIMIT_MAX_MS)
            + options.request_timeout
            + call * 2 * depth
            + options.retry.max * 2 * BAD_ANSWERS_MAX
    }
}
