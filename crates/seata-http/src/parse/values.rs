//! The kinds of values that fields hold, each with a name that people know instead of a type's.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use seata_service::BRANCHES_MAX;
use serde::de::{Deserialize, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

/// A text, borrowed if nothing in it was escaped.
#[derive(Debug, Clone)]
pub(crate) struct Text<'a>(pub(crate) Cow<'a, str>);

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(json: D) -> Result<Self, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = Text<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text")
            }
            fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Text<'de>, E> {
                Ok(Text(Cow::Borrowed(text)))
            }
            fn visit_str<E: Error>(self, text: &str) -> Result<Text<'de>, E> {
                Ok(Text(Cow::Owned(text.to_owned())))
            }
        }
        json.deserialize_str(Reader)
    }
}

/// A number of seconds, not yet checked against a range.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Seconds(pub(crate) f64);

impl<'de> Deserialize<'de> for Seconds {
    fn deserialize<D: Deserializer<'de>>(json: D) -> Result<Self, D::Error> {
        struct Reader;
        impl Visitor<'_> for Reader {
            type Value = Seconds;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number of seconds")
            }
            fn visit_f64<E: Error>(self, secs: f64) -> Result<Seconds, E> {
                Ok(Seconds(secs))
            }
            #[allow(
                clippy::cast_precision_loss,
                reason = "a range is checked next; all in it are exact"
            )]
            fn visit_u64<E: Error>(self, secs: u64) -> Result<Seconds, E> {
                Ok(Seconds(secs as f64))
            }
            #[allow(
                clippy::cast_precision_loss,
                reason = "a range is checked next; all in it are exact"
            )]
            fn visit_i64<E: Error>(self, secs: i64) -> Result<Seconds, E> {
                Ok(Seconds(secs as f64))
            }
        }
        json.deserialize_f64(Reader)
    }
}

/// How long a client waits for the end.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Wait {
    /// `false`
    No,
    /// `true`
    Yes,
    /// A number of seconds, not yet checked against its range.
    For(Seconds),
}

impl<'de> Deserialize<'de> for Wait {
    fn deserialize<D: Deserializer<'de>>(json: D) -> Result<Self, D::Error> {
        struct Reader;
        impl Visitor<'_> for Reader {
            type Value = Wait;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("true, false or a number of seconds")
            }
            fn visit_bool<E: Error>(self, yes: bool) -> Result<Wait, E> {
                Ok(if yes { Wait::Yes } else { Wait::No })
            }
            fn visit_f64<E: Error>(self, secs: f64) -> Result<Wait, E> {
                Ok(Wait::For(Seconds(secs)))
            }
            #[allow(
                clippy::cast_precision_loss,
                reason = "a range is checked next; all in it are exact"
            )]
            fn visit_u64<E: Error>(self, secs: u64) -> Result<Wait, E> {
                Ok(Wait::For(Seconds(secs as f64)))
            }
            #[allow(
                clippy::cast_precision_loss,
                reason = "a range is checked next; all in it are exact"
            )]
            fn visit_i64<E: Error>(self, secs: i64) -> Result<Wait, E> {
                Ok(Wait::For(Seconds(secs as f64)))
            }
        }
        json.deserialize_any(Reader)
    }
}

/// A whole number, not yet checked against a range.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Count(pub(crate) u64);

impl<'de> Deserialize<'de> for Count {
    fn deserialize<D: Deserializer<'de>>(json: D) -> Result<Self, D::Error> {
        struct Reader;
        impl Visitor<'_> for Reader {
            type Value = Count;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a whole number, not negative")
            }
            fn visit_u64<E: Error>(self, count: u64) -> Result<Count, E> {
                Ok(Count(count))
            }
        }
        json.deserialize_u64(Reader)
    }
}

/// The most items of a list that are kept. Lists are of branches, or of their names: a longer one is refused, and with
/// one too many it still is.
const ITEMS_MAX: usize = BRANCHES_MAX + 1;

/// A list of values of one kind, cut off at a bound: three bytes of a body may be an item that takes hundreds.
#[derive(Debug, Clone)]
pub(crate) struct List<T>(pub(crate) Vec<T>);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for List<T> {
    fn deserialize<D: Deserializer<'de>>(json: D) -> Result<Self, D::Error> {
        struct Reader<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for Reader<T> {
            type Value = List<T>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list")
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<List<T>, A::Error> {
                let mut items = Vec::new();
                while items.len() < ITEMS_MAX {
                    let Some(item) = seq.next_element()? else {
                        return Ok(List(items));
                    };
                    items.push(item);
                }
                while seq.next_element::<IgnoredAny>()?.is_some() {}
                Ok(List(items))
            }
        }
        json.deserialize_seq(Reader(PhantomData))
    }
}

/// Names and values, in the order as written.
#[derive(Debug, Clone)]
pub(crate) struct Pairs<'a>(pub(crate) Vec<(Text<'a>, Text<'a>)>);

impl<'de: 'a, 'a> Deserialize<'de> for Pairs<'a> {
    fn deserialize<D: Deserializer<'de>>(json: D) -> Result<Self, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = Pairs<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of names and texts")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Pairs<'de>, A::Error> {
                let mut pairs = Vec::new();
                while let Some(name) = map.next_key()? {
                    pairs.push((name, map.next_value()?));
                }
                Ok(Pairs(pairs))
            }
        }
        json.deserialize_map(Reader)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_list_that_is_too_long_one_too_many_is_kept() {
        for (count, kept) in [
            (0, 0),
            (BRANCHES_MAX, BRANCHES_MAX),
            (BRANCHES_MAX + 1, BRANCHES_MAX + 1),
            (BRANCHES_MAX * 3, BRANCHES_MAX + 1),
        ] {
            let text = format!("[{}]", vec!["1"; count].join(","));
            let list = serde_json::from_str::<List<Count>>(&text);
            assert_eq!(list.ok().map(|list| list.0.len()), Some(kept));
        }
    }
}
