//! Initiators that ask for sagas and TCC through a balancer until they are told to stop, repeat what had no answer, and
//! know what must become of each transaction.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use fastrand::Rng;
use futures_util::{StreamExt, stream};
use serde_json::{Value, json};
use tokio::task::JoinHandle;

use crate::client::{Answer, Client};
use crate::participants::Participants;
use crate::saga::saga;
use crate::until::{PATIENCE, until};

/// The time limit of a call of a saga: no busy machine keeps a participant silent for so long.
pub(crate) const SAGA_CALL_LIMIT: Duration = Duration::from_secs(60);

/// The time limit of a call of a TCC. Short: when the server is killed that makes a try, its cancel waits for so long.
pub(crate) const TCC_CALL_LIMIT: Duration = Duration::from_secs(5);

/// How long an initiator waits before it repeats a request, and between two transactions.
const PAUSE: Duration = Duration::from_millis(10);

const NAMES: [&str; 3] = ["one", "two", "three"];

/// What must become of a transaction.
#[derive(Debug, Clone)]
struct Expected {
    end: &'static str,
    /// What all of its branches must have been asked last: their effects remain, or are gone.
    branches: usize,
    kind: Pattern,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Pattern {
    Saga,
    Tcc,
}

#[derive(Default)]
struct Shared {
    expected: Mutex<BTreeMap<String, Expected>>,
    count: AtomicUsize,
    stop: AtomicBool,
    refused: AtomicUsize,
}

/// A load under way.
pub struct Load {
    shared: Arc<Shared>,
    initiators: Vec<JoinHandle<()>>,
}

/// What was acknowledged, and what must become of it.
pub struct Tally(BTreeMap<String, Expected>);

impl Load {
    /// Lets so many initiators begin. Names of transactions begin with `name`.
    #[must_use]
    pub fn start(
        name: &str,
        initiators: usize,
        client: &Client,
        participants: &Arc<Participants>,
    ) -> Self {
        let shared = Arc::new(Shared::default());
        let seed = fastrand::u64(..);
        eprintln!("seed {seed}");
        let mut rng = Rng::with_seed(seed);
        let initiators = (0..initiators).map(|number| {
            let initiator = Initiator {
                client: client.another(),
                participants: Arc::clone(participants),
                shared: Arc::clone(&shared),
                rng: rng.fork(),
            };
            tokio::spawn(initiator.run(format!("{name}-{number}")))
        });
        Self {
            initiators: initiators.collect(),
            shared,
        }
    }

    /// Answers how many transactions are acknowledged and decided.
    #[must_use]
    pub fn count(&self) -> usize {
        self.shared.count.load(Ordering::SeqCst)
    }

    /// Answers how often a request was answered 503.
    #[must_use]
    pub fn refused(&self) -> usize {
        self.shared.refused.load(Ordering::SeqCst)
    }

    /// Waits until so many more are acknowledged.
    pub async fn more(&self, count: usize) {
        let enough = self.count() + count;
        until("the load goes on", async || {
            (self.count() >= enough).then_some(())
        })
        .await;
    }

    /// Lets the initiators finish what they are at, and answers what they know.
    ///
    /// # Panics
    /// One of them was told what can't be, or can't finish.
    pub async fn finish(self) -> Tally {
        self.shared.stop.store(true, Ordering::SeqCst);
        for initiator in self.initiators {
            let finished = tokio::time::timeout(PATIENCE, initiator).await;
            finished.expect("an initiator can't finish").unwrap();
        }
        Tally(self.shared.expected.lock().unwrap().clone())
    }
}

struct Initiator {
    client: Client,
    participants: Arc<Participants>,
    shared: Arc<Shared>,
    rng: Rng,
}

impl Initiator {
    async fn run(mut self, name: String) {
        for round in 0.. {
            if self.shared.stop.load(Ordering::SeqCst) {
                return;
            }
            let gid = format!("{name}-{round}");
            let expected = match self.rng.u8(0..100) {
                0..60 => self.whole(&gid).await,
                60..75 => self.step_by_step(&gid).await,
                _ => self.tcc(&gid).await,
            };
            self.shared.expected.lock().unwrap().insert(gid, expected);
            self.shared.count.fetch_add(1, Ordering::SeqCst);
            tokio::time::sleep(PAUSE).await;
        }
    }

    async fn whole(&mut self, gid: &str) -> Expected {
        let (body, expected) = self.saga(gid);
        let answer = self.ask("/api/submit", &body).await;
        is_submitted(gid, &answer);
        expected
    }

    async fn step_by_step(&mut self, gid: &str) -> Expected {
        let (whole, expected) = self.saga(gid);
        let start = json!({ "gid": gid, "options": whole["options"] });
        self.ask("/api/start", &start).await.ok();
        for branch in whole["branches"].as_array().unwrap() {
            let mut branch = branch.clone();
            branch["gid"] = json!(gid);
            self.ask("/api/branch/add", &branch).await.ok();
        }
        let answer = self.ask("/api/submit", &json!({ "gid": gid })).await;
        is_submitted(gid, &answer);
        expected
    }

    async fn tcc(&mut self, gid: &str) -> Expected {
        let options = json!({
            "timeout_to_fail_secs": 600,
            "request_timeout_secs": TCC_CALL_LIMIT.as_secs(),
            "retry_interval_secs": 0.05,
            "retry_interval_max_secs": 0.4,
        });
        let start = json!({ "gid": gid, "mode": "tcc", "options": options });
        self.ask("/api/start", &start).await.ok();
        let count = self.rng.usize(2..=3);
        let refuser = (self.rng.u8(0..100) < 20).then(|| self.rng.usize(0..count));
        let mut branches = 0;
        for (at, name) in NAMES.iter().enumerate().take(count) {
            branches += 1;
            let try_ = match refuser == Some(at) {
                true => self.participants.url("refuse"),
                false => self.does_it(),
            };
            let body = json!({
                "gid": gid,
                "branch_id": name,
                "action": try_,
                "confirm": self.does_it(),
                "cancel": self.does_it(),
            });
            if self.try_branch(gid, &body).await == Tried::Refused {
                break;
            }
        }
        let (path, end) = match refuser.is_some() || self.rng.u8(0..100) < 20 {
            true => ("/api/abort", "ABORTED"),
            false => ("/api/submit", "COMMITTED"),
        };
        self.ask(path, &json!({ "gid": gid })).await.ok();
        Expected {
            end,
            branches,
            kind: Pattern::Tcc,
        }
    }

    async fn try_branch(&self, gid: &str, body: &Value) -> Tried {
        let begun = Instant::now();
        loop {
            let answer = self.ask("/api/branch/try", body).await;
            match (answer.status, answer.code()) {
                (200, _) => return Tried::Done,
                (409, "BRANCH_REFUSED") => return Tried::Refused,
                // Not known yet: the same body asks again.
                (202, _) => tokio::time::sleep(PAUSE).await,
                _ => panic!("{gid}: {}", answer.text),
            }
            assert!(begun.elapsed() < PATIENCE, "{gid}: {}", answer.text);
        }
    }

    /// Asks until an answer comes that is one to the question.
    async fn ask(&self, path: &str, body: &Value) -> Answer {
        let begun = Instant::now();
        loop {
            let answer = self.client.try_post(path, body).await;
            match answer {
                Ok(answer) if !matches!(answer.status, 429 | 502 | 503) => return answer,
                Ok(answer) if answer.status == 503 => {
                    self.shared.refused.fetch_add(1, Ordering::SeqCst);
                }
                Ok(_) | Err(_) => {}
            }
            assert!(begun.elapsed() < PATIENCE, "{path} {body}: no answer");
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Writes a saga at random, and what must become of it.
    fn saga(&mut self, gid: &str) -> (Value, Expected) {
        let count = self.rng.usize(2..=3);
        let chained = self.rng.bool();
        let refuser = (self.rng.u8(0..100) < 30).then(|| self.rng.usize(0..count));
        let mut whole = saga(gid).with(
            "options",
            json!({
                "retry_interval_secs": 0.05,
                "retry_interval_max_secs": 0.4,
                "request_timeout_secs": SAGA_CALL_LIMIT.as_secs(),
            }),
        );
        for (at, name) in NAMES.iter().enumerate().take(count) {
            let action = match refuser == Some(at) {
                true => self.refuses(),
                false => self.does_it(),
            };
            whole = whole.branch(name, action, self.does_it());
            if chained && at > 0 {
                whole = whole.after(&[NAMES[at - 1]]);
            }
        }
        let end = match refuser {
            Some(_) => "ABORTED",
            None => "COMMITTED",
        };
        let expected = Expected {
            end,
            branches: count,
            kind: Pattern::Saga,
        };
        (whole.into(), expected)
    }

    fn does_it(&mut self) -> String {
        const STEPS: [&str; 6] = [
            "ok",
            "ok",
            "delay/{}",
            "apply/first/1/500/lost",
            "first/1/202/later",
            "delay/{}/apply/delay/{}",
        ];
        self.pick(&STEPS)
    }

    fn refuses(&mut self) -> String {
        self.pick(&["refuse", "delay/{}/refuse", "first/1/500/oops/refuse"])
    }

    fn pick(&mut self, steps: &[&str]) -> String {
        let ms = self.rng.u32(1..60).to_string();
        let steps = steps[self.rng.usize(0..steps.len())].replace("{}", &ms);
        match self.rng.u8(0..100) < 25 {
            true => self.participants.grpc(&steps),
            false => self.participants.url(&steps),
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Tried {
    Done,
    Refused,
}

/// By gid: the answer to the first request may have been lost, and meanwhile it turned round.
fn is_submitted(gid: &str, answer: &Answer) {
    let turned = answer.code() == "INVALID_STATUS_TRANSITION" && answer.text.contains("ABORT");
    assert!(answer.status == 200 || turned, "{gid}: {}", answer.text);
}

impl Tally {
    /// Answers how many were acknowledged.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Answers whether none was.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Waits until everything has ended, and asserts that each ended as it had to: by the servers' word, and by the
    /// books of the participants.
    ///
    /// # Panics
    /// It did not, or something was called that nobody asked for.
    pub async fn ended_right(&self, client: &Client, participants: &Participants) {
        client.all_ended().await;
        participants.quiet().await;
        let wrong = stream::iter(&self.0)
            .map(|(gid, expected)| check(client, participants, gid, expected))
            .buffer_unordered(8)
            .filter_map(async |wrong| wrong)
            .collect::<Vec<String>>()
            .await;
        let first = &wrong[..wrong.len().min(5)];
        assert!(wrong.is_empty(), "{} wrong, as {first:#?}", wrong.len());
    }
}

/// Answers what is wrong with one transaction.
async fn check(
    client: &Client,
    participants: &Participants,
    gid: &str,
    expected: &Expected,
) -> Option<String> {
    let ledger = participants.ledger();
    let answer = client.get(&format!("/api/tx/{gid}")).await;
    let branches = &NAMES[..expected.branches];
    let is_right = |branch: &&str| match (expected.kind, expected.end) {
        (Pattern::Saga, "COMMITTED") => {
            ledger.remains(gid, branch) && ledger.delivered(gid, branch, "compensation") == 0
        }
        (Pattern::Saga, _) => !ledger.remains(gid, branch),
        (Pattern::Tcc, "COMMITTED") => {
            ledger.done(gid, branch, "confirm") && ledger.delivered(gid, branch, "cancel") == 0
        }
        (Pattern::Tcc, _) => {
            ledger.done(gid, branch, "cancel") && ledger.delivered(gid, branch, "confirm") == 0
        }
    };
    let is_right = answer.body["status"] == expected.end && branches.iter().all(is_right);
    (!is_right).then(|| {
        format!(
            "{gid}: expected {expected:?}, calls {:?}, {}",
            ledger.calls(gid),
            answer.text
        )
    })
}
