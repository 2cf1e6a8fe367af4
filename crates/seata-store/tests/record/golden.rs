//! The bytes of each schema version are kept: what one server wrote, every later one reads.

use bytes::Bytes;
use seata_store::record::{SCHEMA_VERSION, decode, encode};

use crate::samples;

/// The bytes of [`samples::events`] as each schema version writes them: a line per event, its word and its chunk.
const GOLDEN: &[(u32, &str)] = &[(1, include_str!("golden/v1.txt"))];

fn chunks(golden: &str) -> Vec<(&str, Bytes)> {
    golden
        .lines()
        .map(|line| {
            let (word, hex) = line.split_once(' ').unwrap();
            (word, parse_hex(hex))
        })
        .collect()
}

fn parse_hex(hex: &str) -> Bytes {
    (0..hex.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap())
        .collect()
}

fn write_hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn the_present_version_still_writes_its_golden_bytes() {
    let written: Vec<String> = samples::events()
        .iter()
        .map(|event| {
            let chunk = encode(std::slice::from_ref(event));
            format!("{} {}", event.fact.as_str(), write_hex(&chunk))
        })
        .collect();
    let (version, golden) = GOLDEN.last().unwrap();
    assert_eq!(
        *version, SCHEMA_VERSION,
        "add a golden file for the version"
    );
    let kept: Vec<&str> = golden.lines().collect();
    assert_eq!(
        written, kept,
        "other bytes for the same events need a new schema version"
    );
}

#[test]
fn the_golden_bytes_of_every_version_read_as_the_same_events() {
    for (version, golden) in GOLDEN {
        let chunks = chunks(golden);
        let events = samples::events();
        assert!((1..=events.len()).contains(&chunks.len()), "{version}");
        for ((word, chunk), event) in chunks.iter().zip(&events) {
            assert_eq!(
                decode(std::slice::from_ref(chunk)),
                Ok(vec![event.clone()]),
                "version {version}: {word}"
            );
        }
    }
}

#[test]
fn chunks_may_be_joined() {
    for (version, golden) in GOLDEN {
        let chunks: Vec<Bytes> = chunks(golden).into_iter().map(|(_, chunk)| chunk).collect();
        let joined = Bytes::from(chunks.concat());
        assert_eq!(decode(&[joined]), decode(&chunks), "{version}");
    }
}

#[test]
fn every_version_has_its_golden_bytes() {
    let versions: Vec<u32> = GOLDEN.iter().map(|(version, _)| *version).collect();
    assert_eq!(versions, (1..=SCHEMA_VERSION).collect::<Vec<_>>());
}
