//! What each demand asks of an engine, what its answer promises, and how it is counted.

use std::sync::Arc;

use seata_core::{CompletionEnd, End, Mode, Reason};
use seata_engine::{Completion, Engine, EngineError, Order, Snapshot, TryAnswer, Waited};

use crate::client::Request;
use crate::faults::{Fault, Stray};
use crate::network::ms;
use crate::oracle::Asked;
use crate::plan::act::{Content, Demand, Finishing};
use crate::world::State;

/// What a server says.
#[derive(Debug, Clone)]
pub(crate) struct Said {
    pub(crate) snapshot: Snapshot,
    /// What is known of the try, if one was asked for.
    pub(crate) tried: Option<TryAnswer>,
}

pub(crate) type Answer = Result<Said, EngineError>;

pub(super) async fn carry_out(engine: &Engine, request: &Request) -> Answer {
    if let Demand::Try(at) = request.demand {
        let branch = Arc::clone(request.tx.branch(at));
        let tried = engine.try_branch(request.tx.gid.clone(), branch).await?;
        return Ok(Said {
            snapshot: tried.snapshot,
            tried: Some(tried.answer),
        });
    }
    let tried = None;
    ask(engine, request)
        .await
        .map(|snapshot| Said { snapshot, tried })
}

async fn ask(engine: &Engine, request: &Request) -> Result<Snapshot, EngineError> {
    let tx = &request.tx;
    let gid = tx.gid.clone();
    let reason = Reason::new(&request.reason);
    let name = |at: usize| tx.branch(at).branch_id.clone();
    match request.demand {
        Demand::Begin(content) => engine.begin(gid, Arc::clone(tx.content(content))).await,
        Demand::Run(content) => engine.run(gid, Arc::clone(tx.content(content))).await,
        Demand::Add(at) => engine.add_branch(gid, Arc::clone(tx.branch(at))).await,
        Demand::Register(at) => engine.register_branch(gid, Arc::clone(tx.branch(at))).await,
        Demand::RegisterContrary(at) => engine.register_branch(gid, tx.contrary_branch(at)).await,
        Demand::Submit => engine.submit(gid).await,
        Demand::Abort => engine.abort(gid, reason).await,
        Demand::ConfirmBranch(at) => engine.confirm_branch(gid, name(at)).await,
        Demand::CancelBranch(at) => engine.cancel_branch(gid, name(at)).await,
        Demand::Wait { for_ms } => match engine.wait(gid, ms(for_ms)).await? {
            Waited::Settled(snapshot) | Waited::Pending(snapshot) => Ok(snapshot),
        },
        Demand::Get | Demand::Try(_) => engine.get(&gid).await,
        Demand::Complete {
            branch,
            operation,
            how,
        } => {
            let completion = Completion {
                branch: name(branch),
                operation,
                end: end(how, reason),
            };
            engine.complete(gid, completion).await
        }
        Demand::Retry { branch } => {
            let branch = branch.map(name);
            engine.order(gid, Order::Retry { branch, reason }).await
        }
        Demand::Skip { branch } => {
            let order = Order::Skip {
                branch: name(branch),
                operation: None,
                reason,
            };
            engine.order(gid, order).await
        }
        Demand::ForceCommit | Demand::ForceAbort => {
            let to = if request.demand == Demand::ForceCommit {
                End::Committed
            } else {
                End::Aborted
            };
            engine.order(gid, Order::Force { to, reason }).await
        }
    }
}

fn end(how: Finishing, reason: Reason) -> CompletionEnd {
    match how {
        Finishing::Succeeds => CompletionEnd::Succeeded,
        Finishing::Fails => CompletionEnd::Failed { reason },
    }
}

/// Answers what a yes to this request promises.
pub(super) fn asked(request: &Request) -> Asked {
    let tx = &request.tx;
    match request.demand {
        Demand::Begin(content) => Asked::Begin {
            fingerprint: tx.content(content).fingerprint,
        },
        Demand::Run(content) => Asked::Run {
            fingerprint: tx.content(content).fingerprint,
        },
        Demand::Add(at) | Demand::Register(at) | Demand::Try(at) => {
            let branch = tx.branch(at);
            Asked::Add {
                branch_id: branch.branch_id.clone(),
                fingerprint: branch.fingerprint,
            }
        }
        Demand::RegisterContrary(at) => {
            let branch = tx.contrary_branch(at);
            Asked::Add {
                branch_id: branch.branch_id.clone(),
                fingerprint: branch.fingerprint,
            }
        }
        Demand::Submit | Demand::ConfirmBranch(_) => Asked::Submit,
        Demand::Abort | Demand::CancelBranch(_) => Asked::Abort,
        Demand::Complete {
            branch,
            operation,
            how,
        } => Asked::Complete {
            branch_id: tx.branch(branch).branch_id.clone(),
            operation,
            how,
        },
        Demand::Retry { .. } | Demand::Skip { .. } | Demand::ForceCommit | Demand::ForceAbort => {
            Asked::Order {
                reason: request.reason.clone(),
            }
        }
        Demand::Wait { .. } | Demand::Get => Asked::Read,
    }
}

/// Answers how a demand is counted that comes to a server without the lease.
pub(super) const fn stray(demand: Demand) -> Option<Stray> {
    match demand {
        Demand::Begin(_) | Demand::Run(_) => Some(Stray::Create),
        Demand::Add(_) => Some(Stray::AddBranch),
        Demand::Register(_) | Demand::RegisterContrary(_) => Some(Stray::Register),
        Demand::Try(_) => Some(Stray::Try),
        Demand::Submit => Some(Stray::Submit),
        Demand::Abort => Some(Stray::Abort),
        Demand::ConfirmBranch(_) => Some(Stray::Confirm),
        Demand::CancelBranch(_) => Some(Stray::Cancel),
        Demand::Complete { .. } => Some(Stray::Complete),
        Demand::Wait { .. } => Some(Stray::Wait),
        Demand::Retry { .. } => Some(Stray::Retry),
        Demand::Skip { .. } => Some(Stray::Skip),
        Demand::ForceCommit | Demand::ForceAbort => Some(Stray::Force),
        Demand::Get => None,
    }
}

/// Tells the oracle what is asked, whether or not it arrives, and counts what is contrary.
pub(super) fn note(state: &mut State, request: &Request) {
    let gid = &request.tx.gid;
    match request.demand {
        Demand::Abort | Demand::CancelBranch(_) => state.oracle.abort_sent(gid),
        Demand::Skip { .. } | Demand::ForceCommit | Demand::ForceAbort => {
            state.oracle.override_sent(gid);
        }
        Demand::Begin(Content::Contrary) | Demand::Run(Content::Contrary) => {
            state.counts.fault(Fault::ContraryRequest);
        }
        Demand::Begin(Content::Whole | Content::Empty)
        | Demand::Run(Content::Whole | Content::Empty)
        | Demand::Add(_)
        | Demand::Register(_)
        | Demand::RegisterContrary(_)
        | Demand::Try(_)
        | Demand::Submit
        | Demand::ConfirmBranch(_)
        | Demand::Complete { .. }
        | Demand::Wait { .. }
        | Demand::Get
        | Demand::Retry { .. } => {}
    }
    if request.tx.mode == Mode::Tcc
        && let Some(deed) = state.oracle.deed_of_demand(gid, &asked(request))
    {
        state.counts.deed(deed);
    }
}
