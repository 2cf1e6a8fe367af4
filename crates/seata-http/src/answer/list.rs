//! A page of transactions: what the store knows without reading histories.

use bytes::Bytes;
use seata_service::unix_secs;
use seata_store::Header;
use serde::Serialize;

#[derive(Serialize)]
struct HeaderJson<'a> {
    gid: &'a str,
    mode: &'a str,
    status: &'a str,
    created_unix: i64,
    updated_unix: i64,
}

impl<'a> HeaderJson<'a> {
    fn new(header: &'a Header) -> Self {
        Self {
            gid: header.gid.as_str(),
            mode: header.mode.as_str(),
            status: header.status.as_str(),
            created_unix: unix_secs(header.created_at),
            updated_unix: unix_secs(header.updated_at),
        }
    }
}

/// Renders headers, in the order given.
pub(crate) fn headers(headers: &[Header]) -> impl Serialize + '_ {
    headers.iter().map(HeaderJson::new).collect::<Vec<_>>()
}

/// Renders headers as newline-delimited JSON, in the order given.
pub(crate) fn lines(headers: &[Header]) -> Bytes {
    let mut text = Vec::new();
    for header in headers {
        // Texts and numbers into memory: this does not fail.
        let _ = serde_json::to_writer(&mut text, &HeaderJson::new(header));
        text.push(b'\n');
    }
    text.into()
}
