//! A page of transactions: what the store knows without reading histories.

use seata_store::Header;
use serde::Serialize;

use super::time::unix_secs;

#[derive(Serialize)]
struct HeaderJson<'a> {
    gid: &'a str,
    mode: &'a str,
    status: &'a str,
    created_unix: i64,
    updated_unix: i64,
}

/// Renders headers, in the order given.
pub(crate) fn headers(headers: &[Header]) -> impl Serialize + '_ {
    headers
        .iter()
        .map(|header| HeaderJson {
            gid: header.gid.as_str(),
            mode: header.mode.as_str(),
            status: header.status.as_str(),
            created_unix: unix_secs(header.created_at),
            updated_unix: unix_secs(header.updated_at),
        })
        .collect::<Vec<_>>()
}
