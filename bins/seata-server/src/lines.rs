//! Lines that a thread of its own writes: a reader that stops holds up nobody else. It knows no levels and no formats.

use std::io::{self, ErrorKind, Write};
use std::mem::take;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use metrics::counter;

/// How much may wait to be written, in bytes. A line for which there is no room is lost.
const WAITING_BYTES_MAX: usize = 1 << 20;

/// How much more may wait of what must not be missing, in bytes.
const KEPT_BYTES: usize = 1 << 16;

/// How soon a sink that takes nothing just now is asked again. That it does again, nobody says.
const AGAIN_AFTER: Duration = Duration::from_millis(5);

/// In which room a line may wait.
#[derive(Clone, Copy)]
pub(crate) enum Room {
    /// In that of all lines.
    Shared,
    /// In that which is kept beyond it for what must not be missing: the last words, and how many lines were lost.
    Kept,
}

impl Room {
    const fn waiting_bytes_max(self) -> usize {
        match self {
            Self::Shared => WAITING_BYTES_MAX,
            Self::Kept => WAITING_BYTES_MAX + KEPT_BYTES,
        }
    }
}

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
    /// How many bytes were ever taken, and how many of those are written or could not be.
    taken: u64,
    written: u64,
    /// How many lines were lost since that was told last.
    lost: u64,
}

impl State {
    fn lose(&mut self, lines: u64) {
        self.lost += lines;
        counter!("seata_log_lines_lost_total").increment(lines);
    }
}

impl Lines {
    /// Starts the thread. It tells how many lines were lost, each time as soon as some were written again.
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
    pub(crate) fn add(&self, line: &[u8], room: Room) {
        let mut state = self.state();
        let is_first = state.waiting.is_empty();
        if !is_first && state.waiting.len() + line.len() > room.waiting_bytes_max() {
            state.lose(1);
            return;
        }
        state.waiting.extend_from_slice(line);
        state.taken += bytes(line);
        drop(state);
        if is_first {
            self.changed.notify_all();
        }
    }

    /// Answers what adds lines that wait there.
    pub(crate) const fn writer(&self, room: Room) -> Writer<'_> {
        Writer { lines: self, room }
    }

    /// Waits until what was taken by now is written, but not for longer than this.
    pub(crate) fn written(&self, within: Duration) {
        let state = self.state();
        let taken = state.taken;
        let is_behind = |state: &mut State| state.written < taken;
        // Whether it is by then: whoever can't wait any longer goes on without.
        drop(self.changed.wait_timeout_while(state, within, is_behind));
    }

    fn write_all(&self, sink: impl Write, tell: impl Fn(u64)) {
        let mut sink = Sink {
            to: sink,
            last: LINE_END,
        };
        loop {
            let text = self.next();
            let missing = line_ends(sink.write(&text));
            if missing > 0 {
                // What that told would be missing as well.
                self.state().lose(missing);
            } else {
                self.tell_lost(&tell);
            }
            self.state().written += bytes(&text);
            self.changed.notify_all();
        }
    }

    /// Waits for lines, and takes all that there are.
    fn next(&self) -> Vec<u8> {
        let state = self.state();
        let state = self
            .changed
            .wait_while(state, |state| state.waiting.is_empty());
        let mut state = state.unwrap_or_else(PoisonError::into_inner);
        take(&mut state.waiting)
    }

    fn tell_lost(&self, tell: &impl Fn(u64)) {
        let lost = take(&mut self.state().lost);
        if lost > 0 {
            tell(lost);
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

pub(crate) struct Writer<'a> {
    lines: &'a Lines,
    room: Room,
}

/// Each piece is taken for a whole line: so does `tracing_subscriber` write.
impl Write for Writer<'_> {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.lines.add(line, self.room);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Where the lines go.
struct Sink<W> {
    to: W,
    /// The last byte that was written.
    last: u8,
}

const LINE_END: u8 = b'\n';

impl<W: Write> Sink<W> {
    /// Writes whole lines, and answers what of them could not be. A line that was cut before them ends first.
    fn write<'a>(&mut self, lines: &'a [u8]) -> &'a [u8] {
        if self.last != LINE_END && !self.write_some(&[LINE_END]).is_empty() {
            return lines;
        }
        self.write_some(lines)
    }

    /// Writes as much as can be, and answers the rest.
    fn write_some<'a>(&mut self, text: &'a [u8]) -> &'a [u8] {
        let mut rest = text;
        while !rest.is_empty() {
            match self.to.write(rest) {
                Ok(0) => break,
                Ok(count) => {
                    let (written, unwritten) = rest.split_at(count);
                    self.last = written.last().copied().unwrap_or(self.last);
                    rest = unwritten;
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => thread::sleep(AGAIN_AFTER),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                // A full disk may have room again. There is nowhere else to say so.
                Err(_) => break,
            }
        }
        rest
    }
}

fn line_ends(text: &[u8]) -> u64 {
    let ends = text.iter().filter(|byte| **byte == LINE_END);
    u64::try_from(ends.count()).unwrap_or(u64::MAX)
}

fn bytes(text: &[u8]) -> u64 {
    u64::try_from(text.len()).unwrap_or(u64::MAX)
}

#[cfg(test)]
pub(crate) mod tests;
