//! Lines that a thread of its own writes: a reader that stops holds up nobody else. It knows no levels and no formats.

use std::io::{self, Write};
use std::mem::take;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use metrics::counter;

/// How much may wait to be written, in bytes. A line for which there is no room is lost.
const WAITING_BYTES_MAX: usize = 1 << 20;

/// Takes lines from everybody at once, and keeps nobody waiting.
#[derive(Default)]
pub(crate) struct Lines {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    /// Whole lines, in their order.
    waiting: Vec<u8>,
    /// How many bytes were ever taken, and how many of those are written.
    taken: u64,
    written: u64,
    /// How many lines were lost since that was told last.
    lost: u64,
}

impl Lines {
    /// Starts the thread. It tells how many lines were lost, each time as soon as there is room again.
    ///
    /// # Errors
    /// The system has no thread left.
    pub(crate) fn start(
        sink: impl Write + Send + 'static,
        tell: impl Fn(u64) + Send + 'static,
    ) -> io::Result<Arc<Self>> {
        let lines = Arc::new(Self::default());
        let ours = Arc::clone(&lines);
        thread::Builder::new()
            .name("log".to_owned())
            .spawn(move || ours.write_all(sink, tell))?;
        Ok(lines)
    }

    /// Takes a line, with its end; or counts it, if too much waits already.
    pub(crate) fn add(&self, line: &[u8]) {
        let mut state = self.state();
        let is_first = state.waiting.is_empty();
        if !is_first && state.waiting.len() + line.len() > WAITING_BYTES_MAX {
            state.lost += 1;
            drop(state);
            counter!("seata_log_lines_lost_total").increment(1);
            return;
        }
        state.waiting.extend_from_slice(line);
        state.taken += bytes(line);
        drop(state);
        if is_first {
            self.changed.notify_all();
        }
    }

    /// Waits until what was taken by now is written, but not for longer than this.
    pub(crate) fn written(&self, within: Duration) {
        let state = self.state();
        let taken = state.taken;
        let is_behind = |state: &mut State| state.written < taken;
        // Whether it is by then: whoever can't wait any longer goes on without.
        drop(self.changed.wait_timeout_while(state, within, is_behind));
    }

    fn write_all(&self, mut sink: impl Write, tell: impl Fn(u64)) {
        loop {
            let (text, lost) = self.next();
            if lost > 0 {
                tell(lost);
            }
            // A reader that is gone does not come back, and there is nowhere else to say so.
            let _ = sink.write_all(&text);
            self.state().written += bytes(&text);
            self.changed.notify_all();
        }
    }

    /// Waits for lines, and takes all that there are.
    fn next(&self) -> (Vec<u8>, u64) {
        let state = self.state();
        let state = self
            .changed
            .wait_while(state, |state| state.waiting.is_empty());
        let mut state = state.unwrap_or_else(PoisonError::into_inner);
        (take(&mut state.waiting), take(&mut state.lost))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Each piece is taken for a whole line: so does `tracing_subscriber` write.
impl Write for &Lines {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.add(line);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn bytes(text: &[u8]) -> u64 {
    u64::try_from(text.len()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use std::sync::atomic::{AtomicU64, Ordering};
    use std::sync::mpsc::{Receiver, Sender, channel};

    use super::*;

    /// Longer than any wait here lasts.
    const PATIENCE: Duration = Duration::from_secs(90);

    /// Reads nothing before it may.
    struct Reader {
        may: Receiver<()>,
        read: Arc<Mutex<Vec<u8>>>,
    }

    impl Write for Reader {
        fn write(&mut self, text: &[u8]) -> io::Result<usize> {
            // Whoever dropped the other end forbids nothing any more.
            let _ = self.may.recv();
            self.read.lock().unwrap().extend_from_slice(text);
            Ok(text.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    struct Scene {
        lines: Arc<Lines>,
        let_read: Sender<()>,
        read: Arc<Mutex<Vec<u8>>>,
        told: Arc<AtomicU64>,
    }

    impl Scene {
        fn new() -> Self {
            let (let_read, may) = channel();
            let (read, told) = (Arc::default(), Arc::default());
            let reader = Reader {
                may,
                read: Arc::clone(&read),
            };
            let sum = Arc::clone(&told);
            let tell = move |lost| {
                AtomicU64::fetch_add(&sum, lost, Ordering::SeqCst);
            };
            Self {
                lines: Lines::start(reader, tell).unwrap(),
                let_read,
                read,
                told,
            }
        }

        /// Lets all be read, and answers it as numbers.
        fn numbers(self) -> Vec<u64> {
            drop(self.let_read);
            self.lines.written(PATIENCE);
            let read = String::from_utf8(self.read.lock().unwrap().clone()).unwrap();
            assert!(read.ends_with('\n'), "whole lines");
            read.lines().map(|line| line.parse().unwrap()).collect()
        }
    }

    #[test]
    fn what_was_taken_is_written_before_the_end() {
        let scene = Scene::new();
        for number in 0..1_000 {
            scene.lines.add(format!("{number}\n").as_bytes());
        }
        let expected: Vec<u64> = (0..1_000).collect();
        assert_eq!(scene.numbers(), expected);
    }

    #[test]
    fn a_reader_that_stops_holds_up_nobody_and_what_is_lost_is_told() {
        const COUNT: u64 = 600_000;
        let scene = Scene::new();
        for number in 0..COUNT {
            scene.lines.add(format!("{number}\n").as_bytes());
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
        scene.lines.add(line.as_bytes());
        assert_eq!(scene.numbers(), [7]);
    }
}
