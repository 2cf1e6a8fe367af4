//! What the engine needs of the machine that it runs on: a clock and somebody who runs tasks.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

/// A task to be run.
pub type Task = Pin<Box<dyn Future<Output = ()> + Send + 'static>>;

/// The clock and the tasks of one process. Sleeping goes by tokio's time.
pub trait Clock: Send + Sync + 'static {
    /// Answers how long it is since some fixed point. Never goes back, and goes on while the machine is suspended.
    fn boot(&self) -> Duration;

    /// Runs a task to its end.
    fn spawn(&self, task: Task);
}

/// The real one: `CLOCK_BOOTTIME` and tokio's runtime.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn boot(&self) -> Duration {
        let time = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
        let secs = u64::try_from(time.tv_sec).unwrap_or(0);
        let nanos = u32::try_from(time.tv_nsec).unwrap_or(0);
        Duration::new(secs, nanos)
    }

    fn spawn(&self, task: Task) {
        drop(tokio::spawn(task));
    }
}
