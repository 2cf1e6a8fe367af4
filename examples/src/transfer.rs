//! Two banks, and a transfer from one to the other: as a saga and as a TCC.

use std::path::Path;
use std::sync::Arc;

use anyhow::Result;
use seata_client::{Branch, End, Gid, Saga, SagaKit, Tcc, TccBranch, Waited};
use serde_json::json;

use crate::bank::{Bank, Guard};

/// Alice has an account in the north, Bob has one in the south. Each bank has a database of its own.
pub struct Banks {
    /// Alice's bank.
    pub north: Bank,
    /// Bob's bank.
    pub south: Bank,
    north_url: String,
    south_url: String,
}

/// What Alice and Bob have at the beginning.
pub const ALICE: i64 = 100;
/// The same of Bob.
pub const BOB: i64 = 50;

impl Banks {
    /// Opens both and serves them.
    ///
    /// # Errors
    /// The folder can't be used, or there is no free port.
    pub async fn open(folder: &Path, guard: Guard) -> Result<Self> {
        let north = Bank::open(&folder.join("north.sqlite"), guard).await?;
        let south = Bank::open(&folder.join("south.sqlite"), guard).await?;
        let banks = Self {
            north_url: north.serve().await?,
            south_url: south.serve().await?,
            north,
            south,
        };
        banks.reset().await?;
        Ok(banks)
    }

    /// Gives both what they had at the beginning.
    ///
    /// # Errors
    /// A database fails.
    pub async fn reset(&self) -> Result<()> {
        self.north.set("alice", ALICE).await?;
        self.south.set("bob", BOB).await
    }

    /// Makes the transfer from Alice to an account in the south as a saga: the money is gone from Alice's account at
    /// once, and comes back if it can't be credited.
    #[must_use]
    pub fn saga(&self, to: &str, amount: i64) -> Saga {
        let (debit, credit) = self.endpoints();
        Saga::new(Gid::new())
            .branch(
                Branch::new("debit")
                    .action(&debit)
                    .compensation(&debit)
                    .payload(json!({ "account": "alice", "amount": amount })),
            )
            .branch(
                Branch::new("credit")
                    .action(&credit)
                    .compensation(&credit)
                    .payload(json!({ "account": to, "amount": amount }))
                    .after(["debit"]),
            )
    }

    /// Makes the same transfer as a TCC: the money is held on Alice's account until both banks have agreed.
    #[must_use]
    pub fn tcc(&self, to: &str, amount: i64) -> Tcc {
        let [debit, credit] = self.tcc_branches(to, amount);
        Tcc::new(Gid::new()).branch(debit).branch(credit)
    }

    /// The branches of that, to be tried one by one.
    #[must_use]
    pub fn tcc_branches(&self, to: &str, amount: i64) -> [TccBranch; 2] {
        let (debit, credit) = self.endpoints();
        [
            TccBranch::new("debit")
                .try_(debit)
                .payload(json!({ "account": "alice", "amount": amount })),
            TccBranch::new("credit")
                .try_(credit)
                .payload(json!({ "account": to, "amount": amount })),
        ]
    }

    /// One endpoint serves all operations of a branch: `seata-operation` tells them apart.
    fn endpoints(&self) -> (String, String) {
        (
            format!("{}/debit", self.north_url),
            format!("{}/credit", self.south_url),
        )
    }

    /// Says what both have.
    ///
    /// # Errors
    /// A database fails.
    pub async fn told(&self) -> Result<String> {
        let alice = self.north.balance("alice").await?;
        let bob = self.south.balance("bob").await?;
        let held = match alice.held {
            0 => String::new(),
            held => format!(" (and {held} held)"),
        };
        Ok(format!(
            "alice has {}{held}, bob has {}",
            alice.balance, bob.balance
        ))
    }

    /// Says what is wrong if they have anything else than this, or if anything is still held.
    ///
    /// # Errors
    /// What is wrong.
    pub async fn check(&self, alice: i64, bob: i64) -> Result<(), String> {
        let found = self.told().await.map_err(|error| format!("{error:#}"))?;
        let expected = format!("alice has {alice}, bob has {bob}");
        if found == expected {
            Ok(())
        } else {
            Err(format!("{found}, but should be: {expected}"))
        }
    }
}

/// Lets a kit run with these banks, and says what must hold behind each run, to the last unit: 30 are gone from Alice
/// to Bob, or none.
#[must_use]
pub fn judged(kit: SagaKit, banks: &Arc<Banks>) -> SagaKit {
    let (reset, check) = (Arc::clone(banks), Arc::clone(banks));
    kit.reset(move || {
        let banks = Arc::clone(&reset);
        async move { banks.reset().await.map_err(|error| format!("{error:#}")) }
    })
    .check(move |end| {
        let banks = Arc::clone(&check);
        async move {
            match end {
                End::Committed => banks.check(ALICE - 30, BOB + 30).await,
                End::Aborted => banks.check(ALICE, BOB).await,
            }
        }
    })
}

/// Says how a transfer ended.
#[must_use]
pub fn ended(waited: &Waited) -> String {
    let transaction = waited.transaction();
    match &transaction.reason {
        Some(reason) => format!("{}: {reason}", transaction.status),
        None => transaction.status.to_string(),
    }
}
