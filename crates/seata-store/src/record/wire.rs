//! Writes protobuf fields from borrowed values, without a message in between. It knows no message.

use prost::encoding::{WireType, encode_key, encode_varint};

/// A message that is being written.
#[derive(Debug)]
pub(super) struct Writer {
    bytes: Vec<u8>,
}

impl Writer {
    pub(super) const fn with(bytes: Vec<u8>) -> Self {
        Self { bytes }
    }

    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    /// Writes a number that is there, be it zero: an optional field, or one of several.
    pub(super) fn given(&mut self, tag: u32, number: u64) {
        encode_key(tag, WireType::Varint, &mut self.bytes);
        encode_varint(number, &mut self.bytes);
    }

    /// Writes a number; zero is left out.
    pub(super) fn number(&mut self, tag: u32, number: impl Into<u64>) {
        let number = number.into();
        if number != 0 {
            self.given(tag, number);
        }
    }

    /// Writes an optional number.
    pub(super) fn optional(&mut self, tag: u32, number: Option<impl Into<u64>>) {
        if let Some(number) = number {
            self.given(tag, number.into());
        }
    }

    /// Writes bytes that are there, be they none.
    pub(super) fn given_bytes(&mut self, tag: u32, bytes: &[u8]) {
        encode_key(tag, WireType::LengthDelimited, &mut self.bytes);
        encode_varint(bytes.len() as u64, &mut self.bytes);
        self.bytes.extend_from_slice(bytes);
    }

    /// Writes bytes; none are left out.
    pub(super) fn bytes(&mut self, tag: u32, bytes: &[u8]) {
        if !bytes.is_empty() {
            self.given_bytes(tag, bytes);
        }
    }

    /// Writes numbers in one field; none are left out.
    pub(super) fn numbers(&mut self, tag: u32, numbers: impl Iterator<Item = u32>) {
        let mut numbers = numbers.peekable();
        if numbers.peek().is_some() {
            self.message(tag, |packed| {
                numbers.for_each(|number| encode_varint(number.into(), &mut packed.bytes));
            });
        }
    }

    /// Writes a message, be it empty. Its length comes before it, once it is known.
    pub(super) fn message(&mut self, tag: u32, write: impl FnOnce(&mut Self)) {
        encode_key(tag, WireType::LengthDelimited, &mut self.bytes);
        let begin = self.bytes.len();
        write(self);
        let end = self.bytes.len();
        encode_varint((end - begin) as u64, &mut self.bytes);
        self.bytes[begin..].rotate_left(end - begin);
    }
}
