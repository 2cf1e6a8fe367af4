//! Whether an answer is the one shown, but for what differs from run to run.

use serde_json::Value;

/// Stands for anything.
const ANYTHING: &str = "…";

/// Reads what is shown. `{…}` and `[…]` are anything too.
pub(crate) fn parse(shown: &str) -> Value {
    let anything = format!("\"{ANYTHING}\"");
    let text = shown
        .replace("{…}", &anything)
        .replace("[…]", &anything)
        .replace(": …", &format!(": {anything}"));
    serde_json::from_str(&text).unwrap_or(Value::String(text))
}

/// Answers how two values differ; none: they don't.
pub(crate) fn alike(shown: &Value, given: &Value) -> Option<String> {
    differ("", shown, given)
}

fn differ(name: &str, shown: &Value, given: &Value) -> Option<String> {
    match (shown, given) {
        (Value::String(anything), _) if anything == ANYTHING => None,
        (Value::Object(one), Value::Object(other)) => {
            let missing = one.keys().find(|key| !other.contains_key(*key));
            let more = other.keys().find(|key| !one.contains_key(*key));
            if let Some(key) = missing.or(more) {
                return Some(format!("{name}.{key} is on one side only"));
            }
            one.iter()
                .find_map(|(key, shown)| differ(key, shown, &other[key]))
        }
        (Value::Array(one), Value::Array(other)) if one.len() == other.len() => one
            .iter()
            .zip(other)
            .find_map(|(shown, given)| differ(name, shown, given)),
        (Value::String(one), Value::String(other))
            if without_digits(one) == without_digits(other) =>
        {
            None
        }
        (Value::Number(_), Value::Number(_)) if is_of_the_moment(name) => None,
        _ if shown == given => None,
        _ => Some(format!("{name}: {shown} is shown, and it is {given}")),
    }
}

fn is_of_the_moment(name: &str) -> bool {
    name.ends_with("_unix") || name == "duration_ms"
}

/// Leaves of each number only that there is one.
fn without_digits(text: &str) -> String {
    let mut kept = String::new();
    for character in text.chars() {
        match (character, kept.ends_with('#')) {
            ('0'..='9', false) => kept.push('#'),
            ('0'..='9' | '.', true) => {}
            _ => kept.push(character),
        }
    }
    kept
}

#[test]
fn what_differs_from_run_to_run_is_alike_and_nothing_else_is() {
    let shown = parse(
        r#"{"gid": "g", "at": "2030-01-31T12:00:00.000Z", "created_unix": 1, "calls": 2, "rest": {…}}"#,
    );
    let given = |calls: u32, gid: &str| {
        parse(&format!(
            r#"{{"gid": "{gid}", "at": "2026-11-02T01:02:03.456Z", "created_unix": 7, "calls": {calls}, "rest": [1]}}"#
        ))
    };
    assert_eq!(alike(&shown, &given(2, "g")), None);
    assert!(alike(&shown, &given(3, "g")).is_some());
    assert!(alike(&shown, &given(2, "h")).is_some());
    assert!(alike(&parse("{}"), &shown).is_some() && alike(&shown, &parse("{}")).is_some());
}
