//! Kills the server without warning, again and again, while initiators try, submit and abort TCC, and compares what was
//! decided with what participants did, over HTTP or gRPC: all branches confirmed, or all cancelled, and never a branch both.
#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "tests")]

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use fastrand::Rng;
use seata_tests::{Answer, Branch, Client, Participants, Setup, Tcc, until};
use serde_json::{Value, json};

const KILLS: usize = 10;
const DECIDED_MIN: usize = 1_500;
const INITIATORS: usize = 16;
/// Of each kill: transactions of which a participant surely holds a confirm, a cancel, or a try.
const HELD: usize = 8;

/// Which side a transaction must end on, and its branches.
#[derive(Clone)]
struct Expected {
    confirmed: bool,
    branches: Vec<String>,
}

/// What initiators know.
#[derive(Default)]
struct Tally {
    decided: Mutex<BTreeMap<String, Expected>>,
    count: AtomicUsize,
    /// Whether the last kill is over: the load goes on at least until then.
    killed: AtomicBool,
}

impl Tally {
    fn expect(&self, gid: &str, side: Side, branches: &[&str]) {
        let expected = Expected {
            confirmed: side == Side::Confirm,
            branches: branches.iter().map(ToString::to_string).collect(),
        };
        self.decided
            .lock()
            .unwrap()
            .insert(gid.to_owned(), expected);
        self.count.fetch_add(1, Ordering::SeqCst);
    }

    fn count(&self) -> usize {
        self.count.load(Ordering::SeqCst)
    }

    fn is_enough(&self) -> bool {
        self.killed.load(Ordering::SeqCst) && self.count() >= DECIDED_MIN
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Side {
    Confirm,
    Cancel,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_decided_tcc_ends_on_its_side_through_kill_nine_at_random_moments() {
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
        let moment = (tally.count() + rng.usize(0..20)).max(DECIDED_MIN * kill / KILLS);
        until("so many are decided", async || {
            (tally.count() >= moment).then_some(())
        })
        .await;
        let held = ["confirm", "cancel"].map(|word| participants.at_gate(&gate(word, kill)));
        server.kill_nine();
        assert_eq!(held, [HELD; 2], "at kill {kill}");
        for word in ["confirm", "cancel", "try"] {
            // What a participant has begun goes on, before or after the server is back.
            if rng.bool() {
                participants.open(&gate(word, kill));
            }
        }
        server.start_again().await;
        for word in ["confirm", "cancel", "try"] {
            participants.open(&gate(word, kill));
        }
    }
    tally.killed.store(true, Ordering::SeqCst);
    for initiator in initiators {
        initiator.await.unwrap();
    }
    client.all_ended().await;
    participants.quiet().await;
    compare(&client, &participants, &tally).await;
}

fn gate(word: &str, kill: usize) -> String {
    format!("{word}-{kill}")
}

/// Brings transactions to where they stay: in a confirm, in a cancel, or in a try.
async fn hold(kill: usize, client: &Client, participants: &Participants, tally: &Tally) {
    let patient = json!({
        "timeout_to_fail_secs": 600,
        "request_timeout_secs": 60,
        "retry_interval_secs": 0.05,
    });
    for (word, side) in [("confirm", Side::Confirm), ("cancel", Side::Cancel)] {
        let steps = format!("gate/{}", gate(word, kill));
        for number in 0..HELD {
            let gid = format!("held-{kill}-{word}-{number}");
            let tcc = Tcc::begin_with(client, participants, &gid, patient.clone()).await;
            tcc.tried(Branch::willing("one")).await;
            tcc.tried(Branch {
                confirm: &steps,
                cancel: &steps,
                ..Branch::willing("two")
            })
            .await;
            tcc.of_branch(word, "one", json!({})).await.ok();
            tally.expect(&gid, side, &["one", "two"]);
        }
        participants.arrived(&gate(word, kill), HELD).await;
    }
    // Whoever asked for this try dies with the server: the deadline cancels it. The call may be slow to leave.
    let deserted = json!({ "timeout_to_fail_secs": 10, "request_timeout_secs": 10 });
    let gid = format!("held-{kill}-try");
    let steps = format!("gate/{}", gate("try", kill));
    let tcc = Tcc::begin_with(client, participants, &gid, deserted).await;
    let held = Branch {
        try_: &steps,
        ..Branch::willing("one")
    };
    tcc.at_gate(held, &gate("try", kill)).await;
    tally.expect(&gid, Side::Cancel, &["one"]);
}

/// Begins and decides TCC until the last kill is over and enough are decided.
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
        let branches = &["one", "two", "three"][..rng.usize(2..=3)];
        let deserts = rng.u8(0..100) < 5;
        let options = json!({
            "timeout_to_fail_secs": if deserts { 2 } else { 600 },
            "request_timeout_secs": 2,
            "retry_interval_secs": 0.05,
            "retry_interval_max_secs": 0.4,
        });
        let start = json!({ "gid": gid, "mode": "tcc", "options": options });
        let begun = ask(&client, "/api/start", &start).await;
        assert_eq!(begun.status, 200, "{gid}: {}", begun.text);
        let prepared = prepare(&client, &participants, &gid, branches, &mut rng).await;
        let side = match prepared {
            // Its time was up before its tries were done.
            Prepared::Late => Side::Cancel,
            Prepared::Refused => decide(&client, &gid, Side::Cancel, &mut rng).await,
            Prepared::Tried if deserts => Side::Cancel,
            Prepared::Tried if rng.u8(0..100) < 30 => {
                decide(&client, &gid, Side::Cancel, &mut rng).await
            }
            Prepared::Tried => decide(&client, &gid, Side::Confirm, &mut rng).await,
        };
        let known: Vec<&str> = branches
            .iter()
            .copied()
            .filter(|id| {
                prepared != Prepared::Late || participants.ledger().delivered(&gid, id, "try") > 0
            })
            .collect();
        tally.expect(&gid, side, &known);
    }
}

/// How far the tries came.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Prepared {
    Tried,
    Refused,
    Late,
}

/// Asks until an answer comes.
async fn ask(client: &Client, path: &str, body: &Value) -> Answer {
    loop {
        match client.try_post(path, body).await {
            Ok(answer) if !matches!(answer.status, 429 | 503) => return answer,
            // It says itself that it can't now, or nobody knows whether it did.
            Ok(_) | Err(_) => {}
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

async fn prepare(
    client: &Client,
    participants: &Participants,
    gid: &str,
    branches: &[&str],
    rng: &mut Rng,
) -> Prepared {
    const TRIES: [&str; 5] = [
        "ok",
        "delay/{}",
        "apply/first/1/500/lost",
        "first/1/503/busy",
        "first/1/202/later",
    ];
    const DOES_IT: [&str; 5] = [
        "ok",
        "delay/{}",
        "apply/first/1/500/lost",
        "first/2/503/busy",
        "first/1/202/later",
    ];
    let refuser = (rng.u8(0..100) < 15).then(|| rng.usize(0..branches.len()));
    let mut prepared = Prepared::Tried;
    for (at, id) in branches.iter().enumerate() {
        let over_grpc = rng.u8(0..100) < 30;
        let mut pick = |steps: &[&str]| {
            let ms = rng.u32(1..40).to_string();
            let steps = steps[rng.usize(0..steps.len())].replace("{}", &ms);
            if over_grpc {
                participants.grpc(&steps)
            } else {
                participants.url(&steps)
            }
        };
        let tries: &[&str] = if refuser == Some(at) {
            &["refuse"]
        } else {
            &TRIES
        };
        let mut body = json!({
            "gid": gid,
            "branch_id": id,
            "action": pick(tries),
            "confirm": pick(&DOES_IT),
            "cancel": pick(&DOES_IT),
            "payload": { "gid": gid, "branch": id },
        });
        let path = if refuser != Some(at) && rng.u8(0..100) < 20 {
            body["action"] = Value::Null;
            "/api/branch/register"
        } else {
            "/api/branch/try"
        };
        loop {
            let answer = ask(client, path, &body).await;
            match (answer.status, answer.code()) {
                (200, _) => break,
                (202, _) => tokio::time::sleep(Duration::from_millis(5)).await,
                (409, "BRANCH_REFUSED") => {
                    prepared = Prepared::Refused;
                    break;
                }
                (409, "INVALID_STATUS_TRANSITION") => {
                    assert!(answer.text.contains("ABORT"), "{gid}: {}", answer.text);
                    return Prepared::Late;
                }
                _ => panic!("{gid}/{id}: {}", answer.text),
            }
        }
    }
    prepared
}

/// Decides, and sometimes again: a second submission must decide nothing.
async fn decide(client: &Client, gid: &str, side: Side, rng: &mut Rng) -> Side {
    let path = match side {
        Side::Confirm => "/api/submit",
        Side::Cancel => "/api/abort",
    };
    let repeats = if rng.u8(0..100) < 30 { 2 } else { 1 };
    for _ in 0..repeats {
        let answer = ask(client, path, &json!({ "gid": gid })).await;
        assert_eq!(answer.status, 200, "{gid}: {}", answer.text);
    }
    side
}

/// Compares the server's word, the books of the participants and what was decided.
async fn compare(client: &Client, participants: &Participants, tally: &Tally) {
    let decided = tally.decided.lock().unwrap().clone();
    eprintln!("{} decided", decided.len());
    assert!(decided.len() >= DECIDED_MIN);
    let ledger = participants.ledger();
    for gid in ledger.gids() {
        assert!(decided.contains_key(&gid), "{gid} was never begun");
    }
    let mut confirmed = 0;
    for (gid, expected) in &decided {
        let (end, word, contrary) = if expected.confirmed {
            confirmed += 1;
            ("COMMITTED", "confirm", "cancel")
        } else {
            ("ABORTED", "cancel", "confirm")
        };
        let tx = client.tx(gid).await;
        let calls = ledger.calls(gid);
        assert_eq!(tx["status"], end, "{gid}: {calls:?} {tx}");
        for branch in &expected.branches {
            let right =
                ledger.done(gid, branch, word) && ledger.delivered(gid, branch, contrary) == 0;
            assert!(right, "{gid}/{branch} is not all {word}: {calls:?} {tx}");
        }
        // Nor one that its initiator doesn't know of.
        let wrong = ledger
            .of(gid)
            .into_iter()
            .find(|delivery| delivery.operation == contrary);
        assert!(wrong.is_none(), "{gid}: {calls:?} {tx}");
    }
    assert!(confirmed > 0 && confirmed < decided.len());
    for delivery in ledger.all() {
        let (gid, branch) = (&delivery.gid, &delivery.branch_id);
        let key = format!("{gid}/{branch}/{}", delivery.operation);
        assert_eq!(delivery.header("idempotency-key"), key);
        if gid.starts_with("load-") {
            let body: Value = serde_json::from_slice(&delivery.body).unwrap();
            assert_eq!(body, json!({ "gid": gid, "branch": branch }), "{key}");
        }
    }
}
