//! Writes a JSON text so that equal contents give equal bytes: keys sorted, white space gone, strings unescaped,
//! numbers by their exact value. Only for digests; what participants are sent stays as it came.
//!
//! The texts were parsed by serde_json before: this scanner relies on their being valid JSON, and on nothing else.

use std::io::Write;
use std::ops::Range;

use memchr::memchr2;

/// How deep a payload may nest.
pub(crate) const DEPTH_MAX: usize = 128;

/// The payload nests deeper than [`DEPTH_MAX`].
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct TooDeep;

/// Appends the canonical form of a valid JSON text.
pub(crate) fn write(json: &str, out: &mut Vec<u8>) -> Result<(), TooDeep> {
    let mut scanner = Scanner { json, at: 0, out };
    scanner.value(0)
}

struct Scanner<'a> {
    json: &'a str,
    at: usize,
    out: &'a mut Vec<u8>,
}

impl<'a> Scanner<'a> {
    fn value(&mut self, depth: usize) -> Result<(), TooDeep> {
        if depth > DEPTH_MAX {
            return Err(TooDeep);
        }
        match self.peek() {
            b'{' => self.object(depth),
            b'[' => self.array(depth),
            b'"' => {
                let text = self.string();
                put_string(self.out, text);
                Ok(())
            }
            b'-' | b'0'..=b'9' => {
                let number = self.word();
                put_number(self.out, number);
                Ok(())
            }
            _ => {
                let word = self.word();
                self.out.push(b'w');
                put(self.out, word.as_bytes());
                Ok(())
            }
        }
    }

    fn array(&mut self, depth: usize) -> Result<(), TooDeep> {
        self.out.push(b'[');
        self.at += 1;
        while self.more(b']') {
            self.value(depth + 1)?;
        }
        self.out.push(b']');
        Ok(())
    }

    fn object(&mut self, depth: usize) -> Result<(), TooDeep> {
        self.out.push(b'{');
        self.at += 1;
        let start = self.out.len();
        let mut members: Vec<Range<usize>> = Vec::new();
        while self.more(b'}') {
            let from = self.out.len();
            let key = self.string();
            put_string(self.out, key);
            self.skip(b':');
            self.value(depth + 1)?;
            members.push(from..self.out.len());
        }
        self.sort(start, members);
        self.out.push(b'}');
        Ok(())
    }

    /// Brings members in the order of their bytes. Each begins with its key; of equal keys both stay.
    fn sort(&mut self, start: usize, mut members: Vec<Range<usize>>) {
        let bytes = &self.out[..];
        if members.is_sorted_by_key(|member| &bytes[member.clone()]) {
            return;
        }
        members.sort_by_key(|member| &bytes[member.clone()]);
        let sorted: Vec<u8> = members
            .into_iter()
            .flat_map(|member| bytes[member].iter().copied())
            .collect();
        self.out.truncate(start);
        self.out.extend_from_slice(&sorted);
    }

    /// Steps over white space and a comma; answers whether a value follows, and else steps over the end.
    fn more(&mut self, end: u8) -> bool {
        self.skip(b',');
        if self.at >= self.json.len() || self.peek() == end {
            self.at += 1;
            return false;
        }
        true
    }

    fn skip(&mut self, mark: u8) {
        while let Some(b' ' | b'\t' | b'\n' | b'\r') = self.byte() {
            self.at += 1;
        }
        if self.byte() == Some(mark) {
            self.at += 1;
        }
    }

    fn peek(&mut self) -> u8 {
        while let Some(b' ' | b'\t' | b'\n' | b'\r') = self.byte() {
            self.at += 1;
        }
        self.byte().unwrap_or(0)
    }

    fn byte(&self) -> Option<u8> {
        self.rest().first().copied()
    }

    fn rest(&self) -> &'a [u8] {
        self.json.as_bytes().get(self.at..).unwrap_or_default()
    }

    /// Steps over a string; answers it with its quotes.
    fn string(&mut self) -> &'a str {
        self.peek();
        let start = self.at;
        self.at += 1;
        while let Some(ahead) = memchr2(b'"', b'\\', self.rest()) {
            self.at += ahead + 1;
            if self.json.as_bytes()[self.at - 1] == b'"' {
                break;
            }
            self.at += 1;
        }
        self.slice(start)
    }

    fn word(&mut self) -> &'a str {
        let start = self.at;
        while !matches!(
            self.byte(),
            None | Some(b',' | b']' | b'}' | b' ' | b'\t' | b'\n' | b'\r')
        ) {
            self.at += 1;
        }
        self.slice(start)
    }

    fn slice(&self, start: usize) -> &'a str {
        let end = self.at.min(self.json.len());
        self.json.get(start..end).unwrap_or("")
    }
}

fn put(out: &mut Vec<u8>, bytes: &[u8]) {
    out.extend_from_slice(&(bytes.len() as u64).to_le_bytes());
    out.extend_from_slice(bytes);
}

/// Writes a number as its digits and a power of ten: 1, 1.0 and 10e-1 are one number, and no two others become one.
fn put_number(out: &mut Vec<u8>, text: &str) {
    let Some((digits, exponent)) = decimal(text) else {
        out.push(b'w');
        return put(out, text.as_bytes());
    };
    out.push(b'n');
    let from = out.len();
    out.extend(digits);
    if text.starts_with('-') && out.len() > from {
        out.push(b'-');
    }
    // Writing to memory does not fail.
    let _ = write!(out, "e{exponent};");
}

/// Reads a number of JSON as digits without zeros at either end, times a power of ten; zero has no digits. None: its
/// exponent is beyond all counting.
fn decimal(text: &str) -> Option<(impl Iterator<Item = u8> + '_, i64)> {
    let text = text.strip_prefix('-').unwrap_or(text);
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i64>().ok()?),
        None => (text, 0),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let all = || whole.bytes().chain(fraction.bytes());
    let leading = all().take_while(|digit| *digit == b'0').count();
    let trailing = all().rev().take_while(|digit| *digit == b'0').count();
    let significant = (whole.len() + fraction.len()).saturating_sub(leading + trailing);
    let shift = i64::try_from(trailing).ok()? - i64::try_from(fraction.len()).ok()?;
    let exponent = match significant {
        0 => 0,
        1.. => exponent.checked_add(shift)?,
    };
    Some((all().skip(leading).take(significant), exponent))
}

fn put_string(out: &mut Vec<u8>, quoted: &str) {
    let inner = quoted
        .strip_prefix('"')
        .and_then(|text| text.strip_suffix('"'))
        .unwrap_or(quoted);
    if !inner.contains('\\') {
        out.push(b's');
        return put(out, inner.as_bytes());
    }
    match serde_json::from_str::<String>(quoted) {
        Ok(text) => {
            out.push(b's');
            put(out, text.as_bytes());
        }
        // Half of a surrogate pair is valid JSON and no text: it stands for itself.
        Err(_) => {
            out.push(b'r');
            put(out, inner.as_bytes());
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use proptest::prelude::*;

    use super::*;

    fn canonical(json: &str) -> Vec<u8> {
        let json: &serde_json::value::RawValue = serde_json::from_str(json).unwrap();
        let mut out = Vec::new();
        write(json.get(), &mut out).unwrap();
        out
    }

    #[test]
    fn order_of_keys_white_space_and_escapes_make_no_difference() {
        for (one, other) in [
            (
                r#"{"a":1,"b":[true,null]}"#,
                "{ \"b\" : [ true , null ],\n\"a\":1 }",
            ),
            (
                r#"{"a":{"x":1,"y":2},"b":{}}"#,
                r#"{"b":{},"a":{"y":2,"x":1}}"#,
            ),
            (r#""A\n""#, "\"\\u0041\\u000a\""),
            (r#"{"\u0061":1}"#, r#"{"a":1}"#),
            ("[ ]", "[]"),
            ("[1,1.0,10e-1,-0]", "[1E0,0.1e+1,1.000,0.0]"),
            ("-120", "-1.20e2"),
            ("1e99999999999999999999", "1e99999999999999999999"),
        ] {
            assert_eq!(canonical(one), canonical(other), "{one} {other}");
        }
    }

    #[test]
    fn different_contents_give_different_bytes() {
        let texts = [
            "1",
            "-1",
            "10",
            "0.1",
            "0",
            "1.0000000000000000000001",
            "18446744073709551616",
            "18446744073709551617",
            "1e99999999999999999999",
            "\"1\"",
            "[1]",
            "[[1]]",
            "[]",
            "{}",
            "[1,2]",
            "[2,1]",
            "[12]",
            "null",
            "\"null\"",
            r#"{"a":1}"#,
            r#"{"a":"1"}"#,
            r#"{"a":[1]}"#,
            r#"{"a":1,"b":2}"#,
            r#"{"a":2,"b":1}"#,
            r#"{"a":1,"a":1}"#,
            r#"{"a":{"b":1}}"#,
            r#"{"a":{},"b":1}"#,
            r#""\ud800""#,
            r#""\\ud800""#,
            r#""\"""#,
            r#""\\""#,
            "\"\"",
        ];
        let all: std::collections::BTreeSet<_> = texts.iter().map(|text| canonical(text)).collect();
        assert_eq!(all.len(), texts.len());
    }

    #[test]
    fn what_nests_too_deep_is_refused_and_nothing_overflows() {
        let deep = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        assert_eq!(write(&deep(DEPTH_MAX), &mut Vec::new()), Ok(()));
        assert_eq!(write(&deep(100_000), &mut Vec::new()), Err(TooDeep));
    }

    fn value() -> impl Strategy<Value = serde_json::Value> {
        let leaf = prop_oneof![
            Just(serde_json::Value::Null),
            any::<bool>().prop_map(serde_json::Value::from),
            (-3..3_i64).prop_map(serde_json::Value::from),
            any::<u64>().prop_map(serde_json::Value::from),
            "[ab\\\\\"\n\u{e9}]{0,3}".prop_map(serde_json::Value::from),
        ];
        leaf.prop_recursive(4, 24, 4, |inner| {
            let object = prop::collection::btree_map("[ab\"]{0,2}", inner.clone(), 0..4);
            prop_oneof![
                prop::collection::vec(inner, 0..4).prop_map(serde_json::Value::from),
                object.prop_map(|map| serde_json::Value::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn two_values_give_the_same_bytes_only_if_they_are_equal(one in value(), other in value()) {
            let bytes = canonical(&one.to_string());
            let pretty = serde_json::to_string_pretty(&one).unwrap();
            prop_assert_eq!(&canonical(&pretty), &bytes);
            prop_assert_eq!(canonical(&other.to_string()) == bytes, one == other);
        }
    }
}
