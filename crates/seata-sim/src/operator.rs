//! The operator: looks for what is STUCK, on a random server, and orders something.

use std::sync::Arc;

use seata_core::{BranchId, BranchStatus, Gid, Status};
use seata_engine::Engine;
use seata_store::ListQuery;

use crate::client::ask_once;
use crate::network::ms;
use crate::plan::act::Demand;
use crate::world::{World, pause};

/// How often the operator looks.
const LOOK_MS: u64 = 1_300;

/// The most transactions that one look takes on.
const PAGE: usize = 50;

/// Works until told that the run is over.
pub(crate) async fn work(world: Arc<World>) {
    loop {
        pause(LOOK_MS).await;
        let at = world.state().clients.below(world.plan.processes);
        let engine = world
            .processes()
            .get(at)
            .and_then(|process| process.life())
            .and_then(|life| life.engine());
        let Some(engine) = engine else { continue };
        // A server that stands still or dies answers nothing.
        let look = tokio::time::timeout(ms(1_000), look(&engine)).await;
        for (gid, branch) in look.unwrap_or_default() {
            let branch = match (world.work.get(&gid), &branch) {
                (Some(tx), Some(branch)) => tx.position(branch),
                (_, _) => 0,
            };
            let demand = {
                let state = &mut *world.state();
                match state.clients.count(0..100) {
                    0..60 => Demand::Retry {
                        branch: state.clients.hits(500).then_some(branch),
                    },
                    60..85 => Demand::Skip { branch },
                    85..95 => Demand::ForceAbort,
                    _ => Demand::ForceCommit,
                }
            };
            ask_once(&world, &gid, demand).await;
        }
    }
}

/// Answers what is stuck, each with the branch that waits for an operator.
async fn look(engine: &Engine) -> Vec<(Gid, Option<BranchId>)> {
    let query = ListQuery {
        status: vec![Status::Stuck],
        ..ListQuery::newest(PAGE)
    };
    let Ok(page) = engine.list(&query).await else {
        return Vec::new();
    };
    let mut found = Vec::new();
    for header in page.items {
        if let Ok(snapshot) = engine.get(&header.gid).await {
            let branches = snapshot.transaction.branches();
            let refused = branches
                .iter()
                .find(|branch| waits_for_somebody(branch.status));
            let branch_id = refused.map(|branch| branch.definition.branch_id.clone());
            found.push((header.gid, branch_id));
        }
    }
    found
}

/// Answers whether this may be a branch that refused what must be done.
const fn waits_for_somebody(status: BranchStatus) -> bool {
    match status {
        BranchStatus::Compensating | BranchStatus::Confirming | BranchStatus::Cancelling => true,
        BranchStatus::Prepared
        | BranchStatus::Acting
        | BranchStatus::Succeeded
        | BranchStatus::Refused
        | BranchStatus::InDoubt
        | BranchStatus::Compensated
        | BranchStatus::Registered
        | BranchStatus::Trying
        | BranchStatus::Tried
        | BranchStatus::Confirmed
        | BranchStatus::Cancelled => false,
    }
}
