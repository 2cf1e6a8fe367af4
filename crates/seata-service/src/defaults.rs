//! What holds when a request says nothing: the server's defaults for options.

use std::time::Duration;

/// Fills in what options leave out. The configuration sets them; each transaction keeps those of its creation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Defaults {
    /// The time limit of one call.
    pub request_timeout: Duration,
    /// The first interval between attempts, and the fixed one after an answer "ongoing".
    pub retry_interval: Duration,
    /// The longest interval between attempts.
    pub retry_interval_max: Duration,
    /// Attempts of an action in all; 0: until the deadline.
    pub max_attempts: u32,
    /// How long after submission a saga turns round, and after creation a TCC; none: a saga never, a TCC after 35 s.
    pub timeout_to_fail: Option<Duration>,
    /// How long after creation a transaction that was not submitted is aborted.
    pub prepared_timeout: Duration,
    /// How many branches are called at once.
    pub branch_parallelism: u32,
    /// After how many attempts of one operation a person should look.
    pub attention_attempts: u32,
}

impl Default for Defaults {
    fn default() -> Self {
        Self {
            request_timeout: Duration::from_secs(3),
            retry_interval: Duration::from_secs(1),
            retry_interval_max: Duration::from_secs(60),
            max_attempts: 0,
            timeout_to_fail: None,
            prepared_timeout: Duration::from_secs(35),
            branch_parallelism: 8,
            attention_attempts: 5,
        }
    }
}
