//! What a server costs that does nothing: its start, its memory, its processor time.

use std::path::Path;
use std::time::Duration;

use anyhow::Result;
use tokio::time::sleep;

use crate::figures::median;
use crate::procfs;
use crate::report::{Figure, mebibytes};
use crate::server::Home;

/// How long it does nothing before it is looked at.
const IDLE: Duration = Duration::from_secs(1);

/// Starts servers on empty folders, one after the other.
pub(crate) async fn measure(binary: &Path, within: &Path, times: u32) -> Result<Vec<Figure>> {
    let mut ready = Vec::new();
    let mut resident = Vec::new();
    let mut cpu = Duration::ZERO;
    for _time in 0..times {
        let home = Home::new(binary, within)?;
        let server = home.start().await?;
        let pid = server.process.pid()?;
        ready.push(server.ready_after.as_secs_f64() * 1e3);
        let before = procfs::cpu(pid)?;
        sleep(IDLE).await;
        cpu += procfs::cpu(pid)? - before;
        resident.push(mebibytes(procfs::resident_bytes(pid)?));
        server.process.kill().await?;
    }
    // A mean: the kernel counts in steps that are longer than most of these times.
    let cpu = cpu.as_secs_f64() * 1e3 / (f64::from(times) * IDLE.as_secs_f64());
    Ok(vec![
        Figure::new(
            "start on an empty folder until healthy",
            median(ready),
            "ms",
        ),
        Figure::new("resident memory, idle", median(resident), "MiB").aim("under 20 MB"),
        Figure::new("processor time, idle", cpu, "ms a second"),
    ])
}
