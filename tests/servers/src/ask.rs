//! Asks a Redis one question, over a connection of its own.

use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Context, Result, bail};

/// How long an answer may take: also of one that is well, on a machine that does much else.
const ANSWERS_WITHIN: Duration = Duration::from_secs(60);

/// How long the answer of one may take of which nobody knows whether it is well.
const WELL_WITHIN: Duration = Duration::from_secs(1);

/// The longest answer that is read, in bytes.
const ANSWER_BYTES_MAX: usize = 1 << 20;

/// Sends a command of words that are parted by spaces. Answers the text of a simple, bulk or number reply; nil is empty.
///
/// # Errors
/// Nobody answers, or the answer is an error, or a list.
pub(crate) fn ask(port: u16, command: &str) -> Result<String> {
    ask_within(ANSWERS_WITHIN, port, command)
}

/// Asks as [`ask`] does, and gives up soon where nobody answers: for whoever asks again and again.
///
/// # Errors
/// As of [`ask`].
pub(crate) fn probe(port: u16, command: &str) -> Result<String> {
    ask_within(WELL_WITHIN, port, command)
}

fn ask_within(limit: Duration, port: u16, command: &str) -> Result<String> {
    let at = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let mut stream = TcpStream::connect_timeout(&at, limit)
        .with_context(|| format!("connecting to Redis at {at}"))?;
    stream.set_read_timeout(Some(limit))?;
    stream.set_write_timeout(Some(limit))?;
    stream
        .write_all(format!("{command}\r\n").as_bytes())
        .with_context(|| format!("asking Redis at {at}"))?;
    read_reply(&mut BufReader::new(stream))
        .with_context(|| format!("reading what Redis at {at} answers to {command}"))
}

fn read_reply(from: &mut impl BufRead) -> Result<String> {
    let mut line = String::new();
    from.read_line(&mut line)?;
    let line = line.trim_end();
    match line.split_at_checked(1) {
        Some(("+" | ":", text)) => Ok(text.to_owned()),
        Some(("$", "-1")) => Ok(String::new()),
        Some(("$", length)) => {
            let length: usize = length.parse().context("reading a length")?;
            if length > ANSWER_BYTES_MAX {
                bail!("{length} bytes are too many");
            }
            let mut bytes = vec![0; length];
            from.read_exact(&mut bytes)?;
            Ok(String::from_utf8_lossy(&bytes).into_owned())
        }
        Some(_) => bail!("{line}"),
        None => bail!("it closed the connection"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(mut bytes: &[u8]) -> Option<String> {
        read_reply(&mut bytes).ok()
    }

    #[test]
    fn texts_and_numbers_are_answers_and_errors_are_not() {
        assert_eq!(read(b"+PONG\r\n").as_deref(), Some("PONG"));
        assert_eq!(read(b":12182\r\n").as_deref(), Some("12182"));
        assert_eq!(read(b"$4\r\na\nbc\r\n").as_deref(), Some("a\nbc"));
        assert_eq!(read(b"$-1\r\n").as_deref(), Some(""));
        assert_eq!(read(b"-LOADING it reads\r\n"), None);
        assert_eq!(read(b"$9\r\nab\r\n"), None);
        assert_eq!(read(b""), None);
    }
}
