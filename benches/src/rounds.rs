//! Runs of the same cases, one coordinator after the other and round after round, so that whatever else the machine does falls on
//! all of them.

use anyhow::Result;
use serde::Serialize;

use crate::case::Case;
use crate::coordinator::Coordinator;
use crate::run::{Run, Track};

/// How much is measured.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Plan {
    pub(crate) cases: Vec<Case>,
    pub(crate) coordinators: Vec<Coordinator>,
    pub(crate) peers_in: PeersIn,
    pub(crate) rounds: u32,
    pub(crate) seconds: f64,
}

/// In which cases peers are measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum PeersIn {
    Base,
    /// In all that they have.
    Each,
}

impl Plan {
    /// Makes all runs.
    ///
    /// # Errors
    /// A transaction was lost or doubled, or a process ended.
    pub(crate) async fn run(&self, track: &Track) -> Result<Vec<Run>> {
        let mut runs = Vec::new();
        for round in 0..self.rounds {
            for case in &self.cases {
                let measured = self.coordinators.iter().copied();
                for who in measured.filter(|who| self.measures(*who, case)) {
                    let run = track.run(who, case, round, self.seconds).await?;
                    tell(&run);
                    runs.push(run);
                }
            }
        }
        Ok(runs)
    }

    fn measures(&self, who: Coordinator, case: &Case) -> bool {
        match (who, self.peers_in) {
            (Coordinator::Null | Coordinator::Server, _) => true,
            (Coordinator::Dtmrs, PeersIn::Base) => case.name == "base",
            (Coordinator::Dtmrs, PeersIn::Each) => who.has(&case.shape),
        }
    }
}

/// Somebody may be waiting.
fn tell(run: &Run) {
    let (case, who) = (&run.case, run.coordinator.name());
    eprintln!("  {case}, {who}: {:.0}/s, {:.1} µs", run.rate, run.cpu_us);
    if let Some(complaint) = &run.complaint {
        eprintln!("  {case}, {who}: {complaint}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::case::{Place, chosen};

    #[test]
    fn a_peer_is_measured_in_the_base_case_and_where_it_is_asked_for() {
        let mut plan = Plan {
            cases: chosen(&[], &[], Place::Embedded),
            coordinators: vec![Coordinator::Dtmrs],
            peers_in: PeersIn::Base,
            rounds: 1,
            seconds: 1.0,
        };
        let measured = |plan: &Plan| {
            let cases = plan.cases.iter();
            cases
                .filter(|case| plan.measures(Coordinator::Dtmrs, case))
                .count()
        };
        assert_eq!(measured(&plan), 1);
        plan.peers_in = PeersIn::Each;
        assert!(measured(&plan) > 1 && measured(&plan) < plan.cases.len());
    }
}
