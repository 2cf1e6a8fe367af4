//! The bytes of a request as each body that a route takes: each refusal has the shape of an error and names no fault
//! of ours.
#![no_main]

use seata_http::{Defaults, Limits, parse_any};
use serde_json::Value;

libfuzzer_sys::fuzz_target!(|body: &[u8]| {
    for refusal in parse_any(body, Limits::default(), &Defaults::default()) {
        let refusal: Value = serde_json::from_str(&refusal).expect("a refusal is JSON");
        assert!(
            refusal["error"]
                .as_str()
                .is_some_and(|text| !text.is_empty())
        );
        assert!(refusal["code"].is_string() && refusal["code"] != "INTERNAL");
        assert!(refusal["details"].is_object());
    }
});
