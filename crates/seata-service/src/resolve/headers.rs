//! Headers for the calls to participants.

use http::HeaderName;
use seata_core::Header;

use crate::content::{Content, Part};
use crate::path::Path;
use crate::problem::Problem;
use crate::request::Pairs;

/// The most headers of a transaction or of a branch, and the most bytes of their names and values together.
const HEADERS_MAX: usize = 64;
const HEADERS_BYTES_MAX: usize = 8 << 10;

/// Checks headers; they come out sorted by name, since their order says nothing.
pub(super) fn headers(
    path: Path<'_>,
    given: Option<Pairs<'_>>,
    content: &mut Content,
) -> Result<Vec<Header>, Problem> {
    let Some(pairs) = given else {
        return Ok(Vec::new());
    };
    if pairs.len() > HEADERS_MAX {
        return Err(Problem::field(
            path,
            format_args!("{} headers: give at most {HEADERS_MAX}", pairs.len()),
        ));
    }
    let mut headers = pairs
        .iter()
        .map(|(name, value)| header(path, name, value))
        .collect::<Result<Vec<_>, _>>()?;
    headers.sort_by(|one, other| one.name.cmp(&other.name));
    check_together(path, &headers)?;
    for header in &headers {
        content.put(Part::HeaderName, header.name.as_bytes());
        content.put(Part::HeaderValue, header.value.as_bytes());
    }
    Ok(headers)
}

fn check_together(path: Path<'_>, headers: &[Header]) -> Result<(), Problem> {
    if let Some(twice) = headers.windows(2).find(|pair| pair[0].name == pair[1].name) {
        let why = format_args!("`{}` is given twice: give each header once", twice[0].name);
        return Err(Problem::field(path, why));
    }
    let bytes: usize = headers.iter().map(|h| h.name.len() + h.value.len()).sum();
    if bytes > HEADERS_BYTES_MAX {
        let why = format_args!("{bytes} bytes in all: give at most {HEADERS_BYTES_MAX}");
        return Err(Problem::field(path, why));
    }
    Ok(())
}

fn header(path: Path<'_>, name: &str, value: &str) -> Result<Header, Problem> {
    let place = path.key(name);
    let known = HeaderName::from_bytes(name.as_bytes())
        .map_err(|_| Problem::field(path, format_args!("{name:?} is no name of a header")))?;
    if Header::is_reserved(known.as_str()) {
        return Err(Problem::field(
            place,
            "the coordinator sets this header itself: leave it out",
        ));
    }
    if !is_value(value) {
        return Err(Problem::field(
            place,
            "no value of a header: only visible ASCII characters, spaces and tabs",
        ));
    }
    Ok(Header {
        name: known.as_str().into(),
        value: value.into(),
    })
}

/// Says whether a text can be the value of a header: other bytes mean different things to different servers.
pub(super) fn is_value(text: &str) -> bool {
    text.bytes().all(|byte| matches!(byte, b' '..=b'~' | b'\t'))
}
