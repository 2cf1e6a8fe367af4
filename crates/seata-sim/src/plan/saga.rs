//! Sagas as they are drawn: their branches, and who asks for what.

use std::sync::Arc;

use seata_core::{BranchDefinition, BranchOptions, Endpoints};

use crate::dice::Dice;
use crate::plan::Knobs;
use crate::plan::act::{Act, Content, Demand, Finishing, Script};
use crate::plan::scripts::Scripts;
use crate::plan::work::{draw_payload, endpoint, fingerprint, names};

pub(crate) fn draw_branches(dice: &mut Dice, at: u64) -> Vec<Arc<BranchDefinition>> {
    let names = names(dice);
    let chained = dice.pick(&[0, 300, 700]);
    (0..names.len())
        .map(|b| {
            let after = (0..b)
                .filter(|_| dice.hits(chained))
                .map(|earlier| names[earlier].clone())
                .collect();
            let participant = dice.below(5);
            Arc::new(BranchDefinition {
                branch_id: names[b].clone(),
                endpoints: Endpoints::Saga {
                    action: endpoint(participant, "action"),
                    compensation: (!dice.hits(60)).then(|| endpoint(participant, "compensation")),
                },
                payload: draw_payload(dice, at, b),
                after,
                headers: Vec::new(),
                options: BranchOptions::default(),
                fingerprint: fingerprint(at, 10 + u8::try_from(b).unwrap_or(u8::MAX)),
            })
        })
        .collect()
}

/// The initiator's own script, then those of whoever repeats, contradicts, aborts, completes or orders.
pub(crate) fn draw_scripts(
    dice: &mut Dice,
    begins_ms: u64,
    branches: usize,
    knobs: &Knobs,
) -> Vec<Script> {
    let main = draw_main(dice, branches);
    let branch = dice.below(branches);
    let after_ms = dice.span(0..knobs.claim_interval_ms + 300);
    let mut scripts = Scripts::begin(dice, begins_ms, main);
    let finish = |how| Act::Finish { branch, how };
    scripts.side(150, 3_000, [Demand::Submit]);
    scripts.side(
        120,
        3_000,
        [
            Demand::Submit.into(),
            Act::Pause { for_ms: 400 },
            Demand::Submit.into(),
        ],
    );
    scripts.side(150, 6_000, [Demand::Run(Content::Whole)]);
    scripts.side(80, 6_000, [Demand::Run(Content::Contrary)]);
    scripts.side(40, 4_000, [Demand::Begin(Content::Contrary)]);
    scripts.side(150, 5_000, [Demand::Abort]);
    scripts.side(60, 400, [Demand::Abort]);
    scripts.side(
        150,
        2_000,
        [Act::PauseForLapse { after_ms }, Demand::Abort.into()],
    );
    scripts.side(
        80,
        8_000,
        [
            Demand::Retry { branch: None },
            Demand::Retry {
                branch: Some(branch),
            },
        ],
    );
    scripts.side(40, 10_000, [Demand::Skip { branch }]);
    scripts.side(20, 15_000, [Demand::ForceAbort]);
    scripts.side(20, 15_000, [Demand::ForceCommit]);
    scripts.side(60, 3_000, [Demand::Add(branch)]);
    scripts.side(100, 4_000, [finish(Finishing::Succeeds); 2]);
    scripts.side(60, 4_000, [finish(Finishing::Fails); 2]);
    scripts.side(
        200,
        8_000,
        [Demand::Get, Demand::Wait { for_ms: 3_000 }, Demand::Get],
    );
    let (again, wait_ms) = (Demand::Run(Content::Whole).into(), 3_000);
    scripts.side(
        250,
        6_000,
        [
            Act::PauseForPurge,
            Demand::Get.into(),
            again,
            Demand::Wait { for_ms: wait_ms }.into(),
            Demand::Get.into(),
        ],
    );
    scripts.all()
}

fn draw_main(dice: &mut Dice, branches: usize) -> Vec<Act> {
    let ask = |demands: &[Demand]| demands.iter().copied().map(Act::Ask).collect();
    let (begin, run) = (Demand::Begin(Content::Whole), Demand::Run(Content::Whole));
    match dice.count(0..100) {
        0..62 => ask(&[run]),
        62..68 => ask(&[begin, run]),
        68..74 => ask(&[begin, Demand::Submit]),
        74..83 => ask(&[begin]),
        83..85 => vec![
            begin.into(),
            Act::Pause { for_ms: 300 },
            Demand::Abort.into(),
        ],
        _ => {
            let mut acts: Vec<Act> = vec![Demand::Begin(Content::Empty).into()];
            for branch in 0..branches {
                acts.push(Demand::Add(branch).into());
                if dice.hits(200) {
                    acts.push(Demand::Add(branch).into());
                }
                if dice.hits(300) {
                    let for_ms = dice.span(10..1_500);
                    acts.push(Act::Pause { for_ms });
                }
            }
            acts.push(Demand::Submit.into());
            acts
        }
    }
}
