//! Stored bytes as a record: read, written again, folded, compacted, driven on.
#![no_main]

#[path = "../../crates/seata-store/tests/record/entry.rs"]
mod entry;

libfuzzer_sys::fuzz_target!(|data: &[u8]| entry::read(data));
