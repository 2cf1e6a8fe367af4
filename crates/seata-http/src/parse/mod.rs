//! Reads a body as one of the shapes in [`bodies`], without copying what can be borrowed.
//!
//! A good body is parsed once, straight into its shape. A bad one is parsed again to find the path of the field that
//! is wrong: slow, but then the answer says where to look.

pub(crate) mod bodies;
mod nearest;
mod object;
pub(crate) mod values;

pub(crate) use nearest::{hint, near};

use seata_service::{ErrorCode, Problem};
use serde::Deserialize;
use serde_json::error::Category;

/// Parses a body.
pub(crate) fn parse<'de, T: Deserialize<'de>>(body: &'de [u8]) -> Result<T, Problem> {
    let text = std::str::from_utf8(body).map_err(|error| {
        Problem::new(
            ErrorCode::InvalidRequest,
            format_args!("the body is not UTF-8 at byte {}", error.valid_up_to()),
        )
    })?;
    serde_json::from_str(text).map_err(|error| diagnose::<T>(text, error))
}

fn diagnose<'de, T: Deserialize<'de>>(text: &'de str, first: serde_json::Error) -> Problem {
    let mut json = serde_json::Deserializer::from_str(text);
    let (path, error) = match serde_path_to_error::deserialize::<_, T>(&mut json) {
        Err(error) => (error.path().to_string(), error.into_inner()),
        Ok(_) => (".".to_owned(), first),
    };
    let why = said(&error);
    let (line, column) = (error.line(), error.column());
    match error.classify() {
        // The body as a whole is no field.
        Category::Data if path == "." => Problem::new(
            ErrorCode::InvalidRequest,
            format_args!("the body is wrong: {why}"),
        ),
        Category::Data => Problem::field(path, why),
        Category::Syntax | Category::Eof | Category::Io => Problem::new(
            ErrorCode::InvalidRequest,
            format_args!("the body is not JSON: {why} at line {line}, column {column}"),
        ),
    }
}

/// What serde_json says, without the position.
fn said(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let position = format!(" at line {} column {}", error.line(), error.column());
    text.strip_suffix(&position).unwrap_or(&text).to_owned()
}
