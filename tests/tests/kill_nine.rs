//! Kills the server without warning, again and again, under load, and compares what it promised with what participants
//! did. Participants delay, refuse, break and answer 500 after they took effect; requests without an answer are
//! repeated with the same gid, or given up.
#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "tests")]

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use fastrand::Rng;
use futures_util::{StreamExt, stream};
use seata_tests::{Answer, Client, Participants, Saga, Setup, saga, until};
use serde_json::{Value, json};

const KILLS: usize = 24;
const ACKNOWLEDGED_MIN: usize = 5_200;
const INITIATORS: usize = 24;
/// Of each kill: transactions that are surely open then, because a participant holds them.
const HELD_FORWARD: usize = 40;
const HELD_BACK: usize = 20;

/// What must become of a transaction.
#[derive(Clone)]
struct Expected {
    end: &'static str,
    branches: Vec<String>,
}

/// What initiators know.
#[derive(Default)]
struct Tally {
    acknowledged: Mutex<BTreeMap<String, Expected>>,
    /// Never acknowledged: the server may know them or not.
    given_up: Mutex<BTreeMap<String, Expected>>,
    count: AtomicUsize,
    /// Whether the last kill is over: the load goes on at least until then.
    killed: AtomicBool,
}

impl Tally {
    fn acknowledge(&self, gid: String, expected: Expected) {
        self.acknowledged.lock().unwrap().insert(gid, expected);
        self.count.fetch_add(1, Ordering::SeqCst);
    }

    fn count(&self) -> usize {
        self.count.load(Ordering::SeqCst)
    }

    fn is_enough(&self) -> bool {
        self.killed.load(Ordering::SeqCst) && self.count() >= ACKNOWLEDGED_MIN
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_acknowledged_saga_ends_right_through_kill_nine_at_random_moments() {
    let seed = fastrand::u64(..);
    eprintln!("seed {seed}");
    let mut rng = Rng::with_seed(seed);
    let participants = Arc::new(Participants::start().await);
    let mut server = Setup::new().start().await;
    let client = server.client();
    let tally = Arc::new(Tally::default());
    let initiators: Vec<_> = (0..INITIATORS)
        .map(|number| {
            let (client, participants) = (client.another(), Arc::clone(&participants));
            let (tally, rng) = (Arc::clone(&tally), rng.fork());
            tokio::spawn(initiate(number, client, participants, tally, rng))
        })
        .collect();
    for kill in 1..=KILLS {
        hold(kill, &client, &participants, &tally).await;
        let moment = (tally.count() + rng.usize(0..40)).max(ACKNOWLEDGED_MIN * kill / KILLS);
        until("so many are acknowledged", async || {
            (tally.count() >= moment).then_some(())
        })
        .await;
        let (forward, back) = gates(kill);
        let held = (participants.at_gate(&forward), participants.at_gate(&back));
        server.kill_nine();
        assert_eq!(held, (HELD_FORWARD, HELD_BACK), "at kill {kill}");
        // What a participant has begun goes on, before or after the server is back.
        if rng.bool() {
            participants.open(&forward);
        }
        if rng.bool() {
            participants.open(&back);
        }
        server.start_again().await;
        participants.open(&forward);
        participants.open(&back);
    }
    tally.killed.store(true, Ordering::SeqCst);
    for initiator in initiators {
        initiator.await.unwrap();
    }
    client.all_ended().await;
    participants.quiet().await;
    compare(&client, &participants, &tally).await;
}

fn gates(kill: usize) -> (String, String) {
    (format!("forward-{kill}"), format!("back-{kill}"))
}

/// Brings transactions to where they stay: some in an action, some in a compensation.
async fn hold(kill: usize, client: &Client, participants: &Participants, tally: &Tally) {
    let (forward, back) = gates(kill);
    let at = |steps: &str| participants.url(steps);
    let patient = json!({ "request_timeout_secs": 60, "retry_interval_secs": 0.05 });
    for number in 0..HELD_FORWARD {
        let gid = format!("held-{kill}-forward-{number}");
        let whole = saga(&gid)
            .branch("one", at("ok"), at("ok"))
            .branch("two", at(&format!("gate/{forward}")), at("ok"))
            .with("options", patient.clone());
        submit(client, whole).await;
        tally.acknowledge(gid, expected("COMMITTED", 2));
    }
    for number in 0..HELD_BACK {
        let gid = format!("held-{kill}-back-{number}");
        let whole = saga(&gid)
            .branch("one", at("ok"), at(&format!("gate/{back}")))
            .branch("two", at("refuse"), at("ok"))
            .after(&["one"])
            .with("options", patient.clone());
        submit(client, whole).await;
        tally.acknowledge(gid, expected("ABORTED", 2));
    }
    participants.arrived(&forward, HELD_FORWARD).await;
    participants.arrived(&back, HELD_BACK).await;
}

/// The load may keep the server so busy that it turns this away.
async fn submit(client: &Client, whole: Saga) {
    let answer = ask(client, "/api/submit", &whole.into(), true).await;
    answer.unwrap().ok();
}

fn expected(end: &'static str, branches: usize) -> Expected {
    let names = ["one", "two", "three"];
    Expected {
        end,
        branches: names[..branches].iter().map(ToString::to_string).collect(),
    }
}

/// Submits sagas until the last kill is over and enough are acknowledged.
async fn initiate(
    number: usize,
    client: Client,
    participants: Arc<Participants>,
    tally: Arc<Tally>,
    mut rng: Rng,
) {
    for round in 0.. {
        if tally.is_enough() {
            return;
        }
        let gid = format!("load-{number}-{round}");
        let (whole, expected) = write(&gid, &participants, &mut rng);
        let stubborn = rng.u8(0..100) >= 5;
        let submitted = if rng.u8(0..100) < 12 {
            step_by_step(&client, &gid, whole.into(), stubborn).await
        } else {
            let waits = rng.u8(0..100) < 10;
            let whole = if waits {
                whole.with("wait", 0.05)
            } else {
                whole
            };
            ask(&client, "/api/submit", &whole.into(), stubborn).await
        };
        match submitted {
            Some(answer) => {
                let accepted = matches!(answer.status, 200 | 202);
                // By gid: the answer to the first try was lost, and meanwhile it turned round.
                let turned =
                    answer.code() == "INVALID_STATUS_TRANSITION" && answer.text.contains("ABORT");
                assert!(accepted || turned, "{gid}: {}", answer.text);
                tally.acknowledge(gid, expected);
            }
            None => {
                tally.given_up.lock().unwrap().insert(gid, expected);
            }
        }
    }
}

/// Asks until an answer comes; one that is not stubborn gives up when none does.
async fn ask(client: &Client, path: &str, body: &Value, stubborn: bool) -> Option<Answer> {
    loop {
        match client.try_post(path, body).await {
            // It says itself that it can't now: an answer, but not to the question.
            Ok(answer) if matches!(answer.status, 429 | 503) => {}
            Ok(answer) => return Some(answer),
            Err(_) if !stubborn => return None,
            Err(_) => {}
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

async fn step_by_step(client: &Client, gid: &str, whole: Value, stubborn: bool) -> Option<Answer> {
    // A busy machine may keep the stubborn waiting between its steps. What is given up is aborted, and waited for.
    let mut options = whole["options"].clone();
    options["prepared_timeout_secs"] = json!(if stubborn { 600 } else { 20 });
    let ask = async |path: &str, body: Value| {
        let answer = ask(client, path, &body, stubborn).await?;
        let aborted = !stubborn && answer.code() == "INVALID_STATUS_TRANSITION";
        (!aborted).then_some(answer)
    };
    let started = ask("/api/start", json!({ "gid": gid, "options": options })).await?;
    assert_eq!(started.status, 200, "{gid}: {}", started.text);
    for branch in whole["branches"].as_array().unwrap() {
        let mut branch = branch.clone();
        branch["gid"] = json!(gid);
        let added = ask("/api/branch/add", branch).await?;
        assert_eq!(added.status, 200, "{gid}: {}", added.text);
    }
    ask("/api/submit", json!({ "gid": gid })).await
}

/// Writes a saga at random, and what must become of it.
fn write(gid: &str, participants: &Participants, rng: &mut Rng) -> (Saga, Expected) {
    const DOES_IT: [&str; 6] = [
        "ok",
        "delay/{}",
        "apply/first/1/500/lost",
        "first/2/503/busy",
        "first/1/202/later",
        "delay/{}/apply/delay/{}",
    ];
    const REFUSES: [&str; 4] = [
        "refuse",
        "delay/{}/refuse",
        "first/1/500/oops/refuse",
        "apply/first/1/500/lost/refuse",
    ];
    const UNDOES_IT: [&str; 5] = [
        "ok",
        "delay/{}",
        "apply/first/1/500/lost",
        "first/1/503/busy",
        "first/1/202/later",
    ];
    let count = rng.usize(2..=3);
    let chained = rng.bool();
    let refuser = (rng.u8(0..100) < 35).then(|| rng.usize(0..count));
    let expected = expected(
        if refuser.is_some() {
            "ABORTED"
        } else {
            "COMMITTED"
        },
        count,
    );
    let mut pick = |steps: &[&str]| {
        let ms = rng.u32(1..60).to_string();
        participants.url(&steps[rng.usize(0..steps.len())].replace("{}", &ms))
    };
    let mut whole = saga(gid).with(
        "options",
        json!({ "retry_interval_secs": 0.05, "retry_interval_max_secs": 0.4, "request_timeout_secs": 5 }),
    );
    for (at, name) in expected.branches.iter().enumerate() {
        let steps: &[&str] = if refuser == Some(at) {
            &REFUSES
        } else {
            &DOES_IT
        };
        whole = whole
            .branch(name, pick(steps), pick(&UNDOES_IT))
            .with_branch("payload", json!({ "gid": gid, "branch": name }));
        if chained && at > 0 {
            whole = whole.after(&[&expected.branches[at - 1]]);
        }
    }
    (whole, expected)
}

/// Compares the server's word, the books of the participants and what was asked for.
async fn compare(client: &Client, participants: &Participants, tally: &Tally) {
    let acknowledged = tally.acknowledged.lock().unwrap().clone();
    let given_up = tally.given_up.lock().unwrap().clone();
    eprintln!(
        "{} acknowledged, {} given up",
        acknowledged.len(),
        given_up.len()
    );
    assert!(acknowledged.len() >= ACKNOWLEDGED_MIN);
    let ledger = participants.ledger();
    // Nothing was called that the server does not know: not even of what it never acknowledged.
    for gid in ledger.gids() {
        let known = acknowledged.contains_key(&gid) || given_up.contains_key(&gid);
        assert!(known, "{gid} was never submitted");
    }
    let called = ledger.gids();
    let all = acknowledged.iter().chain(&given_up);
    let faults: Vec<String> = stream::iter(all)
        .map(|(gid, expected)| {
            let must_exist = acknowledged.contains_key(gid) || called.contains(gid);
            check(client, participants, gid, expected, must_exist)
        })
        .buffer_unordered(16)
        .filter_map(async |fault| fault)
        .collect()
        .await;
    assert!(
        faults.is_empty(),
        "{} wrong, the first: {:#?}",
        faults.len(),
        &faults[..faults.len().min(5)]
    );
    for delivery in ledger.all() {
        let key = format!(
            "{}/{}/{}",
            delivery.gid, delivery.branch_id, delivery.operation
        );
        assert_eq!(delivery.header("idempotency-key"), key);
        if delivery.gid.starts_with("load-") {
            let body: Value = serde_json::from_slice(&delivery.body).unwrap();
            let asked = json!({ "gid": delivery.gid, "branch": delivery.branch_id });
            assert_eq!(body, asked, "{key}");
        }
    }
}

/// Answers what is wrong with one transaction.
async fn check(
    client: &Client,
    participants: &Participants,
    gid: &str,
    expected: &Expected,
    must_exist: bool,
) -> Option<String> {
    let answer = client.get(&format!("/api/tx/{gid}")).await;
    if answer.status == 404 {
        return must_exist.then(|| format!("{gid} is lost"));
    }
    let ledger = participants.ledger();
    let status = answer.body["status"].as_str().unwrap_or("");
    let submitted = answer.body["branches"]
        .as_array()
        .is_some_and(|branches| branches.len() == expected.branches.len());
    let right_end = status == expected.end
        // Given up before it was submitted: aborted when its time is up, with nothing done.
        || (!must_exist && status == "ABORTED");
    let right_effects = expected.branches.iter().all(|branch| {
        let remains = ledger.remains(gid, branch);
        let compensated = ledger.delivered(gid, branch, "compensation") > 0;
        match status {
            "COMMITTED" => remains && !compensated,
            _ => !remains,
        }
    });
    let right = right_end && right_effects && (submitted || !must_exist);
    (!right).then(|| {
        format!(
            "{gid}: expected {}, calls {:?}, {}",
            expected.end,
            ledger.calls(gid),
            answer.text
        )
    })
}
