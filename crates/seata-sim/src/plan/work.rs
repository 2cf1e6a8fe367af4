//! One transaction of a run: what is asked for, by whom, when, and how its participants behave.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use seata_core::{
    BranchDefinition, BranchId, ContentType, Definition, Endpoint, Fingerprint, Gid, Mode,
    Operation, Options, Order, Payload, RetryPolicy,
};

use crate::dice::Dice;
use crate::plan::act::{Content, Script};
use crate::plan::behaviour::{Behaviour, Limits};
use crate::plan::{Knobs, saga, tcc};

/// The longest interval between two attempts, in ms.
pub(crate) const RETRY_MAX_MS: u64 = 4_000;

/// The longest time limit of one call, in ms.
pub(crate) const REQUEST_TIMEOUT_MAX_MS: u64 = 9_000;

/// The longest `prepared_timeout` and `timeout_to_fail`, in ms.
pub(crate) const LIMIT_MAX_MS: u64 = 20_000;

/// The most branches of a transaction.
pub(crate) const BRANCHES_MAX: usize = 6;

/// How many of a thousand transactions are TCC.
const TCC_PER_MILLE: u32 = 350;

/// One transaction of a run.
#[derive(Debug)]
pub(crate) struct TxPlan {
    pub(crate) gid: Gid,
    pub(crate) mode: Mode,
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
        let mode = if dice.hits(TCC_PER_MILLE) {
            Mode::Tcc
        } else {
            Mode::Saga
        };
        let begins_ms = dice.span(200..faults_ms);
        let options = draw_options(&mut dice);
        let branches = match mode {
            Mode::Saga => saga::draw_branches(&mut dice, at),
            Mode::Tcc => tcc::draw_branches(&mut dice, at),
        };
        let limits = Limits {
            request_timeout_ms: to_ms(options.request_timeout),
            has_deadline: mode == Mode::Tcc || options.timeout_to_fail.is_some(),
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
                mode,
                branches: branches.to_vec(),
                options: options.clone(),
                payload: Some(payload_of(&format!("{payload}-{at}"))),
                fingerprint: fingerprint(at, variant),
            })
        };
        let whole = definition(&branches, "whole", 1);
        let empty = definition(&[], "whole", 2);
        let contrary = definition(&branches[..1], "contrary", 3);
        let scripts = match mode {
            Mode::Saga => saga::draw_scripts(&mut dice, begins_ms, branches.len(), knobs),
            Mode::Tcc => tcc::draw_scripts(&mut dice, begins_ms, &branches, knobs),
        };
        Self {
            gid,
            mode,
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

    /// Answers something else under the same branch name.
    pub(crate) fn contrary_branch(&self, at: usize) -> Arc<BranchDefinition> {
        let branch = self.branch(at);
        Arc::new(BranchDefinition {
            payload: Some(payload_of("contrary")),
            fingerprint: Fingerprint([u8::MAX; 32]),
            ..(**branch).clone()
        })
    }

    pub(crate) fn positions(&self) -> std::ops::Range<usize> {
        0..self.whole.branches.len()
    }

    /// Answers the position of the branch of this name, as scripts number them.
    pub(crate) fn position(&self, branch: &BranchId) -> usize {
        let branches = &self.whole.branches;
        branches
            .iter()
            .position(|known| known.branch_id == *branch)
            .unwrap_or_default()
    }

    pub(crate) fn behaviour(&self, branch: &BranchId) -> Option<&Behaviour> {
        self.behaviours.get(branch)
    }
}

/// Answers whether the coordinator makes the try of this branch.
pub(crate) const fn is_driven(branch: &BranchDefinition) -> bool {
    branch.endpoint(Operation::Try).is_some()
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

/// Draws how many branches there are, and names them.
pub(crate) fn names(dice: &mut Dice) -> Vec<BranchId> {
    let count = dice.pick(&[1, 2, 2, 3, 3, 4, 5, BRANCHES_MAX]);
    (0..count)
        .map(|b| {
            BranchId::parse(&format!("b{b}"))
                .expect("invariant: the name is made of allowed characters")
        })
        .collect()
}

pub(crate) fn endpoint(participant: usize, operation: &str) -> Endpoint {
    Endpoint::parse(&format!("http://p{participant}/{operation}"))
        .expect("invariant: a well-formed URL")
}

pub(crate) fn draw_payload(dice: &mut Dice, at: u64, branch: usize) -> Option<Payload> {
    dice.hits(500)
        .then(|| payload_of(&format!("branch-{at}-{branch}")))
}

fn payload_of(text: &str) -> Payload {
    Payload {
        content_type: ContentType::Json,
        bytes: Arc::from(format!("\"{text}\"").into_bytes()),
    }
}

pub(crate) fn fingerprint(at: u64, variant: u8) -> Fingerprint {
    let mut bytes = [variant; 32];
    bytes[..8].copy_from_slice(&at.to_le_bytes());
    Fingerprint(bytes)
}
