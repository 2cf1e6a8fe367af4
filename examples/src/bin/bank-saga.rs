//! A bank transfer as a saga, between two banks with a SQLite database each, behind the barrier.
//!
//! ```sh
//! cargo run -p seata-examples --bin bank-saga
//! ```
//!
//! It starts a coordinator of its own; `SEATA_URL=http://127.0.0.1:36789` uses one that runs already. At last it lets the
//! kit try every accident on the banks, with the barrier and without.
#![allow(clippy::print_stdout, reason = "it tells what happens")]

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Result, ensure};
use seata_client::{Client, SagaKit};
use seata_examples::bank::Guard;
use seata_examples::coordinator::Coordinator;
use seata_examples::transfer::{Banks, ended, judged};
use tempfile::TempDir;

const WAIT: Duration = Duration::from_secs(30);

#[tokio::main]
async fn main() -> Result<()> {
    let folder = TempDir::new()?;
    let coordinator = Coordinator::find_or_start(&folder.path().join("coordinator")).await?;
    let client = Client::http(&coordinator.url)?;
    let banks = Arc::new(Banks::open(folder.path(), Guard::Barrier).await?);
    println!("Two banks: {}.", banks.told().await?);

    println!("\n1. alice sends 30 to bob");
    let saga = banks.saga("bob", 30);
    let waited = saga.submit_and_wait(&client, WAIT).await?;
    println!("   {} {}", saga.gid(), ended(&waited));
    println!("   {}", banks.told().await?);

    println!(
        "\n2. the same request again, as after an answer that was lost: nothing happens twice"
    );
    let waited = saga.submit_and_wait(&client, WAIT).await?;
    println!("   {} {}", saga.gid(), ended(&waited));
    println!("   {}", banks.told().await?);

    println!("\n3. alice sends 500, which she has not: her bank refuses, and nothing was done");
    let waited = banks
        .saga("bob", 500)
        .submit_and_wait(&client, WAIT)
        .await?;
    println!("   {}", ended(&waited));
    println!("   {}", banks.told().await?);

    println!("\n4. alice sends 30 to carol, who has no account: what was debited is credited back");
    let saga = banks.saga("carol", 30);
    let waited = saga.submit_and_wait(&client, WAIT).await?;
    println!("   {}", ended(&waited));
    for branch in &waited.transaction().branches {
        println!("   {} {}", branch.branch_id, branch.status);
    }
    println!("   {}", banks.told().await?);
    coordinator.stop().await?;

    println!("\n5. every accident that can happen on the way, without a coordinator");
    let kit = SagaKit::new(banks.saga("bob", 30));
    let report = judged(kit, &banks).run().await;
    println!("   {report}");
    ensure!(report.is_clean(), "the banks break a rule");

    println!("\n6. the same of banks without the barrier");
    let folder = TempDir::new()?;
    let banks = Arc::new(Banks::open(folder.path(), Guard::Nothing).await?);
    let kit = SagaKit::new(banks.saga("bob", 30));
    let report = judged(kit, &banks).run().await;
    println!("   {}", report.to_string().replace('\n', "\n   "));
    Ok(())
}
