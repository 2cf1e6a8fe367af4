//! Finds the examples of a page, each with what it builds on and the answer shown.

use std::collections::BTreeMap;

use seata_tests::Told;

use crate::alike::parse;
use crate::curl::Curl;

/// One example.
#[derive(Debug, Clone)]
pub(crate) struct Example {
    /// The last command of the block, whose answer is shown.
    pub(crate) curl: Curl,
    /// The commands before it.
    pub(crate) before: Vec<Curl>,
    /// The examples that are run before.
    pub(crate) given: Vec<String>,
    /// The examples that are run once a stream has begun.
    pub(crate) meanwhile: Vec<String>,
    /// What participants answer, by path, if not 200.
    pub(crate) answers: BTreeMap<String, u16>,
    /// The status of the answer.
    pub(crate) status: u16,
    /// The answer, if it is shown.
    pub(crate) answer: Option<String>,
}

/// Finds all of them.
pub(crate) fn examples(page: &str) -> Vec<Example> {
    // Between fences stand text and blocks in turn.
    let parts: Vec<&str> = page.split("\n```").collect();
    let mut found = Vec::new();
    for at in (1..parts.len()).step_by(2) {
        let Some(command) = parts[at].strip_prefix("sh\n") else {
            continue;
        };
        let comment = comment(parts[at - 1]);
        let behind = parts
            .get(at + 2)
            .filter(|_| parts[at + 1].trim().is_empty());
        let shown = behind.and_then(|block| {
            let (kind, text) = block.split_once('\n')?;
            ["json", "text"]
                .contains(&kind)
                .then(|| text.trim().to_owned())
        });
        found.push(example(command, comment, shown));
    }
    found
}

/// Answers the comment that a text ends with.
fn comment(before: &str) -> &str {
    let end = before.trim_end().strip_suffix("-->").unwrap_or("");
    end.rsplit_once("<!--")
        .map_or("", |(_, comment)| comment.trim())
}

fn example(command: &str, comment: &str, answer: Option<String>) -> Example {
    let commands = command.trim().split("\ncurl ");
    let commands = commands.map(|command| format!("curl {}", command.trim_start_matches("curl ")));
    let mut before: Vec<Curl> = commands.map(|command| Curl::parse(&command)).collect();
    let mut example = Example {
        curl: before.pop().unwrap(),
        before,
        given: Vec::new(),
        meanwhile: Vec::new(),
        answers: BTreeMap::new(),
        status: 200,
        answer,
    };
    let names = |list: &str| list.split(',').map(|name| name.trim().to_owned()).collect();
    for part in comment
        .split(';')
        .map(str::trim)
        .filter(|part| !part.is_empty())
    {
        if let Some(list) = part.strip_prefix("given: ") {
            example.given = names(list);
        } else if let Some(list) = part.strip_prefix("meanwhile: ") {
            example.meanwhile = names(list);
        } else if let Some(status) = part.strip_prefix("status: ") {
            example.status = status.parse().unwrap();
        } else if let Some((path, status)) = part.split_once(" answers ") {
            example
                .answers
                .insert(path.to_owned(), status.parse().unwrap());
        } else {
            panic!("what is {part:?} before {command}");
        }
    }
    example
}

/// Reads an event as it is shown.
pub(crate) fn event(block: &str) -> Told {
    let field = |name: &str| {
        let value = block
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
        value.unwrap_or("").to_owned()
    };
    Told {
        id: field("id"),
        name: field("event"),
        data: parse(&field("data")),
    }
}
