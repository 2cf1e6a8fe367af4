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
