//! A process that moves all the time, and is killed in the middle of it, again and again: whatever it said that was
//! acknowledged is there at the next start, whole and once, and what was purged stays away.

mod book;
mod child;

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use self::book::{Book, listed};
use super::*;
use crate::index::Known;

const FOLDER: &str = "STORE_TEST_FOLDER";
const ROUND: &str = "STORE_TEST_ROUND";
const LINES_MIN: usize = 150;
const ROUNDS_MIN: i64 = 12;
/// What the other process says when it has done the first step of a move and does no other.
const STANDS_STILL: &str = "stands still";
/// Kills between the steps of a move that must have been seen, of each kind.
const BETWEEN_MIN: usize = 2;
/// So many kills see all of them, however slow the machine is.
const ROUNDS_MAX: i64 = 120;

fn small(folder: &Path) -> FjallStore {
    let options = FjallOptions {
        log_bytes: 2 << 10,
        ..FjallOptions::new(|why| panic!("{why}"))
    };
    FjallStore::open(folder, options).unwrap()
}

/// How many kills came between which steps.
#[derive(Debug, Default)]
struct Between {
    /// Ended ones are in their table, and the log counts still.
    table_and_batch: usize,
    /// The log no longer counts, and is there still.
    batch_and_clearing: usize,
}

impl Between {
    fn look(&mut self, store: &FjallStore) {
        let files = &store.inner.files;
        let ended = files.ended.iter().map(|item| item.key().unwrap().to_vec());
        let both = ended.filter_map(|key| layout::read_gid(&key).ok());
        let mut both = both.filter(|gid| matches!(store.inner.known(gid), Known::Active(_)));
        self.table_and_batch += usize::from(both.next().is_some());
        let from = files.log.get(layout::FROM).unwrap();
        let from = from.map_or(0, |value| layout::read_number(&value, "from").unwrap());
        let mut left = files.log.range(..crate::log::key(from));
        self.batch_and_clearing += usize::from(left.next().is_some());
    }

    fn are_enough(&self) -> bool {
        self.table_and_batch >= BETWEEN_MIN && self.batch_and_clearing >= BETWEEN_MIN
    }
}

/// A kill seldom comes between the first step of a move and the next: in each third round the other process waits for it.
const fn is_stopped_in_a_move(round: i64) -> bool {
    round % 3 == 0
}

/// Lets the other process run until it has said some lines or stands still, kills it, and answers all that it said was
/// acknowledged.
fn run(folder: &Path, round: i64, lines: usize) -> Vec<String> {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "tests::killed::child::child_moves_until_killed"])
        .arg("--nocapture")
        .env(FOLDER, folder)
        .env(ROUND, round.to_string())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let answers = BufReader::new(child.stdout.take().unwrap());
    let mut told = answers.lines().map_while(Result::ok);
    let is_said = |line: &String| line.starts_with("said ");
    let mut all = Vec::new();
    if is_stopped_in_a_move(round) {
        let mut stands = false;
        let before = told.by_ref().take_while(|line| {
            stands = line == STANDS_STILL;
            !stands
        });
        all.extend(before.filter(is_said));
        assert!(stands, "it ended by itself");
    } else {
        all.extend(told.by_ref().filter(is_said).take(lines));
        assert_eq!(all.len(), lines, "it ended by itself");
    }
    child.kill().unwrap();
    child.wait().unwrap();
    all.extend(told.filter(is_said));
    all
}

#[tokio::test]
async fn what_was_acknowledged_survives_kill_9_in_the_middle_of_a_move() {
    let folder = tempfile::tempdir().unwrap();
    let (mut book, mut between) = (Book::default(), Between::default());
    let mut round = 0;
    while round < ROUNDS_MIN || !between.are_enough() {
        assert!(round < ROUNDS_MAX, "{round} kills: {between:?}");
        round += 1;
        let lines = LINES_MIN + usize::try_from(round * 37 % 101).unwrap();
        let said = run(folder.path(), round, lines);
        said.iter().for_each(|line| book.note(line));
        let store = small(folder.path());
        between.look(&store);
        book.compare(&store, round).await;
    }
    assert!(book.has_gone(), "nothing was purged in all that time");
    let store = small(folder.path());
    store.inner.settle().unwrap();
    book.compare(&store, round).await;
    assert_eq!(store.inner.index().unsettled_bytes(), 0);
    while store.purge(UnixMillis(i64::MAX), 500).await.unwrap() > 0 {}
    let open = listed(&store).await;
    book.purged();
    book.compare(&store, round).await;
    let rows = store.inner.files.open.iter();
    let rows = rows.map(|row| layout::read_open_key(&row.key().unwrap()).unwrap().0);
    let rows: BTreeSet<_> = rows.map(|gid| gid.as_str().to_owned()).collect();
    assert_eq!(rows, open, "only what is open has rows there");
}
