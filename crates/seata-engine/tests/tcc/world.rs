//! Branches, and a store that one server can't reach any more.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use seata_core::{
    BranchDefinition, BranchId, BranchOptions, CompletionEnd, Definition, Endpoint, Endpoints,
    Fingerprint, Mode, Operation, Options, Reason, Rejection, UnixMillis,
};
use seata_engine::{Completion, Engine, EngineError, Tried};
use seata_store::{
    Append, AppendOutcome, ClaimLimit, FencingToken, Gid, Header, Held, ListQuery, Owner, Page,
    StoreError, StoreErrorKind, Stored, TxnStore,
};
use seata_store_mem::MemStore;

use crate::common::*;

pub(crate) fn tcc(options: Options) -> Arc<Definition> {
    Arc::new(Definition {
        mode: Mode::Tcc,
        branches: Vec::new(),
        options,
        payload: None,
        fingerprint: Fingerprint([7; 32]),
    })
}

pub(crate) fn name(text: &str) -> BranchId {
    BranchId::parse(text).unwrap()
}

pub(crate) fn endpoint(text: &str) -> Endpoint {
    Endpoint::parse(text).unwrap()
}

/// A branch whose try the coordinator calls.
pub(crate) fn tried(text: &str) -> Arc<BranchDefinition> {
    let at = |path: &str| endpoint(&format!("http://{text}/{path}"));
    Arc::new(BranchDefinition {
        branch_id: name(text),
        endpoints: Endpoints::Tcc {
            try_: Some(at("try")),
            confirm: at("confirm"),
            cancel: at("cancel"),
        },
        payload: None,
        after: Vec::new(),
        headers: Vec::new(),
        options: BranchOptions::default(),
        fingerprint: Fingerprint([1; 32]),
    })
}

/// A branch whose try the initiator calls itself.
pub(crate) fn registered(text: &str) -> Arc<BranchDefinition> {
    let mut branch = (*tried(text)).clone();
    branch.endpoints = Endpoints::Tcc {
        try_: None,
        confirm: endpoint(&format!("http://{text}/confirm")),
        cancel: endpoint(&format!("http://{text}/cancel")),
    };
    Arc::new(branch)
}

pub(crate) fn told(branch: &str, operation: Option<Operation>, end: CompletionEnd) -> Completion {
    Completion {
        branch: name(branch),
        operation,
        end,
    }
}

pub(crate) fn failed() -> CompletionEnd {
    CompletionEnd::Failed {
        reason: Reason::new("told"),
    }
}

pub(crate) fn rejection(error: EngineError) -> Rejection {
    let EngineError::Rejected { rejection, present } = error else {
        panic!("{error}");
    };
    assert!(present.is_some(), "the state as it is goes with it");
    rejection
}

pub(crate) fn now_ms(world: &World) -> u128 {
    world.start.elapsed().as_millis()
}

pub(crate) async fn begun(world: &World) -> Engine {
    let engine = world.engine(1).await;
    engine.begin(gid("g"), tcc(options())).await.unwrap();
    engine
}

pub(crate) async fn try_it(engine: &Engine, branch: &str) -> Tried {
    engine.try_branch(gid("g"), tried(branch)).await.unwrap()
}

/// A store that one server can't reach any more.
#[derive(Clone)]
pub(crate) struct Cut {
    store: MemStore,
    pub(crate) cut: Arc<AtomicBool>,
}

impl Cut {
    pub(crate) fn new(store: &MemStore) -> Self {
        Self {
            store: store.clone(),
            cut: Arc::default(),
        }
    }

    fn reach(&self) -> Result<&MemStore, StoreError> {
        if self.cut.load(Ordering::Relaxed) {
            return Err(StoreError::new(
                StoreErrorKind::Unavailable,
                "reaching the store",
                "it is cut off",
            ));
        }
        Ok(&self.store)
    }
}

#[async_trait]
impl TxnStore for Cut {
    async fn append(&self, batch: Vec<Append>) -> Vec<Result<AppendOutcome, StoreError>> {
        match self.reach() {
            Ok(store) => store.append(batch).await,
            Err(error) => batch.iter().map(|_| Err(error.clone())).collect(),
        }
    }
    async fn load(&self, gid: &Gid) -> Result<Option<Stored>, StoreError> {
        self.reach()?.load(gid).await
    }
    async fn claim_due(
        &self,
        owner: Owner,
        lasts: Duration,
        limit: ClaimLimit,
    ) -> Result<Vec<Stored>, StoreError> {
        self.reach()?.claim_due(owner, lasts, limit).await
    }
    async fn renew(
        &self,
        held: &[(Gid, FencingToken)],
        lasts: Duration,
    ) -> Result<Vec<Held>, StoreError> {
        self.reach()?.renew(held, lasts).await
    }
    async fn list(&self, query: &ListQuery) -> Result<Page<Header>, StoreError> {
        self.reach()?.list(query).await
    }
    async fn purge(&self, ended_before: UnixMillis, limit: usize) -> Result<usize, StoreError> {
        self.reach()?.purge(ended_before, limit).await
    }
    async fn ping(&self) -> Result<UnixMillis, StoreError> {
        self.reach()?.ping().await
    }
}
