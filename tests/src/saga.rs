//! Writes sagas down as JSON.

use serde_json::{Value, json};

/// A whole transaction that is being written.
#[derive(Debug, Clone)]
pub struct Saga(Value);

/// Begins a saga without branches.
#[must_use]
pub fn saga(gid: &str) -> Saga {
    Saga(json!({ "gid": gid, "mode": "saga", "branches": [] }))
}

impl Saga {
    /// Adds a branch.
    #[must_use]
    pub fn branch(mut self, branch_id: &str, action: String, compensation: String) -> Self {
        let branch =
            json!({ "branch_id": branch_id, "action": action, "compensation": compensation });
        self.branches().push(branch);
        self
    }

    /// Adds a branch that needs no undoing.
    #[must_use]
    pub fn branch_without_compensation(mut self, branch_id: &str, action: String) -> Self {
        let branch = json!({ "branch_id": branch_id, "action": action });
        self.branches().push(branch);
        self
    }

    /// Sets a field of the last branch.
    #[must_use]
    pub fn with_branch(mut self, field: &str, value: impl Into<Value>) -> Self {
        self.branches().last_mut().unwrap()[field] = value.into();
        self
    }

    /// Lets the last branch wait for others.
    #[must_use]
    pub fn after(self, others: &[&str]) -> Self {
        self.with_branch("after", json!(others))
    }

    /// Sets a field of the transaction.
    #[must_use]
    pub fn with(mut self, field: &str, value: impl Into<Value>) -> Self {
        self.0[field] = value.into();
        self
    }

    fn branches(&mut self) -> &mut Vec<Value> {
        self.0["branches"].as_array_mut().unwrap()
    }
}

impl From<Saga> for Value {
    fn from(saga: Saga) -> Self {
        saga.0
    }
}
