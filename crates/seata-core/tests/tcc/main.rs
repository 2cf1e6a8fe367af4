//! The rules of TCC as scripts over virtual time: this state and this input give exactly these orders.
#![allow(clippy::unwrap_used, reason = "tests")]

mod completion;
mod deciding;
#[path = "../saga/driven.rs"]
mod driven;
mod history;
mod interleavings;
mod operator;
mod orders;
mod script;
mod spec;
mod states;
mod table;
mod takeover;
mod tries;
mod view;
