//! The saga's rules as scripts over virtual time: this state and this input give exactly these orders.
#![allow(clippy::unwrap_used, reason = "tests")]

mod compensation;
mod completion;
mod deadline;
mod driven;
mod durability;
mod ended;
mod forward;
mod history;
mod interleavings;
mod late;
mod looking;
mod operator;
mod prepared;
mod recovery;
mod retrying;
mod rogue;
mod script;
mod spec;
mod states;
mod stuck;
mod table;
mod turning;
