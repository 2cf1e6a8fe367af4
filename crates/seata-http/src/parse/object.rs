//! Makes the shape of a JSON object: every field optional, borrowed where it can be, given at most once.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess};
use serde::{Deserialize, de};

use super::bodies::{BranchOptionsBody, OptionsBody};
use super::{hint, near};

/// Declares a struct and how it is read. `refuse` makes an unknown field an error that names the nearest known one;
/// `suspect` does so if it is near to a known one or is an option in the wrong place, and steps over it otherwise. Names joined by `|` are aliases of one field. A `null` counts as not given.
macro_rules! object {
    ($(#[$doc:meta])* $name:ident, $what:literal, $unknown:ident, { $($field:ident: $type:ty = $($key:literal)|+;)* }) => {
        $(#[$doc])*
        #[derive(Default)]
        pub(crate) struct $name<'a> {
            $(pub(crate) $field: Option<$type>,)*
            borrowed: std::marker::PhantomData<&'a ()>,
        }

        impl $name<'_> {
            /// The names on the wire, aliases too.
            pub(crate) const FIELDS: &'static [&'static str] = &[$($($key),+),*];
        }

        impl<'de: 'a, 'a> serde::Deserialize<'de> for $name<'a> {
            fn deserialize<D: serde::Deserializer<'de>>(json: D) -> Result<Self, D::Error> {
                struct Reader<'a>(std::marker::PhantomData<&'a ()>);
                impl<'de: 'a, 'a> serde::de::Visitor<'de> for Reader<'a> {
                    type Value = $name<'a>;
                    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                        f.write_str($what)
                    }
                    fn visit_map<A: serde::de::MapAccess<'de>>(self, mut map: A) -> Result<$name<'a>, A::Error> {
                        let mut object = $name::default();
                        while let Some(key) = map.next_key::<$crate::parse::values::Text<'de>>()? {
                            match &*key.0 {
                                $($($key)|+ => $crate::parse::object::put(&mut object.$field, &mut map)?,)*
                                unknown => $crate::parse::object::$unknown(unknown, $name::FIELDS, &mut map)?,
                            }
                        }
                        Ok(object)
                    }
                }
                json.deserialize_map(Reader(std::marker::PhantomData))
            }
        }
    };
}
pub(crate) use object;

/// Reads the value of a known field.
pub(crate) fn put<'de, T: Deserialize<'de>, A: MapAccess<'de>>(
    slot: &mut Option<T>,
    map: &mut A,
) -> Result<(), A::Error> {
    if slot.is_some() {
        return map.next_value_seed(Refuse(
            &"is given twice, perhaps under two names: give it once",
        ));
    }
    *slot = map.next_value()?;
    Ok(())
}

/// Refuses an unknown field.
pub(crate) fn refuse<'de, A: MapAccess<'de>>(
    key: &str,
    known: &[&'static str],
    map: &mut A,
) -> Result<(), A::Error> {
    if let Some(why) = misplaced(key, known) {
        return map.next_value_seed(Refuse(&why));
    }
    if key == "try" && known.contains(&"action") {
        return map.next_value_seed(Refuse(&"unknown field: the endpoint of a try is `action`"));
    }
    let hint = hint(key, known);
    map.next_value_seed(Refuse(&format_args!("unknown field: {hint}")))
}

/// Refuses an unknown field that is probably a known one, misspelt or misplaced; steps over any other.
pub(crate) fn suspect<'de, A: MapAccess<'de>>(
    key: &str,
    known: &[&'static str],
    map: &mut A,
) -> Result<(), A::Error> {
    if let Some(why) = misplaced(key, known) {
        return map.next_value_seed(Refuse(&why));
    }
    match near(key, known.iter().copied()) {
        Some(near) => map.next_value_seed(Refuse(&format_args!(
            "unknown field, near to `{near}`: correct it, or leave it out"
        ))),
        None => map.next_value::<de::IgnoredAny>().map(drop),
    }
}

/// Says where an option belongs that stands elsewhere, misspelt or not.
fn misplaced(key: &str, known: &[&'static str]) -> Option<String> {
    let all = OptionsBody::FIELDS;
    let exact = all.iter().find(|option| **option == key);
    if known.contains(&"options") {
        let misspelt = || match near(key, known.iter().copied()) {
            Some(_) => None,
            None => near(key, all.iter().copied()),
        };
        let option = exact.copied().or_else(misspelt)?;
        let whose = if known.contains(&"branch_id") && !is_of_a_branch(option) {
            "the transaction's `options`"
        } else {
            "`options`"
        };
        return Some(format!(
            "unknown field: give the option `{option}` within {whose}"
        ));
    }
    let (option, of_a_branch) = (exact?, known == BranchOptionsBody::FIELDS);
    of_a_branch.then(|| {
        format!("unknown field: `{option}` is an option of the transaction, not of a branch")
    })
}

fn is_of_a_branch(option: &str) -> bool {
    BranchOptionsBody::FIELDS.contains(&option)
}

/// Refuses the value at hand, so that the path of the error ends with its key.
struct Refuse<'a>(&'a dyn fmt::Display);

impl<'de> DeserializeSeed<'de> for Refuse<'_> {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, _: D) -> Result<(), D::Error> {
        Err(D::Error::custom(self.0))
    }
}
