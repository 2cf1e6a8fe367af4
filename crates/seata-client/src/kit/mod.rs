//! Tests participants: runs a transaction of theirs again and again, each time with another accident, and says which
//! branch breaks which rule of docs/participants.md.

mod accident;
mod definition;
mod report;
mod run;

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use crate::end::End;
use crate::participant::{HttpParticipant, Operation, Participant};
use crate::saga::Saga;
use crate::tcc::Tcc;

use accident::Accident;
use definition::{Definition, Part};
use run::Runner;

pub use report::{Breach, Report, Rule};

type Checked = Pin<Box<dyn Future<Output = Result<(), String>> + Send>>;
type Reset = dyn Fn() -> Checked + Send + Sync;
type Check = dyn Fn(End) -> Checked + Send + Sync;

/// Runs a saga or a TCC with an accident at every operation of every branch, and judges its participants.
///
/// It needs no coordinator: it makes the calls by itself, each run under a gid of its own. Before each run it calls
/// `reset`, and behind it `check`, which gets how the transaction ended and says what is wrong with the participants'
/// data, if anything. A check should know what must be there, to the last unit: one that only adds up a sum finds less.
///
/// ```
/// use std::sync::{Arc, Mutex};
/// use seata_client::{Answer, Branch, Call, End, Gid, Operation, Participant, Saga, SagaKit};
///
/// /// Takes something from stock, each time it is asked.
/// struct Careless(Arc<Mutex<i64>>);
///
/// #[async_trait::async_trait]
/// impl Participant for Careless {
///     async fn call(&self, call: &Call) -> Answer {
///         let change = if call.operation == Operation::Action { -1 } else { 1 };
///         *self.0.lock().unwrap() += change;
///         Answer::Success
///     }
/// }
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// let stock = Arc::new(Mutex::new(0));
/// let saga = Saga::new(Gid::new())
///     .branch(Branch::new("stock").action("local://stock").compensation("local://stock"));
/// let (reset, check) = (Arc::clone(&stock), Arc::clone(&stock));
/// let report = SagaKit::new(saga)
///     .participant("stock", Careless(stock))
///     .reset(move || {
///         *reset.lock().unwrap() = 10;
///         async { Ok(()) }
///     })
///     .check(move |end| {
///         let (left, expected) = (*check.lock().unwrap(), if end == End::Committed { 9 } else { 10 });
///         async move { if left == expected { Ok(()) } else { Err(format!("{left} left, not {expected}")) } }
///     })
///     .run()
///     .await;
/// assert!(!report.is_clean());
/// assert!(report.to_string().contains("branch stock"), "{report}");
/// # }
/// ```
pub struct SagaKit {
    definition: Definition,
    participants: Vec<(String, Option<Operation>, Arc<dyn Participant>)>,
    reset: Option<Box<Reset>>,
    check: Option<Box<Check>>,
}

impl SagaKit {
    /// Takes a saga. Its gid is not used.
    #[must_use]
    pub fn new(saga: Saga) -> Self {
        Self::of(Definition::saga(saga))
    }

    /// Takes a TCC. Its gid is not used; each branch needs a try.
    #[must_use]
    pub fn tcc(tcc: Tcc) -> Self {
        Self::of(Definition::tcc(tcc))
    }

    fn of(definition: Definition) -> Self {
        Self {
            definition,
            participants: Vec::new(),
            reset: None,
            check: None,
        }
    }

    /// Says who answers the calls of a branch. Of a branch without one, the endpoints are called over HTTP.
    #[must_use]
    pub fn participant(
        mut self,
        branch_id: impl Into<String>,
        participant: impl Participant + 'static,
    ) -> Self {
        let participant = Arc::new(participant);
        self.participants
            .push((branch_id.into(), None, participant));
        self
    }

    /// Says how to put the participants' data back to where each run begins. Without it, the first run that leaves
    /// wrong data is the last one.
    #[must_use]
    pub fn reset<F>(mut self, reset: impl Fn() -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Result<(), String>> + Send + 'static,
    {
        self.reset = Some(Box::new(move || Box::pin(reset())));
        self
    }

    /// Says what must hold behind each run. Without it, only answers are judged.
    #[must_use]
    pub fn check<F>(mut self, check: impl Fn(End) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Result<(), String>> + Send + 'static,
    {
        self.check = Some(Box::new(move |end| Box::pin(check(end))));
        self
    }

    /// Makes all runs, one after the other, and reports.
    pub async fn run(mut self) -> Report {
        self.call_endpoints();
        let mut report = Report::default();
        let runner = Runner::new(&self);
        for accident in Accident::all(&self.definition) {
            if report.makes_pointless(&accident) {
                report.skip(&accident);
                continue;
            }
            let found = runner.run(&accident).await;
            let left_wrong = found.is_some();
            report.take(&accident, found);
            if left_wrong && self.reset.is_none() {
                report.stop();
                break;
            }
        }
        report
    }

    /// Gives each operation without a participant its endpoint.
    fn call_endpoints(&mut self) {
        for part in &self.definition.parts {
            if self
                .participants
                .iter()
                .any(|(branch_id, ..)| *branch_id == part.branch_id)
            {
                continue;
            }
            for (operation, endpoint) in part.endpoints() {
                let participant = Arc::new(HttpParticipant::new(endpoint));
                self.participants
                    .push((part.branch_id.clone(), Some(operation), participant));
            }
        }
    }

    /// Answers who is asked for an operation of a branch.
    fn asked(&self, part: &Part, operation: Operation) -> Option<&dyn Participant> {
        let found = self.participants.iter().find(|(branch_id, only, _)| {
            *branch_id == part.branch_id && only.is_none_or(|only| only == operation)
        });
        found.map(|(.., participant)| &**participant)
    }
}
