//! Waits for conditions, never for time.

use std::time::{Duration, Instant};

/// How long a condition may take to come true before the test fails. Says nothing about how long it should take.
pub const PATIENCE: Duration = Duration::from_secs(90);

const GLANCE: Duration = Duration::from_millis(5);

/// Looks again and again until the probe answers something.
///
/// # Panics
/// It answers nothing for [`PATIENCE`].
pub async fn until<T>(what: &str, mut probe: impl AsyncFnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(found) = probe().await {
            return found;
        }
        assert!(begun.elapsed() < PATIENCE, "waited in vain until {what}");
        tokio::time::sleep(GLANCE).await;
    }
}
