//! Compares every answer of every test with the document: its status, its type, its code, and each of its fields.

use http::{HeaderMap, Method, StatusCode};
use serde_json::{Map, Value};

/// The document of one server.
pub(crate) struct Document(Value);

impl Document {
    pub(crate) fn new(document: Value) -> Self {
        Self(document)
    }

    /// Panics unless the answer is one that the document has. Paths and methods that it has not are none of its.
    pub(crate) fn check(
        &self,
        asked: (&Method, &str),
        status: StatusCode,
        headers: &HeaderMap,
        body: &Value,
    ) {
        let (method, path) = asked;
        let Some(operation) = self.operation(method, path) else {
            return;
        };
        let place = format!("{method} {path}: {status} {body}");
        let response = &operation["responses"][status.as_str()];
        assert!(response.is_object(), "not documented: {place}");
        let kind = headers["content-type"].to_str().unwrap();
        let kind = kind.split(';').next().unwrap();
        let content = &response["content"][kind];
        assert!(content.is_object(), "{kind} is not documented: {place}");
        if kind == "application/json" {
            let wrong = self.wrong(&content["schema"], body);
            assert_eq!(wrong, None, "{place}");
        }
    }

    fn operation(&self, method: &Method, path: &str) -> Option<&Value> {
        let paths = self.0["paths"].as_object()?;
        let verb = method.as_str().to_lowercase();
        let exact = paths.get(path);
        let fits = |template: &str| {
            let (template, path): (Vec<_>, Vec<_>) =
                (template.split('/').collect(), path.split('/').collect());
            template.len() == path.len()
                && template.iter().zip(&path).all(|(part, given)| {
                    part == given || part.starts_with('{') && !given.is_empty()
                })
        };
        let item = exact.or_else(|| {
            paths
                .iter()
                .find(|(template, _)| fits(template))
                .map(|(_, item)| item)
        });
        item?.get(verb)
    }

    /// Answers what of a value its schema does not say; none: it says all of it. Unlike JSON Schema it takes no field
    /// that the schema does not name.
    fn wrong(&self, schema: &Value, value: &Value) -> Option<String> {
        if let Some(name) = schema["$ref"].as_str() {
            let named = self.0.pointer(name.trim_start_matches('#')).unwrap();
            return self.wrong(named, value);
        }
        if let Some(parts) = schema["allOf"].as_array() {
            return self.wrong(&self.merged(parts), value);
        }
        if let Some(parts) = schema["oneOf"].as_array() {
            let wrong: Vec<_> = parts.iter().map(|part| self.wrong(part, value)).collect();
            let fitting = wrong.iter().filter(|wrong| wrong.is_none()).count();
            return (fitting != 1).then(|| format!("{fitting} of several fit: {wrong:?}"));
        }
        if !fits_type(&schema["type"], value) {
            return Some(format!("{value} is no {}", schema["type"]));
        }
        if let Some(words) = schema["enum"].as_array()
            && !words.contains(value)
        {
            return Some(format!("{value} is none of {words:?}"));
        }
        match value {
            Value::Object(fields) if schema["properties"].is_object() => {
                self.wrong_field(schema, fields)
            }
            Value::Array(items) if schema["items"].is_object() => items
                .iter()
                .find_map(|item| self.wrong(&schema["items"], item)),
            _ => None,
        }
    }

    fn wrong_field(&self, schema: &Value, fields: &Map<String, Value>) -> Option<String> {
        let required = schema["required"].as_array().into_iter().flatten();
        let missing = required
            .map(|name| name.as_str().unwrap())
            .find(|name| !fields.contains_key(*name));
        if let Some(name) = missing {
            return Some(format!("{name} is missing"));
        }
        fields
            .iter()
            .find_map(|(name, value)| match schema["properties"].get(name) {
                Some(part) => self
                    .wrong(part, value)
                    .map(|wrong| format!("{name}: {wrong}")),
                None => Some(format!("{name} is not documented")),
            })
    }

    /// Puts the fields of several schemas together; the later ones win.
    fn merged(&self, parts: &[Value]) -> Value {
        let mut merged = Value::Object(Map::new());
        for part in parts {
            let part = part["$ref"].as_str().map_or(part, |name| {
                self.0.pointer(name.trim_start_matches('#')).unwrap()
            });
            for (key, value) in part.as_object().unwrap() {
                match (merged[key].as_object_mut(), value) {
                    (Some(known), Value::Object(more)) => known.extend(more.clone()),
                    _ => merged[key] = value.clone(),
                }
            }
        }
        merged
    }
}

fn fits_type(kind: &Value, value: &Value) -> bool {
    let is = |kind: &str| match kind {
        "string" => value.is_string(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "boolean" => value.is_boolean(),
        "object" => value.is_object(),
        "array" => value.is_array(),
        "null" => value.is_null(),
        other => panic!("no such type: {other}"),
    };
    match kind {
        Value::String(kind) => is(kind),
        Value::Array(kinds) => kinds.iter().any(|kind| is(kind.as_str().unwrap())),
        _ => true,
    }
}

#[test]
fn what_the_document_does_not_say_is_noticed() {
    let fields = serde_json::json!({"type": "object", "required": ["gid"], "properties": {"gid": {"type": "string"}, "to": {"enum": ["a"]}}});
    let document = Document::new(Value::Null);
    for (value, wrong) in [
        (serde_json::json!({"gid": "g", "to": "a"}), None),
        (
            serde_json::json!({"gid": 1}),
            Some("gid: 1 is no \"string\""),
        ),
        (serde_json::json!({}), Some("gid is missing")),
        (
            serde_json::json!({"gid": "g", "more": 1}),
            Some("more is not documented"),
        ),
        (
            serde_json::json!({"gid": "g", "to": "b"}),
            Some("to: \"b\" is none of"),
        ),
    ] {
        let found = document.wrong(&fields, &value).unwrap_or_default();
        assert!(
            wrong.is_none_or(|wrong| found.starts_with(wrong)),
            "{value}: {found}"
        );
        assert_eq!(wrong.is_none(), found.is_empty(), "{value}: {found}");
    }
}
