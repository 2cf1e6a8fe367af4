//! Each example runs with one command, and prints what it promises.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::ffi::OsStr;
use std::process::Command;
use std::sync::Arc;

use seata_client::SagaKit;
use seata_examples::bank::Guard;
use seata_examples::transfer::{Banks, judged};
use tempfile::TempDir;

/// Runs a program on a coordinator of its own and answers what it printed.
fn printed(program: &str, arguments: &[&OsStr]) -> String {
    let output = Command::new(program)
        .args(arguments)
        .env_remove("SEATA_URL")
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{text}\n{errors}");
    text
}

/// Checks that these texts come in this order.
fn tells(text: &str, expected: &[&str]) {
    let mut rest = text;
    for line in expected {
        let at = rest.find(line).unwrap_or_else(|| {
            panic!("{line:?} is missing behind what comes before it in:\n{text}")
        });
        rest = &rest[at + line.len()..];
    }
}

#[test]
fn a_bank_transfer_is_a_saga() {
    let text = printed(env!("CARGO_BIN_EXE_bank-saga"), &[]);
    tells(
        &text,
        &[
            "alice has 100, bob has 50",
            "COMMITTED",
            "alice has 70, bob has 80",
            "COMMITTED",
            "alice has 70, bob has 80",
            "ABORTED",
            "the account has not enough money",
            "alice has 70, bob has 80",
            "ABORTED",
            "there is no such account",
            "debit COMPENSATED",
            "credit REFUSED",
            "alice has 70, bob has 80",
            "23 runs, no rule is broken",
            "branch debit breaks the rule \"an operation that is delivered twice takes effect once\"",
            "branch debit breaks the rule \"undoing what was never done succeeds and changes nothing\"",
            "branch credit breaks the rule",
        ],
    );
}

#[test]
fn a_bank_transfer_is_a_tcc() {
    let text = printed(env!("CARGO_BIN_EXE_bank-tcc"), &[]);
    tells(
        &text,
        &[
            "alice has 100, bob has 50",
            "try of debit: Succeeded",
            "alice has 70 (and 30 held), bob has 50",
            "try of credit: Succeeded",
            "COMMITTED",
            "alice has 70, bob has 80",
            "ABORTED",
            "the account has not enough money",
            "alice has 70, bob has 80",
            "ABORTED",
            "there is no such account",
            "debit CANCELLED",
            "credit CANCELLED",
            "alice has 70, bob has 80",
            "25 runs, no rule is broken",
        ],
    );
}

#[tokio::test]
async fn the_banks_follow_the_rules_of_a_tcc() {
    let folder = TempDir::new().unwrap();
    let banks = Arc::new(Banks::open(folder.path(), Guard::Barrier).await.unwrap());
    let kit = SagaKit::tcc(banks.tcc("bob", 30));
    let report = judged(kit, &banks).run().await;
    assert!(report.is_clean(), "{report}");
    assert_eq!(report.runs, 25);
}

#[test]
fn a_shop_embeds_the_coordinator_and_knows_its_orders_in_the_next_process() {
    let folder = TempDir::new().unwrap();
    let program = env!("CARGO_BIN_EXE_embedded");
    let orders = [
        "1. ",
        "200 OK: COMMITTED",
        "1 chairs in stock, alice has 60",
        "2. ",
        "200 OK: COMMITTED",
        "1 chairs in stock, alice has 60",
        "3. ",
        "409 Conflict: ABORTED",
        "1 chairs in stock, alice has 60",
    ];
    let first = printed(program, &[folder.path().as_os_str()]);
    tells(&first, &["2 chairs in stock, alice has 100"]);
    tells(&first, &orders);
    let second = printed(program, &[folder.path().as_os_str()]);
    tells(&second, &["1 chairs in stock, alice has 60"]);
    tells(&second, &orders);
}
