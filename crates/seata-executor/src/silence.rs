//! Says in a person's words why no answer came. It decides nothing: silence is an unknown outcome, whatever the cause.

use std::error::Error;
use std::io;
use std::iter::successors;
use std::time::Duration;

use hyper_util::client::legacy;

const KNOWN_KINDS: [(io::ErrorKind, &str); 6] = [
    (io::ErrorKind::ConnectionRefused, "connection refused"),
    (io::ErrorKind::ConnectionReset, "connection reset"),
    (io::ErrorKind::BrokenPipe, "connection reset"),
    (io::ErrorKind::HostUnreachable, "host unreachable"),
    (io::ErrorKind::NetworkUnreachable, "network unreachable"),
    (io::ErrorKind::TimedOut, "no connection in time"),
];

/// What hyper-util says to those who waited for a connection that came to nothing. Its type is private; this is its whole
/// text.
const WAITED_IN_VAIN: &str = "request was canceled";

/// Says whether a call waited for a connection that another one made and that came to nothing. Nothing of it was sent.
pub(crate) fn waited_in_vain(error: &legacy::Error) -> bool {
    error.is_connect()
        && causes(error)
            .last()
            .is_some_and(|deepest| deepest.to_string() == WAITED_IN_VAIN)
}

/// Describes a connection that didn't come about.
pub(crate) fn of_connecting(error: &(dyn Error + 'static)) -> String {
    in_words("can't connect", error)
}

/// Describes a call on a connection of the pool that broke off.
pub(crate) fn of_call(error: &hyper::Error) -> String {
    in_words("the call broke off", error)
}

/// Describes a call of hyper-util's client that broke off.
pub(crate) fn describe(error: &legacy::Error) -> String {
    if error.is_connect() {
        of_connecting(error)
    } else {
        in_words("the call broke off", error)
    }
}

fn in_words(what: &str, error: &(dyn Error + 'static)) -> String {
    if let Some(known) = chain(error).find_map(known) {
        return known.to_owned();
    }
    let deepest = causes(error).last().map(ToString::to_string);
    deepest.map_or_else(|| what.to_owned(), |why| format!("{what}: {why}"))
}

/// Describes an answer that broke off.
pub(crate) fn of_body(error: &hyper::Error) -> String {
    let deepest = causes(error).last().map(ToString::to_string);
    deepest.unwrap_or_else(|| error.to_string())
}

/// Describes a call whose time limit passed.
pub(crate) fn no_answer_within(limit: Duration) -> String {
    format!("no answer within {} s", limit.as_secs_f64())
}

fn chain<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::once(error).chain(causes(error))
}

fn causes<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    // The reference is taken off first: a reference to an error is an error of its own, and lives shorter.
    successors(error.source(), |cause| (*cause).source())
}

/// Says whether the peer answered the handshake with something else, as a server without TLS does.
fn is_not_tls(cause: &(dyn Error + 'static)) -> bool {
    // An I/O error doesn't tell of the error within it as its source.
    if let Some(within) = cause
        .downcast_ref::<io::Error>()
        .and_then(io::Error::get_ref)
    {
        return is_not_tls(within);
    }
    matches!(
        cause.downcast_ref::<rustls::Error>(),
        Some(rustls::Error::InvalidMessage(_))
    )
}

fn known(cause: &(dyn Error + 'static)) -> Option<&'static str> {
    if is_not_tls(cause) {
        return Some(
            "what answers there speaks no TLS: perhaps it is meant without, as http:// or grpc://",
        );
    }
    if let Some(error) = cause.downcast_ref::<io::Error>() {
        let kind = KNOWN_KINDS.iter().find(|(kind, _)| *kind == error.kind());
        return kind.map(|(_, text)| *text);
    }
    if let Some(error) = cause.downcast_ref::<hyper::Error>() {
        return if error.is_incomplete_message() {
            Some("connection closed before an answer came")
        } else if error.is_parse() {
            Some("the answer is not HTTP, or its head is too large")
        } else {
            None
        };
    }
    match cause.to_string().as_str() {
        // The connector's own error type is private; this is its whole text.
        "dns error" => Some("name not resolved"),
        WAITED_IN_VAIN => Some("can't connect, and neither could other calls to the same host"),
        _ => None,
    }
}
