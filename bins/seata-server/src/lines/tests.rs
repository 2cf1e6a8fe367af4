//! What is lost, what is told of it, and what is read in the end.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::collections::VecDeque;
use std::io::ErrorKind;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};

use super::*;

/// Longer than any wait here lasts.
const PATIENCE: Duration = Duration::from_secs(90);

/// Reads nothing before it may.
struct Reader {
    asked: Sender<()>,
    may: Receiver<()>,
    read: Arc<Mutex<Vec<u8>>>,
}

impl Write for Reader {
    fn write(&mut self, text: &[u8]) -> io::Result<usize> {
        // Not everybody wants to know.
        let _ = self.asked.send(());
        // Whoever dropped the other end forbids nothing any more.
        let _ = self.may.recv();
        self.read.lock().unwrap().extend_from_slice(text);
        Ok(text.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

pub(crate) struct Scene {
    pub(crate) lines: Arc<Lines>,
    asked: Receiver<()>,
    let_read: Sender<()>,
    read: Arc<Mutex<Vec<u8>>>,
    told: Arc<AtomicU64>,
}

impl Scene {
    fn new() -> Self {
        let (asks, asked) = channel();
        let (let_read, may) = channel();
        let (read, told) = (Arc::default(), Arc::default());
        let reader = Reader {
            asked: asks,
            may,
            read: Arc::clone(&read),
        };
        let sum = Arc::clone(&told);
        let tell = move |lost| {
            AtomicU64::fetch_add(&sum, lost, Ordering::SeqCst);
        };
        Self {
            lines: Lines::start(reader, tell).unwrap(),
            asked,
            let_read,
            read,
            told,
        }
    }

    /// All that may wait does: one line is being written, and one fills the room.
    pub(crate) fn full() -> Self {
        let scene = Self::new();
        scene.lines.add(b"0\n", Room::Shared);
        scene.asked.recv_timeout(PATIENCE).unwrap();
        let line = format!("{}\n", "0".repeat(WAITING_BYTES_MAX - 1));
        scene.lines.add(line.as_bytes(), Room::Shared);
        scene
    }

    /// Lets all be read, and answers it.
    pub(crate) fn text(self) -> String {
        drop(self.let_read);
        self.lines.written(PATIENCE);
        let read = String::from_utf8(self.read.lock().unwrap().clone()).unwrap();
        assert!(read.ends_with('\n'), "whole lines");
        read
    }

    fn numbers(self) -> Vec<u64> {
        let text = self.text();
        text.lines().map(|line| line.parse().unwrap()).collect()
    }
}

#[test]
fn what_was_taken_is_written_before_the_end() {
    let scene = Scene::new();
    for number in 0..1_000 {
        scene
            .lines
            .add(format!("{number}\n").as_bytes(), Room::Shared);
    }
    let expected: Vec<u64> = (0..1_000).collect();
    assert_eq!(scene.numbers(), expected);
}

#[test]
fn a_reader_that_stops_holds_up_nobody_and_what_is_lost_is_told() {
    const COUNT: u64 = 600_000;
    let scene = Scene::new();
    for number in 0..COUNT {
        scene
            .lines
            .add(format!("{number}\n").as_bytes(), Room::Shared);
    }
    scene.lines.written(Duration::ZERO);
    assert!(scene.read.lock().unwrap().is_empty());
    let told = Arc::clone(&scene.told);
    let numbers = scene.numbers();
    let kept = u64::try_from(numbers.len()).unwrap();
    assert!(numbers.is_sorted());
    assert!(numbers[0] == 0 && kept < COUNT);
    assert_eq!(kept + told.load(Ordering::SeqCst), COUNT);
}

#[test]
fn a_line_of_any_length_is_taken_where_nothing_waits() {
    let scene = Scene::new();
    let line = format!("{}7\n", "0".repeat(WAITING_BYTES_MAX));
    scene.lines.add(line.as_bytes(), Room::Shared);
    assert_eq!(scene.numbers(), [7]);
}

#[test]
fn what_must_not_be_missing_has_room_of_its_own_and_that_is_bounded() {
    let scene = Scene::full();
    scene.lines.add(b"1\n", Room::Shared);
    scene.lines.add(b"2\n", Room::Kept);
    let line = "3".repeat(KEPT_BYTES);
    scene.lines.add(line.as_bytes(), Room::Kept);
    let told = Arc::clone(&scene.told);
    assert_eq!(scene.numbers(), [0, 0, 2]);
    assert_eq!(told.load(Ordering::SeqCst), 2);
}

/// Answers what it is told to, and then takes all.
struct Flaky {
    answers: VecDeque<io::Result<usize>>,
    read: Arc<Mutex<Vec<u8>>>,
}

impl Write for Flaky {
    fn write(&mut self, text: &[u8]) -> io::Result<usize> {
        let count = self.answers.pop_front().unwrap_or(Ok(text.len()))?;
        self.read.lock().unwrap().extend_from_slice(&text[..count]);
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Writes each line by itself, and answers what was read and how many lines were told to be lost.
fn read_through(answers: Vec<io::Result<usize>>, texts: &[&str]) -> (String, u64) {
    let (read, told) = <(Arc<Mutex<Vec<u8>>>, Arc<AtomicU64>)>::default();
    let sink = Flaky {
        answers: answers.into(),
        read: Arc::clone(&read),
    };
    let sum = Arc::clone(&told);
    let tell = move |lost| {
        sum.fetch_add(lost, Ordering::SeqCst);
    };
    let lines = Lines::start(sink, tell).unwrap();
    for text in texts {
        lines.add(text.as_bytes(), Room::Shared);
        lines.written(PATIENCE);
    }
    let read = String::from_utf8(read.lock().unwrap().clone()).unwrap();
    (read, told.load(Ordering::SeqCst))
}

fn failed(kind: ErrorKind) -> io::Result<usize> {
    Err(kind.into())
}

#[test]
fn a_line_that_was_cut_is_told_as_lost_and_the_next_one_is_whole() {
    let full = || failed(ErrorKind::StorageFull);
    let answers = vec![Ok(2), full()];
    let read = read_through(answers, &["one\n", "two\n"]);
    assert_eq!(read, ("on\ntwo\n".to_owned(), 1));
    let answers = vec![Ok(4), full(), full()];
    let read = read_through(answers, &["one\ntwo\nthree\n", "four\n", "five\n"]);
    assert_eq!(read, ("one\nfive\n".to_owned(), 3));
    let answers = vec![Ok(2), full(), full(), Ok(0)];
    let read = read_through(answers, &["one\n", "two\n", "three\n", "four\n"]);
    assert_eq!(read, ("on\nfour\n".to_owned(), 3));
}

#[test]
fn a_sink_that_takes_a_line_later_gets_all_of_it() {
    let answers = vec![
        Ok(1),
        failed(ErrorKind::WouldBlock),
        failed(ErrorKind::Interrupted),
        Ok(1),
        failed(ErrorKind::WouldBlock),
    ];
    let read = read_through(answers, &["one\n", "two\n"]);
    assert_eq!(read, ("one\ntwo\n".to_owned(), 0));
}

/// Telling of it would be one more line that is lost, and so on without end.
#[test]
fn nothing_is_told_to_a_sink_that_fails_for_ever() {
    let answers = (0..2).map(|_| failed(ErrorKind::BrokenPipe)).collect();
    assert_eq!(
        read_through(answers, &["one\n", "two\n"]),
        (String::new(), 0)
    );
}
