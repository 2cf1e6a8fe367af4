//! What the kit found, in words.

use std::fmt;

use super::accident::{Accident, Kind, Manner};

/// A rule for participants: docs/participants.md explains each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Rule {
    /// The kit could not put the data back: nothing can be judged.
    Resets,
    /// When nothing goes wrong, every operation succeeds and leaves right data.
    Succeeds,
    /// What was done is undone.
    Undoes,
    /// An operation that is delivered twice takes effect once.
    DuplicateOnce,
    /// A repetition is answered as the first delivery was.
    SameAnswer,
    /// A compensation or cancel of what was never done succeeds and changes nothing.
    NullUndo,
    /// An action or try that comes after its compensation or cancel changes nothing.
    NothingAfterUndo,
    /// A compensation, confirm or cancel is never refused.
    NeverRefused,
    /// Every operation is answered with success or refusal in the end.
    Answers,
}

impl Rule {
    /// Answers the rule in words.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Resets => "the data can be put back before each run",
            Self::Succeeds => "when nothing goes wrong, all succeeds and leaves right data",
            Self::Undoes => "what was done is undone",
            Self::DuplicateOnce => "an operation that is delivered twice takes effect once",
            Self::SameAnswer => "a repetition is answered as the first delivery was",
            Self::NullUndo => "undoing what was never done succeeds and changes nothing",
            Self::NothingAfterUndo => "what comes after it was undone changes nothing",
            Self::NeverRefused => "a compensation, confirm or cancel is never refused",
            Self::Answers => "every operation is answered with success or refusal in the end",
        }
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A rule that is broken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Breach {
    /// By which branch; none if it can't be told.
    pub branch_id: Option<String>,
    /// Which rule.
    pub rule: Rule,
    /// What happened and what came of it.
    pub what: String,
}

impl fmt::Display for Breach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.branch_id {
            Some(branch_id) => write!(f, "branch {branch_id} breaks the rule")?,
            None => f.write_str("the transaction breaks the rule")?,
        }
        write!(f, " {:?}: {}", self.rule.as_str(), self.what)
    }
}

/// What one run found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Found {
    /// At another branch than the one of the accident.
    pub(crate) branch_id: Option<String>,
    pub(crate) rule: Rule,
    pub(crate) what: String,
}

/// What all runs found. Printed, it is a line per breach.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// How many runs were made.
    pub runs: usize,
    /// The rules that are broken.
    pub breaches: Vec<Breach>,
    /// Runs that would have told nothing after what was found, each with its branch.
    pub not_judged: Vec<String>,
    /// The accidents that were found to go wrong, by part.
    wrong: Vec<Accident>,
    stopped: Option<&'static str>,
}

impl Report {
    /// Answers whether no rule is broken.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.breaches.is_empty()
    }

    /// Answers the rules that a branch breaks.
    pub fn broken_by<'a>(&'a self, branch_id: &'a str) -> impl Iterator<Item = Rule> + 'a {
        let by = move |breach: &&Breach| breach.branch_id.as_deref() == Some(branch_id);
        self.breaches.iter().filter(by).map(|breach| breach.rule)
    }

    pub(crate) fn take(&mut self, accident: &Accident, found: Option<Found>) {
        self.runs += 1;
        let Some(found) = found else {
            return;
        };
        self.wrong.push(accident.clone());
        let by_accident = || accident.branch_id().map(ToOwned::to_owned);
        self.breaches.push(Breach {
            branch_id: found.branch_id.or_else(by_accident),
            rule: found.rule,
            what: format!("{}; then {}", accident.story(), found.what),
        });
    }

    pub(crate) fn skip(&mut self, accident: &Accident) {
        let branch_id = accident.branch_id().unwrap_or("-");
        self.not_judged
            .push(format!("branch {branch_id}: {}", accident.story()));
    }

    pub(crate) fn stop(&mut self) {
        self.stopped =
            Some("the data are wrong now and there is no reset: no run was made behind it");
    }

    /// Answers whether an accident could only show what was found before.
    pub(crate) fn makes_pointless(&self, accident: &Accident) -> bool {
        self.wrong.iter().any(|wrong| spoils(wrong, accident))
    }
}

/// Says whether a run goes wrong for certain, or for a known reason, after another did.
fn spoils(wrong: &Accident, next: &Accident) -> bool {
    let (
        Accident::At {
            part: wrong_part,
            kind: wrong_kind,
            ..
        },
        Accident::At { part, kind, .. },
    ) = (wrong, next)
    else {
        return true;
    };
    let is_same = wrong_part == part;
    match wrong_kind {
        Kind::Forward(_) => is_same && matches!(kind, Kind::Forward(_)),
        Kind::Finish(_) => is_same && matches!(kind, Kind::Finish(_)),
        // All who turn round behind it rely on its being undone.
        Kind::Undo(Manner::Once) => {
            part >= wrong_part && turns_round(*kind) && !is_null(*kind, is_same)
        }
        Kind::Undo(_) => is_same && matches!(kind, Kind::Undo(_)),
        Kind::UndoFirst(_) => is_same && is_null(*kind, is_same),
        Kind::Refused => is_same && turns_round(*kind),
        Kind::Hanging | Kind::LateAfterUndo => is_same && matches!(kind, Kind::LateAfterUndo),
    }
}

const fn turns_round(kind: Kind) -> bool {
    match kind {
        Kind::Forward(_) | Kind::Finish(_) => false,
        Kind::Refused
        | Kind::Undo(_)
        | Kind::UndoFirst(_)
        | Kind::Hanging
        | Kind::LateAfterUndo => true,
    }
}

/// Whether a branch of its own is undone without having done anything: a broken undoing does not tell of that.
const fn is_null(kind: Kind, is_same: bool) -> bool {
    is_same && matches!(kind, Kind::UndoFirst(_) | Kind::Hanging)
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.breaches.len() {
            0 => write!(f, "{} runs, no rule is broken", self.runs)?,
            wrong => write!(f, "{} runs, {wrong} went wrong:", self.runs)?,
        }
        for breach in &self.breaches {
            write!(f, "\n- {breach}")?;
        }
        for not_judged in &self.not_judged {
            write!(f, "\n- not judged after that: {not_judged}")?;
        }
        if let Some(stopped) = self.stopped {
            write!(f, "\n- {stopped}")?;
        }
        Ok(())
    }
}
