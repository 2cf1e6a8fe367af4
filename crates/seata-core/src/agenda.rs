//! What of one direction is still to be done, and in which order: who is ready, who waits, who is blocked.
//!
//! It keeps sets rather than searching the branches, so that a step costs the same with ten branches and a thousand.

use std::collections::BTreeSet;

use crate::dag::{Dag, index};
use crate::event::BranchIndex;
use crate::operation::Operation;
use crate::planted::{self, Planted};
use crate::step::{Call, Effect};
use crate::table::Table;
use crate::time::UnixMillis;

/// Which way the graph is walked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Direction {
    Forward,
    Backward,
}

/// Where a branch stands on the agenda.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// Others must be done first.
    Blocked,
    /// It may be called.
    Ready,
    /// It may be called from then on.
    Waiting(UnixMillis),
    /// A call is in flight.
    Calling,
    /// It was refused or used up its attempts: it blocks what comes after it.
    Halted,
    /// Nothing is left to do.
    Settled,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Agenda {
    direction: Direction,
    dag: Dag,
    places: Vec<Place>,
    /// How many others must be done before each.
    blockers: Vec<usize>,
    ready: BTreeSet<BranchIndex>,
    waiting: BTreeSet<(UnixMillis, BranchIndex)>,
    open: usize,
}

impl Agenda {
    /// Begins with every one of so many branches to be done, in the order of the graph.
    pub(crate) fn forward(dag: Dag, branches: usize) -> Self {
        Self::begin(Direction::Forward, dag, branches)
    }

    /// Begins the way back: the `needed` ones of so many branches, against the order of the graph.
    pub(crate) fn backward(dag: Dag, branches: usize, needed: &[BranchIndex]) -> Self {
        let direction = if planted::is(Planted::CompensationOrderReversed) {
            Direction::Forward
        } else {
            Direction::Backward
        };
        let mut agenda = Self::begin(direction, dag, branches);
        let needed: BTreeSet<_> = needed.iter().copied().collect();
        for branch in (0..agenda.places.len())
            .map(index)
            .filter(|branch| !needed.contains(branch))
        {
            agenda.settle(branch);
        }
        agenda
    }

    fn begin(direction: Direction, dag: Dag, branches: usize) -> Self {
        let first = |branch| match direction {
            Direction::Forward => dag.before(branch),
            Direction::Backward => dag.behind(branch),
        };
        let blockers: Vec<usize> = (0..branches).map(|at| first(index(at)).len()).collect();
        let places: Vec<Place> = blockers
            .iter()
            .map(|count| {
                if *count == 0 {
                    Place::Ready
                } else {
                    Place::Blocked
                }
            })
            .collect();
        let ready = (0..places.len())
            .map(index)
            .filter(|b| places[b.at()] == Place::Ready)
            .collect();
        Self {
            direction,
            open: places.len(),
            dag,
            places,
            blockers,
            ready,
            waiting: BTreeSet::new(),
        }
    }

    /// Hands over the graph, when the direction changes.
    pub(crate) fn into_dag(self) -> Dag {
        self.dag
    }

    /// Answers how many branches are not settled.
    pub(crate) const fn open(&self) -> usize {
        self.open
    }

    pub(crate) fn place(&self, branch: BranchIndex) -> Place {
        self.places[branch.at()]
    }

    /// Answers who may be called at `now`, those that waited first.
    fn callable(&self, now: UnixMillis) -> impl Iterator<Item = BranchIndex> {
        let due = self
            .waiting
            .iter()
            .take_while(move |(until, _)| *until <= now)
            .map(|(_, branch)| *branch);
        due.chain(self.ready.iter().copied())
    }

    /// Answers when somebody may be called: `now` if somebody is ready.
    pub(crate) fn next_at(&self, now: UnixMillis) -> Option<UnixMillis> {
        if self.ready.is_empty() {
            self.waiting.first().map(|(until, _)| *until)
        } else {
            Some(now)
        }
    }

    /// Answers the branches that are not settled.
    pub(crate) fn unsettled(&self) -> impl Iterator<Item = BranchIndex> {
        (0..self.places.len())
            .map(index)
            .filter(|branch| self.place(*branch) != Place::Settled)
    }

    /// Answers whether an order to try again, of one branch or of all, finds one that waits for another attempt or was
    /// halted.
    pub(crate) fn takes_retry(&self, only: Option<BranchIndex>) -> bool {
        self.retried(only).any(|branch| match self.place(branch) {
            Place::Waiting(_) | Place::Halted => true,
            Place::Blocked | Place::Ready | Place::Calling | Place::Settled => false,
        })
    }

    /// Answers the branches that an order to try again is about.
    pub(crate) fn retried(&self, only: Option<BranchIndex>) -> impl Iterator<Item = BranchIndex> {
        self.unsettled()
            .filter(move |branch| only.is_none_or(|only| only == *branch))
    }

    /// Answers the calls that may be made now, at most so many.
    pub(crate) fn calls(
        &self,
        table: &Table,
        operation: Operation,
        free: u32,
        now: UnixMillis,
    ) -> Vec<Effect> {
        self.callable(now)
            .take(free as usize)
            .filter_map(|branch| {
                Some(Effect::Call(Call {
                    branch,
                    operation,
                    number: table.get(branch)?.progress(operation).next_number(),
                }))
            })
            .collect()
    }

    pub(crate) fn call(&mut self, branch: BranchIndex) {
        self.put(branch, Place::Calling);
    }

    /// Notes a call in flight. It changes nothing of what was settled or refused from outside meanwhile.
    pub(crate) fn fly(&mut self, branch: BranchIndex) {
        match self.place(branch) {
            Place::Blocked | Place::Ready | Place::Waiting(_) | Place::Calling => self.call(branch),
            Place::Halted | Place::Settled => {}
        }
    }

    pub(crate) fn make_ready(&mut self, branch: BranchIndex) {
        self.put(branch, Place::Ready);
    }

    pub(crate) fn wait(&mut self, branch: BranchIndex, until: UnixMillis) {
        self.put(branch, Place::Waiting(until));
    }

    /// Has a branch wait for a time, or for what comes before it if that is not settled.
    pub(crate) fn wait_in_turn(&mut self, branch: BranchIndex, until: UnixMillis) {
        if self.blockers[branch.at()] == 0 {
            self.wait(branch, until);
        } else {
            self.put(branch, Place::Blocked);
        }
    }

    pub(crate) fn halt(&mut self, branch: BranchIndex) {
        self.put(branch, Place::Halted);
    }

    /// Settles a branch. What waits for it goes on once nothing before it is left either, so that the order holds
    /// across branches that had nothing to do.
    pub(crate) fn settle(&mut self, branch: BranchIndex) {
        if self.place(branch) == Place::Settled {
            return;
        }
        self.put(branch, Place::Settled);
        self.open -= 1;
        if self.blockers[branch.at()] == 0 {
            self.unblock_behind(branch);
        }
    }

    fn unblock_behind(&mut self, done: BranchIndex) {
        if self.dag.is_independent() {
            return;
        }
        let mut done = vec![done];
        while let Some(branch) = done.pop() {
            for later in self.behind(branch) {
                self.blockers[later.at()] -= 1;
                match (self.blockers[later.at()], self.place(later)) {
                    (0, Place::Blocked) => self.put(later, Place::Ready),
                    (0, Place::Settled) => done.push(later),
                    (0, Place::Ready | Place::Waiting(_) | Place::Calling | Place::Halted)
                    | (1.., _) => {}
                }
            }
        }
    }

    fn behind(&self, branch: BranchIndex) -> Vec<BranchIndex> {
        match self.direction {
            Direction::Forward => self.dag.behind(branch).to_vec(),
            Direction::Backward => self.dag.before(branch).to_vec(),
        }
    }

    fn put(&mut self, branch: BranchIndex, place: Place) {
        match self.place(branch) {
            Place::Ready => {
                self.ready.remove(&branch);
            }
            Place::Waiting(until) => {
                self.waiting.remove(&(until, branch));
            }
            Place::Blocked | Place::Calling | Place::Halted | Place::Settled => {}
        }
        match place {
            Place::Ready => {
                self.ready.insert(branch);
            }
            Place::Waiting(until) => {
                self.waiting.insert((until, branch));
            }
            Place::Blocked | Place::Calling | Place::Halted | Place::Settled => {}
        }
        self.places[branch.at()] = place;
    }
}
