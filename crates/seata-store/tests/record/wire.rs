//! Protobuf by hand, for messages that our own types can't express.

/// Answers a field that holds bytes, a text or a message.
pub(crate) fn field(tag: u8, content: &[u8]) -> Vec<u8> {
    assert!(tag < 16 && content.len() < 128, "one byte each");
    let length = u8::try_from(content.len()).unwrap();
    [&[tag << 3 | 2, length], content].concat()
}

/// Answers a field that holds a small number.
pub(crate) fn number(tag: u8, value: u8) -> Vec<u8> {
    assert!(tag < 16 && value < 128, "one byte each");
    vec![tag << 3, value]
}

/// Answers a message field whose tag needs two bytes.
pub(crate) fn far_field(tag: u8, content: &[u8]) -> Vec<u8> {
    assert!((16..128).contains(&tag) && content.len() < 128);
    let key = u16::from(tag) << 3 | 2;
    let low = u8::try_from(key & 0x7f).unwrap() | 0x80;
    let high = u8::try_from(key >> 7).unwrap();
    let length = u8::try_from(content.len()).unwrap();
    [&[low, high, length], content].concat()
}

/// Answers a chunk of one event with this content behind its number and time.
pub(crate) fn chunk(version: u8, event: &[u8]) -> bytes::Bytes {
    let event = [number(1, 5), number(2, 6), event.to_vec()].concat();
    bytes::Bytes::from([number(1, version), field(2, &event)].concat())
}
