//! Server-sent events, as the HTML standard defines their text. It knows no meaning.

use std::fmt::Display;

use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::stream::{self, BoxStream};
use hyper::body::Body;

use crate::error::Error;
use crate::transport::connection::next_frame;

/// The longest event, in bytes.
const EVENT_BYTES_MAX: usize = 1024 * 1024;

/// One event of a stream.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SseEvent {
    /// Its `id`, from which a new connection may go on; the last one given holds.
    pub id: Option<String>,
    /// Its `event`; none: `message`.
    pub event: Option<String>,
    /// Its lines of `data`.
    pub data: String,
}

/// Reads a stream in pieces of any length.
#[derive(Debug, Default)]
pub struct SseParser {
    line: Vec<u8>,
    /// The last byte was a carriage return: a line feed behind it ends nothing more.
    after_return: AfterReturn,
    begun: Begun,
    event: SseEvent,
    data: Option<String>,
    last_id: Option<String>,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum AfterReturn {
    #[default]
    No,
    Yes,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Begun {
    #[default]
    No,
    Yes,
}

impl SseParser {
    /// Takes the next piece and answers the events that it completes.
    ///
    /// # Errors
    /// An event is larger than 1 MiB.
    pub fn feed(&mut self, piece: &[u8]) -> Result<Vec<SseEvent>, Error> {
        let mut events = Vec::new();
        for byte in piece {
            match (byte, self.after_return) {
                (b'\n', AfterReturn::Yes) => self.after_return = AfterReturn::No,
                (b'\n', AfterReturn::No) => events.extend(self.end_line()),
                (b'\r', _) => {
                    self.after_return = AfterReturn::Yes;
                    events.extend(self.end_line());
                }
                (byte, _) => {
                    self.after_return = AfterReturn::No;
                    self.line.push(*byte);
                }
            }
            if self.line.len() + self.data.as_ref().map_or(0, String::len) > EVENT_BYTES_MAX {
                let why = format!("an event has more than {EVENT_BYTES_MAX} bytes");
                return Err(Error::Unreadable(why));
            }
        }
        Ok(events)
    }

    /// Reads a line; an empty one completes an event, if there is data.
    fn end_line(&mut self) -> Option<SseEvent> {
        let bytes = std::mem::take(&mut self.line);
        let text = String::from_utf8_lossy(&bytes);
        let mut line = &*text;
        if self.begun == Begun::No {
            self.begun = Begun::Yes;
            line = line.strip_prefix('\u{feff}').unwrap_or(line);
        }
        if line.is_empty() {
            return self.end_event();
        }
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        self.field(field, value.strip_prefix(' ').unwrap_or(value));
        None
    }

    fn field(&mut self, field: &str, value: &str) {
        match field {
            "data" => match &mut self.data {
                Some(data) => {
                    data.push('\n');
                    data.push_str(value);
                }
                None => self.data = Some(value.to_owned()),
            },
            "id" if !value.contains('\0') => self.last_id = Some(value.to_owned()),
            "event" => self.event.event = Some(value.to_owned()).filter(|name| !name.is_empty()),
            // Comments (no field at all), `retry` and what is not known.
            _ => {}
        }
    }

    fn end_event(&mut self) -> Option<SseEvent> {
        let event = std::mem::take(&mut self.event);
        let data = self.data.take()?;
        Some(SseEvent {
            id: self.last_id.clone(),
            data,
            ..event
        })
    }
}

/// Reads the events that a body says.
pub(crate) fn said_by<B>(body: B) -> BoxStream<'static, Result<SseEvent, Error>>
where
    B: Body<Data = Bytes, Error: Display> + Send + Unpin + 'static,
{
    let pieces = stream::unfold(Some((body, SseParser::default())), |state| async {
        let (mut body, mut parser) = state?;
        let read = match next_frame(&mut body).await? {
            Ok(frame) => parser.feed(frame.data_ref().map_or(&[][..], AsRef::as_ref)),
            Err(error) => Err(error),
        };
        let next = read.is_ok().then_some((body, parser));
        Some((read, next))
    });
    let events = pieces.flat_map(|read| match read {
        Ok(events) => stream::iter(events.into_iter().map(Ok)).boxed(),
        Err(error) => stream::iter([Err(error)]).boxed(),
    });
    events.boxed()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use std::convert::Infallible;
    use std::time::Duration;

    use futures_util::stream::{iter, pending};
    use http_body_util::StreamBody;
    use hyper::body::Frame;
    use tokio::time::{sleep, timeout};

    use super::*;

    fn frame(text: &'static str) -> Result<Frame<Bytes>, Infallible> {
        Ok(Frame::data(Bytes::from_static(text.as_bytes())))
    }

    /// A peer that is gone without a word: no end of its stream is ever seen.
    #[tokio::test(start_paused = true)]
    async fn a_stream_that_falls_silent_ends_with_an_error_that_passes() {
        let body = iter([frame("data: a\n\ndata: b")]).chain(pending());
        let mut said = said_by(StreamBody::new(body));
        assert_eq!(said.next().await.unwrap().unwrap(), event(None, None, "a"));
        let silent = timeout(Duration::from_secs(60), said.next()).await;
        let error = silent.unwrap().unwrap().unwrap_err();
        assert!(error.may_pass(), "{error}");
        assert!(error.to_string().contains("silent for 45 s"), "{error}");
        assert!(said.next().await.is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn a_stream_with_signs_of_life_may_tell_nothing_for_long() {
        let lives = iter(0..100).then(|_| async {
            sleep(Duration::from_secs(15)).await;
            frame(":\n\n")
        });
        let body = lives.chain(iter([frame("data: a\n\n")]));
        let mut said = said_by(StreamBody::new(Box::pin(body)));
        assert_eq!(said.next().await.unwrap().unwrap(), event(None, None, "a"));
        assert!(said.next().await.is_none());
    }

    fn event(id: Option<&str>, name: Option<&str>, data: &str) -> SseEvent {
        SseEvent {
            id: id.map(ToOwned::to_owned),
            event: name.map(ToOwned::to_owned),
            data: data.to_owned(),
        }
    }

    fn whole(text: &str) -> Vec<SseEvent> {
        SseParser::default().feed(text.as_bytes()).unwrap()
    }

    /// The same in pieces of each length: where a piece ends must not matter.
    fn parsed(text: &str) -> Vec<SseEvent> {
        let events = whole(text);
        for length in 1..8 {
            let mut parser = SseParser::default();
            let pieces = text.as_bytes().chunks(length);
            let in_pieces: Vec<_> = pieces
                .flat_map(|piece| parser.feed(piece).unwrap())
                .collect();
            assert_eq!(in_pieces, events, "in pieces of {length}: {text:?}");
        }
        events
    }

    #[test]
    fn an_event_has_an_id_a_name_and_lines_of_data() {
        let text = "id: 7\nevent: answered\ndata: {\"a\":\ndata: 1}\n\n";
        assert_eq!(
            parsed(text),
            [event(Some("7"), Some("answered"), "{\"a\":\n1}")]
        );
    }

    #[test]
    fn lines_end_in_each_of_the_three_ways() {
        for end in ["\n", "\r\n", "\r"] {
            let text = format!("data: a{end}{end}data: b{end}{end}");
            let expected = [event(None, None, "a"), event(None, None, "b")];
            assert_eq!(parsed(&text), expected, "{end:?}");
        }
    }

    #[test]
    fn comments_and_unknown_fields_are_stepped_over_and_no_data_is_no_event() {
        assert_eq!(parsed(": still here\n\nretry: 10\n\nevent: x\n\n"), []);
        assert_eq!(parsed(":\nodd: 1\ndata:a\n\n"), [event(None, None, "a")]);
    }

    #[test]
    fn an_id_holds_until_the_next_one_and_a_name_does_not() {
        assert_eq!(
            parsed("id: 1\nevent: x\ndata: a\n\ndata: b\n\n"),
            [
                event(Some("1"), Some("x"), "a"),
                event(Some("1"), None, "b")
            ]
        );
    }

    #[test]
    fn an_event_that_is_cut_off_is_never_told() {
        assert_eq!(parsed("data: a\n\ndata: b\n"), [event(None, None, "a")]);
        assert_eq!(parsed("data: a"), []);
    }

    #[test]
    fn one_space_and_a_mark_at_the_beginning_are_left_out() {
        assert_eq!(parsed("\u{feff}data:  a\n\n"), [event(None, None, " a")]);
        assert_eq!(parsed("data\n\n"), [event(None, None, "")]);
    }

    #[test]
    fn an_endless_event_is_refused() {
        let mut parser = SseParser::default();
        let line = format!("data: {}\n", "x".repeat(100_000));
        let fed = (0..100).map(|_| parser.feed(line.as_bytes()));
        assert!(fed.into_iter().any(|fed| fed.is_err()));
        let mut parser = SseParser::default();
        assert!(parser.feed(&vec![b'x'; EVENT_BYTES_MAX + 1]).is_err());
    }
}
