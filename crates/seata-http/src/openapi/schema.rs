//! The bricks of schemas: texts, numbers, lists and objects, each with its bounds.

use serde_json::Value;
use utoipa::openapi::schema::{
    AdditionalProperties, ArrayBuilder, ObjectBuilder, OneOfBuilder, Schema, SchemaType, Type,
};
use utoipa::openapi::{Object, Ref, RefOr};

/// A schema, or the name of one.
pub(super) type Part = RefOr<Schema>;

/// Refers to a schema of the document by its name.
pub(super) fn named(name: &str) -> Part {
    Ref::from_schema_name(name).into()
}

/// Any JSON value.
pub(super) fn anything() -> Part {
    Schema::Object(Object::with_type(SchemaType::AnyValue)).into()
}

/// A text.
pub(super) fn text() -> Part {
    ObjectBuilder::new().schema_type(Type::String).into()
}

/// A text that looks so.
pub(super) fn matching(pattern: &str) -> Part {
    ObjectBuilder::new()
        .schema_type(Type::String)
        .pattern(Some(pattern))
        .into()
}

/// A text that looks so, of so many characters at most.
pub(super) fn pattern(pattern: &str, length_max: usize) -> Part {
    ObjectBuilder::new()
        .schema_type(Type::String)
        .pattern(Some(pattern))
        .max_length(Some(length_max))
        .into()
}

/// One of some words, as they stand.
pub(super) fn one_of<'a>(words: impl IntoIterator<Item = &'a str>) -> Part {
    ObjectBuilder::new()
        .schema_type(Type::String)
        .enum_values(Some(words))
        .into()
}

/// One of some words, in capitals or not.
pub(super) fn one_of_in_any_case<'a>(words: impl IntoIterator<Item = &'a str>) -> Part {
    let words: Vec<_> = words.into_iter().map(in_any_case).collect();
    ObjectBuilder::new()
        .schema_type(Type::String)
        .pattern(Some(format!("^(?:{})$", words.join("|"))))
        .into()
}

/// Writes a word as a pattern that takes capitals for small letters: patterns of JSON Schema have no flags.
pub(super) fn in_any_case(word: &str) -> String {
    let letter = |letter: char| match letter.is_ascii_alphabetic() {
        true => format!(
            "[{}{}]",
            letter.to_ascii_uppercase(),
            letter.to_ascii_lowercase()
        ),
        false => letter.to_string(),
    };
    word.chars().map(letter).collect()
}

/// A whole number within bounds.
pub(super) fn whole(min: u64, max: u64) -> Part {
    ObjectBuilder::new()
        .schema_type(Type::Integer)
        .minimum(Some(min))
        .maximum(Some(max))
        .into()
}

/// A whole number that is not negative.
pub(super) fn count() -> Part {
    ObjectBuilder::new()
        .schema_type(Type::Integer)
        .minimum(Some(0u64))
        .into()
}

/// A number of seconds within bounds.
pub(super) fn secs(min: f64, max: f64) -> Part {
    ObjectBuilder::new()
        .schema_type(Type::Number)
        .minimum(Some(min))
        .maximum(Some(max))
        .into()
}

/// A list.
pub(super) fn list(items: Part) -> Part {
    ArrayBuilder::new().items(items).into()
}

/// One of several shapes.
pub(super) fn either(parts: impl IntoIterator<Item = Part>) -> Part {
    parts
        .into_iter()
        .fold(OneOfBuilder::new(), OneOfBuilder::item)
        .into()
}

/// Takes `null` too, which counts as not given.
pub(super) fn or_null(part: Part) -> Part {
    match part {
        RefOr::T(Schema::Object(mut object)) => {
            object.schema_type = with_null(object.schema_type);
            if let Some(words) = &mut object.enum_values {
                words.push(Value::Null);
            }
            Schema::Object(object).into()
        }
        RefOr::T(Schema::Array(mut array)) => {
            array.schema_type = with_null(array.schema_type);
            Schema::Array(array).into()
        }
        other @ (RefOr::Ref(_) | RefOr::T(_)) => {
            either([other, ObjectBuilder::new().schema_type(Type::Null).into()])
        }
    }
}

fn with_null(schema_type: SchemaType) -> SchemaType {
    match schema_type {
        SchemaType::Type(one) => SchemaType::Array(vec![one, Type::Null]),
        SchemaType::Array(several) => {
            SchemaType::Array(several.into_iter().chain([Type::Null]).collect())
        }
        SchemaType::AnyValue => SchemaType::AnyValue,
    }
}

/// Says what a part means.
pub(super) fn about(part: Part, words: &str) -> Part {
    match part {
        RefOr::T(Schema::Object(mut object)) => {
            object.description = Some(words.to_owned());
            Schema::Object(object).into()
        }
        RefOr::T(Schema::Array(mut array)) => {
            array.description = Some(words.to_owned());
            Schema::Array(array).into()
        }
        RefOr::T(Schema::OneOf(mut several)) => {
            several.description = Some(words.to_owned());
            Schema::OneOf(several).into()
        }
        RefOr::Ref(mut name) => {
            name.description = words.to_owned();
            RefOr::Ref(name)
        }
        other @ RefOr::T(_) => other,
    }
}

/// Says what holds if it is not given.
pub(super) fn default(part: Part, value: impl Into<Value>) -> Part {
    match part {
        RefOr::T(Schema::Object(mut object)) => {
            object.default = Some(value.into());
            Schema::Object(object).into()
        }
        other @ (RefOr::Ref(_) | RefOr::T(_)) => other,
    }
}

/// An object, field by field.
pub(super) struct Fields(ObjectBuilder);

impl Fields {
    pub(super) fn new(words: &str) -> Self {
        let object = ObjectBuilder::new().schema_type(Type::Object);
        Self(object.description(Some(words)))
    }

    /// Adds a field that must be there.
    pub(super) fn required(self, name: &str, part: Part) -> Self {
        Self(self.0.property(name, part).required(name))
    }

    /// Adds a field that may be missing, and then is not there.
    pub(super) fn sometimes(self, name: &str, part: Part) -> Self {
        Self(self.0.property(name, part))
    }

    /// Adds a field of a request that may be missing or `null`.
    pub(super) fn optional(self, name: &str, part: Part) -> Self {
        self.sometimes(name, or_null(part))
    }

    /// Makes the object; what other fields it has is not looked at.
    pub(super) fn open(self) -> Part {
        self.0.into()
    }

    /// Makes the object; any other field is refused.
    pub(super) fn closed(self) -> Part {
        self.0
            .additional_properties(Some(AdditionalProperties::FreeForm(false)))
            .into()
    }
}
