//! What each branch costs in sagas of many branches, over what it costs in sagas of a few.

use anyhow::{Context, Result};

use crate::case::{BASE, Order, Shape};
use crate::house::House;
use crate::order::Until;
use crate::report::{Aim, Figure};
use crate::run::Track;

/// So few that the largest sagas are many at a time, too.
const CONNECTIONS: usize = 4;

/// The last is the most that a server takes unless it is told otherwise.
const BRANCHES: [u32; 3] = [10, 100, 1_000];

/// How much is measured.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Branches {
    pub(crate) rounds: u32,
    /// Of all sagas of a round.
    pub(crate) in_all: u32,
}

impl Branches {
    /// Measures sagas of each length, on an empty store each.
    ///
    /// # Errors
    /// A transaction was lost or doubled, or a process ended.
    pub(crate) async fn measure(self, track: &Track) -> Result<Vec<Figure>> {
        let mut figures = Vec::new();
        for (order, ordered) in [
            (Order::Any, "in no order"),
            (Order::Listed, "one after the other"),
        ] {
            let mut costs = [0.0; BRANCHES.len()];
            for (cost, branches) in costs.iter_mut().zip(BRANCHES) {
                let what = format!("each of {branches} branches {ordered}");
                let measured = self.each_us(track, branches, order).await;
                *cost = measured.with_context(|| format!("measuring {what}"))?;
                figures.push(Figure::new(format!("{what}: CPU"), *cost, "µs"));
            }
            let [_, of_hundred, of_thousand] = costs;
            let what = format!("each of 1000 branches {ordered}: CPU");
            let ratio = Figure::new(what, of_thousand / of_hundred, "× of 100");
            figures.push(ratio.aim(Aim::AtMost(1.3)));
        }
        Ok(figures)
    }

    /// Answers the processor time of each branch.
    async fn each_us(self, track: &Track, branches: u32, order: Order) -> Result<f64> {
        let shape = Shape {
            branches,
            order,
            ..BASE
        };
        let mut house = House::start(track, CONNECTIONS, shape).await?;
        let sagas = Until::Accepted((self.in_all / branches).into());
        let cost = house.rounds(self.rounds, sagas).await?;
        house.check(0).await?;
        house.end().await?;
        Ok(cost.cpu_us / f64::from(branches))
    }
}
