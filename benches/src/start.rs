//! What a server costs that does nothing: its start, its memory, its processor time.

use std::path::Path;
use std::time::Duration;

use anyhow::Result;
use tokio::time::sleep;

use crate::figures::{count, median};
use crate::procfs;
use crate::report::{Aim, Figure};
use crate::server::Home;

/// How long it does nothing before it is looked at.
const SETTLED: Duration = Duration::from_secs(1);

/// How long it is looked at.
const IDLE: Duration = Duration::from_secs(4);

/// Starts servers on empty folders, one after the other.
pub(crate) async fn measure(binary: &Path, within: &Path, times: u32) -> Result<Vec<Figure>> {
    let mut ready_ms = Vec::new();
    let mut resident_mb = Vec::new();
    let mut busy_percent = Vec::new();
    for _time in 0..times {
        let home = Home::new(binary, within)?;
        let server = home.start().await?;
        let pid = server.process.pid()?;
        ready_ms.push(server.ready_after.as_secs_f64() * 1e3);
        sleep(SETTLED).await;
        let before = procfs::cpu(pid)?;
        sleep(IDLE).await;
        let busy = procfs::cpu(pid)?.saturating_sub(before);
        busy_percent.push(busy.as_secs_f64() * 100.0 / IDLE.as_secs_f64());
        resident_mb.push(count(procfs::resident_bytes(pid)?) / 1e6);
        server.process.kill().await?;
    }
    let aimed = |name: &str, values, unit, limit| {
        Figure::new(name, median(values), unit).aim(Aim::AtMost(limit))
    };
    Ok(vec![
        aimed(
            "start on an empty folder until healthy",
            ready_ms,
            "ms",
            50.0,
        ),
        aimed("resident memory, idle", resident_mb, "MB", 15.0),
        aimed("processor time, idle", busy_percent, "% of a core", 0.2),
    ])
}
