//! Compares the document with the router, the codes, the parser's fields and bounds, and with itself.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeSet;

use seata_core::UnixMillis;
use seata_service::ErrorCode;
use serde_json::{Value, json};

use super::document;
use crate::meters::{Route, Verb};
use crate::parse::bodies::{
    AbortBody, BranchBody, BranchOptionsBody, BranchOrderBody, CompletionBody, OptionsBody,
    OrderBody, TransactionBody,
};
use crate::parse::parse;
use crate::{Defaults, Limits, LocalEndpoints, Rules, read};

type Words = BTreeSet<String>;

fn the_document() -> Value {
    serde_json::to_value(document("1.2.3", &Defaults::default())).unwrap()
}

fn schema(name: &str) -> Value {
    let schema = the_document()["components"]["schemas"][name].clone();
    assert!(schema.is_object(), "{name} is missing");
    schema
}

fn keys(object: &Value) -> Words {
    object.as_object().unwrap().keys().cloned().collect()
}

fn words<'a>(words: impl IntoIterator<Item = &'a str>) -> Words {
    words.into_iter().map(str::to_owned).collect()
}

#[test]
fn the_document_has_every_route_with_its_method_and_no_other() {
    let document = the_document();
    assert_eq!(document["openapi"], "3.1.0");
    let paths = document["paths"].as_object().unwrap();
    let described = paths.iter().flat_map(|(path, item)| {
        let verbs = item.as_object().unwrap().keys();
        verbs.map(move |verb| format!("{verb} {path}"))
    });
    let routed = Route::ALL.into_iter().filter_map(|route| {
        let verb = match route.verb() {
            Verb::Get => "get",
            Verb::Post => "post",
            Verb::Any => return None,
        };
        Some(format!("{verb} {}", route.path()))
    });
    assert_eq!(described.collect::<Words>(), routed.collect::<Words>());
}

#[test]
fn each_operation_has_a_name_of_its_own_and_its_path_parameters() {
    let document = the_document();
    let mut names = Words::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for operation in item.as_object().unwrap().values() {
            let name = operation["operationId"].as_str().unwrap();
            assert!(names.insert(name.to_owned()), "{name} twice");
            let given = operation["parameters"].as_array().into_iter().flatten();
            let given = given.filter(|parameter| parameter["in"] == "path");
            let given: Words = words(given.map(|parameter| parameter["name"].as_str().unwrap()));
            let needed = path
                .split('/')
                .filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
            assert_eq!(given, words(needed), "{path}");
        }
    }
}

#[test]
fn the_document_names_every_code_and_each_with_its_status() {
    let all = words(ErrorCode::ALL.map(ErrorCode::as_str));
    let of_problems = schema("Problem")["properties"]["code"]["enum"].clone();
    let of_problems = of_problems.as_array().unwrap().iter();
    assert_eq!(words(of_problems.map(|code| code.as_str().unwrap())), all);
    let mut used = Words::new();
    for item in the_document()["paths"].as_object().unwrap().values() {
        for operation in item.as_object().unwrap().values() {
            for (status, response) in operation["responses"].as_object().unwrap() {
                for code in codes(response) {
                    let known = ErrorCode::ALL
                        .into_iter()
                        .find(|known| known.as_str() == code);
                    let known = crate::status_of(known.unwrap()).as_u16();
                    assert_eq!(status, &known.to_string(), "{code}");
                    used.insert(code);
                }
                let passes = status == "429" || status == "503";
                assert_eq!(response["headers"]["retry-after"].is_object(), passes);
            }
        }
    }
    // A path that exists with another method is none of the operations.
    used.insert(ErrorCode::MethodNotAllowed.as_str().to_owned());
    assert_eq!(used, all);
}

fn codes(response: &Value) -> Vec<String> {
    let parts = &response["content"]["application/json"]["schema"]["allOf"];
    let parts = parts.as_array().into_iter().flatten();
    let codes = parts.filter_map(|part| part["properties"]["code"]["enum"].as_array());
    let codes = codes
        .flatten()
        .map(|code| code.as_str().unwrap().to_owned());
    codes.collect()
}

#[test]
fn the_fields_of_bodies_are_those_that_the_parser_knows() {
    let properties = |name: &str| keys(&schema(name)["properties"]);
    let known = |fields: &[&str]| words(fields.iter().copied());
    assert_eq!(properties("Submit"), known(TransactionBody::FIELDS));
    assert_eq!(properties("Start"), known(TransactionBody::FIELDS));
    let joining = ["AddBranch", "RegisterBranch", "TryBranch"].map(properties);
    let joining: Words = joining.into_iter().flatten().collect();
    assert_eq!(joining, known(BranchBody::FIELDS));
    assert_eq!(properties("BranchOrder"), known(BranchOrderBody::FIELDS));
    assert_eq!(properties("Succeed"), known(CompletionBody::FIELDS));
    assert_eq!(properties("Fail"), known(CompletionBody::FIELDS));
    let mut listed = properties("Branch");
    listed.insert("gid".to_owned());
    assert_eq!(listed, known(BranchBody::FIELDS));
    assert_eq!(properties("Options"), known(OptionsBody::FIELDS));
    assert_eq!(
        properties("BranchOptions"),
        known(BranchOptionsBody::FIELDS)
    );
    assert_eq!(properties("Abort"), known(AbortBody::FIELDS));
    let orders = ["Retry", "Skip", "Force"].map(properties);
    let orders: Words = orders.into_iter().flatten().collect();
    assert_eq!(orders, known(OrderBody::FIELDS));
}

/// Answers whether a submission would be taken.
fn is_taken(body: &Value) -> bool {
    let rules = Rules {
        defaults: Defaults::default(),
        limits: Limits::default(),
        local: LocalEndpoints::Refused,
    };
    parse::<TransactionBody<'_>>(body.to_string().as_bytes())
        .and_then(|body| read::submit(body, &rules.limits))
        .is_ok_and(|asked| asked.resolve(&rules, UnixMillis(0)).is_ok())
}

fn with_options(options: &Value) -> Value {
    let branch = json!({"branch_id": "b", "action": "http://a/"});
    json!({"gid": "g", "branches": [branch], "options": options})
}

fn with_branch_options(options: &Value) -> Value {
    let branch = json!({"branch_id": "b", "action": "http://a/", "options": options});
    json!({"gid": "g", "branches": [branch]})
}

#[test]
fn bounds_of_options_are_those_of_the_parser() {
    type Body = fn(&Value) -> Value;
    let both: [(&str, Body); 2] = [
        ("Options", with_options),
        ("BranchOptions", with_branch_options),
    ];
    for (name, body) in both {
        let options = schema(name);
        assert_eq!(options["additionalProperties"], false);
        assert!(!is_taken(&body(&json!({"no_such_option": 1}))));
        for (field, bounds) in options["properties"].as_object().unwrap() {
            let taken = |value: Value| is_taken(&body(&json!({ field: value })));
            assert!(taken(Value::Null), "{field}");
            let (Some(min), Some(max)) = (bounds["minimum"].as_f64(), bounds["maximum"].as_f64())
            else {
                continue;
            };
            assert!(taken(bounds["minimum"].clone()), "{field}: {min}");
            assert!(taken(bounds["maximum"].clone()), "{field}: {max}");
            assert!(!taken(json!(min - 0.005)), "{field}: below {min}");
            assert!(!taken(json!(max + 1.0)), "{field}: above {max}");
            assert!(!taken(json!("1")), "{field}: a text");
        }
    }
}

#[test]
fn a_branch_with_an_unknown_field_is_refused_as_the_document_says() {
    for name in ["Branch", "AddBranch"] {
        assert_eq!(schema(name)["additionalProperties"], false, "{name}");
    }
    let mut branch = json!({"branch_id": "b", "action": "http://a/"});
    assert!(is_taken(&json!({"gid": "g", "branches": [branch]})));
    branch["compensatoin"] = json!("http://a/");
    assert!(!is_taken(&json!({"gid": "g", "branches": [branch]})));
}

#[test]
fn an_order_with_an_unknown_field_is_refused_as_the_document_says() {
    for (name, order) in [
        ("Retry", json!({"reason": "x"})),
        ("Skip", json!({"reason": "x", "branch_id": "b"})),
        ("Force", json!({"reason": "x", "to": "aborted"})),
    ] {
        assert_eq!(schema(name)["additionalProperties"], false, "{name}");
        let is_read = |order: &Value| parse::<OrderBody<'_>>(order.to_string().as_bytes()).is_ok();
        assert!(is_read(&order), "{name}");
        let mut more = order.clone();
        more["comment"] = json!("x");
        assert!(!is_read(&more), "{name}");
    }
}

#[test]
fn every_schema_that_is_referred_to_is_there_and_every_one_there_is_referred_to() {
    let document = the_document();
    let text = document.to_string();
    let referred = text.split("\"#/components/schemas/").skip(1);
    let referred = words(referred.map(|rest| rest.split('"').next().unwrap()));
    assert_eq!(referred, keys(&document["components"]["schemas"]));
}
