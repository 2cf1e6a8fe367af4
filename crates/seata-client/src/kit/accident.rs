//! What can happen to one branch on the way, and the calls that come of it. It makes no calls.

use super::definition::{Definition, Part, Pattern};
use super::report::Rule;
use crate::end::End;

/// How a call is delivered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Manner {
    /// Until it is answered.
    Once,
    /// Again after its answer.
    Twice,
    /// Two deliveries at the same time.
    AtOnce,
    /// Once, when nobody waits for the answer any more.
    Late,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    Forward,
    Finish,
    Undo,
}

/// One delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Step {
    pub(crate) part: usize,
    pub(crate) phase: Phase,
    pub(crate) manner: Manner,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Its forward operation is delivered in another way, and the transaction commits.
    Forward(Manner),
    /// Its confirm is delivered in another way.
    Finish(Manner),
    /// It refuses, without having been asked: the saga turns round.
    Refused,
    /// It did its work, its answer was lost, the transaction turns round; its undoing is delivered so.
    Undo(Manner),
    /// Its request was lost, the transaction turns round: it is undone without having done anything.
    UndoFirst(Manner),
    /// The same, and the lost request arrives behind.
    Hanging,
    /// It was done and undone; then its forward operation is delivered once more.
    LateAfterUndo,
}

/// An accident at one branch; all else goes well.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Accident {
    None,
    At {
        part: usize,
        branch_id: String,
        kind: Kind,
        /// Of forward, finish and undo, as the pattern calls them.
        words: Words,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Words {
    pub(crate) forward: &'static str,
    pub(crate) undo: &'static str,
}

impl Accident {
    /// Lists all accidents: each builds on none that comes behind it.
    pub(crate) fn all(definition: &Definition) -> Vec<Self> {
        let at = definition.parts.iter().enumerate();
        let accidents = at.flat_map(|(at, part)| {
            let kinds = kinds(definition.pattern, part);
            kinds.into_iter().map(move |kind| Self::At {
                part: at,
                branch_id: part.branch_id.clone(),
                kind,
                words: words(definition.pattern),
            })
        });
        std::iter::once(Self::None).chain(accidents).collect()
    }

    /// Answers the calls to make, in their order.
    pub(crate) fn script(&self, definition: &Definition) -> Vec<Step> {
        match self {
            Self::None => committing(definition, None),
            Self::At { part, kind, .. } => match kind {
                Kind::Forward(Manner::Late) => {
                    let mut steps = committing(definition, None);
                    steps.push(forward(*part, Manner::Late));
                    steps
                }
                Kind::Forward(manner) => committing(definition, Some(forward(*part, *manner))),
                Kind::Finish(manner) => committing(
                    definition,
                    Some(Step {
                        part: *part,
                        phase: Phase::Finish,
                        manner: *manner,
                    }),
                ),
                Kind::Refused => {
                    let mut steps = forwards(*part);
                    steps.extend(undos(definition, *part, None));
                    steps
                }
                Kind::Undo(manner) => turned(definition, *part, Asked::Yes, *manner),
                Kind::UndoFirst(manner) => turned(definition, *part, Asked::No, *manner),
                Kind::Hanging => {
                    let mut steps = turned(definition, *part, Asked::No, Manner::Once);
                    steps.push(forward(*part, Manner::Late));
                    steps
                }
                Kind::LateAfterUndo => {
                    let mut steps = turned(definition, *part, Asked::Yes, Manner::Once);
                    steps.push(forward(*part, Manner::Late));
                    steps
                }
            },
        }
    }

    pub(crate) fn end(&self) -> End {
        match self.kind() {
            None | Some(Kind::Forward(_) | Kind::Finish(_)) => End::Committed,
            Some(
                Kind::Refused
                | Kind::Undo(_)
                | Kind::UndoFirst(_)
                | Kind::Hanging
                | Kind::LateAfterUndo,
            ) => End::Aborted,
        }
    }

    /// Answers the rule that the branch breaks if the data are wrong behind it.
    pub(crate) fn rule(&self) -> Rule {
        match self.kind() {
            None => Rule::Succeeds,
            Some(Kind::Refused | Kind::Undo(Manner::Once)) => Rule::Undoes,
            Some(
                Kind::Forward(_)
                | Kind::Finish(_)
                | Kind::Undo(_)
                | Kind::UndoFirst(Manner::Twice | Manner::AtOnce | Manner::Late),
            ) => Rule::DuplicateOnce,
            Some(Kind::UndoFirst(Manner::Once)) => Rule::NullUndo,
            Some(Kind::Hanging | Kind::LateAfterUndo) => Rule::NothingAfterUndo,
        }
    }

    pub(crate) fn kind(&self) -> Option<Kind> {
        match self {
            Self::None => None,
            Self::At { kind, .. } => Some(*kind),
        }
    }

    pub(crate) fn branch_id(&self) -> Option<&str> {
        match self {
            Self::None => None,
            Self::At { branch_id, .. } => Some(branch_id),
        }
    }

    /// Tells what happened, for a person.
    pub(crate) fn story(&self) -> String {
        let Self::At { kind, words, .. } = self else {
            return "nothing went wrong on the way".to_owned();
        };
        let Words { forward, undo } = words;
        match kind {
            Kind::Forward(manner) => told(forward, *manner),
            Kind::Finish(manner) => told("confirm", *manner),
            Kind::Refused => format!("its {forward} was refused, and all others were undone"),
            Kind::Undo(Manner::Once) => {
                format!("its {forward} was done, its answer was lost, and all was undone")
            }
            Kind::Undo(manner) => told(undo, *manner),
            Kind::UndoFirst(Manner::Once) => format!("its {undo} came without its {forward}"),
            Kind::UndoFirst(manner) => {
                format!("without its {forward}, {}", told(undo, *manner))
            }
            Kind::Hanging => {
                format!("its {undo} came without its {forward}, and its {forward} came behind it")
            }
            Kind::LateAfterUndo => {
                format!("its {forward} came once more after its {undo}")
            }
        }
    }
}

fn told(operation: &str, manner: Manner) -> String {
    match manner {
        Manner::Once => format!("its {operation} was delivered once"),
        Manner::Twice => format!("its {operation} was delivered twice, one after the other"),
        Manner::AtOnce => format!("its {operation} was delivered twice at the same time"),
        Manner::Late => format!("its {operation} was delivered once more after the end"),
    }
}

const fn words(pattern: Pattern) -> Words {
    match pattern {
        Pattern::Saga => Words {
            forward: "action",
            undo: "compensation",
        },
        Pattern::Tcc => Words {
            forward: "try",
            undo: "cancel",
        },
    }
}

fn kinds(pattern: Pattern, part: &Part) -> Vec<Kind> {
    let mut kinds = vec![
        Kind::Forward(Manner::Twice),
        Kind::Forward(Manner::AtOnce),
        Kind::Forward(Manner::Late),
    ];
    if part.finish.is_some() {
        kinds.push(Kind::Finish(Manner::Twice));
        kinds.push(Kind::Finish(Manner::AtOnce));
    }
    match pattern {
        Pattern::Saga => kinds.push(Kind::Refused),
        // A try that is refused is cancelled all the same: that is `UndoFirst`.
        Pattern::Tcc => {}
    }
    if part.undo.is_some() {
        kinds.extend([
            Kind::Undo(Manner::Once),
            Kind::Undo(Manner::Twice),
            Kind::Undo(Manner::AtOnce),
            Kind::UndoFirst(Manner::Once),
            Kind::UndoFirst(Manner::Twice),
            Kind::Hanging,
            Kind::LateAfterUndo,
        ]);
    }
    kinds
}

const fn forward(part: usize, manner: Manner) -> Step {
    Step {
        part,
        phase: Phase::Forward,
        manner,
    }
}

/// All forward, then all finished; one of these calls in another manner.
fn committing(definition: &Definition, other: Option<Step>) -> Vec<Step> {
    let parts = definition.parts.iter().enumerate();
    let finished = parts.filter(|(_, part)| part.finish.is_some());
    let finishes = finished.map(|(part, _)| Step {
        part,
        phase: Phase::Finish,
        manner: Manner::Once,
    });
    let plain = forwards(definition.parts.len()).into_iter().chain(finishes);
    plain.map(|step| replaced(step, other)).collect()
}

fn replaced(step: Step, other: Option<Step>) -> Step {
    match other {
        Some(other) if (other.part, other.phase) == (step.part, step.phase) => other,
        Some(_) | None => step,
    }
}

/// The first ones forward.
fn forwards(count: usize) -> Vec<Step> {
    (0..count).map(|part| forward(part, Manner::Once)).collect()
}

/// The first ones undone, the last of them first.
fn undos(definition: &Definition, count: usize, other: Option<Step>) -> Vec<Step> {
    let parts = definition.parts[..count].iter().enumerate().rev();
    let undone = parts.filter(|(_, part)| part.undo.is_some());
    let steps = undone.map(|(part, _)| Step {
        part,
        phase: Phase::Undo,
        manner: Manner::Once,
    });
    steps.map(|step| replaced(step, other)).collect()
}

/// Whether the branch at which the transaction turns round was asked before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Asked {
    Yes,
    No,
}

/// Forward up to a part, then back from there, which is undone so.
fn turned(definition: &Definition, part: usize, asked: Asked, manner: Manner) -> Vec<Step> {
    let mut steps = forwards(match asked {
        Asked::Yes => part + 1,
        Asked::No => part,
    });
    let undo = Step {
        part,
        phase: Phase::Undo,
        manner,
    };
    steps.extend(undos(definition, part + 1, Some(undo)));
    steps
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gid::Gid;
    use crate::saga::{Branch, Saga};
    use crate::tcc::{Tcc, TccBranch};

    fn saga() -> Definition {
        let branch = |name| Branch::new(name).compensation("c");
        Definition::saga(
            Saga::new(Gid::new())
                .branch(branch("a"))
                .branch(branch("b")),
        )
    }

    fn tcc() -> Definition {
        Definition::tcc(
            Tcc::new(Gid::new())
                .branch(TccBranch::new("a"))
                .branch(TccBranch::new("b")),
        )
    }

    /// Writes a script down: `+0` forward, `!0` finish, `-0` undo; twice `x2`, at once `||`, late `?`.
    fn script(definition: &Definition, part: usize, kind: Kind) -> String {
        let accident = Accident::At {
            part,
            branch_id: String::new(),
            kind,
            words: words(definition.pattern),
        };
        let steps = accident.script(definition).into_iter().map(|step| {
            let phase = match step.phase {
                Phase::Forward => '+',
                Phase::Finish => '!',
                Phase::Undo => '-',
            };
            let manner = match step.manner {
                Manner::Once => "",
                Manner::Twice => "x2",
                Manner::AtOnce => "||",
                Manner::Late => "?",
            };
            format!("{phase}{}{manner}", step.part)
        });
        steps.collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn each_accident_of_a_saga_has_its_calls() {
        for (kind, expected) in [
            (Kind::Forward(Manner::Twice), "+0 +1x2"),
            (Kind::Forward(Manner::AtOnce), "+0 +1||"),
            (Kind::Forward(Manner::Late), "+0 +1 +1?"),
            (Kind::Refused, "+0 -0"),
            (Kind::Undo(Manner::Once), "+0 +1 -1 -0"),
            (Kind::Undo(Manner::Twice), "+0 +1 -1x2 -0"),
            (Kind::UndoFirst(Manner::Once), "+0 -1 -0"),
            (Kind::Hanging, "+0 -1 -0 +1?"),
            (Kind::LateAfterUndo, "+0 +1 -1 -0 +1?"),
        ] {
            assert_eq!(script(&saga(), 1, kind), expected, "{kind:?}");
        }
    }

    #[test]
    fn each_accident_of_a_tcc_has_its_calls() {
        for (kind, expected) in [
            (Kind::Forward(Manner::Twice), "+0x2 +1 !0 !1"),
            (Kind::Forward(Manner::Late), "+0 +1 !0 !1 +0?"),
            (Kind::Finish(Manner::AtOnce), "+0 +1 !0|| !1"),
            (Kind::Undo(Manner::AtOnce), "+0 -0||"),
            (Kind::UndoFirst(Manner::Twice), "-0x2"),
        ] {
            assert_eq!(script(&tcc(), 0, kind), expected, "{kind:?}");
        }
    }

    #[test]
    fn every_operation_of_every_branch_meets_an_accident() {
        let accidents = Accident::all(&saga());
        assert_eq!(accidents.len(), 1 + 2 * 11);
        assert_eq!(Accident::all(&tcc()).len(), 1 + 2 * 12);
        assert_eq!(accidents.first(), Some(&Accident::None));
    }

    #[test]
    fn a_branch_without_compensation_is_never_undone() {
        let saga = Saga::new(Gid::new()).branch(Branch::new("a"));
        let definition = Definition::saga(saga);
        for accident in Accident::all(&definition) {
            let steps = accident.script(&definition);
            assert!(steps.iter().all(|step| step.phase != Phase::Undo));
        }
    }
}
