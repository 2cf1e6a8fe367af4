//! Files that were released never change: their sums are kept beside them.

use std::fmt::Write as _;

use super::*;

#[test]
fn applied_files_are_never_changed() {
    let kept = include_str!("../../../../migrations/postgres/SHA256SUMS");
    let files = [
        ("0001_global_transaction.sql", FILES[0].2),
        ("0002_storage.sql", FILES[1].2),
    ];
    assert_eq!(files.len(), FILES.len());
    let mut sums = String::new();
    for (name, text) in files {
        writeln!(sums, "{}  {name}", sha256(text)).unwrap();
    }
    assert_eq!(
        sums, kept,
        "a change of the tables is a new file, never a change of an old one"
    );
}

#[test]
fn files_are_numbered_without_a_gap() {
    let numbers: Vec<i64> = FILES.iter().map(|(version, ..)| *version).collect();
    assert_eq!(numbers, (1..=newest()).collect::<Vec<_>>());
}

fn sha256(text: &str) -> String {
    use sha2::{Digest, Sha256};
    let mut hex = String::new();
    for byte in Sha256::digest(text.as_bytes()) {
        write!(hex, "{byte:02x}").unwrap();
    }
    hex
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
