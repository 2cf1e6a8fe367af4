//! One run: the calls of an accident's script, and what is wrong behind them.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::join;
use tokio::time::sleep;

use super::SagaKit;
use super::accident::{Accident, Manner, Phase, Step};
use super::definition::{Ask, Part};
use super::report::{Found, Rule};
use crate::gid::Gid;
use crate::participant::{Answer, Call, Operation};

/// How often an unknown answer is asked again, and how often an ongoing one.
const UNKNOWN_MAX: u32 = 5;
const ONGOING_MAX: u32 = 200;
const PAUSE: Duration = Duration::from_millis(20);

pub(crate) struct Runner<'a> {
    kit: &'a SagaKit,
}

/// One operation of one branch in one run.
struct Asked<'a> {
    runner: &'a Runner<'a>,
    part: &'a Part,
    ask: &'a Ask,
    gid: &'a Gid,
    attempts: AtomicU32,
}

impl<'a> Runner<'a> {
    pub(crate) const fn new(kit: &'a SagaKit) -> Self {
        Self { kit }
    }

    /// Makes the run and answers what is wrong.
    pub(crate) async fn run(&self, accident: &Accident) -> Option<Found> {
        let found = self.tried(accident).await.err()?;
        let is_null = accident.rule() == Rule::NullUndo && found.rule == Rule::NeverRefused;
        Some(
            if is_null && found.branch_id.as_deref() == accident.branch_id() {
                Found {
                    rule: Rule::NullUndo,
                    ..found
                }
            } else {
                found
            },
        )
    }

    async fn tried(&self, accident: &Accident) -> Result<(), Found> {
        if let Some(reset) = &self.kit.reset {
            reset().await.map_err(|why| found(Rule::Resets, why))?;
        }
        let gid = Gid::new();
        for step in accident.script(&self.kit.definition) {
            self.take(step, &gid).await?;
        }
        match &self.kit.check {
            Some(check) => check(accident.end())
                .await
                .map_err(|why| found(accident.rule(), why)),
            None => Ok(()),
        }
    }

    async fn take(&self, step: Step, gid: &Gid) -> Result<(), Found> {
        let part = &self.kit.definition.parts[step.part];
        let ask = match step.phase {
            Phase::Forward => Some(&part.forward),
            Phase::Finish => part.finish.as_ref(),
            Phase::Undo => part.undo.as_ref(),
        };
        let Some(ask) = ask else {
            return Ok(());
        };
        let asked = Asked {
            runner: self,
            part,
            ask,
            gid,
            attempts: AtomicU32::new(0),
        };
        match step.manner {
            Manner::Once => asked.until_success(asked.refused_first()).await,
            Manner::Twice => {
                asked.until_success(asked.refused_first()).await?;
                asked.until_success(Rule::SameAnswer).await
            }
            Manner::AtOnce => {
                let first = asked.until_success(Rule::SameAnswer);
                let (first, second) = join(first, asked.until_success(Rule::SameAnswer)).await;
                first.and(second)
            }
            // Nobody reads the answer.
            Manner::Late => {
                asked.call().await;
                Ok(())
            }
        }
    }
}

impl Asked<'_> {
    /// Answers which rule a refusal of the first delivery breaks.
    const fn refused_first(&self) -> Rule {
        match self.ask.operation {
            Operation::Action | Operation::Try => Rule::Succeeds,
            Operation::Compensation | Operation::Confirm | Operation::Cancel => Rule::NeverRefused,
        }
    }

    /// Asks as a coordinator does, but not for ever.
    async fn until_success(&self, refused: Rule) -> Result<(), Found> {
        let (mut unknown, mut ongoing) = (0, 0);
        loop {
            let what = match self.call().await {
                Answer::Success => return Ok(()),
                Answer::Failure { reason } => {
                    return Err(self.found(refused, &format!("was refused: {reason}")));
                }
                Answer::Ongoing => {
                    ongoing += 1;
                    "was still going on".to_owned()
                }
                Answer::Unknown { reason } => {
                    unknown += 1;
                    format!("was answered with neither success nor refusal: {reason}")
                }
            };
            if unknown >= UNKNOWN_MAX || ongoing >= ONGOING_MAX {
                return Err(self.found(Rule::Answers, &what));
            }
            sleep(PAUSE).await;
        }
    }

    async fn call(&self) -> Answer {
        let before = self.attempts.fetch_add(1, Ordering::Relaxed);
        let payload = self.part.payload.as_ref();
        let call = Call {
            gid: self.gid.clone(),
            branch_id: self.part.branch_id.clone(),
            operation: self.ask.operation,
            attempt: before + 1,
            content_type: payload.map(|payload| payload.content_type().to_owned()),
            payload: payload.map_or_else(Bytes::new, |payload| payload.to_bytes().into()),
        };
        match self.runner.kit.asked(self.part, self.ask.operation) {
            Some(participant) => participant.call(&call).await,
            None => Answer::Unknown {
                reason: "the kit knows no participant for it".to_owned(),
            },
        }
    }

    fn found(&self, rule: Rule, what: &str) -> Found {
        Found {
            branch_id: Some(self.part.branch_id.clone()),
            rule,
            what: format!(
                "the {} of {} {what}",
                self.ask.operation, self.part.branch_id
            ),
        }
    }
}

fn found(rule: Rule, what: String) -> Found {
    Found {
        branch_id: None,
        rule,
        what,
    }
}
