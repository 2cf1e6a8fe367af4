//! The cases: one base, and each dimension varied alone.

use clap::builder::PossibleValuesParser;
use serde::{Deserialize, Serialize};

use crate::wire::Wire;

/// What is measured in one run.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Case {
    pub(crate) name: String,
    pub(crate) connections: usize,
    pub(crate) shape: Shape,
}

/// What each transaction of a run is like.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Shape {
    pub(crate) mode: Mode,
    pub(crate) branches: u32,
    pub(crate) order: Order,
    pub(crate) begun: Begun,
    pub(crate) answer: Answer,
    pub(crate) wire: Wire,
    pub(crate) refused: Refused,
    /// How long a participant takes.
    pub(crate) delay_ms: u32,
    /// Of each branch.
    pub(crate) payload_bytes: usize,
    pub(crate) gids: Gids,
    /// The interval at which a participant that is busy is asked again.
    pub(crate) asked_every_secs: Option<u32>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Mode {
    Saga,
    /// The coordinator calls the tries.
    Tcc,
}

/// In which order a saga's branches are called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Order {
    /// None waits for another.
    Any,
    /// Each waits for the one before it.
    Listed,
}

/// How a saga comes to the coordinator.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Begun {
    AtOnce,
    /// It is begun, each branch is added, it is submitted.
    StepByStep,
}

/// When the coordinator is to answer a submission.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Answer {
    /// As soon as the transaction is accepted.
    Accepted,
    /// When it has ended: as the null coordinator does.
    Ended,
}

/// How many transactions a participant refuses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Refused {
    None,
    /// The last branch of each tenth.
    OneInTen,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Gids {
    /// All of them is chance.
    Random,
    /// They begin with the time, as those do that the server chooses.
    TimeOrdered,
}

/// The saga of the base case.
pub(crate) const BASE: Shape = Shape {
    mode: Mode::Saga,
    branches: 2,
    order: Order::Any,
    begun: Begun::AtOnce,
    answer: Answer::Accepted,
    wire: Wire::Http,
    refused: Refused::None,
    delay_ms: 0,
    payload_bytes: 100,
    gids: Gids::Random,
    asked_every_secs: None,
};

/// The connections of the base case.
pub(crate) const CONNECTIONS: usize = 64;

/// Which stores a case is measured on unless it is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum On {
    All,
    /// What it varies lies before the store.
    Embedded,
}

type Entry = (&'static str, On, usize, Shape);

#[rustfmt::skip]
const TABLE: [Entry; 16] = [
    ("base",         On::All,      CONNECTIONS, BASE),
    ("ended",        On::Embedded, CONNECTIONS, Shape { answer: Answer::Ended, ..BASE }),
    ("tcc",          On::All,      CONNECTIONS, Shape { mode: Mode::Tcc, ..BASE }),
    ("1-conn",       On::All,      1,           BASE),
    ("1-conn-ended", On::Embedded, 1,           Shape { answer: Answer::Ended, ..BASE }),
    ("32-conn",      On::Embedded, 32,          BASE),
    ("128-conn",     On::Embedded, 128,         BASE),
    ("512-conn",     On::All,      512,         BASE),
    ("10-branches",  On::All,      CONNECTIONS, Shape { branches: 10, ..BASE }),
    ("steps",        On::All,      CONNECTIONS, Shape { begun: Begun::StepByStep, ..BASE }),
    ("grpc",         On::Embedded, CONNECTIONS, Shape { wire: Wire::Grpc, ..BASE }),
    ("refusals",     On::Embedded, CONNECTIONS, Shape { refused: Refused::OneInTen, ..BASE }),
    ("10-ms",        On::Embedded, CONNECTIONS, Shape { delay_ms: 10, answer: Answer::Ended, ..BASE }),
    ("1000-ms",      On::Embedded, CONNECTIONS, Shape { delay_ms: 1_000, answer: Answer::Ended, ..BASE }),
    ("10-kb",        On::Embedded, CONNECTIONS, Shape { payload_bytes: 10_000, ..BASE }),
    ("time-ordered", On::Embedded, CONNECTIONS, Shape { gids: Gids::TimeOrdered, ..BASE }),
];

/// Reads the name of a case on the command line.
pub(crate) fn names() -> PossibleValuesParser {
    PossibleValuesParser::new(TABLE.map(|(name, ..)| name))
}

/// Where cases are measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    Embedded,
    /// Any other store.
    Elsewhere,
}

/// Answers the cases of these names; without names those that are measured there unasked. Numbers of connections take the place of their own.
pub(crate) fn chosen(names: &[String], connections: &[usize], place: Place) -> Vec<Case> {
    let is_chosen = |(name, on, ..): &&Entry| match names {
        [] => *on == On::All || place == Place::Embedded,
        names => names.iter().any(|chosen| chosen == name),
    };
    let cases = TABLE.iter().filter(is_chosen);
    cases
        .flat_map(|entry| with_connections(entry, connections))
        .collect()
}

fn with_connections((name, _, own, shape): &Entry, connections: &[usize]) -> Vec<Case> {
    let case = |name: String, connections| Case {
        name,
        connections,
        shape: *shape,
    };
    match connections {
        [] => vec![case((*name).to_owned(), *own)],
        others => others
            .iter()
            .map(|count| case(format!("{name}, {count} connections"), *count))
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen_names(names: &[&str], connections: &[usize], place: Place) -> Vec<String> {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let cases = chosen(&names, connections, place);
        cases.into_iter().map(|case| case.name).collect()
    }

    #[test]
    fn without_names_a_store_has_at_most_forty_runs_of_each_coordinator() {
        const ROUNDS: usize = 3;
        assert_eq!(chosen_names(&[], &[], Place::Embedded).len(), TABLE.len());
        let elsewhere = chosen_names(&[], &[], Place::Elsewhere);
        assert!(elsewhere.len() * 2 * ROUNDS <= 40, "{elsewhere:?}");
    }

    #[test]
    fn a_case_that_is_named_is_measured_everywhere() {
        assert_eq!(
            chosen_names(&["10-kb", "base"], &[], Place::Elsewhere),
            ["base", "10-kb"]
        );
    }

    #[test]
    fn numbers_of_connections_take_the_place_of_the_cases_own() {
        let names = chosen_names(&["base"], &[1, 8], Place::Embedded);
        assert_eq!(names, ["base, 1 connections", "base, 8 connections"]);
        let cases = chosen(&["base".to_owned()], &[8], Place::Embedded);
        assert_eq!(cases[0].connections, 8);
    }

    #[test]
    fn each_case_varies_one_thing_alone() {
        for (name, _, connections, shape) in TABLE {
            let varied = [
                shape.mode != BASE.mode,
                shape.branches != BASE.branches,
                shape.order != BASE.order,
                shape.begun != BASE.begun,
                shape.wire != BASE.wire,
                shape.refused != BASE.refused,
                shape.delay_ms != BASE.delay_ms,
                shape.payload_bytes != BASE.payload_bytes,
                shape.gids != BASE.gids,
                connections != CONNECTIONS,
            ];
            let varied = varied.into_iter().filter(|varied| *varied).count();
            assert!(varied <= 1, "{name}");
        }
    }
}
