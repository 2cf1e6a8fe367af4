//! The saga's rules as scripts over virtual time: this state and this input give exactly these orders.
#![allow(clippy::unwrap_used, reason = "tests")]

mod compensation;
mod deadline;
mod driven;
mod durability;
mod forward;
mod looking;
mod prepared;
mod retrying;
mod script;
mod spec;
mod stuck;
mod turning;
mod history;
mod late;
mod operator;
mod recovery;
