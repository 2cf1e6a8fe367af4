//! A text as the endpoint of a branch: what is accepted can be called.
#![no_main]

#[path = "../../crates/seata-core/tests/endpoint/entry.rs"]
mod entry;

libfuzzer_sys::fuzz_target!(|text: &str| {
    entry::parse(text);
});
