//! Prints the history of a transaction for a person.

use std::io::{Write, stdout};

use serde_json::Value;

/// Writes a line. Nobody may be reading.
pub(crate) fn say(line: &str) {
    let _ = writeln!(stdout(), "{line}");
}

/// Writes each event with its time, then the state.
pub(super) fn print(transaction: &Value, events: &Value) {
    for event in events.as_array().into_iter().flatten() {
        say(&line(event));
    }
    let text = |key: &str| transaction[key].as_str().unwrap_or_default();
    let reason = match text("reason") {
        "" => String::new(),
        reason => format!(" ({reason})"),
    };
    say(&format!("\n   It is {}{reason}.\n", text("status")));
}

fn line(event: &Value) -> String {
    let text = |key: &str| event[key].as_str().unwrap_or_default();
    // The time of day of 2026-01-31T12:34:56.789Z.
    let time = text("time").get(11..23).unwrap_or_default();
    let mut line = format!("   {time}  {:<13}", text("kind"));
    for key in ["branch_id", "operation"] {
        if let Some(word) = event[key].as_str() {
            line += &format!(" {word:<12}");
        }
    }
    if let Some(attempt) = event["attempt"].as_u64() {
        line += &format!(" attempt {attempt}: {}", text("outcome"));
    }
    if let Some(branches) = event["branches"].as_array() {
        let names: Vec<&str> = branches.iter().filter_map(Value::as_str).collect();
        line += &format!(" {}", names.join(", "));
    }
    for key in ["error", "reason"] {
        if let Some(why) = event[key].as_str() {
            line += &format!(" ({why})");
        }
    }
    line.trim_end().to_owned()
}
