//! The operator: looks for what is STUCK, on a random server, and orders something.

use std::sync::Arc;

use seata_core::{BranchStatus, Gid, Status};
use seata_engine::Engine;
use seata_store::ListQuery;

use crate::client::{ask_once, position};
use crate::network::ms;
use crate::plan::work::Act;
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
            let act = {
                let state = &mut *world.state();
                match state.clients.count(0..100) {
                    0..60 => Act::Retry {
                        branch: state.clients.hits(500).then_some(branch),
                    },
                    60..85 => Act::Skip { branch },
                    85..95 => Act::ForceAbort,
                    _ => Act::ForceCommit,
                }
            };
            ask_once(&world, &gid, act).await;
        }
    }
}

/// Answers what is stuck, each with the branch that waits for an operator.
async fn look(engine: &Engine) -> Vec<(Gid, usize)> {
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
                .find(|branch| branch.status == BranchStatus::Compensating);
            found.push((
                header.gid,
                refused.map_or(0, |branch| position(branch.index)),
            ));
        }
    }
    found
}
