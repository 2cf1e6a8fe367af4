//! What is forwarded and what is lost, and the connections that there are.

use std::collections::BTreeMap;
use std::net::{Shutdown, TcpStream};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Which way bytes go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// From the client to the server.
    Requests,
    /// From the server to the client.
    Replies,
    /// Both.
    Both,
}

impl Direction {
    const fn covers(self, other: Self) -> bool {
        matches!(
            (self, other),
            (Self::Both, _) | (Self::Requests, Self::Requests) | (Self::Replies, Self::Replies)
        )
    }
}

/// What becomes of new connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Door {
    Open,
    Shut,
    /// The proxy is being dropped.
    Gone,
}

/// The request whose reply is lost.
pub(super) enum Which {
    /// This one of those to come.
    Nth(usize),
    /// The first with these bytes.
    Holding(Vec<u8>),
}

/// What becomes of some bytes.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Forward,
    Swallow,
    Cut,
}

pub(super) type Id = u64;

pub(super) struct Shared {
    /// Where the server is.
    pub(super) place: String,
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    wanted: Door,
    door: Door,
    swallowed: Option<Direction>,
    pieces_swallowed: usize,
    slowed: Option<(Direction, Duration)>,
    awaited: Option<Which>,
    /// The connection whose next reply is lost.
    doomed: Option<Id>,
    replies_lost: usize,
    next: Id,
    connections: BTreeMap<Id, [TcpStream; 2]>,
}

impl Shared {
    pub(super) fn new(place: String) -> Self {
        Self {
            place,
            state: Mutex::new(State {
                wanted: Door::Shut,
                door: Door::Shut,
                swallowed: None,
                pieces_swallowed: 0,
                slowed: None,
                awaited: None,
                doomed: None,
                replies_lost: 0,
                next: 0,
                connections: BTreeMap::new(),
            }),
            changed: Condvar::new(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn want(&self, door: Door) {
        self.state().wanted = door;
        self.changed.notify_all();
    }

    pub(super) fn tell(&self, door: Door) {
        self.state().door = door;
        self.changed.notify_all();
    }

    pub(super) fn wants_open(&self) -> bool {
        self.state().wanted == Door::Open
    }

    /// Waits until the door is as it is wanted.
    pub(super) fn await_door(&self, door: Door) {
        let is_not = |state: &mut State| state.door != door;
        drop(self.changed.wait_while(self.state(), is_not));
    }

    /// Waits until the door shall be open. False: it never will be.
    pub(super) fn await_open(&self) -> bool {
        let is_shut = |state: &mut State| state.wanted == Door::Shut;
        let state = self.changed.wait_while(self.state(), is_shut);
        state.is_ok_and(|state| state.wanted == Door::Open)
    }

    pub(super) fn swallow(&self, direction: Direction) {
        self.state().swallowed = Some(direction);
    }

    pub(super) fn slow_down(&self, direction: Direction, by: Duration) {
        self.state().slowed = Some((direction, by));
    }

    /// Answers how much later bytes in this direction are forwarded.
    pub(super) fn delay(&self, direction: Direction) -> Duration {
        let slowed = self.state().slowed;
        let covering = slowed.filter(|(all, _)| all.covers(direction));
        covering.map_or(Duration::ZERO, |(_, by)| by)
    }

    pub(super) fn lose_reply(&self, which: Which) {
        self.state().awaited = Some(which);
    }

    pub(super) fn forward(&self) {
        let mut state = self.state();
        state.swallowed = None;
        state.slowed = None;
        state.awaited = None;
        state.doomed = None;
    }

    pub(super) fn replies_lost(&self) -> usize {
        self.state().replies_lost
    }

    pub(super) fn pieces_swallowed(&self) -> usize {
        self.state().pieces_swallowed
    }

    pub(super) fn connections(&self) -> usize {
        self.state().connections.len()
    }

    /// Notes a connection with both of its sides.
    pub(super) fn begin(&self, sides: [TcpStream; 2]) -> Id {
        let mut state = self.state();
        let id = state.next;
        state.next += 1;
        state.connections.insert(id, sides);
        id
    }

    /// Closes both sides of a connection.
    pub(super) fn end(&self, id: Id) {
        let mut state = self.state();
        if state.doomed == Some(id) {
            // It ended before its reply came: nobody will hear that.
            state.doomed = None;
            state.replies_lost += 1;
        }
        if let Some(sides) = state.connections.remove(&id) {
            close(&sides);
        }
    }

    pub(super) fn cut(&self) {
        let connections = std::mem::take(&mut self.state().connections);
        connections.values().for_each(close);
    }

    /// Decides about bytes in a connection.
    pub(super) fn judge(&self, id: Id, direction: Direction, bytes: &[u8]) -> Verdict {
        let mut state = self.state();
        if state.swallowed.is_some_and(|all| all.covers(direction)) {
            state.pieces_swallowed += 1;
            return Verdict::Swallow;
        }
        match direction {
            Direction::Requests => state.look_at_request(id, bytes),
            Direction::Replies | Direction::Both if state.doomed == Some(id) => {
                state.doomed = None;
                state.replies_lost += 1;
                return Verdict::Cut;
            }
            Direction::Replies | Direction::Both => {}
        }
        Verdict::Forward
    }
}

impl State {
    fn look_at_request(&mut self, id: Id, bytes: &[u8]) {
        let is_it = match &mut self.awaited {
            Some(Which::Nth(nth)) => {
                *nth -= 1;
                *nth == 0
            }
            Some(Which::Holding(needle)) => bytes
                .windows(needle.len().max(1))
                .any(|window| window == needle.as_slice()),
            None => false,
        };
        if is_it {
            self.awaited = None;
            self.doomed = Some(id);
        }
    }
}

fn close(sides: &[TcpStream; 2]) {
    for side in sides {
        // It may be closed already.
        let _ = side.shutdown(Shutdown::Both);
    }
}
