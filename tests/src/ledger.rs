//! What participants were asked, in order, and what took effect. Its claims are a barrier, as every participant needs
//! one: a duplicate does nothing, and a compensation without its action blocks an action that comes late. A cancel does
//! the same to its try.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::time::Instant;

use bytes::Bytes;
use http::HeaderMap;

/// One delivery of one operation.
#[derive(Debug, Clone)]
pub struct Delivery {
    /// Its place among all, from 0.
    pub order: usize,
    /// Its place among those of the same operation, from 1.
    pub nth: usize,
    /// Which transaction.
    pub gid: String,
    /// Which branch.
    pub branch_id: String,
    /// `action`, `compensation`, `try`, `confirm` or `cancel`.
    pub operation: String,
    /// The number of the attempt, as said.
    pub attempt: u32,
    /// All headers.
    pub headers: HeaderMap,
    /// The payload.
    pub body: Bytes,
    /// The process that sent it, if that could be told.
    pub caller: Option<u32>,
    /// When it came.
    pub at: Instant,
    /// When it was answered and with what, whether or not anybody was there to hear it.
    pub answered: Option<(Instant, u16)>,
}

impl Delivery {
    /// Answers a header as text; empty if there is none.
    #[must_use]
    pub fn header(&self, name: &str) -> &str {
        let value = self.headers.get(name).and_then(|value| value.to_str().ok());
        value.unwrap_or("")
    }
}

/// What an operation does when it is to take effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Effect {
    /// It does its work, or did it at an earlier delivery.
    Done,
    /// It came after its compensation or cancel and does nothing.
    Blocked,
}

#[derive(Debug, Default, Clone)]
struct Claims {
    /// The operations that took effect.
    done: BTreeSet<String>,
    /// How often each was delivered.
    delivered: BTreeMap<String, usize>,
}

impl Claims {
    fn has(&self, operation: &str) -> bool {
        self.done.contains(operation)
    }
}

#[derive(Debug, Default)]
struct Books {
    deliveries: Vec<Delivery>,
    branches: BTreeMap<(String, String), Claims>,
}

/// The books of all participants.
#[derive(Debug, Default)]
pub struct Ledger(Mutex<Books>);

impl Ledger {
    /// Enters a delivery.
    pub(crate) fn enter(&self, headers: HeaderMap, body: Bytes) -> Delivery {
        let said = |name: &str| {
            let value = headers.get(name).and_then(|value| value.to_str().ok());
            value.unwrap_or("").to_owned()
        };
        let mut books = self.0.lock().unwrap();
        let (gid, branch_id) = (said("seata-gid"), said("seata-branch-id"));
        let operation = said("seata-operation");
        let claims = books
            .branches
            .entry((gid.clone(), branch_id.clone()))
            .or_default();
        let count = claims.delivered.entry(operation.clone()).or_default();
        *count += 1;
        let delivery = Delivery {
            nth: *count,
            order: books.deliveries.len(),
            attempt: said("seata-attempt").parse().unwrap_or(0),
            gid,
            branch_id,
            operation,
            headers,
            body,
            caller: None,
            at: Instant::now(),
            answered: None,
        };
        books.deliveries.push(delivery.clone());
        delivery
    }

    /// Notes who made a delivery.
    pub(crate) fn called_by(&self, order: usize, caller: Option<u32>) {
        let mut books = self.0.lock().unwrap();
        books.deliveries[order].caller = caller;
    }

    /// Notes the answer to a delivery.
    pub(crate) fn answered(&self, order: usize, status: u16) {
        let mut books = self.0.lock().unwrap();
        books.deliveries[order].answered = Some((Instant::now(), status));
    }

    /// Lets a delivery take effect, at most once per operation.
    pub(crate) fn claim(&self, delivery: &Delivery) -> Effect {
        let mut books = self.0.lock().unwrap();
        let key = (delivery.gid.clone(), delivery.branch_id.clone());
        let claims = books.branches.entry(key).or_default();
        let operation = delivery.operation.as_str();
        let is_late = match operation {
            "action" => claims.has("compensation"),
            "try" => claims.has("cancel"),
            _ => false,
        };
        if is_late && !claims.has(operation) {
            return Effect::Blocked;
        }
        claims.done.insert(operation.to_owned());
        Effect::Done
    }

    /// Answers whether an operation took effect.
    #[must_use]
    pub fn done(&self, gid: &str, branch_id: &str, operation: &str) -> bool {
        self.claims(gid, branch_id).has(operation)
    }

    /// Answers whether the effect of a saga's branch remains.
    #[must_use]
    pub fn remains(&self, gid: &str, branch_id: &str) -> bool {
        let claims = self.claims(gid, branch_id);
        claims.has("action") && !claims.has("compensation")
    }

    /// Answers how often an operation was delivered.
    #[must_use]
    pub fn delivered(&self, gid: &str, branch_id: &str, operation: &str) -> usize {
        let claims = self.claims(gid, branch_id);
        claims.delivered.get(operation).copied().unwrap_or(0)
    }

    /// Answers all deliveries of a transaction, in order.
    #[must_use]
    pub fn of(&self, gid: &str) -> Vec<Delivery> {
        let books = self.0.lock().unwrap();
        let all = books.deliveries.iter();
        all.filter(|delivery| delivery.gid == gid)
            .cloned()
            .collect()
    }

    /// Answers the deliveries of a transaction as `branch operation`, in order.
    #[must_use]
    pub fn calls(&self, gid: &str) -> Vec<String> {
        let said = |delivery: &Delivery| format!("{} {}", delivery.branch_id, delivery.operation);
        self.of(gid).iter().map(said).collect()
    }

    /// Answers all deliveries, in order.
    #[must_use]
    pub fn all(&self) -> Vec<Delivery> {
        self.0.lock().unwrap().deliveries.clone()
    }

    /// Answers every transaction that a participant has heard of.
    #[must_use]
    pub fn gids(&self) -> BTreeSet<String> {
        let books = self.0.lock().unwrap();
        books.branches.keys().map(|(gid, _)| gid.clone()).collect()
    }

    fn claims(&self, gid: &str, branch_id: &str) -> Claims {
        let books = self.0.lock().unwrap();
        let key = (gid.to_owned(), branch_id.to_owned());
        books.branches.get(&key).cloned().unwrap_or_default()
    }
}
