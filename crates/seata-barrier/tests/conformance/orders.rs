//! One delivery after another, in every order, twice each.

use seata_barrier::{Call, Operation, Skip};

use crate::bank::{ACCOUNTS, Answer, Bank, Ledger, Order, call};

/// All orders of two deliveries of each: `false` is the forward one.
const ORDERS: [[bool; 4]; 6] = [
    [false, false, true, true],
    [false, true, false, true],
    [false, true, true, false],
    [true, false, false, true],
    [true, false, true, false],
    [true, true, false, false],
];

/// Action and compensation, try and cancel: whatever the order, nothing remains, and each answer is the right one.
pub(crate) async fn undone<B: Bank>(bank: &B, forward: Operation, backward: Operation) {
    for (round, order) in ORDERS.into_iter().enumerate() {
        let gid = format!("undone-{forward}-{round}");
        let mut came: Vec<bool> = Vec::new();
        for is_backward in order {
            let operation = if is_backward { backward } else { forward };
            let answer = bank.deliver(&call(&gid, operation), Order::of(1, 30)).await;
            let expected = expected_answer(&came, is_backward);
            assert_eq!(shown(&answer), expected, "{order:?} after {came:?}");
            came.push(is_backward);
        }
        assert_eq!(bank.ledger(1).await, Ledger::UNTOUCHED, "{order:?}");
    }
}

/// The rules in words: what came first decides, and nothing is done twice.
fn expected_answer(came: &[bool], is_backward: bool) -> String {
    let duplicate = shown(&Answer::Skipped(Skip::Duplicate));
    let began_backward = *came.first().unwrap_or(&is_backward);
    match (began_backward, is_backward) {
        (true, false) => shown(&Answer::Skipped(Skip::Hanging)),
        (true, true) if came.is_empty() => shown(&Answer::Skipped(Skip::Null)),
        (false, _) if !came.contains(&is_backward) => shown(&Answer::Done),
        _ => duplicate,
    }
}

fn shown(answer: &Answer) -> String {
    format!("{answer:?}")
}

/// Try and confirm. A confirm whose try never ran is not the barrier's to judge: the ledger refuses it, and nothing is claimed.
pub(crate) async fn confirmed<B: Bank>(bank: &B) {
    let mut spent = 0;
    for (round, order) in ORDERS.into_iter().enumerate() {
        let gid = format!("confirmed-{round}");
        let mut came: Vec<bool> = Vec::new();
        for is_confirm in order {
            let operation = if is_confirm {
                Operation::Confirm
            } else {
                Operation::Try
            };
            let answer = bank.deliver(&call(&gid, operation), Order::of(2, 30)).await;
            let tried = came.contains(&false);
            let expected = match (is_confirm, tried) {
                (false, false) => "Done".to_owned(),
                (true, false) => "Refused".to_owned(),
                (true, true)
                    if !came
                        .iter()
                        .skip_while(|confirm| **confirm)
                        .any(|confirm| *confirm) =>
                {
                    "Done".to_owned()
                }
                (false | true, true) => shown(&Answer::Skipped(Skip::Duplicate)),
            };
            assert_eq!(shown(&answer), expected, "{order:?} after {came:?}");
            came.push(is_confirm);
        }
        // A round that ends with its try is confirmed here, as a coordinator would.
        let last = bank
            .deliver(&call(&gid, Operation::Confirm), Order::of(2, 30))
            .await;
        assert!(
            matches!(last, Answer::Done | Answer::Skipped(Skip::Duplicate)),
            "{last:?}"
        );
        spent += 30;
        assert_eq!(bank.ledger(2).await, Ledger::after(0, spent), "{order:?}");
    }
}

/// Keys that differ in case, in the branch or where gid and branch meet are different keys.
pub(crate) async fn alike<B: Bank>(bank: &B) {
    let keys = [
        ("Order-1", "a"),
        ("order-1", "a"),
        ("order-1", "A"),
        ("a:b", "c"),
        ("a", "b:c"),
    ];
    for (gid, branch) in keys {
        let alike = Call {
            gid: gid.parse().unwrap(),
            branch_id: branch.parse().unwrap(),
            operation: Operation::Action,
        };
        for expected in ["Done", "Skipped(Duplicate)"] {
            let answer = bank.deliver(&alike, Order::of(ACCOUNTS, 10)).await;
            assert_eq!(shown(&answer), expected, "{alike:?}");
        }
    }
    assert_eq!(bank.ledger(ACCOUNTS).await, Ledger::after(0, 50));
}

/// The longest ids fit into the table.
pub(crate) async fn longest<B: Bank>(bank: &B) {
    for operation in [Operation::Action, Operation::Compensation] {
        let longest = Call {
            gid: "g".repeat(128).parse().unwrap(),
            branch_id: "b".repeat(64).parse().unwrap(),
            operation,
        };
        for expected in ["Done", "Skipped(Duplicate)"] {
            let answer = bank.deliver(&longest, Order::of(3, 10)).await;
            assert_eq!(shown(&answer), expected);
        }
    }
    assert_eq!(bank.ledger(3).await, Ledger::UNTOUCHED);
}
