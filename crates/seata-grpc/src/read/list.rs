//! What a client wants to see of the list.

use seata_proto::v1;
use seata_service::Problem;
use seata_service::request::ListRequest;

use super::{instant, text, words};

/// Reads it.
pub(crate) fn list(message: &v1::ListRequest) -> Result<ListRequest<'_>, Problem> {
    let count = |given: Option<u32>| given.map(|count| count as usize);
    Ok(ListRequest {
        limit: count(message.limit),
        offset: count(message.offset),
        cursor: text(&message.cursor),
        status: words::statuses(&message.status)?,
        mode: words::mode(message.mode)?,
        created_from: instant(message.created_after.as_ref()),
        created_before: instant(message.created_before.as_ref()),
        gid_prefix: text(&message.gid_prefix),
    })
}
