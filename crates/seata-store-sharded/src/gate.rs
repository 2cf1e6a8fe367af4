//! The gate in front of a shard: whether it is worth to ask it. It holds no clock and asks nobody by itself.
//!
//! | state | calls | how it is left |
//! |---|---|---|
//! | open | pass | a call that nothing answered, while no other call was answered either: shut |
//! | shut | are refused at once; one starts a probe when it is due | the probe was answered: ajar |
//! | ajar | one and all pings pass, the others are refused | answered: open; silence: shut, with the next probe twice as late |
//!
//! The probe is a ping: it finds a frozen or unreachable server without making a batch wait. The one call finds a server
//! that answers pings and nothing else.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use seata_store::Shard;
use tokio::time::Instant;

/// An error after so long, with no answer to anybody meanwhile, is silence: such a call holds up what waits beside it. An
/// earlier one costs little, and may concern one record alone: the adapters give up a row that somebody keeps locked
/// before this, and a server that can't be reached after it.
pub(crate) const SILENCE_AFTER: Duration = Duration::from_secs(1);

const PROBE_PAUSE_FIRST: Duration = Duration::from_millis(250);
const PROBE_PAUSE_MAX: Duration = Duration::from_secs(8);

/// What is known of a shard.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ShardState {
    /// It answered the last call.
    Answers,
    /// It failed the last call without delay. It is asked each time.
    Fails,
    /// It fell silent: it is not asked until a probe is answered.
    Silent,
}

/// How a call ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ending {
    /// The shard said something that only a living one says.
    Answered,
    /// It could not be reached, or not in time.
    Failed,
}

/// Who asks to pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Call {
    /// A call that shows whether the shard works, and changes nothing.
    Read,
    /// A call that shows it, and may take effect without an answer.
    Write,
    /// A ping: it does not show that. While the gate is ajar it passes nonetheless: whoever waits for the shards' return asks
    /// for nothing else.
    Ping,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Open(Health),
    Shut { pause: Duration, probe: Probe },
    Ajar { pause: Duration, trial: Trial },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Health {
    Answers,
    Fails,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Probe {
    DueAt(Instant),
    UnderWay,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Trial {
    Free,
    UnderWay,
}

impl State {
    const fn shown(self) -> ShardState {
        match self {
            Self::Open(Health::Answers) => ShardState::Answers,
            Self::Open(Health::Fails) => ShardState::Fails,
            Self::Shut { .. } | Self::Ajar { .. } => ShardState::Silent,
        }
    }
}

#[derive(Debug)]
struct Known {
    state: State,
    answered_at: Option<Instant>,
}

/// One gate; it says which shard and which kind of calls it is for when that changes.
#[derive(Debug)]
pub(crate) struct Gate {
    shard: Shard,
    calls: &'static str,
    known: Mutex<Known>,
}

/// One call that passed. Dropped without an ending it proves nothing.
pub(crate) struct Ticket<'a> {
    gate: &'a Gate,
    sent_at: Instant,
    role: Role,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    OneOfMany,
    Trial,
    Ping,
}

impl Gate {
    pub(crate) const fn new(shard: Shard, calls: &'static str) -> Self {
        let known = Known {
            state: State::Open(Health::Answers),
            answered_at: None,
        };
        Self {
            shard,
            calls,
            known: Mutex::new(known),
        }
    }

    pub(crate) fn state(&self) -> ShardState {
        self.known().state.shown()
    }

    /// Lets a call pass, or refuses it.
    pub(crate) fn admit(&self, call: Call, now: Instant) -> Option<Ticket<'_>> {
        let mut known = self.known();
        let role = match (known.state, call) {
            (State::Open(_), Call::Read | Call::Write) => Role::OneOfMany,
            (State::Open(_) | State::Ajar { .. }, Call::Ping) => Role::Ping,
            (
                State::Ajar {
                    pause,
                    trial: Trial::Free,
                },
                Call::Read | Call::Write,
            ) => {
                known.state = State::Ajar {
                    pause,
                    trial: Trial::UnderWay,
                };
                Role::Trial
            }
            (State::Ajar { .. }, Call::Read | Call::Write) | (State::Shut { .. }, _) => {
                return None;
            }
        };
        Some(Ticket {
            gate: self,
            sent_at: now,
            role,
        })
    }

    /// Answers whether the caller must send a probe now, and tell how it ended.
    pub(crate) fn begin_probe(&self, now: Instant) -> bool {
        let mut known = self.known();
        match known.state {
            State::Shut {
                pause,
                probe: Probe::DueAt(due_at),
            } if due_at <= now => {
                known.state = State::Shut {
                    pause,
                    probe: Probe::UnderWay,
                };
                true
            }
            State::Open(_) | State::Ajar { .. } | State::Shut { .. } => false,
        }
    }

    pub(crate) fn end_probe(&self, ending: Ending, now: Instant) {
        let mut known = self.known();
        if let State::Shut {
            pause,
            probe: Probe::UnderWay,
        } = known.state
        {
            known.state = match ending {
                Ending::Answered => State::Ajar {
                    pause,
                    trial: Trial::Free,
                },
                Ending::Failed => State::Shut {
                    pause,
                    probe: Probe::DueAt(now + pause),
                },
            };
        }
    }

    /// Takes an answer that the shard gave at another gate for that of a probe.
    pub(crate) fn heard(&self, now: Instant) {
        if self.begin_probe(now) {
            self.end_probe(Ending::Answered, now);
        }
    }

    fn settle(&self, sent_at: Instant, role: Role, ending: Ending, now: Instant) {
        let mut known = self.known();
        let before = known.state;
        known.state = match ending {
            Ending::Answered => {
                known.answered_at = Some(now);
                answered(before, role)
            }
            Ending::Failed => {
                let alone = known.answered_at.is_none_or(|at| at < sent_at);
                let silence = alone && now.duration_since(sent_at) >= SILENCE_AFTER;
                failed(before, role, silence.then_some(now))
            }
        };
        let (before, after) = (before.shown(), known.state.shown());
        drop(known);
        self.tell(before, after);
    }

    fn tell(&self, before: ShardState, after: ShardState) {
        if before == after {
            return;
        }
        let (shard, calls) = (self.shard, self.calls);
        match after {
            ShardState::Answers => tracing::info!(%shard, calls, "a shard answers again"),
            ShardState::Fails => tracing::warn!(%shard, calls, "a shard fails what it is asked"),
            ShardState::Silent => {
                tracing::warn!(%shard, calls, "a shard is silent: it is not asked until it answers a probe");
            }
        }
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn answered(state: State, role: Role) -> State {
    match (state, role) {
        (State::Shut { .. } | State::Ajar { .. }, Role::Ping) => state,
        (State::Open(_), Role::Ping) | (_, Role::OneOfMany | Role::Trial) => {
            State::Open(Health::Answers)
        }
    }
}

/// Answers what follows a failure; `silent_at` is none if it came without delay or if others were answered.
fn failed(state: State, role: Role, silent_at: Option<Instant>) -> State {
    match (state, role, silent_at) {
        (State::Open(_), _, None) | (State::Ajar { .. }, Role::Trial, None) => {
            State::Open(Health::Fails)
        }
        (State::Open(_), _, Some(now)) => State::Shut {
            pause: PROBE_PAUSE_FIRST,
            probe: Probe::DueAt(now),
        },
        (State::Ajar { pause, .. }, Role::Trial, Some(now)) => {
            let pause = (pause * 2).min(PROBE_PAUSE_MAX);
            State::Shut {
                pause,
                probe: Probe::DueAt(now + pause),
            }
        }
        // Sent before the gate was shut: it says nothing new.
        (State::Ajar { .. }, Role::OneOfMany | Role::Ping, _) | (State::Shut { .. }, _, _) => state,
    }
}

impl Ticket<'_> {
    pub(crate) fn settle(mut self, ending: Ending, now: Instant) {
        self.gate.settle(self.sent_at, self.role, ending, now);
        self.role = Role::OneOfMany;
    }
}

impl Drop for Ticket<'_> {
    fn drop(&mut self) {
        let mut known = self.gate.known();
        if let (Role::Trial, State::Ajar { pause, .. }) = (self.role, known.state) {
            known.state = State::Ajar {
                pause,
                trial: Trial::Free,
            };
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    const LONG: Duration = Duration::from_secs(1);

    fn gate() -> Gate {
        Gate::new(Shard::WHOLE, "appends")
    }

    /// Shuts a gate by a call that nothing answers. Answers when.
    fn shut(gate: &Gate, sent_at: Instant) -> Instant {
        let ticket = gate.admit(Call::Write, sent_at).unwrap();
        ticket.settle(Ending::Failed, sent_at + LONG);
        assert_eq!(gate.state(), ShardState::Silent);
        sent_at + LONG
    }

    #[test]
    fn silence_shuts_it_and_an_answered_probe_lets_one_pass_at_a_time() {
        let gate = gate();
        let now = shut(&gate, Instant::now());
        assert!(gate.admit(Call::Write, now).is_none());
        assert!(gate.begin_probe(now));
        assert!(!gate.begin_probe(now), "one probe at a time");
        gate.end_probe(Ending::Answered, now);
        let ping = gate.admit(Call::Ping, now).unwrap();
        ping.settle(Ending::Answered, now);
        assert_eq!(gate.state(), ShardState::Silent, "a ping proves no work");
        let trial = gate.admit(Call::Write, now).unwrap();
        assert!(gate.admit(Call::Write, now).is_none());
        drop(trial);
        let trial = gate
            .admit(Call::Write, now)
            .expect("nobody waited for the last one");
        assert_eq!(gate.state(), ShardState::Silent);
        trial.settle(Ending::Answered, now);
        assert_eq!(gate.state(), ShardState::Answers);
        assert!(gate.admit(Call::Write, now).is_some() && gate.admit(Call::Ping, now).is_some());
    }

    #[test]
    fn a_failed_probe_is_followed_by_another_and_a_silent_trial_by_a_later_one() {
        let gate = gate();
        let mut now = shut(&gate, Instant::now());
        assert!(gate.begin_probe(now));
        gate.end_probe(Ending::Failed, now);
        assert!(!gate.begin_probe(now));
        let mut pause = PROBE_PAUSE_FIRST;
        for _ in 0..10 {
            now += pause;
            assert!(gate.begin_probe(now));
            gate.end_probe(Ending::Answered, now);
            let sent_at = now;
            now += LONG;
            gate.admit(Call::Write, sent_at)
                .unwrap()
                .settle(Ending::Failed, now);
            pause = (pause * 2).min(PROBE_PAUSE_MAX);
            assert!(!gate.begin_probe(now + pause - Duration::from_millis(1)));
        }
        assert_eq!(pause, PROBE_PAUSE_MAX);
    }

    #[test]
    fn a_quick_failure_and_one_beside_answers_leave_it_open() {
        let gate = gate();
        let now = Instant::now();
        gate.admit(Call::Write, now)
            .unwrap()
            .settle(Ending::Failed, now);
        assert_eq!(gate.state(), ShardState::Fails);
        let (slow, quick) = (gate.admit(Call::Write, now), gate.admit(Call::Write, now));
        quick.unwrap().settle(Ending::Answered, now + LONG / 2);
        assert_eq!(gate.state(), ShardState::Answers);
        slow.unwrap().settle(Ending::Failed, now + LONG);
        assert_eq!(
            gate.state(),
            ShardState::Fails,
            "one locked row is not a silent shard"
        );
    }

    #[test]
    fn what_was_sent_before_it_was_shut_opens_it_by_an_answer_alone() {
        let gate = gate();
        let now = Instant::now();
        let (first, second) = (gate.admit(Call::Write, now), gate.admit(Call::Write, now));
        let now = shut(&gate, now);
        first.unwrap().settle(Ending::Failed, now);
        assert_eq!(gate.state(), ShardState::Silent);
        second.unwrap().settle(Ending::Answered, now);
        assert_eq!(gate.state(), ShardState::Answers);
    }
}
