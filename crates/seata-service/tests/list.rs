//! Listing over a store whose pages hold little: what is to be stepped over is, on whichever page it ends.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use seata_core::{Endpoint, Gid, Outcome, UnixMillis};
use seata_engine::{Call, Caller, Clock, Config, Engine, Slot, Task};
use seata_service::request::{ListRequest, TransactionRequest};
use seata_service::{Defaults, ErrorCode, Limits, LocalEndpoints, Rules, Service};
use seata_store::{
    Append, AppendOutcome, ClaimLimit, FencingToken, Header, Held, ListQuery, Owner, Page,
    StoreError, Stored, TxnStore,
};
use seata_store_mem::MemStore;
use tokio::time::Instant;

struct VirtualClock(Instant);

impl Clock for VirtualClock {
    fn boot(&self) -> Duration {
        self.0.elapsed()
    }
    fn spawn(&self, task: Task) {
        drop(tokio::spawn(task));
    }
}

/// Nothing is called here.
struct Nobody;

#[async_trait]
impl Caller for Nobody {
    async fn slot(&self, _: &Endpoint) -> Slot {
        Slot::unbounded()
    }
    async fn call(&self, call: Call, _: Slot) -> Outcome {
        panic!("{call:?}")
    }
}

/// Each page holds one at most, as if the filters left no more of what was looked at.
struct OneByOne(MemStore);

#[async_trait]
impl TxnStore for OneByOne {
    async fn append(&self, batch: Vec<Append>) -> Vec<Result<AppendOutcome, StoreError>> {
        self.0.append(batch).await
    }
    async fn load(&self, gid: &Gid) -> Result<Option<Stored>, StoreError> {
        self.0.load(gid).await
    }
    async fn claim_due(
        &self,
        owner: Owner,
        lasts: Duration,
        limit: ClaimLimit,
    ) -> Result<Vec<Stored>, StoreError> {
        self.0.claim_due(owner, lasts, limit).await
    }
    async fn renew(
        &self,
        held: &[(Gid, FencingToken)],
        lasts: Duration,
    ) -> Result<Vec<Held>, StoreError> {
        self.0.renew(held, lasts).await
    }
    async fn list(&self, query: &ListQuery) -> Result<Page<Header>, StoreError> {
        let mut query = query.clone();
        query.limit = 1;
        self.0.list(&query).await
    }
    async fn purge(&self, ended_before: UnixMillis, limit: usize) -> Result<usize, StoreError> {
        self.0.purge(ended_before, limit).await
    }
    async fn ping(&self) -> Result<UnixMillis, StoreError> {
        self.0.ping().await
    }
}

/// With transactions g00, g01 and so on, the newest first.
async fn service(count: usize) -> Service {
    let start = Instant::now();
    let store = MemStore::new(Arc::new(|| UnixMillis(1_700_000_000_000)));
    let clock = Arc::new(VirtualClock(start));
    let config = Config::new(Owner(1));
    let engine = Engine::start(Arc::new(OneByOne(store)), Arc::new(Nobody), clock, config);
    let rules = Rules {
        defaults: Defaults::default(),
        limits: Limits::default(),
        local: LocalEndpoints::Refused,
    };
    let service = Service::new(engine.await.unwrap(), rules);
    for number in 0..count {
        let asked = TransactionRequest {
            gid: Some(format!("g{number:02}").into()),
            ..TransactionRequest::default()
        };
        let whole = asked.resolve(service.rules(), service.now()).unwrap();
        service.start(whole).await.unwrap();
    }
    service
}

/// Answers the gids of all pages, and how many pages there were.
async fn all(service: &Service, offset: usize) -> (Vec<String>, usize) {
    let (mut gids, mut pages) = (Vec::new(), 0);
    let mut asked = ListRequest {
        offset: Some(offset),
        ..ListRequest::default()
    };
    loop {
        let listed = service.list(asked.resolve().unwrap()).await.unwrap();
        pages += 1;
        gids.extend(listed.headers.iter().map(|header| header.gid.to_string()));
        let Some(cursor) = listed.next_cursor else {
            return (gids, pages);
        };
        asked = ListRequest {
            cursor: Some(cursor.into()),
            ..ListRequest::default()
        };
    }
}

#[tokio::test(start_paused = true)]
async fn what_one_answer_could_not_step_over_the_next_one_does() {
    let service = service(50).await;
    let from = |first: usize| (first..50).map(|number| format!("g{number:02}"));
    for offset in [0, 5, 15, 16, 17, 31, 32, 33, 47, 49, 50, 60] {
        let (gids, pages) = all(&service, offset).await;
        assert!(pages > 1, "{offset}");
        assert_eq!(gids, from(offset).collect::<Vec<_>>(), "{offset}");
    }
}

#[test]
fn a_cursor_says_behind_which_and_how_many_more_to_step_over() {
    let read = |cursor: &'static str| {
        let asked = ListRequest {
            cursor: Some(cursor.into()),
            ..ListRequest::default()
        };
        asked.resolve()
    };
    for (cursor, skip) in [("-7~a.b", 0), ("7~a~0", 0), ("7~a~10000", 10_000)] {
        assert_eq!(read(cursor).unwrap().skip, skip, "{cursor}");
    }
    for bad in ["7", "7~", "7~a~", "7~a~-1", "7~a~10001", "7~a~1~1", "x~a~1"] {
        let problem = read(bad).unwrap_err();
        assert_eq!(problem.code, ErrorCode::InvalidRequest, "{bad}");
    }
}
