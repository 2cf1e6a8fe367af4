//! A bank transfer as a TCC, between two banks with a SQLite database each, behind the barrier.
//!
//! ```sh
//! cargo run -p seata-examples --bin bank-tcc
//! ```
//!
//! It starts a coordinator of its own; `SEATA_URL=http://127.0.0.1:36789` uses one that runs already. At last it lets the
//! kit try every accident on the banks.
#![allow(clippy::print_stdout, reason = "it tells what happens")]

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Result, ensure};
use seata_client::{Client, Gid, OpenTcc, SagaKit, Tcc, TccBranch};
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

    println!("\n1. alice sends 30 to bob, step by step");
    let open = Tcc::new(Gid::new()).begin(&client).await?;
    for branch in banks.tcc_branches("bob", 30) {
        tell_try(&open, &branch).await?;
        println!("   {}", banks.told().await?);
    }
    let waited = open.submit_and_wait(WAIT).await?;
    println!("   {} {}", open.gid(), ended(&waited));
    println!("   {}", banks.told().await?);

    println!("\n2. alice sends 500, which she has not: her bank refuses the try");
    let waited = banks.tcc("bob", 500).run(&client, WAIT).await?;
    println!("   {}", ended(&waited));
    println!("   {}", banks.told().await?);

    println!("\n3. alice sends 30 to carol, who has no account: what was held is given back");
    let waited = banks.tcc("carol", 30).run(&client, WAIT).await?;
    println!("   {}", ended(&waited));
    for branch in &waited.transaction().branches {
        println!("   {} {}", branch.branch_id, branch.status);
    }
    println!("   {}", banks.told().await?);
    coordinator.stop().await?;

    println!("\n4. every accident that can happen on the way, without a coordinator");
    let kit = SagaKit::tcc(banks.tcc("bob", 30));
    let report = judged(kit, &banks).run().await;
    println!("   {report}");
    ensure!(report.is_clean(), "the banks break a rule");
    Ok(())
}

async fn tell_try(open: &OpenTcc, branch: &TccBranch) -> Result<()> {
    let tried = open.try_branch(branch).await?;
    println!("   try of {}: {tried:?}", branch.branch_id());
    Ok(())
}
