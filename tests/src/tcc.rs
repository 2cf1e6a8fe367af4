//! A TCC as its initiator has it: begun, grown branch by branch, decided.

use serde_json::{Value, json};

use crate::client::{Answer, Client};
use crate::participants::Participants;
use crate::until::until;

/// A TCC at the server.
pub struct Tcc<'a> {
    client: &'a Client,
    participants: &'a Participants,
    /// Its name.
    pub gid: String,
}

/// What happens at a branch, in steps of [`Participants`].
#[derive(Debug, Clone, Copy)]
pub struct Branch<'a> {
    /// Its name.
    pub id: &'a str,
    /// At its try.
    pub try_: &'a str,
    /// At its confirm.
    pub confirm: &'a str,
    /// At its cancel.
    pub cancel: &'a str,
}

impl<'a> Branch<'a> {
    /// Says of a branch that it does whatever it is asked.
    #[must_use]
    pub fn willing(id: &'a str) -> Self {
        Self {
            id,
            try_: "ok",
            confirm: "ok",
            cancel: "ok",
        }
    }
}

impl<'a> Tcc<'a> {
    /// Begins one that has an hour to be decided in, and short pauses.
    pub async fn begin(client: &'a Client, participants: &'a Participants, gid: &str) -> Self {
        let options = json!({
            "timeout_to_fail_secs": 3600,
            "request_timeout_secs": 600,
            "retry_interval_secs": 0.02,
            "retry_interval_max_secs": 0.1,
        });
        Self::begin_with(client, participants, gid, options).await
    }

    /// Begins one with options.
    pub async fn begin_with(
        client: &'a Client,
        participants: &'a Participants,
        gid: &str,
        options: Value,
    ) -> Self {
        let start = json!({ "gid": gid, "mode": "tcc", "options": options });
        client.insist("/api/start", start).await.ok();
        Self {
            client,
            participants,
            gid: gid.to_owned(),
        }
    }

    /// Writes the body that registers or tries a branch.
    #[must_use]
    pub fn body(&self, branch: Branch<'_>) -> Value {
        let at = |steps: &str| self.participants.url(steps);
        json!({
            "gid": self.gid,
            "branch_id": branch.id,
            "action": at(branch.try_),
            "confirm": at(branch.confirm),
            "cancel": at(branch.cancel),
        })
    }

    /// Asks for a try.
    pub async fn attempt(&self, branch: Branch<'_>) -> Answer {
        self.client
            .insist("/api/branch/try", self.body(branch))
            .await
    }

    /// Asks for a try that succeeds.
    ///
    /// # Panics
    /// It does not.
    pub async fn tried(&self, branch: Branch<'_>) {
        let answer = self.attempt(branch).await.ok();
        assert_eq!(answer["status"], "success");
    }

    /// Asks for a try without waiting for its answer, and answers once it is at a gate.
    pub async fn at_gate(
        &self,
        branch: Branch<'_>,
        gate: &str,
    ) -> tokio::task::JoinHandle<Option<Answer>> {
        let (client, body) = (self.client.another(), self.body(branch));
        let asked =
            tokio::spawn(async move { client.try_post("/api/branch/try", &body).await.ok() });
        self.participants.arrived(gate, 1).await;
        asked
    }

    /// Registers a branch.
    ///
    /// # Panics
    /// It is refused.
    pub async fn registered(&self, branch: Branch<'_>) {
        let body = self.body(branch);
        self.client.insist("/api/branch/register", body).await.ok();
    }

    /// Says something of one branch.
    pub async fn of_branch(&self, word: &str, branch_id: &str, more: Value) -> Answer {
        let mut body = json!({ "gid": self.gid, "branch_id": branch_id });
        for (name, value) in more.as_object().into_iter().flatten() {
            body[name] = value.clone();
        }
        let path = format!("/api/branch/{word}");
        self.client.insist(&path, body).await
    }

    /// Submits without waiting.
    pub async fn submit(&self) -> Answer {
        let body = json!({ "gid": self.gid });
        self.client.insist("/api/submit", body).await
    }

    /// Aborts without waiting.
    pub async fn abort(&self) -> Answer {
        let body = json!({ "gid": self.gid });
        self.client.insist("/api/abort", body).await
    }

    /// Answers it as it is.
    pub async fn now(&self) -> Value {
        self.client.tx(&self.gid).await
    }

    /// Answers the status of a branch as it is.
    pub async fn status_of(&self, branch_id: &str) -> String {
        let tx = self.now().await;
        let status = branch_of(&tx, branch_id)["status"].as_str();
        status.unwrap().to_owned()
    }

    /// Waits until a branch has a status.
    pub async fn branch_reached(&self, branch_id: &str, status: &str) {
        let what = format!("{branch_id} of {} is {status}", self.gid);
        until(&what, async || {
            (self.status_of(branch_id).await == status).then_some(())
        })
        .await;
    }

    /// Waits until it has a status.
    pub async fn reached(&self, status: &str) -> Value {
        self.client.reached(&self.gid, status).await
    }

    /// Asserts that it ended on one side at every participant, and that nobody was asked for the other.
    ///
    /// # Panics
    /// A branch was not told, or was told the contrary.
    #[track_caller]
    pub fn is_all(&self, operation: &str, branch_ids: &[&str]) {
        let contrary = match operation {
            "confirm" => "cancel",
            _ => "confirm",
        };
        let ledger = self.participants.ledger();
        for branch_id in branch_ids {
            let what = format!("{}/{branch_id}: {:?}", self.gid, ledger.calls(&self.gid));
            assert!(ledger.done(&self.gid, branch_id, operation), "{what}");
            assert_eq!(
                ledger.delivered(&self.gid, branch_id, contrary),
                0,
                "{what}"
            );
        }
    }
}

/// Answers one branch of a transaction.
///
/// # Panics
/// It has none of this name.
#[must_use]
#[track_caller]
pub fn branch_of<'a>(tx: &'a Value, branch_id: &str) -> &'a Value {
    let mut branches = tx["branches"].as_array().unwrap().iter();
    branches
        .find(|branch| branch["branch_id"] == branch_id)
        .unwrap()
}

/// Answers what kinds of events a transaction has in its history, in order.
pub async fn kinds(client: &Client, gid: &str) -> Vec<String> {
    let events = client.events(gid).await;
    let kinds = events.iter().map(|event| event["kind"].as_str());
    kinds.map(|kind| kind.unwrap().to_owned()).collect()
}
