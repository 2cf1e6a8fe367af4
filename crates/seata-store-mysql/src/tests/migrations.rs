//! Migrations are added, never changed.

use std::fmt::Write as _;

use seata_store::Migrated;
use sha2::{Digest, Sha256};

use crate::migrate::{FILES, tell};

/// One line per file. A released line stays as it is for ever: databases were made by that text.
const HASHES: [(i64, &str); 1] = [(
    1,
    "bffa24994192696152af3f09ba4d5bfcb27d4f8aa81ca47c9125840c665d46e8",
)];

#[test]
fn no_released_migration_changes() {
    let hashes = FILES.map(|(version, _, text)| (version, hexadecimal(&Sha256::digest(text))));
    let expected = HASHES.map(|(version, hash)| (version, hash.to_owned()));
    assert_eq!(hashes, expected);
}

#[test]
fn migrations_are_numbered_from_one_and_may_run_again() {
    for ((version, _, text), number) in FILES.into_iter().zip(1..) {
        assert_eq!(version, number);
        let creates = text.matches("CREATE TABLE").count();
        assert_eq!(text.matches("CREATE TABLE IF NOT EXISTS").count(), creates);
    }
}

#[test]
fn every_file_is_part_of_the_binary() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../migrations/mysql");
    let mut names: Vec<String> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort_unstable();
    let expected = FILES.map(|(version, name, _)| format!("{version:04}_{name}.sql"));
    assert_eq!(names, expected);
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Keeps what is logged at INFO.
#[derive(Default)]
struct Heard(std::sync::Arc<std::sync::Mutex<Vec<String>>>);

impl tracing::Subscriber for Heard {
    fn enabled(&self, about: &tracing::Metadata<'_>) -> bool {
        *about.level() == tracing::Level::INFO
    }

    fn new_span(&self, _: &tracing::span::Attributes<'_>) -> tracing::span::Id {
        tracing::span::Id::from_u64(1)
    }

    fn record(&self, _: &tracing::span::Id, _: &tracing::span::Record<'_>) {}

    fn record_follows_from(&self, _: &tracing::span::Id, _: &tracing::span::Id) {}

    fn event(&self, event: &tracing::Event<'_>) {
        let mut text = String::new();
        event.record(
            &mut |field: &tracing::field::Field, value: &dyn std::fmt::Debug| {
                write!(text, "{field}={value:?} ").unwrap();
            },
        );
        self.0.lock().unwrap().push(text);
    }

    fn enter(&self, _: &tracing::span::Id) {}

    fn exit(&self, _: &tracing::span::Id) {}
}

#[test]
fn a_start_logs_what_it_applied_and_nothing_where_nothing_was() {
    let told = |applied: Vec<i64>| {
        let heard = Heard::default();
        let lines = std::sync::Arc::clone(&heard.0);
        let done = Migrated {
            applied,
            version: 2,
        };
        tracing::subscriber::with_default(heard, || tell(&done));
        lines.lock().unwrap().join("\n")
    };
    let line = told(vec![1, 2]);
    assert!(line.contains("brought the tables up to date"), "{line}");
    assert!(line.contains("applied=[1, 2] version=2"), "{line}");
    assert_eq!(told(Vec::new()), "");
}
