//! Handlers within the same process.

use std::future::pending;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use seata_core::{Operation, Outcome, Reason};
use seata_executor::{Executor, ExecutorConfig, LocalCall, LocalHandler};

use crate::calls::{Changed, call, json, made, reason, within};

#[derive(Default)]
struct Ledger(Mutex<Vec<LocalCall>>);

#[async_trait]
impl LocalHandler for Ledger {
    async fn handle(&self, call: LocalCall) -> Outcome {
        self.0.lock().unwrap().push(call);
        Outcome::Failure {
            reason: Reason::new("no credit"),
        }
    }
}

struct Panicking;

#[async_trait]
impl LocalHandler for Panicking {
    async fn handle(&self, _: LocalCall) -> Outcome {
        panic!("a handler's own mistake")
    }
}

struct Silent;

#[async_trait]
impl LocalHandler for Silent {
    async fn handle(&self, _: LocalCall) -> Outcome {
        pending().await
    }
}

fn executor(name: &str, handler: impl LocalHandler) -> Executor {
    Executor::new(ExecutorConfig::default()).with_local(name, Arc::new(handler))
}

#[tokio::test]
async fn a_local_handler_is_given_the_call_and_its_outcome_is_the_answer() {
    let ledger = Arc::new(Ledger::default());
    let handler: Arc<dyn LocalHandler> = Arc::<Ledger>::clone(&ledger);
    let executor = Executor::new(ExecutorConfig::default()).with_local("credit", handler);
    let call = call("local://credit").with_branch(|branch| branch.payload = Some(json("{}")));
    let outcome = made(&executor, call).await;
    assert_eq!(
        (outcome.as_str(), reason(&outcome)),
        ("failure", "no credit")
    );
    let calls = ledger.0.lock().unwrap();
    let [call] = &calls[..] else {
        panic!("called once");
    };
    assert_eq!(call.gid.as_str(), "order-1");
    assert_eq!(call.branch_id.as_str(), "stock");
    assert_eq!((call.operation, call.attempt), (Operation::Action, 3));
    assert_eq!(call.payload, Some(json("{}")));
}

#[tokio::test]
async fn an_unknown_name_is_unknown_and_says_which() {
    let outcome = made(&executor("credit", Silent), call("local://debit")).await;
    assert_eq!(outcome.as_str(), "unknown");
    assert_eq!(
        reason(&outcome),
        "no local handler named debit is registered"
    );
}

#[tokio::test]
async fn a_panic_of_a_handler_is_unknown_and_the_next_call_goes_on() {
    let executor = executor("credit", Panicking);
    for _ in 0..2 {
        let outcome = made(&executor, call("local://credit")).await;
        assert_eq!(outcome.as_str(), "unknown");
        assert_eq!(reason(&outcome), "the local handler credit panicked");
    }
}

#[tokio::test]
async fn a_local_handler_has_the_calls_time_limit() {
    let executor = executor("credit", Silent);
    let outcome = made(
        &executor,
        within("local://credit", Duration::from_millis(50)),
    )
    .await;
    assert_eq!(outcome.as_str(), "unknown");
    assert_eq!(reason(&outcome), "no answer within 0.05 s");
}
