//! TCC as it is drawn: which tries the coordinator makes and which the initiator, and who asks for what.

use std::sync::Arc;

use seata_core::{BranchDefinition, BranchOptions, Endpoints};

use crate::dice::Dice;
use crate::plan::Knobs;
use crate::plan::act::{Act, Content, Demand, Finishing, Script};
use crate::plan::scripts::Scripts;
use crate::plan::work::{draw_payload, endpoint, fingerprint, is_driven, names};

pub(crate) fn draw_branches(dice: &mut Dice, at: u64) -> Vec<Arc<BranchDefinition>> {
    let names = names(dice);
    let driven = dice.pick(&[0, 500, 1_000, 1_000]);
    names
        .into_iter()
        .enumerate()
        .map(|(b, branch_id)| {
            let participant = dice.below(5);
            Arc::new(BranchDefinition {
                branch_id,
                endpoints: Endpoints::Tcc {
                    try_: dice.hits(driven).then(|| endpoint(participant, "try")),
                    confirm: endpoint(participant, "confirm"),
                    cancel: endpoint(participant, "cancel"),
                },
                payload: draw_payload(dice, at, b),
                after: Vec::new(),
                headers: Vec::new(),
                options: BranchOptions::default(),
                fingerprint: fingerprint(at, 10 + u8::try_from(b).unwrap_or(u8::MAX)),
            })
        })
        .collect()
}

/// The initiator's own script, then those of whoever repeats, contradicts, decides, completes or orders.
pub(crate) fn draw_scripts(
    dice: &mut Dice,
    begins_ms: u64,
    branches: &[Arc<BranchDefinition>],
    knobs: &Knobs,
) -> Vec<Script> {
    let main = draw_main(dice, branches);
    let branch = dice.below(branches.len());
    let after_ms = dice.span(0..knobs.claim_interval_ms + 300);
    let mut scripts = Scripts::begin(dice, begins_ms, main);
    deciders(&mut scripts, branch);
    latecomers(&mut scripts, branch, &branches[branch]);
    at_a_lapse(&mut scripts, after_ms, branch, &branches[branch]);
    let finish = |how| Act::Finish { branch, how };
    scripts.side(120, 6_000, [finish(Finishing::Succeeds); 2]);
    scripts.side(50, 6_000, [finish(Finishing::Fails)]);
    scripts.side(
        100,
        10_000,
        [
            Demand::Retry { branch: None },
            Demand::Retry {
                branch: Some(branch),
            },
        ],
    );
    scripts.side(30, 10_000, [Demand::Skip { branch }]);
    scripts.side(10, 15_000, [Demand::ForceAbort]);
    scripts.side(10, 15_000, [Demand::ForceCommit]);
    scripts.side(
        150,
        8_000,
        [Demand::Get, Demand::Wait { for_ms: 3_000 }, Demand::Get],
    );
    scripts.all()
}

/// Those who submit and abort, again, at once and in both orders.
fn deciders(scripts: &mut Scripts<'_>, branch: usize) {
    let (submit, abort) = (Act::Ask(Demand::Submit), Act::Ask(Demand::Abort));
    scripts.side(60, 3_000, [submit]);
    scripts.side(
        150,
        4_000,
        [submit, submit, Act::Pause { for_ms: 400 }, submit],
    );
    scripts.side(40, 5_000, [abort]);
    scripts.side(20, 400, [abort]);
    scripts.side(40, 5_000, [submit, abort]);
    scripts.side(30, 5_000, [abort, submit]);
    let pause = Act::Pause { for_ms: 300 };
    let confirm = Act::Ask(Demand::ConfirmBranch(branch));
    let cancel = Act::Ask(Demand::CancelBranch(branch));
    scripts.side(
        120,
        4_000,
        [confirm, pause, confirm, pause, confirm, cancel],
    );
    scripts.side(60, 6_000, [cancel, pause, cancel, pause, cancel, confirm]);
}

/// Those who come with branches when everything may be decided, or with other content.
fn latecomers(scripts: &mut Scripts<'_>, branch: usize, definition: &BranchDefinition) {
    let again = ask_for(branch, definition);
    scripts.side(150, 2_000, [again]);
    scripts.side(100, 8_000, [again, Demand::Register(branch)]);
    scripts.side(40, 4_000, [Demand::RegisterContrary(branch)]);
    scripts.side(40, 4_000, [Demand::Begin(Content::Contrary)]);
    scripts.side(60, 6_000, [Demand::Run(Content::Whole)]);
}

/// Those who come when nobody is in charge.
fn at_a_lapse(
    scripts: &mut Scripts<'_>,
    after_ms: u64,
    branch: usize,
    definition: &BranchDefinition,
) {
    let orders = [
        Demand::Abort,
        Demand::Submit,
        ask_for(branch, definition),
        Demand::ConfirmBranch(branch),
        Demand::CancelBranch(branch),
    ];
    for order in orders {
        scripts.side(
            30,
            2_000,
            [Act::PauseForLapse { after_ms }, Act::Ask(order)],
        );
    }
}

/// How an initiator that knows the branch asks for it.
const fn ask_for(branch: usize, definition: &BranchDefinition) -> Demand {
    if is_driven(definition) {
        Demand::Try(branch)
    } else {
        Demand::Register(branch)
    }
}

fn draw_main(dice: &mut Dice, branches: &[Arc<BranchDefinition>]) -> Vec<Act> {
    let mut acts = Vec::new();
    match dice.count(0..100) {
        0..60 => {
            acts.push(Demand::Begin(Content::Empty).into());
            try_each(dice, branches, Demand::Register, &mut acts);
        }
        60..75 => {
            acts.push(Demand::Begin(Content::Whole).into());
            try_each(dice, branches, |_| Demand::Get, &mut acts);
        }
        75..80 => {
            acts.push(Demand::Begin(Content::Whole).into());
            try_each(dice, branches, |_| Demand::Get, &mut acts);
            acts.push(Demand::Run(Content::Whole).into());
            return acts;
        }
        80..90 => return vec![Demand::Run(Content::Whole).into()],
        _ => {
            acts.push(Demand::Begin(Content::Empty).into());
            acts.extend((0..branches.len()).map(|branch| Act::Ask(Demand::Register(branch))));
            try_each(dice, branches, |_| Demand::Get, &mut acts);
        }
    }
    match dice.count(0..100) {
        0..70 => acts.push(Act::Decide),
        70..80 => acts.push(Demand::Submit.into()),
        80..84 => acts.push(Demand::Abort.into()),
        84..88 => acts.push(Demand::ConfirmBranch(0).into()),
        88..90 => acts.push(Demand::CancelBranch(0).into()),
        // The deadline decides.
        _ => {}
    }
    acts
}

/// Has every branch tried: by the coordinator, or by the initiator, which may tell what came of it.
fn try_each(
    dice: &mut Dice,
    branches: &[Arc<BranchDefinition>],
    register: impl Fn(usize) -> Demand,
    acts: &mut Vec<Act>,
) {
    for (branch, definition) in branches.iter().enumerate() {
        if is_driven(definition) {
            acts.push(Demand::Try(branch).into());
            if dice.hits(150) {
                acts.push(Demand::Try(branch).into());
            }
        } else {
            acts.push(register(branch).into());
            acts.push(Act::OwnTry(branch));
            if dice.hits(400) {
                acts.push(Act::TellTry(branch));
            }
        }
        if dice.hits(200) {
            let for_ms = dice.span(10..1_500);
            acts.push(Act::Pause { for_ms });
        }
    }
}
