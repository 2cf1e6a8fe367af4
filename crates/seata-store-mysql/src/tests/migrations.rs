//! Migrations are added, never changed.

use sha2::{Digest, Sha256};

use crate::migrate::FILES;

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
