//! One transaction of a run: what is asked for, by whom, when, and how its participants behave.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use seata_core::{
    BranchDefinition, BranchId, BranchOptions, ContentType, Definition, Endpoint, Endpoints,
    Fingerprint, Gid, Mode, Options, Order, Payload, RetryPolicy,
};

use crate::dice::Dice;
use crate::plan::Knobs;
use crate::plan::behaviour::{Behaviour, Limits};

/// The longest interval between two attempts, in ms.
pub(crate) const RETRY_MAX_MS: u64 = 4_000;

/// The longest time limit of one call, in ms.
pub(crate) const REQUEST_TIMEOUT_MAX_MS: u64 = 9_000;

/// The longest `prepared_timeout` and `timeout_to_fail`, in ms.
pub(crate) const LIMIT_MAX_MS: u64 = 20_000;

/// The most branches of a transaction.
pub(crate) const BRANCHES_MAX: usize = 6;

/// What a client or an operator does next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Act {
    Begin(Content),
    Add(usize),
    Submit,
    Run(Content),
    Abort,
    Wait {
        for_ms: u64,
    },
    Get,
    Retry {
        branch: Option<usize>,
    },
    Skip {
        branch: usize,
    },
    ForceCommit,
    ForceAbort,
    Pause {
        for_ms: u64,
    },
    /// Waits until a process has died and its leases have just run out.
    PauseForLapse {
        after_ms: u64,
    },
}

/// Which content a request carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Content {
    /// All branches.
    Whole,
    /// No branch yet.
    Empty,
    /// Something else under the same name.
    Contrary,
}

/// What one client does, one act after the other.
#[derive(Debug, Clone)]
pub(crate) struct Script {
    pub(crate) at_ms: u64,
    pub(crate) acts: Vec<Act>,
    /// How long the client waits for one answer.
    pub(crate) patience_ms: u64,
    /// How often it asks before it gives the act up.
    pub(crate) tries: u32,
}

/// One transaction of a run.
#[derive(Debug)]
pub(crate) struct TxPlan {
    pub(crate) gid: Gid,
    whole: Arc<Definition>,
    empty: Arc<Definition>,
    contrary: Arc<Definition>,
    behaviours: BTreeMap<BranchId, Behaviour>,
    pub(crate) scripts: Vec<Script>,
}

impl TxPlan {
    pub(crate) fn draw(seed: u64, at: u64, faults_ms: u64, knobs: &Knobs) -> Self {
        let mut dice = Dice::new(seed, 1_000 + at);
        let gid = Gid::parse(&format!("s{seed}-t{at}"))
            .expect("invariant: the name is made of allowed characters");
        let begins_ms = dice.span(200..faults_ms);
        let options = draw_options(&mut dice);
        let branches = draw_branches(&mut dice, at);
        let limits = Limits {
            request_timeout_ms: to_ms(options.request_timeout),
            has_deadline: options.timeout_to_fail.is_some(),
            lease_ms: knobs.lease_ms,
            begins_ms,
            faults_ms,
        };
        let behaviours = branches
            .iter()
            .map(|branch| (branch.branch_id.clone(), Behaviour::draw(&mut dice, limits)))
            .collect();
        let definition = |branches: &[Arc<BranchDefinition>], payload: &str, variant: u8| {
            Arc::new(Definition {
                mode: Mode::Saga,
                branches: branches.to_vec(),
                options: options.clone(),
                payload: Some(payload_of(&format!("{payload}-{at}"))),
                fingerprint: fingerprint(at, variant),
            })
        };
        let whole = definition(&branches, "whole", 1);
        let empty = definition(&[], "whole", 2);
        let contrary = definition(&branches[..1], "contrary", 3);
        let scripts = draw_scripts(&mut dice, begins_ms, branches.len(), knobs);
        Self {
            gid,
            whole,
            empty,
            contrary,
            behaviours,
            scripts,
        }
    }

    pub(crate) const fn content(&self, content: Content) -> &Arc<Definition> {
        match content {
            Content::Whole => &self.whole,
            Content::Empty => &self.empty,
            Content::Contrary => &self.contrary,
        }
    }

    pub(crate) fn branch(&self, at: usize) -> &Arc<BranchDefinition> {
        &self.whole.branches[at % self.whole.branches.len()]
    }

    pub(crate) fn behaviour(&self, branch: &BranchId) -> Option<&Behaviour> {
        self.behaviours.get(branch)
    }
}

fn to_ms(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

fn draw_options(dice: &mut Dice) -> Options {
    let request_timeout_ms = if dice.hits(250) {
        dice.span(6_000..REQUEST_TIMEOUT_MAX_MS)
    } else {
        dice.span(400..2_000)
    };
    let prepared_timeout_ms = if dice.hits(500) {
        dice.span(1_000..4_000)
    } else {
        dice.span(3_000..LIMIT_MAX_MS)
    };
    let timeout_to_fail_ms = dice.hits(350).then(|| dice.span(2_000..LIMIT_MAX_MS));
    Options {
        request_timeout: Duration::from_millis(request_timeout_ms),
        retry: RetryPolicy {
            first: Duration::from_millis(dice.span(50..800)),
            max: Duration::from_millis(dice.span(800..RETRY_MAX_MS)),
            max_attempts: dice.pick(&[0, 0, 0, 3, 5]),
        },
        timeout_to_fail: timeout_to_fail_ms.map(Duration::from_millis),
        prepared_timeout: Duration::from_millis(prepared_timeout_ms),
        branch_parallelism: dice.count(1..5),
        order: dice.pick(&[
            Order::Concurrent,
            Order::Concurrent,
            Order::Concurrent,
            Order::Sequential,
        ]),
        attention_attempts: 5,
        headers: Vec::new(),
    }
}

fn draw_branches(dice: &mut Dice, at: u64) -> Vec<Arc<BranchDefinition>> {
    let count = dice.pick(&[1, 2, 2, 3, 3, 4, 5, BRANCHES_MAX]);
    let chained = dice.pick(&[0, 300, 700]);
    let names: Vec<BranchId> = (0..count)
        .map(|b| {
            BranchId::parse(&format!("b{b}"))
                .expect("invariant: the name is made of allowed characters")
        })
        .collect();
    (0..count)
        .map(|b| {
            let after = (0..b)
                .filter(|_| dice.hits(chained))
                .map(|earlier| names[earlier].clone())
                .collect();
            let participant = dice.below(5);
            let endpoint = |operation: &str| {
                Endpoint::parse(&format!("http://p{participant}/{operation}"))
                    .expect("invariant: a well-formed URL")
            };
            Arc::new(BranchDefinition {
                branch_id: names[b].clone(),
                endpoints: Endpoints::Saga {
                    action: endpoint("action"),
                    compensation: (!dice.hits(60)).then(|| endpoint("compensation")),
                },
                payload: dice
                    .hits(500)
                    .then(|| payload_of(&format!("branch-{at}-{b}"))),
                after,
                headers: Vec::new(),
                options: BranchOptions::default(),
                fingerprint: fingerprint(at, 10 + u8::try_from(b).unwrap_or(u8::MAX)),
            })
        })
        .collect()
}

fn payload_of(text: &str) -> Payload {
    Payload {
        content_type: ContentType::Json,
        bytes: Arc::from(format!("\"{text}\"").into_bytes()),
    }
}

fn fingerprint(at: u64, variant: u8) -> Fingerprint {
    let mut bytes = [variant; 32];
    bytes[..8].copy_from_slice(&at.to_le_bytes());
    Fingerprint(bytes)
}

/// The initiator's own script, then those of whoever repeats, contradicts, aborts or orders.
fn draw_scripts(dice: &mut Dice, begins_ms: u64, branches: usize, knobs: &Knobs) -> Vec<Script> {
    let mut main = draw_main(dice, branches);
    if dice.hits(500) {
        main.push(Act::Wait {
            for_ms: dice.span(500..15_000),
        });
    }
    let mut scripts = vec![script(dice, begins_ms, main)];
    let mut side = |dice: &mut Dice, per_mille: u32, within_ms: u64, acts: Vec<Act>| {
        if dice.hits(per_mille) {
            let at_ms = begins_ms + dice.span(1..within_ms);
            scripts.push(script(dice, at_ms, acts));
        }
    };
    let branch = dice.below(branches);
    let lapse_ms = dice.span(0..knobs.claim_interval_ms + 300);
    side(dice, 150, 3_000, vec![Act::Submit]);
    side(
        dice,
        120,
        3_000,
        vec![Act::Submit, Act::Pause { for_ms: 400 }, Act::Submit],
    );
    side(dice, 150, 6_000, vec![Act::Run(Content::Whole)]);
    side(dice, 80, 6_000, vec![Act::Run(Content::Contrary)]);
    side(dice, 40, 4_000, vec![Act::Begin(Content::Contrary)]);
    side(dice, 150, 5_000, vec![Act::Abort]);
    side(dice, 60, 400, vec![Act::Abort]);
    side(
        dice,
        150,
        2_000,
        vec![Act::PauseForLapse { after_ms: lapse_ms }, Act::Abort],
    );
    side(
        dice,
        80,
        8_000,
        vec![
            Act::Retry { branch: None },
            Act::Retry {
                branch: Some(branch),
            },
        ],
    );
    side(dice, 40, 10_000, vec![Act::Skip { branch }]);
    side(dice, 20, 15_000, vec![Act::ForceAbort]);
    side(dice, 20, 15_000, vec![Act::ForceCommit]);
    side(dice, 60, 3_000, vec![Act::Add(branch)]);
    side(
        dice,
        200,
        8_000,
        vec![Act::Get, Act::Wait { for_ms: 3_000 }, Act::Get],
    );
    scripts
}

fn draw_main(dice: &mut Dice, branches: usize) -> Vec<Act> {
    match dice.count(0..100) {
        0..62 => vec![Act::Run(Content::Whole)],
        62..68 => vec![Act::Begin(Content::Whole), Act::Run(Content::Whole)],
        68..74 => vec![Act::Begin(Content::Whole), Act::Submit],
        74..83 => vec![Act::Begin(Content::Whole)],
        83..85 => vec![
            Act::Begin(Content::Whole),
            Act::Pause { for_ms: 300 },
            Act::Abort,
        ],
        _ => {
            let mut acts = vec![Act::Begin(Content::Empty)];
            for branch in 0..branches {
                acts.push(Act::Add(branch));
                if dice.hits(200) {
                    acts.push(Act::Add(branch));
                }
                if dice.hits(300) {
                    acts.push(Act::Pause {
                        for_ms: dice.span(10..1_500),
                    });
                }
            }
            acts.push(Act::Submit);
            acts
        }
    }
}

fn script(dice: &mut Dice, at_ms: u64, acts: Vec<Act>) -> Script {
    Script {
        at_ms,
        acts,
        patience_ms: dice.pick(&[300, 800, 1_500, 3_000]),
        tries: dice.count(3..9),
    }
}
