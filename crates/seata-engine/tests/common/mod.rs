//! A world for engine tests: virtual time, the reference store, and participants that answer by script.
#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    reason = "shared by several test crates"
)]

pub mod distant;
pub mod faults;
pub mod moody;

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use seata_core::*;
use seata_engine::{Call, Caller, Clock, Config, Engine, Slot, Task, Waited};
use seata_store::{
    Append, AppendOutcome, Chunk, Expected, LeaseChange, Owner, StoreLimits, TxnStore, record,
};
use seata_store_mem::MemStore;
use tokio::time::Instant;

pub struct VirtualClock(pub Instant);

impl Clock for VirtualClock {
    fn boot(&self) -> Duration {
        self.0.elapsed()
    }
    fn spawn(&self, task: Task) {
        drop(tokio::spawn(task));
    }
}

/// What is answered next, and after how many milliseconds.
type Answers = VecDeque<(u64, Outcome)>;

/// Answers calls by script: per (branch, operation) a queue of (delay in ms, outcome); then success at once.
#[derive(Default)]
pub struct Script {
    answers: Mutex<BTreeMap<(String, Operation), Answers>>,
    pub calls: Mutex<Vec<String>>,
}

impl Script {
    pub fn say(
        &self,
        branch: &str,
        operation: Operation,
        answers: impl IntoIterator<Item = (u64, Outcome)>,
    ) {
        self.answers
            .lock()
            .unwrap()
            .insert((branch.into(), operation), answers.into_iter().collect());
    }
    pub fn calls(&self) -> Vec<String> {
        self.calls.lock().unwrap().clone()
    }
}

#[async_trait]
impl Caller for Script {
    async fn slot(&self, _: &Endpoint) -> Slot {
        Slot::unbounded()
    }
    async fn call(&self, call: Call, _: Slot) -> Outcome {
        let key = (call.branch.branch_id.to_string(), call.operation);
        self.calls.lock().unwrap().push(format!(
            "{} {}#{}",
            call.operation, key.0, call.attempt.number
        ));
        let next = self
            .answers
            .lock()
            .unwrap()
            .get_mut(&key)
            .and_then(VecDeque::pop_front);
        let (delay_ms, outcome) = next.unwrap_or((0, Outcome::Success));
        tokio::time::sleep(Duration::from_millis(delay_ms)).await;
        outcome
    }
}

pub fn unknown() -> Outcome {
    Outcome::Unknown {
        reason: "503".into(),
    }
}

pub fn refused() -> Outcome {
    Outcome::Failure {
        reason: "no".into(),
    }
}

pub fn gid(text: &str) -> Gid {
    Gid::parse(text).unwrap()
}

pub fn options() -> Options {
    Options {
        request_timeout: Duration::from_secs(3),
        retry: RetryPolicy {
            first: Duration::from_millis(100),
            max: Duration::from_secs(60),
            max_attempts: 0,
        },
        timeout_to_fail: None,
        prepared_timeout: Duration::from_secs(35),
        branch_parallelism: 8,
        order: Order::Concurrent,
        attention_attempts: 5,
        headers: Vec::new(),
    }
}

pub fn branch(name: &str, after: &[&str]) -> Arc<BranchDefinition> {
    Arc::new(BranchDefinition {
        branch_id: BranchId::parse(name).unwrap(),
        endpoints: Endpoints::Saga {
            action: Endpoint::parse(&format!("http://{name}/do")).unwrap(),
            compensation: Some(Endpoint::parse(&format!("http://{name}/undo")).unwrap()),
        },
        payload: None,
        after: after
            .iter()
            .map(|name| BranchId::parse(name).unwrap())
            .collect(),
        headers: Vec::new(),
        options: BranchOptions::default(),
        fingerprint: Fingerprint([u8::try_from(name.len()).unwrap(); 32]),
    })
}

pub fn saga(branches: &[(&str, &[&str])]) -> Arc<Definition> {
    saga_with(branches, options())
}

pub fn saga_with(branches: &[(&str, &[&str])], options: Options) -> Arc<Definition> {
    Arc::new(Definition {
        mode: Mode::Saga,
        branches: branches
            .iter()
            .map(|(name, after)| branch(name, after))
            .collect(),
        options,
        payload: None,
        fingerprint: Fingerprint([7; 32]),
    })
}

pub struct World {
    pub store: MemStore,
    pub script: Arc<Script>,
    pub start: Instant,
}

impl World {
    pub fn new() -> Self {
        Self::bounded(StoreLimits::default())
    }

    pub fn bounded(limits: StoreLimits) -> Self {
        let start = Instant::now();
        let clock = move || {
            UnixMillis(1_700_000_000_000 + i64::try_from(start.elapsed().as_millis()).unwrap())
        };
        let store = MemStore::with_limits(Arc::new(clock), limits);
        Self {
            store,
            script: Arc::default(),
            start,
        }
    }

    pub async fn engine(&self, owner: u128) -> Engine {
        self.engine_on(Arc::new(self.store.clone()), owner).await
    }

    pub async fn engine_on(&self, store: Arc<dyn TxnStore>, owner: u128) -> Engine {
        self.engine_with(store, Config::new(Owner(owner))).await
    }

    pub async fn engine_with(&self, store: Arc<dyn TxnStore>, config: Config) -> Engine {
        let caller: Arc<dyn Caller> = self.script.clone();
        Engine::start(store, caller, Arc::new(VirtualClock(self.start)), config)
            .await
            .unwrap()
    }
}

/// Leaves `g` in the store as a server that broke down leaves it. Its lease ends in a second.
pub async fn left_behind(
    world: &World,
    definition: Arc<Definition>,
    inputs: impl IntoIterator<Item = Input>,
) {
    let now = world.store.ping().await.unwrap();
    let created = Transaction::create(definition, now).unwrap();
    let mut transaction = Transaction::fold(&gid("g"), [&created]).unwrap();
    let mut events = vec![created];
    for input in inputs {
        events.extend(transaction.record(input, now).unwrap().events);
    }
    let append = Append {
        gid: gid("g"),
        mode: transaction.mode(),
        expected: Expected::Absent,
        status: transaction.status(),
        wake_at: Some(now),
        lease: LeaseChange::Take {
            owner: Owner(9),
            lasts: Duration::from_secs(1),
        },
        chunk: Chunk::Add(record::encode(&events)),
        at: now,
    };
    let applied = world.store.append(vec![append]).await;
    assert!(matches!(applied[..], [Ok(AppendOutcome::Applied(_))]));
}

pub async fn settled(engine: &Engine, name: &str) -> seata_engine::Snapshot {
    match engine
        .wait(gid(name), Duration::from_secs(300))
        .await
        .unwrap()
    {
        Waited::Settled(snapshot) => snapshot,
        Waited::Pending(snapshot) => panic!("still {}", snapshot.status()),
    }
}
