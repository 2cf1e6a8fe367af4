//! Sends a request again when that is safe and may help: nothing was sent, or the coordinator said "later".

use std::time::Duration;

use tokio::time::sleep;

use crate::error::Error;

/// How often a request is sent again by itself: if the coordinator can't be reached, or answers 429 or 503 with
/// `retry-after`. Any other answer, and a connection that broke off, is given to the caller at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Repeat {
    /// The most times that a request is sent; 1: never again.
    pub attempts_max: u32,
    /// The first pause; each further one is twice as long.
    pub pause_first: Duration,
    /// The longest pause. A longer `retry-after` is not waited for: the answer is given to the caller.
    pub pause_max: Duration,
}

impl Default for Repeat {
    fn default() -> Self {
        Self {
            attempts_max: 4,
            pause_first: Duration::from_millis(100),
            pause_max: Duration::from_secs(5),
        }
    }
}

impl Repeat {
    /// Sends until there is an answer to give.
    pub(crate) async fn run<T, F>(self, send: impl Fn() -> F) -> Result<T, Error>
    where
        F: Future<Output = Result<T, Error>>,
    {
        for sent in 1..self.attempts_max {
            let error = match send().await {
                Ok(answer) => return Ok(answer),
                Err(error) => error,
            };
            let Some(asked_for) = pause_asked_for(&error) else {
                return Err(error);
            };
            if asked_for > self.pause_max {
                return Err(error);
            }
            sleep(self.pause(sent - 1).max(asked_for)).await;
        }
        send().await
    }

    /// Answers the pause after so many earlier ones.
    pub(crate) fn pause(self, earlier: u32) -> Duration {
        let doubled = 1_u32.checked_shl(earlier).unwrap_or(u32::MAX);
        self.pause_first.saturating_mul(doubled).min(self.pause_max)
    }
}

/// Answers the shortest pause after which the same request may be sent again, or none if it must not be.
fn pause_asked_for(error: &Error) -> Option<Duration> {
    match error {
        Error::Unreachable(_) => Some(Duration::ZERO),
        Error::Refused(refusal) => refusal.retry_after,
        Error::NoAnswer(_) | Error::Unreadable(_) | Error::Invalid(_) => None,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use std::cell::Cell;
    use std::future::ready;

    use serde_json::Value;
    use tokio::time::Instant;

    use super::*;
    use crate::error::{ErrorCode, Refusal};

    fn refused(retry_after_secs: Option<u64>) -> Error {
        Error::Refused(Box::new(Refusal {
            code: ErrorCode::Overloaded,
            message: "full".into(),
            details: Value::Null,
            retry_after: retry_after_secs.map(Duration::from_secs),
        }))
    }

    /// Answers how often a request that always fails so is sent, and how long that takes on a clock of its own.
    async fn sent(error: impl Fn() -> Error) -> (u32, Duration) {
        let (count, begun) = (Cell::new(0), Instant::now());
        let answer: Result<(), Error> = Repeat::default()
            .run(|| {
                count.set(count.get() + 1);
                ready(Err(error()))
            })
            .await;
        assert_eq!(answer.unwrap_err().to_string(), error().to_string());
        (count.get(), begun.elapsed())
    }

    #[tokio::test(start_paused = true)]
    async fn a_coordinator_that_cant_be_reached_is_asked_a_bounded_number_of_times() {
        let (count, took) = sent(|| Error::Unreachable("refused".into())).await;
        assert_eq!(count, 4);
        assert!(took >= Duration::from_millis(700));
    }

    #[test]
    fn pauses_grow_up_to_the_longest() {
        let repeat = Repeat::default();
        let pauses = [0, 1, 2, 5, 6, 31, 32, 1_000].map(|earlier| repeat.pause(earlier));
        let expected = [100, 200, 400, 3_200, 5_000, 5_000, 5_000, 5_000];
        assert_eq!(pauses, expected.map(Duration::from_millis));
    }

    #[tokio::test(start_paused = true)]
    async fn retry_after_is_obeyed_unless_it_is_too_long() {
        let (count, took) = sent(|| refused(Some(2))).await;
        assert_eq!(count, 4);
        assert!(took >= Duration::from_secs(6));
        assert_eq!(sent(|| refused(Some(60))).await.0, 1);
    }

    #[tokio::test(start_paused = true)]
    async fn a_refusal_and_a_broken_connection_are_given_to_the_caller_at_once() {
        assert_eq!(sent(|| refused(None)).await.0, 1);
        assert_eq!(sent(|| Error::NoAnswer("reset".into())).await.0, 1);
        assert_eq!(sent(|| Error::Unreadable("html".into())).await.0, 1);
    }

    #[tokio::test(start_paused = true)]
    async fn the_first_answer_ends_it() {
        let count = Cell::new(0);
        let answer = Repeat::default().run(|| {
            count.set(count.get() + 1);
            ready(if count.get() < 3 {
                Err(refused(Some(1)))
            } else {
                Ok(count.get())
            })
        });
        assert_eq!(answer.await.unwrap(), 3);
    }
}
