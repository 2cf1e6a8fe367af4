//! The scripts of one transaction, as they are drawn: the initiator's own, then those of whoever else takes part.

use crate::dice::Dice;
use crate::plan::act::{Act, Demand, Script};

/// The scripts drawn so far.
pub(crate) struct Scripts<'a> {
    dice: &'a mut Dice,
    begins_ms: u64,
    scripts: Vec<Script>,
}

impl<'a> Scripts<'a> {
    /// Begins with the initiator's own script, which waits for the end some times.
    pub(crate) fn begin(dice: &'a mut Dice, begins_ms: u64, mut main: Vec<Act>) -> Self {
        if dice.hits(500) {
            let for_ms = dice.span(500..15_000);
            main.push(Demand::Wait { for_ms }.into());
        }
        let scripts = vec![script(dice, begins_ms, main)];
        Self {
            dice,
            begins_ms,
            scripts,
        }
    }

    /// Adds another client's script, so many times in a thousand, at some time after the beginning.
    pub(crate) fn side<A: Into<Act>>(
        &mut self,
        per_mille: u32,
        within_ms: u64,
        acts: impl IntoIterator<Item = A>,
    ) {
        if self.dice.hits(per_mille) {
            let at_ms = self.begins_ms + self.dice.span(1..within_ms);
            let acts = acts.into_iter().map(Into::into).collect();
            self.scripts.push(script(self.dice, at_ms, acts));
        }
    }

    pub(crate) fn all(self) -> Vec<Script> {
        self.scripts
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
