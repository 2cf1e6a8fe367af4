//! The W3C trace context of a call: one trace per transaction, one span per attempt, sampled.

use seata_engine::Call;

/// A `traceparent`.
pub(crate) struct Parent([u8; 55]);

impl Parent {
    pub(crate) fn as_str(&self) -> &str {
        str::from_utf8(&self.0).expect("invariant: it is made of digits and dashes")
    }
}

/// Makes the trace context of a call.
pub(crate) fn parent(call: &Call) -> Parent {
    let high = hash(0x9e37_79b9_7f4a_7c15, call.gid.as_str().bytes());
    let low = hash(high, call.gid.as_str().bytes());
    let branch = call.branch.branch_id.as_str().bytes();
    let operation = call.operation.as_str().bytes();
    let number = call.attempt.number.to_le_bytes().into_iter();
    let token = call.attempt.token.0.to_le_bytes();
    // The slash can't occur in an id: no two attempts give the same bytes.
    let attempt = branch
        .chain([b'/'])
        .chain(operation)
        .chain(number)
        .chain(token);
    let span = hash(low, attempt);
    let mut text = *b"00-................................-................-01";
    hex(high, &mut text[3..19]);
    hex(low, &mut text[19..35]);
    hex(span, &mut text[36..52]);
    Parent(text)
}

fn hex(value: u64, digits: &mut [u8]) {
    for (at, digit) in digits.iter_mut().rev().enumerate() {
        *digit = b"0123456789abcdef"[(value >> (4 * at)) as usize & 0xf];
    }
}

/// FNV-1a from a start of its own, with the finalizer of splitmix64; never zero, which trace contexts forbid.
fn hash(start: u64, bytes: impl Iterator<Item = u8>) -> u64 {
    let fnv = bytes.fold(start ^ 0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    let mixed = (fnv ^ (fnv >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    (mixed ^ (mixed >> 31)).max(1)
}
