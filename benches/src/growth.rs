//! What a new transaction costs beside many others, which wait or have ended, over what it costs on an empty store, and what these take.

use anyhow::Result;

use crate::case::{BASE, Gids, Shape};
use crate::figures::count;
use crate::house::{Cost, House};
use crate::order::Until;
use crate::report::{Aim, Figure, mebibytes};
use crate::run::Track;

const CONNECTIONS: usize = 64;

/// How much is measured.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Growth {
    /// How many others there are.
    pub(crate) others: u64,
    /// How all are named.
    pub(crate) gids: Gids,
    /// How often new ones are measured beside them, and on an empty store.
    pub(crate) rounds: u32,
    pub(crate) seconds: f64,
}

impl Growth {
    async fn start(self, track: &Track) -> Result<(House, Cost)> {
        let shape = Shape {
            gids: self.gids,
            ..BASE
        };
        let mut house = House::start(track, CONNECTIONS, shape).await?;
        let empty = self.measure(&mut house).await?;
        Ok((house, empty))
    }

    async fn measure(self, house: &mut House) -> Result<Cost> {
        house
            .rounds(self.rounds, Until::Seconds(self.seconds))
            .await
    }
}

/// Measures on an empty store, opens many, and measures again.
///
/// # Errors
/// A transaction was lost or doubled, or a process ended.
pub(crate) async fn beside_open(track: &Track, growth: Growth) -> Result<Vec<Figure>> {
    let (mut house, empty) = growth.start(track).await?;
    let resident = house.resident_bytes()?;
    house.open(growth.others).await?;
    let grown = house.resident_bytes()?.saturating_sub(resident);
    let beside = growth.measure(&mut house).await?;
    house.check(growth.others).await?;
    let resident = house.resident_bytes()?;
    house.end().await?;
    let what = format!("{} that wait", growth.others);
    let mut figures = costs(&what, empty, beside);
    figures.extend(memory(&what, growth, grown, resident));
    Ok(figures)
}

/// Measures on an empty store, ends many, measures again, and starts the server once more behind a kill.
///
/// # Errors
/// A transaction was lost or doubled, or a process ended.
pub(crate) async fn beside_ended(track: &Track, growth: Growth) -> Result<Vec<Figure>> {
    let (mut house, empty) = growth.start(track).await?;
    let (resident, disk) = (house.resident_bytes()?, house.disk_bytes()?);
    house.submit(Until::Accepted(growth.others)).await?;
    let grown = house.resident_bytes()?.saturating_sub(resident);
    let written = house.disk_bytes()?.saturating_sub(disk);
    let beside = growth.measure(&mut house).await?;
    let resident = house.resident_bytes()?;
    let (mut house, ready_after) = house.start_again().await?;
    house.check(0).await?;
    house.end().await?;
    let what = format!("{} that have ended", growth.others);
    let mut figures = costs(&what, empty, beside);
    figures.extend(memory(&what, growth, grown, resident));
    figures.extend([
        Figure::new(
            format!("disk for each of {what}"),
            count(written) / count(growth.others),
            "bytes",
        ),
        Figure::new(
            format!("start after kill -9 on {what}, until healthy"),
            ready_after.as_secs_f64() * 1e3,
            "ms",
        ),
    ]);
    Ok(figures)
}

fn costs(others: &str, empty: Cost, beside: Cost) -> Vec<Figure> {
    let cpu = beside.cpu_us / empty.cpu_us;
    let rate = beside.rate / empty.rate;
    vec![
        Figure::new(format!("a new one beside {others}: CPU"), cpu, "× empty")
            .aim(Aim::AtMost(1.3)),
        Figure::new(format!("a new one beside {others}: rate"), rate, "× empty"),
    ]
}

fn memory(others: &str, growth: Growth, grown: u64, resident: u64) -> [Figure; 2] {
    let each = count(grown) / count(growth.others);
    [
        Figure::new(format!("growth for each of {others}"), each, "bytes"),
        Figure::new(
            format!("resident memory beside {others}"),
            mebibytes(resident),
            "MiB",
        ),
    ]
}
