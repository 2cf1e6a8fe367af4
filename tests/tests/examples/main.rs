//! Runs every example of `docs/api.md` against a server of its own and compares the answer with the one shown.
//!
//! An example is a block of `sh` with one curl in it; the block behind it, of `json` or `text`, is its answer. A comment
//! before it, which readers don't see, says what it builds on:
//!
//! `<!-- given: POST /api/start, POST /api/branch/add; stock/take answers 503; meanwhile: POST /api/submit -->`
//!
//! The examples named there are run before, or once a stream has begun, on its own transaction and without waiting.
//! Participants say yes unless it says otherwise. `…` in an answer stands for anything, and digits in texts, times and
//! spans for any others.
#![allow(clippy::unwrap_used, reason = "tests")]

mod alike;
mod curl;
mod page;

use std::path::Path;
use std::time::{Duration, Instant};

use http::Method;
use seata_tests::{Answer, Client, PATIENCE, Participants, Setup, Told, Watcher};
use serde_json::Value;

use alike::{alike, parse};
use curl::Curl;
use page::{Example, examples};

/// Where the page's participants are.
const PAGE_PARTICIPANTS: &str = "http://127.0.0.1:8080/";

/// How soon it is asked again.
const GLANCE: Duration = Duration::from_millis(5);

fn page() -> Vec<Example> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/api.md");
    examples(&std::fs::read_to_string(path).unwrap())
}

#[tokio::test]
async fn every_example_of_the_page_is_answered_as_the_page_says() {
    let all = page();
    assert!(all.len() > 10, "where are the examples?");
    for example in &all {
        run(example, &all).await;
    }
}

async fn run(example: &Example, all: &[Example]) {
    let server = Setup::new()
        .with("SEATA_RETRY_INTERVAL_SECS", 0.1)
        .start()
        .await;
    let scene = Scene {
        client: server.client(),
        participants: Participants::start().await,
        example,
        all,
    };
    for name in &example.given {
        scene.prepare(name).await;
    }
    for curl in &example.before {
        scene.run_before(curl).await;
    }
    if example.curl.is_stream() {
        scene.follow().await;
    } else {
        scene.ask().await;
    }
}

struct Scene<'a> {
    client: Client,
    participants: Participants,
    example: &'a Example,
    all: &'a [Example],
}

impl Scene<'_> {
    /// Runs another example of the page on the transaction of this one.
    async fn prepare(&self, name: &str) {
        let found = self.all.iter().find(|other| other.curl.name() == name);
        let other =
            found.unwrap_or_else(|| panic!("{}: there is no {name}", self.example.curl.text));
        for curl in other.before.iter().chain([&other.curl]) {
            self.run_before(curl).await;
        }
    }

    async fn run_before(&self, curl: &Curl) {
        let mut body: Value = serde_json::from_str(&curl.body).unwrap();
        let fields = body.as_object_mut().unwrap();
        fields.remove("wait");
        if let Some(gid) = self.gid() {
            fields.insert("gid".to_owned(), gid.into());
        }
        let body = self.ours(&body.to_string());
        let answer = self.client.post_text(&curl.path, body).await;
        assert_eq!(answer.status, 200, "{}: {}", curl.text, answer.text);
    }

    /// Answers the transaction of the example; if it names none, that of what comes before it.
    fn gid(&self) -> Option<String> {
        let of = |curl: &Curl| {
            let body: Option<Value> = serde_json::from_str(&curl.body).ok();
            let in_body = body.and_then(|body| Some(body["gid"].as_str()?.to_owned()));
            let in_path = || {
                Some(
                    curl.path
                        .strip_prefix("/api/tx/")?
                        .split('/')
                        .next()?
                        .to_owned(),
                )
            };
            in_body.or_else(in_path)
        };
        of(&self.example.curl).or_else(|| {
            let first = self
                .example
                .given
                .iter()
                .chain(&self.example.meanwhile)
                .next()?;
            of(&self
                .all
                .iter()
                .find(|other| other.curl.name() == *first)?
                .curl)
        })
    }

    /// Asks until the answer is the one shown: a state may have to be reached first.
    async fn ask(&self) {
        let begun = Instant::now();
        loop {
            let answer = self.send().await;
            let Some(difference) = self.difference(&answer) else {
                return;
            };
            assert!(
                begun.elapsed() < PATIENCE,
                "{}\nis answered with\n{}\n{difference}",
                self.example.curl.text,
                self.pages(&answer.text)
            );
            tokio::time::sleep(GLANCE).await;
        }
    }

    async fn send(&self) -> Answer {
        let Curl {
            method,
            path,
            body,
            accept,
            ..
        } = &self.example.curl;
        if method == Method::GET {
            return self.client.get_as(path, accept.as_deref()).await;
        }
        self.client.post_text(path, self.ours(body)).await
    }

    fn difference(&self, answer: &Answer) -> Option<String> {
        if answer.status != self.example.status {
            return Some(format!("the status is {}", answer.status));
        }
        let text = self.pages(&answer.text);
        match &self.example.answer {
            None => None,
            Some(shown) if text.trim().contains('\n') => {
                let (shown, lines): (Vec<_>, Vec<_>) =
                    (shown.lines().collect(), text.lines().collect());
                if shown.len() != lines.len() {
                    return Some(format!("{} lines are shown", shown.len()));
                }
                shown
                    .iter()
                    .zip(lines)
                    .find_map(|(shown, line)| alike(&parse(shown), &parse(line)))
            }
            Some(shown) => alike(&parse(shown), &parse(&text)),
        }
    }

    /// Follows a stream until the events shown have come, in their order.
    async fn follow(&self) {
        let mut watcher = self.client.watch(&self.example.curl.path, "").await;
        for name in &self.example.meanwhile {
            self.prepare(name).await;
        }
        let all = self.shown_events(&mut watcher);
        let all = tokio::time::timeout(PATIENCE, all).await;
        all.unwrap_or_else(|_| panic!("{}: the events shown never came", self.example.curl.text));
    }

    async fn shown_events(&self, watcher: &mut Watcher) {
        for shown in self.example.answer.as_deref().unwrap_or("").split("\n\n") {
            let shown = page::event(shown);
            loop {
                let told = watcher.next().await;
                let told = told.unwrap_or_else(|| panic!("never came: {shown:?}"));
                if is_shown(&shown, &told, &self.pages(&told.data.to_string())) {
                    break;
                }
            }
        }
    }

    /// Writes our participants for the page's.
    fn ours(&self, text: &str) -> String {
        let mut parts = text.split(PAGE_PARTICIPANTS);
        let mut written = parts.next().unwrap_or("").to_owned();
        for part in parts {
            let (path, _) = part.split_once('"').unwrap();
            let says = self.example.answers.get(path);
            let steps = says.map_or("ok".to_owned(), |status| format!("say/{status}"));
            // What is asked for stands behind, so that it can be told from the others.
            written.push_str(&self.participants.url(&format!("{steps}?{part}")));
        }
        written
    }

    /// Writes the page's participants for ours.
    fn pages(&self, text: &str) -> String {
        let ours = self.participants.url("");
        let mut parts = text.split(ours.as_str());
        let mut written = parts.next().unwrap_or("").to_owned();
        for part in parts {
            let (_, path) = part.split_once('?').unwrap();
            written.push_str(PAGE_PARTICIPANTS);
            written.push_str(path);
        }
        written
    }
}

fn is_shown(shown: &Told, told: &Told, data: &str) -> bool {
    let has_id = |told: &Told| !told.id.is_empty();
    let kinds = |told: &Told| told.data["kind"].as_str().map(str::to_owned);
    shown.name == told.name
        && has_id(shown) == has_id(told)
        && kinds(shown) == kinds(told)
        && alike(&shown.data, &parse(data)).is_none()
}
