//! The engine on a store of one's own: a saga of two branches, here in this process.
//!
//! ```sh
//! cargo run -p seata-example-store --example saga
//! ```
#![allow(clippy::print_stdout, reason = "it tells what happens")]

use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use async_trait::async_trait;
use seata_core::{
    BranchDefinition, BranchId, BranchOptions, Definition, Endpoint, Endpoints, Fingerprint, Gid,
    Mode, Options, Order, Outcome, RetryPolicy,
};
use seata_engine::{Config, Engine, SystemClock, Waited};
use seata_example_store::FileStore;
use seata_executor::{Executor, ExecutorConfig, LocalCall, LocalHandler};
use seata_store::Owner;

/// Says yes to whatever it is asked.
struct Willing;

#[async_trait]
impl LocalHandler for Willing {
    async fn handle(&self, call: LocalCall) -> Outcome {
        println!("{} of {}", call.operation, call.branch_id);
        Outcome::Success
    }
}

#[tokio::main]
async fn main() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let store = FileStore::open(folder.path())?;
    println!("{}", run(store, "order-1").await?);
    Ok(())
}

/// Starts the engine on a store, runs a saga, and answers how it ended.
pub(crate) async fn run(store: FileStore, gid: &str) -> Result<&'static str> {
    let willing = Arc::new(Willing);
    let executor = Executor::new(ExecutorConfig::default())
        .with_local("stock", willing.clone())
        .with_local("purse", willing);
    // A new number at each start: it is how the store knows whose lease it is.
    let owner = Owner(uuid::Uuid::new_v4().as_u128());
    let engine = Engine::start(
        Arc::new(store),
        Arc::new(executor),
        Arc::new(SystemClock),
        Config::new(owner),
    )
    .await?;
    let submitted = engine.run(Gid::parse(gid)?, Arc::new(saga()?)).await?;
    let waited = engine
        .wait_after(submitted, Duration::from_secs(10))
        .await?;
    engine.stop(Duration::from_secs(5)).await;
    Ok(match waited {
        Waited::Settled(snapshot) | Waited::Pending(snapshot) => snapshot.status().as_str(),
    })
}

fn saga() -> Result<Definition> {
    Ok(Definition {
        mode: Mode::Saga,
        branches: vec![branch("stock")?, branch("purse")?],
        options: Options {
            request_timeout: Duration::from_secs(3),
            retry: RetryPolicy {
                first: Duration::from_millis(200),
                max: Duration::from_secs(10),
                max_attempts: 0,
            },
            timeout_to_fail: None,
            prepared_timeout: Duration::from_secs(35),
            branch_parallelism: 8,
            order: Order::Concurrent,
            attention_attempts: 5,
            headers: Vec::new(),
        },
        payload: None,
        fingerprint: Fingerprint([0; 32]),
    })
}

fn branch(name: &str) -> Result<Arc<BranchDefinition>> {
    let endpoint = Endpoint::parse(&format!("local://{name}"))?;
    Ok(Arc::new(BranchDefinition {
        branch_id: BranchId::parse(name)?,
        endpoints: Endpoints::Saga {
            action: endpoint.clone(),
            compensation: Some(endpoint),
        },
        payload: None,
        after: Vec::new(),
        headers: Vec::new(),
        options: BranchOptions::default(),
        fingerprint: Fingerprint([0; 32]),
    }))
}
