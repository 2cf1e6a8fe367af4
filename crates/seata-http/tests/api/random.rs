//! Whatever is sent: an answer in the one shape, and no panic.

use proptest::prelude::*;
use seata_http::{Defaults, parse_any};
use serde_json::Value;

use crate::world::LIMITS;

fn check(body: &[u8]) {
    for refusal in parse_any(body, LIMITS, &Defaults::default()) {
        let refusal: Value = serde_json::from_str(&refusal).unwrap();
        assert!(
            refusal["error"]
                .as_str()
                .is_some_and(|text| !text.is_empty())
        );
        assert!(refusal["code"].is_string() && refusal["details"].is_object());
        assert_ne!(refusal["code"], "INTERNAL");
    }
}

fn field() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("gid"),
        Just("mode"),
        Just("payload"),
        Just("payload_base64"),
        Just("content_type"),
        Just("options"),
        Just("branches"),
        Just("wait"),
        Just("branch_id"),
        Just("action"),
        Just("compensation"),
        Just("compensate"),
        Just("after"),
        Just("headers"),
        Just("request_timeout_secs"),
        Just("max_attempts"),
        Just("order"),
        Just("reason"),
        Just("to"),
        Just("operation"),
    ]
    .prop_map(str::to_owned)
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
        prop_oneof![
            Just("saga"),
            Just("http://a/b"),
            Just("b1"),
            Just("MQ=="),
            Just("text/plain"),
            Just("sequential")
        ]
        .prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 64, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((field(), inner.clone()), 0..8)
                .prop_map(|pairs| Value::Object(pairs.into_iter().collect())),
            prop::collection::vec((any::<String>(), inner), 0..3)
                .prop_map(|pairs| Value::Object(pairs.into_iter().collect())),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_are_answered(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        check(&bytes);
    }

    #[test]
    fn any_json_is_answered(value in value()) {
        check(value.to_string().as_bytes());
    }

    #[test]
    fn a_good_body_with_one_byte_changed_is_answered(at in 0..200_usize, byte in any::<u8>()) {
        let mut body = br#"{"gid":"g","payload":{"a":[1,"\u0041",null]},"options":{"headers":{"x":"y"},"request_timeout_secs":0.5},"branches":[{"branch_id":"b","action":"http://a:1/b?c","after":[],"payload":-1.5e3}],"wait":true}"#.to_vec();
        let at = at % body.len();
        body[at] = byte;
        check(&body);
    }
}
