//! The document as Schemathesis gets it: endpoints are participants on this machine, so that nothing else is called, and
//! nobody waits for long, since they answer at once. All else is as the server says it.

use std::collections::BTreeSet;

use anyhow::{Context, Result};
use serde_json::{Map, Value, json};

/// The fields that name an endpoint.
const ENDPOINTS: [&str; 5] = ["action", "compensation", "compensate", "confirm", "cancel"];

/// The participants of the document's examples.
const EXAMPLES: &str = "127.0.0.1:8080";

const FEW_GIDS: &str = "^g[0-9]$";

/// Which names requests give.
#[derive(Clone, Copy)]
pub(super) enum Names {
    /// Any that the document allows.
    Any,
    /// Few, so that requests meet what others began. Only for right requests: any other name is right too.
    Few,
}

/// Narrows what requests are made from; what answers must be stays.
pub(super) fn narrowed(document: &[u8], port: u16, names: Names) -> Result<String> {
    let text = std::str::from_utf8(document).context("reading the document")?;
    let text = text.replace(EXAMPLES, &format!("127.0.0.1:{port}"));
    let mut document: Value = serde_json::from_str(&text).context("reading the document")?;
    for name in schemas_of_requests(&document) {
        let schema = &mut document["components"]["schemas"][&name];
        if let Some(properties) = schema["properties"].as_object_mut() {
            narrow(properties, port);
        }
        match names {
            Names::Any => {}
            Names::Few => rename(schema),
        }
    }
    match names {
        Names::Any => {}
        Names::Few => rename_parameters(&mut document["paths"]),
    }
    Ok(document.to_string())
}

/// Answers which schemas bodies are made from, directly or not.
fn schemas_of_requests(document: &Value) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let items = document["paths"].as_object().into_iter().flatten();
    let operations = items.flat_map(|(_, item)| item.as_object().into_iter().flatten());
    let mut left: Vec<&Value> = operations
        .map(|(_, operation)| &operation["requestBody"])
        .collect();
    while let Some(value) = left.pop() {
        if let Some(name) = value["$ref"].as_str().and_then(|at| at.rsplit('/').next())
            && found.insert(name.to_owned())
        {
            left.push(&document["components"]["schemas"][name]);
        }
        match value {
            Value::Object(fields) => left.extend(fields.values()),
            Value::Array(items) => left.extend(items),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }
    found
}

fn narrow(properties: &mut Map<String, Value>, port: u16) {
    let endpoint = format!("^http://127[.]0[.]0[.]1:{port}/[a-z/]*$");
    for (name, property) in properties {
        if ENDPOINTS.contains(&name.as_str()) {
            property["pattern"] = json!(endpoint);
        }
    }
}

/// Gives the names in a body few values, and leaves out what refers to names that are not there.
fn rename(schema: &mut Value) {
    let Some(properties) = schema["properties"].as_object_mut() else {
        schema["maxProperties"] = json!(0);
        return;
    };
    for (name, property) in properties {
        match name.as_str() {
            "gid" => property["pattern"] = json!(FEW_GIDS),
            "branch_id" => property["pattern"] = json!("^b[0-2]$"),
            "after" => property["maxItems"] = json!(0),
            _ => {}
        }
    }
}

fn rename_parameters(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            if fields.get("name") == Some(&json!("gid")) {
                fields["schema"]["pattern"] = json!(FEW_GIDS);
            }
            fields.values_mut().for_each(rename_parameters);
        }
        Value::Array(items) => items.iter_mut().for_each(rename_parameters),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn narrow(names: Names) -> Value {
        let branch =
            json!({"properties": {"action": {"pattern": "^https?://"}, "gid": {"maxLength": 128}}});
        let state =
            json!({"properties": {"action": {"pattern": "^https?://"}, "gid": {"maxLength": 128}}});
        let body = json!({"schema": {"$ref": "#/components/schemas/Branch"}, "example": "http://127.0.0.1:8080/stock/take"});
        let answer = json!({"schema": {"$ref": "#/components/schemas/State"}});
        let parameter = json!({"name": "gid", "schema": {"maxLength": 128}});
        let operation =
            json!({"parameters": [parameter], "requestBody": body, "responses": {"200": answer}});
        let schemas = json!({"Branch": branch, "State": state});
        let document =
            json!({"paths": {"/a": {"post": operation}}, "components": {"schemas": schemas}});
        let narrowed = narrowed(document.to_string().as_bytes(), 7, names).unwrap_or_default();
        serde_json::from_str(&narrowed).unwrap_or_default()
    }

    #[test]
    fn endpoints_of_requests_are_narrowed_and_nothing_else() {
        let narrowed = narrow(Names::Any);
        let schemas = &narrowed["components"]["schemas"];
        let fields = &schemas["Branch"]["properties"];
        assert_eq!(
            fields["action"]["pattern"],
            "^http://127[.]0[.]0[.]1:7/[a-z/]*$"
        );
        assert_eq!(fields["gid"], json!({"maxLength": 128}));
        let fields = &schemas["State"]["properties"];
        assert_eq!(fields["action"]["pattern"], "^https?://");
        assert!(
            narrowed
                .to_string()
                .contains("http://127.0.0.1:7/stock/take")
        );
    }

    #[test]
    fn few_names_are_given_in_bodies_and_in_paths() {
        let narrowed = narrow(Names::Few);
        let schemas = &narrowed["components"]["schemas"];
        assert_eq!(schemas["Branch"]["properties"]["gid"]["pattern"], FEW_GIDS);
        let answered = &schemas["State"]["properties"]["gid"];
        assert_eq!(answered, &json!({"maxLength": 128}));
        let parameter = &narrowed["paths"]["/a"]["post"]["parameters"][0];
        assert_eq!(parameter["schema"]["pattern"], FEW_GIDS);
    }
}
